"""Rename answered_at to submitted_at

Revision ID: aa591374be67
Revises: 7f7092bf0cc1
Create Date: 2026-02-24 12:50:10.751678+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "aa591374be67"
down_revision: str | Sequence[str] | None = "7f7092bf0cc1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("ALTER TABLE questionnaire_responses RENAME COLUMN answered_at TO submitted_at")


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("ALTER TABLE questionnaire_responses RENAME COLUMN submitted_at TO answered_at")
