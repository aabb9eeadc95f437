"""Compute the total of cost estimates

Revision ID: eff29291b716
Revises: 26b2431c490d
Create Date: 2026-02-05 16:55:02.556433+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "eff29291b716"
down_revision: str | Sequence[str] | None = "26b2431c490d"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "ALTER TABLE cost_estimates ADD COLUMN total numeric(14, 2) "
        "GENERATED ALWAYS AS (compute + storage + licences) STORED"
    )
    op.create_index(
        "uq_cost_estimates_decision",
        "cost_estimates",
        ["sixr_decision_id", "provider_code"],
        unique=True,
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index("uq_cost_estimates_decision", "cost_estimates")
    op.drop_column("cost_estimates", "total")
