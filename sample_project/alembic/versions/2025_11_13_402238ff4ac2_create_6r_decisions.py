"""Create 6R decisions

Revision ID: 402238ff4ac2
Revises: 9053ca5ede9a
Create Date: 2025-11-13 17:08:14.005161+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "402238ff4ac2"
down_revision: str | Sequence[str] | None = "9053ca5ede9a"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "sixr_decisions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("assessment_id", sa.Uuid(), nullable=True),
        sa.Column(
            "strategy",
            sa.Enum(
                "REHOST",
                "REPLATFORM",
                "REFACTOR",
                "REARCHITECT",
                "RETAIN",
                "RETIRE",
                name="sixr_strategy",
            ),
            nullable=False,
        ),
        sa.Column("confidence", sa.Numeric(precision=4, scale=3), nullable=True),
        sa.Column("rationale", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["migration.assessments.id"], ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name="ck_sixr_decisions_confidence"),
    )
    op.create_index(
        "ix_migration_sixr_decisions_client_account_id", "sixr_decisions", ["client_account_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("sixr_decisions")
    op.execute("DROP TYPE sixr_strategy")
