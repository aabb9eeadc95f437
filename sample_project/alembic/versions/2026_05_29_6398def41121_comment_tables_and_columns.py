"""Comment tables and columns

Revision ID: 6398def41121
Revises: 01e6e2866791
Create Date: 2026-05-29 11:05:56.848478+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "6398def41121"
down_revision: str | Sequence[str] | None = "01e6e2866791"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = {
    "client_accounts": "A company that uses the platform",
    "engagements": "One project with a client",
    "assets": "Something a client runs and may want to move",
    "agent_discovered_patterns": "Regularities that agents saw in a client's data",
    "import_rows": "Lines of uploaded files, as they came",
}
COLUMNS = {
    ("assets", "annual_cost"): "In the currency of the client''s contract",
    ("agent_discovered_patterns", "embedding"): "Of the name and the description",
}


def upgrade() -> None:
    """Upgrade schema."""
    for table, comment in TABLES.items():
        op.create_table_comment(table, comment, schema="migration")
    for (table, column), comment in COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN migration.{table}.{column} IS '{comment}'")


def downgrade() -> None:
    """Downgrade schema."""
    for table, column in COLUMNS:
        op.execute(f"COMMENT ON COLUMN migration.{table}.{column} IS NULL")
    for table in TABLES:
        op.drop_table_comment(table, schema="migration")
