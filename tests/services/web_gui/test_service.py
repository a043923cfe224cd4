"""web-gui as a door: what is behind it, on one origin, and how all services are."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.services.running import Desk, call, eventually, running_desk
from tests.services.trade_feed.hearing import hearing
from traderx.services.main import SERVICES


@pytest.fixture
def url(desk: Desk) -> str:
    return desk.url("web-gui")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/reference-data/AAPL", "Apple"),
        ("/api/securities/AAPL", "Apple"),
        ("/api/accounts/22214", "Harbour Street Capital"),
        ("/api/account-users", "user01"),
        ("/api/people/user01", "Amara Okafor"),
        ("/api/positions/52355/KO", "3200"),
        ("/api/trades?accountId=52355", "OPEN-52355-KO"),
        ("/reference-data/stocks/AAPL", "Apple"),
        ("/people-service/People/GetPerson?LogonId=user01", "Amara Okafor"),
        ("/account-service/account/22214", "Harbour Street Capital"),
        ("/account-service/account/", "Harbour Street Capital"),
        ("/position-service/positions/52355", "3200"),
        ("/trade-service/v3/api-docs", "trade-service"),
        ("/trade-feed/", "Feed inspector"),
        ("/trade-feed", "Feed inspector"),
    ],
)
@pytest.mark.requirement("R-070")
def test_every_service_is_reached_in_both_vocabularies(url: str, path: str, expected: str) -> None:
    reply = call(url + path)

    assert reply.status == 200
    assert expected in reply.text


@pytest.mark.parametrize("path", ["/trade-service/trade/", "/trade/"])
def test_a_finos_order_goes_through(url: str, path: str) -> None:
    reply = call(url + path, {"accountId": 62654, "security": "GE", "side": "Buy", "quantity": 1})

    assert (reply.status, reply.json["success"]) == (200, True)


def test_failures_come_through_as_they_are(url: str) -> None:
    assert call(f"{url}/account-service/account/999").text == "Account with id 999 not found"
    assert call(f"{url}/api/trades/new", {"symbol": "AAPL"}).status == 400


def test_another_origin_is_answered_once(url: str) -> None:
    connection = HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", "/api/accounts", headers={"origin": "http://elsewhere.example"})
    answer = connection.getresponse()
    answer.read()
    connection.close()

    assert answer.headers.get_all("access-control-allow-origin") == ["*"]
    assert len(answer.headers.get_all("x-trace-id") or []) == 1
    assert len(answer.headers.get_all("date") or []) == 1


def test_any_host_is_served(url: str) -> None:
    reply = call(f"{url}/", headers={"host": "traderx.example.com"})

    assert reply.status == 200
    assert "<title>TraderX</title>" in reply.text


@pytest.mark.parametrize("path", ["/", "/trade", "/account", "/status"])
def test_each_page_loads_from_here_alone(url: str, path: str) -> None:
    reply = call(url + path)

    assert reply.headers["content-security-policy"].startswith("default-src 'self'")
    assert "://" not in reply.text.replace("http://www.w3.org", "")


def test_files_are_asked_for_again_and_not_sent_twice(url: str) -> None:
    first = call(f"{url}/static/app.js")
    again = call(f"{url}/static/app.js", headers={"if-none-match": first.headers["etag"]})

    assert (first.status, first.headers["cache-control"]) == (200, "no-cache")
    assert again.status == 304
    assert call(f"{url}/static/none.js").status == 404


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_socket_io_goes_through(url: str, transports: list[str]) -> None:
    topic = f"/test/through/{len(transports)}/{transports[0]}"

    async def scene() -> None:
        async with hearing(url, topic, transports=transports) as hearer:
            await hearer.client.emit("publish", {"topic": topic, "payload": "through"})
            await hearer.until(lambda _: hearer.payloads(topic) == ["through"])

    asyncio.run(scene())


@pytest.mark.parametrize("path", ["/api/feed/ws", "/trade-feed/ws"])
def test_a_plain_websocket_goes_through(url: str, path: str) -> None:
    async def scene() -> None:
        async with connect(f"{url.replace('http', 'ws')}{path}?topic=/test/plain", proxy=None) as socket:
            assert "New Joiner" in json.loads(await socket.recv())["payload"]

    asyncio.run(scene())


def test_a_stream_of_events_goes_through(url: str) -> None:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=15)
    connection.request("GET", "/api/feed/events?topic=/test/events")
    stream = connection.getresponse()

    lines = [stream.readline().decode() for _ in range(4)]
    connection.close()

    assert lines[0] == ": connected\n"
    assert "event: publish\n" in lines


@pytest.mark.requirement("R-299")
def test_health_tells_of_all_services(desk: Desk, url: str) -> None:
    health = eventually("all up", lambda: reply if (reply := call(f"{url}/health")).status == 200 else None).json

    assert health["status"] == "UP"
    assert [one["name"] for one in health["services"]] == list(SERVICES)
    assert {one["status"] for one in health["services"]} == {"UP"}
    assert {one["version"] for one in health["services"]} <= {"v1.0.0", ""}


@pytest.mark.requirement("R-299")
def test_health_names_what_is_down_and_the_rest_goes_on(tmp_path: Path) -> None:
    with running_desk(tmp_path, "reference-data", "trade-feed", "web-gui") as desk:
        health = call(f"{desk.url('web-gui')}/health")
        ready = call(f"{desk.url('web-gui')}/health/ready")
        missing = call(f"{desk.url('web-gui')}/api/accounts")
        there = call(f"{desk.url('web-gui')}/api/reference-data/AAPL")

    services = {one["name"]: one for one in health.json["services"]}
    assert health.status == 503
    assert services["reference-data"]["status"] == "UP"
    assert services["account-service"]["status"] == "DOWN"
    assert "account-service cannot be reached" in services["account-service"]["reason"]
    assert services["trade-processor"]["reason"] == "none connected to trade-feed"
    assert ready.status == 200
    assert missing.status == 503
    assert missing.json["message"].startswith("account-service cannot be reached")
    assert there.status == 200


def test_a_service_at_anothers_place_is_noticed(tmp_path: Path) -> None:
    """In the FINOS profile account-service has the port that is trade-feed's in the seed."""
    with running_desk(tmp_path, "reference-data") as desk:
        desk.start("web-gui", ACCOUNT_SERVICE_URL=desk.url("reference-data"))

        services = {one["name"]: one for one in call(f"{desk.url('web-gui')}/health").json["services"]}

    assert services["account-service"]["reason"].startswith("reference-data answers at ")
