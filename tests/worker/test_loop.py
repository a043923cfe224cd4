"""The worker on the wire: what it says, and that nothing is lost or done twice whoever dies."""

from __future__ import annotations

import base64
import os
import signal
import uuid

import httpx2
import pytest
import yaml

from tests.runtime.running import deployment, service, until
from tests.worker.scene import WORKER_ID, Scene, end, live

TEXT = "# a comment\n" + yaml.safe_dump_all([deployment(), service()])


def test_a_worker_says_what_it_offers_over_http_2(scene: Scene) -> None:
    info = scene.said()["Infos"][-1]

    (offered,) = info["BridgeWorkerInfo"]["SupportedConfigTypes"]
    assert (offered["ToolchainType"], offered["ProviderType"]) == ("Kubernetes/YAML", "Laptop")
    (target,) = offered["AvailableTargets"]
    assert target["Name"] == "w1"
    assert target["Params"]["RuntimeDir"] == str(scene.runtime.data_dir)
    assert target["Params"]["WaitTimeout"] == "3s"
    assert "2" in scene.said()["Versions"]


def test_a_heartbeat_is_answered(scene: Scene) -> None:
    scene.wait_connected()
    beats = until(lambda: [item for item in scene.said()["Results"] if item["Action"] == "Heartbeat"])

    assert (beats[0]["Status"], beats[0]["Result"]) == ("Completed", "None")
    assert beats[0]["QueuedOperationID"] == "00000000-0000-0000-0000-000000000000"


def test_a_heartbeat_says_that_the_runtime_is_down(scene: Scene) -> None:
    scene.runtime.stop(signal.SIGKILL)

    def last_beat() -> str:
        scene.wait_connected()
        beats = [item for item in scene.said()["Results"] if item["Action"] == "Heartbeat"]
        return str(beats[-1]["Message"])

    trouble = f"the runtime of {scene.runtime.data_dir} does not answer"
    until(lambda: trouble in last_beat(), because=last_beat)
    scene.runtime.start()
    # Another test may have named a runtime that never was; its absence goes on being told.
    until(lambda: trouble not in last_beat(), because=last_beat)


@pytest.mark.requirement("R-007")
def test_an_apply_is_reported_from_start_to_ready(scene: Scene) -> None:
    operation = scene.act("Apply", TEXT, revision=3)

    final = scene.final(operation)
    first = scene.results(operation)[0]

    assert (first["Status"], first["Result"], first["Message"]) == (
        "Progressing",
        "None",
        "Starting to apply resources...",
    )
    assert (final["Status"], final["Result"], final["RevisionNum"]) == ("Completed", "ApplyCompleted", 3)
    assert final["TerminatedAt"] >= final["StartedAt"]
    assert {item["kind"]: item["status"].get("readyReplicas") for item in live(final)} == {
        "Service": None,
        "Deployment": 1,
    }


def test_a_bad_image_fails_soon_with_the_reason(scene: Scene) -> None:
    final = scene.final(scene.act("Apply", yaml.safe_dump(deployment(tag="v9"))))

    assert (final["Status"], final["Result"]) == ("Failed", "ApplyFailed")
    assert "ErrImagePull" in final["Message"]
    assert "test/web has no tag v9" in final["Message"]


def test_what_is_not_ready_in_time_is_a_failed_wait(scene: Scene) -> None:
    text = yaml.safe_dump(deployment(env={"NEVER_READY": "1"}))
    scene.final(scene.act("Apply", text, WaitTimeout="10ms"))
    until(lambda: "503" in scene.runtime.condition()["message"])

    final = scene.final(scene.act("Apply", text, WaitTimeout="10ms"))

    assert (final["Status"], final["Result"]) == ("Failed", "ApplyWaitFailed")
    assert "not ready within 10ms" in final["Message"]
    assert "GET /health/ready answered 503: warming up" in final["Message"]
    assert "TerminatedAt" not in final or final["TerminatedAt"] is None


def test_what_gets_ready_after_the_wait_is_completed_after_all(scene: Scene) -> None:
    operation = scene.act("Apply", yaml.safe_dump(deployment(env={"NEVER_READY": "1"})), WaitTimeout="10ms")
    scene.final(operation)
    (replica,) = until(scene.runtime.replicas)

    until(lambda: httpx2.post(f"http://{replica['addresses'][0]}/become/ready/true").status_code == 200)
    until(lambda: scene.results(operation)[-1]["Result"] == "ApplyCompleted")

    last = scene.results(operation)[-1]
    assert (last["Status"], last["Message"]) == ("Completed", "ready after the wait was over")
    assert live(last)[0]["status"]["readyReplicas"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "line 1, column 5: mapping values are not allowed"),
        ("just words", "a document of the unit is no object but str"),
        ("kind: Deployment\napiVersion: apps/v1\nmetadata: {}\n", "a Deployment has no metadata.name"),
    ],
)
def test_text_that_cannot_be_applied_fails_with_the_place(scene: Scene, text: str, message: str) -> None:
    final = scene.final(scene.act("Apply", text))

    assert final["Result"] == "ApplyFailed"
    assert message in final["Message"]


