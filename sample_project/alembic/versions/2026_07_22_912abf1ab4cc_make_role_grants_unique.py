"""Make role grants unique

Revision ID: 912abf1ab4cc
Revises: dc5707049c84
Create Date: 2026-07-22 16:52:38.520297+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "912abf1ab4cc"
down_revision: str | Sequence[str] | None = "dc5707049c84"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_index(
        "uq_user_roles_client_wide",
        "user_roles",
        ["user_id", "role_id", "client_account_id"],
        unique=True,
        postgresql_where=sa.text("engagement_id IS NULL"),
    )
    op.create_index(
        "uq_user_roles_engagement",
        "user_roles",
        ["user_id", "role_id", "engagement_id"],
        unique=True,
        postgresql_where=sa.text("engagement_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_index("uq_user_roles_engagement", "user_roles")
    op.drop_index("uq_user_roles_client_wide", "user_roles")
