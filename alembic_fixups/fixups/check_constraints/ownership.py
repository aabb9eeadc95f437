"""Which of Alembic's operations the steps of this fixup take the place of."""

from __future__ import annotations

from typing import Any

from alembic.operations import ops
from sqlalchemy import Column

from alembic_fixups.run import Run
from alembic_fixups.stock.tree import leaves, table_of


def owns(run: Run, operation: ops.MigrateOperation) -> bool:
    """Whether it adds or drops a CHECK of a table that both the models and the database have."""
    if isinstance(operation, ops.DropConstraintOp):
        is_check = operation.constraint_type in ("check", "column_check")
    else:
        is_check = isinstance(operation, ops.CreateCheckConstraintOp)
    return is_check and _is_compared(run, operation)


def take_out_of_columns(run: Run, upgrade_ops: ops.UpgradeOps) -> None:
    """Takes the CHECK that a type makes out of the columns that are added or get that type.

    ``Boolean`` and a non-native ``Enum`` with ``create_constraint`` make one, which Alembic adds
    with the column and which is among those of the table all the same.
    """
    for operation in leaves(upgrade_ops.ops):
        if not _is_compared(run, operation):
            continue
        if isinstance(operation, ops.AddColumnOp) and _makes_check(operation.column.type):
            operation.column = _without_check(operation.column)
        elif isinstance(operation, ops.AlterColumnOp) and operation.modify_type is not None:
            column = Column(operation.column_name, operation.modify_type)
            if _makes_check(column.type):
                operation.modify_type = _without_check(column).type


def _is_compared(run: Run, operation: ops.MigrateOperation) -> bool:
    named = table_of(operation)
    key = None if named is None else run.target.find(*named)
    relation = None if key is None else run.relation(run.target.table(key))
    return relation is not None and relation.kind in ("r", "p")


def _makes_check(type_: Any) -> bool:
    return bool(getattr(type_, "create_constraint", False))


def _without_check(column: Column[Any]) -> Column[Any]:
    result = column._copy()
    result.type = column.type.copy()
    result.type.create_constraint = False  # type: ignore[attr-defined]
    return result
