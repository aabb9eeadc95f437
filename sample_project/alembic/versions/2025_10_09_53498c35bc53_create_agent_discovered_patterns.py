"""Create agent discovered patterns

Revision ID: 53498c35bc53
Revises: a65ad2b280e0
Create Date: 2025-10-09 10:25:45.151936+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector

revision: str = "53498c35bc53"
down_revision: str | Sequence[str] | None = "a65ad2b280e0"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "agent_discovered_patterns",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("agent_run_id", sa.Uuid(), nullable=True),
        sa.Column("pattern_name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "pattern_type",
            sa.Enum("naming", "topology", "cost", "security", name="pattern_type"),
            nullable=False,
        ),
        sa.Column("embedding", Vector(1536), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_account_id"], ["migration.client_accounts.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["agent_run_id"], ["migration.agent_runs.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        schema="migration",
    )
    op.create_index(
        op.f("ix_migration_agent_discovered_patterns_engagement_id"),
        "agent_discovered_patterns",
        ["engagement_id"],
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("agent_discovered_patterns", schema="migration")
    op.execute("DROP TYPE migration.pattern_type")
