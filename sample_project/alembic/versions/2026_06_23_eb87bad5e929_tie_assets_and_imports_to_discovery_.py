"""Tie assets and imports to discovery flows

Revision ID: eb87bad5e929
Revises: 54380b15f3fd
Create Date: 2026-06-23 11:55:25.124507+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "eb87bad5e929"
down_revision: str | Sequence[str] | None = "54380b15f3fd"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        UPDATE assets SET discovery_flow_id = NULL
        WHERE discovery_flow_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM discovery_flows f WHERE f.id = assets.discovery_flow_id)
        """
    )
    op.execute(
        "ALTER TABLE assets ADD CONSTRAINT fk_assets_discovery_flow "
        "FOREIGN KEY (discovery_flow_id) REFERENCES discovery_flows (id) ON DELETE SET NULL"
    )
    op.create_index("ix_migration_assets_discovery_flow_id", "assets", ["discovery_flow_id"])
    op.add_column("data_imports", sa.Column("discovery_flow_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        "data_imports_discovery_flow_id_fkey",
        "data_imports",
        "discovery_flows",
        ["discovery_flow_id"],
        ["id"],
        source_schema="migration",
        referent_schema="migration",
        ondelete="SET NULL",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("data_imports", "discovery_flow_id")
    op.drop_index("ix_migration_assets_discovery_flow_id", "assets")
    op.drop_constraint("fk_assets_discovery_flow", "assets", type_="foreignkey")
