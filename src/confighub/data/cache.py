"""A bounded memory of computed values."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Remembers the latest values, bounded by the bytes of their keys."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget, self._used, self._lock = budget_bytes, 0, Lock()
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return what is remembered, which makes it the latest, or None."""
        found = self._values.get(key)
        if found is None:
            return None
        with suppress(KeyError):  # another thread may just have dropped it
            self._values.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Remember a value; the oldest go when the budget is used up."""
        with self._lock:
            old = self._values.pop(key, None)
            self._used += size_bytes - (old[1] if old else 0)
            self._values[key] = (value, size_bytes)
            while self._used > self._budget and len(self._values) > 1:
                _, (_, dropped) = self._values.popitem(last=False)
                self._used -= dropped

    def drop(self, key: Key) -> None:
        """Forget one value."""
        with self._lock:
            old = self._values.pop(key, None)
            self._used -= old[1] if old else 0

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self._used = 0
