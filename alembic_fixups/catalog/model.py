"""Tables, keys and indexes as the system catalogs have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Action = Literal["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]

Name = tuple[str, str]
"""A schema and the name of something in it."""

SUCCESSOR_MARK = "alembic-fixups: "
"""What the comment begins with on what a migration makes for itself.

That is a column that it fills before it takes another's place, or a table beside a user's. Neither
is in the catalog, nor are the constraints and indexes on them.
"""


@dataclass(frozen=True)
class Move:
    """Something that the migration puts into another schema.

    Attributes:
        kind: what it is; a "type" is an enum type or a domain.
        schema, name: where it is now, and its name, which it keeps.
        to: the schema it goes to.
        done: whether it is there already, by an upgrade that did not come to its end.
        along: whether it goes along with another one: a partition with its table.
    """

    kind: Literal["table", "type", "sequence"]
    schema: str
    name: str
    to: str
    done: bool = False
    along: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key (``pg_constraint``, contype f).

    Attributes:
        name: its name, unique in its table only.
        columns: the referencing columns, in the order of the constraint.
        referred: OID of the referenced table.
        referred_columns: the referenced columns, in the same order.
        on_delete, on_update: the referential actions.
        set_columns: the columns that ON DELETE SET NULL or SET DEFAULT is limited to
            (PostgreSQL 15 on), all of them where empty.
        deferrable, initially_deferred: as declared.
        match: "SIMPLE" or "FULL".
        validated: False while it is NOT VALID.
        enforced: False where it is NOT ENFORCED (PostgreSQL 18 on).
        index: OID of the unique index on the referenced table that it rests on.
        inherited: whether it comes from the same constraint of a partitioned table.
        comment: COMMENT ON CONSTRAINT, None where there is none.
    """

    name: str
    columns: tuple[str, ...]
    referred: int
    referred_columns: tuple[str, ...]
    on_delete: Action = "NO ACTION"
    on_update: Action = "NO ACTION"
    set_columns: tuple[str, ...] = ()
    deferrable: bool = False
    initially_deferred: bool = False
    match: Literal["SIMPLE", "FULL"] = "SIMPLE"
    validated: bool = True
    enforced: bool = True
    index: int = 0
    inherited: bool = False
    comment: str | None = None

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Which column refers to which; the order of a constraint's columns has no meaning."""
        return frozenset(zip(self.columns, self.referred_columns, strict=True))


@dataclass(frozen=True)
class Key:
    """A unique or primary key constraint (``pg_constraint``, contype u or p)."""

    name: str
    columns: tuple[str, ...]
    primary: bool
    deferrable: bool
    index: int


@dataclass(frozen=True)
class Check:
    """A CHECK of a table or domain (``pg_constraint``, contype c).

    Attributes:
        oid: OID of the constraint.
        name: its name, unique in its table or domain only.
        expression: what it says, in the database's words under the session's search_path
            (``pg_get_expr``).
        columns: the columns that the expression has; none for a domain.
        validated: False while it is NOT VALID.
        enforced: False where it is NOT ENFORCED (PostgreSQL 18 on).
        no_inherit: whether it does not hold for tables that inherit.
        inherited: whether it comes from a partitioned table or another that this one inherits.
        comment: COMMENT ON CONSTRAINT, None where there is none.
    """

    oid: int
    name: str
    expression: str
    columns: tuple[str, ...] = ()
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False
    inherited: bool = False
    comment: str | None = None

    @property
    def definition(self) -> str:
        """What ``pg_get_constraintdef()`` gives for it."""
        text = f"CHECK ({self.expression})"
        if self.no_inherit:
            text += " NO INHERIT"
        if not self.enforced:
            return text + " NOT ENFORCED"
        return text if self.validated else text + " NOT VALID"


@dataclass
class DomainChecks:
    """The checks of a domain, and the OID of its type."""

    oid: int
    checks: list[Check] = field(default_factory=list)


@dataclass(frozen=True)
class Index:
    """An index (``pg_index``), also one that a constraint owns.

    Attributes:
        oid: OID of the index.
        name: its name, unique in its schema.
        columns: the key columns in order, None for an expression; INCLUDE columns left out.
        method: access method, as in ``btree``.
        unique: whether it is a unique index.
        immediate: False where uniqueness is checked at commit (a deferrable constraint).
        valid: False where CREATE INDEX CONCURRENTLY was cut short.
        partial: whether it has a WHERE.
    """

    oid: int
    name: str
    columns: tuple[str | None, ...]
    method: str
    unique: bool
    immediate: bool
    valid: bool
    partial: bool

    def is_key_of(self, columns: tuple[str, ...]) -> bool:
        """Whether a foreign key can refer to these columns by it (manual, CREATE TABLE).

        The order of the columns in the index does not matter.
        """
        return (
            self.unique
            and self.immediate
            and self.valid
            and not self.partial
            and len(self.columns) == len(columns)
            and set(self.columns) == set(columns)
        )

    def covers(self, columns: tuple[str, ...]) -> bool:
        """Whether rows with given values in these columns are found by it alone."""
        return (
            self.method == "btree"
            and self.valid
            and not self.partial
            and set(self.columns[: len(columns)]) == set(columns)
        )


