"""Which of Alembic's operations have to wait until a column is embedded."""

from __future__ import annotations

from alembic.operations import ops

from alembic_fixups.fixups.vector_dimension.plan import Plan
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.run import Run
from alembic_fixups.stock.tree import leaves


def leave_nullable(plan: Plan, run: Run, upgrade_ops: ops.UpgradeOps) -> None:
    """Takes SET NOT NULL of columns that wait for vectors out of Alembic's operations.

    Of those that wait already, and of those that the revision has wait.
    """
    waiting = {(job.table, job.column) for job in plan.jobs}
    for one in plan.conversions:
        if one.is_reembedded:
            relation = run.catalog.relations[one.relation]
            waiting.add((TableName(relation.schema, relation.name), one.column))
    for operation in leaves(upgrade_ops.ops):
        if isinstance(operation, ops.AlterColumnOp) and operation.modify_nullable is False:
            schema = operation.schema or run.context.dialect.default_schema_name
            found = run.catalog.find(schema, operation.table_name)
            if (
                found is not None
                and (TableName(found.schema, found.name), operation.column_name) in waiting
            ):
                operation.modify_nullable = None


def is_empty(operation: ops.MigrateOperation) -> bool:
    """Whether nothing is left of an operation that `leave_nullable` has changed."""
    return isinstance(operation, ops.AlterColumnOp) and not operation.has_changes()
