"""A change set is applied to all of its units or to none, whatever ends in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from confighub.operations import proposals
from confighub.operations.proposals import Proposal, ProposedUnit
from tests.api.conftest import hub_process, store_template  # noqa: F401 - fixtures
from tests.api.running import PASSWORD, USER, HubProcess
from tests.api.worker import Event, data_of
from tests.cli.conftest import Terminal
from tests.operations.playing import PlayedWorker, Stage, Verdict, make_stage, succeed

UNITS = ("alpha", "beta", "gamma")

OLD, NEW = "v1.0.0", "v2.0.0"


class Field:
    """Three live units of a space; a change set knows their start at v1.0.0 and their end at v2.0.0."""

    def __init__(self, stage: Stage, cub: Terminal) -> None:
        self.stage, self.cub = stage, cub
        self.decide: Callable[[Event], Verdict] = succeed
        self.done: list[tuple[str, str]] = []
        self.ids = {slug: stage.unit(slug) for slug in UNITS}
        self.worker = PlayedWorker(stage.worker, decide=lambda event: self.decide(event))

    def arrange(self) -> None:
        """Make them live, change them within a change set, and go back to its start."""
        space = ("--space", self.stage.space)
        self.cub.must("unit", "apply", *space, "--where", "Slug != ''", "--wait")
        self.cub.must("filter", "create", "all", "Unit", *space)
        self.cub.must("tag", "create", "done", *space)
        self.cub.must("changeset", "create", "release", *space, "--filter", "all", "--end-tag", "done")
        for slug in UNITS:
            self.cub.must(
                "function", "do", "set-image-reference", slug, f":{NEW}", *space, "--where", f"Slug = '{slug}'"
            )
        self.cub.must("unit", "tag", "done", *space, "--where", "Slug != ''")
        self.cub.must("changeset", "apply", "release", *space, "--to", "start")
        self.worker.applied.clear()

    def heads(self) -> set[str]:
        """Return the versions that the heads have."""
        found = [self.stage.hub.units.data(unit_id, space_id=self.stage.space_id) for unit_id in self.ids.values()]
        return {OLD if OLD in text else NEW for text in found}

    def live(self) -> dict[str, str]:
        """Return the version that each unit was last applied with, as the worker got it."""
        return dict(self.done)

    def judge(self, fails: Callable[[str, str], bool]) -> None:
        """Let the worker fail what ``fails`` says of unit and version, and note what it completes."""
        self.done.clear()

        def decide(event: Event) -> Verdict:
            slug, version = event["Data"]["Payload"]["UnitSlug"], NEW if NEW in data_of(event) else OLD
            if fails(slug, version):
                return Verdict("Failed", "ApplyFailed", "no room in the cluster")
            self.done.append((slug, version))
            return succeed(event)

        self.decide = decide


@pytest.fixture
def field(
    hub_process: HubProcess,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Field]:
    """A running hub with the three units and their worker."""
    monkeypatch.setenv("CONFIGHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONFIGHUB_URL", hub_process.url)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "testusers.csv").write_text(f"{USER},{PASSWORD}\n")
    cub = Terminal(capsys)
    cub.must("auth", "test-login", USER)
    found = Field(make_stage(hub_process, "shop"), cub)
    with found.worker:
        found.arrange()
        yield found


def test_all_units_go_to_the_end_together(field: Field) -> None:
    field.judge(lambda _slug, _version: False)

    field.cub.must("changeset", "apply", "release", "--space", "shop")

    assert field.heads() == {NEW}
    assert field.live() == dict.fromkeys(UNITS, NEW)


def test_a_failure_takes_back_what_was_done(field: Field) -> None:
    field.judge(lambda slug, version: (slug, version) == ("gamma", NEW))

    ran = field.cub.run("changeset", "apply", "release", "--space", "shop")

    assert ran.status == 1
    assert "every unit is back where it was" in ran.err
    assert "no room in the cluster" in ran.err
    assert field.heads() == {OLD}
    assert field.live() == dict.fromkeys(UNITS, OLD)
    assert ("alpha", NEW) in field.done


def test_a_failure_leaves_the_others_done_when_told_to(field: Field) -> None:
    field.judge(lambda slug, version: (slug, version) == ("gamma", NEW))

    ran = field.cub.run("changeset", "apply", "release", "--space", "shop", "--keep-going")

    assert ran.status == 1
    assert field.heads() == {NEW}
    assert field.live() == {"alpha": NEW, "beta": NEW}


def propose(field: Field) -> None:
    """Write down that all three units shall get the new version."""
    stage = field.stage
    heads = {one["Unit"]["UnitID"]: one["Unit"]["HeadRevisionNum"] for one in stage.hub.units.list(include="")}
    units = [
        ProposedUnit(unit_id, slug, heads[unit_id], [("set-image-reference", (slug, f":{NEW}"))])
        for slug, unit_id in field.ids.items()
    ]
    proposals.write(
        stage.hub, Proposal(slug="idea", space=stage.space, space_id=stage.space_id, why="newer is better", units=units)
    )


def test_a_proposal_is_shown_by_a_dry_run_and_made_otherwise(field: Field) -> None:
    field.judge(lambda _slug, _version: False)
    propose(field)

    shown = field.cub.must("changeset", "apply", "idea", "--space", "shop", "--dry-run")

    assert f"+        image: example/beta:{NEW}" in shown.out
    assert "dry run: change set idea can be made: newer is better" in shown.out
    assert field.heads() == {OLD}

    field.cub.must("changeset", "apply", "idea", "--space", "shop")

    assert field.heads() == {NEW}
    assert field.live() == dict.fromkeys(UNITS, NEW)

    field.cub.must("changeset", "apply", "idea", "--space", "shop", "--to", "start")

    assert field.heads() == {OLD}


def test_a_proposal_that_fails_is_taken_back(field: Field) -> None:
    field.judge(lambda slug, version: (slug, version) == ("gamma", NEW))
    propose(field)

    ran = field.cub.run("changeset", "apply", "idea", "--space", "shop")

    assert ran.status == 1
    assert "change set idea was not applied, every unit is back where it was" in ran.err
    assert field.heads() == {OLD}
    assert field.live() == dict.fromkeys(UNITS, OLD)


@pytest.mark.parametrize("does_fail", [False, True], ids=["and-it-works", "and-one-fails"])
def test_a_hub_killed_in_the_middle_leaves_no_unit_in_between(field: Field, *, does_fail: bool) -> None:
    """The hub dies under the second unit's hands and comes back; the worker connects again and goes on."""
    process, killed = field.stage.process, threading.Event()

    def fails(slug: str, version: str) -> bool:
        if slug == "beta" and version == NEW and not killed.is_set():
            killed.set()
            process.kill()
            threading.Thread(target=process.start).start()
        return does_fail and (slug, version) == ("gamma", NEW)

    field.judge(fails)

    ran = field.cub.run("changeset", "apply", "release", "--space", "shop")

    assert killed.is_set()
    expected = OLD if does_fail else NEW
    assert ran.status == int(does_fail), ran.err
    assert field.heads() == {expected}
    assert field.live() == dict.fromkeys(UNITS, expected)


