"""Add container hosts to asset types

Revision ID: e452241cba28
Revises: 2c44b92bc488
Create Date: 2026-04-10 10:51:18.245274+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "e452241cba28"
down_revision: str | Sequence[str] | None = "2c44b92bc488"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE migration.asset_type ADD VALUE IF NOT EXISTS 'container''s host'")


def downgrade() -> None:
    """Downgrade schema."""
    # PostgreSQL cannot take a label away: make the type anew.
    op.execute("UPDATE assets SET asset_type = 'server' WHERE asset_type = 'container''s host'")
    op.execute("ALTER TYPE asset_type RENAME TO asset_type_old")
    op.execute(
        "CREATE TYPE asset_type AS ENUM ('server', 'database', 'application', 'network', 'storage')"
    )
    op.execute(
        "ALTER TABLE assets ALTER COLUMN asset_type "
        "TYPE asset_type USING asset_type::text::asset_type"
    )
    op.execute("DROP TYPE asset_type_old")
