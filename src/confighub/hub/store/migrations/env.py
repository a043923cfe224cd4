"""How Alembic reaches the database: through the connection that ``migrate`` hands over."""

from __future__ import annotations

from alembic import context

from confighub.hub.store import entities, history, people, work_queue
from confighub.hub.store.columns import metadata

TABLES = (entities, history, people, work_queue)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all of it
)
context.run_migrations()
