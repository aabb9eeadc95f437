"""Index asset attributes

Revision ID: 40070ace2052
Revises: 6398def41121
Create Date: 2026-06-03 17:56:39.083206+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "40070ace2052"
down_revision: str | Sequence[str] | None = "6398def41121"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_assets_attributes",
            "assets",
            ["attributes"],
            schema="migration",
            postgresql_using="gin",
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    """Downgrade schema."""
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_assets_attributes",
            "assets",
            schema="migration",
            postgresql_concurrently=True,
            if_exists=True,
        )
