"""Why the head of a unit is not live: what the hub alone knows of it."""

from __future__ import annotations

from sqlalchemy import or_, select

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.people import users
from confighub.hub.store.work_queue import holds
from confighub.hub.usecases import entities, trigger_calls, work
from confighub.hub.usecases.gates import closed_gates
from confighub.records.answers import HoldNow, Waiting


def unit_waiting(hub: Hub, caller: Caller, *, space_id: str, unit_id: str) -> Waiting:
    """Return why the unit's head is not applied by itself, which gates and holds are on it, and since when."""
    with hub.read() as tx:
        unit = entities.load(tx, caller, UNIT, unit_id, *entities.scope(UNIT, space_id))
        number = unit.head_revision_num
        c = holds.c
        lasting = or_(c.expires_at.is_(None), c.expires_at > hub.now())
        query = select(holds, users.c.username).outerjoin(users, users.c.user_id == c.user_id)
        rows = tx.execute(query.where(c.unit_id == unit.unit_id, lasting).order_by(c.created_at)).all()
        return Waiting(
            head_revision_num=number,
            live_revision_num=unit.live_revision_num,
            not_applied=work.reason_not_to_apply(tx, hub, unit.unit_id),
            gates=closed_gates(tx, unit.unit_id, number),
            gate_reasons=trigger_calls.reasons(tx, unit.unit_id, number),
            holds=[
                HoldNow(
                    kind=row.kind,
                    reason=row.reason,
                    username=row.username or "",
                    created_at=row.created_at,
                    expires_at=row.expires_at,
                )
                for row in rows
            ],
        )
