"""New heads: how a change of a unit's text becomes a revision with its mutations.

In two halves. ``plan`` may take its time and writes nothing: it refuses bad text, runs the
triggers, looks at the gates. ``write`` is short: blob, revision, mutations, sources, gates, the
unit's row. Between them the unit may have changed; the caller checks its version and plans again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection, insert, select, update

from confighub.hub.caller import Caller
from confighub.hub.domain import content
from confighub.hub.domain.mutations import Step, advanced, stamped
from confighub.hub.hub import Hub
from confighub.hub.kinds import MUTATION, REVISION
from confighub.hub.store.entities import units
from confighub.hub.store.history import blobs, mutation_sources
from confighub.hub.store.rows import insert_if_absent, own_id
from confighub.hub.usecases import gates, linking, surroundings, trigger_calls, work
from confighub.hub.usecases.fillings import revision_text
from confighub.records.mutations import ResourceMutation
from confighub.records.spaces import Space
from confighub.records.units import Unit

CLONE = "Clone"
"""The source of a clone's first revision."""


@dataclass(frozen=True)
class Draft:
    """A new text for a unit, with the steps that made it and what the revision says of itself.

    ``source`` names the operation, as ``Revision.Source`` shows it. ``after`` is the trigger that a worker ran
    to make it; the triggers of workers before it, and it, have run.
    """

    text: str
    steps: tuple[Step, ...]
    source: str
    description: str = ""
    after: gates.Call | None = None


@dataclass(frozen=True)
class Planned:
    """A draft after the triggers, with the gates of its text; true means closed."""

    draft: Draft
    gates: dict[str, bool]


def plan(tx: Connection, unit: Unit, space: Space, draft: Draft) -> Planned:
    """Return the draft as it will be written, and its gates.

    Raises: BadRequest, NotYaml for text that is refused: broken YAML, a template, a literal secret.
    """
    refuse_text(draft.text, unit.toolchain_type)
    # A new revision starts without approvals, and functions are told so.
    unit = replace_unit(unit, approved_by=[], head_revision_num=unit.head_revision_num + 1)
    text, linked = linking.resolved(tx, unit, draft.text)
    calls = gates.triggers_of(tx, unit.space_id, "Mutation", unit.toolchain_type)
    context = gates.context_of(tx, unit, space, text)
    text, triggered = gates.run_mutating(calls, text, context, unit.toolchain_type)
    if steps := [*linked, *triggered]:
        refuse_text(text, unit.toolchain_type)
        draft = replace(draft, text=text, steps=(*draft.steps, *steps))
    environment = gates.environment_of(space)
    closed = gates.look(calls, text, context, environment=environment, toolchain=unit.toolchain_type)
    return Planned(draft, closed | gates.quarantine_gate(tx, unit.unit_id, text))


def refuse_text(text: str, toolchain: str) -> None:
    """Return when the text may be stored; asked before anything else is done with it, so that the refusal is told.

    Raises: BadRequest, NotYaml.
    """
    from confighub.functions.refusals import refuse

    if toolchain == "Kubernetes/YAML":
        refuse(text)


def write(tx: Connection, hub: Hub, caller: Caller, unit: Unit, planned: Planned) -> Unit:
    """Make the planned text the unit's head; return the unit as it is now.

    The unit's row exists already and has the version that ``unit`` says; other attributes of
    ``unit`` are not written here. Its ``data`` is the present text, or empty when it was not read.
    """
    draft = planned.draft
    data = draft.text.encode()
    head = replace_unit(
        unit,
        data=data,
        content_hash=content.content_hash(data),
        head_revision_num=unit.head_revision_num + 1,
        head_mutation_num=unit.head_mutation_num + len(draft.steps),
        last_change_description=draft.description,
        approved_by=[],
        updated_at=hub.now(),
    )
    sha = keep_blob(tx, data)
    revision_id = hub.new_id()
    _insert_revision(tx, caller, head, revision_id, sha, draft)
    records = _insert_mutations(tx, hub, head, unit.head_mutation_num, revision_id, draft.steps)
    head.mutation_sources = _add_sources(tx, unit, draft, records)
    found = planned.gates | trigger_calls.queue_calls(
        tx,
        hub,
        head,
        draft.text,
        after=draft.after.trigger.trigger_id if draft.after else None,
        is_clone=draft.source == CLONE or (draft.after is not None and draft.after.is_about_clones),
        user_id=caller.user_id,
    )
    head.apply_gates = gates.store_gates(tx, _id(head), head.head_revision_num, found, is_new=True)
    tx.execute(
        update(units)
        .where(units.c.unit_id == head.unit_id)
        .values(
            data_sha=sha,
            content_hash=head.content_hash,
            head_revision_id=revision_id,
            head_revision_num=head.head_revision_num,
            head_mutation_num=head.head_mutation_num,
            last_change_description=head.last_change_description,
            apply_gates=head.apply_gates,
            approved_by=[],
            updated_at=head.updated_at,
        )
    )
    work.head_changed(tx, hub, caller, _id(head))
    surroundings.look_at_neighbours(tx, hub, caller, head)
    linking.follow(tx, hub, caller, head, unit.head_revision_num)
    return head


