"""Record what integrations do

Revision ID: fdebed99c020
Revises: a60cc2ae4661
Create Date: 2026-09-16 09:02:41.730915+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "fdebed99c020"
down_revision: str | Sequence[str] | None = "a60cc2ae4661"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "integration_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("integration_id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["integration_id"], ["public.integrations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        schema="public",
    )
    op.create_index(
        "ix_integration_events_time",
        "integration_events",
        ["integration_id", "created_at"],
        schema="public",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("integration_events", schema="public")
