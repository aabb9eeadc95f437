"""Create the view of engagement progress

Revision ID: 4433bd1212c7
Revises: e452241cba28
Create Date: 2026-04-15 08:20:28.608644+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "4433bd1212c7"
down_revision: str | Sequence[str] | None = "e452241cba28"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        CREATE VIEW migration.v_engagement_progress AS
        SELECT e.id AS engagement_id,
               e.client_account_id,
               e.name,
               count(f.id) AS flows,
               count(f.id) FILTER (WHERE f.status = 'completed') AS flows_completed
        FROM migration.engagements e
        LEFT JOIN migration.discovery_flows f ON f.engagement_id = e.id
        WHERE e.status <> 'COMPLETED'
        GROUP BY e.id
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP VIEW migration.v_engagement_progress")
