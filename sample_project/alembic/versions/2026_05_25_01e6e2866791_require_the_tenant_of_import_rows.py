"""Require the tenant of import rows

Revision ID: 01e6e2866791
Revises: 1d5f01c01966
Create Date: 2026-05-25 08:29:24.620469+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "01e6e2866791"
down_revision: str | Sequence[str] | None = "1d5f01c01966"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.alter_column("import_rows", "client_account_id", existing_type=sa.Uuid(), nullable=False)
    op.alter_column("import_rows", "engagement_id", existing_type=sa.Uuid(), nullable=False)
    op.execute(
        "ALTER TABLE import_rows ADD CONSTRAINT import_rows_client_account_id_fkey "
        "FOREIGN KEY (client_account_id) REFERENCES client_accounts (id) ON DELETE CASCADE"
    )
    op.execute(
        "ALTER TABLE import_rows ADD CONSTRAINT import_rows_engagement_id_fkey "
        "FOREIGN KEY (engagement_id) REFERENCES engagements (id) ON DELETE CASCADE"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("import_rows_engagement_id_fkey", "import_rows")
    op.drop_constraint("import_rows_client_account_id_fkey", "import_rows")
    op.alter_column("import_rows", "engagement_id", existing_type=sa.Uuid(), nullable=True)
    op.alter_column("import_rows", "client_account_id", existing_type=sa.Uuid(), nullable=True)
