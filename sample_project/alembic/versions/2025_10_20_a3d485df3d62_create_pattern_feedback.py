"""Create pattern feedback

Revision ID: a3d485df3d62
Revises: 9b6dbdf44230
Create Date: 2025-10-20 14:23:54.049474+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a3d485df3d62"
down_revision: str | Sequence[str] | None = "9b6dbdf44230"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "pattern_feedback",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("pattern_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column(
            "verdict",
            sa.Enum("right", "wrong", "can't tell", name="pattern_verdict"),
            nullable=False,
        ),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"]),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["agent_discovered_patterns.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_migration_pattern_feedback_engagement_id", "pattern_feedback", ["engagement_id"]
    )
    op.create_index("ix_migration_pattern_feedback_pattern_id", "pattern_feedback", ["pattern_id"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("pattern_feedback")
    op.execute("DROP TYPE pattern_verdict")
