"""quarantined texts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "quarantines",
        sa.Column("unit_id", STRING, nullable=False),
        sa.Column("data_sha", sa.LargeBinary(length=32), nullable=False),
        sa.Column("revision_num", sa.Integer(), nullable=False),
        sa.Column("reason", STRING, nullable=False),
        sa.Column("user_id", STRING, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "data_sha"),
    )
