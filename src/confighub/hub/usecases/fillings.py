"""What a record shows beside its own row: texts, sources, approvals, secrets. Read only when it is shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.domain.mutations import advanced
from confighub.hub.hub import Hub
from confighub.hub.kinds import Kind
from confighub.hub.store.entities import units
from confighub.hub.store.history import (
    applications,
    approvals,
    blobs,
    gate_results,
    mutation_sources,
    mutations,
    revision_tags,
    revisions,
)
from confighub.hub.store.work_queue import live_states
from confighub.query import fields
from confighub.records.functions import FunctionArgument, FunctionInvocation
from confighub.records.mutations import ResourceMutation
from confighub.records.units import Revision, Unit
from confighub.records.work import BridgeWorker

CHUNK = 500
"""Ids in one query: few enough for every database, many enough that the round trip is nothing."""


def check_includes(kind: Kind, includes: tuple[str, ...]) -> None:
    """Refuse names that cannot be expanded.

    Raises: BadRequest, naming those that can.
    """
    known = fields.of(kind.name).includes
    for include in includes:
        if include not in known:
            raise BadRequest(
                f"{kind.name} cannot include {include}", hint=f"it can include {', '.join(sorted(known)) or 'nothing'}"
            )


def fill(
    hub: Hub, tx: Connection, caller: Caller, kind: Kind, found: list[Any], selected: frozenset[str] = frozenset()
) -> None:
    """Complete the records in place with what ``selected`` names; nothing selected means all."""

    def wants(*names: str) -> bool:
        return not selected or any(name in selected for name in names)

    if kind.name == "Unit":
        if wants("Data"):
            fill_data(tx, found)
        if wants("MutationSources"):
            _fill_sources(tx, found)
        if wants("LiveState", "Outputs"):
            _fill_live(tx, found)
    elif kind.name == "Revision":
        _fill_side_tables(tx, found)
        if wants("Data"):
            _fill_revision_data(tx, found)
        if wants("MutationSources"):
            _fill_revision_sources(tx, found)
    elif kind.name == "BridgeWorker" and wants("Secret"):
        _open_secrets(hub, caller, found)


def text_of(tx: Connection, unit_id: str) -> str:
    """Return the text of the unit's head."""
    query = select(blobs.c.content).join(units, units.c.data_sha == blobs.c.sha).where(units.c.unit_id == unit_id)
    return _text(tx.execute(query).scalar_one())


def revision_text(tx: Connection, unit_id: str, revision_num: int) -> str:
    """Return the text of one revision of the unit, which must exist."""
    query = select(blobs.c.content).join(revisions, revisions.c.data_sha == blobs.c.sha)
    one = revisions.c.unit_id == unit_id, revisions.c.revision_num == revision_num
    return _text(tx.execute(query.where(*one)).scalar_one())


def matching_data(tx: Connection, found: list[Any], *, where_data: str, resource_type: str) -> list[Any]:
    """Return the units with a resource of the type whose content matches the data filter.

    Raises: BadRequest, when the filter cannot be read.
    """
    from confighub.functions.invoke import Context, invoke

    call = FunctionInvocation(
        function_name="where-filter",
        arguments=[FunctionArgument(value=resource_type or "*"), FunctionArgument(value=where_data)],
    )
    fill_data(tx, found)
    kept = []
    for unit in found:
        answer = invoke(_text(unit.data), [call], context=Context(unit_slug=unit.slug), toolchain=unit.toolchain_type)
        if not answer.success:
            raise BadRequest(f"the data filter cannot be evaluated on {unit.slug}", details=answer.errors)
        if answer.passed:
            kept.append(unit)
    return kept


def _text(content: bytes) -> str:
    return content.decode()


def fill_data(tx: Connection, found: list[Unit]) -> None:
    """Set the data of the units in place."""
    by_id = {unit.unit_id: unit for unit in found}
    joined = select(units.c.unit_id, blobs.c.content).join(blobs, units.c.data_sha == blobs.c.sha)
    for chunk in chunks(list(by_id)):
        for unit_id, content in tx.execute(joined.where(units.c.unit_id.in_(chunk))):
            by_id[unit_id].data = content


def _fill_sources(tx: Connection, found: list[Unit]) -> None:
    by_id = {unit.unit_id: unit for unit in found}
    for chunk in chunks(list(by_id)):
        for row in tx.execute(select(mutation_sources).where(mutation_sources.c.unit_id.in_(chunk))):
            by_id[row.unit_id].mutation_sources = row.sources


