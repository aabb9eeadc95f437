"""Backfill engagement numbers

Revision ID: c9336e4e61af
Revises: 2f66a530aad3
Create Date: 2026-01-26 11:02:24.065063+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c9336e4e61af"
down_revision: str | Sequence[str] | None = "2f66a530aad3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        UPDATE engagements SET number = nextval('engagement_number_seq')
        WHERE number IS NULL
        """
    )
    op.alter_column("engagements", "number", existing_type=sa.BigInteger(), nullable=False)
    op.create_unique_constraint("engagements_number_key", "engagements", ["number"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("engagements_number_key", "engagements")
    op.alter_column("engagements", "number", existing_type=sa.BigInteger(), nullable=True)
