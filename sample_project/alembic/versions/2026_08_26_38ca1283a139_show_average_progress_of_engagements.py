"""Show average progress of engagements

Revision ID: 38ca1283a139
Revises: d547a6aa8a56
Create Date: 2026-08-26 16:47:12.203951+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "38ca1283a139"
down_revision: str | Sequence[str] | None = "d547a6aa8a56"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        CREATE OR REPLACE VIEW migration.v_engagement_progress AS
        SELECT e.id AS engagement_id,
               e.client_account_id,
               e.name,
               count(f.id) AS flows,
               count(f.id) FILTER (WHERE f.status = 'completed') AS flows_completed,
               avg(f.progress) AS average_progress
        FROM migration.engagements e
        LEFT JOIN migration.discovery_flows f ON f.engagement_id = e.id
        WHERE e.status <> 'COMPLETED'
        GROUP BY e.id
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP VIEW migration.v_engagement_progress")
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
