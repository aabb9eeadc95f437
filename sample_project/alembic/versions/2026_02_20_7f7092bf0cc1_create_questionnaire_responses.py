"""Create questionnaire responses

Revision ID: 7f7092bf0cc1
Revises: ebc7b7b153a5
Create Date: 2026-02-20 15:01:07.316965+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "7f7092bf0cc1"
down_revision: str | Sequence[str] | None = "ebc7b7b153a5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "questionnaire_responses",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("questionnaire_id", sa.Uuid(), nullable=False),
        sa.Column("respondent_id", sa.Uuid(), nullable=True),
        sa.Column(
            "answers", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_account_id"], ["migration.client_accounts.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["questionnaire_id"], ["migration.questionnaires.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["respondent_id"], ["migration.users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("questionnaire_id", "respondent_id", name="uq_responses_respondent"),
        schema="migration",
    )
    op.create_index(
        op.f("ix_migration_questionnaire_responses_engagement_id"),
        "questionnaire_responses",
        ["engagement_id"],
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("questionnaire_responses", schema="migration")
