"""Add confidence to patterns

Revision ID: 917d999b1afe
Revises: a3d485df3d62
Create Date: 2025-10-24 14:24:45.920367+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "917d999b1afe"
down_revision: str | Sequence[str] | None = "a3d485df3d62"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "agent_discovered_patterns",
        sa.Column(
            "confidence",
            sa.Numeric(precision=4, scale=3),
            server_default=sa.text("0.5"),
            nullable=False,
        ),
        schema="migration",
    )
    op.create_check_constraint(
        "ck_agent_patterns_confidence",
        "agent_discovered_patterns",
        "confidence BETWEEN 0 AND 1",
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint(
        "ck_agent_patterns_confidence", "agent_discovered_patterns", schema="migration"
    )
    op.drop_column("agent_discovered_patterns", "confidence", schema="migration")
