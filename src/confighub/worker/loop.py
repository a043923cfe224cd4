"""The worker's life: stay connected, carry out what comes, report until it is accepted.

Operations of one unit run one after the other, those of different units side by side. The connection
may break and the hub may be started again at any moment; what runs goes on, and what is over is told when
the hub is back. An operation that comes twice is carried out once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from confighub.errors import ConfigHubError, NotFound, RetryLater
from confighub.records.base import NIL_ID
from confighub.records.work import (
    ActionResult,
    BridgePayload,
    BridgeWorkerInfo,
    FunctionWorkerInfo,
    WorkerEvent,
    WorkerInfo,
)
from confighub.worker import functions, readiness
from confighub.worker.bridge import Bridge, LiveChange, Operation, Outcome, Report
from confighub.worker.journal import Journal
from confighub.worker.link import HubLink
from confighub.worker.outbox import Outbox

_LOG = logging.getLogger("confighub.worker")
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0  # a hub that was started again should not wait for its workers
_FUNCTIONS = "functions"  # their own queue, as in the public worker
_FAILED: Mapping[str, Any] = {
    "Apply": "ApplyFailed",
    "Destroy": "DestroyFailed",
    "Refresh": "RefreshFailed",
    "Import": "ImportFailed",
}


class Worker:
    """One worker.

    ``bridges`` are by provider; ``poll_interval_s`` is the longest pause between two attempts to reach the hub.
    """

    def __init__(
        self,
        link: HubLink,
        bridges: Mapping[str, Bridge],
        journal: Journal,
        *,
        poll_interval_s: float,
        offers_functions: bool,
    ) -> None:
        self._link, self._bridges, self._journal = link, bridges, journal
        self._longest_pause_s, self._offers_functions = min(poll_interval_s, _LONGEST_PAUSE_S), offers_functions
        self._outbox = Outbox(link, journal, longest_pause_s=self._longest_pause_s)
        self._queues: dict[str, asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]]] = {}
        self._known: set[str] = set()
        self._late: dict[str, ActionResult] = {}
        # By unit: the newest that is known, what of that waits to be pushed, and what is on its way to the hub.
        self._newest: dict[str, LiveChange] = {}
        self._unpushed: dict[str, LiveChange] = {}
        self._sending: dict[str, LiveChange] = {}
        self._has_unpushed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Work until cancelled. Raises: Unauthenticated or NotFound when the hub does not know this worker."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for bridge in self._bridges.values():
                tasks.create_task(bridge.watch(self._changed))
            tasks.create_task(self._push_changes())
            tasks.create_task(self._outbox.run())
            for result in self._journal.unsent():
                tasks.create_task(self._outbox.finish(result, is_kept=True))
            await self._stay_connected()

    async def _stay_connected(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                worker = await self._link.me()
                _LOG.info("connected as %s", worker.slug)
                async for event in self._link.events(self._info()):
                    pause_s = _FIRST_PAUSE_S
                    self._take(event)
                _LOG.info("the hub ended the stream")
            except RetryLater as error:
                _LOG.info("%s; again in %.1f s", error, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._longest_pause_s)

    def _info(self) -> WorkerInfo:
        types = [bridge.offers() for bridge in self._bridges.values()]
        offered = functions.signatures() if self._offers_functions else None
        return WorkerInfo(
            bridge_worker_info=BridgeWorkerInfo(supported_config_types=types),
            function_worker_info=FunctionWorkerInfo(supported_functions=offered) if offered else None,
        )

    def _take(self, event: WorkerEvent) -> None:
        """Put one event in its queue; what cannot be read is logged and left to the hub's timeout."""
        try:
            if event.event == "WorkerEvent" and event.data.action == "Heartbeat":
                self._spawn(self._beat())
            elif event.event == "BridgeWorkerEvent":
                payload = msgspec.json.decode(event.data.payload, type=BridgePayload)
                self._enqueue(payload.unit_id, payload.queued_operation_id, self._operate, event.data.action, payload)
            elif event.event == "FunctionWorkerEvent":
                call = msgspec.json.decode(event.data.payload, type=functions.Payload)
                self._enqueue(_FUNCTIONS, call.queued_operation_id, self._invoke, event.data.action, call)
            else:
                _LOG.warning("an event of an unknown kind: %s %s", event.event, event.data.action)
        except msgspec.MsgspecError as error:
            _LOG.warning("an event that cannot be read: %s", error)

    def _enqueue(
        self, name: str, operation_id: str, work: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> None:
        if operation_id in self._known:
            return  # it runs or waits already: the hub lost its stream in between
        if finished := self._journal.result(operation_id):
            self._spawn(self._outbox.finish(finished, is_kept=True))
            return
        self._known.add(operation_id)
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = asyncio.Queue()
            self._spawn(self._drain(name, queue))

        async def one() -> None:
            try:
                await work(*args)
            finally:
                self._known.discard(operation_id)

        queue.put_nowait(one)

    async def _drain(self, name: str, queue: asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Do what is in the queue, one after the other; an empty queue ends."""
        while not queue.empty():
            await queue.get_nowait()()
        del self._queues[name]

    async def _operate(self, action: str, payload: BridgePayload) -> None:
        self._late.pop(payload.unit_id, None)
        result = ActionResult(
            queued_operation_id=payload.queued_operation_id,
            unit_id=payload.unit_id,
            space_id=payload.space_id,
            revision_num=payload.revision_num,
            action=action,
            started_at=datetime.now(UTC),
        )

        async def report(message: str) -> None:
            self._outbox.tell(msgspec.structs.replace(result, status="Progressing", message=message))

        try:
            outcome = await self._carry_out(action, payload, report)
        except ConfigHubError as error:
            outcome = Outcome(_FAILED.get(action, "None"), str(error))
        except Exception as error:
            _LOG.exception("%s of %s failed", action, payload.unit_slug)
            outcome = Outcome(_FAILED.get(action, "None"), f"the worker failed: {type(error).__name__}: {error}")
        self._expect_late(result, outcome)
        _LOG.info("%s of %s revision %d: %s", action, payload.unit_slug, payload.revision_num, outcome.result)
        told = None
        if outcome.live_state is not None:
            told = LiveChange(payload.unit_id, payload.space_id, payload.revision_num, outcome.live_state)
        await self._end_with(told, result, outcome, is_known=action in _FAILED or action == "Finalize")

    async def _carry_out(self, action: str, payload: BridgePayload, report: Report) -> Outcome:
        bridge = self._bridges.get(payload.provider_type)
        if action == "Finalize":
            return Outcome("None", "nothing to finalize")
        if action not in _FAILED:
            return Outcome("None", f"unknown operation name: {action}")
        if bridge is None:
            known = ", ".join(self._bridges)
            return Outcome(_FAILED[action], f"this worker serves {known} and not {payload.provider_type}")
        operation = Operation.of(payload)
        if action == "Apply":
            return await bridge.apply(operation, report)
        if action == "Destroy":
            return await bridge.destroy(operation, report)
        if action == "Refresh":
            return await bridge.refresh(operation, report)
        return await bridge.import_objects(operation, report)

    async def _invoke(self, action: str, call: functions.Payload) -> None:
        request = call.invocation_request
        result = ActionResult(
            queued_operation_id=call.queued_operation_id,
            unit_id=request.unit_id or NIL_ID,
            space_id=request.space_id or NIL_ID,
            revision_num=request.revision_num,
            action=action,
            started_at=datetime.now(UTC),
        )
        try:
            data = await asyncio.to_thread(functions.invoke, request)
            outcome = Outcome("FunctionInvocationCompleted", "Function invocation completed", data=data)
        except (ConfigHubError, ImportError, ValueError) as error:
            outcome = Outcome("FunctionInvocationFailed", str(error))
        await self._end(result, outcome, is_known=True)

    async def _end(self, result: ActionResult, outcome: Outcome, *, is_known: bool) -> None:
        """Remember how the operation ended, then tell it until it is accepted."""
        # The protocol leaves out the end of what may still go on, and of what never began.
        ends = outcome.result not in ("None", "ApplyWaitFailed")
        final = msgspec.structs.replace(
            result,
            status=outcome.status if is_known else "None",
            result=outcome.result,
            message=outcome.message,
            terminated_at=datetime.now(UTC) if ends else None,
            live_state=outcome.live_state,
            data=outcome.data,
            outputs=outcome.outputs,
        )
        await self._outbox.finish(final)

    def _end_with(
        self, told: LiveChange | None, result: ActionResult, outcome: Outcome, *, is_known: bool
    ) -> Coroutine[Any, Any, None]:
        """Let the end overtake at once what is older than the live state it tells; return the telling of it."""
        if told is not None:
            self._overtake(told)

        async def tell() -> None:
            await self._end(result, outcome, is_known=is_known)
            if told is not None:
                self._push_again(told)

        return tell()

    async def _beat(self) -> None:
        now = datetime.now(UTC)
        trouble = "; ".join(filter(None, (bridge.trouble() for bridge in self._bridges.values())))
        beat = ActionResult(action="Heartbeat", status="Completed", message=trouble, started_at=now, terminated_at=now)
        with suppress(ConfigHubError):
            await self._link.send(beat)

    def _expect_late(self, result: ActionResult, outcome: Outcome) -> None:
        """Remember an apply that was not ready in time: when it gets ready after all, it did complete."""
        if outcome.result == "ApplyWaitFailed":
            self._late[result.unit_id] = result

    def _complete_late(self, change: LiveChange) -> None:
        late = self._late.get(change.unit_id)
        if late is None or late.revision_num != change.revision_num:
            return
        if readiness.of_objects(msgspec.json.decode(change.live_state)).is_ready:
            del self._late[change.unit_id]
            outcome = Outcome("ApplyCompleted", "ready after the wait was over", live_state=change.live_state)
            self._spawn(self._end_with(change, late, outcome, is_known=True))

    async def _changed(self, change: LiveChange) -> None:
        """Take in a change of live state; the newest of each unit is sent."""
        self._complete_late(change)
        if self._newest.get(change.unit_id) != change:
            self._newest[change.unit_id] = change
            self._push(change)

    def _push(self, change: LiveChange) -> None:
        self._unpushed[change.unit_id] = change
        self._has_unpushed.set()

    def _overtake(self, told: LiveChange) -> None:
        """Forget what is older than what the end of an operation tells."""
        self._newest[told.unit_id] = told
        self._unpushed.pop(told.unit_id, None)
        if self._sending.pop(told.unit_id, None):
            # It may come to the hub after the end.
            self._push(told)

    def _push_again(self, told: LiveChange) -> None:
        """Push what changed while the end of an operation was on its way, since that may have come to the hub later."""
        newest = self._newest[told.unit_id]
        if newest != told:
            self._push(newest)

    async def _push_changes(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._has_unpushed.wait()
            self._has_unpushed.clear()
            self._sending, self._unpushed = self._unpushed, {}
            try:
                await self._link.push(list(self._sending.values()))
                self._sending = {}
                pause_s = _FIRST_PAUSE_S
            except NotFound:
                # A hub of the public kind has no such place; it asks by refreshing.
                self._sending = {}
            except ConfigHubError as error:
                _LOG.info("live states are sent again: %s", error)
                self._unpushed = self._sending | self._unpushed
                self._sending = {}
                self._has_unpushed.set()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._longest_pause_s)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._tasks is not None
        self._tasks.create_task(work)
