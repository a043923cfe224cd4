"""trade-feed, heard by the public Socket.IO client, a plain WebSocket and a stream of events."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from http.client import HTTPConnection

import pytest
from websockets.asyncio.client import connect

from tests.services.running import Desk, ServiceProcess, call
from tests.services.trade_feed.hearing import hearing


@pytest.fixture
def url(desk: Desk) -> str:
    return desk.url("trade-feed")


@pytest.fixture
def topic() -> str:
    """A topic of this test alone."""
    return f"/test/{uuid.uuid4().hex}"


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]])
def test_a_publication_reaches_its_topic_in_the_strict_envelope(url: str, topic: str, transports: list[str]) -> None:
    async def scene() -> None:
        async with hearing(url, topic, transports=transports) as hearer:
            before = time.time_ns() // 1_000_000
            await hearer.client.emit("publish", {"topic": topic, "type": "Trade", "payload": {"id": "T1"}, "more": 1})
            heard = await hearer.until(lambda heard: len(heard) == 2)

            envelope = heard[1]
            assert set(envelope) == {"type", "from", "topic", "date", "payload"}
            assert envelope["type"] == "Trade"
            assert envelope["from"] == hearer.client.get_sid()
            assert envelope["topic"] == topic
            assert envelope["payload"] == {"id": "T1"}
            assert isinstance(envelope["date"], int)
            assert before - 1000 <= envelope["date"] <= before + 60_000

    asyncio.run(scene())


def test_the_type_is_message_unless_said(url: str, topic: str) -> None:
    async def scene() -> None:
        async with hearing(url, topic) as hearer:
            await hearer.client.emit("publish", {"topic": topic, "payload": "hello"})
            heard = await hearer.until(lambda heard: len(heard) == 2)

            assert heard[1]["type"] == "message"

    asyncio.run(scene())


def test_joining_and_leaving_are_announced_by_the_system(url: str, topic: str) -> None:
    async def scene() -> None:
        async with hearing(url, topic) as first, hearing(url, topic) as second:
            sid = second.client.get_sid()
            await second.client.emit("unsubscribe", topic)
            heard = await first.until(lambda heard: len(heard) == 3)

            assert [one["payload"] for one in heard] == [
                f"New Joiner {first.client.get_sid()} to topic {topic}",
                f"New Joiner {sid} to topic {topic}",
                f"{sid} has left {topic}",
            ]
            assert {one["from"] for one in heard} == {"System"}

    asyncio.run(scene())


@pytest.mark.parametrize("spelling", ["unsubscribe", "unusbscribe"])
def test_who_left_hears_nothing_more(url: str, topic: str, spelling: str) -> None:
    async def scene() -> None:
        async with hearing(url, topic) as leaving, hearing(url, topic) as staying:
            await leaving.client.emit(spelling, topic)
            await staying.until(lambda heard: any("has left" in str(one["payload"]) for one in heard))
            await staying.client.emit("publish", {"topic": topic, "payload": 1})
            await staying.until(lambda _: staying.payloads(topic) == [1])

            await leaving.subscribe(topic + "/other")
            assert leaving.payloads(topic) == []

    asyncio.run(scene())


def test_the_wildcard_hears_everything_once(url: str, topic: str) -> None:
    async def scene() -> None:
        async with hearing(url, "/*", topic) as hearer:
            await hearer.client.emit("publish", {"topic": topic, "payload": 1})
            await hearer.client.emit("publish", {"topic": topic, "payload": 2})
            await hearer.until(lambda _: 2 in hearer.payloads(topic))

            assert hearer.payloads(topic) == [1, 2]

    asyncio.run(scene())


@pytest.mark.parametrize("data", [None, "text", {}, {"topic": 7}, {"topic": ""}, {"payload": 1}, {"topic": "x" * 201}])
def test_what_is_no_publication_is_dropped(url: str, topic: str, data: object) -> None:
    async def scene() -> None:
        async with hearing(url, topic) as hearer:
            await hearer.client.emit("publish", data)
            await hearer.client.emit("publish", {"topic": topic, "payload": "still here"})
            await hearer.until(lambda _: bool(hearer.payloads(topic)))

            assert hearer.payloads(topic) == ["still here"]

    asyncio.run(scene())


def test_dates_rise_so_that_equal_messages_differ(url: str, topic: str) -> None:
    async def scene() -> None:
        async with hearing(url, topic) as hearer:
            for _ in range(50):
                await hearer.client.emit("publish", {"topic": topic, "payload": "same"})
            heard = await hearer.until(lambda heard: len(heard) == 51)

            dates = [one["date"] for one in heard]
            assert len(set(dates)) == len(dates)
            assert dates == sorted(dates)

    asyncio.run(scene())


def test_nothing_is_replayed_to_ordinary_subscribers(url: str, topic: str) -> None:
    async def scene() -> None:
        async with hearing(url) as early:
            await early.client.emit("publish", {"topic": topic, "payload": "early"})
            async with hearing(url, topic) as late:
                await late.client.emit("publish", {"topic": topic, "payload": "late"})
                await late.until(lambda _: bool(late.payloads(topic)))

                assert late.payloads(topic) == ["late"]

    asyncio.run(scene())


@pytest.mark.parametrize("path", ["/ws", "/api/feed/ws"])
@pytest.mark.requirement("R-069", "R-263")
def test_a_plain_websocket_hears_and_speaks_the_same_topics(url: str, topic: str, path: str) -> None:
    async def scene() -> None:
        async with hearing(url, topic) as hearer:
            async with connect(f"{url.replace('http', 'ws')}{path}?topic={topic}", proxy=None) as socket:
                joined = json.loads(await socket.recv())
                await socket.send(json.dumps({"action": "publish", "topic": topic, "payload": "from the plain side"}))
                spoken = json.loads(await socket.recv())
                await hearer.client.emit("publish", {"topic": topic, "payload": "from the other side"})
                heard = json.loads(await socket.recv())

            await hearer.until(lambda _: len(hearer.payloads(topic)) == 2)
            assert joined["from"] == "System"
            assert set(spoken) == {"type", "from", "topic", "date", "payload"}
            assert heard["payload"] == "from the other side"
            assert hearer.payloads(topic) == ["from the plain side", "from the other side"]

    asyncio.run(scene())


def test_a_plain_websocket_can_change_its_topics_and_survives_nonsense(url: str, topic: str) -> None:
    async def scene() -> None:
        async with connect(f"{url.replace('http', 'ws')}/ws", proxy=None) as socket:
            for text in ("nonsense", "[]", "{}", '{"action": "dance", "topic": "/x"}'):
                await socket.send(text)
            await socket.send(json.dumps({"action": "subscribe", "topic": topic}))
            joined = json.loads(await socket.recv())
            await socket.send(json.dumps({"action": "unsubscribe", "topic": topic}))
            left = json.loads(await socket.recv())

            assert "New Joiner" in joined["payload"]
            assert "has left" in left["payload"]

    asyncio.run(scene())


@pytest.mark.requirement("R-069")
def test_server_sent_events_carry_the_same_envelopes(url: str, topic: str) -> None:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=15)
    connection.request("GET", f"/events?topic={topic}")
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")

    call(f"{url}/publish", {"topic": topic, "type": "Trade", "payload": {"id": 5}})

    envelopes: list[dict[str, object]] = []
    while len(envelopes) < 2:
        line = stream.readline().decode()
        if line.startswith("data: "):
            envelopes.append(json.loads(line.removeprefix("data: ")))
    connection.close()
    assert envelopes[1]["payload"] == {"id": 5}
    assert set(envelopes[1]) == {"type", "from", "topic", "date", "payload"}


def test_a_stream_without_a_topic_is_refused(url: str) -> None:
    assert call(f"{url}/events").status == 400
    assert call(f"{url}/publish", {"payload": 1}).status == 400


def test_the_front_page_is_the_inspector(url: str) -> None:
    page = call(f"{url}/")

    assert page.headers["content-type"].startswith("text/html")
    assert "Feed inspector" in page.text


def test_open_streams_do_not_hold_up_the_end() -> None:
    process = ServiceProcess("trade-feed", {}).wait_ready()
    connection = HTTPConnection(process.url.removeprefix("http://"), timeout=15)
    connection.request("GET", "/events?topic=/chat")
    stream = connection.getresponse()
    stream.readline()

    async def hold_a_socket_meanwhile() -> int:
        async with (
            connect(f"{process.url.replace('http', 'ws')}/ws?topic=/chat", proxy=None),
            hearing(process.url, "/chat"),
        ):
            return await asyncio.to_thread(process.stop)

    code = asyncio.run(hold_a_socket_meanwhile())
    connection.close()

    assert code == 0