@dataclass(frozen=True)
class Column:
    """A column (``pg_attribute``).

    Attributes:
        not_null: whether it is NOT NULL.
        type: name of its type, as in ``int4``.
        operators: schema of the type's operators where it is not pg_catalog, as for citext.
        collation: schema and name of its collation, None for a type that has none.
        named: the enum type or domain that it, or each of its elements, is of; None for another.
        sequence: OID of the sequence that its default takes the next value of, None for another
            default or none.
    """

    not_null: bool
    type: str
    operators: str | None = None
    collation: tuple[str, str] | None = None
    named: Name | None = None
    sequence: int | None = None


@dataclass
class Sequence:
    """A sequence (``pg_class``, relkind S).

    Attributes:
        comment: its comment, "" where there is none.
        owner, column: OID of the table that it belongs to, moves and goes with, and the name of
            the column; None where it is on its own.
    """

    oid: int
    schema: str
    name: str
    comment: str = ""
    owner: int | None = None
    column: str | None = None


@dataclass
class Relation:
    """A table, partitioned table, view, materialised view or foreign table (``pg_class``).

    Attributes:
        kind: ``relkind``: r, p, v, m or f.
        visible: whether the bare name means this one under the session's search_path.
        partition_of: OID of the table that it is a partition of, None where it is none.
        extension: whether it belongs to an extension.
        row_comment: the comment on the type of its rows, "" where there is none.
        partition_key: the columns that a partitioned table is partitioned by, "" for an expression.
        columns: its columns by name.
    """

    oid: int
    schema: str
    name: str
    kind: str
    visible: bool
    partition_of: int | None
    extension: bool
    row_comment: str
    partition_key: tuple[str, ...] = ()
    columns: dict[str, Column] = field(default_factory=dict)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of its primary key, none where it has none."""
        return next((key.columns for key in self.keys if key.primary), ())


@dataclass
class Catalog:
    """Everything that the fixups need to know of a database.

    Attributes:
        server_version: ``server_version_num``, as in 160004.
        search_path: the setting, as the session has it.
        schemas_on_path: the schemas that the session's search_path amounts to
            (``current_schemas(false)``).
        schemas: every schema but those of the system, with its comment.
        relations: every relation outside the system schemas by its OID.
        sequences: every sequence by its OID.
        enums: schema and name of every enum type with its labels in their order.
        domains: schema and name of every domain.
        array_comments: the comments on the types of arrays, by schema and name of such an enum
            type or domain.
        domain_checks: the checks of every domain.
    """

    server_version: int
    search_path: str
    schemas_on_path: tuple[str, ...]
    schemas: dict[str, str]
    relations: dict[int, Relation]
    sequences: dict[int, Sequence]
    enums: dict[Name, tuple[str, ...]]
    domains: set[Name]
    array_comments: dict[Name, str] = field(default_factory=dict)
    domain_checks: dict[Name, DomainChecks] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name = {(item.schema, item.name): item for item in self.relations.values()}
        self._visible = {item.name: item for item in self.relations.values() if item.visible}

    @property
    def major_version(self) -> int:
        """The server's major version, as in 16."""
        return self.server_version // 10000

    def find(self, schema: str | None, name: str) -> Relation | None:
        """The relation of that name; without a schema the one that the search_path finds."""
        if schema is None:
            return self._visible.get(name)
        return self._by_name.get((schema, name))

    def find_sequence(self, schema: str, name: str) -> Sequence | None:
        """The sequence of that name."""
        return next(
            (
                item
                for item in self.sequences.values()
                if (item.schema, item.name) == (schema, name)
            ),
            None,
        )

    @property
    def types(self) -> set[Name]:
        """Every enum type and every domain."""
        return self.enums.keys() | self.domains

    def move(self, move: Move) -> None:
        """Has an object in its new schema, as the database will once the migration has moved it.

        A table takes the sequences that it owns along.
        """
        old, new = (move.schema, move.name), (move.to, move.name)
        if move.kind == "table":
            relation = self._by_name[new] = self._by_name.pop(old)
            relation.schema = move.to
            for sequence in self.sequences.values():
                if sequence.owner == relation.oid:
                    sequence.schema = move.to
        elif move.kind == "sequence":
            found = self.find_sequence(*old)
            assert found is not None
            found.schema = move.to
        elif old in self.enums:
            self.enums[new] = self.enums.pop(old)
        else:
            self.domains.remove(old)
            self.domains.add(new)
            self.domain_checks[new] = self.domain_checks.pop(old)
