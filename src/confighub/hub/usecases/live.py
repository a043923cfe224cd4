"""What runs of a unit, as its worker last said."""

from __future__ import annotations

from sqlalchemy import select

from confighub.hub.caller import Caller
from confighub.hub.domain.live_view import LiveStatus
from confighub.hub.domain.live_view import live_status as view
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.work_queue import live_states
from confighub.hub.usecases import entities


def live_status(hub: Hub, caller: Caller, *, space_id: str, unit_id: str) -> LiveStatus:
    """Return status, replicas, conditions and addresses; NotLive when nothing runs."""
    with hub.read() as tx:
        unit = entities.load(tx, caller, UNIT, unit_id, *entities.scope(UNIT, space_id))
        c = live_states.c
        row = tx.execute(select(c.live_state, c.revision_num).where(c.unit_id == unit.unit_id)).first()
    return view(row.live_state, revision_num=row.revision_num) if row else LiveStatus()
