"""Add criticality to assets

Revision ID: 9053ca5ede9a
Revises: c5b4c9a96fc9
Create Date: 2025-11-10 16:25:07.311148+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "9053ca5ede9a"
down_revision: str | Sequence[str] | None = "c5b4c9a96fc9"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "assets",
        sa.Column("criticality", postgresql.ENUM(name="risk_level", create_type=False)),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("assets", "criticality")
