"""The desired schema while fixups rewrite it: a copy of the models' metadata, made table by table.

The user's own MetaData stays as it is. Only tables that a fixup asks to change are copied, since
``Table.to_metadata()`` over a large schema costs two thirds of a whole stock autogenerate; the
others are shared with it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Several
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Sequence,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import InvalidRequestError, SAWarning
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.naming import _constraint_name_for_table
from sqlalchemy.sql.schema import SchemaConst

from alembic_fixups.report import Finding, Refused

TableKey = str
"""A table's key in ``MetaData.tables``: ``schema.name``, or the name where no schema is given."""


class UnresolvedReference(Exception):
    """A ForeignKey of the models that names a table or column the models do not have."""


class Target:
    """The desired schema.

    Raises:
        Refused: two of the MetaData have a table of the same name.

    Attributes:
        findings: what the fixups have to say about the models; they append to it.
        default_schema: the schema that a table without one is in.
        home: the schema that a fixup has put every table without one into; with it the database
            is compared by names with schemas throughout.
    """

    def __init__(
        self, metadata: MetaData | Several[MetaData], default_schema: str = "public"
    ) -> None:
        self._several = not isinstance(metadata, MetaData)
        originals = [metadata] if isinstance(metadata, MetaData) else list(metadata)
        keys = Counter(key for original in originals for key in original.tables)
        twice = sorted(key for key, count in keys.items() if count > 1)
        if twice:
            raise Refused(f"several MetaData of target_metadata have the table {', '.join(twice)}")
        self._metadatas = [_shallow_copy(original) for original in originals]
        self._place = {key: copy for copy in self._metadatas for key in copy.tables}
        self._copied: set[TableKey] = set()
        self._originals: dict[TableKey, Table] = {}
        self.findings: list[Finding] = []
        self.default_schema = default_schema
        self.home: str | None = None

    @property
    def metadata(self) -> MetaData | list[MetaData]:
        """The rewritten metadata, single or several as it was given."""
        return self._metadatas if self._several else self._metadatas[0]

    @property
    def tables(self) -> dict[TableKey, Table]:
        """Every table by its key, as it is at this moment."""
        return {key: copy.tables[key] for key, copy in sorted(self._place.items())}

    @property
    def sequences(self) -> list[Sequence]:
        """The sequences that the models define, by themselves or in a column."""
        return [one for metadata in self._metadatas for one in metadata._sequences.values()]

    @cached_property
    def index_owners(self) -> dict[tuple[str | None, str | None], TableKey]:
        """Schema and name of every index with its table; a fixup that adds one adds it here."""
        return {
            (table.schema, index.name): key
            for key, table in self.tables.items()
            for index in table.indexes
        }

    @cached_property
    def _keys(self) -> dict[tuple[str, str], TableKey]:
        return {
            (table.schema or self.default_schema, table.name): key
            for key, table in self.tables.items()
        }

    def find(self, schema: str | None, name: str) -> TableKey | None:
        """The key of the table that an operation of Alembic's names, None where it is no model's.

        Alembic leaves the default schema out of its operations, the models may write it.
        """
        return self._keys.get((schema or self.default_schema, name))

    def __contains__(self, key: TableKey) -> bool:
        return key in self._place

    def table(self, key: TableKey) -> Table:
        """The table as it is at this moment.

        Raises:
            KeyError: the models have no such table.
        """
        return self._place[key].tables[key]

    def editable(self, key: TableKey) -> Table:
        """The table, copied the first time it is asked for, so that it can be changed in place."""
        metadata = self._place[key]
        table = metadata.tables[key]
        if key in self._copied:
            return table
        return self._replace(key, table.schema, _as_written)

    def place(
        self,
        key: TableKey,
        schema: str | None,
        referred: Callable[[ForeignKeyConstraint], str | None],
    ) -> Table:
        """The table in another schema, or in its own with references into others.

        *referred* gives the schema of the table that a foreign key refers to, None to leave it as
        it is written.
        """
        return self._replace(
            key, schema, lambda _table, _to, constraint, _was: referred(constraint)
        )

    def _replace(
        self, key: TableKey, schema: str | None, referred: Callable[..., str | None]
    ) -> Table:
        metadata = self._place.pop(key)
        table = metadata.tables[key]
        original = self._originals.pop(key, table)
        # A foreign key to a table of another MetaData holds that table's Column; the copy would
        # hold its name, which means nothing here.
        elsewhere = [item for item in table.foreign_key_constraints if _leads_elsewhere(item)]
        # With names of schemas there, remove() goes through all tables for those that are left.
        schemas, metadata._schemas = metadata._schemas, set()
        metadata.remove(table)
        metadata._schemas = schemas
        with warnings.catch_warnings(), _linked_to_names(table):
            warnings.simplefilter("ignore", SAWarning)
            copy = table.to_metadata(
                metadata,
                schema=SchemaConst.RETAIN_SCHEMA if schema is None else schema,
                referred_schema_fn=referred,
            )
        copy._prefixes = list(table._prefixes)
        for column in copy.c:
            # SQLAlchemy puts the types of a copied table into its schema. A column that has its
            # type from a foreign key may only have one now.
            if not table.c[column.key].type._isnull:
                column.type = table.c[column.key].type
        for constraint in elsewhere:
            self._refer(copy, constraint)
        if copy.schema != table.schema:
            _rename_derived(table, copy)
        self._place[copy.key] = metadata
        self._originals[copy.key] = original
        self._copied.discard(key)
        self._copied.add(copy.key)
        if copy.key != key:
            for cached in ("index_owners", "_keys"):
                self.__dict__.pop(cached, None)
        return copy

    def together(self, one: TableKey, other: TableKey) -> bool:
        """Whether two tables are of one MetaData, so that one can refer to the other by name."""
        return self._place[one] is self._place[other]

    def follow(self) -> None:
        """Has the foreign keys to tables of another MetaData refer to these as they are now."""
        followed = True
        while followed:  # a table that is copied for its reference is another for those to it
            followed = False
            for key, table in self.tables.items():
                for constraint in list(table.foreign_key_constraints):
                    if _leads_elsewhere(constraint) and self._now(constraint) is not None:
                        self._refer(self.editable(key), constraint)
                        followed = True

    def _now(self, constraint: ForeignKeyConstraint) -> Table | None:
        """The table that a constraint refers to, where it is another by now."""
        was = constraint.elements[0].column.table
        now = next((key for key, table in self._originals.items() if table is was), None)
        return None if now is None else self.table(now)

    def _refer(self, table: Table, constraint: ForeignKeyConstraint) -> None:
        drop_foreign_keys(table, partial(_is_on, constraint.column_keys))
        table.append_constraint(_with_columns(constraint, table, self._now(constraint)))

    def original(self, table: Table) -> Table:
        """The table as the models have it."""
        return self._originals.get(table.key, table)


