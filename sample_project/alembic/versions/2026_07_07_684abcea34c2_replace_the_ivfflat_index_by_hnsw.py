"""Replace the ivfflat index by hnsw

Revision ID: 684abcea34c2
Revises: b82508ed14c5
Create Date: 2026-07-07 11:44:08.665673+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "684abcea34c2"
down_revision: str | Sequence[str] | None = "b82508ed14c5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS migration.ix_agent_patterns_embedding")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_agent_patterns_embedding "
            "ON migration.agent_discovered_patterns USING hnsw (embedding vector_cosine_ops) "
            "WITH (m = 16, ef_construction = 64)"
        )


def downgrade() -> None:
    """Downgrade schema."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS migration.ix_agent_patterns_embedding")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_agent_patterns_embedding "
            "ON migration.agent_discovered_patterns USING ivfflat (embedding vector_cosine_ops) "
            "WITH (lists = 100)"
        )
