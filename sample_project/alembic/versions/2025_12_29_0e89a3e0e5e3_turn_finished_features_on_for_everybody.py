"""Turn finished features on for everybody

Revision ID: 0e89a3e0e5e3
Revises: a52a7cc5ed48
Create Date: 2025-12-29 17:59:45.678233+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "0e89a3e0e5e3"
down_revision: str | Sequence[str] | None = "a52a7cc5ed48"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "INSERT INTO feature_flags (feature_id, enabled) "
        "SELECT id, true FROM feature_registries WHERE stage = 'general'"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DELETE FROM feature_flags WHERE client_account_id IS NULL")
