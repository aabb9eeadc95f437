"""Columns that wait for vectors: what of Alembic's operations has to wait, and what need not."""

from __future__ import annotations

from collections.abc import Iterator

from alembic.operations import ops

from alembic_fixups.fixups.vector_dimension.plan import Plan
from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.side_tables import JOB_MARK
from alembic_fixups.rendering.steps import StepsOp
from alembic_fixups.rendering.templates import TableName, Templates
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


def let_be_null(plan: Plan, run: Run, templates: Templates) -> Iterator[StepsOp]:
    """Has columns be NULL at the end that were to be NOT NULL, where the models say so by now."""
    for job in plan.jobs:
        key = run.target.find(job.table.schema, job.table.name)
        column = None if key is None else run.target.table(key).c.get(job.column)
        if not job.not_null or column is None or not column.nullable:
            continue
        steps = [
            templates.step(
                "vector_dimension/let_be_null.sql.j2",
                f"{job.table}: {job.column} {said} at the end of `alembic-fixups reembed`, or now "
                "where that is done.",
                f"ACCESS EXCLUSIVE on {job.table} for a catalog change"
                + (", while its rows are looked at." if not_null else "."),
                job=job,
                not_null=not_null,
                job_mark=JOB_MARK,
            )
            for said, not_null in (("may be NULL", False), ("is NOT NULL again", True))
        ]
        yield StepsOp(NAME, (f"{job.name}: may be NULL",), (steps[0],), (steps[1],))
