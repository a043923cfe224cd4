"""Promotion: what one stage has newer, brought into the stage cloned from it, shown before it is done.

Every unit is merged for itself: what was set downstream stays, and upstream's value for it is reported as
*held*. The preview is computed with the same merge that the hub uses; the hub then does it.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from confighub.client.collection import any_of, conjoined, quoted
from confighub.client.functions import call
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.data.merge import Held, upgrade
from confighub.data.own_paths import own_paths, with_own_paths
from confighub.errors import BadRequest, ConfigHubError, Conflict, Gated
from confighub.operations.guard import Say
from confighub.operations.plan import ADDON
from confighub.records.base import NIL_ID
from confighub.records.mutations import ResourceMutation


@dataclass(frozen=True)
class Change:
    """What promotion does to one unit: the new text, also as a diff, and upstream values that do not get in."""

    unit_id: str
    slug: str
    upstream_revision: int
    text: str
    diff: tuple[str, ...]
    held: tuple[Held, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True)
class Promotion:
    """Everything that one promotion does. ``missing`` are upstream units that have no clone downstream."""

    source: str
    target: str
    target_id: str
    changes: tuple[Change, ...]
    missing: tuple[str, ...]

    def as_json(self) -> Wire:
        """Return the promotion for programs."""
        return {
            "from": self.source,
            "to": self.target,
            "units": [
                {
                    "unit": change.slug,
                    "upstreamRevision": change.upstream_revision,
                    "diff": list(change.diff),
                    "held": [{"path": held.path, "ours": held.ours, "theirs": held.theirs} for held in change.held],
                }
                for change in self.changes
            ],
            "missing": list(self.missing),
        }


def preview(hub: HubClient, *, source: str, target: str, lateral: bool = False) -> Promotion:
    """Return what promoting from one space to another would do; nothing is changed.

    Raises: BadRequest when the target's units do not come from the source (a stage would be skipped), unless
    ``lateral``, which promotes those that do; Conflict when a unit cannot be merged; Gated when it would bring
    what either side was rolled back from.
    """
    source_id, target_id = hub.space_id(source), hub.space_id(target)
    upstream = {one["Unit"]["UnitID"]: one["Unit"] for one in hub.units.list(space_id=source_id, include="")}
    downstream = [one["Unit"] for one in hub.units.list(space_id=target_id, include="")]
    clones = [unit for unit in downstream if unit.get("UpstreamUnitID") in upstream]
    _refuse_skipping(hub, source, target, source_id, downstream, has_clones=bool(clones), lateral=lateral)
    changes = []
    for unit in sorted(clones, key=lambda unit: str(unit["Slug"])):
        theirs = upstream[unit["UpstreamUnitID"]]
        if int(unit.get("UpstreamRevisionNum") or 0) < int(theirs.get("HeadRevisionNum") or 0):
            changes.append(_change(hub, source_id, unit, theirs))
    _refuse_quarantined(hub, changes, source_id=source_id, target_id=target_id, upstream=upstream, clones=clones)
    stuck = [f"{change.slug}: {reason}" for change in changes for reason in change.conflicts]
    if stuck:
        raise Conflict(
            f"{source} and {target} cannot be merged; nothing was changed",
            hint="resolve it downstream with cub unit edit",
            details=stuck,
        )
    cloned = {unit["UpstreamUnitID"] for unit in clones}
    missing = sorted(str(unit["Slug"]) for key, unit in upstream.items() if key not in cloned and not _is_addon(unit))
    return Promotion(source, target, target_id, tuple(changes), () if lateral else tuple(missing))


def refuse_skipping(hub: HubClient, *, source: str, target: str, lateral: bool = False) -> None:
    """Return when the target is the stage after the source, or ``lateral``. Raises: BadRequest, as ``preview`` does."""
    source_id = hub.space_id(source)
    downstream = [one["Unit"] for one in hub.units.list(space_id=hub.space_id(target), include="")]
    has_clones = any(unit.get("UpstreamSpaceID") == source_id for unit in downstream)
    _refuse_skipping(hub, source, target, source_id, downstream, has_clones=has_clones, lateral=lateral)


def promote(hub: HubClient, promotion: Promotion) -> None:
    """Carry out what the preview showed; raises ConfigHubError with the unit and reason when one is refused."""
    _upgrade(hub, promotion, {})


def rehearse(hub: HubClient, promotion: Promotion) -> list[Wire]:
    """Return the plain units as the promotion would leave them, gates too; nothing is changed.

    Raises: as ``promote``.
    """
    return [answer["Unit"] for answer in _upgrade(hub, promotion, {"dry_run": "true"})]


def _upgrade(hub: HubClient, promotion: Promotion, how: Mapping[str, str]) -> Sequence[Wire]:
    if not promotion.changes:
        return []
    here = f"SpaceID = {quoted(promotion.target_id)}"
    ids = any_of("UnitID", [change.unit_id for change in promotion.changes])
    answers = hub.units.patch_all(
        {"LastChangeDescription": f"promoted from {promotion.source}"},
        where=conjoined(ids, here),
        upgrade="true",
        **how,
    )
    refused = [answer["Error"] for answer in answers if answer.get("Error")]
    if refused:
        reasons = [str(error.get("Message")) for error in refused]
        raise ConfigHubError(
            f"{len(refused)} of {len(answers)} units were not promoted: {reasons[0]}", details=reasons[1:]
        )
    return answers


def set_image(hub: HubClient, *, space: str, image: str, say: Say) -> None:
    """Set the tag of one container (``web-gui=:v1.2.3``) in every unit of the space that has it.

    Raises: BadRequest when the argument has another form, or no unit has such a container.
    """
    container, equals, reference = image.partition("=")
    if not (container and equals and reference):
        raise BadRequest(f"an image is given as container=:tag, not: {image}")
    answers = hub.functions.invoke(
        [call("set-image-reference", container, reference)],
        space_id=hub.space_id(space),
        change_desc=f"image of {container} is {reference}",
        where="Labels.service IS NOT NULL",
    )
    changed = [answer for answer in answers if answer.get("Mutators")]
    if not any(answer.get("Success") for answer in answers):
        said = (answers[0].get("Error") or {}).get("Message") if answers else "the space has no units"
        raise BadRequest(f"setting the image in {space} failed: {said}")
    say(f"{space}: image of {container} set to {reference} in {len(changed)} units")


def report(promotion: Promotion) -> list[str]:
    """Return the lines that show a promotion: the diff of each unit, then what is held."""
    lines = []
    for change in promotion.changes:
        lines.append(f"{change.slug} (upstream revision {change.upstream_revision}):")
        lines += [f"  {line}" for line in change.diff] or ["  nothing to change in the text"]
        lines += [
            f"  held: {held.path} stays {_short(held.ours)}, {promotion.source} has {_short(held.theirs)}"
            for held in change.held
        ]
    if not promotion.changes:
        lines.append(f"{promotion.target} has everything that {promotion.source} has")
    if promotion.missing:
        lines.append(f"not in {promotion.target}: {', '.join(promotion.missing)}")
    return lines


def applies_by_itself(hub: HubClient, promotion: Promotion) -> bool:
    """Tell whether the target's worker applies changes of live units without being asked."""
    workers = hub.workers.list(space_id=promotion.target_id)
    return any(one["BridgeWorker"].get("AutoApply") for one in workers)


