"""Record flow events by trigger

Revision ID: 2c44b92bc488
Revises: 0d3857b18b80
Create Date: 2026-04-06 13:20:59.269087+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "2c44b92bc488"
down_revision: str | Sequence[str] | None = "0d3857b18b80"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        CREATE FUNCTION migration.record_flow_event() RETURNS trigger
        LANGUAGE plpgsql AS $function$
        BEGIN
            INSERT INTO migration.flow_events
                (client_account_id, engagement_id, flow_id, old_status, new_status)
            VALUES (NEW.client_account_id, NEW.engagement_id, NEW.id, OLD.status, NEW.status);
            RETURN NULL;
        END
        $function$
        """
    )
    op.execute(
        """
        CREATE TRIGGER discovery_flows_record_event
        AFTER UPDATE OF status ON migration.discovery_flows
        FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
        EXECUTE FUNCTION migration.record_flow_event()
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP TRIGGER discovery_flows_record_event ON migration.discovery_flows")
    op.execute("DROP FUNCTION migration.record_flow_event()")
