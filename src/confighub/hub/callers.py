"""Who was who a moment ago, so that credentials that come with every request are looked up once in a while.

What changes people, tokens or workers wakes ``PEOPLE``: this process forgets all at once, others on a
PostgreSQL are told by it, and others on an SQLite file by the time of a file beside it. Whatever is missed
holds for ``LASTING_S`` at most.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from confighub.hub.caller import Caller

PEOPLE = "people"
"""The key of the wake-up that says: what somebody may do has changed."""

LASTING_S = 2.0

SIZE = 1024

Moment = tuple[int, int]
"""What tells whether something changed in between."""


class Callers:
    """Callers by a keyed hash of what they showed; bounded, and safe to use from any thread."""

    def __init__(self, stamp: Path | None) -> None:
        self._stamp = stamp
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._changes = 0
        self._known: OrderedDict[bytes, tuple[Moment, float, Caller]] = OrderedDict()

    def mark(self, *shown: str) -> bytes:
        """Return what stands for the credentials here, and tells nothing of them."""
        return hmac.digest(self._key, "\0".join(shown).encode(), "sha256")

    def moment(self) -> Moment:
        """Return the present moment; to be taken before the credentials are looked up."""
        return self._changes, self._changed_outside()

    def known(self, mark: bytes, user_agent: str) -> Caller | None:
        """Return the caller who showed this a moment ago, None when nobody did or something changed since."""
        now = self.moment()
        with self._lock:
            found = self._known.get(mark)
            if found is None:
                return None
            moment, until, caller = found
            if moment != now or until < time.monotonic():
                del self._known[mark]
                return None
        return caller if caller.user_agent == user_agent else replace(caller, user_agent=user_agent)

    def keep(self, mark: bytes, caller: Caller, moment: Moment) -> None:
        """Remember who showed this, as looked up at the moment."""
        with self._lock:
            self._known[mark] = (moment, time.monotonic() + LASTING_S, caller)
            if len(self._known) > SIZE:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Forget all: something changed."""
        with self._lock:
            self._changes += 1
            self._known.clear()

    def tell(self) -> None:
        """Tell other processes on the same folder that something changed."""
        if self._stamp is not None:
            self._stamp.touch(mode=0o600)

    def _changed_outside(self) -> int:
        if self._stamp is None:
            return 0
        try:
            return self._stamp.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
