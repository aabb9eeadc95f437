"""Nothing: how relationships are loaded is no matter of the database's."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.operations import ops

from alembic_fixups.fixups.relationship_loading.settings import RelationshipLoadingSettings
from alembic_fixups.fixups.relationship_loading.values import Loading
from alembic_fixups.run import Replacement, Run


def replace(
    wanted: Sequence[Loading],
    settings: RelationshipLoadingSettings,
    run: Run,
    upgrade_ops: ops.UpgradeOps,
) -> Replacement:
    """Leaves every operation as it is."""
    return Replacement(lambda operation: False)
