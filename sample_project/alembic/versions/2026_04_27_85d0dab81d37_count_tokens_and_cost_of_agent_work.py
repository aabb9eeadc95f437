"""Count tokens and cost of agent work

Revision ID: 85d0dab81d37
Revises: 7eca1ca558d6
Create Date: 2026-04-27 14:45:00.156757+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "85d0dab81d37"
down_revision: str | Sequence[str] | None = "7eca1ca558d6"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "agent_runs",
        sa.Column("tokens_used", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "llm_usage_logs",
        sa.Column(
            "cost_usd",
            sa.Numeric(precision=10, scale=6),
            server_default=sa.text("0"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("llm_usage_logs", "cost_usd")
    op.drop_column("agent_runs", "tokens_used")
