"""Let assets have a parent

Revision ID: 2d8362deecbf
Revises: a3b78241b59e
Create Date: 2025-11-28 13:45:10.699674+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2d8362deecbf"
down_revision: str | Sequence[str] | None = "a3b78241b59e"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("assets", sa.Column("parent_asset_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "assets_parent_asset_id_fkey", "assets", "assets", ["parent_asset_id"], ["id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("assets_parent_asset_id_fkey", "assets", type_="foreignkey")
    op.drop_column("assets", "parent_asset_id")
