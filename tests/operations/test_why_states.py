"""Every state that can keep a unit from being as its head says: `why` names it, and its command removes it.

A table: how a unit gets into the state, what is said, and what is typed. The commands are those of the answer, with
their placeholders filled in; where one starts a program or an editor, what that would do is done instead.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest

from confighub.operations.why import Answer, State, why
from tests.api.running import PASSWORD, USER, HubProcess
from tests.api.worker import Event
from tests.cli.conftest import Terminal
from tests.operations.playing import TEXT, PlayedWorker, Stage, Verdict, refused, running, succeed


@dataclass
class Scene:
    """One stage whose worker can be away; ``unit_id`` is the unit that is asked about."""

    stage: Stage
    cub: Terminal
    unit_id: str = ""
    other: Stage | None = None
    decide: Callable[[Event], Verdict] = succeed
    worker: PlayedWorker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = PlayedWorker(self.stage.worker, decide=lambda event: self.decide(event))

    def apply(self) -> None:
        """Apply the head and wait for the end, whatever it is."""
        hub = self.stage.hub
        hub.units.wait(hub.units.apply(self.unit_id, space_id=self.stage.space_id), timeout_s=30)

    def bring_up(self) -> None:
        """Make the unit, and have it live and ready."""
        self.unit_id = self.stage.unit("a")
        self.apply()

    def scale(self, replicas: object = 2) -> None:
        """Make a newer head."""
        self.stage.hub.units.patch_data(self.unit_id, {"spec": {"replicas": replicas}}, space_id=self.stage.space_id)

    def ask(self) -> Answer:
        """Ask why."""
        return why(self.stage.hub, self.stage.hub.units.get(self.unit_id, space_id=self.stage.space_id))

    def type(self, command: str, **filled: str) -> None:
        """Type one command of an answer."""
        for name, value in filled.items():
            command = command.replace(name, value)
        self.cub.must(*shlex.split(command)[1:])


def no_target(scene: Scene) -> None:
    scene.unit_id = scene.stage.unit("a", TargetID=None)


def deleted_target(scene: Scene) -> None:
    hub, stage = scene.stage.hub, scene.stage
    target_id = stage.process.target(stage.space_id, stage.worker.worker_id, slug="gone")
    scene.unit_id = stage.unit("a", TargetID=target_id)
    hub.units.patch(scene.unit_id, {"TargetID": None}, space_id=stage.space_id)
    hub.targets.delete(target_id, space_id=stage.space_id)


def no_worker(scene: Scene) -> None:
    hub, stage = scene.stage.hub, scene.stage
    record = {"Slug": "orphan", "ToolchainType": "Kubernetes/YAML", "ProviderType": "Kubernetes"}
    target = hub.targets.create({**record, "SpaceID": stage.space_id}, space_id=stage.space_id)
    scene.unit_id = stage.unit("a", TargetID=target["TargetID"])


def placeholder(scene: Scene) -> None:
    scene.unit_id = scene.stage.unit("a", text=TEXT.replace("namespace: shop", "namespace: confighubplaceholder"))


def set_namespace(scene: Scene) -> None:
    """Do what a person does in the editor."""
    scene.stage.hub.units.patch_data(scene.unit_id, {"metadata": {"namespace": "shop"}}, space_id=scene.stage.space_id)


def bad_schema(scene: Scene) -> None:
    scene.unit_id = scene.stage.unit("a")
    scene.scale("many")


def quarantined(scene: Scene) -> None:
    scene.bring_up()
    scene.scale()
    scene.stage.hub.units.quarantine(scene.unit_id, 2, space_id=scene.stage.space_id, reason="it was slow")


def own_trigger(scene: Scene) -> None:
    trigger = {"Slug": "two", "Event": "Mutation", "ToolchainType": "Kubernetes/YAML", "FunctionName": "is-approved"}
    space = {"space_id": scene.stage.space_id}
    scene.stage.hub.triggers.create({**trigger, "Arguments": [{"Value": 1}]}, **space)
    scene.unit_id = scene.stage.unit("a")


def waiting_operation(scene: Scene) -> None:
    scene.decide = lambda _: Verdict(silent=True)
    scene.unit_id = scene.stage.unit("a")
    scene.stage.hub.units.apply(scene.unit_id, space_id=scene.stage.space_id)


def answer_at_last(scene: Scene) -> None:
    """Let a worker take it; the one of the scene has it in hand and says nothing, so it is applied anew."""
    scene.decide = succeed
    scene.stage.hub.units.apply(scene.unit_id, space_id=scene.stage.space_id)
    scene.worker.__exit__()
    scene.worker = PlayedWorker(scene.stage.worker)
    scene.worker.__enter__()


def failed(scene: Scene) -> None:
    scene.bring_up()
    scene.scale()
    scene.decide = lambda _: Verdict("Failed", "ApplyFailed", "ErrImagePull: no tag v9", b"")
    scene.apply()
    scene.decide = succeed


def held(scene: Scene) -> None:
    scene.bring_up()
    scene.stage.hub.units.hold(where=f"UnitID = '{scene.unit_id}'", reason="an audit", ttl_s=500)
    scene.scale()


def older_by_hand(scene: Scene) -> None:
    scene.bring_up()
    scene.scale()
    scene.apply()
    hub = scene.stage.hub
    hub.units.wait(hub.units.apply(scene.unit_id, space_id=scene.stage.space_id, revision="N-1"), timeout_s=30)


def not_asked_for(scene: Scene) -> None:
    scene.bring_up()
    scene.scale()


def never_applied(scene: Scene) -> None:
    scene.unit_id = scene.stage.unit("a")


def destroyed(scene: Scene) -> None:
    scene.bring_up()
    hub = scene.stage.hub
    hub.units.wait(hub.units.destroy(scene.unit_id, space_id=scene.stage.space_id), timeout_s=30)


def not_ready(scene: Scene) -> None:
    text = TEXT.replace("NAME", "a")
    scene.decide = lambda _: Verdict(live_state=refused(text, "GET /health/ready: 503"))
    scene.bring_up()
    scene.decide = lambda _: Verdict(result="RefreshAndNoDrift", live_state=running(text))


def a_need(scene: Scene) -> None:
    needed = scene.stage.unit("store")
    scene.unit_id = scene.stage.unit("a")
    link = {"Slug": "a-needs-store", "FromUnitID": scene.unit_id, "ToUnitID": needed}
    scene.stage.hub.links.create(
        {**link, "ToSpaceID": scene.stage.space_id, "SpaceID": scene.stage.space_id}, space_id=scene.stage.space_id
    )


def apply_the_need(scene: Scene) -> None:
    """Follow the command to the other unit's answer, and do what that says."""
    scene.type(f"cub unit apply store --space {scene.stage.space}")


