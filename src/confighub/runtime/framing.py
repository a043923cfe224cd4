"""Where one HTTP/1 exchange ends and the next begins, read off the bytes that pass by.

A balancer that knows this can move a kept-alive connection to another replica between two requests,
and lose none. Bytes that are not HTTP/1, and what follows an upgrade, are opaque: no boundary is ever
seen. Nothing is changed or buffered beyond one head.
Source: RFC 9112, message body length (section 6.3).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

_REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE) [^\r\n]* HTTP/1\.[01]\r?\n")
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"TRACE ")
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEAD_LIMIT = 65536
_FOREVER = -1


class Opaque(Exception):
    """The bytes are not HTTP/1 messages whose end can be known."""


class _Messages:
    """One direction: cuts the bytes into messages. ``start`` gets a head and answers with the body's length.

    A length is a number of bytes, None for chunks, or _FOREVER when only the end of the connection ends it.
    """

    def __init__(self, start: Callable[[bytes], int | None], end: Callable[[], None]) -> None:
        self._start, self._end = start, end
        self._head = b""
        self._left = 0
        self._line = b""
        self._step: Callable[[bytes, int], int] = self._read_head

    @property
    def is_between(self) -> bool:
        """True when no message has begun that has not ended."""
        return self._step == self._read_head and not self._head

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            position = self._step(data, position)

    def _read_head(self, data: bytes, position: int) -> int:
        before = len(self._head)
        taken = min(_HEAD_LIMIT, len(data) - position)
        self._head += data[position : position + taken]
        if not before:
            # A blank line before a message is allowed and belongs to none.
            self._head = self._head.lstrip(b"\r\n")
        found = _HEAD_END.search(self._head, max(0, before - 3))
        if not found:
            if len(self._head) > _HEAD_LIMIT:
                raise Opaque("the head is too long")
            return position + taken
        head, rest = self._head[: found.end()], len(self._head) - found.end()
        self._head = b""
        length = self._start(head)
        if length == 0:
            self._end()
        elif length is None:
            self._step = self._read_chunk_size
        else:
            self._left = length
            self._step = self._read_body if length > 0 else self._read_forever
        return position + taken - rest

    def _read_body(self, data: bytes, position: int) -> int:
        taken = min(self._left, len(data) - position)
        self._left -= taken
        if not self._left:
            self._step = self._read_head
            self._end()
        return position + taken

    def _read_forever(self, data: bytes, _: int) -> int:
        return len(data)

    def _read_chunk_size(self, data: bytes, position: int) -> int:
        position, line = self._read_line(data, position)
        if line is not None:
            try:
                self._left = int(line.partition(b";")[0].strip(), 16)
            except ValueError:
                raise Opaque("a chunk has no size") from None
            self._step = self._read_chunk if self._left else self._read_trailer
            self._left += 2  # the line end after the chunk
        return position

    def _read_chunk(self, data: bytes, position: int) -> int:
        taken = min(self._left, len(data) - position)
        self._left -= taken
        if not self._left:
            self._step = self._read_chunk_size
        return position + taken

    def _read_trailer(self, data: bytes, position: int) -> int:
        position, line = self._read_line(data, position)
        if line is not None and not line.strip():
            self._step = self._read_head
            self._end()
        return position

    def _read_line(self, data: bytes, position: int) -> tuple[int, bytes | None]:
        end = data.find(b"\n", position)
        if end < 0:
            self._line += data[position:]
            if len(self._line) > _HEAD_LIMIT:
                raise Opaque("a line is too long")
            return len(data), None
        line, self._line = self._line + data[position:end], b""
        return end + 1, line


class Exchanges:
    """The requests and responses of one connection.

    ``is_idle``: everything asked has been answered, or nothing has been said at all.
    ``is_opaque``: the bytes are no HTTP/1 we can follow; it stays so.
    ``is_closing``: one side has announced that the connection ends with this response.
    """

    def __init__(self) -> None:
        self.is_opaque = False
        self.is_closing = False
        self._methods: deque[bytes] = deque()
        self._requests = _Messages(self._request, lambda: None)
        self._responses = _Messages(self._response, self._answered)
        self._is_interim = False
        self._opening = b""
        self._is_known = False

    @property
    def is_idle(self) -> bool:
        """True between two exchanges."""
        return (
            not self.is_opaque
            and not self._methods
            and not self._opening
            and self._requests.is_between
            and self._responses.is_between
        )

    def from_client(self, data: bytes) -> None:
        """Follow bytes on their way to the server."""
        self._follow(self._client, data)

    def from_server(self, data: bytes) -> None:
        """Follow bytes on their way to the client."""
        self._follow(self._server, data)

    def _follow(self, side: Callable[[bytes], None], data: bytes) -> None:
        if self.is_opaque:
            return
        try:
            side(data)
        except Opaque:
            self.is_opaque = True

    def _client(self, data: bytes) -> None:
        if not self._is_known:
            self._opening += data
            if not any(method[: len(self._opening)] == self._opening[: len(method)] for method in _METHODS):
                raise Opaque("not HTTP/1")
            if len(self._opening) < max(map(len, _METHODS)):
                return
            data, self._opening, self._is_known = self._opening, b"", True
        self._requests.feed(data)

    def _server(self, data: bytes) -> None:
        if not self._is_known:
            raise Opaque("the server speaks first")
        self._responses.feed(data)

    def _request(self, head: bytes) -> int | None:
        match = _REQUEST.match(head)
        if not match:
            raise Opaque("not a request")
        self._methods.append(match[1])
        fields = _fields(head)
        if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
            return None
        return _number(fields.get(b"content-length", b"0"))

    def _response(self, head: bytes) -> int | None:
        match = _STATUS.match(head)
        if not match or not self._methods:
            raise Opaque("not a response")
        status = int(match[2])
        if status == 101:
            raise Opaque("upgraded")
        self._is_interim = status < 200
        if self._is_interim:
            return 0
        fields = _fields(head)
        connection = fields.get(b"connection", b"").lower()
        self.is_closing = b"close" in connection or (match[1] == b"0" and b"keep-alive" not in connection)
        if self._methods[0] == b"HEAD" or status in (204, 304):
            return 0
        if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
            return None
        length = fields.get(b"content-length")
        if length is None:
            self.is_closing = True
            return _FOREVER
        return _number(length)

    def _answered(self) -> None:
        if not self._is_interim:
            self._methods.popleft()


def _fields(head: bytes) -> dict[bytes, bytes]:
    found = {}
    for line in head.split(b"\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _number(text: bytes) -> int:
    if not text.isdigit():
        raise Opaque("a length is no number")
    return int(text)
