"""Where exchanges end, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from confighub.runtime.framing import Exchanges

GET = b"GET /x HTTP/1.1\r\nHost: web\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED_POST = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
CONTINUE_OK = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

exchange = st.tuples(
    st.sampled_from([GET, POST, CHUNKED_POST]), st.sampled_from([OK, CHUNKED_OK, NO_CONTENT, CONTINUE_OK])
)


@given(st.lists(exchange, min_size=1, max_size=4), st.integers(1, 40))
def test_a_boundary_is_seen_after_each_response_and_nowhere_else(
    exchanges: list[tuple[bytes, bytes]], size: int
) -> None:
    follower = Exchanges()
    for request, response in exchanges:
        for start in range(0, len(request), size):
            follower.from_client(request[start : start + size])
            assert not follower.is_idle
        for start in range(0, len(response), size):
            assert not follower.is_idle
            follower.from_server(response[start : start + size])
        assert follower.is_idle
    assert not follower.is_opaque
    assert not follower.is_closing


@given(st.lists(exchange, min_size=2, max_size=4))
def test_pipelined_requests_are_open_until_the_last_response(exchanges: list[tuple[bytes, bytes]]) -> None:
    follower = Exchanges()
    follower.from_client(b"".join(request for request, _ in exchanges))

    for _, response in exchanges:
        assert not follower.is_idle
        follower.from_server(response)

    assert follower.is_idle


def test_a_connection_on_which_nothing_was_said_is_idle() -> None:
    assert Exchanges().is_idle


def test_the_answer_to_head_has_no_body() -> None:
    follower = Exchanges()
    follower.from_client(GET.replace(b"GET", b"HEAD"))
    follower.from_server(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")

    assert follower.is_idle


def test_a_response_without_length_lasts_until_the_end() -> None:
    follower = Exchanges()
    follower.from_client(GET)
    follower.from_server(b"HTTP/1.1 200 OK\r\n\r\nanything" * 3)

    assert not follower.is_idle
    assert follower.is_closing


def test_connection_close_is_noticed() -> None:
    follower = Exchanges()
    follower.from_client(GET)
    follower.from_server(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    assert follower.is_closing


def test_an_upgrade_is_opaque() -> None:
    follower = Exchanges()
    follower.from_client(GET)
    follower.from_server(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00")

    assert follower.is_opaque
    assert not follower.is_idle


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=200))
def test_no_bytes_whatever_are_an_error(client: bytes, server: bytes) -> None:
    follower = Exchanges()

    follower.from_client(client)
    follower.from_server(server)

    assert follower.is_opaque or not follower.is_idle or client.strip(b"\r\n") == b""


def test_a_server_that_speaks_first_is_opaque() -> None:
    follower = Exchanges()
    follower.from_server(b"220 ready\r\n")

    assert follower.is_opaque
