"""Organizations, their members, and users as the wire shows them.

get_me(hub, caller) -> OrganizationMember
list_users(hub, caller, listing=ALL) -> list[User]            get_user(hub, caller, user_id) -> User
list_organizations(hub, caller, listing=ALL) -> list[Organization]
get_organization(hub, caller, organization_id) -> Organization
create_organization / update_organization(hub, caller, [organization_id,] body) -> Organization
delete_organization(hub, caller, organization_id) -> DeleteResponse
list_members(hub, caller, organization_id, listing=ALL) -> list[OrganizationMember]
get_member / create_member / delete_member(hub, caller, organization_id, …)
set_role(hub, caller, username, role) -> None                      a user's role in the caller's organization
grant_role / revoke_role(hub, caller, space_id, username, role) -> None      for members without a role, one space

Who they are and how they prove it is in ``people``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from confighub.errors import BadRequest, NotFound
from confighub.hub.caller import ROLES, Caller
from confighub.hub.callers import PEOPLE
from confighub.hub.domain.slugs import check_slug, slugify
from confighub.hub.hub import Hub
from confighub.hub.kinds import ORGANIZATION, SPACE, USER
from confighub.hub.store.entities import spaces
from confighub.hub.store.people import organization_members, organizations, space_roles, users
from confighub.hub.store.rows import columns, insert_if_absent, own_id, record
from confighub.hub.usecases import audit, people
from confighub.hub.usecases.access import organizations_of, require_space
from confighub.hub.usecases.entities import check_version, create_in
from confighub.hub.usecases.listing import ALL, Listing, find, find_one
from confighub.query import evaluate, parser
from confighub.records.answers import DeleteResponse
from confighub.records.people import Organization, OrganizationMember, User
from confighub.records.spaces import Space


def get_me(hub: Hub, caller: Caller) -> OrganizationMember:
    """Return the caller as a member of their organization; a worker is shown under its own name."""
    with hub.read() as tx:
        organization = _organization(tx, caller, caller.organization_id)
        if not own_id(caller.user_id):
            return OrganizationMember(
                user_id=caller.worker_id,
                username=caller.username,
                display_name=caller.username,
                slug=slugify(caller.username),
                organization_id=organization.organization_id,
                external_organization_id=organization.external_id,
            )
        return _member(find_one(hub, tx, caller, USER, caller.user_id), organization)


def list_users(hub: Hub, caller: Caller, listing: Listing = ALL) -> list[User]:
    """Return the members of the caller's organization that the listing chooses."""
    with hub.read() as tx:
        return find(hub, tx, caller, USER, listing)


def get_user(hub: Hub, caller: Caller, user_id: str) -> User:
    """Return a member of the caller's organization."""
    with hub.read() as tx:
        found: User = find_one(hub, tx, caller, USER, user_id)
        return found


def list_organizations(hub: Hub, caller: Caller, listing: Listing = ALL) -> list[Organization]:
    """Return the organizations that the caller belongs to and the listing chooses."""
    expression = parser.parse(listing.where, "Organization")
    with hub.read() as tx:
        query = select(*columns(ORGANIZATION)).where(organizations_of(caller)).order_by(organizations.c.cursor_id)
        found: list[Organization] = [record(ORGANIZATION, row) for row in tx.execute(query)]
    # A caller belongs to a handful, so they are sifted here.
    found = [one for one in found if evaluate.matches(expression, {"Organization": one})]
    if listing.contains:
        found = [one for one in found if evaluate.contains("Organization", listing.contains, {"Organization": one})]
    return found


def get_organization(hub: Hub, caller: Caller, organization_id: str) -> Organization:
    """Return an organization that the caller belongs to, by id or external id."""
    with hub.read() as tx:
        return _organization(tx, caller, organization_id)


