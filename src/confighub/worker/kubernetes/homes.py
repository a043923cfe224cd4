"""On which cluster each unit was applied last.

A unit that was pointed at another cluster may have left its objects on the one before, with the same marks; only those
at home are told. Kept in a file, a line a change, so that a worker that starts again knows.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class Homes:
    """Clusters by unit, by their names."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._of_unit: dict[str, str] = {}
        lines = file.read_bytes().splitlines() if file.exists() else []
        for line in lines:
            try:
                unit_id, cluster = msgspec.json.decode(line, type=tuple[str, str])
            except msgspec.MsgspecError:
                continue  # the worker was killed while it wrote this one
            self._of_unit[unit_id] = cluster
        self._of_unit = {unit: cluster for unit, cluster in self._of_unit.items() if cluster}
        if len(lines) > len(self._of_unit):
            draft = file.with_suffix(".new")
            draft.write_bytes(b"".join(map(_line, self._of_unit.items())))
            draft.replace(file)

    def is_at(self, unit_id: str, cluster: str) -> bool:
        """True unless the unit is known to be on another cluster."""
        return self._of_unit.get(unit_id, cluster) == cluster

    def learn(self, unit_id: str, cluster: str) -> None:
        """Remember where the unit is from now on; empty for nowhere."""
        if self._of_unit.get(unit_id, "") == cluster:
            return
        self._of_unit[unit_id] = cluster
        if not cluster:
            del self._of_unit[unit_id]
        with self._file.open("ab") as file:
            file.write(_line((unit_id, cluster)))


def _line(entry: tuple[str, str]) -> bytes:
    return msgspec.json.encode(entry) + b"\n"
