"""Organizations, users and memberships."""

from __future__ import annotations

from datetime import datetime

from confighub.records.base import Entity, Record


class Organization(Entity):
    """The owner of every space; one in each hub made by ``bin/up``."""

    external_id: str = ""
    billing_account_id: str | None = None


class User(Record):
    """A person or a machine that changes things; passwords never appear in a record."""

    user_id: str | None = None
    username: str = ""
    display_name: str = ""
    slug: str = ""
    external_id: str = ""
    profile_picture_url: str = ""
    entity_type: str = "User"
    version: int = 0
    cursor_id: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class OrganizationMember(Record):
    """A user as member of an organization: the answer of ``GET /me``."""

    user_id: str | None = None
    username: str = ""
    display_name: str = ""
    slug: str = ""
    external_id: str = ""
    organization_id: str | None = None
    external_organization_id: str = ""
    profile_picture_url: str = ""
