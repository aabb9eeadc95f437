"""Seed the feature registry

Revision ID: e6c1ab7c44c4
Revises: 06cfb2c0a476
Create Date: 2025-12-17 16:07:47.290210+00:00

"""

from collections.abc import Sequence

from alembic import op

revision: str = "e6c1ab7c44c4"
down_revision: str | Sequence[str] | None = "06cfb2c0a476"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.execute(
        """
        INSERT INTO feature_registries (key, title, description, stage) VALUES
            ('asset-graph', 'Asset graph', 'Dependencies drawn as a graph', 'general'),
            ('bulk-import', 'Bulk import', 'Spreadsheets of up to 50,000 rows', 'general'),
            ('pattern-search', 'Pattern search', 'Find similar patterns by meaning', 'beta'),
            ('six-r-advisor', '6R advisor', 'An agent''s proposal beside the decision', 'beta'),
            ('wave-planner', 'Wave planner', NULL, 'beta'),
            ('cost-compare', 'Cost comparison', '100% of list price: two clouds compared', 'alpha')
        """
    )


def downgrade() -> None:
    """Downgrade schema."""
    op.execute(
        "DELETE FROM feature_registries WHERE key IN ('asset-graph', 'bulk-import', "
        "'pattern-search', 'six-r-advisor', 'wave-planner', 'cost-compare')"
    )
