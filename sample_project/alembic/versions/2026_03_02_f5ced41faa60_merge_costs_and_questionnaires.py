"""Merge costs and questionnaires

Revision ID: f5ced41faa60
Revises: 9b9dbb8a297c, aa591374be67
Create Date: 2026-03-02 16:19:52.603771+00:00

"""

from collections.abc import Sequence

revision: str = "f5ced41faa60"
down_revision: str | Sequence[str] | None = ("9b9dbb8a297c", "aa591374be67")
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    pass


def downgrade() -> None:
    """Downgrade schema."""
    pass
