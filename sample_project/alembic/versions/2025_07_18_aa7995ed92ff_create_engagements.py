"""Create engagements

Revision ID: aa7995ed92ff
Revises: 4f0a77788f21
Create Date: 2025-07-18 13:25:40.558542+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "aa7995ed92ff"
down_revision: str | Sequence[str] | None = "4f0a77788f21"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "engagements",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "status",
            postgresql.ENUM(name="engagement_status", create_type=False),
            server_default="PLANNING",
            nullable=False,
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_account_id", "name", name="uq_engagements_client_name"),
    )
    op.create_index(
        "ix_migration_engagements_client_account_id", "engagements", ["client_account_id"]
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("engagements")
