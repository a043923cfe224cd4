"""Tries of the whole flow, one after the other in the background, on both sides in turn."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol

from confighub.operations.rollout.analysis import Trial

_AGAIN_S = 0.5


class Trier(Protocol):
    """Whoever can try the flow; the product does not know what that is."""

    def trial(self, address: str) -> Trial:
        """Try the flow once, with the version that answers at the address; never raises."""


class Trials:
    """Tries in a thread until the block ends; ``taken`` returns what there is since the last time.

    ``old`` and ``new`` are where the versions answer; ``old`` is empty when there is none to compare with.
    """

    def __init__(self, trier: Trier | None, *, old: str = "", new: str) -> None:
        self._trier, self._old, self._new = trier, old, new
        self._done: list[tuple[Trial, Trial]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trials", daemon=True)

    def __enter__(self) -> Trials:
        if self._trier is not None and self._new:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A try under way may wait for messages; whoever goes back does not wait for it.
        self._ended.set()

    def taken(self) -> Iterable[tuple[Trial, Trial]]:
        """Return the pairs of tries, old and new, that have ended since the last time."""
        with self._lock:
            found, self._done = self._done, []
        return found

    def _run(self) -> None:
        assert self._trier is not None
        while not self._ended.is_set():
            # Without an old version to compare with, a failure is the new one's.
            old = self._trier.trial(self._old) if self._old else Trial(passed=True)
            pair = (old, self._trier.trial(self._new))
            with self._lock:
                self._done.append(pair)
            self._ended.wait(_AGAIN_S)
