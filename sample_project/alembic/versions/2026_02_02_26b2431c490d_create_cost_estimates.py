"""Create cost estimates

Revision ID: 26b2431c490d
Revises: c9336e4e61af
Create Date: 2026-02-02 16:36:06.439205+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "26b2431c490d"
down_revision: str | Sequence[str] | None = "c9336e4e61af"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "cost_estimates",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("sixr_decision_id", sa.Uuid(), nullable=False),
        sa.Column("provider_code", sa.String(length=20), nullable=False),
        sa.Column(
            "compute",
            sa.Numeric(precision=12, scale=2),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column(
            "storage",
            sa.Numeric(precision=12, scale=2),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column(
            "licences",
            sa.Numeric(precision=12, scale=2),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["sixr_decision_id"], ["sixr_decisions.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["provider_code"], ["cloud_providers.code"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_migration_cost_estimates_engagement_id", "cost_estimates", ["engagement_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("cost_estimates")
