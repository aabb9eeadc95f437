"""Create asset dependencies

Revision ID: b3251c8063b1
Revises: 17bac949e6dd
Create Date: 2025-08-21 09:57:55.141664+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b3251c8063b1"
down_revision: str | Sequence[str] | None = "17bac949e6dd"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "asset_dependencies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("depends_on_asset_id", sa.Uuid(), nullable=False),
        sa.Column(
            "dependency_type", sa.String(length=30), server_default="network", nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["depends_on_asset_id"], ["migration.assets.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("asset_id", "depends_on_asset_id", name="uq_asset_dependencies_pair"),
        sa.CheckConstraint("asset_id <> depends_on_asset_id", name="ck_asset_dependencies_self"),
        schema="migration",
    )
    op.create_index(
        op.f("ix_migration_asset_dependencies_engagement_id"),
        "asset_dependencies",
        ["engagement_id"],
        schema="migration",
    )
    op.create_index(
        op.f("ix_migration_asset_dependencies_depends_on_asset_id"),
        "asset_dependencies",
        ["depends_on_asset_id"],
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("asset_dependencies", schema="migration")
