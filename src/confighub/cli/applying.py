"""What happens to a change next: *will be applied*, or *changed, not applied* with the command to type.

The rule is the hub's: a new head of a unit that is live, whose worker applies by itself,
outside production, its gates open, nobody holding it. Here it is only foretold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from confighub.client.collection import any_of
from confighub.errors import ConfigHubError

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_NAMED = 6


def tell_what_is_next(call: Call, units: Sequence[Wire]) -> None:
    """Say of changed units (plain records, as answered) which the hub will apply and which wait for the user."""
    ids = [str(unit["UnitID"]) for unit in units if unit.get("UnitID")]
    if not ids or (call.out.quiet and not call.out.is_for_people):
        return
    try:
        now = call.hub.units.list(where=any_of("UnitID", ids), include="TargetID,SpaceID,UnitEventID")
        by_itself = _workers_that_apply(call, now)
    except ConfigHubError:
        # the change is done; a forecast that fails must not look like a change that failed
        return
    waiting = [one for one in now if _has_news(one["Unit"])]
    automatic = [one for one in waiting if _is_automatic(one, by_itself)]
    manual = [one for one in waiting if one not in automatic]
    if automatic:
        call.out.say(f"will be applied: {_names(automatic)}")
    if manual:
        call.out.say(f"changed, not applied: {_names(manual)}; run `{_command(manual)}`")


def _has_news(unit: Wire) -> bool:
    return int(unit.get("HeadRevisionNum") or 0) > int(unit.get("LiveRevisionNum") or 0)


def _is_automatic(extended: Wire, by_itself: set[str]) -> bool:
    unit = extended["Unit"]
    labels = (extended.get("Space") or {}).get("Labels") or {}
    target = extended.get("Target") or {}
    event = extended.get("LatestUnitEvent") or {}
    head = int(unit.get("HeadRevisionNum") or 0)
    if event.get("Action") == "Apply" and int(event.get("RevisionNum") or 0) == head:
        return event.get("Status") not in ("Failed", "Canceled")
    return (
        int(unit.get("LiveRevisionNum") or 0) > 0
        and "prod" not in (labels.get("environment"), labels.get("env"))
        and not unit.get("ApplyGates")
        and target.get("BridgeWorkerID") in by_itself
    )


def _workers_that_apply(call: Call, units: Sequence[Wire]) -> set[str]:
    workers = {
        str(target["BridgeWorkerID"]) for one in units if (target := one.get("Target")) and target.get("BridgeWorkerID")
    }
    if not workers:
        return set()
    found = call.hub.workers.list(where=any_of("BridgeWorkerID", sorted(workers)), include="")
    return {one["BridgeWorker"]["BridgeWorkerID"] for one in found if one["BridgeWorker"].get("AutoApply")}


def _names(units: Sequence[Wire]) -> str:
    spaces = {str(one["Unit"].get("SpaceID")) for one in units}
    slugs = [_name(one, with_space=len(spaces) > 1) for one in units]
    more = len(slugs) - _NAMED
    return ", ".join(slugs) if more <= 0 else f"{', '.join(slugs[:_NAMED])} and {more} more"


def _name(extended: Wire, *, with_space: bool) -> str:
    space = str((extended.get("Space") or {}).get("Slug") or "")
    slug = str(extended["Unit"]["Slug"])
    return f"{space}/{slug}" if with_space and space else slug


def _command(units: Sequence[Wire]) -> str:
    """Return the command that applies the units: by name for one, by list or for the space for several."""
    spaces = sorted({str((one.get("Space") or {}).get("Slug") or one["Unit"].get("SpaceID")) for one in units})
    slugs = sorted({str(one["Unit"]["Slug"]) for one in units})
    space = f" --space {spaces[0]}" if len(spaces) == 1 else " --space '*'"
    if len(units) == 1:
        return f"cub unit apply {slugs[0]}{space}"
    if len(slugs) <= _NAMED:
        return f"cub unit apply{space} --unit {','.join(slugs)}"
    return f"cub unit apply{space} --where 'HeadRevisionNum > LiveRevisionNum'"
