"""Create flow phases

Revision ID: 2166b7ec46ca
Revises: f146a0b2b20e
Create Date: 2025-08-11 13:37:22.742531+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "2166b7ec46ca"
down_revision: str | Sequence[str] | None = "f146a0b2b20e"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "flow_phases",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            postgresql.ENUM(name="flow_status", create_type=False),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["flow_id"], ["discovery_flows.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flow_id", "name", name="uq_flow_phases_flow_name"),
    )
    op.create_index("ix_migration_flow_phases_engagement_id", "flow_phases", ["engagement_id"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("flow_phases")
