"""Merge agents and assessments

Revision ID: a3b78241b59e
Revises: 917d999b1afe, ab1daee80b0e
Create Date: 2025-11-24 09:59:21.941633+00:00

"""

from collections.abc import Sequence

revision: str = "a3b78241b59e"
down_revision: str | Sequence[str] | None = ("917d999b1afe", "ab1daee80b0e")
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
    """Downgrade schema."""
    pass
