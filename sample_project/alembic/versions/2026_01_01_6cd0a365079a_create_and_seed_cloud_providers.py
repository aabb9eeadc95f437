"""Create and seed cloud providers

Revision ID: 6cd0a365079a
Revises: 0e89a3e0e5e3
Create Date: 2026-01-01 16:34:27.865532+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "6cd0a365079a"
down_revision: str | Sequence[str] | None = "0e89a3e0e5e3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    providers = op.create_table(
        "cloud_providers",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("is_offered", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.bulk_insert(
        providers,
        [
            {"code": "aws", "name": "Amazon Web Services", "is_offered": True},
            {"code": "azure", "name": "Microsoft Azure", "is_offered": True},
            {"code": "gcp", "name": "Google Cloud", "is_offered": True},
            {"code": "oci", "name": "Oracle Cloud", "is_offered": False},
        ],
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("cloud_providers")
