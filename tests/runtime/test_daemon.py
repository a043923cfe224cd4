"""The daemon and its processes under kill -9, on restarts, beside another project, on a held port."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2

from tests.runtime.running import Running, deployment, ingress, service, until


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A killed child of a killed daemon waits for init to take note of it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_kill_9_of_the_daemon_ends_its_processes(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2))
    daemon.wait_complete()
    pids = daemon.pids()

    daemon.stop(signal.SIGKILL)

    until(lambda: all(is_gone(pid) for pid in pids))


def test_a_new_daemon_brings_everything_back_at_the_same_addresses(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2), service(), ingress(("/", "web")))
    daemon.wait_complete()
    places = (daemon.service_url(), daemon.ingress_url())

    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.wait_complete()

    assert (daemon.service_url(), daemon.ingress_url()) == places
    assert httpx2.get(places[0]).json()["version"] == "v1"
    assert httpx2.get(places[1]).json()["version"] == "v1"


def test_a_new_daemon_serves_what_served_before_a_failed_update(daemon: Running) -> None:
    daemon.apply(deployment(), service())
    daemon.wait_complete()
    daemon.apply(deployment(tag="v2", env={"NEVER_READY": "1"}), service())
    until(lambda: len(daemon.pids()) == 2)

    daemon.stop(signal.SIGKILL)
    daemon.start()

    until(lambda: httpx2.get(daemon.service_url()).json()["version"] == "v1")
    assert daemon.condition()["reason"] == "ReplicaSetUpdated"


def test_leftovers_of_a_killed_daemon_are_ended_by_the_next(daemon: Running) -> None:
    daemon.stop(signal.SIGKILL)
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    started_at = float(
        subprocess.run(
            [sys.executable, "-c", f"import psutil; print(psutil.Process({orphan.pid}).create_time())"],
            capture_output=True,
            check=True,
        ).stdout
    )
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    leftovers = [
        {"pid": orphan.pid, "started_at": started_at, "name": "web"},
        {"pid": bystander.pid, "started_at": started_at - 1000, "name": "web"},
    ]
    (daemon.data_dir / "processes.json").write_text(json.dumps(leftovers))

    daemon.start()

    assert orphan.wait(10) == -signal.SIGKILL
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_polite_stop_leaves_no_process_and_no_address(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2))
    daemon.wait_complete()
    pids = daemon.pids()

    daemon.stop()

    assert all(is_gone(pid) for pid in pids)
    assert not daemon.address_file.exists()


def test_a_second_daemon_on_the_same_folder_is_refused(daemon: Running) -> None:
    code = f"from pathlib import Path; from confighub.runtime.main import serve; serve(Path({str(daemon.data_dir)!r}))"

    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert second.returncode != 0
    assert daemon.process
    assert f"already runs on {daemon.data_dir} as pid {daemon.process.pid}" in second.stderr


def test_two_projects_run_side_by_side_with_the_same_ports(daemons: Callable[..., Running]) -> None:
    one, other = daemons("one"), daemons("other")
    one.apply(deployment(tag="v1"), service(), ingress(("/", "web")))
    other.apply(deployment(tag="v2"), service(), ingress(("/", "web")))
    one.wait_complete()
    other.wait_complete()

    urls = [one.service_url(), other.service_url(), one.ingress_url(), other.ingress_url()]

    assert [httpx2.get(url).json()["version"] for url in urls] == ["v1", "v2", "v1", "v2"]
    assert len(set(urls)) == 4


def test_environments_run_side_by_side_with_the_same_ports(daemon: Running) -> None:
    for environment, tag in (("dev", "v1"), ("prod", "v2")):
        daemon.apply(deployment(tag=tag), service(), unit=environment, environment=environment)
    for environment in ("dev", "prod"):
        daemon.wait_complete(environment=environment)

    versions = [httpx2.get(daemon.service_url(environment=name)).json()["version"] for name in ("dev", "prod")]

    assert versions == ["v1", "v2"]


def test_a_port_in_use_is_told_with_its_holder_and_taken_when_it_is_free(daemon: Running) -> None:
    daemon.apply(ingress(("/", "web")), unit="door")
    port = int(daemon.ingress_url().rpartition(":")[2])
    daemon.stop()
    with socket.create_server(("127.0.0.1", port)):
        daemon.start()

        def told() -> str:
            condition = daemon.object("Ingress", "ingress")["status"]["conditions"][0]
            return str(condition["message"]) if condition["reason"] == "PortInUse" else ""

        message = until(told)

    assert f"127.0.0.1:{port} is in use by" in message
    assert f"pid {os.getpid()}" in message
    until(lambda: daemon.object("Ingress", "ingress")["status"]["conditions"][0]["status"] == "True")


def test_a_replica_whose_port_is_held_says_by_whom(daemon: Running) -> None:
    with socket.create_server(("", 0)) as everywhere:
        port = everywhere.getsockname()[1]

        daemon.apply(deployment(port=port))
        message = daemon.wait_reason("PortInUse")

    assert f":{port} is in use by" in message
    assert f"pid {os.getpid()}" in message
    daemon.wait_complete()


def test_the_control_interface_needs_its_token(daemon: Running) -> None:
    url = json.loads(daemon.address_file.read_text())["url"]

    assert httpx2.get(f"{url}/environments", headers={"Authorization": "Bearer guess"}).status_code == 401
    assert stat.S_IMODE(daemon.address_file.stat().st_mode) == 0o600


def test_a_document_that_cannot_be_read_changes_nothing(daemon: Running) -> None:
    bad = deployment()
    bad["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": 5}]

    answer = daemon.apply(service(), bad)

    assert answer.status_code == 400
    assert "Deployment web cannot be read: Expected `str | null`, got `int`" in answer.json()["message"]
    assert daemon.call("GET", "/environments").json()[0]["units"] == []


def test_programs_get_nothing_of_the_daemons_own_environment(daemon: Running) -> None:
    (daemon.secrets_dir / "db.json").write_text(json.dumps({"DATABASE_URL": "sqlite://"}))
    unit = deployment(env={"REFERENCE_DATA_URL": "http://reference-data:18085"})
    unit["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"secretRef": {"name": "db"}},
        {"secretRef": {"name": "absent", "optional": True}},
        {"configMapRef": {"name": "web-config"}},
    ]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web-config"}, "data": {"MODE": "fast"}}
    daemon.apply(unit, service(), settings)
    daemon.wait_complete()

    env = httpx2.get(f"{daemon.service_url()}/env").json()["env"]

    assert env["DATABASE_URL"] == "sqlite://"
    assert env["MODE"] == "fast"
    assert env["APP_VERSION"] == "v1"
    assert env["PORT"] == "18092"
    assert env["HOST"].startswith("127.")
    assert env["REFERENCE_DATA_URL"].startswith("http://127.")
    assert "PYTEST_CURRENT_TEST" not in env


def test_a_missing_secret_is_told_by_name_and_found_when_it_comes(daemon: Running) -> None:
    unit = deployment()
    unit["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "db"}}]
    daemon.apply(unit)

    message = daemon.wait_reason("CreateContainerConfigError")
    (daemon.secrets_dir / "db.json").write_text("{}")

    assert "secret db not found" in message
    daemon.wait_complete()


def test_what_has_no_effect_here_is_accepted_and_said(daemon: Running) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny"},
        "spec": {"podSelector": {}},
    }
    unit = deployment()
    unit["spec"]["template"]["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "x"}}]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "traderx-dev"}}

    daemon.apply(policy, unit, namespace)

    assert daemon.object("NetworkPolicy", "deny")["status"]["conditions"][0]["reason"] == "NotSupportedHere"
    ignored = daemon.object("Deployment", "web")["metadata"]["annotations"]["laptop.confighub/ignored"]
    assert ignored == "spec.template.spec.volumes"
    assert daemon.object("Namespace", "traderx-dev")["status"] == {"phase": "Active"}


def test_without_a_block_of_addresses_names_get_free_ports(daemons: Callable[..., Running]) -> None:
    daemon = daemons(has_block=False)
    daemon.apply(deployment("back"), service("back"), deployment(env={"BACK_URL": "http://back:18092"}), service())
    daemon.wait_complete("back")
    daemon.wait_complete()

    env = httpx2.get(f"{daemon.service_url()}/env").json()["env"]

    assert env["BACK_URL"] == daemon.service_url("back")
    assert httpx2.get(env["BACK_URL"]).json()["replica"].startswith("back-")
    assert env["BACK_URL"].startswith("http://127.0.0.1:")


def test_an_object_changed_past_the_hub_is_known_beside_what_was_applied(daemon: Running) -> None:
    daemon.apply(deployment())

    answer = daemon.call("PATCH", "/environments/dev/objects/Deployment/default/web", {"spec": {"replicas": 2}})
    unit = daemon.call("GET", "/environments/dev/units/u1").json()

    assert answer.json()["metadata"]["generation"] == 2
    assert unit["objects"][0]["spec"]["replicas"] == 2
    assert unit["applied"][0]["spec"]["replicas"] == 1


def test_a_watch_tells_every_change_of_a_unit(daemon: Running) -> None:
    address = json.loads(daemon.address_file.read_text())
    headers = {"Authorization": f"Bearer {address['token']}"}
    daemon.apply(deployment())
    seen = []

    with httpx2.stream("GET", f"{address['url']}/watch", headers=headers, timeout=30, trust_env=False) as answer:
        for line in answer.iter_lines():
            change = json.loads(line)
            seen.append(change["objects"][0]["status"].get("readyReplicas"))
            if seen[-1] == 1:
                break

    assert change["unit"]["unit_id"] == "u1"
    assert seen[0] == 0
