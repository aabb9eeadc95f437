"""Drop import templates

Revision ID: 0165f4e7cf00
Revises: 1a926a1020b3
Create Date: 2026-08-17 08:15:26.897708+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0165f4e7cf00"
down_revision: str | Sequence[str] | None = "1a926a1020b3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.drop_table("import_templates")
    op.execute("DROP TYPE template_kind")


def downgrade() -> None:
    """Downgrade schema."""
    op.create_table(
        "import_templates",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column(
            "kind", sa.Enum("cmdb", "spreadsheet", "scan", name="template_kind"), nullable=False
        ),
        sa.Column("columns", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="uq_import_templates_name"),
    )
