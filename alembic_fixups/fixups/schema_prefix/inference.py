"""The schema that the models live in, where they say it in some places and not in others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Enum, Table

from alembic_fixups.fixups.schema_prefix.rewrite import tokens_of
from alembic_fixups.fixups.schema_prefix.settings import NAME
from alembic_fixups.target import Target


def infer(target: Target) -> dict[str, Any] | None:
    """Settings with the schema that all tables are in, None where they are in several.

    None also where every reference already says its schema.
    """
    schemas = {table.schema for table in target.tables.values()} - {target.default_schema}
    if len(schemas) != 1:
        return None
    [schema] = schemas
    if schema is None or not any(map(_leaves_out, target.tables.values())):
        return None
    return {"schema": schema}


def hint(target: Target) -> str:
    """What to tell somebody whose models do not show one schema."""
    return (
        "the models do not show one schema that references leave out here and there. If their "
        f'tables belong into one, write [tool.alembic-fixups.{NAME}] with schema = "..."'
    )


def _leaves_out(table: Table) -> bool:
    """Whether a reference of the table, or a type of its columns, is written without a schema."""
    return any(
        element._table_column is None and tokens_of(element)[0] is None
        for constraint in table.foreign_key_constraints
        for element in constraint.elements
    ) or any(
        isinstance(column.type, Enum) and column.type.native_enum and column.type.schema is None
        for column in table.c
    )
