"""Add network and storage asset types

Revision ID: fd1b238e1b79
Revises: b67035ef0406
Create Date: 2025-09-22 12:24:07.153090+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "fd1b238e1b79"
down_revision: str | Sequence[str] | None = "b67035ef0406"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE asset_type ADD VALUE IF NOT EXISTS 'network'")
        op.execute("ALTER TYPE asset_type ADD VALUE IF NOT EXISTS 'storage'")


def downgrade() -> None:
    """Downgrade schema."""
    # PostgreSQL cannot take a label away: make the type anew.
    op.execute("UPDATE assets SET asset_type = 'server' WHERE asset_type IN ('network', 'storage')")
    op.execute("ALTER TYPE asset_type RENAME TO asset_type_old")
    op.execute("CREATE TYPE asset_type AS ENUM ('server', 'database', 'application')")
    op.execute(
        "ALTER TABLE assets ALTER COLUMN asset_type "
        "TYPE asset_type USING asset_type::text::asset_type"
    )
    op.execute("DROP TYPE asset_type_old")
