"""Keep audit details as JSON

Revision ID: ff93dc1f6daf
Revises: 8bbf6feccf46
Create Date: 2026-03-16 12:01:51.535637+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "ff93dc1f6daf"
down_revision: str | Sequence[str] | None = "8bbf6feccf46"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "ALTER TABLE migration.audit_log ALTER COLUMN details "
        "TYPE jsonb USING jsonb_build_object('note', details)"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute(
        "ALTER TABLE migration.audit_log ALTER COLUMN details TYPE text USING details ->> 'note'"
    )
