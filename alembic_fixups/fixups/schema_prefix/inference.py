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
    schemas = _schemas(target)
    if len(schemas) != 1 or None in schemas or not _is_mixed(target):
        return None
    return {"schema": schemas.pop()}


def hint(target: Target) -> str:
    """What to tell somebody whose models leave schemas out here and there; else nothing."""
    schemas = _schemas(target)
    if schemas <= {None} or not _is_mixed(target):
        return ""
    named = ", ".join(sorted(schema for schema in schemas if schema is not None))
    return (
        f"tables and references name {named}, or no schema. If those without belong into one of "
        f'them, write [tool.alembic-fixups.{NAME}] with schema = "..."'
    )


def _schemas(target: Target) -> set[str | None]:
    return {table.schema for table in target.tables.values()} - {target.default_schema}


def _is_mixed(target: Target) -> bool:
    return any(map(_leaves_out, target.tables.values()))


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
