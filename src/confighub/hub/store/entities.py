"""The tables of the nouns that users name: spaces, units, and what stands beside them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table

from confighub.hub.store.columns import Id, Instant, Sha256, String, Wire, entity, metadata
from confighub.records.functions import FunctionArgument
from confighub.records.groups import Column as ViewColumn
from confighub.records.work import WorkerInfo

spaces = entity("spaces", "space_id", in_space=False)

units = entity(
    "units",
    "unit_id",
    Column("toolchain_type", String, nullable=False),
    Column("data_sha", Sha256, nullable=False),
    Column("content_hash", Integer, nullable=False),
    Column("head_revision_id", Id, nullable=False),
    Column("head_revision_num", Integer, nullable=False),
    Column("head_mutation_num", Integer, nullable=False),
    Column("last_applied_revision_num", Integer, nullable=False, default=0),
    Column("live_revision_num", Integer, nullable=False, default=0),
    Column("previous_live_revision_num", Integer, nullable=False, default=0),
    Column("last_change_description", String, nullable=False, default=""),
    Column("apply_gates", Wire(dict[str, bool]), nullable=False, default={}),
    Column("approved_by", Wire(list[str]), nullable=False, default=[]),
    Column("target_id", Id),
    Column("set_id", Id),
    Column("upstream_organization_id", Id),
    Column("upstream_space_id", Id),
    Column("upstream_unit_id", Id),
    Column("upstream_revision_num", Integer, nullable=False, default=0),
)
"""``apply_gates`` and ``approved_by`` repeat what the side tables hold for the head, so that lists read one row."""
Index("units_target", units.c.target_id)
Index("units_set", units.c.set_id)
Index("units_upstream", units.c.upstream_unit_id)

links = entity(
    "links",
    "link_id",
    Column("from_unit_id", Id, nullable=False),
    Column("to_unit_id", Id, nullable=False),
    Column("to_space_id", Id, nullable=False),
)
Index("links_from", links.c.from_unit_id)
Index("links_to", links.c.to_unit_id)

filters = entity(
    "filters",
    "filter_id",
    Column("from_", String, nullable=False),
    Column("where", String, nullable=False, default=""),
    Column("where_data", String, nullable=False, default=""),
    Column("resource_type", String, nullable=False, default=""),
    Column("from_space_id", Id),
    Column("hash", String, nullable=False, default=""),
)

sets = entity("sets", "set_id", Column("where", String, nullable=False, default=""))

tags = entity("tags", "tag_id")

views = entity(
    "views",
    "view_id",
    Column("filter_id", Id),
    Column("columns", Wire(list[ViewColumn]), nullable=False, default=[]),
    Column("group_by", String, nullable=False, default=""),
    Column("order_by", String, nullable=False, default=""),
    Column("order_by_direction", String, nullable=False, default=""),
)

change_sets = entity(
    "change_sets",
    "change_set_id",
    Column("filter_id", Id),
    Column("start_tag_id", Id),
    Column("end_tag_id", Id),
    Column("description", String, nullable=False, default=""),
)

change_set_members = Table(
    "change_set_members",
    metadata,
    Column("change_set_id", Id, primary_key=True),
    Column("unit_id", Id, primary_key=True),
    Column("start_revision_num", Integer, nullable=False),
    Column("end_revision_num", Integer, nullable=False, default=0),
)
"""Where each unit of a change set stood when the set was made; ``end_revision_num`` 0 means still open."""

invocations = entity(
    "invocations",
    "invocation_id",
    Column("toolchain_type", String, nullable=False),
    Column("function_name", String, nullable=False),
    Column("arguments", Wire(list[FunctionArgument])),
    Column("bridge_worker_id", Id),
    Column("hash", String, nullable=False, default=""),
)

triggers = entity(
    "triggers",
    "trigger_id",
    Column("event", String, nullable=False),
    Column("toolchain_type", String, nullable=False),
    Column("function_name", String, nullable=False, default=""),
    Column("arguments", Wire(list[FunctionArgument])),
    Column("invocation_id", Id),
    Column("bridge_worker_id", Id),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("enforced", Boolean, nullable=False, default=False),
    Column("validating", Boolean, nullable=False, default=False),
)

targets = entity(
    "targets",
    "target_id",
    Column("toolchain_type", String, nullable=False),
    Column("provider_type", String, nullable=False, default=""),
    Column("parameters", String, nullable=False, default=""),
    Column("bridge_worker_id", Id),
)
Index("targets_worker", targets.c.bridge_worker_id)

bridge_workers = entity(
    "bridge_workers",
    "bridge_worker_id",
    Column("user_id", Id),
    Column("secret", String, nullable=False),
    Column("condition", String, nullable=False, default="Disconnected"),
    Column("last_seen_at", Instant),
    Column("last_message", String, nullable=False, default=""),
    Column("ip_address", String, nullable=False, default=""),
    Column("provided_info", Wire(WorkerInfo)),
    Column("auto_apply", Boolean, nullable=False, default=False),
    Column("poll_interval", String, nullable=False, default=""),
)
"""``secret`` is encrypted with the key of the data folder; ``Hub.secrets`` opens it."""

labels = Table(
    "labels",
    metadata,
    Column("entity_id", Id, primary_key=True),
    Column("key", String, primary_key=True),
    Column("entity", String, nullable=False),
    Column("value", String, nullable=False),
)
"""The labels of the living, for finding; what a record shows comes from its own row."""
Index("labels_found", labels.c.key, labels.c.value, labels.c.entity_id)
