"""Add severity to patterns

Revision ID: a3a5e451fcce
Revises: 6f74db665627
Create Date: 2025-12-08 08:19:02.777588+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "a3a5e451fcce"
down_revision: str | Sequence[str] | None = "6f74db665627"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("ALTER TABLE agent_discovered_patterns ADD COLUMN severity risk_level")
    op.execute(
        """
        UPDATE agent_discovered_patterns SET severity =
            CASE WHEN confidence >= 0.9 THEN 'high'::risk_level ELSE 'low' END
        WHERE pattern_type = 'security'
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("ALTER TABLE agent_discovered_patterns DROP COLUMN severity")
