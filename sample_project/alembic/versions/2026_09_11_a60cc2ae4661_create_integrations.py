"""Create integrations

Revision ID: a60cc2ae4661
Revises: cf0f4fc4d801
Create Date: 2026-09-11 15:47:20.318846+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a60cc2ae4661"
down_revision: str | Sequence[str] | None = "cf0f4fc4d801"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    # As it was tried out in psql: the sync job connects without a search_path.
    op.execute("SET search_path TO public, migration")
    op.create_table(
        "integrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("engagement_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("cmdb", "ticketing", "monitoring", name="integration_kind"),
            server_default="cmdb",
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column(
            "settings",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("engagement_id", "name", name="uq_integrations_name"),
        comment="A system of the client's that data comes from",
    )
    op.create_index("ix_migration_integrations_engagement_id", "integrations", ["engagement_id"])
    op.execute(
        """
        CREATE FUNCTION touch_updated_at() RETURNS trigger
        LANGUAGE plpgsql AS $function$
        BEGIN
            NEW.updated_at := now();
            RETURN NEW;
        END
        $function$
        """
    )
    op.execute(
        "CREATE TRIGGER integrations_touch BEFORE UPDATE ON integrations "
        "FOR EACH ROW EXECUTE FUNCTION touch_updated_at()"
    )
    op.execute("SET search_path TO migration, public")


def downgrade() -> None:
    """Downgrade schema."""
    op.execute("DROP TABLE public.integrations")
    op.execute("DROP FUNCTION public.touch_updated_at()")
    op.execute("DROP TYPE public.integration_kind")
