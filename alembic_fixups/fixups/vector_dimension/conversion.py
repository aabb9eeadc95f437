"""A column of vectors that gets another type, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass

from alembic_fixups.fixups.vector_dimension.settings import Data
from alembic_fixups.fixups.vector_dimension.values import Change
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.retyping.dependents import Dependent


@dataclass(frozen=True)
class KeyColumn:
    """A column of the primary key.

    Attributes:
        name: its name.
        operators: schema of its type's operators where it is not pg_catalog.
    """

    name: str
    operators: str | None = None

    @property
    def equals(self) -> str:
        """The operator ``=``."""
        if self.operators is None:
            return "="
        return f"OPERATOR({quoting.identifier(self.operators)}.=)"


@dataclass(frozen=True)
class Remade:
    """A generated column over the vector whose type or expression changes with it.

    Attributes:
        column: its name.
        before, after: what stands behind its name in ADD COLUMN.
    """

    column: str
    before: str
    after: str


@dataclass(frozen=True)
class Conversion:
    """A column of vectors whose type changes.

    Attributes:
        relation: OID of its table.
        table: its table, as the models name it.
        column: its name.
        change: from which type to which, and what becomes of vectors that do not fit.
        key: the primary key, none where the table has none.
        not_null: whether the column is NOT NULL.
        nullable: whether it may be NULL in the models.
        in_tree: whether its table has partitions, is one, or inherits or is inherited from.
        dependents: what depends on it, where the revision was generated.
        remade: the generated columns that change with it.
        discarded: how many vectors are discarded, where the settings say so; None elsewhere.
        digest: what tells its archives from those of other revisions.
        embedder: what makes new vectors, None where nothing does.
    """

    relation: int
    table: TableName
    column: str
    change: Change
    key: tuple[KeyColumn, ...] = ()
    not_null: bool = False
    nullable: bool = True
    in_tree: bool = False
    dependents: tuple[Dependent, ...] = ()
    remade: tuple[Remade, ...] = ()
    discarded: int | None = None
    digest: str = ""
    embedder: str | None = None

    check = None
    condition = None
    shadow_condition = None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def data(self) -> Data:
        """What becomes of vectors that do not fit the new type."""
        return self.change.data

    @property
    def storage(self) -> str:
        """The new type."""
        return self.change.new.sql

    @property
    def native(self) -> str:
        """The old type."""
        return self.change.old.sql

    @property
    def is_old(self) -> str:
        """An SQL condition: whether it is of its old type."""
        return self._is_of(self.native)

    @property
    def is_new(self) -> str:
        """An SQL condition: whether it is of its new type."""
        return self._is_of(self.storage)

    def _is_of(self, type_: str) -> str:
        table, column = self.table.text, quoting.literal(self.column)
        return f"pg_temp.fixup_is_of_type({table}, {column}, {quoting.literal(type_)})"

    def value(self, name: str | None = None) -> str:
        """The new value, from the old; *name* is SQL of the column."""
        return self.change.value(name or quoting.identifier(self.column))

    def comparable(self, name: str) -> str:
        """A new value, as one is compared with another."""
        return self.change.comparable_new(name)

    def comparable_value(self, value: str) -> str:
        """The same of a value that is no column's."""
        return self.change.comparable_new(value)

    @property
    def may_raise(self) -> bool:
        """Whether the cast of a vector may fail: out of range, or what no vector can hold."""
        is_made = self.change.made(quoting.identifier(self.column)) is not None
        if self.change.never_fits and not is_made:
            return False
        old = self.change.old
        # A sparse vector may have more dimensions than the other one that it is cut or padded as.
        is_long = is_made and old.kind == "sparsevec" and old.dimensions is None
        return is_long or old.kind != self.change.new.kind

    @property
    def becomes_nullable(self) -> bool:
        """Whether the revision takes its NOT NULL away."""
        return self.not_null and self.nullable

    @property
    def emptied(self) -> str | None:
        """An SQL condition on ``fixup_row``: whether it has a vector and will have none."""
        name = f"fixup_row.{quoting.identifier(self.column)}"
        if not self.may_empty or self.is_reembedded:
            return None
        lost = "" if self.change.never_fits else f" AND {self.value(name)} IS NULL"
        return f"{name} IS NOT NULL{lost}"

    @property
    def using_back(self) -> str:
        """The old value, from the new; the function looks into the archive."""
        return self.using_back_of()

    def using_back_of(self, row: str = "") -> str:
        """The same of the columns of a row with that alias."""
        keys = [column.name for column in self.key] if self.has_archive else []
        columns = [
            f"{row}.{quoting.identifier(name)}" if row else quoting.identifier(name)
            for name in (self.column, *keys)
        ]
        return f"pg_temp.{quoting.identifier(self.restoring)}({', '.join(columns)})"

    def _back(self, now: str) -> tuple[str, str]:
        """Whether a new vector can be had in the old type, and in it; takes SQL of the vector."""
        unpadded = self.change.unpadded(now)
        if unpadded is not None:
            return unpadded
        back = self.change.back
        return back.fits(now), f"NULL::{self.native}" if back.never_fits else back.cast(now)

    @property
    def raising_back(self) -> str | None:
        """SQL of the old value of a new one called ``fixup_value``; None where no cast can fail."""
        back = self.change.back
        fits, value = self._back("fixup_value")
        is_cast = not back.never_fits or self.change.unpadded("fixup_value") is not None
        if back.old.kind == back.new.kind or not is_cast:
            return None
        return f"CASE WHEN {fits} THEN {value} END"

    @property
    def body_without_archive(self) -> str:
        """The body of `restoring` where there is no archive; ``$1`` is the new vector."""
        fits, value = self._back("$1")
        return f"SELECT CASE WHEN {fits} THEN {value} END"

    @property
    def body_with_archive(self) -> str:
        """The same where there is one; ``$2`` and on are the key.

        The archive has the last word where the vector is the one that the migration made of it, or
        cannot be had in the old type.
        """
        old = f"fixup_old.{quoting.identifier(self.column)}"
        fits, value = self._back("$1")
        keys = " AND ".join(
            f"fixup_old.{quoting.identifier(column.name)} {column.equals} ${place}"
            for place, column in enumerate(self.key, 2)
        )
        made = self.comparable(self.change.value(old))
        return (
            f"SELECT CASE WHEN {old} IS NOT NULL AND "
            f"({made} IS NOT DISTINCT FROM {self.comparable('$1')} "
            f"OR $1 IS NOT NULL AND NOT coalesce({fits}, false)) THEN {old} "
            f"WHEN {fits} THEN {value} END "
            f"FROM (SELECT 1) AS fixup_one LEFT JOIN {self.archive.sql} AS fixup_old ON {keys}"
        )

    @property
    def lost_without_archive(self) -> str | None:
        """An SQL condition on ``fixup_row``: whether its new vector is lost on the way back.

        Or some of its precision.
        """
        now = f"fixup_row.{quoting.identifier(self.column)}"
        unpadded = self.change.unpadded(now)
        if unpadded is None:
            return self.change.back.is_kept(now)
        fits, value = unpadded
        if self.change.back.is_lossy:
            again = self.comparable(self.change.value(value))
            fits = f"CASE WHEN {fits} THEN {again} = {self.comparable(now)} END"
        return f"{now} IS NOT NULL AND NOT coalesce({fits}, false)"

    @property
    def lost_with_archive(self) -> str | None:
        """The same where the archive may have what it was made of."""
        lost = self.lost_without_archive
        if lost is None or not self.has_archive:
            return lost
        name = quoting.identifier(self.column)
        made = self.comparable(self.change.value(f"fixup_old.{name}"))
        return (
            f"{lost} AND NOT EXISTS (SELECT FROM {self.archive.sql} AS fixup_old "
            f"WHERE {self.joined('fixup_old', 'fixup_row')} "
            f"AND {made} = {self.comparable(f'fixup_row.{name}')})"
        )

    @property
    def restoring(self) -> str:
        """Name of the function that gives back what the column had."""
        return quoting.fit_identifier(f"fixup_before_{self.digest}_{self}")

    @property
    def kept(self) -> str | None:
        """An SQL condition on ``fixup_row``: whether its vector goes to the archive."""
        return self.change.is_kept(f"fixup_row.{quoting.identifier(self.column)}")

    @property
    def rewritten(self) -> str:
        """An SQL condition: whether the archive's vector is another than one that is put there."""
        name = quoting.identifier(self.column)
        old, new = (
            self.change.comparable_old(f"{row}.{name}") for row in ("fixup_old", "EXCLUDED")
        )
        return f"{old} IS DISTINCT FROM {new}"

    @property
    def has_archive(self) -> bool:
        """Whether there are vectors that go to an archive."""
        return self.kept is not None

    @property
    def archive(self) -> TableName:
        """The table that keeps the old vectors."""
        return self._archive(str(self.change.old))

    @property
    def archive_of_new(self) -> TableName:
        """The table that keeps the new ones when the migration is taken back."""
        return self._archive(str(self.change.new))

    def _archive(self, type_: str) -> TableName:
        said = type_.replace("[]", "s").replace(" ", "_").replace("(", "_").rstrip(")")
        name = f"fixup_archive_{self.table.name}_{self.column}_{said}"
        return self.table.sibling(f"{name}_{self.digest}")

    @property
    def job(self) -> TableName:
        """The table that ``alembic-fixups reembed`` goes by."""
        return self.table.sibling(f"fixup_reembed_{self.table.name}_{self.column}")

    @property
    def may_empty(self) -> bool:
        """Whether a row that has a vector may have none afterwards."""
        if self.change.always_fits and not self.change.old.is_array:
            return False
        made = self.change.made(quoting.identifier(self.column)) is not None
        return not (self.change.never_fits and made)

    @property
    def is_reembedded(self) -> bool:
        """Whether new vectors are made for those that do not fit."""
        return self.data == "reembed" and self.may_empty

    def joined(self, one: str, other: str) -> str:
        """An SQL condition: whether two rows have the same primary key; takes their aliases."""
        return " AND ".join(
            f"{one}.{quoting.identifier(column.name)} {column.equals} "
            f"{other}.{quoting.identifier(column.name)}"
            for column in self.key
        )
