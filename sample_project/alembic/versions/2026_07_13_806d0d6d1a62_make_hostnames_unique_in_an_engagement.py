"""Make hostnames unique in an engagement

Revision ID: 806d0d6d1a62
Revises: 684abcea34c2
Create Date: 2026-07-13 08:01:18.564819+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "806d0d6d1a62"
down_revision: str | Sequence[str] | None = "684abcea34c2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        "CREATE UNIQUE INDEX uq_assets_hostname ON assets (engagement_id, lower(hostname)) "
        "WHERE hostname IS NOT NULL"
    )
    op.create_check_constraint("ck_assets_cpu_cores", "assets", "cpu_cores > 0")


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_constraint("ck_assets_cpu_cores", "assets", type_="check")
    op.drop_index("uq_assets_hostname", "assets")
