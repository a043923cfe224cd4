"""What the worker has to tell of operations: the ends until the hub has them, together whatever waits together.

An end is on disk before it is sent. While one request is under way others gather for the next one, and where many
end one after the other they gather a little longer, so that a thousand operations cost dozens of requests and not
thousands, and a single one does not wait for company.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from confighub.errors import ConfigHubError, Forbidden, RetryLater, Unauthenticated
from confighub.records.work import ActionResult
from confighub.worker.journal import Journal
from confighub.worker.link import HubLink

_LOG = logging.getLogger("confighub.worker")
_FIRST_PAUSE_S = 0.1
_AT_ONCE = 200
# So many ends in a row are a crowd: the next one waits for company, until nobody comes any more, or for so long.
_CROWD = 10
_QUIET_S, _GATHERING_S = 0.01, 0.1
# A request may carry this much live state; the hub takes 32 MiB.
_AT_ONCE_BYTES = 4 * 1024 * 1024
# What a hub that is well again takes.
_PASSING = (RetryLater, Unauthenticated, Forbidden)


@dataclass
class _Letter:
    """A report; ``waiting`` are those who wait until the hub has it, nobody for one that is no end."""

    result: ActionResult
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def operation_id(self) -> str:
        """The operation that it is about."""
        return self.result.queued_operation_id

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.result.live_state or b"") + len(self.result.data or b"") + 500


class Outbox:
    """The reports of one worker on their way to its hub; ``run`` sends them."""

    def __init__(self, link: HubLink, journal: Journal, *, longest_pause_s: float) -> None:
        self._link, self._journal, self._longest_pause_s = link, journal, longest_pause_s
        self._unkept: list[_Letter] = []
        self._has_unkept = asyncio.Event()
        self._unsent: dict[str, _Letter] = {}
        self._has_unsent = asyncio.Event()

    def tell(self, result: ActionResult) -> None:
        """Tell how far an operation is: a courtesy, left out when its end comes first or the hub is away."""
        unsent = self._unsent.get(result.queued_operation_id)
        if unsent is None or not unsent.waiting:
            self._post(_Letter(result))

    async def finish(self, result: ActionResult, *, is_kept: bool = False) -> None:
        """Tell how an operation ended; return when that is on disk and the hub has it, or does not want it.

        ``is_kept`` says that it is on disk already.
        """
        taken = asyncio.get_running_loop().create_future()
        letter = _Letter(result, [taken])
        if is_kept:
            self._post(letter)
        else:
            self._unkept.append(letter)
            self._has_unkept.set()
        await taken

    async def run(self) -> None:
        """Keep and send what comes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep())
            tasks.create_task(self._send())

    async def _keep(self) -> None:
        """Bring ends to the disk, those that came meanwhile together."""
        in_a_row, last = 0, float("-inf")
        while True:
            await self._has_unkept.wait()
            if time.monotonic() - last > _GATHERING_S:
                in_a_row = 0
            elif in_a_row >= _CROWD:
                await self._gather()
            self._has_unkept.clear()
            letters, self._unkept = self._unkept, []
            # The disk takes its time, which operations under way need not wait for.
            await asyncio.to_thread(self._journal.finish, *(letter.result for letter in letters))
            for letter in letters:
                self._post(letter)
            in_a_row += len(letters)
            last = time.monotonic()

    async def _gather(self) -> None:
        """Wait while more ends come."""
        deadline, count = time.monotonic() + _GATHERING_S, 0
        while len(self._unkept) > count and time.monotonic() < deadline:
            count = len(self._unkept)
            await asyncio.sleep(_QUIET_S)

    async def _send(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._has_unsent.wait()
            letters = self._next()
            answers = await self._link.send_all([letter.result for letter in letters])
            if self._settle(letters, answers):
                pause_s = _FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._longest_pause_s)

    def _post(self, letter: _Letter) -> None:
        """Let it be sent in place of an older one about the operation, whose sender then waits for this one."""
        if older := self._unsent.get(letter.operation_id):
            letter.waiting += older.waiting
        self._unsent[letter.operation_id] = letter
        self._has_unsent.set()

    def _post_again(self, letter: _Letter) -> None:
        if newer := self._unsent.get(letter.operation_id):
            newer.waiting += letter.waiting
        elif letter.waiting:
            self._post(letter)

    def _next(self) -> list[_Letter]:
        """Take out what goes into one request, oldest first."""
        letters: list[_Letter] = []
        size = 0
        while self._unsent and len(letters) < _AT_ONCE and size < _AT_ONCE_BYTES:
            letter = self._unsent.pop(next(iter(self._unsent)))
            size += letter.size
            letters.append(letter)
        if not self._unsent:
            self._has_unsent.clear()
        return letters

    def _settle(self, letters: list[_Letter], answers: Sequence[ConfigHubError | None]) -> bool:
        """Take in what the hub said; return False when some are to be sent again after a pause."""
        over: list[_Letter] = []
        for letter, error in zip(letters, answers, strict=True):
            if isinstance(error, _PASSING):
                self._post_again(letter)
                continue
            if error and letter.waiting:
                _LOG.warning("the hub does not want the result of %s: %s", letter.operation_id, error)
            over.append(letter)
        again = [error for error in answers if isinstance(error, _PASSING)]
        if again:
            _LOG.info("%s; %d reports are sent again", again[0], len(again))
        ends = [letter for letter in over if letter.waiting]
        self._journal.accept(*(letter.operation_id for letter in ends))
        for taken in [taken for letter in ends for taken in letter.waiting]:
            if not taken.done():
                taken.set_result(None)
        return not again
