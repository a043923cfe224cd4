"""Which operations this worker has finished, on disk, so that none is carried out twice.

A file of lines: a result when an operation ends, its id once the hub has accepted it. A result is on disk
before it is sent, so a worker that dies in between sends it again instead of doing the work again.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

import msgspec

from confighub.records.work import ActionResult

KEPT = 1000
"""Accepted ends remembered: far more than a hub would send again. Others stay until they are accepted."""


class _Line(msgspec.Struct, omit_defaults=True):
    result: ActionResult | None = None
    accepted: str = ""


class Journal:
    """The finished operations of one worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # ends are kept by a thread, what the hub has by another
        self._results: OrderedDict[str, ActionResult] = OrderedDict()
        self._unsent: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            self._load()
        self._compact()
        self._file = path.open("ab")

    def result(self, operation_id: str) -> ActionResult | None:
        """Return how the operation ended, None when it has not."""
        return self._results.get(operation_id)

    def unsent(self) -> list[ActionResult]:
        """Return the results that the hub has not accepted yet, oldest first."""
        return [result for operation_id, result in self._results.items() if operation_id in self._unsent]

    def finish(self, *results: ActionResult) -> None:
        """Remember how operations ended; returns when that is on disk."""
        self._append([_Line(result=result) for result in results])
        os.fsync(self._file.fileno())

    def accept(self, *operation_ids: str) -> None:
        """Remember that the hub knows.

        This need not be on disk at once: what is forgotten is sent once more, and changes nothing.
        """
        self._append([_Line(accepted=operation_id) for operation_id in operation_ids])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _load(self) -> None:
        for line in self._path.read_bytes().splitlines():
            try:
                self._note(msgspec.json.decode(line, type=_Line))
            except msgspec.MsgspecError:
                # The last line of a worker that died while writing; nothing was sent for it.
                continue

    def _note(self, line: _Line) -> None:
        if line.result:
            operation_id = line.result.queued_operation_id
            self._results[operation_id] = line.result
            self._unsent.add(operation_id)
        self._unsent.discard(line.accepted)
        while len(self._results) > KEPT:
            oldest = next((one for one in self._results if one not in self._unsent), None)
            if oldest is None:
                break
            del self._results[oldest]

    def _append(self, lines: list[_Line]) -> None:
        with self._lock:
            for line in lines:
                self._note(line)
            self._file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            self._file.flush()

    def _compact(self) -> None:
        aside = self._path.with_suffix(".new")
        with aside.open("wb") as file:
            for operation_id, result in self._results.items():
                file.write(msgspec.json.encode(_Line(result=result)) + b"\n")
                if operation_id not in self._unsent:
                    file.write(msgspec.json.encode(_Line(accepted=operation_id)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)
