"""Create agent runs

Revision ID: a65ad2b280e0
Revises: 093682fb5d25
Create Date: 2025-10-06 17:37:44.886088+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a65ad2b280e0"
down_revision: str | Sequence[str] | None = "093682fb5d25"
branch_labels: str | Sequence[str] | None = "agents"
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "agent_runs",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("discovery_flow_id", sa.Uuid(), nullable=True),
        sa.Column("agent_name", sa.String(length=120), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(name="flow_status", create_type=False),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["discovery_flow_id"], ["discovery_flows.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_migration_agent_runs_engagement_id", "agent_runs", ["engagement_id"])
    op.create_index(
        "ix_migration_agent_runs_discovery_flow_id", "agent_runs", ["discovery_flow_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("agent_runs")
