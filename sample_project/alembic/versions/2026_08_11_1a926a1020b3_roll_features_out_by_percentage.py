"""Roll features out by percentage

Revision ID: 1a926a1020b3
Revises: 991917e0033e
Create Date: 2026-08-11 14:41:20.709931+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "1a926a1020b3"
down_revision: str | Sequence[str] | None = "991917e0033e"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.add_column(
        "feature_flags",
        sa.Column(
            "rollout_percent", sa.SmallInteger(), server_default=sa.text("100"), nullable=False
        ),
    )
    op.create_check_constraint(
        "ck_feature_flags_rollout", "feature_flags", "rollout_percent BETWEEN 0 AND 100"
    )
    op.execute(
        """
        INSERT INTO feature_flags (feature_id, enabled, rollout_percent)
        SELECT id, true, 25 FROM feature_registries WHERE key = 'pattern-search'
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute(
        """
        DELETE FROM feature_flags f USING feature_registries r
        WHERE r.id = f.feature_id AND r.key = 'pattern-search' AND f.client_account_id IS NULL
        """
    )
    op.drop_constraint("ck_feature_flags_rollout", "feature_flags", type_="check")
    op.drop_column("feature_flags", "rollout_percent")