def _fill_live(tx: Connection, found: list[Unit]) -> None:
    by_id = {unit.unit_id: unit for unit in found}
    for chunk in chunks(list(by_id)):
        for row in tx.execute(select(live_states).where(live_states.c.unit_id.in_(chunk))):
            by_id[row.unit_id].live_state, by_id[row.unit_id].outputs = row.live_state, row.outputs


def _fill_side_tables(tx: Connection, found: list[Revision]) -> None:
    ids = sorted({revision.unit_id for revision in found if revision.unit_id})
    approved: dict[tuple[str, int], list[str]] = defaultdict(list)
    gates: dict[tuple[str, int], dict[str, bool]] = defaultdict(dict)
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    live: dict[tuple[str, int], Any] = {}
    for chunk in chunks(ids):
        for row in tx.execute(
            select(approvals).where(approvals.c.unit_id.in_(chunk)).order_by(approvals.c.approved_at)
        ):
            approved[row.unit_id, row.revision_num].append(row.user_id)
        closed = gate_results.c.unit_id.in_(chunk), gate_results.c.closed.is_(True)
        for row in tx.execute(select(gate_results).where(*closed)):
            gates[row.unit_id, row.revision_num][row.gate] = True
        for row in tx.execute(select(revision_tags).where(revision_tags.c.unit_id.in_(chunk))):
            tags[row.unit_id, row.revision_num][row.tag_id] = "true"
        c = applications.c
        newest = select(c.unit_id, c.revision_num, func.max(c.live_at)).where(c.unit_id.in_(chunk))
        for unit_id, number, live_at in tx.execute(newest.group_by(c.unit_id, c.revision_num)):
            live[unit_id, number] = live_at
    for revision in found:
        key = (revision.unit_id or "", revision.revision_num)
        revision.approved_by = approved.get(key, [])
        revision.apply_gates = gates.get(key, {})
        revision.tags = tags.get(key, {})
        if key in live:
            revision.live_at = live[key]


def _fill_revision_data(tx: Connection, found: list[Revision]) -> None:
    by_id = {revision.revision_id: revision for revision in found}
    joined = select(revisions.c.revision_id, blobs.c.content).join(blobs, revisions.c.data_sha == blobs.c.sha)
    for chunk in chunks(list(by_id)):
        for revision_id, content in tx.execute(joined.where(revisions.c.revision_id.in_(chunk))):
            by_id[revision_id].data = content


def _fill_revision_sources(tx: Connection, found: list[Revision]) -> None:
    """Rebuild the sources from the mutations; those of a head are kept and only read."""
    for unit_id in {revision.unit_id for revision in found}:
        own = [revision for revision in found if revision.unit_id == unit_id]
        c = units.c
        head = select(c.head_revision_num, mutation_sources.c.sources).join(
            mutation_sources, mutation_sources.c.unit_id == c.unit_id
        )
        row = tx.execute(head.where(c.unit_id == unit_id)).one()
        wanted = {revision.revision_num for revision in own} - {row.head_revision_num}
        rebuilt = rebuilt_sources(tx, unit_id or "", wanted) if wanted else {}
        for revision in own:
            revision.mutation_sources = rebuilt.get(revision.revision_num, row.sources)


def rebuilt_sources(tx: Connection, unit_id: str, wanted: set[int]) -> dict[int, list[ResourceMutation]]:
    """Return who had last set each path at each of the revisions, from the mutations."""
    c = mutations.c
    made = select(c.revision_num, c.records, c.upgraded_from_upstream_revision_num).where(c.unit_id == unit_id)
    steps: dict[int, list[tuple[list[ResourceMutation], bool]]] = defaultdict(list)
    for row in tx.execute(made.where(c.revision_num <= max(wanted)).order_by(c.mutation_num)):
        steps[row.revision_num].append((row.records, row.upgraded_from_upstream_revision_num > 0))
    found: dict[int, list[ResourceMutation]] = {}
    sources: list[ResourceMutation] = []
    old = ""
    for number in sorted(steps):
        new = revision_text(tx, unit_id, number)
        sources = advanced(sources, steps[number], old=old, new=new)
        found[number], old = sources, new
    return found


def _open_secrets(hub: Hub, caller: Caller, found: Iterable[BridgeWorker]) -> None:
    for worker in found:
        worker.secret = hub.secrets.open(worker.secret) if caller.may("write") else ""


def chunks(items: list[Any]) -> Iterator[list[Any]]:
    """Yield the items in portions that fit into one query."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