def drifted(scene: Scene) -> None:
    scene.bring_up()
    scene.decide = lambda _: Verdict(
        result="RefreshAndDrifted", message="spec.replicas is 9", live_state=running(TEXT.replace("NAME", "a"))
    )
    hub = scene.stage.hub
    hub.units.wait(hub.units.refresh(scene.unit_id, space_id=scene.stage.space_id), timeout_s=30)
    scene.decide = succeed


def correct_it(scene: Scene) -> None:
    """Do what the drift detector does."""
    hub = scene.stage.hub
    asked = hub.units.correct(scene.unit_id, space_id=scene.stage.space_id, reason="x")
    hub.units.wait(asked, timeout_s=30)


def behind(scene: Scene) -> None:
    assert scene.other is not None
    source = scene.other.unit("a")
    record = {"Slug": "a", "TargetID": scene.stage.target_id, "Labels": {"order": "1"}}
    scene.unit_id = scene.stage.hub.units.clone(
        record,
        space_id=scene.stage.space_id,
        upstream_space_id=scene.other.space_id,
        upstream_unit_id=source,
    )["UnitID"]
    scene.apply()
    scene.other.hub.units.patch_data(source, {"spec": {"replicas": 3}}, space_id=scene.other.space_id)


def start_worker(scene: Scene) -> None:
    """Do what both commands do."""
    scene.worker.__enter__()


Fix = int | Callable[[Scene], None]


@dataclass(frozen=True)
class Row:
    """One state: how it comes about, what is said of it, and which command of the answer, or what, removes it."""

    state: State
    make: Callable[[Scene], None]
    said: str
    fix: Fix
    environment: str = "dev"
    is_away: bool = False


