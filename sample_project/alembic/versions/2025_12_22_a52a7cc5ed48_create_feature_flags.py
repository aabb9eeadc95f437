"""Create feature flags

Revision ID: a52a7cc5ed48
Revises: e6c1ab7c44c4
Create Date: 2025-12-22 10:12:41.110696+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a52a7cc5ed48"
down_revision: str | Sequence[str] | None = "e6c1ab7c44c4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "feature_flags",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("feature_id", sa.Integer(), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=True),
        sa.Column("engagement_id", sa.Uuid(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["feature_id"], ["feature_registries.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "engagement_id IS NULL OR client_account_id IS NOT NULL", name="ck_feature_flags_scope"
        ),
    )
    op.create_index(
        "uq_feature_flags_scope",
        "feature_flags",
        ["feature_id", "client_account_id", "engagement_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("feature_flags")
