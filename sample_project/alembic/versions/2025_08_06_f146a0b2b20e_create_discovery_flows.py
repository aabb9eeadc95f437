"""Create discovery flows

Revision ID: f146a0b2b20e
Revises: 704bf68f5b3d
Create Date: 2025-08-06 16:03:34.095222+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "f146a0b2b20e"
down_revision: str | Sequence[str] | None = "704bf68f5b3d"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "CREATE TYPE flow_status AS ENUM "
        "('pending', 'running', 'waiting for approval', 'failed', 'completed')"
    )
    op.create_table(
        "discovery_flows",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner_email", sa.String(length=320), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(name="flow_status", create_type=False),
            server_default="pending",
            nullable=False,
        ),
        sa.Column("progress", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "state", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"]),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="ck_discovery_flows_progress"),
    )
    op.create_index(
        "ix_migration_discovery_flows_engagement_id", "discovery_flows", ["engagement_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("discovery_flows")
    op.execute("DROP TYPE flow_status")
