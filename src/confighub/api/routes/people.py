"""Organizations, their members, users, the caller, and what was done by whom."""

from __future__ import annotations

from typing import Any

from confighub.api.call import Call
from confighub.api.listing import AFTER, CONTAINS, GET, LIMIT, WHERE, listing, trimmed
from confighub.api.routing import Parameter, Route
from confighub.hub.kinds import ORGANIZATION
from confighub.hub.usecases import audit, organizations
from confighub.hub.usecases.audit import AuditRow, Verified
from confighub.records.answers import DeleteResponse
from confighub.records.people import Organization, OrganizationMember, User


def get_me(call: Call) -> Any:
    """Return the caller as member of the organization."""
    return organizations.get_me(call.hub, call.caller)


def list_users(call: Call) -> Any:
    """Return the users."""
    return organizations.list_users(call.hub, call.caller, listing(call))


def get_user(call: Call) -> Any:
    """Return one user."""
    return organizations.get_user(call.hub, call.caller, call.id("user_id"))


def list_organizations(call: Call) -> Any:
    """Return the organizations of the caller."""
    asked = listing(call)
    return trimmed(ORGANIZATION, organizations.list_organizations(call.hub, call.caller, asked), asked)


def get_organization(call: Call) -> Any:
    """Return one organization, by its id or its external one."""
    asked = listing(call)
    found = organizations.get_organization(call.hub, call.caller, call.path["organization_id"])
    return trimmed(ORGANIZATION, found, asked)


def create_organization(call: Call) -> Any:
    """Return the new organization."""
    return organizations.create_organization(call.hub, call.caller, call.record(Organization))


def update_organization(call: Call) -> Any:
    """Return the organization with everything that callers set replaced."""
    body = call.record(Organization)
    return organizations.update_organization(call.hub, call.caller, call.path["organization_id"], body)


def delete_organization(call: Call) -> Any:
    """Delete the organization."""
    return organizations.delete_organization(call.hub, call.caller, call.path["organization_id"])


def list_members(call: Call) -> Any:
    """Return the members."""
    return organizations.list_members(call.hub, call.caller, call.path["organization_id"], listing(call))


def get_member(call: Call) -> Any:
    """Return one member."""
    user_id = call.id("organization_member_id")
    return organizations.get_member(call.hub, call.caller, call.path["organization_id"], user_id)


def create_member(call: Call) -> Any:
    """Return the new member."""
    body = call.record(OrganizationMember)
    return organizations.create_member(call.hub, call.caller, call.path["organization_id"], body)


def delete_member(call: Call) -> Any:
    """Take the member out of the organization."""
    user_id = call.id("organization_member_id")
    return organizations.delete_member(call.hub, call.caller, call.path["organization_id"], user_id)


def list_audit(call: Call) -> Any:
    """Return what was done, the newest first."""
    return audit.list_audit(
        call.hub,
        call.caller,
        limit=call.number("limit") or 100,
        after=call.number("after") or 0,
        entity_id=call.text("entity_id") or None,
        space_id=call.text("space_id") or None,
    )


def verify_audit(call: Call) -> Any:
    """Return whether the chain of what was done is whole."""
    call.caller.require("administer")
    return audit.verify(call.hub)


_ONE = "/organization/{organization_id}"
_MEMBERS = f"{_ONE}/organization_member"
_MEMBER = f"{_MEMBERS}/{{organization_member_id}}"
_FIND = (WHERE, CONTAINS)
_TAG = "organization"

ROUTES = (
    Route("GET", "/me", "GetMe", get_me, "Return the caller", OrganizationMember, tag="user"),
    Route("GET", "/user", "ListUsers", list_users, "List the users", list[User], query=_FIND, tag="user"),
    Route("GET", "/user/{user_id}", "GetUser", get_user, "Return a user", User, tag="user"),
    Route(
        "GET",
        "/organization",
        "ListOrganizations",
        list_organizations,
        "List the caller's organizations",
        list[Organization],
        query=(*_FIND, *GET),
        tag=_TAG,
    ),
    Route(
        "POST",
        "/organization",
        "CreateOrganization",
        create_organization,
        "Create an organization",
        Organization,
        Organization,
        tag=_TAG,
    ),
    Route(
        "GET", _ONE, "GetOrganization", get_organization, "Return an organization", Organization, query=GET, tag=_TAG
    ),
    Route(
        "PUT",
        _ONE,
        "UpdateOrganization",
        update_organization,
        "Replace an organization",
        Organization,
        Organization,
        tag=_TAG,
    ),
    Route(
        "DELETE", _ONE, "DeleteOrganization", delete_organization, "Delete an organization", DeleteResponse, tag=_TAG
    ),
    Route(
        "GET",
        _MEMBERS,
        "ListOrganizationMembers",
        list_members,
        "List the members",
        list[OrganizationMember],
        query=_FIND,
        tag=_TAG,
    ),
    Route(
        "POST",
        _MEMBERS,
        "CreateOrganizationMember",
        create_member,
        "Add a member",
        OrganizationMember,
        OrganizationMember,
        tag=_TAG,
    ),
    Route("GET", _MEMBER, "GetOrganizationMember", get_member, "Return a member", OrganizationMember, tag=_TAG),
    Route("DELETE", _MEMBER, "DeleteOrganizationMember", delete_member, "Remove a member", DeleteResponse, tag=_TAG),
    Route(
        "GET",
        "/audit",
        "ListAudit",
        list_audit,
        "List what was done, the newest first",
        list[AuditRow],
        query=(
            LIMIT,
            AFTER,
            Parameter("entity_id", "Only what was done to this entity."),
            Parameter("space_id", "Only what was done in this space."),
        ),
        tag="audit",
        is_ours=True,
    ),
    Route(
        "GET",
        "/audit/verify",
        "VerifyAudit",
        verify_audit,
        "Check that no row of what was done was changed or taken out",
        Verified,
        tag="audit",
        is_ours=True,
    ),
)
