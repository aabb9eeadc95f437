"""Give client accounts a slug

Revision ID: 8010784e3df8
Revises: a7c0cae78696
Create Date: 2026-05-14 09:09:29.594134+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "8010784e3df8"
down_revision: str | Sequence[str] | None = "a7c0cae78696"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("client_accounts", sa.Column("slug", sa.String(length=80), nullable=True))
    op.execute(
        """
        UPDATE client_accounts c
        SET slug = left(slugify(c.name), 70) || CASE WHEN d.copy = 1 THEN '' ELSE '-' || d.copy END
        FROM (
            SELECT id,
                   row_number() OVER (PARTITION BY slugify(name) ORDER BY created_at, id) AS copy
            FROM client_accounts
        ) d
        WHERE d.id = c.id
        """
    )
    op.alter_column("client_accounts", "slug", existing_type=sa.String(length=80), nullable=False)
    op.create_unique_constraint("client_accounts_slug_key", "client_accounts", ["slug"])


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("client_accounts", "slug")
