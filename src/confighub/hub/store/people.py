"""The tables of organizations, users, what they may do, and how they prove who they are."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table

from confighub.hub.store.columns import Id, Instant, Sha256, String, Wire, cursor, metadata

organizations = Table(
    "organizations",
    metadata,
    cursor(),
    Column("organization_id", Id, nullable=False, unique=True),
    Column("slug", String, nullable=False, unique=True),
    Column("display_name", String, nullable=False, default=""),
    Column("external_id", String, nullable=False, unique=True),
    Column("billing_account_id", Id),
    Column("labels", Wire(dict[str, str]), nullable=False, default={}),
    Column("annotations", Wire(dict[str, str]), nullable=False, default={}),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)

users = Table(
    "users",
    metadata,
    cursor(),
    Column("user_id", Id, nullable=False, unique=True),
    Column("username", String, nullable=False, unique=True),
    Column("display_name", String, nullable=False, default=""),
    Column("slug", String, nullable=False, default=""),
    Column("external_id", String, nullable=False, default=""),
    Column("profile_picture_url", String, nullable=False, default=""),
    Column("password_hash", String, nullable=False, default=""),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("deleted_at", Instant),
)
"""``password_hash`` is empty for those who come with tokens only, such as workers."""

organization_members = Table(
    "organization_members",
    metadata,
    Column("organization_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("role", String, nullable=False),
)
Index("organization_members_user", organization_members.c.user_id)

space_roles = Table(
    "space_roles",
    metadata,
    Column("space_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("role", String, primary_key=True),
)

tokens = Table(
    "tokens",
    metadata,
    cursor(),
    Column("token_id", Id, nullable=False, unique=True),
    Column("name", String, nullable=False, default=""),
    Column("token_hash", Sha256, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("user_id", Id),
    Column("bridge_worker_id", Id),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)
"""Bearer tokens by their SHA-256; the token itself is shown once and kept nowhere."""
