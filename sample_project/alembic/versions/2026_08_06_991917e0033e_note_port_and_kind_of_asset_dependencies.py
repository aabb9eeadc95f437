"""Note port and kind of asset dependencies

Revision ID: 991917e0033e
Revises: 715a6698cd43
Create Date: 2026-08-06 12:03:53.784990+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "991917e0033e"
down_revision: str | Sequence[str] | None = "715a6698cd43"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("asset_dependencies", sa.Column("port", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE asset_dependencies SET dependency_type = 'network' "
        "WHERE dependency_type NOT IN ('network', 'data', 'auth', 'batch')"
    )
    op.create_check_constraint(
        "ck_asset_dependencies_type",
        "asset_dependencies",
        "dependency_type IN ('network', 'data', 'auth', 'batch')",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("ck_asset_dependencies_type", "asset_dependencies", type_="check")
    op.drop_column("asset_dependencies", "port")
