"""The detector with a hub, a worker that says what runs, and a real receiver of alerts."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import yaml

from confighub.operations.alerts import Alert, Receiver, send
from confighub.operations.deploy import Options as DeployOptions
from confighub.operations.deploy import deploy, read_units
from confighub.operations.drift.detector import Breaker, Detector, Options
from confighub.operations.drift.outcome import Handled
from confighub.operations.drift.risk import Policy, Rule
from confighub.operations.drift.watched import ask_workers, find_watched
from confighub.operations.plan import in_order
from tests.api.worker import Event, data_of
from tests.operations.playing import PlayedWorker, Stage, Verdict

FEED = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: NAME
  namespace: shop
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}
  maxReplicas: 5
"""


class Cluster:
    """What runs, as a cluster holds it: applying sets it, ``change`` is somebody else's hand.

    ``afterwards`` is what another sets as soon as something was applied.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.is_stubborn = False
        self.afterwards: dict[str, Any] = {}
        self.silent: set[str] = set()

    def decide(self, event: Event) -> Verdict:
        payload = event["Data"]["Payload"]
        if payload["UnitID"] in self.silent:
            return Verdict(silent=True)
        if event["Data"]["Action"] == "Refresh":
            return Verdict(result="RefreshAndDrifted", message="Widget x: spec.size is 3 and not 2")
        if not (self.is_stubborn and payload["UnitID"] in self.objects):
            found = list(yaml.safe_load_all(data_of(event)))
            for one in found:
                one["status"] = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
                one.get("spec", {}).update(self.afterwards)
            self.objects[payload["UnitID"]] = found
        return Verdict(live_state=json.dumps(self.objects[payload["UnitID"]]).encode())

    def change(self, unit_id: str, **spec: Any) -> None:
        """Change the object of a unit past the hub; its worker tells at once."""
        self.objects[unit_id][0].setdefault("spec", {}).update(spec)
        blob = b64encode(json.dumps(self.objects[unit_id]).encode()).decode()
        unit = self.stage.hub.units.get(unit_id, space_id=self.stage.space_id)["Unit"]
        pushed = {"UnitID": unit_id, "SpaceID": self.stage.space_id, "RevisionNum": unit["LiveRevisionNum"]}
        worker = self.stage.worker
        answer = self.stage.process.request(
            "POST",
            f"/api/bridge_worker/{worker.worker_id}/live_state",
            body=[{**pushed, "LiveState": blob}],
            authorization=f"Bearer {worker.secret}",
        )
        assert answer.status == 200, answer.body


@pytest.fixture
def cluster(dev: Stage) -> Iterator[Cluster]:
    made = Cluster(dev)
    with PlayedWorker(dev.worker, made.decide):
        yield made


def bring_up(stage: Stage) -> None:
    """Deploy until all is live: what never gets ready ends a deployment, and so does a machine that is busy."""
    deadline, units = time.monotonic() + 60, read_units(stage.hub, stage.space_id)
    while any(unit.live != unit.head for unit in units):
        assert time.monotonic() < deadline, units
        plan = in_order(space=stage.space, space_id=stage.space_id, units=units)
        deploy(stage.hub, plan, DeployOptions(timeout_s=0.5), lambda _: None)
        units = read_units(stage.hub, stage.space_id)


def detector(stage: Stage, **options: Any) -> Detector:
    watched = find_watched(stage.hub, [stage.space], sets=(), filters=())
    return Detector(stage.hub, watched, Options(**options), lambda _: None)


def states(found: list[Handled]) -> list[tuple[str, str]]:
    return [(one.drifted.slug, one.state) for one in found]


@pytest.mark.requirement("R-008", "R-271", "R-277")
def test_a_scaled_deployment_is_brought_back_and_nothing_else_is_touched(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id, other = dev.unit("a"), dev.unit("b")
    bring_up(dev)
    assert detector(dev).once() == []
    before = dev.hub.units.get(other, space_id=dev.space_id)["Unit"]["Version"]
    cluster.change(unit_id, replicas=10)

    found = detector(dev).once()

    assert states(found) == [("a", "corrected")]
    assert cluster.objects[unit_id][0]["spec"]["replicas"] == 1
    assert detector(dev).once() == []
    assert dev.hub.units.get(unit_id, space_id=dev.space_id)["Unit"]["HeadRevisionNum"] == 1
    assert dev.hub.units.get(other, space_id=dev.space_id)["Unit"]["Version"] == before


@pytest.mark.requirement("R-272")
def test_the_watch_sees_a_change_as_the_worker_tells_it(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    watch = detector(dev).watch(interval_s=0.05)
    cluster.change(unit_id, replicas=10)

    assert next(watch).state == "corrected"
    cluster.change(unit_id, replicas=11)
    assert next(watch).state == "corrected"


def test_what_is_risky_is_asked_about_until_a_person_decides(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    template = cluster.objects[unit_id][0]["spec"]["template"]
    template["spec"]["containers"][0]["image"] = "evil/a:v1"
    cluster.change(unit_id, replicas=10)

    asked = detector(dev).once()

    assert states(asked) == [("a", "asked")]
    assert [one["risk"] for one in asked[0].as_json()["differences"]] == ["LOW", "MEDIUM"]
    assert f"drift-detector --space {dev.space} --accept a" in asked[0].message
    assert cluster.objects[unit_id][0]["spec"]["replicas"] == 10
    assert states(detector(dev, forced={"a": "correct"}).once()) == [("a", "corrected")]
    assert detector(dev).once() == []


@pytest.mark.requirement("R-274", "R-276")
def test_accepted_drift_becomes_a_revision(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.change(unit_id, replicas=4)

    found = detector(dev, forced={"a": "accept"}).once()

    assert states(found) == [("a", "accepted")]
    unit = dev.hub.units.get(unit_id, space_id=dev.space_id)["Unit"]
    assert (unit["HeadRevisionNum"], unit["LiveRevisionNum"]) == (2, 2)
    assert "replicas: 4 # enough here" in dev.hub.units.data(unit_id, space_id=dev.space_id)
    assert detector(dev).once() == []


def test_a_dry_run_does_nothing(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.change(unit_id, replicas=4)

    found = detector(dev, is_dry_run=True).once()

    assert states(found) == [("a", "would correct")]
    assert cluster.objects[unit_id][0]["spec"]["replicas"] == 4


def test_what_keeps_coming_back_is_left_after_so_many_times(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    found = []
    for _ in range(3):
        cluster.change(unit_id, replicas=10)
        found += detector(dev, breaker=Breaker(corrections=2)).once()

    assert [one.state for one in found] == ["corrected", "corrected", "stopped"]
    assert "keeps coming back" in found[-1].message
    unit = dev.hub.units.get(unit_id, space_id=dev.space_id)["Unit"]
    history = detector(dev).corrections(unit)
    assert [row["Message"] for row in history] == ["drift corrected: Deployment/a spec.replicas is 10 and not 1"] * 2


def test_a_correction_that_does_not_help_has_failed(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.is_stubborn = True
    cluster.change(unit_id, replicas=10)

    found = detector(dev, timeout_s=0.5).once()

    assert states(found) == [("a", "failed")]
    assert "still" in found[0].message


def test_what_comes_after_a_correction_is_another_drift(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.change(unit_id, replicas=10)
    cluster.afterwards = {"replicas": 11}

    found = detector(dev).once()

    assert states(found) == [("a", "corrected")]
    assert [str(one) for one in detector(dev).look()[0].differences] == ["Deployment/a spec.replicas is 11 and not 1"]


def test_what_a_worker_that_is_away_leaves_is_told_and_stops_no_other(cluster: Cluster) -> None:
    dev = cluster.stage
    ids = [dev.unit("a"), dev.unit("b")]
    bring_up(dev)
    cluster.silent.add(ids[0])
    for unit_id in ids:
        cluster.change(unit_id, replicas=4)

    found = detector(dev, timeout_s=0.5).once()

    assert states(found) == [("a", "failed"), ("b", "corrected")]


def test_the_watch_goes_on_after_a_worker_that_was_away(cluster: Cluster) -> None:
    dev = cluster.stage
    ids = [dev.unit("a"), dev.unit("b")]
    bring_up(dev)
    cluster.silent.add(ids[0])
    said: list[str] = []
    watched = find_watched(dev.hub, [dev.space], sets=(), filters=())
    looking = Detector(dev.hub, watched, Options(timeout_s=0.5), said.append)
    for unit_id in ids:
        cluster.change(unit_id, replicas=4)

    found: list[Handled] = []

    def is_enough() -> bool:
        return bool(found) and any(line.startswith(f"waiting: {dev.space}/a: ") for line in said)

    found.extend(looking.watch(interval_s=0.05, until=is_enough))

    assert states(found) == [("b", "corrected")]
    assert ids[0] not in looking._told


def test_a_unit_that_takes_its_time_holds_up_no_other(cluster: Cluster) -> None:
    dev = cluster.stage
    ids = [dev.unit("a"), dev.unit("b")]
    bring_up(dev)
    cluster.silent.add(ids[0])
    watch = detector(dev, timeout_s=30.0).watch(interval_s=0.05)
    cluster.change(ids[0], replicas=4)
    corrected = []
    for replicas in (5, 6):
        cluster.change(ids[1], replicas=replicas)
        corrected.append(next(watch))

    assert states(corrected) == [("b", "corrected")] * 2


def test_what_failed_is_tried_again_after_its_share_of_the_window(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.is_stubborn = True
    cluster.change(unit_id, replicas=10)
    watch = detector(dev, timeout_s=0.3, breaker=Breaker(corrections=2, window_s=0.2)).watch(interval_s=0.05)

    assert next(watch).state == "failed"
    cluster.is_stubborn = False
    assert next(watch).state == "corrected"


def test_what_is_accepted_and_not_applied_keeps_nothing_else_from_being_corrected(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    template = cluster.objects[unit_id][0]["spec"]["template"]
    template["spec"]["containers"][0]["image"] = "example/confighubplaceholder:v1"
    cluster.change(unit_id, replicas=10)
    policy = Policy(rules=(Rule(action="accept", path="*.image"),))

    (found,) = detector(dev, policy=policy).once()

    assert (found.state, found.remains) == ("corrected", True)
    assert "is not applied: gates are closed" in found.message
    assert found.message.endswith("the accepted values run again once theirs is applied")
    assert cluster.objects[unit_id][0]["spec"]["replicas"] == 1


def test_workers_that_are_away_are_passed_over_when_asked(cluster: Cluster) -> None:
    dev = cluster.stage
    ids = [dev.unit("a"), dev.unit("b"), dev.unit("c")]
    bring_up(dev)
    cluster.silent.add(ids[0])
    dev.hub.sets.create({"Slug": "pair", "Where": "Labels.service IN ('a', 'b')"}, space_id=dev.space_id)
    said: list[str] = []

    ask_workers(dev.hub, find_watched(dev.hub, [dev.space], sets=["pair"], filters=()), said.append, timeout_s=1.5)

    assert [line.split(" is ")[0] for line in said] == [f"{dev.space}/a"]
    assert states(detector(dev).once()) == [("b", "asked")]


def test_replicas_are_left_to_an_autoscaler(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    dev.unit("scaler", text=FEED)
    bring_up(dev)
    cluster.change(unit_id, replicas=4)

    assert detector(dev).once() == []


def test_replicas_that_the_worker_says_are_scaled_are_left_to_whoever_scales_them(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.objects[unit_id][0]["metadata"]["annotations"] = {"confighub.com/autoscaled": "true"}
    cluster.change(unit_id, replicas=4)

    assert detector(dev).once() == []


PLACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: NAME
  labels:
    team: core
"""


