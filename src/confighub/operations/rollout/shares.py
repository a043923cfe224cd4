"""How traffic is divided between the old version and a canary: by Ingresses of the canary's own, or by the mesh.

Where a VirtualService for the Service is live, it alone divides: an Ingress with a share beside it would divide what
it lets through once more. Source: ingress-nginx's canary annotations; Istio's VirtualService, whose routes hold both
destinations all the time, one of them with the weight 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from confighub.data.document import parse
from confighub.data.editor import Editor
from confighub.errors import BadRequest, ConfigHubError
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.subject import Object, live_weights, objects, weight_call

VIRTUAL_SERVICE = "networking.istio.io/v1beta1/VirtualService"
_NOT_SUPPORTED = "NotSupportedHere"

Route = tuple[tuple[Any, ...], int]
"""The place of a weight in a VirtualService, and the number there."""


class Shares(Protocol):
    """Whatever gives the canary its share of the traffic."""

    def set(self, weight: int, why: str) -> None:
        """Return once the canary gets ``weight`` percent. Raises: ConfigHubError when it does not."""


@dataclass(frozen=True)
class IngressShares:
    """The weight that the canary's own Ingresses have, in a unit that is there only meanwhile."""

    place: Place
    slug: str

    def set(self, weight: int, why: str) -> None:
        """Return once the ingress divides the traffic so; nothing happens when no traffic was ever divided."""
        place, slug = self.place, self.slug
        unit = place.find(slug)
        if unit is None:
            return
        wanted = objects(place.text(slug))
        if live_weights(wanted) != [weight] * len(wanted):
            place.change(slug, weight_call(weight), why)
        if weight == 0 and not int(unit.get("LiveRevisionNum") or 0):
            return
        place.apply(slug)
        found = live_weights(place.live(slug))
        if any(one != weight for one in found):
            raise ConfigHubError(f"{slug} is applied, but the live weights are {found}")


@dataclass(frozen=True)
class MeshShares:
    """The weights in a unit's VirtualService for the Service, which stays when the canary goes."""

    place: Place
    slug: str
    service: str
    canary: str

    def set(self, weight: int, why: str) -> None:
        """Return once the mesh divides the traffic so."""
        place, slug = self.place, self.slug
        text = place.text(slug)
        wanted = with_weight(text, service=self.service, canary=self.canary, weight=weight)
        if wanted != text:
            place.write(slug, wanted, why)
        place.apply(slug)
        live = [one for one in place.live(slug) if is_for(one, self.service)]
        found = [number for one in live for _, number in routes(one, self.canary)]
        if any(one != weight for one in found):
            raise ConfigHubError(f"{slug} is applied, but the live weights are {found}")


def mesh_unit(place: Place, service: str, canary: str) -> str:
    """Return the slug of the unit whose live VirtualService divides the Service's traffic, empty without one.

    Raises: BadRequest when one is live that has no route to the canary, so that nothing could divide it.
    """
    for slug in live_virtual_services(place, service):
        if any(list(routes(one, canary)) for one in objects(place.text(slug)) if is_for(one, service)):
            return slug
        raise BadRequest(
            f"the VirtualService of {service} in {slug} has no route to {canary}, so the mesh would give it nothing",
            hint="give its routes both destinations, that one with weight 0",
        )
    return ""


def live_virtual_services(place: Place, service: str) -> list[str]:
    """Return the slugs of the units that have a VirtualService for the Service live; empty where there is no mesh."""
    ask = partial(place.hub.units.list, space_id=place.space_id, include="", resource_type=VIRTUAL_SERVICE)
    slugs = [str(record["Unit"]["Slug"]) for record in place.patiently(ask)]
    return [
        slug for slug in slugs if any(is_for(one, service) and not _is_unsupported(one) for one in place.live(slug))
    ]


def with_weight(text: str, *, service: str, canary: str, weight: int) -> str:
    """Return the text with the canary's weight in every route that has both destinations, the rest for the others."""
    stream = parse(text)
    changed: dict[int, bytes] = {}
    for at, placed in enumerate(stream.documents):
        if not is_for(placed.document.data, service):
            continue
        editor = Editor(placed.document)
        for steps, _ in routes(placed.document.data, canary):
            editor.set(steps, weight)
            editor.set((*steps[:-2], 1 - steps[-2], "weight"), 100 - weight)
        changed[at] = editor.finish()[0]
    return stream.replaced(changed) if changed else text


def routes(virtual: Object, canary: str) -> Iterator[Route]:
    """Yield where the canary's weights are, for routes of two destinations of which one is the canary."""
    for at, entry in enumerate(virtual.get("spec", {}).get("http") or []):
        destinations = entry.get("route") or []
        hosts = [str((one.get("destination") or {}).get("host") or "") for one in destinations]
        if len(hosts) == 2 and canary in hosts:
            index = hosts.index(canary)
            yield ("spec", "http", at, "route", index, "weight"), int(destinations[index].get("weight") or 0)


def is_for(one: Object, service: str) -> bool:
    """Tell whether an object is a VirtualService for the Service."""
    return one.get("kind") == "VirtualService" and service in (one.get("spec", {}).get("hosts") or [])


def _is_unsupported(one: Object) -> bool:
    conditions = (one.get("status") or {}).get("conditions") or []
    return any(condition.get("reason") == _NOT_SUPPORTED for condition in conditions)
