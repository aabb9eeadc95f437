"""Add the function slugify

Revision ID: a7c0cae78696
Revises: 763a3e45789f
Create Date: 2026-05-11 14:42:27.315831+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "a7c0cae78696"
down_revision: str | Sequence[str] | None = "763a3e45789f"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        r"""
        CREATE FUNCTION migration.slugify(value text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT AS $function$
            SELECT trim(BOTH '-' FROM regexp_replace(lower(value), '[^a-z0-9]+', '-', 'g'))
        $function$
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP FUNCTION migration.slugify(text)")
