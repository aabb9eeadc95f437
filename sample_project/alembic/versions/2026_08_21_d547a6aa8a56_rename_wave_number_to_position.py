"""Rename wave_number to position

Revision ID: d547a6aa8a56
Revises: 0165f4e7cf00
Create Date: 2026-08-21 16:14:49.265816+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "d547a6aa8a56"
down_revision: str | Sequence[str] | None = "0165f4e7cf00"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.alter_column("planning_waves", "wave_number", new_column_name="position")


def downgrade() -> None:
    """Downgrade schema."""
    op.alter_column("planning_waves", "position", new_column_name="wave_number")
