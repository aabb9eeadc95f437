"""Create import templates

Revision ID: df07ad5ee4a7
Revises: 9f3a995a9c2e
Create Date: 2025-09-05 14:10:06.714266+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "df07ad5ee4a7"
down_revision: str | Sequence[str] | None = "9f3a995a9c2e"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
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


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("import_templates")
    op.execute("DROP TYPE template_kind")
