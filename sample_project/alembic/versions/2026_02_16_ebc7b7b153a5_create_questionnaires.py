"""Create questionnaires

Revision ID: ebc7b7b153a5
Revises: c9336e4e61af
Create Date: 2026-02-16 09:17:41.020053+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "ebc7b7b153a5"
down_revision: str | Sequence[str] | None = "c9336e4e61af"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "questionnaires",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("assessment_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column(
            "questions", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column(
            "status",
            sa.Enum("DRAFT", "SENT", "ANSWERED", name="questionnairestatus"),
            server_default="DRAFT",
            nullable=False,
        ),
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
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_migration_questionnaires_engagement_id", "questionnaires", ["engagement_id"]
    )
    op.create_index(
        "ix_migration_questionnaires_assessment_id", "questionnaires", ["assessment_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("questionnaires")
    op.execute("DROP TYPE questionnairestatus")
