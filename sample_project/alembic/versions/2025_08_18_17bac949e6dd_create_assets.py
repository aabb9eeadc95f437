"""Create assets

Revision ID: 17bac949e6dd
Revises: 2166b7ec46ca
Create Date: 2025-08-18 15:00:36.373805+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "17bac949e6dd"
down_revision: str | Sequence[str] | None = "2166b7ec46ca"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "assets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("discovery_flow_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=True),
        sa.Column(
            "asset_type",
            sa.Enum("server", "database", "application", name="asset_type"),
            nullable=False,
        ),
        sa.Column("status", sa.String(length=30), server_default="discovered", nullable=False),
        sa.Column("environment", sa.String(length=30), nullable=True),
        sa.Column("os_name", sa.String(length=120), nullable=True),
        sa.Column("ip_address", postgresql.INET(), nullable=True),
        sa.Column("cpu_cores", sa.Integer(), nullable=True),
        sa.Column("memory_gb", sa.Numeric(precision=8, scale=2), nullable=True),
        sa.Column("annual_cost", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("legacy_ref", sa.String(length=60), nullable=True),
        sa.Column(
            "attributes", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_account_id"], ["migration.client_accounts.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="migration",
    )
    op.create_index(
        "ix_assets_engagement_status", "assets", ["engagement_id", "status"], schema="migration"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("assets", schema="migration")
    op.execute("DROP TYPE migration.asset_type")
