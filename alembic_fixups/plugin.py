"""The entry point that Alembic loads: hooks around its own comparison.

Alembic imports this module while it is itself half imported, and on every ``import alembic``: so
nothing of Alembic and nothing slow is imported before a hook runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult


def setup(plugin: Plugin) -> None:
    """Registers the hooks. Called by Alembic."""
    from alembic.util import DispatchPriority

    plugin.add_autogenerate_comparator(_before, "autogenerate", priority=DispatchPriority.FIRST)
    plugin.add_autogenerate_comparator(_schemas, "schema", priority=DispatchPriority.FIRST)
    plugin.add_autogenerate_comparator(_after, "autogenerate", priority=DispatchPriority.LAST)


def _before(context: AutogenContext, upgrade_ops: UpgradeOps) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_fixups import comparator

    comparator.rewrite_target(context)
    return PriorityDispatchResult.CONTINUE


def _schemas(
    context: AutogenContext, upgrade_ops: UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_fixups import comparator

    comparator.name_schemas(context, schemas)
    return PriorityDispatchResult.CONTINUE


def _after(context: AutogenContext, upgrade_ops: UpgradeOps) -> PriorityDispatchResult:
    from alembic.util import PriorityDispatchResult

    from alembic_fixups import comparator

    comparator.replace_operations(context, upgrade_ops)
    return PriorityDispatchResult.CONTINUE
