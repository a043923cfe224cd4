"""Where an object of a unit is not as the unit says, as the server itself would merge it."""

from __future__ import annotations

from confighub.errors import BadRequest
from confighub.worker import drift
from confighub.worker.bridge import Operation
from confighub.worker.documents import Manifest, describe
from confighub.worker.kubernetes import applying, inventory, ownership
from confighub.worker.kubernetes.applying import Terms
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.informers import Seen

_LOOKS = 5  # at an object that changes while it is compared


async def compare(
    cluster: Cluster, document: Manifest, operation: Operation, terms: Terms
) -> tuple[Seen | None, list[str]]:
    """Return the object, None when it is gone, and a line a difference; nothing is changed.

    Raises: as applying.tried, but for what the server refuses, which is a difference.
    """
    resource = await cluster.resource_of(document)
    namespace = cluster.namespace_of(document, resource)
    await cluster.watched(resource, namespace)
    name = document["metadata"]["name"]
    for _ in range(_LOOKS):
        live = await cluster.get(resource, namespace, name)
        if live is None:
            return None, [f"{describe(document)} is gone"]
        seen = Seen.of(live)
        try:
            wanted = await applying.tried(cluster, document, operation, terms)
        except BadRequest as error:
            return seen, [f"{describe(document)} cannot be brought back as it is: {error}"]
        lines = drift.between([inventory.unmarked(wanted)], [inventory.unmarked(live)])
        # What a controller wrote between the look and the trial would be taken for a difference.
        after = await cluster.get(resource, namespace, name) if lines else None
        if after is None or Seen.of(after).version == seen.version:
            break
    if document["kind"] == "Secret":
        # where it differs is told, what it holds is not
        lines = [f"{line.partition(' is ')[0]} is another" for line in lines]
    added = ownership.additions(wanted)
    return seen, [*lines, *(f"{describe(document)}: {one} was added" for one in added)]
