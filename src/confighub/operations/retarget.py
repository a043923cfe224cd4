"""An environment moved to another target: its units are pointed there, which the hub records."""

from __future__ import annotations

from confighub.client.collection import quoted
from confighub.client.hub import HubClient
from confighub.errors import ConfigHubError, NotFound
from confighub.operations.guard import Say


def retarget(hub: HubClient, *, space: str, space_id: str, target: str, say: Say) -> None:
    """Point every unit of the space at the target with that slug.

    Raises: NotFound when the space has no such target, listing those it has.
    """
    found = {one["Target"]["Slug"]: one["Target"] for one in hub.targets.list(space_id=space_id)}
    if target not in found:
        raise NotFound(
            f"{space} has no target {target}; it has {', '.join(sorted(found)) or 'none'}",
            hint="make one: bin/setup-worker ENV --kubeconfig FILE --context NAME",
        )
    answers = hub.units.patch_all(
        {"TargetID": found[target]["TargetID"], "LastChangeDescription": f"moved to {target}"},
        where=f"SpaceID = {quoted(space_id)}",
    )
    refused = [str(answer["Error"].get("Message")) for answer in answers if answer.get("Error")]
    if refused:
        raise ConfigHubError(f"{len(refused)} units could not be moved to {target}: {refused[0]}")
    say(f"{len(answers)} units of {space} now point at {target}")