def create_organization(hub: Hub, caller: Caller, body: Organization) -> Organization:
    """Return the new organization, with a space ``default`` and the caller as its first member."""
    caller.require("administer")
    body.slug = check_slug(body.slug or slugify(body.display_name))
    with hub.write() as tx:
        one = Organization(**{name: getattr(body, name) for name in ORGANIZATION.writable})
        made = people.insert_organization(tx, hub, one)
        if own_id(caller.user_id):
            values = {"organization_id": made.organization_id, "user_id": caller.user_id, "role": "admin"}
            tx.execute(insert(organization_members).values(**values))
        create_in(tx, hub, people.system(made), SPACE, Space(slug="default"), None)
        audit.note(tx, hub, caller, "create", ORGANIZATION, made)
        return made


def update_organization(hub: Hub, caller: Caller, organization_id: str, body: Organization) -> Organization:
    """Return the organization with names, labels and annotations replaced by the body's."""
    caller.require("administer")
    with hub.write() as tx:
        before = _organization(tx, caller, organization_id)
        check_version(ORGANIZATION, before, body.version)
        changes: dict[str, Any] = {name: getattr(body, name) for name in ORGANIZATION.writable}
        changes["slug"] = check_slug(body.slug) if body.slug else before.slug
        changes |= {"version": before.version + 1, "updated_at": hub.now()}
        own = organizations.c.organization_id == before.organization_id
        tx.execute(update(organizations).where(own).values(**changes))
        audit.note(tx, hub, caller, "update", ORGANIZATION, before)
        return msgspec.structs.replace(before, **changes)


def delete_organization(hub: Hub, caller: Caller, organization_id: str) -> DeleteResponse:
    """Delete an organization without spaces.

    Raises: BadRequest, when it has some, and for the caller's own.
    """
    caller.require("administer")
    with hub.write() as tx:
        before = _organization(tx, caller, organization_id)
        if before.organization_id == caller.organization_id:
            raise BadRequest("this is the organization that you are in")
        living = spaces.c.organization_id == before.organization_id, spaces.c.deleted_at.is_(None)
        slug = tx.execute(select(spaces.c.slug).where(*living).limit(1)).scalar()
        if slug is not None:
            raise BadRequest(f"organization {before.slug} still has a space: {slug}", hint="delete its spaces first")
        own = organizations.c.organization_id == before.organization_id
        tx.execute(update(organizations).where(own).values(deleted_at=hub.now()))
        audit.note(tx, hub, caller, "delete", ORGANIZATION, before)
        hub.wake(tx, PEOPLE)
        return DeleteResponse(message=f"Organization {before.slug} deleted")


def list_members(hub: Hub, caller: Caller, organization_id: str, listing: Listing = ALL) -> list[OrganizationMember]:
    """Return the members of an organization that the caller belongs to."""
    expression = parser.parse(listing.where, "OrganizationMember")
    with hub.read() as tx:
        organization = _organization(tx, caller, organization_id)
        found = [_member(user, organization) for user in _users(tx, organization)]
    found = [one for one in found if evaluate.matches(expression, {"OrganizationMember": one})]
    if listing.contains:
        wanted = listing.contains
        found = [m for m in found if evaluate.contains("OrganizationMember", wanted, {"OrganizationMember": m})]
    return found


def get_member(hub: Hub, caller: Caller, organization_id: str, user_id: str) -> OrganizationMember:
    """Return one member."""
    with hub.read() as tx:
        organization = _organization(tx, caller, organization_id)
        return _member(_user(tx, organization, user_id), organization)


def create_member(hub: Hub, caller: Caller, organization_id: str, body: OrganizationMember) -> OrganizationMember:
    """Add a user to the caller's organization, as developer; a user who is not known yet is made, without password."""
    caller.require("administer")
    with hub.write() as tx:
        organization = _organization(tx, caller, organization_id)
        row = tx.execute(select(*columns(USER)).where(users.c.username == body.username)).first()
        if row is None:
            user = people.insert_user(
                tx,
                hub,
                replace(caller, organization_id=organization.organization_id or ""),
                body.username,
                "",
                role="developer",
                display_name=body.display_name,
            )
        else:
            user = record(USER, row)
            if any(one.user_id == user.user_id for one in _users(tx, organization)):
                raise BadRequest(f"{user.username} is a member already")
            values = {
                "organization_id": organization.organization_id,
                "user_id": user.user_id,
                "role": "developer",
            }
            tx.execute(insert(organization_members).values(**values))
            audit.note(tx, hub, caller, "add-member", USER, user, role="developer")
        return _member(user, organization)


