"""Keep 6R decisions when an engagement goes

Revision ID: b82508ed14c5
Revises: eb87bad5e929
Create Date: 2026-06-29 16:06:54.866975+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b82508ed14c5"
down_revision: str | Sequence[str] | None = "eb87bad5e929"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.drop_constraint("sixr_decisions_engagement_id_fkey", "sixr_decisions", type_="foreignkey")
    op.alter_column("sixr_decisions", "engagement_id", existing_type=sa.Uuid(), nullable=True)
    op.create_foreign_key(
        "sixr_decisions_engagement_id_fkey",
        "sixr_decisions",
        "engagements",
        ["engagement_id"],
        ["id"],
        ondelete="SET NULL",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("sixr_decisions_engagement_id_fkey", "sixr_decisions", type_="foreignkey")
    op.execute("DELETE FROM sixr_decisions WHERE engagement_id IS NULL")
    op.alter_column("sixr_decisions", "engagement_id", existing_type=sa.Uuid(), nullable=False)
    op.create_foreign_key(
        "sixr_decisions_engagement_id_fkey",
        "sixr_decisions",
        "engagements",
        ["engagement_id"],
        ["id"],
        ondelete="CASCADE",
    )
