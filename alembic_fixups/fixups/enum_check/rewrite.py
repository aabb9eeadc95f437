"""The change of the desired schema: an enum column is a VARCHAR or TEXT with a CHECK."""

from __future__ import annotations

import enum
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    DefaultClause,
    Enum,
    String,
    Table,
    Text,
    TextClause,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.sql.base import SchemaEventTarget
from sqlalchemy.sql.elements import conv
from sqlalchemy.types import TypeEngine

from alembic_fixups.catalog import Name
from alembic_fixups.fixups.enum_check.checks import (
    bound_check,
    check_beside,
    check_name,
    condition_of,
    final_name,
    held_names,
    values_in,
    written_check,
)
from alembic_fixups.fixups.enum_check.events import forget
from alembic_fixups.fixups.enum_check.inference import (
    FoundEnum,
    Place,
    enum_columns,
    references,
)
from alembic_fixups.fixups.enum_check.settings import NAME, EnumCheckSettings, covers
from alembic_fixups.rendering import quoting
from alembic_fixups.report import Refused
from alembic_fixups.retyping.casts import expressions, may_cast, retyped, sql_of
from alembic_fixups.stock.constraints import DIALECT, expression_sql
from alembic_fixups.target import TableKey, Target

LONGEST_LABEL = 63
"""Longest label of a native enum (manual, 8.7), and so the least length of a column made of one:
a label that is added later never needs a change of type."""


@dataclass(frozen=True)
class EnumColumn:
    """A column that has a CHECK in the place of an enum type.

    Attributes:
        table: key of its table in the target.
        column: its name in the database.
        type: the native enum type that the models give it, None where theirs is none.
        values: what the database stores, in the order of the models.
        dimensions: 0 for a single value, 1 and more for an array.
        storage: the type that it is to be of, or its elements, or the domain that it is of.
        check: name of the CHECK in the database, of the domain where there is one; None for one
            of SQLAlchemy's own that the models leave unnamed.
        condition: SQL of this CHECK.
        domain: the domain that it is of.
        name: what the models call its enum, None where they do not.
    """

    table: TableKey
    column: str
    type: Name | None
    values: tuple[str, ...]
    dimensions: int
    storage: str
    check: str | None
    condition: str
    domain: Name | None = None
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Cast:
    """An expression of the models with a cast to an enum type that goes.

    Attributes:
        table: key of its table in the target.
        old, new: the expression before and after.
        types: the types that it names.
    """

    table: TableKey
    old: str
    new: str
    types: frozenset[Name]


@dataclass(frozen=True)
class Wanted:
    """What the fixup wants of the desired schema.

    Attributes:
        columns: the columns that it covers, in a fixed order.
        types: the native enum types that they are of in the models, with their values.
        casts: the expressions of the models that name these types.
    """

    columns: tuple[EnumColumn, ...]
    types: dict[Name, tuple[str, ...]] = field(default_factory=dict)
    casts: tuple[Cast, ...] = ()


def rewrite(target: Target, settings: EnumCheckSettings, major_version: int) -> Wanted:
    """Gives every enum column that the settings cover a plain type and a CHECK.

    Takes the target, the fixup's settings and the major version of the server; gives the columns
    in a fixed order.

    Raises:
        Refused: the settings cover one half of what has to be of one type.
    """
    return _Rewrite(target, settings).run()


