"""Gates: what must hold before a revision may be applied, looked at whenever there is a new head.

Built-in gates come from ``functions.gates``, the others from validating triggers on ``Mutation``
in the unit's space; a gate is named ``<trigger slug>/<function>``. Approval belongs to a revision.

closed_gates(tx, unit_id, revision_num) -> list[str]: the gates that refuse this revision now
environment_of(space) -> str: the value of label ``environment``, else ``env``

Triggers that name a worker are in ``trigger_calls``; when heads are looked at again is in ``rechecks``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from confighub.hub.domain.mutations import Origin, Step
from confighub.hub.kinds import TRIGGER
from confighub.hub.store.database import remembered
from confighub.hub.store.entities import invocations, triggers
from confighub.hub.store.history import applications, approvals, gate_results
from confighub.hub.store.people import users
from confighub.hub.store.quarantine import GATE as QUARANTINE
from confighub.hub.store.quarantine import is_quarantined, is_revision_quarantined
from confighub.hub.store.rows import columns, record
from confighub.hub.usecases import surroundings
from confighub.records.automation import Trigger
from confighub.records.functions import FunctionInvocation
from confighub.records.spaces import Space
from confighub.records.units import Unit

if TYPE_CHECKING:
    from confighub.functions.invoke import Context

APPROVAL = "approval/is-approved"
"""The built-in gate that an approval of the revision opens."""


@dataclass(frozen=True)
class Call:
    """A trigger with the function call that it stands for, and the worker that is to run it; None is the hub."""

    trigger: Trigger
    invocation: FunctionInvocation
    worker_id: str | None = None

    @property
    def gate(self) -> str:
        """The name of the gate that the trigger closes when it does not pass."""
        return f"{self.trigger.slug}/{self.invocation.function_name}"

    @property
    def is_about_clones(self) -> bool:
        """Whether it runs when a unit is cloned, and not at every change."""
        return self.trigger.event != "Mutation"


def environment_of(space: Space) -> str:
    """Return the environment that the space's labels name, empty when they name none."""
    return space.labels.get("environment") or space.labels.get("env") or ""


def triggers_of(tx: Connection, space_id: str | None, event: str, toolchain: str) -> list[Call]:
    """Return the enabled triggers of the space for the event, in the order they were made."""
    return remembered(tx, ("triggers", space_id, event, toolchain), lambda: _calls(tx, space_id, event, toolchain))


def _calls(tx: Connection, space_id: str | None, event: str, toolchain: str) -> list[Call]:
    chosen = (
        triggers.c.space_id == space_id,
        triggers.c.event == event,
        triggers.c.toolchain_type == toolchain,
        triggers.c.disabled.is_(False),
        triggers.c.deleted_at.is_(None),
    )
    return calls_where(tx, *chosen)


def calls_where(tx: Connection, *conditions: ColumnElement[bool]) -> list[Call]:
    """Return the triggers that the conditions choose, in the order they were made."""
    query = select(*columns(TRIGGER)).where(*conditions).order_by(triggers.c.cursor_id)
    return [call_of(tx, record(TRIGGER, row)) for row in tx.execute(query).all()]


def call_of(tx: Connection, trigger: Trigger) -> Call:
    """Return the trigger with the call that it makes: its own, or that of its invocation."""
    if trigger.invocation_id:
        c = invocations.c
        query = select(c.function_name, c.arguments, c.bridge_worker_id)
        row = tx.execute(query.where(c.invocation_id == trigger.invocation_id)).one()
        call = FunctionInvocation(function_name=row.function_name, arguments=row.arguments)
        return Call(trigger, call, trigger.bridge_worker_id or row.bridge_worker_id)
    call = FunctionInvocation(function_name=trigger.function_name, arguments=trigger.arguments)
    return Call(trigger, call, trigger.bridge_worker_id)


def context_of(tx: Connection, unit: Unit, space: Space, text: str, functions: Iterable[str] = ()) -> Context:
    """Return what the functions, and the space's triggers, may know of the unit whose text they are given.

    Approvals are of this very text.
    """
    from confighub.functions.invoke import Context

    triggered = triggers_of(tx, unit.space_id, "Mutation", unit.toolchain_type)
    functions = {*functions, *(call.invocation.function_name for call in triggered)}
    names = select(users.c.username).where(users.c.user_id.in_(unit.approved_by or []))
    return Context(
        unit_slug=unit.slug,
        unit_display_name=unit.display_name,
        unit_id=unit.unit_id or "",
        space_slug=space.slug,
        space_id=space.space_id or "",
        organization_id=space.organization_id or "",
        revision_num=unit.head_revision_num,
        approved_by=tuple(tx.execute(names).scalars()) if unit.approved_by else (),
        labels=unit.labels,
        annotations=unit.annotations,
        previous_content_hash=crc32(text.encode()),
        **surroundings.fields(tx, unit, functions),
    )


