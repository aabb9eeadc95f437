"""Add statistics on asset type and status

Revision ID: 49272bcb70a8
Revises: 38ca1283a139
Create Date: 2026-08-31 16:59:02.763187+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "49272bcb70a8"
down_revision: str | Sequence[str] | None = "38ca1283a139"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "CREATE STATISTICS migration.st_assets_type_status (dependencies, ndistinct) "
        "ON asset_type, status FROM migration.assets"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP STATISTICS migration.st_assets_type_status")
