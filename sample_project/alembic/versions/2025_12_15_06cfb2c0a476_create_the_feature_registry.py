"""Create the feature registry

Revision ID: 06cfb2c0a476
Revises: a3a5e451fcce
Create Date: 2025-12-15 09:08:59.160129+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "06cfb2c0a476"
down_revision: str | Sequence[str] | None = "a3a5e451fcce"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "feature_registries",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "stage",
            sa.Enum("alpha", "beta", "general", name="feature_stage"),
            server_default="alpha",
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("feature_registries", schema="migration")
    op.execute("DROP TYPE migration.feature_stage")
