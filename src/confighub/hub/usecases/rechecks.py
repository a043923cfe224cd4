"""Gates looked at again: of one revision when it is approved, of every head when its space or triggers change."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, UNIT
from confighub.hub.store.entities import invocations, triggers, units
from confighub.hub.store.rows import columns, record
from confighub.hub.usecases import gates, trigger_calls, work, worker_calls
from confighub.hub.usecases.fillings import text_of
from confighub.records.spaces import Space
from confighub.records.units import Unit
from confighub.records.work import BridgeWorker


def look_again(
    tx: Connection, hub: Hub, unit: Unit, space: Space, text: str, *, user_id: str | None = None
) -> dict[str, bool]:
    """Look at the gates of the revision that ``unit.head_revision_num`` names and keep what is found.

    Returns those that are closed; the unit's row is the caller's to write. What workers check is asked of them.
    """
    calls = gates.triggers_of(tx, unit.space_id, "Mutation", unit.toolchain_type)
    context = gates.context_of(tx, unit, space, text)
    environment = gates.environment_of(space)
    found = gates.look(calls, text, context, environment=environment, toolchain=unit.toolchain_type)
    found |= gates.quarantine_gate(tx, unit.unit_id, text)
    found |= trigger_calls.ask_again(tx, hub, unit, text, user_id=user_id)
    return gates.store_gates(tx, unit.unit_id or "", unit.head_revision_num, found)


def recompute_space_gates(tx: Connection, hub: Hub, caller: Caller, space: Space) -> None:
    """Look again at every head in the space, whose environment or triggers changed; apply what is due now."""
    query = select(*columns(UNIT)).where(units.c.space_id == space.space_id, units.c.deleted_at.is_(None))
    for unit in [record(UNIT, row) for row in tx.execute(query)]:
        closed = look_again(tx, hub, unit, space, text_of(tx, unit.unit_id))
        if closed != unit.apply_gates:
            own = units.c.unit_id == unit.unit_id
            tx.execute(update(units).where(own).values(apply_gates=closed, version=units.c.version + 1))
            if unit.apply_gates.keys() - closed.keys():
                work.apply_if_due(tx, hub, caller, unit.unit_id)


def learn_signatures(tx: Connection, hub: Hub, caller: Caller, worker: BridgeWorker) -> None:
    """Take over what the worker says now of the functions that triggers have it run: which of them check."""
    c = triggers.c
    own = select(invocations.c.invocation_id).where(invocations.c.bridge_worker_id == worker.bridge_worker_id)
    named = (c.bridge_worker_id == worker.bridge_worker_id) | c.invocation_id.in_(own)
    changed = set()
    for call in gates.calls_where(tx, named, c.deleted_at.is_(None)):
        trigger = call.trigger
        signature = worker_calls.offered(worker, trigger.toolchain_type).get(call.invocation.function_name)
        validating = bool(signature and signature.validating)
        if validating != trigger.validating:
            tx.execute(update(triggers).where(c.trigger_id == trigger.trigger_id).values(validating=validating))
            changed.add(trigger.space_id)
    for space_id in sorted(filter(None, changed)):
        row = tx.execute(select(*columns(SPACE)).where(SPACE.id_column == space_id)).one()
        recompute_space_gates(tx, hub, caller, record(SPACE, row))
