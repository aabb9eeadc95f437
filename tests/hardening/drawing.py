"""Random schemas: the models before a change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from tests.hardening import names
from tests.hardening.schemas import (
    Check,
    Chosen,
    Column,
    EnumType,
    ForeignKey,
    Index,
    Models,
    Table,
    Unique,
)

T = TypeVar("T")

INTEGERS = ("integer", "bigint", "smallint")
TEXTS = ("text", "varchar")
VECTORS = ("vector", "halfvec")
ENUMS = ("enum", "array", "listed")
DISTINCT = (*INTEGERS, *TEXTS, "numeric", "date", "uuid")
"""Kinds of which every row has another value."""
PLAIN = (*INTEGERS, *TEXTS, "numeric", "boolean", "date", "timestamp", "uuid", "jsonb")
LABELS = ("new", "old", "it's", "100%", "a:b :c", "back\\slash", '"q"', "$fixup$", "é🙂", "New")
COMMENTS = (None, "plain", 'it\'s 100% :x "q" $fixup$ \\ é\nand more')
DEFAULTS = {
    **dict.fromkeys(INTEGERS, "2"),
    **dict.fromkeys(TEXTS, "t1"),
    "numeric": "2",
    "boolean": "true",
    "jsonb": "{}",
}
CONDITIONS = {
    "numbers": ("{0} > 0", "{0} < 1000", "{0} <> 77", "{0} IN (1, 2, 3)", "{0} >= 0 AND {0} < 99"),
    "texts": (
        "{0} <> ''",
        "length({0}) > 0",
        "{0} IN ('t1', 't2', 't3')",
        "{0} IN ('t3', 't1', 't2', 't4')",
        "{0} <> 'it''s 100% :x'",
        "{0} LIKE 't%'",
    ),
    "pairs": ("{0} <= {1}", "{0} < {1} + 1", "{0} IS NULL OR {1} IS NULL OR {0} = {1}"),
}
REFUSING = {"numbers": "{0} > 2", "texts": "{0} <> 't2'"}


class Drawing:
    """Draws parts of schemas; what it has given out is not given out again."""

    def __init__(self, draw: st.DrawFn, chosen: Chosen, schemas: Sequence[str]) -> None:
        self.draw, self.chosen, self.schemas = draw, chosen, schemas
        self.convention = False
        self.fitting = True
        self.refusing = False
        self._numbers = 0
        self._shapes = names.ANY

    def settle(self) -> None:
        """Says how much is unusual in the whole case."""
        self.convention = self.rarely(3)
        self._shapes = names.ORDINARY if self.often(2) else names.ANY
        if self.convention and self._shapes is names.ANY:
            # SQLAlchemy shortens by characters, PostgreSQL by bytes: a convention's name of many
            # two-byte letters never comes out as Alembic expects it.
            self._shapes = names.ASCII

    def name(self, kind: str) -> str:
        """A new name."""
        shape = self.draw(self._shapes)
        self._numbers += 1
        return shape(kind, self._numbers - 1)

    def maybe_name(self, kind: str) -> str | None:
        """A new name, or none."""
        return self.name(kind) if self.often() else None

    def number(self) -> int:
        """A new id."""
        self._numbers += 1
        return self._numbers - 1

    def rarely(self, times: int = 3) -> bool:
        """True once in so many times; shrinks to False."""
        return self.draw(st.integers(0, times - 1)) == times - 1

    def often(self, times: int = 3) -> bool:
        """False once in so many times; shrinks to True."""
        return not self.rarely(times)

    def one(self, items: Iterable[T]) -> T:
        """One of the items; shrinks to the first."""
        return self.draw(st.sampled_from(list(items)))

    def count(self, least: int, most: int) -> int:
        """A number; shrinks to the least."""
        return self.draw(st.integers(least, most))

    # --- parts ------------------------------------------------------------------------------------

    def models(self) -> Models:
        """A whole schema."""
        models = Models((), tuple(self.enum() for _ in range(self.count(1, 2))), self.convention)
        for _ in range(self.count(1, 3)):
            models = with_table(models, self.table(models))
        for _ in range(self.count(0, 3)):
            models = self.with_foreign_key(models)
        return models

    def enum(self) -> EnumType:
        """An enum type."""
        labels = self.draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4, unique=True))
        schema = self.one([None, *self.schemas])
        return EnumType(self.number(), self.name("mood"), tuple(labels), schema)

    def table(self, models: Models) -> Table:
        """A table without foreign keys."""
        key = [self.column(models, kind, key=True) for kind in self.key_kinds()]
        if len(key) == 1 and key[0].kind in ("integer", "bigint"):
            key = [replace(key[0], generated=self.one(["", "serial", "identity"]))]
        columns = [self.column(models) for _ in range(self.count(1, 4))]
        table = Table(
            self.number(),
            self.name("table"),
            (*key, *columns),
            tuple(column.id for column in key),
            schema=self.one([None, *self.schemas]),
            comment=self.one(COMMENTS),
            declarative=self.rarely(3),
        )
        for _ in range(self.count(0, 2)):
            table = self.with_unique(table)
        for _ in range(self.count(0, 2)):
            table = self.with_check(models, table)
        for _ in range(self.count(0, 2)):
            table = self.with_index(table)
        return self.with_plain_index(table)

    def key_kinds(self) -> tuple[str, ...]:
        """The kinds of the columns of a primary key."""
        return self.one(
            [("integer",), ("bigint",), ("text",), ("uuid",), ("integer", "integer"),
             ("text", "integer")]
        )  # fmt: skip

    def column(self, models: Models, kind: str = "", *, key: bool = False) -> Column:
        """A column that a new table has, or an old one gets."""
        kind = kind or self.one(self.kinds)
        size = {"varchar": self.count(20, 40), "numeric": self.count(8, 12)}.get(kind, 0)
        if kind in VECTORS:
            size = self.count(2, 4)
        enum = self.one(models.enums) if kind in ENUMS else None
        default = DEFAULTS.get(kind)
        if kind in ("enum", "listed") and enum is not None:
            default = enum.labels[0]
        return Column(
            self.number(),
            self.name("column"),
            kind,
            size,
            enum.id if enum else None,
            nullable=not key and (self.often(2) or self.goes_null(kind)),
            default=default if not key and self.rarely(2) else None,
            comment=self.one(COMMENTS),
            check=self.name("check") if kind == "listed" else None,
        )

    def goes_null(self, kind: str) -> bool:
        """Whether a change of the column is refused where it is NOT NULL."""
        return self.fitting and kind in VECTORS and self.chosen.vectors is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of columns, those that fixups change as often as all others."""
        enums = ENUMS * (4 if self.chosen.enum_check else 1)
        vectors = VECTORS * (4 if self.chosen.vectors else 1)
        return (*PLAIN, *enums, *vectors)

    def with_unique(self, table: Table, columns: Sequence[Column] = ()) -> Table:
        """The table with a UNIQUE constraint more, if there is one to be had."""
        usable = [one for one in columns or table.columns if one.kind in DISTINCT]
        if not usable:
            return table
        chosen = self.draw(st.lists(st.sampled_from(usable), min_size=1, max_size=2, unique=True))
        ids = tuple(column.id for column in chosen)
        if any(set(ids) == set(key) for key in table.keys):
            return table
        if any(index.unique and set(index.columns) == set(ids) for index in table.indexes):
            return table
        unique = Unique(ids, self.maybe_name("unique"))
        return replace(table, uniques=(*table.uniques, unique))

    def with_check(self, models: Models, table: Table, columns: Sequence[Column] = ()) -> Table:
        """The table with a CHECK more, if there is one to be had."""
        columns = columns or table.columns
        numbers = [one for one in columns if one.kind in (*INTEGERS, "numeric")]
        texts = [one for one in columns if one.kind in TEXTS]
        listed = [one for one in columns if one.kind in ("enum", "listed")]
        found: list[tuple[str, tuple[int, ...]]] = []
        if numbers:
            found.append((self.condition("numbers"), (self.one(numbers).id,)))
        if texts:
            found.append((self.condition("texts"), (self.one(texts).id,)))
        if len(numbers) > 1:
            found.append((self.condition("pairs"), (numbers[0].id, numbers[1].id)))
        if listed:
            column = self.one(listed)
            label = models.enum(column.enum).labels[0].replace("'", "''")
            # A backslash is nothing special in a text of standard_conforming_strings.
            found.append((f"{{0}} = '{label}' OR {{0}} <> '{label}'", (column.id,)))
        if not found:
            return table
        condition, ids = self.one(found)
        if any((one.condition, one.columns) == (condition, ids) for one in table.checks):
            return table
        # A convention has to be given a name.
        name = self.name("check") if self.convention else self.maybe_name("check")
        return replace(table, checks=(*table.checks, Check(condition, ids, name)))

    def condition(self, group: str) -> str:
        """A condition that the rows meet, or one that some do not."""
        if self.refusing and group in REFUSING and self.rarely(2):
            return REFUSING[group]
        return self.one(CONDITIONS[group])

    def with_index(self, table: Table, columns: Sequence[Column] = ()) -> Table:
        """The table with an index more, if there is one to be had."""
        found = [one for column in columns or table.columns for one in self.indexes_on(column)]
        found = [one for one in found if not _is_there(table, one)]
        if not found:
            return table
        index = replace(self.one(found), name=self.name("index"))
        return replace(table, indexes=(*table.indexes, index))

    def indexes_on(self, column: Column) -> list[Index]:
        """What indexes a column may have, the simplest first."""
        ids, kind = (column.id,), column.kind
        if kind in VECTORS:
            opclass = f"{kind}_{self.one(['l2', 'cosine'])}_ops"
            return [
                Index(ids, "", using="hnsw", opclass=opclass, options=self.one(HNSW)),
                Index(ids, "", using="ivfflat", opclass=opclass, options=(("lists", 2),)),
            ]
        if kind == "jsonb":
            return [Index(ids, "", using="gin")]
        found = [Index(ids, ""), Index(ids, "", options=(("fillfactor", 70),))]
        if kind in DISTINCT:
            found += [
                Index(ids, "", unique=True),
                Index(ids, "", unique=True, where="{0} IS NOT NULL"),
                Index(ids, "", using="hash"),
            ]
        if kind in INTEGERS:
            found += [Index(ids, "", where="{0} > 1"), Index(ids, "", expression="({0} + 1)")]
        if kind == "text":
            found += [
                Index(ids, "", expression="lower({0})"),
                Index(ids, "", expression="lower({0})", unique=True, where="{0} <> 't:1 100%'"),
            ]
        return found

    def with_plain_index(self, table: Table) -> Table:
        """The table with ``index=True`` on some of its columns."""
        usable = [one for one in table.columns if self.may_say_index(table, one)]
        if not usable or self.often(2):
            return table
        chosen = self.one(usable)
        return with_column(table, replace(chosen, index=True))

    def may_say_index(self, table: Table, column: Column) -> bool:
        """Whether ``index=True`` gives a name that Alembic finds again."""
        home = self.chosen.prefix.schema if self.chosen.prefix else ""
        return (
            column.kind not in (*VECTORS, "jsonb")
            and f"{home}{table.schema}{table.name}{column.name}".isascii()
            and not any(_plain_index_on(table, column))
        )

    def with_foreign_key(self, models: Models) -> Models:
        """The models with a foreign key more, to another table or the same."""
        referred = self.one(models.tables)
        keys = [
            key
            for key in referred.keys
            if all(referred.column(id).kind in (*INTEGERS, *TEXTS, "uuid") for id in key)
        ]
        if not keys:
            return models
        table, key = self.one(models.tables), self.one(keys)
        # SQLAlchemy finds no primary key in a table that has it as a foreign key to itself.
        taken = table.key if table.id == referred.id else ()
        ids: list[int] = []
        for id in key:
            kind = referred.column(id).kind
            alike = [
                one for one in table.columns if one.kind == kind and one.id not in (*ids, *taken)
            ] if self.often(2) else []  # fmt: skip
            if alike:
                ids.append(self.one(alike).id)
            else:
                column = replace(self.column(models, kind), nullable=True, default=None)
                table = replace(table, columns=(*table.columns, column))
                ids.append(column.id)
        if table.id == referred.id and not set(ids).isdisjoint(key):
            return models
        if any(set(one.columns) == set(ids) for one in table.foreign_keys):
            return models
        if not self.rows_agree(table, tuple(ids), referred, key):
            return models
        foreign_key = ForeignKey(
            tuple(ids),
            referred.id,
            key,
            # SQLAlchemy has to name one of a cycle when it drops the tables.
            self.name("key"),
            ondelete=self.one([None, "CASCADE", "SET NULL", "RESTRICT"]),
            deferrable=self.rarely(4),
        )
        table = replace(table, foreign_keys=(*table.foreign_keys, foreign_key))
        return with_table(models, table)

    def rows_agree(
        self, table: Table, columns: tuple[int, ...], referred: Table, key: tuple[int, ...]
    ) -> bool:
        """Whether the rows meet a foreign key: all but those that refer to a NULL."""
        return all(not referred.column(id).nullable for id in key)


HNSW = ((), (("m", 8),), (("m", 4), ("ef_construction", 20)))


def with_table(models: Models, table: Table) -> Models:
    """The models with the table, in the place of the one of that id or as the last."""
    if all(one.id != table.id for one in models.tables):
        return replace(models, tables=(*models.tables, table))
    tables = tuple(table if one.id == table.id else one for one in models.tables)
    return replace(models, tables=tables)


def with_column(table: Table, column: Column) -> Table:
    """The table with the column in the place of the one of that id, or as the last."""
    if all(one.id != column.id for one in table.columns):
        return replace(table, columns=(*table.columns, column))
    columns = tuple(column if one.id == column.id else one for one in table.columns)
    return replace(table, columns=columns)


def _is_there(table: Table, index: Index) -> bool:
    same = [one for one in table.indexes if one.columns == index.columns]
    if any(replace(one, name="") == index for one in same):
        return True
    # Two ways to say the same: Alembic takes the one for the other.
    if index.unique and not index.expression:
        return any(set(key) == set(index.columns) for key in table.keys)
    return False


def _plain_index_on(table: Table, column: Column) -> Iterable[Index]:
    return (one for one in table.indexes if one.columns == (column.id,) and not one.unique)
