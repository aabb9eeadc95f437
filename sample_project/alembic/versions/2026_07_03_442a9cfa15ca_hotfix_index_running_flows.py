"""Hotfix: index running flows

Revision ID: 442a9cfa15ca
Revises: b82508ed14c5
Create Date: 2026-07-03 13:13:45.429569+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "442a9cfa15ca"
down_revision: str | Sequence[str] | None = "b82508ed14c5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_discovery_flows_running "
            "ON migration.discovery_flows (engagement_id, started_at) WHERE status = 'running'"
        )


def downgrade() -> None:
    """Downgrade schema."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS migration.ix_discovery_flows_running")
