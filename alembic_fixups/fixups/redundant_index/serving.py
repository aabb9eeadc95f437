"""Which index or key of a table serves the look-ups by a column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.sql.elements import ColumnClause

from alembic_fixups.stock.constraints import DIALECT, is_emitted


@dataclass(frozen=True, order=True)
class Serving:
    """An index or key that begins with a column.

    Attributes:
        width: how many columns it has; the narrowest is the best.
        title: what it is, in a few words.
        columns: its columns.
        name: its name, "" for one that has none or the primary key's.
    """

    width: int
    title: str
    columns: tuple[str, ...]
    name: str = ""

    def __str__(self) -> str:
        return f"{self.title} on ({', '.join(self.columns)})"


def serving(table: Table, column: str) -> Serving | None:
    """The index or key of a table that serves the look-ups by a column, None where there is none.

    That is a btree in ascending order, neither partial nor with an operator class of its own, whose
    first column it is; the index that the column has by ``index=True`` aside.
    """
    found = [*_keys(table), *_indexes(table, column)]
    return min((one for one in found if one.columns[0] == column), default=None)


def flagged(table: Table) -> Iterator[tuple[Column[Any], Index]]:
    """The columns with ``index=True`` that are not unique, each with its index."""
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if index._column_flag and not index.unique:
            [column] = index.columns
            yield column, index


def name_of(index: Index) -> str:
    """The name of an index by ``index=True`` as the database has it, "" where it has none."""
    if not isinstance(index.name, str):
        return ""
    preparer = DIALECT.identifier_preparer
    return preparer.truncate_and_render_index_name(index.name, _alembic_quote=False)


def flag_names(table: Table, column: str) -> set[str]:
    """The names that ``index=True`` would give the index of a column.

    A naming convention may put the schema into them, which the table may have of a fixup.
    """
    found: set[str] = set()
    key = next(one.key for one in table.c if one.name == column)
    for schema in {table.schema, None}:
        twin = Table(
            table.name,
            MetaData(naming_convention=table.metadata.naming_convention),
            Column(column, Integer, key=key, index=True),
            schema=schema,
        )
        found |= {name_of(index) for index in twin.indexes}
    return found


def _keys(table: Table) -> Iterator[Serving]:
    for constraint in table.constraints:
        if not isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            continue
        columns = tuple(column.name for column in constraint.columns)
        if not columns or not is_emitted(constraint) or constraint._ddl_if is not None:
            continue
        if isinstance(constraint, PrimaryKeyConstraint):
            yield Serving(len(columns), "the primary key", columns)
        else:
            name = constraint.name if isinstance(constraint.name, str) else ""
            yield Serving(len(columns), f"the unique key {name}".rstrip(), columns, name)


def _indexes(table: Table, column: str) -> Iterator[Serving]:
    for index in table.indexes:
        if index._column_flag and not index.unique:
            continue
        options = index.dialect_options["postgresql"]
        is_plain = options["where"] is None and options["using"] in (False, None, "btree")
        first = index.expressions[0]
        if not is_plain or not isinstance(first, Column) or index._ddl_if is not None:
            continue
        if {first.key, first.name} & (options["ops"] or {}).keys():
            continue
        columns = tuple(
            one.name if isinstance(one, ColumnClause) else str(one) for one in index.expressions
        )
        kind = "the unique index" if index.unique else "the index"
        yield Serving(len(columns), f"{kind} {index.name}", columns, index.name or "")
