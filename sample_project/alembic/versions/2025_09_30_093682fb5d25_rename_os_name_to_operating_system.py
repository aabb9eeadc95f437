"""Rename os_name to operating_system

Revision ID: 093682fb5d25
Revises: 158f98845da4
Create Date: 2025-09-30 17:40:51.431747+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "093682fb5d25"
down_revision: str | Sequence[str] | None = "158f98845da4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.alter_column("assets", "os_name", new_column_name="operating_system", schema="migration")


def downgrade() -> None:
    """Downgrade schema."""
    op.alter_column("assets", "operating_system", new_column_name="os_name", schema="migration")