def run_mutating(calls: list[Call], text: str, context: Context, toolchain: str) -> tuple[str, list[Step]]:
    """Return the text after the mutating triggers, with one step for each that changed it."""
    from confighub.functions.invoke import invoke

    steps: list[Step] = []
    for call in calls:
        if call.trigger.validating or call.worker_id:
            continue
        answer = invoke(text, [call.invocation], context=context, toolchain=toolchain)
        if answer.success and answer.text != text:
            origin = Origin(function_invocation=call.invocation, trigger_id=call.trigger.trigger_id)
            steps.append(Step(origin, answer.mutations))
            text = answer.text
    return text, steps


def look(calls: list[Call], text: str, context: Context, *, environment: str, toolchain: str) -> dict[str, bool]:
    """Return every gate of the text that the hub looks at itself, by name; true means closed.

    A validating trigger that fails keeps its gate closed.
    """
    from confighub.functions import gates
    from confighub.functions.invoke import invoke

    found: dict[str, bool] = {}
    if toolchain == "Kubernetes/YAML":
        found |= gates.closed(text, environment=environment, approved=bool(context.approved_by))
    for call in calls:
        if not call.trigger.validating or call.worker_id:
            continue
        answer = invoke(text, [call.invocation], context=context, toolchain=toolchain)
        found[call.gate] = not (answer.success and answer.passed)
    return found


def store_gates(
    tx: Connection, unit_id: str, revision_num: int, found: dict[str, bool], *, is_new: bool = False
) -> dict[str, bool]:
    """Keep the gates of the revision, in place of earlier ones if it is not new; return those that are closed."""
    own = gate_results.c.unit_id == unit_id, gate_results.c.revision_num == revision_num
    if not is_new:
        tx.execute(delete(gate_results).where(*own))
    if found:
        rows = [
            {"unit_id": unit_id, "revision_num": revision_num, "gate": gate, "closed": closed}
            for gate, closed in found.items()
        ]
        tx.execute(insert(gate_results), rows)
    return {gate: True for gate, closed in found.items() if closed}


def quarantine_gate(tx: Connection, unit_id: str | None, text: str) -> dict[str, bool]:
    """Return the gate that a text in quarantine closes; empty for every other text."""
    return {QUARANTINE: True} if is_quarantined(tx, unit_id, text) else {}


def closed_gates(tx: Connection, unit_id: str, revision_num: int) -> list[str]:
    """Return the names of the gates that refuse this revision, in order; empty when it may be applied.

    A revision that was live before needs no new approval. Whether its text is in quarantine is looked up
    now, and so is what stands around the unit: the other gates of older revisions were kept when they were new.
    """
    own = gate_results.c.unit_id == unit_id, gate_results.c.revision_num == revision_num
    query = select(gate_results.c.gate, gate_results.c.closed).where(*own, gate_results.c.gate != QUARANTINE)
    stored = {row.gate: row.closed for row in tx.execute(query.order_by(gate_results.c.gate))}
    found = [gate for gate, closed in surroundings.now(tx, unit_id, revision_num, stored).items() if closed]
    if APPROVAL in found and _was_live(tx, unit_id, revision_num):
        found.remove(APPROVAL)
    if is_revision_quarantined(tx, unit_id, revision_num):
        found.append(QUARANTINE)
    return found


def is_approved(tx: Connection, unit_id: str, revision_num: int) -> bool:
    """Whether somebody approved this revision."""
    own = approvals.c.unit_id == unit_id, approvals.c.revision_num == revision_num
    return tx.execute(select(approvals.c.user_id).where(*own).limit(1)).first() is not None


def _was_live(tx: Connection, unit_id: str, revision_num: int) -> bool:
    own = applications.c.unit_id == unit_id, applications.c.revision_num == revision_num
    return tx.execute(select(applications.c.cursor_id).where(*own).limit(1)).first() is not None
