"""What workers report: progress and ends of operations, live state, signs of life.

A report may come twice, late, or after the operation was put back; only one that moves the
operation forward changes anything. The unit's numbers move in the transaction of the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from confighub.errors import ConfigHubError, NotFound
from confighub.hub.caller import Caller
from confighub.hub.domain import content, lifecycle
from confighub.hub.domain.mutations import Origin, Step, compared
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, UNIT
from confighub.hub.store.entities import bridge_workers, spaces, targets, units
from confighub.hub.store.history import applications
from confighub.hub.store.many import insert_all_if_absent, lock_all, portions, upsert_all
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.store.work_queue import live_states, queued_operations
from confighub.hub.usecases import heads, queue, remote_functions, trigger_answers, work
from confighub.hub.usecases.audit import Noted, note_all
from confighub.hub.usecases.fillings import text_of
from confighub.records.base import NIL_ID, Record
from confighub.records.units import Unit
from confighub.records.work import FINAL, ActionResult

DRIFTED = "Drifted"


class PushedLiveState(Record):
    """One unit's live objects, sent by a worker as they change."""

    unit_id: str
    space_id: str = ""
    revision_num: int = 0
    live_state: bytes = b""


def record_result(hub: Hub, caller: Caller, result: ActionResult) -> None:
    """Keep what the calling worker reports; a report without an operation is a sign of life.

    Raises: NotFound when the operation is not this worker's.
    """
    for error in record_results(hub, caller, [result]):
        if error:
            raise error


def record_results(hub: Hub, caller: Caller, reported: Sequence[ActionResult]) -> list[NotFound | None]:
    """Keep what the calling worker reports, in its order and one transaction; return for each why it was not taken."""
    with hub.write() as tx:
        beats = [result.message for result in reported if result.action == "Heartbeat"]
        _seen(tx, hub, caller, beats[-1] if beats else None)
        answers: list[NotFound | None] = []
        known = _operations(tx, caller, reported)
        for number, together in enumerate(_of_different_units(reported, known)):
            if number:  # the reports before may have moved what these are about
                known = _operations(tx, caller, together)
            answers += _record(tx, hub, caller, together, known)
        return answers


def _of_different_units(reported: Sequence[ActionResult], known: dict[str, Row[Any]]) -> Iterator[list[ActionResult]]:
    """Divide the reports, in order, so that each part has one of a unit at most: the next counts on the one before.

    The unit is that of the operation, whatever the worker says.
    """
    part: list[ActionResult] = []
    there: set[str] = set()
    for result in reported:
        operation = known.get(own_id(result.queued_operation_id) or "")
        about = {operation.queued_operation_id, operation.unit_id} - {NIL_ID} if operation else set[str]()
        if about & there:
            yield part
            part, there = [], set()
        part.append(result)
        there |= about
    if part:
        yield part


def _record(
    tx: Connection, hub: Hub, caller: Caller, reported: list[ActionResult], known: dict[str, Row[Any]]
) -> list[NotFound | None]:
    answers: list[NotFound | None] = []
    reports: list[_Report] = []
    for result in reported:
        operation_id = own_id(result.queued_operation_id)
        operation = known.get(operation_id or "")
        is_stranger = operation_id is not None and operation is None
        answers.append(NotFound(f"no operation of this worker has the id {operation_id}") if is_stranger else None)
        if operation is None or not _counts(tx, operation, result):
            continue
        if operation.trigger_id is not None:
            trigger_answers.keep_answer(tx, hub, caller, operation, result)
        elif operation.action == lifecycle.INVOKE:
            remote_functions.keep_answer(tx, hub, operation, result)
        else:
            reports.append(_Report(operation, result))
    _progress(tx, hub, caller, reports)
    return answers


def _operations(tx: Connection, caller: Caller, reported: Sequence[ActionResult]) -> dict[str, Row[Any]]:
    """Return those operations that are the calling worker's, by id."""
    c = queued_operations.c
    found: dict[str, Row[Any]] = {}
    for some in portions([one for one in (own_id(result.queued_operation_id) for result in reported) if one]):
        own = c.queued_operation_id.in_(some), c.bridge_worker_id == caller.worker_id
        found |= {row.queued_operation_id: row for row in tx.execute(select(queued_operations).where(*own))}
    return found


def _counts(tx: Connection, operation: Row[Any], result: ActionResult) -> bool:
    """Whether the report moves the operation forward."""
    if not lifecycle.accepts(now=operation.status, result_now=operation.result, then=result.status):
        return False
    return not (operation.status in FINAL and _has_successor(tx, operation))


