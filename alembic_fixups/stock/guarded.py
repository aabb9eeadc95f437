"""Alembic's operations with IF [NOT] EXISTS, whose reverse has it too.

Alembic's own lose it, but for added and dropped columns.
"""

from __future__ import annotations

from typing import cast

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _add_table
from alembic.operations import ops


class CreateTable(ops.CreateTableOp):
    """CREATE TABLE IF NOT EXISTS."""

    def reverse(self) -> DropTable:
        """DROP TABLE IF EXISTS."""
        table = self.to_table()
        result = DropTable.from_table(table, _namespace_metadata=self._namespace_metadata)
        result.if_exists = True
        return cast(DropTable, result)


class DropTable(ops.DropTableOp):
    """DROP TABLE IF EXISTS."""

    def reverse(self) -> CreateTable:
        """CREATE TABLE IF NOT EXISTS."""
        result = CreateTable.from_table(self.to_table())
        result.if_not_exists = True
        return cast(CreateTable, result)


class CreateIndex(ops.CreateIndexOp):
    """CREATE INDEX IF NOT EXISTS."""

    def reverse(self) -> DropIndex:
        """DROP INDEX IF EXISTS."""
        result = DropIndex.from_index(self.to_index())
        result.if_exists = True
        return cast(DropIndex, result)


class DropIndex(ops.DropIndexOp):
    """DROP INDEX IF EXISTS."""

    def reverse(self) -> CreateIndex:
        """CREATE INDEX IF NOT EXISTS."""
        result = CreateIndex.from_index(self.to_index())
        result.if_not_exists = True
        return cast(CreateIndex, result)


@renderers.dispatch_for(CreateTable)
def _create_table(context: AutogenContext, operation: CreateTable) -> str:
    text = _add_table(context, operation)
    # Where there is nothing between the name and an option Alembic writes two commas.
    return text if operation.to_table().columns else text.replace(",\n,", ",", 1)
