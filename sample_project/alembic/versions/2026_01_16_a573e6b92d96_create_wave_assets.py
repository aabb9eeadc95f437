"""Create wave assets

Revision ID: a573e6b92d96
Revises: fe45f0ce21d3
Create Date: 2026-01-16 15:03:34.634462+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a573e6b92d96"
down_revision: str | Sequence[str] | None = "fe45f0ce21d3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "wave_assets",
        sa.Column("wave_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("move_order", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["wave_id"], ["planning_waves.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("wave_id", "asset_id"),
    )
    op.create_index("ix_migration_wave_assets_asset_id", "wave_assets", ["asset_id"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("wave_assets")
