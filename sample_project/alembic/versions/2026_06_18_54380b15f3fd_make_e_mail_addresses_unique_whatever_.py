"""Make e-mail addresses unique whatever their case

Revision ID: 54380b15f3fd
Revises: 6f9a5195bb17
Create Date: 2026-06-18 13:11:10.800614+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "54380b15f3fd"
down_revision: str | Sequence[str] | None = "6f9a5195bb17"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.drop_constraint("uq_users_email", "users", type_="unique")
    op.execute("CREATE UNIQUE INDEX uq_users_email_lower ON users (lower(email))")
    op.add_column("users", sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("users", "last_login_at")
    op.drop_index("uq_users_email_lower", "users")
    op.create_unique_constraint("uq_users_email", "users", ["email"])
