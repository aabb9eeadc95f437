"""Add the flow status cancelled

Revision ID: 528c5623336d
Revises: 822375304871
Create Date: 2026-03-26 09:54:28.559233+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "528c5623336d"
down_revision: str | Sequence[str] | None = "822375304871"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("migration.discovery_flows", "migration.flow_phases", "migration.agent_runs")


def upgrade() -> None:
    """Upgrade schema."""
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE migration.flow_status ADD VALUE IF NOT EXISTS 'cancelled'")


def downgrade() -> None:
    """Downgrade schema."""
    # PostgreSQL cannot take a label away: make the type anew.
    op.execute("ALTER TYPE migration.flow_status RENAME TO flow_status_old")
    op.execute(
        "CREATE TYPE migration.flow_status AS ENUM "
        "('pending', 'running', 'waiting for approval', 'failed', 'completed')"
    )
    for table in TABLES:
        op.execute(f"UPDATE {table} SET status = 'failed' WHERE status = 'cancelled'")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN status DROP DEFAULT")
        op.execute(
            f"ALTER TABLE {table} ALTER COLUMN status "
            "TYPE migration.flow_status USING status::text::migration.flow_status"
        )
        op.execute(f"ALTER TABLE {table} ALTER COLUMN status SET DEFAULT 'pending'")
    op.execute("DROP TYPE migration.flow_status_old")
