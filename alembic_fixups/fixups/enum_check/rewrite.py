"""The change of the desired schema: an enum column is a VARCHAR or TEXT with a CHECK."""

from __future__ import annotations

import enum
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DefaultClause,
    Enum,
    String,
    Table,
    Text,
    TextClause,
    event,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.sql.base import SchemaEventTarget
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.naming import _constraint_name_for_table
from sqlalchemy.types import TypeEngine

from alembic_fixups.catalog import Name
from alembic_fixups.fixups.enum_check.inference import (
    FoundEnum,
    Place,
    enum_columns,
    references,
)
from alembic_fixups.fixups.enum_check.settings import NAME, EnumCheckSettings, covers
from alembic_fixups.rendering import quoting
from alembic_fixups.report import Refused
from alembic_fixups.retyping.casts import expressions, retyped, sql_of
from alembic_fixups.stock.constraints import DIALECT
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


@dataclass(frozen=True)
class Wanted:
    """What the fixup wants of the desired schema.

    Attributes:
        columns: the columns that it covers, in a fixed order.
        types: the native enum types that they are of in the models, with their values.
    """

    columns: tuple[EnumColumn, ...]
    types: dict[Name, tuple[str, ...]] = field(default_factory=dict)


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

    def run(self) -> Wanted:
        columns = [self._convert(place) for place in sorted(self._covered)]
        if self._going:
            for key in self._target.tables:
                self._retype(key)
        self._forget_types()
        values = {column.type: column.values for column in columns if column.type is not None}
        ordered = tuple(sorted(columns, key=lambda column: (column.table, column.column)))
        return Wanted(ordered, dict(sorted(values.items())))

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
        default = self._target.home or self._target.default_schema
        bare = found.enum.name
        names = [] if bare is None else [str(bare)]
        if found.native:
            names.append(".".join(self._name(found.enum)))
        return covers(
            self._settings,
            table.schema or self._target.default_schema,
            table.name,
            table.c[place[1]].name,
            names,
            default,
        )

    def _shown(self, place: Place) -> str:
        return f"{place[0]}.{self._target.table(place[0]).c[place[1]].name}"

    # The columns

    def _convert(self, place: Place) -> EnumColumn:
        key, column_key = place
        found = self._found[place]
        bound = _own_check(self._target.table(key), column_key)
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
            return replace(result, check=_final_name(bound), condition=condition)
        column = self._editable(place)
        table = column.table
        # A native type's own CHECK is for other databases.
        table.constraints.discard(_own_check(table, column_key))
        column.type = _plain(found, base)
        check = CheckConstraint(text(condition))
        check.name = conv(_check_name(check, table, column))
        table.append_constraint(check)
        return replace(result, check=str(check.name), condition=condition)

    def _editable(self, place: Place) -> Column[Any]:
        """The column in a table of the target's own; a default that is a member is its label."""
        column = self._target.editable(place[0]).c[place[1]]
        default = getattr(column.server_default, "arg", None)
        if isinstance(default, enum.Enum):
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
                changed = self._changed(key, expression, column_key)
                if changed is not None:
                    put(text(changed))

    def _changed(self, key: TableKey, expression: Any, column: str | None) -> str | None:
        """The expression with other casts, None where it has none to a type that goes."""
        sql = sql_of(expression)
        if sql is None:
            return None
        names = {
            name: self._bare[name]
            for name in set(self._going.values())
            if self._goes(key, name, sql, column)
        }
        changed = retyped(sql, names, self._to)
        return None if changed == sql else changed

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

        for source in [*metadatas, *dict.fromkeys(edited)]:
            for moment in ("before_create", "after_drop"):
                for listener in list(getattr(source.dispatch, moment)):
                    if is_gone(_owner(listener)):
                        event.remove(source, moment, listener)
        for one in metadatas:  # since SQLAlchemy 2.1
            known: set[Any] = getattr(one, "_objects", set())
            known -= {item for item in known if is_gone(item)}

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


def condition_of(value: str, values: tuple[str, ...], dimensions: int, cast: str) -> str:
    listed = quoting.literals(values)
    if not dimensions:
        return f"{value} IN ({listed})"
    # No NULL is contained in anything, though an array of an enum may hold it; array_remove()
    # takes no arrays of more dimensions than one.
    first = quoting.literal(values[0])
    return f"array_replace({value}, NULL, {first}) <@ ARRAY[{listed}]::{cast}[]"


def _own_check(table: Table, column: str) -> CheckConstraint | None:
    """The CHECK that SQLAlchemy makes of ``Enum(create_constraint=True)``."""
    for constraint in table.constraints:
        if (
            isinstance(constraint, CheckConstraint)
            and constraint._type_bound
            and [one.key for one in constraint.columns] == [column]
        ):
            return constraint
    return None


def _check_name(check: CheckConstraint, table: Table, column: Column[Any]) -> str:
    """The name by the convention of the models, or after table and column, that is still free."""
    convention = table.metadata.naming_convention.get("ck")
    if convention is None:
        wanted = f"ck_{table.name}_{column.name}"
    else:
        check.name = column.name if "constraint_name" in str(convention) else None
        check._columns.add(column)  # for %(column_0_name)s; text() shows it none
        named = _constraint_name_for_table(check, table)  # type: ignore[no-untyped-call]
        preparer = DIALECT.identifier_preparer
        wanted = preparer.truncate_and_render_constraint_name(named, _alembic_quote=False)
    held = {_final_name(one) for one in table.constraints}
    held |= {_final_name(one) for other in table.c for one in other.constraints}
    name, number = quoting.fit_identifier(wanted), 0
    while name in held:
        number += 1
        name = quoting.fit_identifier(f"{wanted}{number}")
    return name


def _final_name(constraint: Any) -> str | None:
    """The name of a constraint in the database, None where PostgreSQL is to choose one."""
    if constraint.name is None:
        return None
    return DIALECT.identifier_preparer.format_constraint(constraint, _alembic_quote=False)


def _owner(listener: Any) -> object:
    """The type whose method a listener is; SQLAlchemy wraps it, each version in another way."""
    listener = getattr(listener, "func", listener)
    return getattr(listener, "__self__", None) or getattr(listener, "target", None)
