"""One kept-alive connection to a hub: a request goes out whole, the answer comes back whole.

Over plain HTTP the exchange is written out here. The standard library's client costs a third of
the time of a whole ``cub unit list`` to import, for mail headers and TLS that a hub on this machine
does not speak; over TLS it is used. Source: RFC 9112 for the framing.
"""

from __future__ import annotations

import select
import socket
from typing import BinaryIO, NamedTuple, Protocol

_LONGEST_LINE = 65536
_MOST_HEADERS = 100
_WITHOUT_BODY = frozenset({204, 304})


class Response(NamedTuple):
    """An answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection(Protocol):
    """Carries one exchange at a time. Every failure is an OSError; the connection is of no use then."""

    def exchange(self, method: str, target: str, headers: dict[str, str], payload: bytes | None) -> Response:
        """Send the request and return the answer."""

    def is_quiet(self) -> bool:
        """Tell whether the other side still holds the idle connection open."""

    def close(self) -> None:
        """Let go of it."""


def connect(host: str, port: int, *, is_secure: bool, timeout_s: float) -> Connection:
    """Open a connection; raises OSError."""
    if is_secure:
        return _Secure(host, port, timeout_s)
    return _Plain(host, port, timeout_s)


class _Plain:
    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # a name in bytes is not given to the codec for foreign names, whose import takes longer than to connect
        name = host.encode() if host.isascii() else host
        self.sock = socket.create_connection((name, port), timeout=timeout_s)  # type: ignore[arg-type]
        # small requests would otherwise wait for the peer's delayed acknowledgement
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.sock.makefile("rb")
        self.is_last = False

    def exchange(self, method: str, target: str, headers: dict[str, str], payload: bytes | None) -> Response:
        sent = {"Host": self.host, **headers}
        if payload is not None or method in ("POST", "PUT", "PATCH"):
            sent["Content-Length"] = str(len(payload or b""))
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self.sock.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (payload or b""))
        version, status, received = _head(self.reader)
        self.is_last = version == "HTTP/1.0" or received.get("connection", "").lower() == "close"
        return Response(status, received, self._body(status, received))

    def is_quiet(self) -> bool:
        return not self.is_last and _is_quiet(self.sock)

    def close(self) -> None:
        self.reader.close()
        self.sock.close()

    def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in _WITHOUT_BODY:
            return b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return b"".join(_chunks(self.reader))
        length = headers.get("content-length")
        if length is None:
            self.is_last = True
            return self.reader.read()
        return _exactly(self.reader, _number(length, 10))


class _Secure:
    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        import http.client

        self.failures = http.client.HTTPException
        self.inner = http.client.HTTPSConnection(host, port, timeout=timeout_s)
        self.inner.connect()

    def exchange(self, method: str, target: str, headers: dict[str, str], payload: bytes | None) -> Response:
        try:
            self.inner.request(method, target, body=payload, headers=headers)
            answer = self.inner.getresponse()
            body = answer.read()
        except self.failures as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def is_quiet(self) -> bool:
        return self.inner.sock is not None and _is_quiet(self.inner.sock)

    def close(self) -> None:
        self.inner.close()


def _head(reader: BinaryIO) -> tuple[str, int, dict[str, str]]:
    """Return version, status and headers of the final answer, past any interim one."""
    while True:
        version, _, rest = _line(reader).partition(" ")
        if not version.startswith("HTTP/"):
            raise ConnectionError("what came back is no HTTP")
        status = _number(rest[:3], 10)
        headers: dict[str, str] = {}
        while line := _line(reader):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
            if len(headers) > _MOST_HEADERS:
                raise ConnectionError("the answer has too many headers")
        if status >= 200:
            return version, status, headers


def _chunks(reader: BinaryIO) -> list[bytes]:
    chunks = []
    while size := _number(_line(reader).partition(";")[0].strip(), 16):
        chunks.append(_exactly(reader, size))
        _line(reader)
    while _line(reader):
        pass  # trailers say nothing that is wanted here
    return chunks


def _line(reader: BinaryIO) -> str:
    line = reader.readline(_LONGEST_LINE + 1)
    if not line.endswith(b"\n"):
        raise ConnectionError("the hub closed the connection" if len(line) <= _LONGEST_LINE else "a line is too long")
    return line.rstrip(b"\r\n").decode("latin-1")


def _exactly(reader: BinaryIO, size: int) -> bytes:
    data = reader.read(size)
    if len(data) < size:
        raise ConnectionError("the hub closed the connection in the middle of its answer")
    return data


def _number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError as error:
        raise ConnectionError("what came back is no HTTP") from error


def _is_quiet(sock: socket.socket) -> bool:
    """Tell whether nothing can be read: on an idle connection that would be its end, or noise."""
    try:
        readable, _, _ = select.select([sock], [], [], 0)
    except (OSError, ValueError):
        return False
    return not readable
