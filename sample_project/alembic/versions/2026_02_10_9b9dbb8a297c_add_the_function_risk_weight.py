"""Add the function risk_weight

Revision ID: 9b9dbb8a297c
Revises: eff29291b716
Create Date: 2026-02-10 15:38:03.585759+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "9b9dbb8a297c"
down_revision: str | Sequence[str] | None = "eff29291b716"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        CREATE FUNCTION migration.risk_weight(level migration.risk_level) RETURNS integer
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
            SELECT CASE level::text
                WHEN 'low' THEN 1 WHEN 'medium' THEN 3 WHEN 'high' THEN 7 ELSE 15
            END
        $function$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION migration.risk_weight(migration.risk_level) "
        "IS 'What a finding counts in a score'"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP FUNCTION migration.risk_weight(migration.risk_level)")
