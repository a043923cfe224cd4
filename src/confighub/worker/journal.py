"""Which operations this worker has finished, on disk, so that none is carried out twice.

A file of lines: a result when an operation ends, its id once the hub has accepted it. A result is on disk
before it is sent, so a worker that dies in between sends it again instead of doing the work again.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import msgspec

from confighub.records.work import ActionResult

KEPT = 1000
"""Finished operations remembered: far more than a hub would send again."""


class _Line(msgspec.Struct, omit_defaults=True):
    result: ActionResult | None = None
    accepted: str = ""


class Journal:
    """The finished operations of one worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
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

    def finish(self, result: ActionResult) -> None:
        """Remember how an operation ended; returns when it is on disk."""
        self._note(_Line(result=result))
        self._append(_Line(result=result))

    def accept(self, operation_id: str) -> None:
        """Remember that the hub knows."""
        self._note(_Line(accepted=operation_id))
        self._append(_Line(accepted=operation_id))

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
            self._unsent.discard(self._results.popitem(last=False)[0])

    def _append(self, line: _Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

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