def keep_live_states(hub: Hub, caller: Caller, pushed: list[PushedLiveState]) -> int:
    """Keep the live states that the calling worker pushes, for units of its targets; return how many.

    Units that are not the worker's are left out without an error: they may just have moved.
    """
    with hub.write() as tx:
        own = _own_units(tx, caller, [one.unit_id for one in pushed])
        kept = [one for one in pushed if own_id(one.unit_id) in own]
        # The last one of a unit is how it is now.
        newest = {own_id(one.unit_id) or "": one for one in kept}
        rows = [_live(unit_id, one.live_state, revision_num=one.revision_num) for unit_id, one in newest.items()]
        _keep_live(tx, hub, rows)
        return len(kept)


def _own_units(tx: Connection, caller: Caller, unit_ids: Sequence[str]) -> set[str]:
    """Return those of the units whose target the calling worker serves."""
    found: set[str] = set()
    query = select(units.c.unit_id).join(targets, targets.c.target_id == units.c.target_id)
    for some in portions([one for one in map(own_id, unit_ids) if one]):
        own = units.c.unit_id.in_(some), targets.c.bridge_worker_id == caller.worker_id
        found |= set(tx.execute(query.where(*own)).scalars())
    return found


def _seen(tx: Connection, hub: Hub, caller: Caller, message: str | None) -> None:
    values: dict[str, Any] = {"last_seen_at": hub.now(), "condition": "Ready"}
    if message is not None:
        values["last_message"] = message
    tx.execute(update(bridge_workers).where(bridge_workers.c.bridge_worker_id == caller.worker_id).values(**values))


def _has_successor(tx: Connection, operation: Row[Any]) -> bool:
    """Whether a later operation of the unit was sent, so that a late success no longer says how things are."""
    c = queued_operations.c
    own = c.unit_id == operation.unit_id, c.action != lifecycle.INVOKE
    later = *own, c.cursor_id > operation.cursor_id, c.attempts > 0
    return tx.execute(select(c.cursor_id).where(*later).limit(1)).first() is not None


@dataclass
class _Report:
    """A report on an operation of a unit, and what is made of it; the unit is None when it was deleted meanwhile."""

    operation: Row[Any]
    result: ActionResult
    unit: Unit | None = None
    numbers: lifecycle.Numbers | None = None
    refusal: str = ""

    @property
    def status(self) -> str:
        """How the operation stands now."""
        return "Failed" if self.refusal else self.result.status

    @property
    def message(self) -> str:
        """What is told of it."""
        return self.refusal or self.result.message

    @property
    def applied(self) -> int:
        """The revision that became live by this report, 0 for none."""
        is_apply = self.operation.action == "Apply" or _brings_drift(self.operation, self.result)
        return self.numbers.live if self.numbers and is_apply else 0


def _brings_drift(operation: Row[Any], result: ActionResult) -> bool:
    """Whether what was found in the target comes as the unit's new text."""
    return operation.action == "Refresh" and result.result == "RefreshAndDrifted" and bool(result.data)


def _progress(tx: Connection, hub: Hub, caller: Caller, reports: list[_Report]) -> None:
    """Move the operations, which are of different units, and carry out what their ends mean."""
    found = queue.units_by_id(tx, (report.operation.unit_id for report in reports))
    for report in reports:
        report.unit = found.get(report.operation.unit_id)
        if report.unit is not None and report.status == "Completed":
            _complete(tx, hub, caller, report, report.unit)
    completed = [(report.unit, report.numbers) for report in reports if report.unit and report.numbers]
    queue.store_numbers(tx, completed)
    _keep_applications(tx, hub, [report for report in reports if report.applied])
    _keep_live(tx, hub, [_live_of(report) for report in reports if report.unit])
    queue.move_all(tx, hub, [_move(hub, report) for report in reports])
    _end(tx, hub, caller, [report for report in reports if report.status in FINAL])


def _end(tx: Connection, hub: Hub, caller: Caller, reports: list[_Report]) -> None:
    """Tell that the operations have ended, and apply what waited for that."""
    for report in reports:
        hub.wake(tx, report.operation.bridge_worker_id or "")
    living = [(report, report.unit) for report in reports if report.unit is not None]
    note_all(
        tx,
        hub,
        caller,
        UNIT,
        [
            Noted(f"{report.operation.action.lower()} {report.status.lower()}", unit, report.message)
            for report, unit in living
        ],
    )
    work.apply_all_due(tx, hub, caller, [report.operation.unit_id for report, _ in living])


