"""Add tenant columns to import rows

Revision ID: 1d5f01c01966
Revises: 8010784e3df8
Create Date: 2026-05-19 17:59:51.140148+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "1d5f01c01966"
down_revision: str | Sequence[str] | None = "8010784e3df8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("import_rows", sa.Column("client_account_id", sa.Uuid(), nullable=True))
    op.add_column("import_rows", sa.Column("engagement_id", sa.Uuid(), nullable=True))
    op.add_column("import_rows", sa.Column("error", sa.Text(), nullable=True))
    op.execute(
        """
        UPDATE import_rows r
        SET client_account_id = i.client_account_id, engagement_id = i.engagement_id
        FROM data_imports i
        WHERE i.id = r.data_import_id AND r.engagement_id IS NULL
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("import_rows", "error")
    op.drop_column("import_rows", "engagement_id")
    op.drop_column("import_rows", "client_account_id")
