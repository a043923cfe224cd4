"""What a caller sees, and where they may act. Every query of a use case goes through here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, or_, select

from confighub.errors import Forbidden, NotFound
from confighub.hub.caller import ROLES, Caller, Right
from confighub.hub.kinds import SPACE, Kind
from confighub.hub.store.database import remembered
from confighub.hub.store.entities import spaces
from confighub.hub.store.people import organization_members, organizations, space_roles, users
from confighub.hub.store.rows import columns, record
from confighub.records.base import NIL_ID
from confighub.records.spaces import Space


def visible(kind: Kind, caller: Caller, rows: FromClause | None = None) -> ColumnElement[bool]:
    """Return the condition that holds for the living rows of the kind that the caller may read."""
    c = (kind.table if rows is None else rows).c
    terms: list[ColumnElement[bool]] = []
    if "deleted_at" in c:
        terms.append(c.deleted_at.is_(None))
    if kind.table is users:
        member = select(organization_members.c.user_id)
        terms.append(c.user_id.in_(member.where(organization_members.c.organization_id == caller.organization_id)))
    else:
        terms.append(c.organization_id == caller.organization_id)
    if "space_id" in c and not caller.may("read"):
        terms.append(c.space_id.in_(_spaces_of(caller)))
    return and_(*terms)


def organizations_of(caller: Caller) -> ColumnElement[bool]:
    """Return the condition that holds for the organizations that the caller belongs to."""
    member = select(organization_members.c.organization_id).where(organization_members.c.user_id == caller.user_id)
    own = organizations.c.organization_id == caller.organization_id
    return and_(organizations.c.deleted_at.is_(None), or_(own, organizations.c.organization_id.in_(member)))


def require_space(tx: Connection, caller: Caller, space_id: str | None, right: Right = "read") -> Space:
    """Return the space that the caller acts in.

    Raises: NotFound, when there is none that the caller sees; Forbidden, when they may not do this there.
    """
    space = remembered(tx, ("space", space_id, caller), lambda: _space(tx, caller, space_id))
    if space is None:
        raise NotFound(f"no such space: {space_id}")
    if not may_in(tx, caller, right, space_id):
        raise Forbidden(f"{caller.username} may not {right} in space {space.slug}")
    return space


def may_in(tx: Connection, caller: Caller, right: Right, space_id: str | None) -> bool:
    """Whether the caller has the right in the space, by a role of the organization or of the space."""
    if caller.may(right):
        return True
    roles = tx.execute(
        select(space_roles.c.role).where(space_roles.c.space_id == space_id, space_roles.c.user_id == caller.user_id)
    ).scalars()
    return any(right in ROLES.get(role, ()) for role in roles)


def _space(tx: Connection, caller: Caller, space_id: str | None) -> Space | None:
    query = select(*columns(SPACE)).where(spaces.c.space_id == (space_id or NIL_ID), visible(SPACE, caller))
    row = tx.execute(query).first()
    return None if row is None else record(SPACE, row)


def _spaces_of(caller: Caller) -> Any:
    return select(space_roles.c.space_id).where(space_roles.c.user_id == caller.user_id)
