"""The rows that a column waits for: which are to be done, and writing their vectors.

A row is to be done while it has no vector; and where it has one that we wrote, for it or for
another row, when its text is another one now. A vector that the application made is never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alembic_fixups.fixups.vector_dimension.side_tables import TEXT_DIGEST, VECTOR_DIGEST
from alembic_fixups.reembed.column import Column, KeyColumn
from alembic_fixups.reembed.database import Binary, Connection, rows, value
from alembic_fixups.reembed.wire import array_of
from alembic_fixups.rendering.quoting import identifier

Key = tuple[str, ...]

_PIECE = 1000
"""Rows of the table that are read at once, at least."""

SAMPLES = 5
"""How many keys a message names."""


@dataclass(frozen=True)
class Row:
    """A row that is to be done.

    Attributes:
        key: its primary key, as text.
        text: what is embedded.
        digest: MD5 of the text.
    """

    key: Key
    text: str
    digest: str


@dataclass(frozen=True)
class Left:
    """What is to be done in a column.

    Attributes:
        rows: how many rows.
        empty: how many of them have no vector; the others have one of another text.
    """

    rows: int
    empty: int


@dataclass(frozen=True)
class Embedded:
    """A row with its vector as it goes over the wire."""

    row: Row
    vector: bytes


@dataclass(frozen=True)
class Written:
    """What became of a batch.

    Attributes:
        count: how many of its rows were written.
        away: those that were to be done before and still are.
        locked: those that others have locked; all else needs nothing any more.
    """

    count: int
    away: list[Row]
    locked: list[Row]


class Reader:
    """What is to be done in a column.

    Its queries name everything so that neither the search_path of the session nor the names in the
    source matter; the source itself sees that path.
    """

    def __init__(self, column: Column, source: str) -> None:
        """Takes the column and the ``source`` of its settings."""
        self._column = column
        self._vector = f"fixup_row.{column.sql}"
        self._own = [_of("fixup_row", one) for one in column.key]
        self._done = [_of("fixup_done", one) for one in column.key]
        # Casts and collations that change nothing are taken away by the planner, so that the
        # indexes of the source's table serve.
        self._keys = [
            f"(fixup_source.fixup_key_{place}::{one.type})"
            + (f" COLLATE {one.collation}" if one.collation else "")
            for place, one in enumerate(column.key, 1)
        ]
        names = [f"fixup_key_{place}" for place, _ in enumerate(column.key, 1)]
        # On lines of its own: a source may end in a comment.
        self._source = f"(\n{source}\n) AS fixup_source ({', '.join(names)}, fixup_text)"

    def batches(self, connection: Connection, size: int) -> Iterator[list[Row]]:
        """The rows that are to be done, in the order of the primary key, so many at once.

        The table is read piece by piece when they are asked for, each piece as it is then.
        """
        waiting: list[Row] = []
        lower: list[str] = []
        while True:
            upper = self._end_of_piece(connection, lower, max(size, _PIECE))
            waiting += self._piece(connection, lower, upper)
            while len(waiting) >= size:
                yield waiting[:size]
                del waiting[:size]
            if not upper:
                break
            lower = upper
        if waiting:
            yield waiting

    def first(self, connection: Connection, count: int) -> list[Row]:
        """The first rows that are to be done."""
        return next(self.batches(connection, count), [])[:count]

    def left(self, connection: Connection) -> Left:
        """How many rows are to be done."""
        counts = f"count(*), count(*) FILTER (WHERE {self._vector} IS NULL)"
        [found] = rows(connection, f"SELECT {counts} FROM {self._to_do()}")
        return Left(*found)

    def repeated(self, connection: Connection) -> list[Key]:
        """Some keys that the source gives more than once."""
        names = [f"key_{place}" for place, _ in enumerate(self._keys, 1)]
        there = " AND ".join(f"{one} IS NOT NULL" for one in self._keys)
        return rows(
            connection,
            f"SELECT {', '.join(f'{name}::text' for name in names)}"
            f" FROM (SELECT {', '.join(self._keys)} FROM {self._source} WHERE {there})"
            f" AS fixup_keys ({', '.join(names)})"
            f" GROUP BY {', '.join(names)} HAVING count(*) > 1 LIMIT {SAMPLES}",
        )

    def without_text(self, connection: Connection) -> tuple[int, list[Key]]:
        """How many rows have neither a vector nor a text in the source, and the keys of some."""
        there = _equal(self._column.key, self._own, self._keys)
        where = (
            f"{self._column.job.table.sql} AS fixup_row WHERE {self._vector} IS NULL"
            f" AND NOT EXISTS (SELECT FROM {self._source} WHERE {there}"
            " AND fixup_source.fixup_text::text IS NOT NULL)"
        )
        texts = ", ".join(f"{one}::text" for one in self._own)
        keys = rows(
            connection,
            f"SELECT {texts} FROM {where} ORDER BY {', '.join(self._own)} LIMIT {SAMPLES}",
        )
        count = value(connection, f"SELECT count(*) FROM {where}") if keys else 0
        return int(count), keys

    def _end_of_piece(self, connection: Connection, lower: list[str], count: int) -> list[str]:
        """The key that is so many rows after another one; empty where there is none."""
        key = self._column.key
        after = _compared(key, self._own, ">", 1) if lower else "true"
        texts = ", ".join(f"{one}::text" for one in self._own)
        found = rows(
            connection,
            f"SELECT {texts} FROM {self._column.job.table.sql} AS fixup_row WHERE {after}"
            f" ORDER BY {', '.join(self._own)} LIMIT 1 OFFSET {count - 1}",
            lower,
        )
        return list(found[0]) if found else []

    def _piece(self, connection: Connection, lower: list[str], upper: list[str]) -> list[Row]:
        """The rows that are to be done after one key and up to another."""
        same = 0
        while lower and same < len(upper) - 1 and lower[same] == upper[same]:
            same += 1
        query = self._piece_query(bool(lower), bool(upper), same)
        found = rows(connection, query, [*lower, *upper[same:]])
        return [Row(tuple(key), text, digest) for *key, text, digest in found]

    def _piece_query(self, has_lower: bool, has_upper: bool, same: int) -> str:
        """The query for a piece; the parameters are the bounds.

        Takes for how many columns they are the same: these are in the parameters once.
        """
        texts = ", ".join(f"{one}::text" for one in self._own)
        text = "fixup_source.fixup_text::text"
        key = self._column.key

        def bounds(names: Sequence[str]) -> str:
            # Told what is the same, the planner knows how few rows there are.
            parts = ["true"]
            if same:
                values = [f"${place}::{one.type}" for place, one in enumerate(key[:same], 1)]
                parts.append(_equal(key[:same], names[:same], values))
            if has_lower:
                parts.append(_compared(key[same:], names[same:], ">", same + 1))
            if has_upper:
                place = len(key) + 1 if has_lower else 1
                parts.append(_compared(key[same:], names[same:], "<=", place))
            return " AND ".join(parts)

        # Said of every table: none is read further, and a source that aggregates does so for these
        # keys only.
        return (
            f"SELECT {texts}, {text}, pg_catalog.md5({text}) FROM {self._to_do(bounds)}"
            f" ORDER BY {', '.join(self._own)}"
        )

    def _to_do(self, bounds: Callable[[Sequence[str]], str] = lambda names: "true") -> str:
        """What stands behind FROM; takes what gives the condition for the columns of a key."""
        column, text = self._column, "fixup_source.fixup_text::text"
        return (
            f"{column.job.table.sql} AS fixup_row"
            f" JOIN {self._source} ON {_equal(column.key, self._own, self._keys)}"
            f" LEFT JOIN {column.job.store.sql} AS fixup_done"
            f" ON {_equal(column.key, self._done, self._own)} AND {bounds(self._done)}"
            f" WHERE {bounds(self._own)} AND {bounds(self._keys)} AND {text} IS NOT NULL"
            f" AND {_is_to_do(column, self._vector, f'pg_catalog.md5({text})')}"
        )


class Writer:
    """Writes the vectors of a column."""

    def __init__(self, column: Column) -> None:
        """Takes the column."""
        self._column = column
        key, table, store = column.key, column.job.table.sql, column.job.store.sql
        own = [_of("fixup_row", one) for one in key]
        names = [identifier(one.name) for one in key]
        given = [f"fixup_given.key_{place}::{one.type}" for place, one in enumerate(key, 1)]
        keys = ", ".join(f"${place}::text[]" for place, _ in enumerate(key, 1))
        labels = ", ".join(f"key_{place}" for place, _ in enumerate(key, 1))
        numbered = (
            f"SELECT fixup_given.place FROM {table} AS fixup_row"
            f" JOIN unnest({keys}) WITH ORDINALITY AS fixup_given ({labels}, place)"
            f" ON {_equal(key, own, given)}"
        )
        self._there = numbered
        self._lock = f"{numbered} ORDER BY {', '.join(own)} FOR NO KEY UPDATE OF fixup_row"
        digests, vectors = f"${len(key) + 1}::text[]", f"${len(key) + 2}::{column.array}"
        vector = f"fixup_row.{column.sql}"
        done = [_of("fixup_done", one) for one in key]
        of_store = f"LEFT JOIN {store} AS fixup_done ON {_equal(key, done, given)}"
        is_to_do = (
            f"{_equal(key, own, given)} AND {_is_to_do(column, vector, 'fixup_given.digest')}"
        )
        into = f"{', '.join(names)}, {TEXT_DIGEST}, {VECTOR_DIGEST}"
        # A trigger may put NULL in the place of the vector.
        self._write = (
            f"WITH fixup_written ({into}) AS ("
            f"UPDATE {table} AS fixup_row SET {column.sql} = fixup_given.vector"
            f" FROM unnest({keys}, {digests}, {vectors}) AS fixup_given"
            f" ({labels}, digest, vector) {of_store} WHERE {is_to_do}"
            f" RETURNING {', '.join(own)}, fixup_given.digest, {column.digest(vector)})"
            f" INSERT INTO {store} ({into})"
            f" SELECT * FROM fixup_written WHERE {VECTOR_DIGEST} IS NOT NULL"
            f" ON CONFLICT ({', '.join(names)}) DO UPDATE SET"
            f" {TEXT_DIGEST} = excluded.{TEXT_DIGEST}, {VECTOR_DIGEST} = excluded.{VECTOR_DIGEST}"
        )
        self._kept_away = (
            f"SELECT fixup_given.place FROM unnest({keys}, {digests}) WITH ORDINALITY"
            f" AS fixup_given ({labels}, digest, place) {of_store}"
            f" JOIN {table} AS fixup_row ON {is_to_do} ORDER BY fixup_given.place"
        )

    def write(
        self, connection: Connection, batch: Sequence[Embedded], *, waits: bool = True
    ) -> Written:
        """Writes a batch in one transaction.

        Takes whether it waits for rows that others have locked, or passes over them.
        """
        locked: list[Row] = []
        with connection.transaction():
            # A statement of its own: the next one sees the rows as they are once they are locked.
            keys = _keys(batch)
            if waits:
                there = len(rows(connection, self._lock, keys))
            else:
                had = {place for (place,) in rows(connection, f"{self._lock} SKIP LOCKED", keys)}
                present = {place for (place,) in rows(connection, self._there, keys)}
                locked = [batch[place - 1].row for place in sorted(present - had)]
                batch = [batch[place - 1] for place in sorted(had)]
                keys, there = _keys(batch), len(had)
            if not there:
                return Written(0, [], locked)
            digests = [one.row.digest for one in batch]
            vectors = Binary(array_of(self._column.element, [one.vector for one in batch]))
            written = connection.execute(self._write.encode(), [*keys, digests, vectors]).rowcount
            # The rows are locked: nobody else has made of them what they are.
            away = rows(connection, self._kept_away, [*keys, digests]) if written < there else []
        return Written(written, [batch[place - 1].row for (place,) in away], locked)


def _keys(batch: Sequence[Embedded]) -> list[list[str]]:
    """The keys of a batch, column by column."""
    return [list(column) for column in zip(*(one.row.key for one in batch), strict=True)]


def _is_to_do(column: Column, vector: str, text_digest: str) -> str:
    """The condition that a row is to be done, ``fixup_done`` being what was done under its key.

    Takes SQL of its vector, and of the digest of its text. A row that has got another key is known
    by its vector.
    """
    digest = column.digest(vector)
    return (
        f"CASE WHEN {vector} IS NULL THEN true"
        f" WHEN fixup_done.{TEXT_DIGEST} = {text_digest} THEN false"
        f" WHEN fixup_done.{VECTOR_DIGEST} = {digest} THEN true"
        f" ELSE (SELECT bool_and(fixup_other.{TEXT_DIGEST} <> {text_digest})"
        f" FROM {column.job.store.sql} AS fixup_other"
        f" WHERE fixup_other.{VECTOR_DIGEST} = {digest}) END"
    )


def _of(table: str, column: KeyColumn) -> str:
    return f"{table}.{identifier(column.name)}"


def _operator(column: KeyColumn, name: str) -> str:
    return f"OPERATOR({column.operators}.{name})"


def _equal(key: Sequence[KeyColumn], left: Sequence[str], right: Sequence[str]) -> str:
    """The condition that two keys are the same."""
    return " AND ".join(
        f"{one} {_operator(column, '=')} {other}"
        for column, one, other in zip(key, left, right, strict=True)
    )


def _compared(key: Sequence[KeyColumn], names: Sequence[str], sign: str, place: int) -> str:
    """The condition that a key comes after, or not after, the one in the parameters from *place*.

    The sign is ``>`` or ``<=``.
    """
    bounds = [f"${place + number}::{column.type}" for number, column in enumerate(key)]
    if len({column.operators for column in key}) == 1:
        operator = _operator(key[0], sign)
        return f"ROW({', '.join(names)}) {operator} ROW({', '.join(bounds)})"
    # One operator cannot stand for types whose operators are in several schemas.
    strict, loose = sign[0], f"{sign[0]}="
    condition = "false" if sign == strict else "true"
    for column, name, bound in reversed(list(zip(key, names, bounds, strict=True))):
        condition = (
            f"{name} {_operator(column, loose)} {bound} AND ("
            f"{name} {_operator(column, strict)} {bound} OR {condition})"
        )
    return f"({condition})"