class _Rewrite:
    def __init__(self, target: Target, settings: EnumCheckSettings) -> None:
        self._target = target
        self._settings = settings
        self._to: str = settings.storage
        self._found = enum_columns(target)
        self._covered = self._chosen()
        types = {place: self._name(one.enum) for place, one in self._found.items() if one.native}
        self._going = {place: types[place] for place in types if place in self._covered}
        self._staying = {place: types[place] for place in types if place not in self._covered}
        self._bare = self._by_bare_name(set(types.values()))
        self._domains: dict[Name, DOMAIN] = {}
        self._casts: set[Cast] = set()

    def run(self) -> Wanted:
        columns = [self._convert(place) for place in sorted(self._covered)]
        columns += self._listed()
        if self._going:
            for key in self._target.tables:
                self._retype(key)
        self._forget_types()
        values = {column.type: column.values for column in columns if column.type is not None}
        ordered = tuple(sorted(columns, key=lambda column: (column.table, column.column)))
        casts = tuple(sorted(self._casts, key=lambda cast: (cast.table, cast.old)))
        return Wanted(ordered, dict(sorted(values.items())), casts)

    # Which columns

    def _chosen(self) -> frozenset[Place]:
        chosen = {place: self._covers(place) for place in self._found}
        links = list(references(self._target, self._found))
        for _ in links:  # as often as a chain of references can be long
            for child, parent, follows in links:
                if follows:
                    chosen[child] = chosen[parent]
        for child, parent, _ in links:
            if chosen[child] != chosen[parent]:
                raise Refused(
                    f"{NAME}: {self._shown(child)} refers to {self._shown(parent)}, and the "
                    "settings cover one of the two. A foreign key needs both to be of one type: "
                    "include or exclude both"
                )
        domains: dict[Name, list[Place]] = defaultdict(list)
        for place, found in self._found.items():
            if found.domain is not None:
                domains[self._name(found.domain)].append(place)
        for domain, places in domains.items():
            if len({chosen[place] for place in places}) > 1:
                raise Refused(
                    f"{NAME}: the settings cover some of the columns of the domain "
                    f"{'.'.join(domain)}, not all: {', '.join(map(self._shown, sorted(places)))}. "
                    "Include or exclude all of them"
                )
        return frozenset(place for place, is_chosen in chosen.items() if is_chosen)

    def _covers(self, place: Place) -> bool:
        table, found = self._target.table(place[0]), self._found[place]
        names = [] if found.name is None else [found.name]
        if found.native:
            names.append(".".join(self._name(found.enum)))
        return self._matches(table, table.c[place[1]], names)

    def _matches(self, table: Table, column: Column[Any], type_names: list[str]) -> bool:
        schema = table.schema or self._target.default_schema
        default = self._target.home or self._target.default_schema
        return covers(self._settings, schema, table.name, column.name, type_names, default)

    def _shown(self, place: Place) -> str:
        return f"{place[0]}.{self._target.table(place[0]).c[place[1]].name}"

    # The columns

    def _convert(self, place: Place) -> EnumColumn:
        key, column_key = place
        found = self._found[place]
        bound = bound_check(self._target.table(key), column_key)
        keeps = bound is not None and not found.native and not found.dimensions
        base = self._storage(found)
        cast = "text" if isinstance(base, Text) else "varchar"
        result = EnumColumn(
            table=key,
            column=self._target.table(key).c[column_key].name,
            type=self._type_of(found),
            values=found.values,
            dimensions=found.dimensions,
            storage=base.compile(dialect=DIALECT),
            check=None,
            condition="",
            name=found.name,
        )
        if found.domain is not None:
            column = self._editable(place)
            domain = self._domain(found.domain, found, base, cast)
            column.type = type_ = _plain(found, domain)
            assert isinstance(type_, SchemaEventTarget)
            type_._set_parent_with_dispatch(column)  # has create_all() create the domain
            return replace(
                result,
                check=domain.constraint_name,
                condition=str(domain.check),
                domain=self._name(domain),
            )
        condition = condition_of(
            quoting.identifier(result.column), found.values, found.dimensions, cast
        )
        if keeps:
            assert bound is not None
            return replace(result, check=final_name(bound), condition=condition)
        known = check_beside(self._target.table(key).c[column_key], found)
        if known is not None and expression_sql(known.sqltext) == condition:
            return replace(result, check=final_name(known), condition=condition)
        column = self._editable(place)
        table = column.table
        # A native type's own CHECK is for other databases; a written one lists other values.
        table.constraints.discard(bound_check(table, column_key))
        known = check_beside(column, found)
        for constraints in (table.constraints, *(one.constraints for one in table.c)):
            constraints.discard(known)
        column.type = _plain(found, base)
        check = CheckConstraint(text(condition))
        check.name = conv(check_name(check, table, column))
        table.append_constraint(check)
        return replace(result, check=str(check.name), condition=condition)

    def _listed(self) -> Iterator[EnumColumn]:
        """The columns of no enum that have the CHECK of one; they stay as they are."""
        for key, table in self._target.tables.items():
            held = held_names(table)
            for column in table.c:
                type_: Any = column.type
                dimensions = (type_.dimensions or 1) if isinstance(type_, ARRAY) else 0
                type_ = getattr(type_, "item_type", type_)
                if not isinstance(type_, String) or (key, column.key) in self._found:
                    continue
                check = written_check(column, dimensions, held)
                if check is None or not self._matches(table, column, []):
                    continue
                yield EnumColumn(
                    table=key,
                    column=column.name,
                    type=None,
                    values=values_in(check, column, dimensions),
                    dimensions=dimensions,
                    storage=type_.compile(dialect=DIALECT),
                    check=final_name(check),
                    condition=expression_sql(check.sqltext),
                )

    def _editable(self, place: Place) -> Column[Any]:
        """The column in a table of the target's own; a default that is a member is its label."""
        column = self._target.editable(place[0]).c[place[1]]
        if isinstance(default := getattr(column.server_default, "arg", None), enum.Enum):
            enum_ = self._found[place].enum
            label = enum_._db_value_for_elem(default)  # type: ignore[no-untyped-call]
            column.server_default = DefaultClause(label)
        return column

    def _storage(self, found: FoundEnum) -> String:
        if not found.native:
            return String(found.enum.length)
        if self._to == "text":
            return Text()
        return String(max(LONGEST_LABEL, *map(len, found.values)))

    def _domain(self, was: DOMAIN, found: FoundEnum, base: String, cast: str) -> DOMAIN:
        """The domain over the plain type; one for all its columns."""
        name = self._name(was)
        if name in self._domains:
            return self._domains[name]
        condition = condition_of("VALUE", found.values, found.inside, cast)
        names = {one: self._bare[one] for one in self._going.values()}
        if was.check is not None:  # SQLAlchemy's domains have one CHECK at most
            condition = f"{condition} AND ({retyped(sql_of(was.check) or '', names, self._to)})"
        default = was.default
        if isinstance(default, TextClause):
            default = text(retyped(default.text, names, self._to))
        elif isinstance(default, str):
            default = retyped(default, names, self._to)
        inside = replace(found, dimensions=found.inside, inside=0)
        self._domains[name] = DOMAIN(
            str(was.name),
            _plain(inside, base),
            collation=was.collation,
            default=default,
            constraint_name=was.constraint_name or quoting.fit_identifier(f"ck_{was.name}"),
            not_null=was.not_null,
            check=text(condition),
            create_type=was.create_type,
            schema=was.schema,
        )
        return self._domains[name]

    # What else names the types

    def _retype(self, key: TableKey) -> None:
        """Turns the casts in a table's expressions into casts to the plain type."""
        if any(self._changed(key, *found[:2]) for found in expressions(self._target.table(key))):
            for expression, column_key, put in list(expressions(self._target.editable(key))):
                if (changed := self._changed(key, expression, column_key)) is not None:
                    self._casts.add(changed)
                    put(text(changed.new))

    def _changed(self, key: TableKey, expression: Any, column: str | None) -> Cast | None:
        """The expression with other casts, None where it has none to a type that goes."""
        sql = sql_of(expression)
        if sql is None or not may_cast(sql):
            return None
        names = {
            name: self._bare[name]
            for name in set(self._going.values())
            if self._goes(key, name, sql, column)
        }
        changed = retyped(sql, names, self._to)
        if changed == sql:
            return None
        types = {one for one in names if retyped(sql, {one: names[one]}, self._to) != sql}
        return Cast(key, sql, changed, frozenset(types))

    def _goes(self, key: TableKey, name: Name, sql: str, column: str | None) -> bool:
        """Whether a cast to the type in an expression has to go with the type."""
        if name not in self._staying.values():
            return True
        if column is not None and (key, column) in self._found:
            return self._going.get((key, column)) == name
        staying = [place for place, type_ in self._staying.items() if type_ == name]
        names = [self._target.table(key).c[other].name for at, other in staying if at == key]
        return (key, name) in {(at, type_) for (at, _), type_ in self._going.items()} and not any(
            re.search(rf"(?<!\w){re.escape(other)}(?!\w)", sql) for other in names
        )

    def _forget_types(self) -> None:
        """Has ``create_all()`` no longer create the types that nothing is of any more."""
        gone = set(self._going.values()) - set(self._staying.values())
        metadata = self._target.metadata
        metadatas = metadata if isinstance(metadata, list) else [metadata]
        edited = [self._target.table(key) for key, _ in self._covered]

        def is_gone(owner: object) -> bool:
            if isinstance(owner, DOMAIN):
                return self._domains.get(self._name(owner), owner) is not owner
            return isinstance(owner, Enum) and self._type_of(FoundEnum(owner)) in gone

        forget([*metadatas, *dict.fromkeys(edited)], is_gone)

    # Names

    def _name(self, type_: Enum | DOMAIN) -> Name:
        return type_.schema or self._target.default_schema, str(type_.name)

    def _type_of(self, found: FoundEnum) -> Name | None:
        return self._name(found.enum) if found.native and found.enum.name is not None else None

    def _by_bare_name(self, names: set[Name]) -> dict[Name, bool]:
        """The types, each with whether its name without a schema means it."""
        schemas: dict[str, set[str]] = defaultdict(set)
        for schema, name in names:
            schemas[name].add(schema)
        default = self._target.home or self._target.default_schema
        return {
            (schema, name): schema == default or schemas[name] == {schema} for schema, name in names
        }


def _plain(found: FoundEnum, base: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of the column, of *base* in the place of the enum, or of its domain."""
    dimensions = found.dimensions - found.inside
    return postgresql.ARRAY(base, dimensions=dimensions) if dimensions else base