def _move(hub: Hub, report: _Report) -> queue.Move:
    operation, result = report.operation, report.result
    return queue.Move(
        operation,
        report.status,
        result=f"{operation.action}Failed" if report.refusal else result.result,
        message=report.message,
        started_at=result.started_at if _is_set(result.started_at) else None,
        terminated_at=result.terminated_at if _is_set(result.terminated_at) else None,
        columns=_lease_of(hub, operation, report.status),
    )


def _lease_of(hub: Hub, operation: Row[Any], status: str) -> dict[str, Any]:
    """Return the lease of an operation whose worker reports while no stream has it: it needs none to go on."""
    if status in FINAL or operation.lease_owner:
        return {}
    return {"lease_owner": "result", "lease_until": hub.now() + timedelta(seconds=hub.settings.lease_s)}


def _complete(tx: Connection, hub: Hub, caller: Caller, report: _Report, unit: Unit) -> None:
    """Set what a completed operation means for the unit's numbers, taking over the text that it brings.

    What came from the cluster may be refused as any other text; the operation then failed.
    """
    operation, result = report.operation, report.result
    action, number, numbers = operation.action, operation.revision_num, queue.numbers_of(unit)
    is_drift = _brings_drift(operation, result)
    if result.data and (is_drift or action == "Import"):
        # What came before in the same request may have led, over a link, to a new head of this unit.
        now = queue.unit_by_id(tx, operation.unit_id) or unit
        try:
            with tx.begin_nested():
                head = _adopt(tx, hub, caller, now, result.data, source=action)
        except ConfigHubError as error:
            report.refusal = str(error)
            return
        if is_drift:
            action, number = "Apply", head.head_revision_num
    report.numbers = lifecycle.completed(numbers, action=action, revision_num=number)


def _keep_applications(tx: Connection, hub: Hub, reports: list[_Report]) -> None:
    rows = [
        {
            "unit_id": report.operation.unit_id,
            "revision_num": report.applied,
            "queued_operation_id": report.operation.queued_operation_id,
            "live_at": hub.now(),
        }
        for report in reports
    ]
    insert_all_if_absent(tx, applications, rows)


def _adopt(tx: Connection, hub: Hub, caller: Caller, unit: Unit, data: bytes, *, source: str) -> Unit:
    """Make what was found in the target the unit's head; return the unit as it is then."""
    text, before = content.decoded(data), text_of(tx, unit.unit_id or "")
    if text == before:
        return unit
    heads.refuse_text(text, unit.toolchain_type)
    space = record(SPACE, tx.execute(select(*columns(SPACE)).where(spaces.c.space_id == unit.space_id)).one())
    step = Step(Origin(), compared(before, text, unit.toolchain_type))
    draft = heads.Draft(text, (step,), source=source, description="taken from the target")
    head = heads.write(tx, hub, caller, unit, heads.plan(tx, unit, space, draft))
    tx.execute(
        update(units)
        .where(units.c.unit_id == unit.unit_id)
        .values(version=units.c.version + 1, updated_at=head.updated_at)
    )
    return head


Live = tuple[str, dict[str, Any]]
"""What becomes known of a unit's live objects: its id, and values by column; what is not known stays as it was."""


def _live(unit_id: str, live_state: bytes | None, **more: Any) -> Live:
    given = {"live_state": live_state, **more}
    return unit_id, {name: value for name, value in given.items() if value is not None}


def _live_of(report: _Report) -> Live:
    """Return what the report says of the unit's live objects."""
    operation, result = report.operation, report.result
    if report.numbers is None:
        return _live(operation.unit_id, result.live_state)
    if operation.action == "Destroy":
        return _live(operation.unit_id, b"", outputs=b"")
    drifted = result.result == "RefreshAndDrifted" and not result.data
    return _live(
        operation.unit_id,
        result.live_state,
        outputs=result.outputs,
        revision_num=report.applied or None,
        drift=DRIFTED if drifted else "",
    )


def _keep_live(tx: Connection, hub: Hub, found: list[Live]) -> None:
    now = hub.now()
    known = [(unit_id, {**values, "updated_at": now}) for unit_id, values in found if values]
    known.sort(key=lambda live: live[0])
    lock_all(tx, live_states.c.unit_id, [unit_id for unit_id, _ in known])
    upsert_all(tx, live_states.c.unit_id, known)
    for unit_id, _ in known:
        hub.wake(tx, unit_id)


def _is_set(moment: Any) -> bool:
    return moment is not None and moment.year > 1
