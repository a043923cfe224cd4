"""The transport against a real socket."""

import socket
import threading

import pytest

from confighub.client.transport import Transport, basic, bearer
from confighub.errors import (
    BadRequest,
    ConfigHubError,
    Conflict,
    Forbidden,
    Gated,
    NotFound,
    RetryLater,
    Unauthenticated,
)
from tests.client.answering import AnsweringHub


def test_a_call_sends_query_body_and_credentials(hub: AnsweringHub) -> None:
    hub.on("POST /api/space", {"Slug": "dev"})

    answer = Transport(hub.url, bearer("t0ken")).request("POST", "/space", {"where": "Slug = 'a'", "x": ""}, {"a": 1})

    assert answer == {"Slug": "dev"}
    (asked,) = hub.asked
    assert asked.query == {"where": "Slug = 'a'"}
    assert asked.body == {"a": 1}
    assert asked.headers["Authorization"] == "Bearer t0ken"
    assert asked.headers["Content-Type"] == "application/json"


def test_basic_credentials_are_what_the_wire_says() -> None:
    assert basic("alice", "pw") == "Basic YWxpY2U6cHc="


def test_calls_share_one_connection(hub: AnsweringHub) -> None:
    hub.on("GET /api/info", {})
    transport = Transport(hub.url)

    for _ in range(3):
        transport.request("GET", "/info")

    assert len(hub.asked) == 3
    assert len(hub.connections) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (422, BadRequest),
        (503, RetryLater),
        (500, ConfigHubError),
    ],
)
def test_a_status_becomes_its_error_with_the_hubs_words(
    hub: AnsweringHub, status: int, kind: type[ConfigHubError]
) -> None:
    hub.on("GET /api/me", (status, {"Code": str(status), "Message": "what went wrong"}))

    with pytest.raises(kind) as caught:
        Transport(hub.url).request("GET", "/me")

    assert type(caught.value) is kind
    assert caught.value.message == "what went wrong"
    assert (caught.value.status, caught.value.request_id) == (status, "r1")


def test_an_answer_that_names_gates_is_gated(hub: AnsweringHub) -> None:
    hub.on("POST /api/x", (400, {"Message": "closed", "Gates": ["approval/is-approved"], "Hint": "approve it"}))

    with pytest.raises(Gated) as caught:
        Transport(hub.url).request("POST", "/x")

    assert caught.value.gates == ["approval/is-approved"]
    assert caught.value.hint == "approve it"


def test_an_error_without_json_still_says_its_status(hub: AnsweringHub) -> None:
    hub.on("GET /api/me", (500, b"boom"))

    with pytest.raises(ConfigHubError, match="the hub answered HTTP 500"):
        Transport(hub.url).request("GET", "/me")


def test_an_absent_hub_is_named_with_the_command_that_starts_one() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"

        with pytest.raises(RetryLater) as caught:
            Transport(url).request("GET", "/info")

    assert url in caught.value.message
    assert "bin/up" in caught.value.hint
    assert "confighub serve" in caught.value.hint


def test_a_connection_that_the_hub_closed_is_not_used_again() -> None:
    closed = threading.Event()

    def serve(server: socket.socket) -> None:
        for _ in range(2):
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            closed.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        thread = threading.Thread(target=serve, args=[server], daemon=True)
        thread.start()
        transport = Transport(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=20)
        first = transport.request("POST", "/space", body={})
        assert closed.wait(20)
        second = transport.request("POST", "/space", body={})
        thread.join(20)

    assert (first, second) == ({}, {})


@pytest.mark.parametrize("url", ["127.0.0.1:9090", "ftp://hub", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="not the address of a hub"):
        Transport(url)


def test_debugging_shows_the_exchange_and_never_the_credentials(
    hub: AnsweringHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.on("GET /api/info", {"Version": "1"})

    Transport(hub.url, bearer("s3cret"), debug=True).request("GET", "/info")

    shown = capsys.readouterr().err
    assert "> GET /api/info" in shown
    assert '{"Version": "1"}' in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("said", "told"), [("wrong password", 1), ("this needs a login (cub auth test-login NAME)", 1)]
)
def test_how_to_log_in_is_told_once(hub: AnsweringHub, said: str, told: int) -> None:
    hub.on("GET /api/space", (401, {"Code": "401", "Message": said}))

    with pytest.raises(Unauthenticated) as refused:
        Transport(hub.url).request("GET", "/space")

    assert str(refused.value).count("cub auth test-login") == told
