"""Create the audit log

Revision ID: 96ac3a9efe65
Revises: f5ced41faa60
Create Date: 2026-03-06 09:25:54.564843+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "96ac3a9efe65"
down_revision: str | Sequence[str] | None = "f5ced41faa60"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("client_account_id", sa.Uuid(), nullable=True),
        sa.Column("engagement_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("entity", sa.String(length=80), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["client_account_id"], ["migration.client_accounts.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["migration.engagements.id"], ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["migration.users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        schema="migration",
        comment="What somebody did; never changed, only added to",
    )
    op.create_index(
        "ix_audit_log_client_time",
        "audit_log",
        ["client_account_id", "created_at"],
        schema="migration",
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_table("audit_log", schema="migration")