def delete_member(hub: Hub, caller: Caller, organization_id: str, user_id: str) -> DeleteResponse:
    """Take a user out of the organization; the user and what they did stay."""
    caller.require("administer")
    with hub.write() as tx:
        organization = _organization(tx, caller, organization_id)
        user = _user(tx, organization, user_id)
        if user.user_id == caller.user_id:
            raise BadRequest("you cannot take yourself out")
        c = organization_members.c
        tx.execute(
            delete(organization_members).where(
                c.organization_id == organization.organization_id, c.user_id == user.user_id
            )
        )
        audit.note(tx, hub, caller, "remove-member", USER, user)
        hub.wake(tx, PEOPLE)
        return DeleteResponse(message=f"{user.username} is no longer a member of {organization.slug}")


def set_role(hub: Hub, caller: Caller, username: str, role: str) -> None:
    """Give a member another role in the caller's organization; ``member`` sees only spaces that are granted."""
    caller.require("administer")
    _check_role(role)
    with hub.write() as tx:
        user = people.find_user(tx, username)
        c = organization_members.c
        own = c.organization_id == caller.organization_id, c.user_id == user.user_id
        if not tx.execute(update(organization_members).where(*own).values(role=role)).rowcount:
            raise NotFound(f"no such member: {username}")
        audit.note(tx, hub, caller, "set-role", USER, user, role=role)
        hub.wake(tx, PEOPLE)


def grant_role(hub: Hub, caller: Caller, space_id: str, username: str, role: str) -> None:
    """Give a user a role in one space; twice is the same as once."""
    caller.require("administer")
    _check_role(role)
    with hub.write() as tx:
        space, user = require_space(tx, caller, space_id), people.find_user(tx, username)
        insert_if_absent(tx, space_roles, space_id=space.space_id, user_id=user.user_id, role=role)
        audit.note(tx, hub, caller, "grant", SPACE, space, user=username, role=role)


def revoke_role(hub: Hub, caller: Caller, space_id: str, username: str, role: str) -> None:
    """Take a user's role in one space away.

    Raises: NotFound, when they did not have it.
    """
    caller.require("administer")
    with hub.write() as tx:
        space, user = require_space(tx, caller, space_id), people.find_user(tx, username)
        c = space_roles.c
        own = c.space_id == space.space_id, c.user_id == user.user_id, c.role == role
        if not tx.execute(delete(space_roles).where(*own)).rowcount:
            raise NotFound(f"{username} has no such role in space {space.slug}: {role}")
        audit.note(tx, hub, caller, "revoke", SPACE, space, user=username, role=role)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise BadRequest(f"no such role: {role}", hint=f"one of {', '.join(sorted(ROLES))}")


def _organization(tx: Connection, caller: Caller, organization_id: str) -> Organization:
    c = organizations.c
    named = (c.organization_id == own_id(organization_id)) | (c.external_id == organization_id)
    row = tx.execute(select(*columns(ORGANIZATION)).where(named, organizations_of(caller))).first()
    if row is None:
        raise NotFound(f"no such organization: {organization_id}")
    one: Organization = record(ORGANIZATION, row)
    return one


def _users(tx: Connection, organization: Organization) -> list[User]:
    c = organization_members.c
    query = select(*columns(USER)).join(organization_members, c.user_id == users.c.user_id)
    own = c.organization_id == organization.organization_id, users.c.deleted_at.is_(None)
    return [record(USER, row) for row in tx.execute(query.where(*own).order_by(users.c.cursor_id))]


def _user(tx: Connection, organization: Organization, user_id: str) -> User:
    for user in _users(tx, organization):
        if user.user_id == own_id(user_id):
            return user
    raise NotFound(f"no such member: {user_id}")


def _member(user: User, organization: Organization) -> OrganizationMember:
    return OrganizationMember(
        user_id=user.user_id,
        username=user.username,
        display_name=user.display_name,
        slug=user.slug,
        external_id=user.external_id,
        organization_id=organization.organization_id,
        external_organization_id=organization.external_id,
        profile_picture_url=user.profile_picture_url,
    )
