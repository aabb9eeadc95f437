"""Create import rows

Revision ID: 9f3a995a9c2e
Revises: cb0a092bd8c4
Create Date: 2025-09-01 15:51:55.704925+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "9f3a995a9c2e"
down_revision: str | Sequence[str] | None = "cb0a092bd8c4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "import_rows",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("data_import_id", sa.Uuid(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["data_import_id"], ["migration.data_imports.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("data_import_id", "row_number", name="uq_import_rows_number"),
        schema="migration",
    )
    op.create_index(op.f("ix_migration_import_rows_id"), "import_rows", ["id"], schema="migration")
    op.create_index(
        op.f("ix_migration_import_rows_data_import_id"),
        "import_rows",
        ["data_import_id"],
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("import_rows", schema="migration")