@pytest.mark.parametrize("change_set", ["release", "idea"])
def test_units_are_changed_alone_without_the_right_to_apply(field: Field, change_set: str) -> None:
    """Nothing is applied or held; ``restore-only`` asks for no more than the right to write."""
    field.judge(lambda _slug, _version: False)
    propose(field)
    before = holds_noted(field)

    field.cub.must("changeset", "apply", change_set, "--space", "shop", "--restore-only")

    assert field.heads() == {NEW}
    assert field.done == []
    assert holds_noted(field) == before


def holds_noted(field: Field) -> int:
    """Return how often a unit was held so far, as the audit log has it."""
    rows = field.stage.hub.audit(limit=1000, space_id=field.stage.space_id)
    return [row["Action"] for row in rows].count("hold")


def test_what_waited_to_be_applied_is_not_applied_by_taking_back(field: Field) -> None:
    """Beta has a head that never ran; after the failure the revision before it runs again."""
    beta = field.ids["beta"]
    field.cub.must("function", "do", "set-replicas", "7", "--space", "shop", "--where", "Slug = 'beta'")
    ran_before = field.stage.hub.units.get(beta, space_id=field.stage.space_id)["Unit"]["LiveRevisionNum"]
    field.judge(lambda slug, version: (slug, version) == ("gamma", NEW))

    ran = field.cub.run("changeset", "apply", "release", "--space", "shop")

    assert ran.status == 1, ran.err
    unit = field.stage.hub.units.get(beta, space_id=field.stage.space_id)["Unit"]
    assert unit["LiveRevisionNum"] == ran_before
    assert "replicas: 7" in field.stage.hub.units.data(beta, space_id=field.stage.space_id)


def test_a_unit_that_is_deleted_meanwhile_does_not_keep_others_from_going_back(field: Field) -> None:
    def fails(slug: str, version: str) -> bool:
        if (slug, version) == ("gamma", NEW):
            field.stage.hub.units.delete(field.ids["beta"], space_id=field.stage.space_id)
        return (slug, version) == ("gamma", NEW)

    field.judge(fails)

    ran = field.cub.run("changeset", "apply", "release", "--space", "shop")

    assert "every unit is back where it was" in ran.err
    assert (field.live()["alpha"], field.live()["gamma"]) == (OLD, OLD)


def test_where_a_worker_applies_by_itself_too_each_unit_is_taken_back_once(field: Field) -> None:
    worker, hub = field.stage.worker, field.stage.hub
    hub.workers.patch(worker.worker_id, {"AutoApply": True}, space_id=field.stage.space_id)
    field.judge(lambda slug, version: (slug, version) == ("gamma", NEW))

    ran = field.cub.run("changeset", "apply", "release", "--space", "shop")

    assert ran.status == 1, ran.err
    assert field.live() == dict.fromkeys(UNITS, OLD)
    assert len(field.worker.applied) == len(set(field.worker.applied)) == 6
