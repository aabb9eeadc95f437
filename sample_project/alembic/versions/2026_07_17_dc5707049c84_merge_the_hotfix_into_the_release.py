"""Merge the hotfix into the release

Revision ID: dc5707049c84
Revises: 442a9cfa15ca, 806d0d6d1a62
Create Date: 2026-07-17 10:01:47.170267+00:00

"""

from collections.abc import Sequence

revision: str = "dc5707049c84"
down_revision: str | Sequence[str] | None = ("442a9cfa15ca", "806d0d6d1a62")
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
    """Downgrade schema."""
    pass
