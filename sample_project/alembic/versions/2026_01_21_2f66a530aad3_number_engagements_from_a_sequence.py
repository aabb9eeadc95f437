"""Number engagements from a sequence

Revision ID: 2f66a530aad3
Revises: a573e6b92d96
Create Date: 2026-01-21 17:50:21.324702+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2f66a530aad3"
down_revision: str | Sequence[str] | None = "a573e6b92d96"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("CREATE SEQUENCE migration.engagement_number_seq START WITH 1000")
    op.add_column(
        "engagements",
        sa.Column(
            "number", sa.BigInteger(), nullable=True, comment="Shown to people; never reused"
        ),
        schema="migration",
    )
    op.execute(
        "ALTER TABLE migration.engagements ALTER COLUMN number "
        "SET DEFAULT nextval('migration.engagement_number_seq')"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("engagements", "number", schema="migration")
    op.execute("DROP SEQUENCE migration.engagement_number_seq")
