"""The import that a revision needs whose operations name types of the package pgvector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alembic.operations import ops
from sqlalchemy import Column
from sqlalchemy.types import TypeEngine

from alembic_fixups.fixups.vector_dimension.types import is_pgvectors
from alembic_fixups.run import Run
from alembic_fixups.stock.tree import leaves


def import_types(run: Run, upgrade_ops: ops.UpgradeOps) -> None:
    """Has the revision import pgvector where Alembic would name a type of it and import nothing.

    With ``user_module_prefix`` in env.py it is named otherwise, and env.py sees to it.
    """
    if run.context.opts.get("user_module_prefix") is not None:
        return
    if any(
        is_pgvectors(type_) for operation in leaves(upgrade_ops.ops) for type_ in _types(operation)
    ):
        run.context.imports.add("import pgvector.sqlalchemy")


def _types(operation: ops.MigrateOperation) -> Iterator[TypeEngine[Any]]:
    """The types that an operation, or its reverse, names."""
    if isinstance(operation, ops.AlterColumnOp):
        for type_ in (operation.modify_type, operation.existing_type):
            if isinstance(type_, TypeEngine):
                yield type_
    elif isinstance(operation, ops.AddColumnOp):
        yield operation.column.type
    elif isinstance(operation, ops.CreateTableOp | ops.DropTableOp):
        table = operation.to_table()
        yield from (column.type for column in table.c)
    elif isinstance(operation, ops.DropColumnOp):
        column = operation.to_column()
        if isinstance(column, Column):
            yield column.type
