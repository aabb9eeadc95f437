"""What is done in the database: each statement in a savepoint of its own, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from alembic_fixups.prove.made_up.model import Column, Row, Table, Take

_SETTINGS = """
SELECT pg_catalog.set_config(name, value, true)
  FROM (VALUES ('datestyle', 'ISO, YMD'), ('intervalstyle', 'postgres'), ('timezone', 'UTC'),
               ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('lc_monetary', 'C'),
               ('xmloption', 'content'), ('client_encoding', 'UTF8'),
               ('standard_conforming_strings', 'on')) AS setting (name, value)
"""
"""So that texts mean the same everywhere. The search_path stays: triggers may need it."""

_KNOWN_ROWS = 1000
"""How many rows of a table can get children: enough for any number of these."""

_BEGIN = sql.SQL("SAVEPOINT made_up; ")
_END = sql.SQL("; RELEASE SAVEPOINT made_up")


class Session:
    """A connection in a transaction, in which a statement that fails does no harm."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._heads: dict[str, sql.Composed] = {}
        connection.execute(_SETTINGS)
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def run(self, statement: sql.Composable) -> tuple[int, list[tuple[Any, ...]]]:
        """How many rows a statement concerned, and those that it gave.

        Raises:
            psycopg.Error: the database refuses it; all is as before.
        """
        cursor = self._connection.cursor(row_factory=tuple_row)
        try:
            cursor.execute(_BEGIN + statement + _END)
        except psycopg.Error:
            if self._connection.broken:
                raise
            self._connection.execute("ROLLBACK TO SAVEPOINT made_up; RELEASE SAVEPOINT made_up")
            raise
        cursor.nextset()
        return cursor.rowcount, cursor.fetchall() if cursor.description else []

    def accepts(self, kind: str, texts: Sequence[str]) -> list[str]:
        """Those of the texts that a type, given as SQL, takes."""
        if not texts:
            return []
        tests = [
            sql.SQL("CAST({} AS {}) IS NULL").format(sql.Literal(text), sql.SQL(kind))
            for text in texts
        ]
        try:
            self.run(sql.SQL("SELECT ") + sql.SQL(", ").join(tests))
        except (psycopg.Error, UnicodeEncodeError):
            if self._connection.broken:
                raise
            if len(texts) == 1:
                return []
            half = len(texts) // 2
            return self.accepts(kind, texts[:half]) + self.accepts(kind, texts[half:])
        return list(texts)

    def has_rows(self, table: Table) -> bool:
        """Whether a table has a row, those of its children not counted."""
        _, [(found,)] = self.run(sql.SQL("SELECT EXISTS (SELECT {})").format(_from(table)))
        return bool(found)

    def insert(self, table: Table, row: Row) -> int:
        """Puts a row in; 0 where a trigger or a rule lets it vanish.

        Raises:
            psycopg.Error: the database refuses it.
        """
        if table.sql not in self._heads:
            columns = sql.SQL(", ").join(map(sql.Identifier, row))
            self._heads[table.sql] = sql.SQL(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES "
            ).format(sql.Identifier(table.schema, table.name), columns)
        if not row:
            name = sql.Identifier(table.schema, table.name)
            return self.run(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name))[0]
        values = sql.SQL(", ").join(
            sql.SQL(value.value) if isinstance(value, Take) else sql.Literal(value)
            for value in row.values()
        )
        return self.run(self._heads[table.sql] + sql.SQL("(") + values + sql.SQL(")"))[0]

    def rows(self, table: Table, columns: Sequence[str]) -> list[dict[str, str | None]]:
        """Some columns of a table's rows as text, in the order of the first of its keys."""
        query = sql.SQL("COPY (SELECT {} {} ORDER BY {} LIMIT {}) TO STDOUT").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            _from(table),
            sql.SQL(", ").join(map(sql.Identifier, table.keys()[0] if table.keys() else columns)),
            sql.Literal(_KNOWN_ROWS),
        )
        with (
            self._connection.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy(query) as copy,
        ):
            return [dict(zip(columns, row, strict=True)) for row in copy.rows()]

    def places(
        self, table: Table, columns: Sequence[str]
    ) -> list[tuple[str, str, dict[str, str | None]]]:
        """Each row of a table: which table it is in, where there, and some columns."""
        names = [sql.SQL("concat({0})").format(sql.Identifier(name)) for name in columns]
        nulls = [sql.SQL("{0} IS NULL").format(sql.Identifier(name)) for name in columns]
        query = sql.SQL("SELECT {} {} ORDER BY 1, ctid").format(
            sql.SQL(", ").join(
                [
                    sql.SQL(
                        "tableoid::pg_catalog.regclass::pg_catalog.text, ctid::pg_catalog.text"
                    ),
                    *names,
                    *nulls,
                ]
            ),
            _from(table),
        )
        count = len(columns)
        return [
            (
                within,
                place,
                {
                    name: None if null else text
                    for name, text, null in zip(columns, row[:count], row[count:], strict=True)
                },
            )
            for within, place, *row in self.run(query)[1]
        ]

    def update(self, table: Table, within: str, place: str, values: dict[str, str | None]) -> int:
        """Changes a row at its place.

        Raises:
            psycopg.Error: the database refuses it.
        """
        changes = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))
            for name, value in values.items()
        ]
        statement = sql.SQL(
            "UPDATE {} SET {} WHERE tableoid = {}::pg_catalog.regclass"
            " AND ctid = {}::pg_catalog.tid"
        ).format(
            sql.Identifier(table.schema, table.name),
            sql.SQL(", ").join(changes),
            sql.Literal(within),
            sql.Literal(place),
        )
        return self.run(statement)[0]

    def next_value(self, table: Table, column: Column) -> str:
        """The next value of a column that a sequence numbers."""
        if column.identity:
            query = sql.SQL(
                "SELECT pg_catalog.nextval(pg_catalog.pg_get_serial_sequence({}, {}))"
            ).format(sql.Literal(table.sql), sql.Literal(column.name))
        else:
            query = sql.SQL("SELECT ") + sql.SQL(column.default)
        _, [(value,)] = self.run(query)
        return str(value)


def _from(table: Table) -> sql.Composed:
    # A foreign key to a table with children names its own rows only.
    only = sql.SQL("" if table.partitioned else "ONLY ")
    return sql.SQL("FROM {}{}").format(only, sql.Identifier(table.schema, table.name))
