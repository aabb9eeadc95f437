"""A database as far as rows that fit it have to know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Take(Enum):
    """What stands in a row in the place of a value."""

    DEFAULT = "DEFAULT"


Value = str | None | Take
"""A value as PostgreSQL reads it from a string, NULL, or the column's default."""

Row = dict[str, Value]
"""The values of a row by column."""


@dataclass(frozen=True)
class Type:
    """A type.

    Attributes:
        oid: its OID in this database.
        name: its name, bare.
        sql: its name with its schema, as SQL.
        schema: its schema.
        kind: ``pg_type.typtype``: b(ase), c(omposite), d(omain), e(num), r(ange), m(ultirange).
        element: the type of its elements, 0 where it is no array.
        delimiter: what stands between these.
        base, modifier, not_null: of a domain: what it is over, with which type modifier, and
            whether it takes no NULL.
        subtype: what a range is over.
        range: what a multirange consists of.
        labels: those of an enum, in order.
        fields: type and type modifier of each column of a composite type.
        checks: the definitions of a domain's constraints.
    """

    oid: int
    name: str
    sql: str
    schema: str
    kind: str
    element: int
    delimiter: str
    base: int
    modifier: int
    not_null: bool
    subtype: int
    range: int
    labels: tuple[str, ...]
    fields: tuple[tuple[int, int], ...]
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its name.
        type, modifier: its type and type modifier.
        sql: both as SQL.
        nullable: whether it takes NULL.
        identity: whether it is an identity column.
        generated: whether it is computed from others.
        default: its default as SQL, "" without one.
        kind: what the default is: none, sequence, steady (depends on nothing), other.
    """

    name: str
    type: int
    modifier: int
    sql: str
    nullable: bool
    identity: bool
    generated: bool
    default: str
    kind: str

    @property
    def numbered(self) -> bool:
        """Whether a sequence gives it its values."""
        return self.identity or self.kind == "sequence"


@dataclass(frozen=True)
class Rule:
    """Something that can refuse a row.

    Attributes:
        table: whose it is, as ``(schema, name)``: the filled table's or a partition's.
        kind: check, primary, key, unique (partial, or over an expression), exclusion, trigger,
            generated, partition.
        name: its name; "" for the bounds of partitions.
        columns: those that it looks at.
        text: its definition.
    """

    table: tuple[str, str]
    kind: str
    name: str
    columns: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key.

    Attributes:
        schema, name: its own.
        table: the table that has it, or of whose partitions one has it.
        columns: its columns there.
        target: the table that it names, which may be a partition.
        parent: what has to be filled for that: *target* or the table that it is a partition of.
        keys: the columns that it names.
        nullable: those of *columns* that take NULL.
        full: whether it is MATCH FULL, so that all of them are NULL or none.
        deferrable: whether it can be checked later.
    """

    schema: str
    name: str
    table: str
    columns: tuple[str, ...]
    target: str
    parent: str
    keys: tuple[str, ...]
    nullable: tuple[str, ...]
    full: bool
    deferrable: bool

    @property
    def to_itself(self) -> bool:
        """Whether it names the table that has it."""
        return self.table == self.parent


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        schema, name: its own.
        sql: both as SQL.
        partitioned: whether its rows are in partitions.
        columns: its columns, in order.
        rules: what can refuse a row.
        foreign_keys: its foreign keys, by name.
        filled: whether rows are made for it, as far as that can be told from the catalog.
    """

    schema: str
    name: str
    sql: str
    partitioned: bool
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    foreign_keys: tuple[ForeignKey, ...]
    filled: bool

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def keys(self) -> list[tuple[str, ...]]:
        """The columns of its primary key and other whole unique keys, the primary key first."""
        found = [rule for rule in self.rules if rule.kind in ("primary", "key")]
        return [rule.columns for rule in sorted(found, key=lambda rule: rule.kind != "primary")]


@dataclass(frozen=True)
class Database:
    """The tables, by their names as SQL and in the order of these, and the types by OID."""

    tables: Mapping[str, Table]
    types: Mapping[int, Type]

    def references(self, parent: str) -> Sequence[ForeignKey]:
        """The foreign keys that name a table or one of its partitions."""
        return [
            key
            for table in self.tables.values()
            for key in table.foreign_keys
            if key.parent == parent
        ]
