"""Create flow events

Revision ID: 0d3857b18b80
Revises: 528c5623336d
Create Date: 2026-03-31 09:25:37.528657+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0d3857b18b80"
down_revision: str | Sequence[str] | None = "528c5623336d"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "flow_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column(
            "old_status", postgresql.ENUM(name="flow_status", create_type=False), nullable=True
        ),
        sa.Column(
            "new_status", postgresql.ENUM(name="flow_status", create_type=False), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["flow_id"], ["discovery_flows.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_flow_events_flow_time", "flow_events", ["flow_id", "created_at"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("flow_events")
