"""The tables of what happened: texts, revisions, mutations, and the audit log.

Revisions, mutations and audit rows are only appended; the database refuses anything else
(see append_only). What changes about a revision later, such as approvals, stands in side tables.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, UniqueConstraint

from confighub.hub.store.columns import Id, Instant, Sha256, String, Wire, cursor, metadata
from confighub.records.functions import FunctionInvocation
from confighub.records.mutations import ResourceInfo, ResourceMutation

blobs = Table(
    "blobs", metadata, Column("sha", Sha256, primary_key=True), Column("content", LargeBinary, nullable=False)
)
"""Every text once, by its SHA-256; clones share them."""

revisions = Table(
    "revisions",
    metadata,
    cursor(),
    Column("revision_id", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("space_id", Id, nullable=False),
    Column("unit_id", Id, ForeignKey("units.unit_id"), nullable=False),
    Column("revision_num", Integer, nullable=False),
    Column("source", String, nullable=False, default=""),
    Column("description", String, nullable=False, default=""),
    Column("user_id", Id),
    Column("user_agent", String, nullable=False, default=""),
    Column("data_sha", Sha256, ForeignKey("blobs.sha"), nullable=False),
    Column("content_hash", Integer, nullable=False),
    Column("last_mutation_num", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("unit_id", "revision_num"),
)

mutations = Table(
    "mutations",
    metadata,
    cursor(),
    Column("mutation_id", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("space_id", Id, nullable=False),
    Column("unit_id", Id, ForeignKey("units.unit_id"), nullable=False),
    Column("revision_id", Id, nullable=False),
    Column("mutation_num", Integer, nullable=False),
    Column("revision_num", Integer, nullable=False),
    Column("function_name", String, nullable=False, default=""),
    Column("function_invocation", Wire(FunctionInvocation), nullable=False),
    Column("invocation_id", Id),
    Column("trigger_id", Id),
    Column("link_id", Id),
    Column("provided_resource", Wire(ResourceInfo), nullable=False),
    Column("provided_path", String, nullable=False, default=""),
    Column("restored_revision_num", Integer, nullable=False, default=0),
    Column("upgraded_from_upstream_revision_num", Integer, nullable=False, default=0),
    Column("records", Wire(list[ResourceMutation]), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("unit_id", "mutation_num"),
)
"""``records`` says which paths this mutation set; the sources of any revision are rebuilt from them."""

mutation_sources = Table(
    "mutation_sources",
    metadata,
    Column("unit_id", Id, ForeignKey("units.unit_id"), primary_key=True),
    Column("sources", Wire(list[ResourceMutation]), nullable=False),
)
"""Who last set each path of a unit's head."""

approvals = Table(
    "approvals",
    metadata,
    Column("unit_id", Id, primary_key=True),
    Column("revision_num", Integer, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("approved_at", Instant, nullable=False),
)

revision_tags = Table(
    "revision_tags",
    metadata,
    Column("unit_id", Id, primary_key=True),
    Column("revision_num", Integer, primary_key=True),
    Column("tag_id", Id, primary_key=True),
    Column("tagged_at", Instant, nullable=False),
)
Index("revision_tags_tag", revision_tags.c.tag_id)

gate_results = Table(
    "gate_results",
    metadata,
    Column("unit_id", Id, primary_key=True),
    Column("revision_num", Integer, primary_key=True),
    Column("gate", String, primary_key=True),
    Column("closed", Boolean, nullable=False),
)
"""The gates that were looked at for a revision; one that is closed refuses apply."""
Index("gate_results_gate", gate_results.c.gate, gate_results.c.closed)

quarantines = Table(
    "quarantines",
    metadata,
    Column("unit_id", Id, primary_key=True),
    Column("data_sha", Sha256, primary_key=True),
    Column("revision_num", Integer, nullable=False),
    Column("reason", String, nullable=False, default=""),
    Column("user_id", Id),
    Column("created_at", Instant, nullable=False),
)
"""Texts that a unit was rolled back from: no revision with the text is applied until it is lifted, which takes
the row away. ``revision_num`` is the one that was rolled back from; the audit log keeps what was lifted."""

applications = Table(
    "applications",
    metadata,
    cursor(),
    Column("unit_id", Id, nullable=False),
    Column("revision_num", Integer, nullable=False),
    Column("queued_operation_id", Id, unique=True),
    Column("live_at", Instant, nullable=False),
)
"""One row each time a revision became live; ``Revision.LiveAt`` is the newest."""
Index("applications_revision", applications.c.unit_id, applications.c.revision_num)

audit_log = Table(
    "audit_log",
    metadata,
    cursor(),
    Column("at", Instant, nullable=False),
    Column("organization_id", Id),
    Column("space_id", Id),
    Column("user_id", Id),
    Column("username", String, nullable=False, default=""),
    Column("user_agent", String, nullable=False, default=""),
    Column("action", String, nullable=False),
    Column("entity_type", String, nullable=False),
    Column("entity_id", Id),
    Column("entity_slug", String, nullable=False, default=""),
    Column("message", String, nullable=False, default=""),
    Column("detail", Wire(dict[str, object]), nullable=False, default={}),
)
Index("audit_log_entity", audit_log.c.entity_id)
Index("audit_log_space", audit_log.c.space_id, audit_log.c.cursor_id)

audit_chain = Table(
    "audit_chain",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("audit_cursor_id", Integer, nullable=False, unique=True),
    Column("previous", Sha256, nullable=False),
    Column("hash", Sha256, nullable=False),
)
"""The hash chain over the audit log, written by the sequencer after the rows are durable."""

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("hash", Sha256, nullable=False),
    Column("key", Sha256, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
"""Signatures over the chain as it stood at a position: whoever writes the database without the key cannot make them."""

APPEND_ONLY = ("blobs", "revisions", "mutations", "audit_log", "audit_chain", "audit_checkpoints")
