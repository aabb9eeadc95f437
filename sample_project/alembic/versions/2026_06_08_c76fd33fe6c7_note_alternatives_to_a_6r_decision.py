"""Note alternatives to a 6R decision

Revision ID: c76fd33fe6c7
Revises: 40070ace2052
Create Date: 2026-06-08 11:45:00.981457+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c76fd33fe6c7"
down_revision: str | Sequence[str] | None = "40070ace2052"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "sixr_decisions",
        sa.Column(
            "alternatives",
            postgresql.ARRAY(postgresql.ENUM(name="sixr_strategy", create_type=False)),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("sixr_decisions", "alternatives")