def test_destroy_ends_when_the_processes_have(scene: Scene) -> None:
    scene.final(scene.act("Apply", TEXT))
    (pid,) = scene.runtime.pids()

    final = scene.final(scene.act("Destroy", TEXT))

    assert (final["Status"], final["Result"]) == ("Completed", "DestroyCompleted")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_destroying_what_is_not_there_is_done(scene: Scene) -> None:
    assert scene.final(scene.act("Destroy", TEXT))["Result"] == "DestroyCompleted"


def test_refresh_finds_what_was_changed_past_the_hub(scene: Scene) -> None:
    scene.final(scene.act("Apply", TEXT))
    clean = scene.final(scene.act("Refresh", TEXT))
    scene.runtime.call("PATCH", "/environments/dev/objects/Deployment/default/web", {"spec": {"replicas": 3}})

    drifted = scene.final(scene.act("Refresh", TEXT))

    assert (clean["Status"], clean["Result"]) == ("Completed", "RefreshAndNoDrift")
    assert (drifted["Status"], drifted["Result"]) == ("Completed", "RefreshAndDrifted")
    assert drifted["Message"] == "Deployment web: spec.replicas is 3 and not 1"


@pytest.mark.requirement("R-277")
def test_applying_again_corrects_drift(scene: Scene) -> None:
    scene.final(scene.act("Apply", TEXT))
    scene.runtime.call("PATCH", "/environments/dev/objects/Deployment/default/web", {"spec": {"replicas": 3}})

    scene.final(scene.act("Apply", TEXT))

    assert scene.runtime.object("Deployment", "web")["spec"]["replicas"] == 1
    assert scene.final(scene.act("Refresh", TEXT))["Result"] == "RefreshAndNoDrift"


def test_import_returns_what_is_there(scene: Scene) -> None:
    scene.final(scene.act("Apply", TEXT))

    final = scene.final(scene.act("Import", unit="7c0f4f0e-3333-4a57-9f0b-0d7f6f5f8a01"))

    assert final["Result"] == "ImportCompleted"
    documents = list(yaml.safe_load_all(base64.b64decode(final["Data"])))
    assert {item["kind"] for item in documents} == {"Deployment", "Service"}
    assert documents[1] == deployment()


@pytest.mark.requirement("R-225")
def test_live_state_is_pushed_as_it_changes(scene: Scene) -> None:
    scene.final(scene.act("Apply", TEXT, revision=4))
    before = len(scene.said()["Live"])

    os.kill(scene.runtime.pids()[0], signal.SIGKILL)

    def pushed() -> list[int]:
        return [live(item)[1]["status"]["readyReplicas"] for item in scene.said()["Live"][before:]]

    until(lambda: 0 in pushed() and pushed()[-1] == 1, because=pushed)
    assert scene.said()["Live"][-1]["RevisionNum"] == 4


def test_an_operation_that_comes_twice_is_carried_out_once(scene: Scene) -> None:
    operation = scene.act("Apply", TEXT)
    first = scene.final(operation)
    scene.act("Apply", yaml.safe_dump(deployment(replicas=2)), operation=operation)

    until(lambda: len([item for item in scene.results(operation) if item["Status"] == "Completed"]) == 2)

    assert scene.results(operation)[-1] == first
    assert scene.runtime.object("Deployment", "web")["spec"]["replicas"] == 1


def test_a_finished_operation_is_remembered_by_the_next_worker(scene: Scene) -> None:
    operation = scene.act("Apply", TEXT)
    scene.final(operation)
    end(scene.worker, signal.SIGKILL)
    until(lambda: not scene.said()["IsConnected"])
    scene.start_worker()
    scene.wait_connected()

    scene.act("Apply", yaml.safe_dump(deployment(replicas=2)), operation=operation)

    until(lambda: len([item for item in scene.results(operation) if item["Status"] == "Completed"]) == 2)
    assert scene.runtime.object("Deployment", "web")["spec"]["replicas"] == 1


def test_a_result_is_repeated_until_the_hub_takes_it(scene: Scene) -> None:
    httpx2.post(f"{scene.url}/test/refuse/6", trust_env=False)

    final = scene.final(scene.act("Apply", TEXT))

    assert final["Result"] == "ApplyCompleted"


def test_a_result_survives_the_death_of_the_worker(scene: Scene) -> None:
    httpx2.post(f"{scene.url}/test/refuse/100000", trust_env=False)
    operation = scene.act("Apply", TEXT)
    journal = scene.folder / f"worker-{WORKER_ID}.jsonl"
    until(lambda: operation in journal.read_text())

    end(scene.worker, signal.SIGKILL)
    httpx2.post(f"{scene.url}/test/refuse/0", trust_env=False)
    scene.start_worker()

    assert scene.final(operation)["Result"] == "ApplyCompleted"


