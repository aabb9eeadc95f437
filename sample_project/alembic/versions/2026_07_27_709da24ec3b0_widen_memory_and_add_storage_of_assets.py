"""Widen memory and add storage of assets

Revision ID: 709da24ec3b0
Revises: 912abf1ab4cc
Create Date: 2026-07-27 12:48:30.373300+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "709da24ec3b0"
down_revision: str | Sequence[str] | None = "912abf1ab4cc"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.alter_column(
        "assets",
        "memory_gb",
        existing_type=sa.Numeric(precision=8, scale=2),
        type_=sa.Numeric(precision=12, scale=2),
        schema="migration",
    )
    op.add_column(
        "assets", sa.Column("storage_gb", sa.Numeric(precision=14, scale=2)), schema="migration"
    )
    op.drop_column("assets", "legacy_ref", schema="migration")


def downgrade() -> None:
    """Downgrade schema."""
    op.add_column("assets", sa.Column("legacy_ref", sa.String(length=60)), schema="migration")
    op.drop_column("assets", "storage_gb", schema="migration")
    op.alter_column(
        "assets",
        "memory_gb",
        existing_type=sa.Numeric(precision=12, scale=2),
        type_=sa.Numeric(precision=8, scale=2),
        schema="migration",
    )
