"""Versions that were taken back: kept in the hub's quarantine, which refuses their text until somebody lifts it.

What is in quarantine is what the old version's unit would have become. So neither a promotion nor another
rollout brings it again. The hub quarantines revisions, so the text becomes one for a moment, and is taken back.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from functools import partial

from confighub.client.collection import quoted
from confighub.client.transport import Wire
from confighub.errors import Conflict
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.record import Record
from confighub.operations.rollout.subject import Subject, edited

NOT_ITS_FAULT = frozenset({"evidence", "abort", "change"})
"""The checks that end a rollout without saying anything of the version."""


def refuse_quarantined(place: Place, subject: Subject, *, image: str, env: Mapping[str, str], lift: str) -> Wire | None:
    """Return the version's quarantine that is to be lifted, None when it is in none; nothing is lifted yet.

    Raises: Conflict, with why it was taken back, when no reason for lifting it is given.
    """
    unit_id = str(subject.deployment["UnitID"])
    sha = hashlib.sha256(edited(subject.deployment_text, subject.changes(image, env)).encode()).hexdigest()
    known = place.hub.units.quarantines(where=f"UnitID = {quoted(unit_id)}")
    found = next((one for one in known if one.get("DataSha") == sha), None)
    if found is not None and not lift:
        raise Conflict(
            f"{image} is in quarantine since {str(found.get('CreatedAt'))[:16]}: {found.get('Reason')}",
            hint="nothing was changed; roll out another version, or lift it: --lift REASON",
        )
    return found


def lift_quarantine(place: Place, subject: Subject, found: Wire, *, image: str, reason: str) -> None:
    """Let a version be rolled out again; ``found`` is its quarantine."""
    number = int(found["RevisionNum"])
    place.hub.units.lift(str(subject.deployment["UnitID"]), number, space_id=place.space_id, reason=reason)
    place.say(f"quarantine of {image} lifted: {reason}")


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
    old, now = b64decode(began_with["Data"]).decode(), subject.deployment_text
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
