"""Random changes of a schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.hardening.drawing import (
    COMMENTS,
    DEFAULTS,
    HNSW,
    LABELS,
    TEXTS,
    VECTORS,
    Drawing,
    with_column,
    with_table,
)
from tests.hardening.schemas import (
    Column,
    ForeignKey,
    Models,
    Table,
    Unique,
)

WIDER = {
    "smallint": ("integer", "bigint"),
    "integer": ("bigint",),
    "varchar": ("varchar", "text"),
    "numeric": ("numeric",),
}


class Changing(Drawing):
    """Draws changes; *before* is what the database has, *kept* what has to stay."""

    before = Models(())
    kept: frozenset[int] = frozenset()

    def is_old(self, table: Table, column: Column) -> bool:
        """Whether the database has the column."""
        return any(
            column.id == one.id
            for other in self.before.tables
            if other.id == table.id
            for one in other.columns
        )

    def old(self, table: Table) -> list[Column]:
        """The columns that the database has."""
        return [one for one in table.columns if self.is_old(table, one)]

    def rows_agree(
        self, table: Table, columns: tuple[int, ...], referred: Table, key: tuple[int, ...]
    ) -> bool:
        """In what is new there is nothing yet: no row to refer to, and NULL refers to none."""
        if not self.before.tables:
            return super().rows_agree(table, columns, referred, key)
        ours = [table.column(id) for id in columns]
        theirs = [referred.column(id) for id in key]
        return any(not self.is_old(table, one) and one.default is None for one in ours) or (
            super().rows_agree(table, columns, referred, key)
            and all(self.is_old(table, one) for one in ours)
            and all(self.is_old(referred, one) for one in theirs)
        )

    # --- tables -----------------------------------------------------------------------------------

    def add_table(self, models: Models) -> Models:
        models = with_table(models, self.table(models))
        return self.with_foreign_key(models) if self.rarely(2) else models

    def drop_table(self, models: Models) -> Models:
        referred = {
            key.table
            for table in self.before.tables
            if any(table.id == one.id for one in models.tables)
            for key in table.foreign_keys
            if key.table != table.id
        }
        # A table comes back empty, with nothing for the rows of others to refer to.
        gone = [table for table in models.tables if table.id not in (*self.kept, *referred)]
        if len(models.tables) < 2 or not gone:
            return models
        id = self.one(gone).id
        tables = tuple(
            replace(table, foreign_keys=tuple(one for one in table.foreign_keys if one.table != id))
            for table in models.tables
            if table.id != id
        )
        return replace(models, tables=tables)

    def change_comment(self, models: Models) -> Models:
        table = self.one(models.tables)
        return with_table(models, replace(table, comment=self.one(COMMENTS)))

    # --- columns ----------------------------------------------------------------------------------

    def add_column(self, models: Models) -> Models:
        table = self.one(models.tables)
        column = self.column(models)
        if column.default is None:
            # Nothing else could be in the rows that are there.
            column = replace(column, nullable=True)
        return with_table(models, with_column(table, column))

    def drop_column(self, models: Models) -> Models:
        table = self.one(models.tables)
        gone = [
            one
            for one in table.columns
            if one.id not in (*self.kept, *table.key) and self.can_come_back(table, one)
        ]
        return without_column(models, table, self.one(gone)) if gone else models

    def can_come_back(self, table: Table, column: Column) -> bool:
        """Whether the downgrade can add a column again, with its default or NULL in all rows."""
        old = [one for one in self.before.tables if one.id == table.id]
        if not old or not self.is_old(table, column):
            return True
        was, column = old[0], old[0].column(column.id)
        if any(
            key.table == was.id and column.id in key.referred
            for other in self.before.tables
            for key in other.foreign_keys
        ):
            return False
        if column.default is None:
            return column.nullable
        together = [one.columns for one in was.uniques]
        together += [one.columns for one in was.foreign_keys]
        together += [one.columns for one in was.indexes if one.unique]
        together += [one.columns for one in was.checks if len(one.columns) > 1]
        return all(column.id not in columns for columns in together)

    def change_column(self, models: Models) -> Models:
        table = self.one(models.tables)
        column = self.one(table.columns)
        in_key = column.id in table.key
        changes: list[Column] = [replace(column, comment=self.one(COMMENTS))]
        if not in_key and column.id not in self.kept and self.is_old(table, column):
            changes.append(replace(column, nullable=not column.nullable))
        if column.kind in DEFAULTS and not column.generated and not in_key:
            default = None if column.default is not None else DEFAULTS[column.kind]
            if column.nullable or default is not None or self.is_old(table, column):
                changes.append(replace(column, default=default))
        for kind in WIDER.get(column.kind, ()) if not column.generated else ():
            size = column.size + 7 if kind in ("varchar", "numeric") else 0
            changes.append(replace(column, kind=kind, size=size))
        return with_table(models, with_column(table, self.one(changes)))

    def change_plain_index(self, models: Models) -> Models:
        table = self.one(models.tables)
        said = [one for one in table.columns if one.index]
        if said and self.often(2):
            return with_table(models, with_column(table, replace(said[0], index=False)))
        return with_table(models, self.with_plain_index(table))

    def change_vector(self, models: Models) -> Models:
        found = [
            (table, column)
            for table in models.tables
            for column in table.columns
            if column.kind in VECTORS
        ]
        if not found or self.chosen.vectors is None:
            return models
        table, column = self.one(found)
        changed = replace(column, kind=self.one(VECTORS), size=self.count(2, 5))
        indexes = tuple(
            replace(
                one,
                opclass=one.opclass.replace(column.kind, changed.kind, 1),
                options=self.one(HNSW) if one.using == "hnsw" else one.options,
            )
            if one.columns == (column.id,)
            else one
            for one in table.indexes
        )
        return with_table(models, with_column(replace(table, indexes=indexes), changed))

    # --- enums ------------------------------------------------------------------------------------

    def change_labels(self, models: Models) -> Models:
        if self.chosen.enum_check is None or not models.enums:
            return models
        enum = self.one(models.enums)
        more = [label for label in LABELS if label not in enum.labels]
        labels = list(enum.labels)
        if self.often(2):
            labels.insert(self.count(1, len(labels)), self.one(more))
        elif len(labels) > 1:
            # The first one stays: it is a default, and stands in conditions.
            labels.pop()
        enums = tuple(
            replace(one, labels=tuple(labels)) if one.id == enum.id else one for one in models.enums
        )
        return replace(models, enums=enums)

    def to_text(self, models: Models) -> Models:
        found = [
            (table, column)
            for table in models.tables
            for column in table.columns
            if column.kind == "enum" and self.is_old(table, column)
        ]
        if not found or self.chosen.enum_check is None:
            return models
        table, column = self.one(found)
        kind = self.one(["listed", *TEXTS])
        check = self.name("check") if kind == "listed" else None
        size = 40 if kind == "varchar" else 0
        return with_table(
            models, with_column(table, replace(column, kind=kind, check=check, size=size))
        )

    # --- constraints ------------------------------------------------------------------------------

    def add_unique(self, models: Models) -> Models:
        table = self.one(models.tables)
        return with_table(models, self.with_unique(table, self.old(table)))

    def drop_unique(self, models: Models) -> Models:
        table = self.one(models.tables)
        if not table.uniques:
            return models
        return without_unique(models, table, self.one(table.uniques))

    def add_foreign_key(self, models: Models) -> Models:
        return self.with_foreign_key(models)

    def drop_foreign_key(self, models: Models) -> Models:
        table = self.one(models.tables)
        gone = [one for one in table.foreign_keys if self.kept.isdisjoint(one.columns)]
        if not gone:
            return models
        one = self.one(gone)
        kept = tuple(other for other in table.foreign_keys if other != one)
        return with_table(models, replace(table, foreign_keys=kept))

    def change_foreign_key(self, models: Models) -> Models:
        table = self.one(models.tables)
        if not table.foreign_keys:
            return models
        chosen = self.one(table.foreign_keys)
        changed: ForeignKey = self.one(
            [
                replace(chosen, ondelete="CASCADE" if chosen.ondelete is None else None),
                replace(chosen, deferrable=not chosen.deferrable),
            ]
        )
        keys = tuple(changed if one == chosen else one for one in table.foreign_keys)
        return with_table(models, replace(table, foreign_keys=keys))

    def add_check(self, models: Models) -> Models:
        table = self.one(models.tables)
        return with_table(models, self.with_check(models, table, self.old(table)))

    def drop_check(self, models: Models) -> Models:
        table = self.one(models.tables)
        if not table.checks:
            return models
        one = self.one(table.checks)
        kept = tuple(other for other in table.checks if other != one)
        return with_table(models, replace(table, checks=kept))

    def change_check(self, models: Models) -> Models:
        table = self.one(models.tables)
        if not table.checks:
            return models
        one = self.one(table.checks)
        columns = [table.column(id) for id in one.columns]
        longer = self.with_check(models, table, columns)
        if len(longer.checks) == len(table.checks):
            return models
        new = replace(longer.checks[-1], name=one.name)
        if any(replace(other, name=None) == replace(new, name=None) for other in table.checks):
            return models
        checks = tuple(new if other == one else other for other in table.checks)
        return with_table(models, replace(table, checks=checks))

    def add_index(self, models: Models) -> Models:
        table = self.one(models.tables)
        return with_table(models, self.with_index(table, self.old(table)))

    def drop_index(self, models: Models) -> Models:
        table = self.one(models.tables)
        if not table.indexes:
            return models
        one = self.one(table.indexes)
        kept = tuple(other for other in table.indexes if other != one)
        return with_table(models, replace(table, indexes=kept))

    def change_index(self, models: Models) -> Models:
        table = self.one(models.tables)
        if not table.indexes:
            return models
        one = self.one(table.indexes)
        column = table.column(one.columns[0])
        if not self.is_old(table, column):
            return models
        without = replace(table, indexes=tuple(x for x in table.indexes if x != one))
        longer = self.with_index(without, [column])
        if len(longer.indexes) == len(without.indexes):
            return models
        indexes = (*longer.indexes[:-1], replace(longer.indexes[-1], name=one.name))
        return with_table(models, replace(table, indexes=indexes))

    @property
    def changes(self) -> list[Callable[[Models], Models]]:
        """All changes, the simplest first."""
        return [
            self.change_comment, self.change_column, self.add_column, self.drop_column,
            self.change_labels, self.change_vector, self.change_check, self.add_check,
            self.drop_check, self.add_index, self.drop_index, self.change_index, self.add_unique,
            self.drop_unique, self.add_foreign_key, self.change_foreign_key,
            self.drop_foreign_key, self.to_text, self.change_plain_index, self.add_table,
            self.drop_table,
        ]  # fmt: skip

    @property
    def owned(self) -> list[Callable[[Models], Models]]:
        """What the fixups that are on have to do with."""
        found: list[Callable[[Models], Models]] = []
        if self.chosen.enum_check:
            found += [self.change_labels]
        if self.chosen.vectors:
            found += [self.change_vector]
        if self.chosen.checks:
            found += [self.change_check, self.add_check]
        if self.chosen.redundant:
            found += [self.change_plain_index]
        return found


def without_column(models: Models, table: Table, column: Column) -> Models:
    """The models without the column and what needs it."""
    for unique in table.uniques:
        if column.id in unique.columns:
            models = without_unique(models, models.table(table.id), unique)
    table = models.table(table.id)
    return with_table(
        models,
        replace(
            table,
            columns=tuple(one for one in table.columns if one.id != column.id),
            foreign_keys=tuple(x for x in table.foreign_keys if column.id not in x.columns),
            checks=tuple(one for one in table.checks if column.id not in one.columns),
            indexes=tuple(one for one in table.indexes if column.id not in one.columns),
        ),
    )


def without_unique(models: Models, table: Table, unique: Unique) -> Models:
    """The models without the constraint and the foreign keys that need it."""
    kept = tuple(one for one in table.uniques if one != unique)
    models = with_table(models, replace(table, uniques=kept))
    tables = tuple(
        replace(
            one,
            foreign_keys=tuple(
                key
                for key in one.foreign_keys
                if (key.table, key.referred) != (table.id, unique.columns)
            ),
        )
        for one in models.tables
    )
    return replace(models, tables=tables)
