"""The tables of work for clusters: operations with their leases, events, live state, holds."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table

from confighub.hub.store.columns import Id, Instant, Sha256, String, cursor, metadata

queued_operations = Table(
    "queued_operations",
    metadata,
    cursor(),
    Column("queued_operation_id", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("space_id", Id, nullable=False),
    Column("unit_id", Id, nullable=False),
    Column("target_id", Id),
    Column("bridge_worker_id", Id),
    Column("user_id", Id),
    Column("action", String, nullable=False),
    Column("status", String, nullable=False),
    Column("result", String, nullable=False, default="None"),
    Column("revision_num", Integer, nullable=False, default=0),
    Column("data_sha", Sha256),
    Column("extra_params", String, nullable=False, default=""),
    Column("request", LargeBinary),
    Column("reason", String, nullable=False, default=""),
    Column("lease_owner", String, nullable=False, default=""),
    Column("lease_until", Instant),
    Column("attempts", Integer, nullable=False, default=0),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("trigger_id", Id),
)
"""``lease_owner`` names the stream that carries an operation out until ``lease_until``.
``request`` holds the JSON of a function call for a function worker, and of an import;
``trigger_id`` is set when a trigger makes the call."""
Index("queued_operations_worker", queued_operations.c.bridge_worker_id, queued_operations.c.status)
Index("queued_operations_unit", queued_operations.c.unit_id, queued_operations.c.status)

unit_events = Table(
    "unit_events",
    metadata,
    cursor(),
    Column("unit_event_id", Id, nullable=False, unique=True),
    Column("organization_id", Id, nullable=False),
    Column("space_id", Id, nullable=False),
    Column("unit_id", Id, nullable=False),
    Column("bridge_worker_id", Id),
    Column("queued_operation_id", Id, nullable=False, unique=True),
    Column("revision_num", Integer, nullable=False, default=0),
    Column("action", String, nullable=False),
    Column("status", String, nullable=False),
    Column("result", String, nullable=False, default="None"),
    Column("message", String, nullable=False, default=""),
    Column("started_at", Instant),
    Column("terminated_at", Instant),
    Column("version", Integer, nullable=False, default=1),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
"""One row an operation, updated in place; the latest event of a unit has its highest ``cursor_id``."""
Index("unit_events_unit", unit_events.c.unit_id, unit_events.c.cursor_id)

live_states = Table(
    "live_states",
    metadata,
    Column("unit_id", Id, primary_key=True),
    Column("revision_num", Integer, nullable=False, default=0),
    Column("live_state", LargeBinary, nullable=False, default=b""),
    Column("outputs", LargeBinary, nullable=False, default=b""),
    Column("drift", String, nullable=False, default=""),
    Column("updated_at", Instant, nullable=False),
)
"""What the worker last said of a unit; ``live_state`` is the worker's and opaque."""

holds = Table(
    "holds",
    metadata,
    Column("unit_id", Id, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("reason", String, nullable=False, default=""),
    Column("user_id", Id),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
)
"""What keeps a unit from auto-apply: ``kind`` is ``operator`` (asked for, may expire), the operation that holds it
(``deployment``, ``rollout`` …), or ``older-revision`` (the hand-brake, until the next head or a plain apply)."""

bridge_worker_statuses = Table(
    "bridge_worker_statuses",
    metadata,
    cursor(),
    Column("bridge_worker_status_id", Id, nullable=False, unique=True),
    Column("bridge_worker_id", Id, nullable=False),
    Column("bridge_worker_slug", String, nullable=False, default=""),
    Column("organization_id", Id, nullable=False),
    Column("space_id", Id, nullable=False),
    Column("status", String, nullable=False),
    Column("ip_address", String, nullable=False, default=""),
    Column("seen_at", Instant, nullable=False),
)
Index("bridge_worker_statuses_worker", bridge_worker_statuses.c.bridge_worker_id, bridge_worker_statuses.c.cursor_id)
