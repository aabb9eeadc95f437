"""Keep updated_at of assessments and waves by trigger

Revision ID: cf0f4fc4d801
Revises: 49272bcb70a8
Create Date: 2026-09-07 14:11:04.460934+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "cf0f4fc4d801"
down_revision: str | Sequence[str] | None = "49272bcb70a8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("assessments", "planning_waves", "sixr_decisions")


def upgrade() -> None:
    """Upgrade schema."""
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_set_updated_at BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION set_updated_at()"
        )


def downgrade() -> None:
    """Downgrade schema."""
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_set_updated_at ON {table}")
