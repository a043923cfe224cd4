"""Services: balanced, sticky when asked, switched by selector."""

from __future__ import annotations

import socket
from collections import Counter

import httpx2
import pytest

from tests.runtime.running import Running, deployment, service, until


def who(url: str, client: str = "127.0.0.1") -> str:
    """Return the replica that answers a client at the given address."""
    transport = httpx2.HTTPTransport(local_address=client)
    with httpx2.Client(transport=transport) as http:
        return str(http.get(url).json()["replica"])


@pytest.mark.requirement("R-174", "R-178")
def test_connections_are_dealt_to_every_ready_replica(daemon: Running) -> None:
    daemon.apply(deployment(replicas=3), service())
    daemon.wait_complete()

    dealt = Counter(who(daemon.service_url()) for _ in range(9))

    assert sorted(dealt.values()) == [3, 3, 3]


@pytest.mark.requirement("R-181")
def test_client_ip_affinity_keeps_a_client_at_its_replica(daemon: Running) -> None:
    daemon.apply(deployment(replicas=3), service(sessionAffinity="ClientIP"))
    daemon.wait_complete()
    url = daemon.service_url()

    mine = {who(url, "127.7.7.7") for _ in range(6)}
    others = {who(url, f"127.7.7.{number}") for number in range(10, 16)}

    assert len(mine) == 1
    assert len(others) == 3


def test_a_replica_that_is_not_ready_gets_nothing(daemon: Running) -> None:
    unit = deployment(replicas=2)
    unit["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["periodSeconds"] = 1
    daemon.apply(unit, service())
    daemon.wait_complete()
    first = daemon.replicas()[0]

    httpx2.post(f"http://{first['addresses'][0]}/become/ready/false")
    until(lambda: daemon.object("Deployment", "web")["status"]["readyReplicas"] == 1)

    assert {who(daemon.service_url()) for _ in range(4)} == {daemon.replicas()[1]["name"]}


@pytest.mark.requirement("R-110")
def test_a_changed_selector_moves_a_kept_connection_at_its_next_request(daemon: Running) -> None:
    blue = deployment("blue", labels={"app": "web", "version": "blue"}, tag="v1")
    green = deployment("green", labels={"app": "web", "version": "green"}, tag="v2")
    daemon.apply(blue, green, unit="colours")
    daemon.apply(service(selector={"app": "web", "version": "blue"}), unit="switch")
    daemon.wait_complete("blue")
    daemon.wait_complete("green")

    with httpx2.Client() as kept:
        before = kept.get(daemon.service_url()).json()["version"]
        daemon.apply(service(selector={"app": "web", "version": "green"}), unit="switch")
        after = kept.get(daemon.service_url()).json()["version"]

    assert (before, after) == ("v1", "v2")


def test_a_kept_connection_survives_the_end_of_its_replica(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2), service())
    daemon.wait_complete()

    with socket.create_connection((httpx2.URL(daemon.service_url()).host, 18092)) as connection:
        first = ask(connection)
        daemon.apply(deployment(replicas=0), service())
        until(lambda: not daemon.replicas())
        daemon.apply(deployment(replicas=1), service())
        daemon.wait_complete()
        second = ask(connection)

    assert first.startswith("HTTP/1.1 200")
    assert second.startswith("HTTP/1.1 200")


def test_a_service_without_replicas_closes_the_connection(daemon: Running) -> None:
    daemon.apply(service())
    until(lambda: daemon.object("Service", "web")["status"]["conditions"][0]["status"] == "True")

    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        httpx2.get(daemon.service_url())


def test_bytes_that_are_not_http_pass_unchanged(daemon: Running) -> None:
    echo = (
        "import os, socketserver\n"
        "class Echo(socketserver.StreamRequestHandler):\n"
        "    def handle(self):\n"
        "        self.wfile.write(b'220 hello\\n')\n"
        "        self.wfile.write(self.rfile.readline())\n"
        "socketserver.TCPServer((os.environ['HOST'], int(os.environ['PORT'])), Echo).serve_forever()\n"
    )
    unit = deployment()
    container = unit["spec"]["template"]["spec"]["containers"][0]
    container["command"], container["args"] = ["python", "-c"], [echo]
    container["readinessProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": 1}
    daemon.apply(unit, service())
    daemon.wait_complete()

    with socket.create_connection((httpx2.URL(daemon.service_url()).host, 18092)) as connection:
        greeting = connection.recv(100)
        connection.sendall(b"\x00\xffraw\n")
        echoed = connection.recv(100)

    assert greeting == b"220 hello\n"
    assert echoed == b"\x00\xffraw\n"


def ask(connection: socket.socket) -> str:
    connection.sendall(b"GET /x HTTP/1.1\r\nHost: web\r\n\r\n")
    answer = b""
    while b"}" not in answer:
        part = connection.recv(65536)
        if not part:
            break
        answer += part
    return answer.decode()
