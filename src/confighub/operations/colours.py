"""What going back means where a blue-green rollout came between: one colour comes back, the other is taken away.

Which colour had the traffic is what the Service selected then. The colour comes back before the Service selects it,
and the other one goes when everything else is done; whoever was killed in between finds the same to do again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import Conflict
from confighub.operations.guard import Say
from confighub.operations.rollout.entrance import INGRESS, backends
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.record import KEY
from confighub.operations.rollout.subject import Object, objects, service_of
from confighub.operations.selecting import DEPLOYMENT, SERVICE, is_led_to, selector_in


@dataclass(frozen=True)
class Swap:
    """One Service whose colours change places; ``returning`` are units that are not live, ``leaving`` such that are."""

    service: str
    returning: tuple[Wire, ...]
    leaving: tuple[Wire, ...]

    @property
    def line(self) -> str:
        """What happens, in one line."""
        parts = [f"{one['Slug']} comes back" for one in self.returning]
        parts += [f"{one['Slug']} is taken away" for one in self.leaving]
        return f"{self.service}: {', '.join(parts)}"


def find_swaps(hub: HubClient, *, space: str, space_id: str, units: Sequence[Wire]) -> list[Swap]:
    """Return the swaps of a rollback whose units are the hub's answers; empty where no colour changes.

    Raises: Conflict, naming the Services that would select what does not run and does not come back, and a Service
    whose rollout is under way.
    """
    going = {str(unit["UnitID"]): unit for unit in units if unit["ToRevisionNum"]}
    due = {key for key, unit in going.items() if unit["NewRevisionNum"] or _differs(unit)}
    deployments = [one["Unit"] for one in hub.units.list(space_id=space_id, include="", resource_type=DEPLOYMENT)]
    services = [one["Unit"] for one in hub.units.list(space_id=space_id, include="", resource_type=SERVICE)]
    # Without any of these nothing of a colour changes, which is so nearly always.
    has_second = any(_label(one, "active") == "false" and one.get("LiveRevisionNum") for one in deployments)
    found: list[Swap] = []
    stuck: list[str] = []
    for service in services:
        key = str(service["UnitID"])
        if key not in going or not service.get("LiveRevisionNum") or not (has_second or key in due):
            continue
        swap = _swap(hub, space_id, service, going, deployments)
        if isinstance(swap, str):
            stuck.append(swap)
        elif swap.returning or swap.leaving:
            _refuse_under_way(service)
            found.append(swap)
    if stuck:
        raise Conflict(
            f"these Services of {space} would select what is not running: {', '.join(stuck)}",
            hint="nothing was changed; a blue-green rollout came between: bring the old version back with "
            "bin/blue-green SERVICE ENV --image :TAG, or go back with the whole environment: traderx rewind",
        )
    _refuse_lost_doors(hub, space, space_id, [one for key, one in going.items() if key in due], services)
    return found


def relabel(place: Place, swaps: Sequence[Swap]) -> None:
    """Make the colours that come back the ones that everybody means, in the order of those that leave."""
    for swap in swaps:
        order = next((_label(one, "order") for one in swap.leaving if _label(one, "order")), None)
        for one in swap.returning:
            place.label(str(one["Slug"]), {"active": "true", "order": order or _label(one, "order") or None})
        for one in swap.leaving:
            place.label(str(one["Slug"]), {"active": "false", "order": None})


def lift_selectors(hub: HubClient, *, space_id: str, units: Sequence[Wire]) -> None:
    """Lift the quarantine of texts of Services that differ in nothing but the colour: no version is bad by that.

    ``units`` are the hub's answers of a rollback. Else the next rollout could not switch to that colour any more.
    """
    put = {str(unit["UnitID"]): unit for unit in units if unit["Quarantined"]}
    if not put:
        return
    for record in hub.units.list(space_id=space_id, include="", resource_type=SERVICE, select="UnitID,Slug"):
        unit = put.get(str(record["Unit"]["UnitID"]))
        if unit is None:
            continue
        for number in unit["Quarantined"]:
            both = number, int(unit["ToRevisionNum"])
            texts = [text_of(hub.units.revision(unit["UnitID"], one, space_id=space_id)) for one in both]
            if _without_selectors(texts[0]) == _without_selectors(texts[1]):
                why = "it differs in nothing but the colour that the Service selects"
                hub.units.lift(unit["UnitID"], number, space_id=space_id, reason=why)


def take_away(place: Place, swaps: Sequence[Swap], *, reason: str, say: Say) -> None:
    """Take away what leaves and put what ran there into quarantine; the units stay for the next rollout."""
    for swap in swaps:
        for one in swap.leaving:
            slug, number = str(one["Slug"]), int(one.get("LiveRevisionNum") or 0)
            place.hub.units.quarantine(str(one["UnitID"]), number, space_id=place.space_id, reason=reason)
            place.destroy(slug)
            say(f"{slug} is taken away, and its revision {number} is in quarantine")


def _swap(
    hub: HubClient, space_id: str, service: Wire, going: Mapping[str, Wire], deployments: Sequence[Wire]
) -> Swap | str:
    """Return what changes places behind a Service, or how it would select nothing."""
    live = hub.units.revision(service["UnitID"], int(service["LiveRevisionNum"]), space_id=space_id)
    before, then = selector_in(text_of(live)), selector_in(_text_at(hub, space_id, service, going))
    led = [
        one
        for one in deployments
        if then
        and (one.get("LiveRevisionNum") or str(one["UnitID"]) in going)
        and is_led_to(then, _text_at(hub, space_id, one, going))
    ]
    if not led:
        leads_now = any(is_led_to(before, text_of(one)) for one in deployments if one.get("LiveRevisionNum"))
        told = ", ".join(f"{key}: {value}" for key, value in then.items())
        return f"{service['Slug']} ({told})" if then and leads_now else Swap(str(service["Slug"]), (), ())
    running = [one for one in led if one.get("LiveRevisionNum")]
    names = {_label(one, "service") for one in led} - {""}
    leaving = [
        one
        for one in deployments
        if one.get("LiveRevisionNum") and one not in led and _label(one, "active") and _label(one, "service") in names
    ]
    return Swap(str(service["Slug"]), () if running else tuple(led), tuple(leaving))


def _without_selectors(text: str) -> list[Object]:
    """Return the documents as data, what Services select left out."""
    return [
        {**one, "spec": {key: value for key, value in (one.get("spec") or {}).items() if key != "selector"}}
        if one.get("kind") == "Service"
        else one
        for one in objects(text)
    ]


def _refuse_under_way(service: Wire) -> None:
    if KEY in (service.get("Annotations") or {}):
        raise Conflict(
            f"a rollout of {service['Slug']} is under way",
            hint="nothing was changed; let it end, or end it with --abort",
        )


def _refuse_lost_doors(
    hub: HubClient, space: str, space_id: str, due: Sequence[Wire], services: Sequence[Wire]
) -> None:
    """Return when no Ingress comes to lead to a Service that is not there. Raises: Conflict.

    A rollout that switches the Ingress leads it to a colour's own Service for a while, and takes that away after it.
    """
    if not due:
        return
    there = {str(service_of(text_of(one)).get("metadata", {}).get("name")) for one in services}
    doors = {
        one["Unit"]["UnitID"]: one["Unit"]
        for one in hub.units.list(space_id=space_id, include="", resource_type=INGRESS)
    }
    lost = []
    for one in due:
        if door := doors.get(one["UnitID"]):
            then = hub.units.revision(one["UnitID"], int(one["ToRevisionNum"]), space_id=space_id)
            lost += [f"{door['Slug']} ({name})" for name in sorted(_led_to(then) - _led_to(door) - there)]
    if lost:
        raise Conflict(
            f"these Ingresses of {space} would lead to a Service that is not there: {', '.join(lost)}",
            hint="nothing was changed; a blue-green rollout had switched them then: go back to before it, or after it",
        )


def _led_to(answer: Wire) -> set[str]:
    return {name for one in objects(text_of(answer)) for _, name in backends(one)}


def _text_at(hub: HubClient, space_id: str, unit: Wire, going: Mapping[str, Wire]) -> str:
    """Return a unit's text as it is once the rollback is done."""
    one = going.get(str(unit["UnitID"]))
    if one is None:
        return text_of(unit)
    return text_of(hub.units.revision(unit["UnitID"], int(one["ToRevisionNum"]), space_id=space_id))


def _differs(unit: Wire) -> bool:
    return bool(unit["HeadRevisionNum"] != unit["LiveRevisionNum"])


def _label(unit: Wire, name: str) -> str:
    return str((unit.get("Labels") or {}).get(name) or "")
