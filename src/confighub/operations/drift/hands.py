"""Several drifted units handled at once, so that one that takes its time holds up no other."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from confighub.errors import RetryLater
from confighub.operations.drift.outcome import Drifted, Handled

_MOST = 8  # corrections are applies, and those wait for what they apply


class Hands:
    """Handles units in threads of its own, each unit once at a time; they end with the program."""

    def __init__(self, handle: Callable[[Drifted], Handled]) -> None:
        self._handle = handle
        self._done: queue.SimpleQueue[tuple[Drifted, Handled | Exception]] = queue.SimpleQueue()
        self.busy: set[str] = set()
        """The ids of the units in hand."""

    def take(self, drifted: Drifted) -> None:
        """Begin with a unit, unless it is in hand or all hands are full."""
        unit_id = str(drifted.unit["UnitID"])
        if unit_id in self.busy or len(self.busy) >= _MOST:
            return
        self.busy.add(unit_id)
        threading.Thread(target=self._work, args=(drifted,), daemon=True).start()

    def done(self, wait_s: float) -> Iterator[tuple[Drifted, Handled | RetryLater]]:
        """Yield what is finished, waiting so long for the first.

        Raises: what handling raised, but for RetryLater, which is yielded.
        """
        while True:
            try:
                drifted, outcome = self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait()
            except queue.Empty:
                return
            wait_s = 0.0
            self.busy.discard(str(drifted.unit["UnitID"]))
            if isinstance(outcome, Exception) and not isinstance(outcome, RetryLater):
                raise outcome
            yield drifted, outcome

    def _work(self, drifted: Drifted) -> None:
        try:
            outcome: Handled | Exception = self._handle(drifted)
        except Exception as error:
            outcome = error
        self._done.put((drifted, outcome))
