"""Turn assets.status into an enum

Revision ID: ab1daee80b0e
Revises: 402238ff4ac2
Create Date: 2025-11-18 15:57:09.048818+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "ab1daee80b0e"
down_revision: str | Sequence[str] | None = "402238ff4ac2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "CREATE TYPE asset_status AS ENUM "
        "('discovered', 'confirmed', 'in-scope', 'migrated', 'retired')"
    )
    op.execute("UPDATE assets SET status = 'in-scope' WHERE status IN ('in_scope', 'scoped')")
    op.execute("ALTER TABLE assets ALTER COLUMN status DROP DEFAULT")
    op.execute(
        "ALTER TABLE assets ALTER COLUMN status TYPE asset_status USING status::asset_status"
    )
    op.execute("ALTER TABLE assets ALTER COLUMN status SET DEFAULT 'discovered'")


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("ALTER TABLE assets ALTER COLUMN status DROP DEFAULT")
    op.execute("ALTER TABLE assets ALTER COLUMN status TYPE varchar(30) USING status::text")
    op.execute("ALTER TABLE assets ALTER COLUMN status SET DEFAULT 'discovered'")
    op.execute("DROP TYPE asset_status")