def test_a_hub_that_dies_is_found_again_and_gets_the_result(scene: Scene) -> None:
    operation = scene.act("Apply", yaml.safe_dump(deployment(env={"NEVER_READY": "1"})), WaitTimeout="2s")
    until(lambda: scene.results(operation))

    end(scene.hub, signal.SIGKILL)
    scene.start_hub()

    assert scene.final(operation)["Result"] == "ApplyWaitFailed"
    scene.wait_connected()


def test_a_stream_that_ends_is_opened_again(scene: Scene) -> None:
    before = len(scene.said()["Infos"])

    httpx2.post(f"{scene.url}/test/end", trust_env=False)

    until(lambda: len(scene.said()["Infos"]) == before + 1)
    scene.wait_connected()


def test_the_runtime_may_be_started_again_during_an_apply(scene: Scene) -> None:
    scene.runtime.stop(signal.SIGKILL)
    operation = scene.act("Apply", TEXT)
    until(lambda: scene.results(operation))

    scene.runtime.start()

    assert scene.final(operation)["Result"] == "ApplyCompleted"


def test_a_runtime_that_is_not_there_is_told_with_the_way_to_start_it(scene: Scene) -> None:
    final = scene.final(scene.act("Apply", TEXT, RuntimeDir=str(scene.folder / "none"), WaitTimeout="100ms"))

    assert final["Result"] == "ApplyFailed"
    assert f"start it with: confighub runtime --data {scene.folder / 'none'}" in final["Message"]


def test_what_cannot_be_read_or_is_unknown_is_survived(scene: Scene) -> None:
    scene.send("data: {broken")
    scene.send({"Event": "Surprise", "Data": {"Action": "Jump", "Payload": {}}})
    scene.send({"Event": "BridgeWorkerEvent", "Data": {"Action": "Apply", "Payload": {"RevisionNum": "x"}}})
    odd = scene.act("Dance", TEXT)

    final = scene.final(odd)

    assert (final["Status"], final["Result"], final["Message"]) == ("None", "None", "unknown operation name: Dance")


def test_many_ends_reach_a_hub_that_takes_each_alone_once(scene: Scene) -> None:
    httpx2.post(f"{scene.url}/test/refuse/1", trust_env=False)
    operations = [scene.act("Dance", unit=str(uuid.uuid4())) for _ in range(30)]

    until(lambda: all(scene.results(operation) for operation in operations), because=scene.said)

    assert [len(scene.results(operation)) for operation in operations] == [1] * 30


def test_another_provider_is_refused_by_name(scene: Scene) -> None:
    operation = "7c0f4f0e-4444-4a57-9f0b-0d7f6f5f8a01"
    payload = {
        "QueuedOperationID": operation,
        "ProviderType": "Kubernetes",
        "UnitID": "7c0f4f0e-5555-4a57-9f0b-0d7f6f5f8a01",
        "RevisionNum": 1,
    }
    scene.send({"Event": "BridgeWorkerEvent", "Data": {"Action": "Apply", "Payload": payload}})

    final = scene.final(operation)

    assert final["Message"] == "this worker serves Laptop and not Kubernetes"


def test_operations_of_one_unit_run_in_order_and_of_several_side_by_side(scene: Scene) -> None:
    slow, unit = yaml.safe_dump(deployment("slow", env={"NEVER_READY": "1"})), "7c0f4f0e-6666-4a57-9f0b-0d7f6f5f8a01"
    first = scene.act("Apply", slow, unit=unit, WaitTimeout="10m")
    second = scene.act("Destroy", slow, unit=unit)

    other = scene.final(scene.act("Apply", TEXT))
    meanwhile = {item["Status"] for item in scene.results(first)}, scene.results(second)
    (replica,) = (item for item in scene.runtime.replicas() if item["workload"] == "slow")
    httpx2.post(f"http://{replica['addresses'][0]}/become/ready/true")
    ends = [scene.final(operation)["Result"] for operation in (first, second)]

    assert other["Result"] == "ApplyCompleted"
    assert meanwhile == ({"Progressing"}, [])
    assert ends == ["ApplyCompleted", "DestroyCompleted"]


def test_a_worker_that_the_hub_does_not_know_ends_with_a_clear_word(scene: Scene) -> None:
    end(scene.worker)

    scene.start_worker(secret="wrong")

    assert scene.worker
    assert scene.worker.wait(30) != 0
    assert "the hub refused me with 401" in (scene.folder / "worker.log").read_text()


def test_a_worker_stops_when_asked(scene: Scene) -> None:
    assert scene.worker
    scene.worker.send_signal(signal.SIGTERM)

    assert scene.worker.wait(30) == 0
