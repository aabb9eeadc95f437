"""Whole schemas as plain data: what models say, and the settings they are compared under.

Tables, columns and enums are known by an ``id`` that stays when anything else of them changes;
constraints name columns by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EnumType:
    """A native enum of the database.

    Attributes:
        id: by which columns name it.
        name: its name in the database.
        labels: in their order.
        schema: where it is, None for where the models have what says no schema.
    """

    id: int
    name: str
    labels: tuple[str, ...]
    schema: str | None = None


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        id: by which constraints name it, unique in its table.
        name: its name in the database.
        kind: a key of ``KINDS``, or "enum", "array" (of an enum), "listed" (an Enum that is none
            to the database), "vector", "halfvec".
        size: length, precision or dimensions, where the kind has one.
        enum: the id of its enum.
        nullable: whether it may be NULL.
        default: what it is without a value: a text that is quoted, or None.
        comment: its comment.
        generated: "serial" or "identity" for a key that PostgreSQL gives.
        index: whether it says ``index=True``.
        check: the name of the CHECK of a "listed" column.
    """

    id: int
    name: str
    kind: str
    size: int = 0
    enum: int | None = None
    nullable: bool = True
    default: str | None = None
    comment: str | None = None
    generated: str = ""
    index: bool = False
    check: str | None = None


@dataclass(frozen=True)
class Unique:
    """A UNIQUE constraint; *name* None for what the convention or PostgreSQL gives."""

    columns: tuple[int, ...]
    name: str | None


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key to the primary key or a unique key of *table*."""

    columns: tuple[int, ...]
    table: int
    referred: tuple[int, ...]
    name: str | None
    ondelete: str | None = None
    deferrable: bool = False
    qualified: bool = False
    """Whether it is written with a schema where the table's own need not be."""


@dataclass(frozen=True)
class Check:
    """A CHECK: *condition* has ``{0}``, ``{1}`` for the columns, quoted."""

    condition: str
    columns: tuple[int, ...]
    name: str | None


@dataclass(frozen=True)
class Index:
    """An index over columns or over one expression of them.

    Attributes:
        columns: the columns.
        name: its name.
        expression: as `Check.condition`, where it is over an expression.
        where: as `Check.condition`, where it is partial.
        unique: whether it is.
        using: the method, "" for btree.
        options: its storage parameters.
        opclass: the operator class of its one column, "" for the default.
    """

    columns: tuple[int, ...]
    name: str
    expression: str = ""
    where: str = ""
    unique: bool = False
    using: str = ""
    options: tuple[tuple[str, int], ...] = ()
    opclass: str = ""


@dataclass(frozen=True)
class Table:
    """A table; ``schema`` None where the model says none."""

    id: int
    name: str
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    schema: str | None = None
    uniques: tuple[Unique, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    indexes: tuple[Index, ...] = ()
    comment: str | None = None
    declarative: bool = False

    def column(self, id: int) -> Column:
        """The column with that id."""
        return next(column for column in self.columns if column.id == id)

    def names(self, ids: tuple[int, ...]) -> list[str]:
        """The names of columns."""
        return [self.column(id).name for id in ids]

    @property
    def keys(self) -> list[tuple[int, ...]]:
        """What foreign keys may refer to."""
        return [self.key, *(unique.columns for unique in self.uniques)]


@dataclass(frozen=True)
class Models:
    """What a model file says."""

    tables: tuple[Table, ...]
    enums: tuple[EnumType, ...] = ()
    convention: bool = False

    def table(self, id: int) -> Table:
        """The table with that id."""
        return next(table for table in self.tables if table.id == id)

    def enum(self, id: int | None) -> EnumType:
        """The enum with that id."""
        return next(enum for enum in self.enums if enum.id == id)


@dataclass(frozen=True)
class Tenants:
    """``tenant-keys``: a hierarchy of two levels.

    Attributes:
        tables: the ids of the two levels' tables.
        columns: the columns by which the tables below name them.
        scope: as the setting.
        violations: as the setting.
        wrong: whether a row names an engagement of another client.
    """

    tables: tuple[int, int]
    columns: tuple[str, str]
    scope: str
    violations: str
    wrong: bool


@dataclass(frozen=True)
class Prefix:
    """``schema-prefix``: *schema*, and whether the tables are in public yet."""

    schema: str
    moves: bool


@dataclass(frozen=True)
class Chosen:
    """Which fixups are on, and how; None for off."""

    tenants: Tenants | None = None
    prefix: Prefix | None = None
    enum_check: tuple[str, str] | None = None
    """strategy and storage"""
    vectors: tuple[str, str] | None = None
    """data and strategy"""
    checks: bool = False
    redundant: bool = False


@dataclass(frozen=True)
class Case:
    """Models before and after, the settings, and what is tried besides the plain way.

    Attributes:
        before: what the database is made from.
        after: what the revision is generated for.
        chosen: the settings.
        fitting: whether the rows are such that no step refuses them.
        stops: at which part of its statements a further upgrade and downgrade are stopped, from 0
            to 1; none where they are not.
        offline: whether the SQL of offline mode is tried too.
    """

    before: Models
    after: Models
    chosen: Chosen
    fitting: bool = True
    stops: tuple[float, float] | None = None
    offline: bool = False
    schemas: tuple[str, ...] = field(default=())
