"""Create planning waves

Revision ID: fe45f0ce21d3
Revises: 9348800c8244
Create Date: 2026-01-12 15:40:34.253791+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "fe45f0ce21d3"
down_revision: str | Sequence[str] | None = "9348800c8244"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "planning_waves",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("wave_number", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("engagement_id", "wave_number", name="uq_planning_waves_position"),
        sa.CheckConstraint("ends_on >= starts_on", name="ck_planning_waves_dates"),
    )
    op.create_index(
        "ix_migration_planning_waves_engagement_id", "planning_waves", ["engagement_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("planning_waves")
