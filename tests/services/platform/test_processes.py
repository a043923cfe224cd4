"""What every service does as a process: probes, metrics, faults, logs, start and end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.services.running import Desk, ServiceProcess, call, eventually, running_desk
from traderx.services.main import SERVICES

EVERY_SERVICE = pytest.mark.parametrize("name", SERVICES)


@EVERY_SERVICE
@pytest.mark.requirement("R-137", "R-138", "R-140")
def test_every_service_answers_its_probes(desk: Desk, name: str) -> None:
    url = desk.process(name).url

    assert call(f"{url}/health/live").status == 200
    assert call(f"{url}/health/alive").json is True
    assert call(f"{url}/health/ready/").status == 200
    assert eventually("all services up", lambda: call(f"{url}/health").status == 200)


@EVERY_SERVICE
@pytest.mark.requirement("R-311")
def test_every_service_counts_its_requests_by_route(desk: Desk, name: str) -> None:
    url = desk.process(name).url
    call(f"{url}/info")

    metrics = call(f"{url}/metrics")

    assert metrics.headers["content-type"].startswith("text/plain")
    assert f'traderx_build_info{{service="{name}",version="v1.0.0"}} 1.0' in metrics.text
    assert 'http_requests_total{method="GET",route="/info",service="' in metrics.text
    assert "http_request_duration_seconds_bucket" in metrics.text
    assert "process_resident_memory_bytes" in metrics.text


@EVERY_SERVICE
def test_every_service_says_who_it_is(desk: Desk, name: str) -> None:
    process = desk.process(name)

    info = call(f"{process.url}/info").json

    assert info == {
        "name": name,
        "version": "v1.0.0",
        "port": int(process.url.rpartition(":")[2]),
        "language": "Python",
    }


@EVERY_SERVICE
def test_every_service_describes_its_paths(desk: Desk, name: str) -> None:
    document = call(f"{desk.process(name).url}/v3/api-docs").json

    operations = [one for path in document["paths"].values() for one in path.values()]
    assert document["info"]["title"] == name
    assert operations
    assert all(one["summary"] for one in operations)


@pytest.mark.parametrize("name", ["account-service", "position-service", "trade-service", "trade-processor"])
def test_without_a_database_the_secret_is_named(name: str) -> None:
    process = ServiceProcess(name, {})

    ready = eventually("an answer", lambda: call(f"{process.url}/health/ready"))

    assert ready.status == 503
    assert ready.json["reasons"] == {
        "database": "DATABASE_URL is not set: it comes from the secret traderx-db-credentials"
    }
    assert call(f"{process.url}/health/live").status == 200
    assert process.stop() == 0


def test_a_database_that_comes_late_makes_the_service_ready(tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("in the way of the database's folder")
    process = ServiceProcess("position-service", {"DATABASE_URL": f"sqlite:///{blocked}/traderx.db"})
    assert eventually("not ready", lambda: call(f"{process.url}/health/ready").status == 503)
    assert call(f"{process.url}/trades").status == 503

    blocked.unlink()

    process.wait_ready()
    process.stop()


def test_a_password_in_a_wrong_database_url_is_not_told() -> None:
    process = ServiceProcess("position-service", {"DATABASE_URL": "mysql://traderx:hush-hush@db/traderx"})

    reply = eventually("an answer", lambda: call(f"{process.url}/health/ready"))
    process.stop()

    assert "must start with sqlite:/// or postgresql+psycopg://" in reply.text
    assert "hush" not in reply.text + "".join(process.lines)


def test_a_port_in_use_ends_the_start_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        process = ServiceProcess("reference-data", {"PORT": str(port)})

        assert process.wait() == 2
    assert len(process.lines) == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in process.lines[0]


def test_an_unknown_service_is_refused_with_the_names_of_all() -> None:
    process = ServiceProcess("tradeservice", {})

    assert process.wait() == 2
    assert "there are reference-data, people-service" in process.lines[0]


def test_sigterm_finishes_the_running_request() -> None:
    process = ServiceProcess("reference-data", {"FAULT_LATENCY_MS": "700"})
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(call(f"{process.url}/stocks/AAPL").status))
    process.wait_ready()
    asking.start()
    connection = http.client.HTTPConnection(process.url.removeprefix("http://"))
    connection.request("GET", "/health/live")
    connection.getresponse().read()

    eventually("the request is inside", lambda: _open_connections(process) >= 2)
    code = process.stop()
    asking.join()
    connection.close()

    assert answers == [200]
    assert code == 0


def test_faults_spoil_answers_and_leave_probes_alone() -> None:
    process = ServiceProcess("reference-data", {"FAULT_ERROR_RATE": "1"}).wait_ready()

    failed = call(f"{process.url}/stocks")

    assert failed.status == 500
    assert "FAULT_ERROR_RATE" in failed.json["message"]
    assert 'status="500"' in call(f"{process.url}/metrics").text
    process.stop()


def test_a_crash_on_demand_looks_like_a_crash() -> None:
    process = ServiceProcess("reference-data", {"FAULT_CRASH_AFTER_S": "0.2"})

    assert process.wait() == 137


def test_every_request_is_one_line_of_json_with_its_trace(desk: Desk) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    process = desk.process("reference-data")

    reply = call(f"{process.url}/stocks/IBM", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})

    (line,) = eventually("its line", lambda: [one for one in process.logs("request") if one["trace_id"] == trace])
    assert reply.headers["x-trace-id"] == trace
    assert line["parent_span_id"] == "00f067aa0ba902b7"
    assert (line["service"], line["method"], line["path"], line["status"]) == (
        "reference-data",
        "GET",
        "/stocks/IBM",
        200,
    )
    assert line["duration_ms"] > 0


def test_while_it_drains_each_answer_sends_its_caller_elsewhere() -> None:
    process = ServiceProcess("reference-data", {"DRAIN_S": "60"})
    try:
        process.wait_ready()
        kept = http.client.HTTPConnection("127.0.0.1", int(process.url.rpartition(":")[2]), timeout=30)
        kept.request("GET", "/info")
        before = kept.getresponse()
        before.read()

        process.process.send_signal(signal.SIGTERM)
        eventually("told to end", lambda: process.logs("stopping"))
        kept.request("GET", "/api/securities")
        answer = kept.getresponse()
        answer.read()

        assert before.headers["connection"] is None
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert call(f"{process.url}/info").status == 200
    finally:
        process.kill()


def test_any_origin_may_call(desk: Desk) -> None:
    asked = call(
        f"{desk.url('trade-service')}/trade/",
        method="OPTIONS",
        headers={
            "origin": "http://localhost:4200",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )

    assert asked.status == 200
    assert asked.headers["access-control-allow-origin"] == "*"


def test_a_body_that_is_too_long_is_refused(desk: Desk) -> None:
    reply = call(f"{desk.url('trade-service')}/trade/", json.dumps({"security": "A" * 1_000_001}))

    assert reply.status == 413


def test_the_first_service_to_start_makes_the_database_alone(tmp_path: Path) -> None:
    """Twelve processes start at once on a file that does not exist."""
    with running_desk(tmp_path) as desk:
        names = ["position-service", "trade-processor", "account-service", "trade-service"]
        started = [ServiceProcess(name, {"DATABASE_URL": desk.database_url}) for name in names for _ in range(3)]
        desk.running += started
        for process in started:
            process.wait_ready()

        assert len(call(f"{started[0].url}/trades").json) == 10
        assert not [line for process in started for line in process.logs("database not usable yet")]


def _open_connections(process: ServiceProcess) -> int:
    import psutil

    found = psutil.Process(process.process.pid).net_connections("tcp")
    return sum(1 for one in found if one.status == psutil.CONN_ESTABLISHED)
