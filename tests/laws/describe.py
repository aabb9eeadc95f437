"""Metadata as plain data, to compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    Table,
    TextClause,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from alembic_fixups.stock.constraints import expression_sql


def describe(
    metadata: MetaData, *, complete: bool = True, types: Callable[[Any], str] = repr
) -> dict[str, Any]:
    """Every table with all that makes a difference to the database, in an order that is fixed.

    Models that are not *complete* have references that SQLAlchemy cannot resolve. *types* says what
    a type is described by: by ``str`` an Enum that is no native one is the VARCHAR that it is to
    the database.
    """
    return {key: _table(table, complete, types) for key, table in sorted(metadata.tables.items())}


def _table(table: Table, complete: bool, types: Callable[[Any], str]) -> dict[str, Any]:
    dialect = postgresql.dialect()
    return {
        "columns": [
            (
                column.name,
                column.key,
                types(column.type),
                column.nullable,
                _default(column),
            )
            for column in table.c
        ],
        "keys on columns": sorted(
            (column.name, foreign_key.target_fullname)
            for column in table.c
            for foreign_key in column.foreign_keys
        ),
        "constraints": sorted(map(_constraint, table.constraints), key=repr),
        "indexes": sorted(
            str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes
        ),
        "comment": table.comment,
        "statement": sorted(
            line.strip(" ,")
            for line in str(CreateTable(table).compile(dialect=dialect)).splitlines()
        )
        if complete
        else [],
    }


def _default(column: Column[Any]) -> str:
    """The default by what it says: the objects in it differ from process to process."""
    default = column.server_default
    said = getattr(default, "sqltext", getattr(default, "arg", None))
    return f"{type(default).__name__} {said}" if isinstance(said, TextClause) else str(default)


def _constraint(constraint: Constraint) -> tuple[Any, ...]:
    kind, name = type(constraint).__name__, str(constraint.name)
    if isinstance(constraint, ForeignKeyConstraint):
        return (
            kind,
            name,
            [(element.parent.name, element.target_fullname) for element in constraint.elements],
            constraint.ondelete,
            constraint.onupdate,
            constraint.deferrable,
            constraint.initially,
        )
    if isinstance(constraint, CheckConstraint):
        return kind, name, expression_sql(constraint.sqltext)
    if isinstance(constraint, UniqueConstraint):
        return kind, name, [column.name for column in constraint.columns], constraint.deferrable
    return kind, name, [column.name for column in getattr(constraint, "columns", ())]
