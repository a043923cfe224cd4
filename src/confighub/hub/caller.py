"""Who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from confighub.errors import Forbidden

Right = Literal["read", "write", "approve", "apply", "administer"]

ROLES: dict[str, frozenset[Right]] = {
    "admin": frozenset({"read", "write", "approve", "apply", "administer"}),
    "developer": frozenset({"read", "write", "approve", "apply"}),
    "sre": frozenset({"read", "write", "approve", "apply"}),
    "worker": frozenset({"read", "write", "apply"}),
    "viewer": frozenset({"read"}),
    "member": frozenset(),
}
"""What each role may do. A role of the organization counts in all its spaces; the same
names are given per space to members whose role in the organization is ``member``."""


@dataclass(frozen=True)
class Caller:
    """The one who asks: a user or a worker, in one organization."""

    user_id: str
    username: str
    organization_id: str
    roles: frozenset[str] = frozenset()
    user_agent: str = ""
    worker_id: str | None = None

    def may(self, right: Right) -> bool:
        """Whether a role in the organization gives the right, in every space."""
        return any(right in ROLES.get(role, ()) for role in self.roles)

    def require(self, right: Right) -> None:
        """Raise Forbidden unless the right holds in every space."""
        if not self.may(right):
            raise Forbidden(f"{self.username} may not {right} here", hint=f"roles: {', '.join(sorted(self.roles))}")
