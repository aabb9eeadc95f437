"""Let discovery flows start others

Revision ID: 6f9a5195bb17
Revises: c76fd33fe6c7
Create Date: 2026-06-15 10:53:29.465789+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "6f9a5195bb17"
down_revision: str | Sequence[str] | None = "c76fd33fe6c7"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column("discovery_flows", sa.Column("parent_flow_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "discovery_flows_parent_flow_id_fkey",
        "discovery_flows",
        "discovery_flows",
        ["parent_flow_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.drop_column("discovery_flows", "owner_email")


def downgrade() -> None:
    """Downgrade schema."""
    op.add_column("discovery_flows", sa.Column("owner_email", sa.String(length=320), nullable=True))
    op.drop_constraint("discovery_flows_parent_flow_id_fkey", "discovery_flows")
    op.drop_column("discovery_flows", "parent_flow_id")