ROWS = {
    "no target": Row("no target", no_target, "there is no place to apply it to", 0),
    "target deleted": Row("no target", deleted_target, "no place|was deleted", 0),
    "target without a worker": Row("no worker", no_worker, "target orphan: it names no worker", 0),
    "worker not connected": Row("worker away", never_applied, "is not connected", start_worker, is_away=True),
    "placeholder": Row("gate closed", placeholder, "namespace is confighubplaceholder", set_namespace),
    "schema": Row("gate closed", bad_schema, "is a string, expected integer", lambda scene: scene.scale(3)),
    "approval": Row("gate closed", never_applied, "nobody has approved it", 0, environment="prod"),
    "quarantine": Row("gate closed", quarantined, "was rolled back from: it was slow", 1),
    "own trigger": Row(
        "gate closed",
        own_trigger,
        "two/is-approved",
        lambda scene: scene.type(f"cub unit approve a --space {scene.stage.space}"),
    ),
    "operation under way": Row("under way", waiting_operation, "apply of revision 1", answer_at_last),
    "apply failed": Row("failed", failed, "ErrImagePull: no tag v9", -1),
    "held": Row("held", held, "an audit by", 0),
    "older revision applied by hand": Row("held", older_by_hand, "since", 0),
    "nobody asked": Row("not applied", not_asked_for, "its worker does not apply by itself", 0),
    "never applied": Row("not applied", never_applied, "revision 1 is not applied by itself", 0),
    "destroyed": Row("not applied", destroyed, "revision 1 is not applied by itself", 0),
    "not ready": Row("not ready", not_ready, "GET /health/ready: 503", 1),
    "needs another": Row("needs", a_need, "store: nothing of it is live", apply_the_need),
    "drifted": Row("drifted", drifted, "spec.replicas is 9", correct_it),
    "behind upstream": Row("behind upstream", behind, "is at revision 2, this has revision 1", 0),
}


@pytest.fixture
def make_scene(
    shared_hub: HubProcess,
    new_stage: Callable[..., Stage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[[Row], Scene]]:
    """Make a scene whose worker is connected unless the row says that it is away."""
    monkeypatch.setenv("CONFIGHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONFIGHUB_URL", shared_hub.url)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "testusers.csv").write_text(f"{USER},{PASSWORD}\n")
    made: list[Scene] = []

    def make(row: Row) -> Scene:
        cub = Terminal(capsys)
        cub.must("auth", "test-login", USER)
        scene = Scene(new_stage(environment=row.environment), cub, other=new_stage(environment="dev"))
        made.append(scene)
        if not row.is_away:
            scene.worker.__enter__()
        return scene

    yield make
    for scene in made:
        scene.worker.__exit__()


def reasons_of(scene: Scene, row: Row) -> list[str]:
    said = row.said.split("|")
    return [
        one.message
        for one in scene.ask().reasons
        if one.state == row.state and any(word in one.message for word in said)
    ]


@pytest.mark.parametrize("name", ROWS)
def test_a_blocked_unit_says_why_and_the_command_removes_it(name: str, make_scene: Callable[[Row], Scene]) -> None:
    row = ROWS[name]
    scene = make_scene(row)

    row.make(scene)
    assert reasons_of(scene, row), list(scene.ask().lines())
    (command, *_) = [
        one.commands[row.fix] if isinstance(row.fix, int) else one.commands[0]
        for one in scene.ask().reasons
        if one.state == row.state
    ]
    if isinstance(row.fix, int):
        scene.type(
            command,
            TARGET=str(
                scene.stage.hub.targets.get(scene.stage.target_id, space_id=scene.stage.space_id)["Target"]["Slug"]
            ),
        )
    else:
        row.fix(scene)

    assert command.split()[0] in ("cub", "bin/setup-worker", "traderx", "drift-detector")
    assert eventually_gone(scene, row) == []


def eventually_gone(scene: Scene, row: Row) -> list[str]:
    """Return what is still said after a while."""
    deadline = time.monotonic() + 20
    while (left := reasons_of(scene, row)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_the_table_has_every_state() -> None:
    assert {row.state for row in ROWS.values()} == set(get_args(State))
