"""How often one client may ask: a bucket that fills at the allowed rate."""

from __future__ import annotations

from confighub.runtime.routes import Limit

_KEPT = 10_000  # buckets; a full one means the client has been quiet, so forgetting it changes nothing


class Buckets:
    """The clients of every Ingress of an environment; ``now_s`` is any clock that only goes forward."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], tuple[float, float]] = {}
        self._open: dict[tuple[str, str], int] = {}

    def allows(self, ingress: str, client: str, limit: Limit, *, now_s: float) -> bool:
        """Take one request out of the client's bucket; False when it is empty."""
        if not limit.rate_per_s:
            return True
        if len(self._left) > _KEPT:
            self._left.clear()
        size = float(max(1, limit.burst))
        left, since_s = self._left.get((ingress, client), (size, now_s))
        left = min(size, left + (now_s - since_s) * limit.rate_per_s)
        allowed = left >= 1.0
        self._left[ingress, client] = (left - 1.0 if allowed else left, now_s)
        return allowed

    def enter(self, ingress: str, client: str, limit: Limit) -> bool:
        """Count a request in flight; False when the client has as many as it may."""
        now_open = self._open.get((ingress, client), 0)
        if limit.connections and now_open >= limit.connections:
            return False
        self._open[ingress, client] = now_open + 1
        return True

    def leave(self, ingress: str, client: str) -> None:
        """Count a request out."""
        left = self._open.pop((ingress, client)) - 1
        if left:
            self._open[ingress, client] = left