def _change(hub: HubClient, source_id: str, unit: Wire, theirs: Wire) -> Change:
    since = int(unit.get("UpstreamRevisionNum") or 0)
    base = hub.units.revision(theirs["UnitID"], since, space_id=source_id) if since else {}
    own = msgspec.convert(unit.get("MutationSources") or [], list[ResourceMutation])
    ours = text_of(unit)
    guarded = with_own_paths(own, ours, own_paths(unit.get("Annotations"), theirs.get("Annotations")))
    merged = upgrade(base=text_of(base), ours=ours, theirs=text_of(theirs), own=guarded)
    return Change(
        unit_id=unit["UnitID"],
        slug=unit["Slug"],
        upstream_revision=int(theirs.get("HeadRevisionNum") or 0),
        text=merged.text,
        diff=_diff(ours, merged.text),
        held=tuple(merged.held),
        conflicts=tuple(map(str, merged.conflicts)),
    )


def _diff(before: str, after: str) -> tuple[str, ...]:
    return tuple(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]


def _refuse_quarantined(
    hub: HubClient,
    changes: Sequence[Change],
    *,
    source_id: str,
    target_id: str,
    upstream: Mapping[str, Wire],
    clones: Sequence[Wire],
) -> None:
    """Return when no change brings a text that its unit, or the upstream unit, was rolled back from."""
    found = hub.units.quarantines(where=any_of("SpaceID", [source_id, target_id]))
    bad = {(one["UnitID"], one["DataSha"]): one for one in found}
    if not bad:
        return
    origins = {unit["UnitID"]: upstream[unit["UpstreamUnitID"]] for unit in clones}
    refused = []
    for change in changes:
        theirs = origins[change.unit_id]
        for unit_id, text in ((change.unit_id, change.text), (theirs["UnitID"], text_of(theirs))):
            one = bad.get((unit_id, sha256(text.encode()).hexdigest()))
            if one is not None:
                refused.append(f"{change.slug} ({one['Reason']})")
                break
    if refused:
        raise Gated(
            f"nothing is promoted: it would bring back what was rolled back: {', '.join(refused)}",
            gates=["quarantine/not-quarantined"],
            hint="promote a later revision, or lift it: traderx quarantine lift ENV UNIT --reason WHY",
        )


def _refuse_skipping(
    hub: HubClient,
    source: str,
    target: str,
    source_id: str,
    downstream: Sequence[Wire],
    *,
    has_clones: bool,
    lateral: bool,
) -> None:
    """Return when the target is the stage after the source."""
    origins = Counter(
        unit["UpstreamSpaceID"] for unit in downstream if (unit.get("UpstreamSpaceID") or NIL_ID) != NIL_ID
    )
    if not origins:
        raise BadRequest(
            f"no unit of {target} was cloned from anywhere", hint="make the environments: bin/install-envs"
        )
    usual = origins.most_common(1)[0][0]
    if usual == source_id or (lateral and has_clones):
        return
    comes_from = hub.spaces.get(usual)["Space"]["Slug"]
    if has_clones:
        raise BadRequest(
            f"{target} comes from {comes_from}; promoting from {source} would skip a stage",
            hint="promote the stages one by one, or say --lateral for the units that do come from it",
        )
    raise BadRequest(f"{target} comes from {comes_from}, and no unit of it from {source}")


def _is_addon(unit: Wire) -> bool:
    """Tell whether the unit is one of those that an environment may do without."""
    return (unit.get("Labels") or {}).get("type") == ADDON


def _short(value: object) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= 60 else line[:57] + "..."
