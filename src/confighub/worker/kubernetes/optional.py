"""Objects that a unit can do without: where the cluster lacks their kind they are left out, and shown as such.

Only those count that the unit's author marked; any other object of an unknown kind makes the apply fail.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from confighub.worker.documents import Manifest, describe
from confighub.worker.kubernetes.cluster import Cluster

IF_SUPPORTED = "confighub.com/if-supported"
"""The annotation by which a unit's author says so, with the value "true"."""

REASON = "NotSupportedHere"


class Absences:
    """What each unit did without, as live state shows it; kept in a file, so that a worker that starts again knows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._of_unit: dict[str, list[Manifest]] = {}
        if file.exists():
            self._of_unit = msgspec.json.decode(file.read_bytes(), type=dict[str, list[Manifest]])

    def of_unit(self, unit_id: str) -> list[Manifest]:
        """Return the unit's objects that are not there, in apply order."""
        return self._of_unit.get(unit_id, [])

    def learn(self, unit_id: str, absent: list[Manifest]) -> None:
        """Take over what the unit does without now; nothing forgets it."""
        if self.of_unit(unit_id) == absent:
            return
        self._of_unit[unit_id] = absent
        self._of_unit = {unit: found for unit, found in self._of_unit.items() if found}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self._of_unit))
        draft.replace(self._file)


async def split(cluster: Cluster, documents: list[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """Return the documents that are applied, then the marked ones whose kind the cluster lacks; both in order."""
    wanted: list[Manifest] = []
    absent: list[Manifest] = []
    for one in documents:
        is_absent = is_marked(one) and await cluster.api.resource(str(one["apiVersion"]), str(one["kind"])) is None
        (absent if is_absent else wanted).append(one)
    return wanted, absent


def is_marked(document: Manifest) -> bool:
    """True when the unit can do without the object."""
    return ((document.get("metadata") or {}).get("annotations") or {}).get(IF_SUPPORTED) == "true"


def shown(cluster: Cluster, document: Manifest) -> Manifest:
    """Return the object as live state shows it: as it is written, not supported here."""
    condition = {"type": "Supported", "status": "False", "reason": REASON, "message": remark(cluster, [document])}
    return {**document, "status": {"phase": REASON, "conditions": [condition]}}


def remark(cluster: Cluster, absent: list[Manifest]) -> str:
    """Return the sentence that reports them."""
    return f"not supported here: {', '.join(map(describe, absent))} ({cluster.name} has no such kind)"