def strange(cluster: Cluster, unit_id: str, *lines: str) -> None:
    """Put objects of no unit into the unit's namespace."""
    cluster.objects[unit_id][0]["metadata"]["annotations"] = {"confighub.com/strangers": "\n".join(lines)}
    cluster.change(unit_id)


def test_an_object_of_no_unit_is_told_and_never_corrected(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("place", text=PLACE)
    bring_up(dev)
    strange(cluster, unit_id, "v1 ConfigMap notes by kubectl-create")

    found = detector(dev).once() + detector(dev, forced={"place": "correct"}).once()

    assert states(found) == [("place", "asked")] * 2
    assert found[0].as_json()["differences"] == [
        {
            "resource": "ConfigMap/notes",
            "path": None,
            "expected": None,
            "actual": "of no unit",
            "risk": "LOW",
            "rule": "data alone",
            "changedBy": "kubectl-create",
        }
    ]
    assert "cub unit import" in found[1].message
    assert detector(dev).corrections(dev.hub.units.get(unit_id, space_id=dev.space_id)["Unit"]) == []


def test_objects_of_no_unit_may_be_ignored_by_a_policy(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("place", text=PLACE)
    bring_up(dev)
    strange(cluster, unit_id, "v1 ConfigMap notes by kubectl-create")

    found = detector(dev, policy=Policy((Rule("ignore", kind="ConfigMap"),))).once()

    assert states(found) == [("place", "ignored")]


def test_what_differs_beside_an_object_of_no_unit_is_corrected(cluster: Cluster) -> None:
    dev = cluster.stage
    unit_id = dev.unit("place", text=PLACE)
    bring_up(dev)
    cluster.objects[unit_id][0]["metadata"]["labels"]["team"] = "other"
    strange(cluster, unit_id, "apps/v1 Deployment miner by kubectl-create")

    (found,) = detector(dev).once()

    assert (found.state, found.remains) == ("corrected", True)
    assert "Deployment/miner: left as found" in found.message
    assert cluster.objects[unit_id][0]["metadata"]["labels"]["team"] == "core"


def test_what_only_a_worker_reports_is_asked_about(cluster: Cluster) -> None:
    dev = cluster.stage
    dev.unit("a")
    bring_up(dev)
    ask_workers(dev.hub, find_watched(dev.hub, [dev.space], sets=(), filters=()), print, timeout_s=10)

    found = detector(dev).once()

    assert states(found) == [("a", "asked")]
    assert found[0].as_json()["reported"] == "Widget x: spec.size is 3 and not 2"


@pytest.mark.requirement("R-204")
def test_only_members_of_the_sets_are_looked_at(cluster: Cluster) -> None:
    dev = cluster.stage
    ids = [dev.unit("a"), dev.unit("b")]
    bring_up(dev)
    dev.hub.sets.create({"Slug": "critical", "Where": "Labels.service = 'b'"}, space_id=dev.space_id)
    for unit_id in ids:
        cluster.change(unit_id, replicas=4)
    watched = find_watched(dev.hub, [dev.space], sets=["critical"], filters=())

    found = Detector(dev.hub, watched, Options(), lambda _: None).once()

    assert states(found) == [("b", "corrected")]


class Inbox:
    """A real HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.got.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.requirement("R-278")
def test_corrected_drift_is_told_to_every_receiver_in_its_form(cluster: Cluster, inbox: Inbox) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.change(unit_id, replicas=10)
    receivers = (
        Receiver(f"{inbox.url}/hook"),
        Receiver(f"{inbox.url}/slack", "slack"),
        Receiver(inbox.url, "alertmanager"),
    )

    detector(dev, receivers=receivers).once()

    sent = dict(inbox.got)
    title = f"Drift detected and corrected: {dev.space}/a"
    assert sent["/hook"]["title"] == title
    assert sent["/slack"]["text"] == title
    assert "spec.replicas is 10 and not 1" in sent["/slack"]["blocks"][0]["text"]["text"]
    (alert,) = sent["/api/v2/alerts"]
    assert alert["annotations"]["summary"] == title
    assert alert["labels"] == {
        "alertname": "ConfigurationDrift",
        "severity": "info",
        "space": dev.space,
        "unit": "a",
        "risk": "LOW",
        "action": "corrected",
    }


def test_an_alert_that_is_not_delivered_is_told_and_stops_nothing(cluster: Cluster, free_port: int) -> None:
    dev = cluster.stage
    unit_id = dev.unit("a")
    bring_up(dev)
    cluster.change(unit_id, replicas=10)

    found = detector(dev, receivers=(Receiver(f"http://127.0.0.1:{free_port}"),)).once()

    assert found[0].state == "corrected"
    assert "refused" in found[0].undelivered[0]
    assert "refused" in send(Alert("x", "y", "info"), Receiver(f"http://127.0.0.1:{free_port}"))
