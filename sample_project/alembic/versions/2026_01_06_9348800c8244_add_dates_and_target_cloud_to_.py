"""Add dates and target cloud to engagements

Revision ID: 9348800c8244
Revises: 6cd0a365079a
Create Date: 2026-01-06 14:22:48.245364+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9348800c8244"
down_revision: str | Sequence[str] | None = "6cd0a365079a"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("engagements", sa.Column("target_cloud", sa.String(length=20), nullable=True))
    op.add_column("engagements", sa.Column("starts_on", sa.Date(), nullable=True))
    op.add_column("engagements", sa.Column("ends_on", sa.Date(), nullable=True))
    op.create_foreign_key(
        "fk_engagements_target_cloud", "engagements", "cloud_providers", ["target_cloud"], ["code"]
    )
    op.create_check_constraint(
        "ck_engagements_dates", "engagements", "ends_on IS NULL OR ends_on >= starts_on"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("ck_engagements_dates", "engagements")
    op.drop_constraint("fk_engagements_target_cloud", "engagements")
    op.drop_column("engagements", "ends_on")
    op.drop_column("engagements", "starts_on")
    op.drop_column("engagements", "target_cloud")
