"""Index pattern embeddings

Revision ID: 9b6dbdf44230
Revises: 53498c35bc53
Create Date: 2025-10-14 09:21:13.307418+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "9b6dbdf44230"
down_revision: str | Sequence[str] | None = "53498c35bc53"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_index(
        "ix_agent_patterns_embedding",
        "agent_discovered_patterns",
        ["embedding"],
        schema="migration",
        postgresql_using="ivfflat",
        postgresql_with={"lists": 100},
        postgresql_ops={"embedding": "vector_cosine_ops"},
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index("ix_agent_patterns_embedding", "agent_discovered_patterns", schema="migration")
