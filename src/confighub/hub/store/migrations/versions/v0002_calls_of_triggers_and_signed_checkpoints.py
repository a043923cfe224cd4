"""calls of triggers and signed checkpoints"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from confighub.hub.store.append_only import statements

revision = "0002"
down_revision = "0001"

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SHA256 = sa.LargeBinary(length=32)


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("queued_operations", sa.Column("trigger_id", STRING, nullable=True))
    op.create_table(
        "audit_checkpoints",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", SHA256, nullable=False),
        sa.Column("key", SHA256, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    for statement in statements(op.get_context().dialect.name, ("audit_checkpoints",)):
        op.execute(statement)
