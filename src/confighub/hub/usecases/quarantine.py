"""Quarantine: a text that was rolled back from is refused until somebody lifts it and says why.

It is the text that is bad, whichever revision brings it again. Apply, auto-apply and promotion ask
``store.quarantine``; here it is put in and taken out.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from confighub.errors import BadRequest, NotFound
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.entities import units
from confighub.hub.store.history import gate_results, quarantines, revisions
from confighub.hub.store.people import users
from confighub.hub.store.quarantine import GATE
from confighub.hub.store.rows import insert_if_absent, own_id
from confighub.hub.usecases import entities, gates, queue
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.audit import note
from confighub.hub.usecases.fillings import text_of
from confighub.hub.usecases.listing import Listing, choose_units
from confighub.hub.usecases.work import apply_if_due
from confighub.records.answers import Quarantine
from confighub.records.units import Unit


def list_quarantines(hub: Hub, caller: Caller, selection: Listing) -> list[Quarantine]:
    """Return what is in quarantine of the units that match, newest first."""
    with hub.read() as tx:
        slugs = {unit.unit_id: (unit.slug, unit.space_id) for unit in choose_units(tx, hub, caller, selection)}
        q = quarantines.c
        query = select(quarantines, users.c.username).outerjoin(users, users.c.user_id == q.user_id)
        rows = tx.execute(query.order_by(q.created_at.desc(), q.revision_num.desc())).all()
        return [
            Quarantine(
                unit_id=row.unit_id,
                unit_slug=slugs[row.unit_id][0],
                space_id=slugs[row.unit_id][1],
                revision_num=row.revision_num,
                data_sha=row.data_sha.hex(),
                reason=row.reason,
                username=row.username or "",
                created_at=row.created_at,
            )
            for row in rows
            if row.unit_id in slugs
        ]


def quarantine_unit(
    hub: Hub, caller: Caller, *, space_id: str, unit_id: str, revision_num: int, reason: str
) -> Quarantine:
    """Put the text of a revision of the unit into quarantine.

    Raises: BadRequest without a reason; NotFound.
    """
    _require_reason(reason)
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id)
        sha = put(tx, hub, caller, unit, revision_num, reason=reason)
        _mark_head(tx, unit)
        return Quarantine(
            unit_id=unit.unit_id,
            unit_slug=unit.slug,
            space_id=unit.space_id,
            revision_num=revision_num,
            data_sha=sha.hex(),
            reason=reason,
            username=caller.username,
            created_at=hub.now(),
        )


def lift_quarantine(hub: Hub, caller: Caller, *, space_id: str, unit_id: str, revision_num: int, reason: str) -> str:
    """Take the text of a revision out of quarantine; return what was done, as a sentence.

    A head that was kept back by nothing else is then applied where heads apply by themselves.
    Raises: BadRequest without a reason; NotFound when the text is not in quarantine.
    """
    _require_reason(reason)
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id)
        sha = _sha_of(tx, unit, revision_num)
        own = quarantines.c.unit_id == unit.unit_id, quarantines.c.data_sha == sha
        if not tx.execute(delete(quarantines).where(*own)).rowcount:
            raise NotFound(f"revision {revision_num} of unit {unit.slug} is not in quarantine")
        note(tx, hub, caller, "lift quarantine", UNIT, unit, message=reason, revision=revision_num)
        _mark_head(tx, unit)
        apply_if_due(tx, hub, caller, unit.unit_id or "")
        return f"revision {revision_num} of unit {unit.slug} may be applied again"


def put(tx: Connection, hub: Hub, caller: Caller, unit: Unit, revision_num: int, *, reason: str) -> bytes:
    """Put the text of the revision into quarantine and return its SHA-256; the unit's gates are the caller's matter.

    Where the text waits to be applied it is not.
    """
    sha = _sha_of(tx, unit, revision_num)
    insert_if_absent(
        tx,
        quarantines,
        unit_id=unit.unit_id,
        data_sha=sha,
        revision_num=revision_num,
        reason=reason,
        user_id=own_id(caller.user_id),
        created_at=hub.now(),
    )
    note(tx, hub, caller, "quarantine", UNIT, unit, message=reason, revision=revision_num)
    queue.cancel_text(tx, hub, unit.unit_id, sha, message=f"quarantined before a worker took it: {reason}")
    return sha


def _mark_head(tx: Connection, unit: Unit) -> None:
    """Let the gates that the unit and its head show say whether the head is in quarantine."""
    gate = gates.quarantine_gate(tx, unit.unit_id, text_of(tx, unit.unit_id or ""))
    kept = {name: True for name in unit.apply_gates if name != GATE} | gate
    if kept == unit.apply_gates:
        return
    c, number = gate_results.c, unit.head_revision_num
    tx.execute(delete(gate_results).where(c.unit_id == unit.unit_id, c.revision_num == number, c.gate == GATE))
    if gate:
        tx.execute(insert(gate_results).values(unit_id=unit.unit_id, revision_num=number, gate=GATE, closed=True))
    own = units.c.unit_id == unit.unit_id
    tx.execute(update(units).where(own).values(apply_gates=kept, version=units.c.version + 1))


def _unit(tx: Connection, caller: Caller, space_id: str, unit_id: str) -> Unit:
    require_space(tx, caller, space_id, "apply")
    unit: Unit = entities.load(tx, caller, UNIT, unit_id, *entities.scope(UNIT, space_id), for_change=True)
    return unit


def _sha_of(tx: Connection, unit: Unit, revision_num: int) -> bytes:
    r = revisions.c
    query = select(r.data_sha).where(r.unit_id == unit.unit_id, r.revision_num == revision_num)
    found = tx.execute(query).scalar()
    if found is None:
        raise NotFound(f"unit {unit.slug} has no revision {revision_num}")
    return bytes(found)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise BadRequest("a quarantine is put and lifted with a reason", hint="say why")
