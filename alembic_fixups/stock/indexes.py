"""Indexes that are dropped and created under one name, where IF EXISTS alone would go wrong."""

from __future__ import annotations

from alembic.operations import ops
from sqlalchemy.schema import CreateIndex

from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.stock.constraints import DIALECT


def key(index: ops.CreateIndexOp | ops.DropIndexOp) -> tuple[str | None, str | None, str | None]:
    """Schema and name of its table, and its name."""
    return index.schema, index.table_name, str(index.index_name)


def replace(templates: Templates, index: ops.CreateIndexOp) -> Step:
    """Creates it in the place of another one of its name.

    When the migration runs again it is there and stays: a foreign key may rest on it by then.
    """
    table, name = _names(index)
    return templates.step(
        "stock/replace_index.sql.j2",
        f"{table}: make {name.name} the index that it should be, unless it is that already.",
        f"ACCESS EXCLUSIVE on {table} while the index is built.",
        table=table,
        index=name,
        present=name.text,
        create=_ddl(index, table),
        create_twin=_ddl(index, TableName("pg_temp", "fixup_twin")),
    )


def create(templates: Templates, index: ops.CreateIndexOp) -> Step:
    """Creates it where its table has none of its name."""
    table, name = _names(index)
    return templates.step(
        "stock/create_index.sql.j2",
        f"{table}: create the index {name.name} if it is not there.",
        f"SHARE on {table} while the index is built: writes wait.",
        present=name.text,
        table=table,
        create=_ddl(index, table),
    )


def drop(templates: Templates, index: ops.CreateIndexOp) -> Step:
    """Drops it, unless it is that of the constraint or the table which takes its name."""
    table, name = _names(index)
    return templates.step(
        "stock/drop_index.sql.j2",
        f"{table}: drop the index {name.name}, unless it is that of a constraint or another table "
        "already.",
        f"ACCESS EXCLUSIVE on {table} for a catalog change.",
        index=name,
        present=name.text,
        table=table,
    )


def _names(index: ops.CreateIndexOp) -> tuple[TableName, TableName]:
    table = TableName(index.schema, index.table_name)
    return table, TableName(index.schema, str(index.index_name))


def _ddl(index: ops.CreateIndexOp, table: TableName) -> str:
    # CONCURRENTLY is not possible inside a DO block.
    options = {name: kw for name, kw in index.kw.items() if name != "postgresql_concurrently"}
    made = ops.CreateIndexOp(
        index.index_name,
        table.name,
        index.columns,
        schema=table.schema,
        unique=index.unique,
        **options,
    )
    return str(CreateIndex(made.to_index()).compile(dialect=DIALECT))
