"""The change of the desired schema: every table, type and sequence says its schema."""

from __future__ import annotations

import inspect
from copy import copy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    DefaultClause,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Sequence,
    Table,
)
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.orm.mapper import _all_registries
from sqlalchemy.sql.functions import next_value
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.schema_prefix.settings import SchemaPrefixSettings
from alembic_fixups.report import Refused
from alembic_fixups.settings import shown
from alembic_fixups.target import Target


@dataclass(frozen=True)
class Placement:
    """What the models have in the one schema.

    Attributes:
        tables: names of the tables.
        types: names of the enum types and domains that their columns are of.
        sequences: names of the sequences that they define.
    """

    tables: frozenset[str]
    types: frozenset[str]
    sequences: frozenset[str]


def rewrite(target: Target, settings: SchemaPrefixSettings, major_version: int) -> Placement:
    """Puts every table without a schema into the one of the settings, and all that refers to it.

    Raises:
        Refused: two models would be one table, or a reference leads nowhere.
    """
    home = settings.home
    _refuse_doubles(target, home)
    tables = target.tables
    wrong: list[str] = []
    references = {
        key: {
            constraint: referred
            for constraint in table.foreign_key_constraints
            if (referred := _referred(target, settings, constraint, wrong)) is not None
        }
        for key, table in tables.items()
    }
    if wrong:
        raise Refused("\n".join(["These references of the models lead nowhere:", *sorted(wrong)]))
    target.home = home
    for key, table in tables.items():
        changed = {
            constraint: schema or home
            for constraint, (schema, written) in references[key].items()
            if (schema or home) != written
        }
        if table.schema is None or changed:
            target.place(key, table.schema or home, changed.get)
    target.follow()

    types: set[str] = set()
    for key, table in target.tables.items():
        for column in list(table.c):
            type_ = _placed(column.type, home, types)
            default = _placed_default(column, home)
            if type_ is not column.type or default is not None:
                column = target.editable(key).c[column.key]
                column.type = type_
                if default is not None:
                    column.server_default = default
    return Placement(
        frozenset(table.name for table in target.tables.values() if table.schema == home),
        frozenset(types),
        frozenset(
            sequence.name for sequence in target.sequences if sequence.schema in (None, home)
        ),
    )


def _refuse_doubles(target: Target, home: str) -> None:
    for table in target.tables.values():
        other = target.tables.get(f"{home}.{table.name}")
        if table.schema is None and other is not None:
            raise Refused(
                f"{place_of(table)} has no schema and {place_of(other)} is in {home!r}: with "
                f"schema-prefix both would be the table {other.key}. Give the one that is meant "
                "to be elsewhere its schema"
            )


def _referred(
    target: Target,
    settings: SchemaPrefixSettings,
    constraint: ForeignKeyConstraint,
    wrong: list[str],
) -> tuple[str | None, str | None] | None:
    """The schema of the table that a foreign key refers to, and the one that it is written with.

    None where it needs no care: it was given a Column. A reference that leads nowhere is added to
    *wrong*.
    """
    element = constraint.elements[0]
    schema, name, column = tokens_of(element)
    table = constraint.parent
    assert isinstance(table, Table)
    effective = schema or table.metadata.schema
    candidates = [name if effective is None else f"{effective}.{name}"]
    if schema is None:
        candidates.append(f"{settings.home}.{name}")
    elif schema in (settings.home, *settings.move_from):
        candidates += [name, f"{settings.home}.{name}"]
    for key in candidates:
        if key in target and target.together(table.key, key) and _has(target.table(key), column):
            return target.table(key).schema, schema
    if element._table_column is not None:
        return None  # a table of another MetaData
    where = f"{place_of(table)}, column {', '.join(constraint.column_keys)}"
    spec = ".".join(part for part in (schema, name, column) if part)
    near = [key for key, other in target.tables.items() if other.name == name]
    hint = f"; there is {' and '.join(near)}" if near else "; no model has a table of that name"
    wrong.append(f"- {where}: ForeignKey({spec!r}){hint}")
    return None


def _has(table: Table, column: str | None) -> bool:
    return column is None or column in table.c or any(column == one.name for one in table.c)


def tokens_of(element: ForeignKey) -> tuple[str | None, str, str | None]:
    # target_tokens came with SQLAlchemy 2.1.
    tokens = getattr(element, "target_tokens", None) or element._column_tokens
    return tokens[0], tokens[1], tokens[2]


def _placed(type_: TypeEngine[Any], home: str, found: set[str]) -> TypeEngine[Any]:
    """The type with its schema; the same object where it has one or needs none.

    Adds the names of the types that are in *home* to *found*.
    """
    if isinstance(type_, ARRAY):
        return _with(type_, item_type=_placed(type_.item_type, home, found))
    if isinstance(type_, TypeDecorator):
        return _with(type_, impl=_placed(type_.impl_instance, home, found))
    if not (isinstance(type_, DOMAIN) or (isinstance(type_, Enum) and type_.native_enum)):
        return type_
    if type_.name is None or type_.schema not in (None, home):
        return type_
    found.add(str(type_.name))
    return _with(type_, schema=home)


def _with(type_: TypeEngine[Any], **attribute: Any) -> TypeEngine[Any]:
    [(name, value)] = attribute.items()
    if getattr(type_, name) == value:
        return type_
    changed = copy(type_)
    for memoized in ("_static_cache_key", "impl_instance"):
        changed.__dict__.pop(memoized, None)
    setattr(changed, name, value)
    return changed


def _placed_default(column: Column[Any], home: str) -> DefaultClause | None:
    """The default with its sequence in *home*, None where nothing changes."""
    default = getattr(column.server_default, "arg", None)
    if not isinstance(default, next_value) or default.sequence.schema is not None:
        return None
    sequence = Sequence(default.sequence.name, schema=home)
    return DefaultClause(sequence.next_value())


def place_of(table: Table) -> str:
    """The table, with the class that maps it and its file and line where there is one."""
    for registry in _all_registries():
        for mapper in registry.mappers:
            if mapper.local_table is table:
                try:
                    path = inspect.getsourcefile(mapper.class_)
                    _, line = inspect.getsourcelines(mapper.class_)
                except (OSError, TypeError):
                    return f"{table.key} ({mapper.class_.__name__})"
                return f"{shown(str(path))}:{line}: {table.key} ({mapper.class_.__name__})"
    return table.key
