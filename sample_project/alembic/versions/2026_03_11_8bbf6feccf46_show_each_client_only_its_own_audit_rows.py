"""Show each client only its own audit rows

Revision ID: 8bbf6feccf46
Revises: 96ac3a9efe65
Create Date: 2026-03-11 11:41:05.996432+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "8bbf6feccf46"
down_revision: str | Sequence[str] | None = "96ac3a9efe65"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute("ALTER TABLE migration.audit_log ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY audit_log_own_client ON migration.audit_log FOR SELECT USING "
        "(client_account_id = current_setting('app.client_account_id', true)::uuid)"
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP POLICY audit_log_own_client ON migration.audit_log")
    op.execute("ALTER TABLE migration.audit_log DISABLE ROW LEVEL SECURITY")
