"""Create the inventory summary

Revision ID: 763a3e45789f
Revises: 768c4bb960bc
Create Date: 2026-05-04 14:38:22.039443+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "763a3e45789f"
down_revision: str | Sequence[str] | None = "768c4bb960bc"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        CREATE MATERIALIZED VIEW migration.mv_asset_inventory AS
        SELECT engagement_id, asset_type, status,
               count(*) AS assets, sum(annual_cost) AS annual_cost
        FROM migration.assets
        WHERE status <> 'retired'
        GROUP BY engagement_id, asset_type, status
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_mv_asset_inventory "
        "ON migration.mv_asset_inventory (engagement_id, asset_type, status)"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP MATERIALIZED VIEW migration.mv_asset_inventory")
