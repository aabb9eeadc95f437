"""Seed the built-in roles

Revision ID: 95ab5d5a9a80
Revises: c0f57a4d4e34
Create Date: 2025-07-28 08:39:36.113224+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "95ab5d5a9a80"
down_revision: str | Sequence[str] | None = "c0f57a4d4e34"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    roles = sa.table("roles", sa.column("name", sa.String), sa.column("description", sa.Text))
    op.bulk_insert(
        roles,
        [
            {"name": "platform_admin", "description": "Runs the platform; sees every client"},
            {"name": "client_admin", "description": "Manages one client's people and engagements"},
            {"name": "engagement_lead", "description": "Answers for one engagement"},
            {"name": "analyst", "description": "Edits assets, assessments and decisions"},
            {"name": "viewer", "description": "Reads everything, changes nothing"},
        ],
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute(
        "DELETE FROM roles WHERE name IN "
        "('platform_admin', 'client_admin', 'engagement_lead', 'analyst', 'viewer')"
    )
