"""Who made the changes that an upgrade cannot bring together: of our side and of upstream's.

told(tx, unit, upstream, conflicts) -> list[str]: one line for each conflict, with both values and both authors
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from confighub.hub.store.history import mutations, revisions
from confighub.hub.store.people import users
from confighub.records.mutations import ResourceMutation
from confighub.records.units import Unit

if TYPE_CHECKING:
    from confighub.data.merge import Conflict


def told(tx: Connection, unit: Unit, upstream: Unit, conflicts: list[Conflict]) -> list[str]:
    """Return the conflicts as text: place, why, both values, and who set them in which revision."""
    theirs = _after(tx, upstream, unit.upstream_revision_num)
    return [
        f"{conflict}; ours by {_author(tx, unit, conflict.author)}; upstream's by {_of(theirs, conflict)}"
        for conflict in conflicts
    ]


def _author(tx: Connection, unit: Unit, number: int) -> str:
    """Return who made a mutation of the unit, and in which revision."""
    c = mutations.c
    query = select(c.revision_num, users.c.username).join(revisions, revisions.c.revision_id == c.revision_id)
    query = query.outerjoin(users, users.c.user_id == revisions.c.user_id)
    row = tx.execute(query.where(c.unit_id == unit.unit_id, c.mutation_num == number)).first()
    return _named(row.username, row.revision_num) if row else "unknown"


def _named(username: str | None, revision_num: int) -> str:
    return f"{username or 'nobody known'} in revision {revision_num}"


def _after(tx: Connection, unit: Unit, revision_num: int) -> list[tuple[str, list[ResourceMutation]]]:
    """Return the author and the records of each mutation after a revision, the latest first."""
    c = mutations.c
    query = select(c.revision_num, c.records, users.c.username)
    query = query.join(revisions, revisions.c.revision_id == c.revision_id)
    query = query.outerjoin(users, users.c.user_id == revisions.c.user_id)
    later = query.where(c.unit_id == unit.unit_id, c.revision_num > revision_num).order_by(c.mutation_num.desc())
    return [(_named(row.username, row.revision_num), row.records) for row in tx.execute(later)]


def _of(changes: list[tuple[str, list[ResourceMutation]]], conflict: Conflict) -> str:
    """Return the author of the latest change that touches the conflict's place, above it or below."""
    for author, records in changes:
        for one in records:
            if one.resource.resource_type != conflict.resource.resource_type:
                continue
            is_whole = one.resource_mutation_info.mutation_type in ("Delete", "Replace")
            if is_whole or any(_meet(path, conflict.path) for path in one.path_mutation_map):
                return author
    return changes[0][0] if changes else "unknown"


def _meet(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
