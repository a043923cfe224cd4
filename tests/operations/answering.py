"""A server that answers every request with the same bytes, whole or not, and ends the connection."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class Answering:
    """The server, on a free port, while the block lasts; entering gives its address."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._door = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._door.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._door.accept()
            except OSError:
                return
            with caller:
                # what was asked is read whole, or the answer would be lost with a reset
                asked = caller.recv(65536)
                while b"\r\n\r\n" not in asked or _missing(asked):
                    more = caller.recv(65536)
                    if not more:
                        break
                    asked += more
                caller.sendall(self._answer)


def _missing(asked: bytes) -> bool:
    head, _, body = asked.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) < int(lengths[0])
