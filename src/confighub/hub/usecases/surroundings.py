"""What stands around a unit: the texts of its space and the secrets that targets report, for checks that look there.

fields(tx, unit, functions) -> dict: fields of a function's context, empty unless one of the functions looks around
now(tx, unit_id, revision_num, stored) -> dict[str, bool]: the gates of a revision, those that look around as of now
look_at_neighbours(tx, hub, caller, unit): look again at the gates that the unit's change may have opened in its space,
    or that its end may have closed
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import yaml
from sqlalchemy import Connection, select, update

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, UNIT
from confighub.hub.store.database import looked_up_once, remembered
from confighub.hub.store.entities import units
from confighub.hub.store.history import blobs, gate_results
from confighub.hub.store.rows import columns, record
from confighub.hub.store.work_queue import live_states
from confighub.hub.usecases.fillings import revision_text
from confighub.records.spaces import Space
from confighub.records.units import Unit

BUDGET = "vet-budget"
LOOK_AROUND = frozenset({BUDGET, "vet-network-policy", "vet-references"})
"""The functions that look at other units of the space."""


LOOK_AT_WHAT_RUNS = "get-provided"
"""The function that looks at what the unit's worker reported."""


def fields(tx: Connection, unit: Unit, functions: Iterable[str]) -> dict[str, Any]:
    """Return ``siblings``, ``known_secrets`` and ``live_state`` of the unit's context: what the functions need."""
    functions = set(functions)
    live = {"live_state": _running(tx, unit)} if LOOK_AT_WHAT_RUNS in functions else {}
    if LOOK_AROUND.isdisjoint(functions):
        return live
    key = (unit.space_id, unit.toolchain_type)
    texts = remembered(tx, ("texts", *key), lambda: _texts(tx, *key))
    return live | {
        "siblings": tuple(text for unit_id, text in texts if unit_id != unit.unit_id),
        "known_secrets": remembered(tx, ("secrets", unit.space_id), lambda: _secrets(tx, unit.space_id)),
    }


def _texts(tx: Connection, space_id: str | None, toolchain: str) -> list[tuple[str, str]]:
    chosen = units.c.space_id == space_id, units.c.toolchain_type == toolchain, units.c.deleted_at.is_(None)
    query = select(units.c.unit_id, blobs.c.content).join(blobs, units.c.data_sha == blobs.c.sha).where(*chosen)
    return [(row.unit_id, row.content.decode()) for row in tx.execute(query.order_by(units.c.cursor_id))]


def _running(tx: Connection, unit: Unit) -> str:
    """Return the objects that the unit's worker reported, a YAML document each; empty when that is something else."""
    query = select(live_states.c.live_state).where(live_states.c.unit_id == unit.unit_id)
    named = [one for one in _objects(tx.execute(query).scalar() or b"") if one.get("kind") and one.get("apiVersion")]
    return "".join(f"---\n{msgspec.json.encode(one).decode()}\n" for one in named)


def _secrets(tx: Connection, space_id: str | None) -> tuple[str, ...] | None:
    """Return ``namespace/name`` of every secret that live state shows, None when it shows none at all."""
    query = select(live_states.c.live_state).join(units, units.c.unit_id == live_states.c.unit_id)
    found = {
        name
        for blob in tx.execute(query.where(units.c.space_id == space_id, units.c.deleted_at.is_(None))).scalars()
        if b"Secret" in blob
        for name in _secret_names(blob)
    }
    return tuple(sorted(found)) or None


def _objects(blob: bytes) -> list[dict[str, Any]]:
    """Return the objects of a live state: a JSON list, or YAML; empty when it is neither."""
    try:
        read = msgspec.json.decode(blob)
    except msgspec.DecodeError:
        try:
            read = list(yaml.load_all(blob, Loader=yaml.CSafeLoader))
        except (yaml.YAMLError, ValueError):
            return []
    return [one for one in (read if isinstance(read, list) else [read]) if isinstance(one, dict)]


def _secret_names(blob: bytes) -> list[str]:
    names = []
    for one in _objects(blob):
        about = one.get("metadata") if one.get("kind") == "Secret" else None
        if isinstance(about, dict):
            names.append(f"{about.get('namespace') or ''}/{about.get('name') or ''}")
    return names


def _looks_around(gate: str) -> bool:
    return gate.rpartition("/")[2] in LOOK_AROUND


def now(tx: Connection, unit_id: str, revision_num: int, stored: dict[str, bool]) -> dict[str, bool]:
    """Return the stored gates of a revision, with what those that look around find now."""
    from confighub.hub.usecases import gates

    asked = {gate for gate in stored if _looks_around(gate)}
    if not asked:
        return stored
    unit = record(UNIT, tx.execute(select(*columns(UNIT)).where(units.c.unit_id == unit_id)).one())
    space = remembered(tx, ("space around", unit.space_id), lambda: _space(tx, unit.space_id))
    calls = gates.triggers_of(tx, unit.space_id, "Mutation", unit.toolchain_type)
    chosen = [call for call in calls if call.gate in asked]
    text = revision_text(tx, unit_id, revision_num)
    context = gates.context_of(tx, unit, space, text)
    found = gates.look(chosen, text, context, environment="", toolchain=unit.toolchain_type)
    return {**stored, **{gate: found[gate] for gate in asked & found.keys()}}


def look_at_neighbours(tx: Connection, hub: Hub, caller: Caller, unit: Unit, *, is_gone: bool = False) -> None:
    """Open the gates of other heads in the unit's space that waited for what the unit brings, and apply what is due.

    When the unit ``is_gone``, those that needed it close. What an edit takes away shows when one of them is applied:
    then its gates are looked at again.
    """
    from confighub.hub.usecases import gates, work

    calls = gates.triggers_of(tx, unit.space_id, "Mutation", unit.toolchain_type)
    names = [call.gate for call in calls if _looks_around(call.gate)]
    if is_gone:
        # What a space costs only falls.
        names = [name for name in names if not name.endswith(f"/{BUDGET}")]
    if not names:
        return
    g = gate_results.c
    heads = (g.unit_id == units.c.unit_id) & (g.revision_num == units.c.head_revision_num)
    asked = select(g.unit_id, g.revision_num).join(units, heads).distinct()
    asked = asked.where(g.closed.is_(not is_gone), g.gate.in_(names), units.c.space_id == unit.space_id)
    neighbours = tx.execute(asked.where(units.c.deleted_at.is_(None), units.c.unit_id != unit.unit_id)).all()
    with looked_up_once(tx):
        for row in neighbours:
            own = g.unit_id == row.unit_id, g.revision_num == row.revision_num
            stored = {one.gate: one.closed for one in tx.execute(select(g.gate, g.closed).where(*own))}
            found = now(tx, row.unit_id, row.revision_num, stored)
            if found != stored:
                still = gates.store_gates(tx, row.unit_id, row.revision_num, found)
                changed = update(units).where(units.c.unit_id == row.unit_id)
                tx.execute(changed.values(apply_gates=still, version=units.c.version + 1))
                work.apply_if_due(tx, hub, caller, row.unit_id)


def _space(tx: Connection, space_id: str | None) -> Space:
    space: Space = record(SPACE, tx.execute(select(*columns(SPACE)).where(SPACE.id_column == space_id)).one())
    return space
