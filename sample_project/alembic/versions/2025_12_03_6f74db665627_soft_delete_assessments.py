"""Soft-delete assessments

Revision ID: 6f74db665627
Revises: 2d8362deecbf
Create Date: 2025-12-03 12:54:33.390271+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "6f74db665627"
down_revision: str | Sequence[str] | None = "2d8362deecbf"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "assessments",
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        schema="migration",
    )
    op.create_index(
        "ix_assessments_live",
        "assessments",
        ["engagement_id", "created_at"],
        schema="migration",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index("ix_assessments_live", "assessments", schema="migration")
    op.drop_column("assessments", "deleted_at", schema="migration")
