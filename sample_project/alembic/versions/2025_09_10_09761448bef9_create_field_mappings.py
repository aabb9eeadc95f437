"""Create field mappings

Revision ID: 09761448bef9
Revises: df07ad5ee4a7
Create Date: 2025-09-10 14:29:59.051520+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "09761448bef9"
down_revision: str | Sequence[str] | None = "df07ad5ee4a7"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "field_mappings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column("data_import_id", sa.Uuid(), nullable=True),
        sa.Column("source_field", sa.String(length=120), nullable=False),
        sa.Column("target_field", sa.String(length=120), nullable=False),
        sa.Column("confidence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("approved", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(["client_account_id"], ["migration.client_accounts.id"]),
        sa.ForeignKeyConstraint(["engagement_id"], ["migration.engagements.id"]),
        sa.ForeignKeyConstraint(["data_import_id"], ["data_imports.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("data_import_id", "source_field", name="uq_field_mappings_source"),
    )
    op.create_index(
        "ix_migration_field_mappings_client_account_id", "field_mappings", ["client_account_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("field_mappings")
