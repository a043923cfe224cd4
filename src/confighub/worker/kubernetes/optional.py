"""Objects that a unit can do without: where the cluster lacks their kind they are left out, and shown as such.

Only those count that the unit's author marked; any other object of an unknown kind makes the apply fail.
"""

from __future__ import annotations

from confighub.worker.documents import Manifest, describe
from confighub.worker.kubernetes.cluster import Cluster

IF_SUPPORTED = "confighub.com/if-supported"
"""The annotation by which a unit's author says so, with the value "true"."""

REASON = "NotSupportedHere"


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
