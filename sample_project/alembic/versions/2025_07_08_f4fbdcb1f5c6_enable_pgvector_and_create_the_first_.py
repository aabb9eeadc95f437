"""Enable pgvector and create the first enum type

Revision ID: f4fbdcb1f5c6
Revises:
Create Date: 2025-07-08 09:14:31.402817+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "f4fbdcb1f5c6"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
    op.execute(
        "CREATE TYPE migration.engagement_status AS ENUM "
        "('PLANNING', 'ACTIVE', 'PAUSED', 'COMPLETED')"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP TYPE migration.engagement_status")
    # The extension stays: other applications in the database may use it by now.
