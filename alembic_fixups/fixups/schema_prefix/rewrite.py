"""The change of the desired schema: every table, type and sequence says its schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
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
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm.mapper import _all_registries
from sqlalchemy.sql.functions import next_value
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.schema_prefix.settings import SchemaPrefixSettings
from alembic_fixups.report import Refused
from alembic_fixups.settings import shown
from alembic_fixups.target import Target

NamedType = Enum | DOMAIN
"""A type that has a name and a schema of its own in the database."""

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


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
            constraint: schema
            for constraint, (schema, as_is) in references[key].items()
            if not as_is
        }
        if table.schema is None or changed:
            target.place(key, table.schema or home, changed.get)
    target.follow()

    types: set[str] = set()

    def place(type_: NamedType) -> str | None:
        if type_.schema not in (None, home):
            return None
        types.add(str(type_.name))
        return home

    _rename(target, place, lambda sequence: home if sequence.schema is None else None)
    return Placement(
        frozenset(table.name for table in target.tables.values() if table.schema == home),
        frozenset(types),
        frozenset(
            sequence.name for sequence in target.sequences if sequence.schema in (None, home)
        ),
    )


def settle(target: Target, types: Mapping[str, str], sequences: Mapping[str, str]) -> None:
    """Has the models take types and sequences from the schema that they stay in, by their names."""

    def elsewhere(known: NamedType | Sequence) -> str | None:
        names = sequences if isinstance(known, Sequence) else types
        return names.get(str(known.name)) if known.schema == target.home else None

    if types or sequences:
        _rename(target, elsewhere, elsewhere)


def _rename(
    target: Target,
    type_schema: Callable[[NamedType], str | None],
    sequence_schema: Callable[[Sequence], str | None],
) -> None:
    """Puts types and sequences into the schemas that the functions give, None to leave one."""
    for key, table in target.tables.items():
        for column in list(table.c):
            type_ = _renamed(column.type, type_schema)
            default = _renamed_default(column, sequence_schema)
            if type_ is not column.type or default is not None:
                column = target.editable(key).c[column.key]
                column.type = type_
                if default is not None:
                    column.server_default = default


def _refuse_doubles(target: Target, home: str) -> None:
    tables = target.tables
    for table in tables.values():
        other = tables.get(f"{home}.{table.name}")
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
) -> tuple[str, bool] | None:
    """The schema of the table that a foreign key refers to, and whether SQLAlchemy finds it.

    None where it needs no care: it was given a Column of another MetaData. A reference that leads
    nowhere is added to *wrong*.
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
        if key not in target or not target.together(table.key, key):
            continue
        found = target.table(key)
        if found.name == name and _has(found, column):
            referred = found.schema or settings.home
            # Copying is dear: what SQLAlchemy itself finds where it will be stays as it is.
            return referred, referred == found.schema and key == candidates[0]
    if element._table_column is not None:
        return None  # a table of another MetaData
    where = f"{place_of(table)}, column {', '.join(constraint.column_keys)}"
    spec = ".".join(part for part in (schema, name, column) if part)
    dotted = [key for key in candidates if key in target and target.table(key).name != name]
    near = [key for key, other in target.tables.items() if other.name == name]
    if dotted:
        hint = (
            f"; the table {dotted[0]!r} has a dot in its name: give ForeignKey its Column instead"
        )
    else:
        hint = f"; there is {' and '.join(near)}" if near else "; no model has a table of that name"
    wrong.append(f"- {where}: ForeignKey({spec!r}){hint}")
    return None


def _has(table: Table, column: str | None) -> bool:
    return column is None or column in table.c or any(column == one.name for one in table.c)


def tokens_of(element: ForeignKey) -> tuple[str | None, str, str | None]:
    # target_tokens came with SQLAlchemy 2.1.
    tokens = getattr(element, "target_tokens", None) or element._column_tokens
    return tokens[0], tokens[1], tokens[2]


def _renamed(
    type_: TypeEngine[Any], schema_of: Callable[[NamedType], str | None]
) -> TypeEngine[Any]:
    """The type with the schema that it is to have; the same object where nothing changes."""
    variants = {
        dialect: renamed
        for dialect, variant in type_._variant_mapping.items()
        if (renamed := _renamed(variant, schema_of)) is not variant
    }
    if variants:
        type_ = _with(type_, _variant_mapping=type_._variant_mapping.union(variants))
    if isinstance(type_, ARRAY):
        return _with(type_, item_type=_renamed(type_.item_type, schema_of))
    if isinstance(type_, TypeDecorator):
        return _renamed_decorator(type_, schema_of)
    if not (isinstance(type_, DOMAIN) or (isinstance(type_, Enum) and type_.native_enum)):
        return type_
    schema = schema_of(type_) if type_.name is not None else None
    return type_ if schema is None else _with(type_, schema=schema)


def named_types(type_: TypeEngine[Any]) -> set[tuple[str | None, str]]:
    """Schema and name of every enum type and domain that a column's type has in it."""
    found: set[tuple[str | None, str]] = set()

    def see(known: NamedType) -> None:
        found.add((known.schema, str(known.name)))

    _renamed(type_, see)
    return found


def _renamed_decorator(
    type_: TypeDecorator[Any], schema_of: Callable[[NamedType], str | None]
) -> TypeEngine[Any]:
    inner = _renamed(type_.impl_instance, schema_of)
    if inner is not type_.impl_instance:
        return _with(type_, impl=inner)
    loaded = type_.load_dialect_impl(_DIALECT)
    if loaded is type_.impl_instance or _renamed(loaded, schema_of) is loaded:
        return type_

    def load(dialect: Dialect) -> TypeEngine[Any]:
        return _renamed(type_.load_dialect_impl(dialect), schema_of)

    return _with(type_, load_dialect_impl=load)


def _with(type_: TypeEngine[Any], **attribute: Any) -> TypeEngine[Any]:
    [(name, value)] = attribute.items()
    if getattr(type_, name) == value:
        return type_
    changed = copy(type_)
    for memoized in ("_static_cache_key", "impl_instance"):
        changed.__dict__.pop(memoized, None)
    setattr(changed, name, value)
    return changed


def _renamed_default(
    column: Column[Any], schema_of: Callable[[Sequence], str | None]
) -> DefaultClause | None:
    """The default with its sequence in another schema, None where nothing changes."""
    default = getattr(column.server_default, "arg", None)
    if not isinstance(default, next_value):
        return None
    schema = schema_of(default.sequence)
    if schema is None or schema == default.sequence.schema:
        return None
    return DefaultClause(Sequence(default.sequence.name, schema=schema).next_value())


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
