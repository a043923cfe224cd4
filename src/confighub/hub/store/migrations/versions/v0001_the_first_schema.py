"""the first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from confighub.hub.store.append_only import statements

revision = "0001"
down_revision = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
CURSOR = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SHA256 = sa.LargeBinary(length=32)
LIVING = sa.text("deleted_at IS NULL")
APPEND_ONLY = ("blobs", "revisions", "mutations", "audit_log", "audit_chain")


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "applications",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("queued_operation_id", STRING, nullable=True),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("queued_operation_id"),
    )
    op.create_index("applications_revision", "applications", ["unit_id", "revision_num"], unique=False)
    op.create_table(
        "approvals",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("user_id", STRING, nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "revision_num", "user_id"),
    )
    op.create_table(
        "audit_chain",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audit_cursor_id", sa.Integer(), nullable=False),
        sa.Column("previous", SHA256, nullable=False),
        sa.Column("hash", SHA256, nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("audit_cursor_id"),
    )
    op.create_table(
        "audit_log",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization_id", STRING, nullable=True),
        sa.Column("space_id", STRING, nullable=True),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("username", STRING, nullable=False),
        sa.Column("user_agent", STRING, nullable=False),
        sa.Column("action", STRING, nullable=False),
        sa.Column("entity_type", STRING, nullable=False),
        sa.Column("entity_id", STRING, nullable=True),
        sa.Column("entity_slug", STRING, nullable=False),
        sa.Column("message", STRING, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
    )
    op.create_index("audit_log_entity", "audit_log", ["entity_id"], unique=False)
    op.create_index("audit_log_space", "audit_log", ["space_id", "cursor_id"], unique=False)
    op.create_table(
        "blobs",
        sa.Column("sha", SHA256, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha"),
    )
    op.create_table(
        "bridge_worker_statuses",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("bridge_worker_status_id", STRING, nullable=False),
        sa.Column("bridge_worker_id", STRING, nullable=False),
        sa.Column("bridge_worker_slug", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("ip_address", STRING, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("bridge_worker_status_id"),
    )
    op.create_index(
        "bridge_worker_statuses_worker", "bridge_worker_statuses", ["bridge_worker_id", "cursor_id"], unique=False
    )
    op.create_table(
        "bridge_workers",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("bridge_worker_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("secret", STRING, nullable=False),
        sa.Column("condition", STRING, nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_message", STRING, nullable=False),
        sa.Column("ip_address", STRING, nullable=False),
        sa.Column("provided_info", sa.Text(), nullable=True),
        sa.Column("auto_apply", sa.Boolean(), nullable=False),
        sa.Column("poll_interval", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("bridge_worker_id"),
    )
    op.create_index("bridge_workers_parent_cursor", "bridge_workers", ["space_id", "cursor_id"], unique=False)
    op.create_index("bridge_workers_slug", "bridge_workers", ["slug"], unique=False)
    op.create_index(
        "bridge_workers_slug_living",
        "bridge_workers",
        ["space_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_table(
        "change_set_members",
        sa.Column("change_set_id", STRING, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("start_revision_num", sa.Integer(), nullable=False),
        sa.Column("end_revision_num", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("change_set_id", "unit_id"),
    )
    op.create_table(
        "change_sets",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("change_set_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filter_id", STRING, nullable=True),
        sa.Column("start_tag_id", STRING, nullable=True),
        sa.Column("end_tag_id", STRING, nullable=True),
        sa.Column("description", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("change_set_id"),
    )
    op.create_index("change_sets_parent_cursor", "change_sets", ["space_id", "cursor_id"], unique=False)
    op.create_index("change_sets_slug", "change_sets", ["slug"], unique=False)
    op.create_index(
        "change_sets_slug_living",
        "change_sets",
        ["space_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_table(
        "filters",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("filter_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_", STRING, nullable=False),
        sa.Column("where", STRING, nullable=False),
        sa.Column("where_data", STRING, nullable=False),
        sa.Column("resource_type", STRING, nullable=False),
        sa.Column("from_space_id", STRING, nullable=True),
        sa.Column("hash", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("filter_id"),
    )
    op.create_index("filters_parent_cursor", "filters", ["space_id", "cursor_id"], unique=False)
    op.create_index("filters_slug", "filters", ["slug"], unique=False)
    op.create_index(
        "filters_slug_living",
        "filters",
        ["space_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_table(
        "gate_results",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("gate", STRING, nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "revision_num", "gate"),
    )
    op.create_index("gate_results_gate", "gate_results", ["gate", "closed"], unique=False)
    op.create_table(
        "holds",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("reason", STRING, nullable=False),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("unit_id", "kind"),
    )
    op.create_table(
        "invocations",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("invocation_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("toolchain_type", STRING, nullable=False),
        sa.Column("function_name", STRING, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=True),
        sa.Column("bridge_worker_id", STRING, nullable=True),
        sa.Column("hash", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("invocation_id"),
    )
    op.create_index("invocations_parent_cursor", "invocations", ["space_id", "cursor_id"], unique=False)
    op.create_index("invocations_slug", "invocations", ["slug"], unique=False)
    op.create_index(
        "invocations_slug_living",
        "invocations",
        ["space_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_table(
        "labels",
        sa.Column("entity_id", STRING, nullable=False),
        sa.Column("key", STRING, nullable=False),
        sa.Column("entity", STRING, nullable=False),
        sa.Column("value", STRING, nullable=False),
        sa.PrimaryKeyConstraint("entity_id", "key"),
    )
    op.create_index("labels_found", "labels", ["key", "value", "entity_id"], unique=False)
    op.create_table(
        "links",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("link_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_unit_id", STRING, nullable=False),
        sa.Column("to_unit_id", STRING, nullable=False),
        sa.Column("to_space_id", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("link_id"),
    )
    op.create_index("links_from", "links", ["from_unit_id"], unique=False)
    op.create_index("links_parent_cursor", "links", ["space_id", "cursor_id"], unique=False)
    op.create_index("links_slug", "links", ["slug"], unique=False)
    op.create_index(
        "links_slug_living", "links", ["space_id", "slug"], unique=True, sqlite_where=LIVING, postgresql_where=LIVING
    )
    op.create_index("links_to", "links", ["to_unit_id"], unique=False)
    op.create_table(
        "live_states",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("live_state", sa.LargeBinary(), nullable=False),
        sa.Column("outputs", sa.LargeBinary(), nullable=False),
        sa.Column("drift", STRING, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("unit_id"),
    )
    op.create_table(
        "organization_members",
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("user_id", STRING, nullable=False),
        sa.Column("role", STRING, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "user_id"),
    )
    op.create_index("organization_members_user", "organization_members", ["user_id"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("external_id", STRING, nullable=False),
        sa.Column("billing_account_id", STRING, nullable=True),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("external_id"),
        sa.UniqueConstraint("organization_id"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "queued_operations",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("queued_operation_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("target_id", STRING, nullable=True),
        sa.Column("bridge_worker_id", STRING, nullable=True),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("action", STRING, nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("result", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("data_sha", SHA256, nullable=True),
        sa.Column("extra_params", STRING, nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=True),
        sa.Column("reason", STRING, nullable=False),
        sa.Column("lease_owner", STRING, nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("queued_operation_id"),
    )
    op.create_index("queued_operations_unit", "queued_operations", ["unit_id", "status"], unique=False)
    op.create_index("queued_operations_worker", "queued_operations", ["bridge_worker_id", "status"], unique=False)
    op.create_table(
        "revision_tags",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("tag_id", STRING, nullable=False),
        sa.Column("tagged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "revision_num", "tag_id"),
    )
    op.create_index("revision_tags_tag", "revision_tags", ["tag_id"], unique=False)
    op.create_table(
        "sets",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("set_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("where", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("set_id"),
    )
    op.create_index("sets_parent_cursor", "sets", ["space_id", "cursor_id"], unique=False)
    op.create_index("sets_slug", "sets", ["slug"], unique=False)
    op.create_index(
        "sets_slug_living", "sets", ["space_id", "slug"], unique=True, sqlite_where=LIVING, postgresql_where=LIVING
    )
    op.create_table(
        "space_roles",
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("user_id", STRING, nullable=False),
        sa.Column("role", STRING, nullable=False),
        sa.PrimaryKeyConstraint("space_id", "user_id", "role"),
    )
    op.create_table(
        "spaces",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("space_id"),
    )
    op.create_index("spaces_parent_cursor", "spaces", ["organization_id", "cursor_id"], unique=False)
    op.create_index("spaces_slug", "spaces", ["slug"], unique=False)
    op.create_index(
        "spaces_slug_living",
        "spaces",
        ["organization_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_table(
        "tags",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("tag_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("tag_id"),
    )
    op.create_index("tags_parent_cursor", "tags", ["space_id", "cursor_id"], unique=False)
    op.create_index("tags_slug", "tags", ["slug"], unique=False)
    op.create_index(
        "tags_slug_living", "tags", ["space_id", "slug"], unique=True, sqlite_where=LIVING, postgresql_where=LIVING
    )
    op.create_table(
        "targets",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("target_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("toolchain_type", STRING, nullable=False),
        sa.Column("provider_type", STRING, nullable=False),
        sa.Column("parameters", STRING, nullable=False),
        sa.Column("bridge_worker_id", STRING, nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("target_id"),
    )
    op.create_index("targets_parent_cursor", "targets", ["space_id", "cursor_id"], unique=False)
    op.create_index("targets_slug", "targets", ["slug"], unique=False)
    op.create_index(
        "targets_slug_living",
        "targets",
        ["space_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_index("targets_worker", "targets", ["bridge_worker_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("token_id", STRING, nullable=False),
        sa.Column("name", STRING, nullable=False),
        sa.Column("token_hash", SHA256, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("bridge_worker_id", STRING, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("token_hash"),
        sa.UniqueConstraint("token_id"),
    )
    op.create_table(
        "triggers",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("trigger_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event", STRING, nullable=False),
        sa.Column("toolchain_type", STRING, nullable=False),
        sa.Column("function_name", STRING, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=True),
        sa.Column("invocation_id", STRING, nullable=True),
        sa.Column("bridge_worker_id", STRING, nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("enforced", sa.Boolean(), nullable=False),
        sa.Column("validating", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("trigger_id"),
    )
    op.create_index("triggers_parent_cursor", "triggers", ["space_id", "cursor_id"], unique=False)
    op.create_index("triggers_slug", "triggers", ["slug"], unique=False)
    op.create_index(
        "triggers_slug_living",
        "triggers",
        ["space_id", "slug"],
        unique=True,
        sqlite_where=LIVING,
        postgresql_where=LIVING,
    )
    op.create_table(
        "unit_events",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("unit_event_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("bridge_worker_id", STRING, nullable=True),
        sa.Column("queued_operation_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("action", STRING, nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("result", STRING, nullable=False),
        sa.Column("message", STRING, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terminated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("queued_operation_id"),
        sa.UniqueConstraint("unit_event_id"),
    )
    op.create_index("unit_events_unit", "unit_events", ["unit_id", "cursor_id"], unique=False)
    op.create_table(
        "units",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("toolchain_type", STRING, nullable=False),
        sa.Column("data_sha", SHA256, nullable=False),
        sa.Column("content_hash", sa.Integer(), nullable=False),
        sa.Column("head_revision_id", STRING, nullable=False),
        sa.Column("head_revision_num", sa.Integer(), nullable=False),
        sa.Column("head_mutation_num", sa.Integer(), nullable=False),
        sa.Column("last_applied_revision_num", sa.Integer(), nullable=False),
        sa.Column("live_revision_num", sa.Integer(), nullable=False),
        sa.Column("previous_live_revision_num", sa.Integer(), nullable=False),
        sa.Column("last_change_description", STRING, nullable=False),
        sa.Column("apply_gates", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("target_id", STRING, nullable=True),
        sa.Column("set_id", STRING, nullable=True),
        sa.Column("upstream_organization_id", STRING, nullable=True),
        sa.Column("upstream_space_id", STRING, nullable=True),
        sa.Column("upstream_unit_id", STRING, nullable=True),
        sa.Column("upstream_revision_num", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("unit_id"),
    )
    op.create_index("units_parent_cursor", "units", ["space_id", "cursor_id"], unique=False)
    op.create_index("units_set", "units", ["set_id"], unique=False)
    op.create_index("units_slug", "units", ["slug"], unique=False)
    op.create_index(
        "units_slug_living", "units", ["space_id", "slug"], unique=True, sqlite_where=LIVING, postgresql_where=LIVING
    )
    op.create_index("units_target", "units", ["target_id"], unique=False)
    op.create_index("units_upstream", "units", ["upstream_unit_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("user_id", STRING, nullable=False),
        sa.Column("username", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("external_id", STRING, nullable=False),
        sa.Column("profile_picture_url", STRING, nullable=False),
        sa.Column("password_hash", STRING, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("user_id"),
        sa.UniqueConstraint("username"),
    )
    op.create_table(
        "views",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("view_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("slug", STRING, nullable=False),
        sa.Column("display_name", STRING, nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filter_id", STRING, nullable=True),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("group_by", STRING, nullable=False),
        sa.Column("order_by", STRING, nullable=False),
        sa.Column("order_by_direction", STRING, nullable=False),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("view_id"),
    )
    op.create_index("views_parent_cursor", "views", ["space_id", "cursor_id"], unique=False)
    op.create_index("views_slug", "views", ["slug"], unique=False)
    op.create_index(
        "views_slug_living", "views", ["space_id", "slug"], unique=True, sqlite_where=LIVING, postgresql_where=LIVING
    )
    op.create_table(
        "mutation_sources",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["units.unit_id"],
        ),
        sa.PrimaryKeyConstraint("unit_id"),
    )
    op.create_table(
        "mutations",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("mutation_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_id", STRING, nullable=False),
        sa.Column("mutation_num", sa.Integer(), nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("function_name", STRING, nullable=False),
        sa.Column("function_invocation", sa.Text(), nullable=False),
        sa.Column("invocation_id", STRING, nullable=True),
        sa.Column("trigger_id", STRING, nullable=True),
        sa.Column("link_id", STRING, nullable=True),
        sa.Column("provided_resource", sa.Text(), nullable=False),
        sa.Column("provided_path", STRING, nullable=False),
        sa.Column("restored_revision_num", sa.Integer(), nullable=False),
        sa.Column("upgraded_from_upstream_revision_num", sa.Integer(), nullable=False),
        sa.Column("records", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["units.unit_id"],
        ),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("mutation_id"),
        sa.UniqueConstraint("unit_id", "mutation_num"),
    )
    op.create_table(
        "revisions",
        sa.Column("cursor_id", CURSOR, autoincrement=True, nullable=False),
        sa.Column("revision_id", STRING, nullable=False),
        sa.Column("organization_id", STRING, nullable=False),
        sa.Column("space_id", STRING, nullable=False),
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("source", STRING, nullable=False),
        sa.Column("description", STRING, nullable=False),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("user_agent", STRING, nullable=False),
        sa.Column("data_sha", SHA256, nullable=False),
        sa.Column("content_hash", sa.Integer(), nullable=False),
        sa.Column("last_mutation_num", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["data_sha"],
            ["blobs.sha"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["units.unit_id"],
        ),
        sa.PrimaryKeyConstraint("cursor_id"),
        sa.UniqueConstraint("revision_id"),
        sa.UniqueConstraint("unit_id", "revision_num"),
    )
    for statement in statements(op.get_context().dialect.name, APPEND_ONLY):
        op.execute(statement)