def keep_blob(tx: Connection, data: bytes) -> bytes:
    """Keep the content unless it is there already; return its SHA-256."""
    sha = content.sha(data)
    insert_if_absent(tx, blobs, sha=sha, content=data)
    return sha


def replace_unit(unit: Unit, **changes: object) -> Unit:
    """Return a copy of the unit with some attributes changed."""
    return msgspec.structs.replace(unit, **changes)


def _id(unit: Unit) -> str:
    assert unit.unit_id is not None
    return unit.unit_id


def _insert_revision(tx: Connection, caller: Caller, head: Unit, revision_id: str, sha: bytes, draft: Draft) -> None:
    tx.execute(
        insert(REVISION.table).values(
            revision_id=revision_id,
            organization_id=head.organization_id,
            space_id=head.space_id,
            unit_id=head.unit_id,
            revision_num=head.head_revision_num,
            source=draft.source,
            description=draft.description,
            user_id=own_id(caller.user_id),
            user_agent=caller.user_agent,
            data_sha=sha,
            content_hash=head.content_hash,
            last_mutation_num=head.head_mutation_num,
            created_at=head.updated_at,
        )
    )


def _insert_mutations(
    tx: Connection, hub: Hub, head: Unit, before: int, revision_id: str, steps: tuple[Step, ...]
) -> list[list[ResourceMutation]]:
    rows = []
    all_records = [stamped(step, number) for number, step in enumerate(steps, start=before + 1)]
    for number, step in enumerate(steps, start=before + 1):
        origin = step.origin
        rows.append(
            {
                "mutation_id": hub.new_id(),
                "organization_id": head.organization_id,
                "space_id": head.space_id,
                "unit_id": head.unit_id,
                "revision_id": revision_id,
                "mutation_num": number,
                "revision_num": head.head_revision_num,
                "function_name": origin.function_invocation.function_name,
                "function_invocation": origin.function_invocation,
                "invocation_id": origin.invocation_id,
                "trigger_id": origin.trigger_id,
                "link_id": origin.link_id,
                "provided_resource": origin.provided_resource,
                "provided_path": origin.provided_path,
                "restored_revision_num": origin.restored_revision_num,
                "upgraded_from_upstream_revision_num": origin.upgraded_from_upstream_revision_num,
                "records": all_records[number - before - 1],
                "created_at": head.updated_at,
            }
        )
    tx.execute(insert(MUTATION.table), rows)
    return all_records


def _add_sources(
    tx: Connection, unit: Unit, draft: Draft, records: list[list[ResourceMutation]]
) -> list[ResourceMutation]:
    own = mutation_sources.c.unit_id == unit.unit_id
    existing = tx.execute(select(mutation_sources.c.sources).where(own)).scalar()
    old = unit.data.decode()
    if not old and unit.head_revision_num:
        old = revision_text(tx, _id(unit), unit.head_revision_num)
    steps = [(one, step.is_upstream) for one, step in zip(records, draft.steps, strict=True)]
    sources = advanced(existing or [], steps, old=old, new=draft.text)
    if existing is None:
        tx.execute(insert(mutation_sources).values(unit_id=unit.unit_id, sources=sources))
    else:
        tx.execute(update(mutation_sources).where(own).values(sources=sources))
    return sources
