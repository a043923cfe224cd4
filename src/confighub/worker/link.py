"""The line to the hub over h2: who am I, results and live states on one connection, the stream of events on its own.

Source: the worker protocol of the public API; ``live_state`` and ``action_results`` are this hub's own additions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import httpx2
import msgspec

from confighub.errors import BadRequest, ConfigHubError, Forbidden, NotFound, RetryLater, Unauthenticated
from confighub.records.base import Record, to_wire
from confighub.records.work import ActionResult, BridgeWorker, WorkerEvent, WorkerInfo
from confighub.worker.bridge import LiveChange

_DATA = "data: "
_TIMEOUT_S = 10.0
_NOT_NOW = (408, 425, 429)


class _PushedLiveState(Record):
    unit_id: str
    space_id: str
    revision_num: int
    live_state: bytes


class _Answer(Record):
    message: str = ""


class HubLink:
    """Calls of one worker.

    Each raises RetryLater when the hub cannot be reached or is not well, Unauthenticated or NotFound when it does
    not know this worker, BadRequest for anything else it refuses.
    """

    def __init__(self, url: str, worker_id: str, secret: str, *, silence_s: float) -> None:
        self._worker = f"{url.rstrip('/')}/api/bridge_worker/{worker_id}"
        self._secret, self._silence_s = secret, silence_s
        self._takes_many = True
        self._http = self._new_client()

    async def close(self) -> None:
        """Close the connection; the one of a stream ends with it."""
        await self._http.aclose()

    def _new_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            http1=False,
            http2=True,
            trust_env=False,
            timeout=_TIMEOUT_S,
            headers={"Authorization": f"Bearer {self._secret}", "User-Agent": "confighub-worker"},
            # One connection carries all calls; a broken one is replaced.
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=None),
        )

    async def _renew(self) -> None:
        """Begin with a fresh pool: after a hub was killed, broken connections may keep their places in the old one."""
        old, self._http = self._http, self._new_client()
        await _let_go(old)

    async def me(self) -> BridgeWorker:
        """Return what the hub knows of this worker."""
        answer = await self._call("GET", "me")
        return msgspec.json.decode(answer.content, type=BridgeWorker)

    async def events(self, info: WorkerInfo) -> AsyncIterator[WorkerEvent]:
        """Connect and yield events until the hub ends the stream; lines that are no event are skipped.

        Raises: RetryLater also after silence, which the hub breaks by heartbeats.
        """
        timeout = httpx2.Timeout(_TIMEOUT_S, read=self._silence_s)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        # The stream gets a connection of its own. On a shared one, httpx2 (httpcore2 2.16) lets streams read in turns,
        # and one whose answer another has read meanwhile still waits for its turn. Behind this stream, which reads
        # until the next event, reports hung for up to a heartbeat although their answers were there.
        http = self._new_client()
        try:
            async with http.stream(
                "POST", f"{self._worker}/stream", content=to_wire(info), headers=headers, timeout=timeout
            ) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                    raise _refusal("the stream", answer)
                # It may be a newer hub than the one before.
                self._takes_many = True
                async for line in answer.aiter_lines():
                    if line.startswith(_DATA):
                        try:
                            yield msgspec.json.decode(line[len(_DATA) :], type=WorkerEvent)
                        except msgspec.MsgspecError:
                            continue
        except httpx2.HTTPError as error:
            await self._renew()
            raise _broken("the stream", error) from error
        finally:
            await _let_go(http)

    async def send(self, result: ActionResult) -> None:
        """Report how far an operation is, or how it ended."""
        await self._call("POST", "action_result", to_wire(result))

    async def send_all(self, results: Sequence[ActionResult]) -> list[ConfigHubError | None]:
        """Report of many operations at once; return for each why the hub has not taken it, in order."""
        if len(results) > 1 and self._takes_many:
            try:
                answer = await self._answer("POST", "action_results", to_wire(results))
                if answer.status_code == 200:
                    messages = msgspec.json.decode(answer.content, type=list[_Answer])
                    if len(messages) == len(results):
                        return [NotFound(one.message) if one.message else None for one in messages]
                elif answer.status_code == 404:
                    # A hub of the public kind has no such place.
                    self._takes_many = False
                elif answer.status_code in (401, 403, *_NOT_NOW):
                    return [_refusal("action_results", answer)] * len(results)
                # Else one of them is bad, or more than the hub can bear, and the others are not to suffer for it.
            except msgspec.MsgspecError:
                self._takes_many = False
            except ConfigHubError as error:
                return [error] * len(results)
        return await asyncio.gather(*(self._sent(result) for result in results))

    async def _sent(self, result: ActionResult) -> ConfigHubError | None:
        try:
            await self.send(result)
        except ConfigHubError as error:
            return error
        return None

    async def push(self, changes: list[LiveChange]) -> None:
        """Send live states that changed by themselves."""
        pushed = [
            _PushedLiveState(
                unit_id=change.unit_id,
                space_id=change.space_id,
                revision_num=change.revision_num,
                live_state=change.live_state,
            )
            for change in changes
        ]
        await self._call("POST", "live_state", to_wire(pushed))

    async def _call(self, method: str, path: str, body: bytes | None = None) -> httpx2.Response:
        answer = await self._answer(method, path, body)
        if answer.status_code != 200:
            raise _refusal(path, answer)
        return answer

    async def _answer(self, method: str, path: str, body: bytes | None = None) -> httpx2.Response:
        """Return what the hub answers, whatever that is."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            return await self._http.request(method, f"{self._worker}/{path}", content=body, headers=headers)
        except httpx2.HTTPError as error:
            if isinstance(error, httpx2.PoolTimeout):
                await self._renew()
            raise _broken(path, error) from error


async def _let_go(http: httpx2.AsyncClient) -> None:
    """Close the client, however broken its connections are."""
    with suppress(Exception):
        await http.aclose()


def _broken(what: str, error: Exception) -> RetryLater:
    return RetryLater(f"the hub does not answer ({what}): {str(error) or type(error).__name__}")


def _refusal(what: str, answer: httpx2.Response) -> ConfigHubError:
    message = f"the hub refused {what} with {answer.status_code}: {answer.text[:300]}"
    if answer.status_code in _NOT_NOW or answer.status_code >= 500:
        return RetryLater(message)
    kinds = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
    return kinds.get(answer.status_code, BadRequest)(message)