def references(table: Table) -> Iterator[tuple[ForeignKeyConstraint, Table]]:
    """The foreign keys of *table* with the table each refers to, in a stable order.

    Raises:
        UnresolvedReference: one names a table or column that the models do not have.
    """
    for constraint in sorted(table.foreign_key_constraints, key=_columns_of):
        try:
            referred = {element.column.table for element in constraint.elements}
        except InvalidRequestError as error:
            raise UnresolvedReference(
                f"{table.key}.{', '.join(_columns_of(constraint))}: the models have nothing like "
                f"{', '.join(element.target_fullname for element in constraint.elements)!r}, "
                f"which a ForeignKey names ({error})"
            ) from error
        yield constraint, referred.pop()


def drop_foreign_keys(table: Table, doomed: Callable[[ForeignKeyConstraint], bool]) -> None:
    """Takes the foreign keys that *doomed* is true for out of a table that can be edited."""
    for constraint in list(table.foreign_key_constraints):
        if doomed(constraint):
            table.constraints.discard(constraint)
            for element in constraint.elements:
                element.parent.foreign_keys.discard(element)
                table.foreign_keys.discard(element)


def columns_by_name(table: Table) -> dict[str, Column[Any]]:
    """The columns by their names in the database; ``table.c`` has them by their keys."""
    return {column.name: column for column in table.c}


def _shallow_copy(original: MetaData) -> MetaData:
    copy = MetaData(
        schema=original.schema, naming_convention=original.naming_convention, info=original.info
    )
    for table in original.tables.values():
        copy._add_table(table.name, table.schema, table)
    copy._sequences.update(original._sequences)
    return copy


@contextmanager
def _linked_to_names(table: Table) -> Iterator[None]:
    """Has the copy of a column's foreign key keep ``link_to_name``, which SQLAlchemy drops."""
    losing = [
        constraint
        for constraint in table.foreign_key_constraints
        if constraint.elements[0].link_to_name and not constraint.link_to_name
    ]
    for constraint in losing:
        constraint.link_to_name = True
    try:
        yield
    finally:
        for constraint in losing:
            constraint.link_to_name = False


def _rename_derived(table: Table, copy: Table) -> None:
    """Gives a copy in another schema the names that SQLAlchemy derives from its columns' labels.

    A label has the schema in it; the copy has the names that were derived for the original.
    """
    copies = {str(one.name): one for one in _named_by_labels(copy)}
    for item in _named_by_labels(table):
        made = copies.get(str(item.name))
        if made is not None and isinstance(item.name, conv):
            name, item.name = item.name, None
            if _constraint_name_for_table(item, table) == name:  # type: ignore[no-untyped-call]
                made.name = None
                made.name = _constraint_name_for_table(made, copy)  # type: ignore[no-untyped-call]
            item.name = name


def _named_by_labels(table: Table) -> Iterator[Index | UniqueConstraint]:
    yield from table.indexes
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield constraint


def _as_written(*_: object) -> None:
    """Leaves the schema of every reference as the models write it."""


def _columns_of(constraint: ForeignKeyConstraint) -> list[str]:
    return [element.parent.name for element in constraint.elements]


def _is_on(columns: Several[str], constraint: ForeignKeyConstraint) -> bool:
    return constraint.column_keys == columns


def _leads_elsewhere(constraint: ForeignKeyConstraint) -> bool:
    """Whether it was given a column of a table of another MetaData."""
    column = constraint.elements[0]._table_column
    return (
        column is not None
        and column.table is not None
        and column.table.metadata is not constraint.table.metadata
    )


def _with_columns(
    constraint: ForeignKeyConstraint, table: Table, referred: Table | None
) -> ForeignKeyConstraint:
    columns = [element.column for element in constraint.elements]
    return ForeignKeyConstraint(
        [table.c[element.parent.key] for element in constraint.elements],
        columns if referred is None else [referred.c[column.key] for column in columns],
        name=constraint.name,
        ondelete=constraint.ondelete,
        onupdate=constraint.onupdate,
        deferrable=constraint.deferrable,
        initially=constraint.initially,
        match=constraint.match,
        use_alter=constraint.use_alter,
    )
