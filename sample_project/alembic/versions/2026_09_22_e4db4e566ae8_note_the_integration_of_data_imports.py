"""Note the integration of data imports

Revision ID: e4db4e566ae8
Revises: fdebed99c020
Create Date: 2026-09-22 13:25:08.664302+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e4db4e566ae8"
down_revision: str | Sequence[str] | None = "fdebed99c020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "data_imports", sa.Column("integration_id", sa.Integer(), nullable=True), schema="migration"
    )
    op.create_foreign_key(
        "data_imports_integration_id_fkey",
        "data_imports",
        "integrations",
        ["integration_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.execute(
        """
        CREATE VIEW migration.v_integration_activity AS
        SELECT i.engagement_id,
               i.name,
               count(e.id) AS events,
               max(e.created_at) AS last_event_at
        FROM integrations i
        LEFT JOIN integration_events e ON e.integration_id = i.id
        GROUP BY i.id
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP VIEW migration.v_integration_activity")
    op.drop_column("data_imports", "integration_id", schema="migration")
