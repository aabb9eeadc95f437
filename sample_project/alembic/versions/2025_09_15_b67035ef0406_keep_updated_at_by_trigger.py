"""Keep updated_at by trigger

Revision ID: b67035ef0406
Revises: 09761448bef9
Create Date: 2025-09-15 15:59:19.324469+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "b67035ef0406"
down_revision: str | Sequence[str] | None = "09761448bef9"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("client_accounts", "engagements", "discovery_flows", "assets")


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        CREATE FUNCTION migration.set_updated_at() RETURNS trigger
        LANGUAGE plpgsql AS $function$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END
        $function$
        """
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_set_updated_at BEFORE UPDATE ON migration.{table} "
            "FOR EACH ROW EXECUTE FUNCTION migration.set_updated_at()"
        )


def downgrade() -> None:
    """Downgrade schema."""
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_set_updated_at ON migration.{table}")
    op.execute("DROP FUNCTION migration.set_updated_at()")
