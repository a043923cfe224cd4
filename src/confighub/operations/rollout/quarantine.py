"""Versions that were taken back: kept in the hub's quarantine, which refuses their text until somebody lifts it.

What is in quarantine is what the old version's unit would have become. So neither a promotion nor another
rollout brings it again. The hub quarantines revisions, so the text becomes one for a moment, and is taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial

from confighub.client.collection import conjoined, quoted
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import Conflict
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.record import Record
from confighub.operations.rollout.subject import Subject, containers_of, edited

NOT_ITS_FAULT = frozenset({"evidence", "abort", "change"})
"""The checks that end a rollout without saying anything of the version."""


def refuse_quarantined(place: Place, subject: Subject, *, image: str, env: Mapping[str, str], lift: str) -> list[Wire]:
    """Return the version's quarantines that are to be lifted, empty when it is in none; nothing is lifted yet.

    It may be in quarantine as a text of the unit itself, or as what the other colour ran. Raises: Conflict, with why it
    was taken back, when no reason for lifting it is given.
    """
    wanted = edited(subject.deployment_text, subject.changes(image, env))
    sha = hashlib.sha256(wanted.encode()).hexdigest()
    own, service = str(subject.deployment["UnitID"]), str((subject.deployment.get("Labels") or {}).get("service") or "")
    where = f"Labels.service = {quoted(service)}" if service else f"UnitID = {quoted(own)}"
    known = place.hub.units.quarantines(where=conjoined(where, f"SpaceID = {quoted(place.space_id)}"))
    found = [
        one
        for one in known
        if (one.get("DataSha") == sha if one["UnitID"] == own else _is_version(place, subject, one, wanted))
    ]
    if found and not lift:
        raise Conflict(
            f"{image} is in quarantine since {str(found[0].get('CreatedAt'))[:16]}: {found[0].get('Reason')}",
            hint="nothing was changed; roll out another version, or lift it: --lift REASON",
        )
    return found


def _is_version(place: Place, subject: Subject, found: Wire, wanted: str) -> bool:
    """Tell whether another colour's text in quarantine runs the same; its name and labels are its own."""
    revision = place.hub.units.revision(str(found["UnitID"]), int(found["RevisionNum"]), space_id=place.space_id)
    ours, theirs = (containers_of(text) for text in (wanted, text_of(revision)))
    return bool(theirs) and ours.get(subject.container) == theirs.get(subject.container)


def lift_quarantine(place: Place, found: Iterable[Wire], *, image: str, reason: str) -> None:
    """Let a version be rolled out again; ``found`` are its quarantines."""
    for one in found:
        place.hub.units.lift(str(one["UnitID"]), int(one["RevisionNum"]), space_id=place.space_id, reason=reason)
        place.say(f"quarantine of {image} in {one['UnitSlug']} lifted: {reason}")


def quarantine(place: Place, subject: Subject, record: Record) -> None:
    """Put the version of the record into quarantine, unless nothing was shown to be wrong with it.

    The unit's text is in the end the one that the rollout began with; a unit that somebody else has changed
    meanwhile is left alone.
    """
    if record.check in NOT_ITS_FAULT:
        return
    unit, slug = subject.deployment, str(subject.deployment["Slug"])
    unit_id, head = str(unit["UnitID"]), int(unit.get("HeadRevisionNum") or 0)
    began_with = place.patiently(
        partial(place.hub.units.revision, unit_id, int(record.before["revision"]), space_id=place.space_id)
    )
    old, now = text_of(began_with), subject.deployment_text
    bad = edited(old, subject.changes(record.image, record.env))
    if bad == old:
        return
    if now not in (old, bad):
        place.say(f"  {slug} was changed meanwhile, so {record.image} is not put into quarantine")
        return
    # What was held for the rollout may be released by now; the bad text must not be applied while it is the head.
    place.hold_again()
    place.hold([slug])
    if now == old:
        told = f"{record.kind} of {record.image}, taken back: {record.check}"
        place.write(slug, bad, told)
        head += 1
    reason = f"{record.check}: {record.reason}"[:500]
    place.patiently(partial(place.hub.units.quarantine, unit_id, head, space_id=place.space_id, reason=reason))
    place.write(slug, old, f"as before the {record.kind} of {record.image}")
    place.apply(slug)
    place.say(f"  {record.image} is in quarantine; lift it with --lift REASON")
