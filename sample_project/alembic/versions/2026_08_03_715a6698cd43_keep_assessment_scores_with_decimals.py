"""Keep assessment scores with decimals

Revision ID: 715a6698cd43
Revises: 709da24ec3b0
Create Date: 2026-08-03 16:37:45.139415+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "715a6698cd43"
down_revision: str | Sequence[str] | None = "709da24ec3b0"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.alter_column(
        "assessments",
        "score",
        new_column_name="overall_score",
        existing_type=sa.Integer(),
        type_=sa.Numeric(precision=5, scale=2),
    )
    op.add_column(
        "assessment_findings",
        sa.Column("resolved", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(
        "ix_assessment_findings_open",
        "assessment_findings",
        ["assessment_id", "severity"],
        postgresql_where=sa.text("NOT resolved"),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index("ix_assessment_findings_open", "assessment_findings")
    op.drop_column("assessment_findings", "resolved")
    op.alter_column(
        "assessments",
        "overall_score",
        new_column_name="score",
        existing_type=sa.Numeric(precision=5, scale=2),
        type_=sa.Integer(),
    )
