"""Versions that were taken back, noted on the unit of the Deployment, and refused until somebody lifts it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from confighub.client.transport import Wire
from confighub.errors import Conflict
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.record import Record

KEY = "confighub.com/quarantine"
NOT_ITS_FAULT = frozenset({"evidence", "abort", "change"})
"""The checks that end a rollout without saying anything of the version."""
_KEPT = 20


class Quarantined(msgspec.Struct, frozen=True):
    """One version, with why it was taken back and when, in seconds since 1970."""

    image: str
    env: dict[str, str]
    check: str
    reason: str
    at: float


def refuse_quarantined(place: Place, deployment: Wire, *, image: str, env: Mapping[str, str], lift: str) -> None:
    """Return when the version may be rolled out; ``lift`` is the reason for lifting its quarantine, if any.

    Raises: Conflict, with why it was taken back.
    """
    known = _known(deployment)
    found = [one for one in known if one.image == image and one.env == dict(env)]
    if not found:
        return
    if not lift:
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found[-1].at))
        raise Conflict(
            f"{image} is in quarantine since {when} UTC: {found[-1].check}: {found[-1].reason}",
            hint="nothing was changed; roll out another version, or lift it: --lift REASON",
        )
    place.say(f"quarantine of {image} lifted: {lift}")
    _keep(place, deployment, [one for one in known if one not in found])


def quarantine(place: Place, slug: str, record: Record) -> None:
    """Note the version of the record as taken back, unless nothing was shown to be wrong with it."""
    if record.check in NOT_ITS_FAULT:
        return
    deployment = place.unit(slug)
    known = [one for one in _known(deployment) if (one.image, one.env) != (record.image, record.env)]
    bad = Quarantined(record.image, record.env, record.check, record.reason[:500], record.detected)
    _keep(place, deployment, [*known, bad][-_KEPT:])


def _known(deployment: Wire) -> list[Quarantined]:
    text = (deployment.get("Annotations") or {}).get(KEY) or "[]"
    try:
        return msgspec.json.decode(text, type=list[Quarantined])
    except msgspec.MsgspecError:
        return []


def _keep(place: Place, deployment: Wire, known: list[Quarantined]) -> None:
    place.annotate(str(deployment["Slug"]), {KEY: msgspec.json.encode(known).decode() if known else None})
