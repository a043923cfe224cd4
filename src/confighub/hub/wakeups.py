"""Taps on the shoulder: who waits for work is woken when a commit brought some.

A wake-up carries an id and nothing else; the woken one looks into the database. One may
come without work, and several may be told as one.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable

Callback = Callable[[], None]


class WakeUps:
    """Callbacks by the id that they wait for; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[Callback]] = defaultdict(set)

    def subscribe(self, key: str, callback: Callback) -> Callback:
        """Call ``callback`` at each wake-up of ``key``, from the thread that committed; return what ends it.

        The callback must be short and must not raise: a stream passes
        ``lambda: loop.call_soon_threadsafe(event.set)``.
        """
        with self._lock:
            self._waiting[key].add(callback)

        def unsubscribe() -> None:
            with self._lock:
                self._waiting[key].discard(callback)
                if not self._waiting[key]:
                    del self._waiting[key]

        return unsubscribe

    def wake_all(self) -> None:
        """Wake everyone: some wake-ups may have been missed."""
        with self._lock:
            keys = list(self._waiting)
        self.wake(keys)

    def wake(self, keys: Iterable[str]) -> None:
        """Wake everyone who waits for one of the keys."""
        with self._lock:
            callbacks = [callback for key in keys for callback in self._waiting.get(key, ())]
        for callback in callbacks:
            callback()
