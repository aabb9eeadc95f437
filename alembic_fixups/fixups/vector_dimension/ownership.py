"""Which of Alembic's operations have to wait until a column is embedded."""

from __future__ import annotations

from alembic.operations import ops

from alembic_fixups.fixups.vector_dimension.side_tables import Job
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.run import Run
from alembic_fixups.stock.tree import leaves


def leave_nullable(jobs: list[Job], run: Run, upgrade_ops: ops.UpgradeOps) -> None:
    """Takes SET NOT NULL of the columns that wait for vectors out of Alembic's operations."""
    waiting = {(job.table, job.column) for job in jobs}
    for operation in leaves(upgrade_ops.ops):
        if isinstance(operation, ops.AlterColumnOp) and operation.modify_nullable is False:
            relation = run.catalog.find(
                operation.schema or run.context.dialect.default_schema_name, operation.table_name
            )
            if (
                relation is not None
                and (TableName(relation.schema, relation.name), operation.column_name) in waiting
            ):
                operation.modify_nullable = None


def is_empty(operation: ops.MigrateOperation) -> bool:
    """Whether nothing is left of an operation that `leave_nullable` has changed."""
    return isinstance(operation, ops.AlterColumnOp) and not operation.has_changes()
