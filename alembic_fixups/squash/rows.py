"""The rows of a database's tables, and the positions of its sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql

from alembic_fixups.rendering import quoting
from alembic_fixups.squash.guards import Statement
from alembic_fixups.squash.statements import guarded

Row = tuple[str | None, ...]
_BATCH_ROWS, _BATCH_CHARACTERS = 500, 64_000
"""What one INSERT holds at most: enough for it to be fast, few enough to be read."""

_SESSION = """
SELECT pg_catalog.set_config(name, value, false)
  FROM (VALUES ('search_path', ''), ('datestyle', 'ISO'), ('intervalstyle', 'postgres'),
               ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('timezone', 'UTC'),
               ('row_security', 'off')) AS setting (name, value)
"""
"""As pg_dump sets them, so that values are read back as they were."""

_TABLES = """
SELECT relation.oid, namespace.nspname, relation.relname,
       coalesce(own.columns, '{}'), coalesce(own.bare, '{}'), coalesce(own.identity, false),
       coalesce(keys.primary_key, '{}'), coalesce(keys.usable, false),
       extension.objid IS NOT NULL,
       ARRAY(SELECT confrelid FROM pg_catalog.pg_constraint
              WHERE conrelid = relation.oid AND contype = 'f' AND confrelid <> relation.oid)
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
  LEFT JOIN LATERAL (
       SELECT array_agg(attname::text ORDER BY attnum) AS columns,
              array_agg(atttypid IN (20, 21, 23, 700, 701, 1700, 16) ORDER BY attnum) AS bare,
              bool_or(attidentity <> '') AS identity
         FROM pg_catalog.pg_attribute
        WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
       ) AS own ON true
  LEFT JOIN LATERAL (
       SELECT max(CASE WHEN indisprimary THEN ARRAY(
                  SELECT attname::text FROM pg_catalog.pg_attribute
                   WHERE attrelid = indrelid AND attnum = ANY (indkey::int2[]) ORDER BY attnum
              ) END) AS primary_key,
              bool_and(indimmediate) AS usable
         FROM pg_catalog.pg_index
        WHERE indrelid = relation.oid AND (indisunique OR indisexclusion)
       ) AS keys ON true
  LEFT JOIN pg_catalog.pg_depend AS extension
    ON extension.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND extension.objid = relation.oid AND extension.deptype = 'e'
 WHERE relation.relkind = 'r' AND namespace.nspname <> 'information_schema'
   AND namespace.nspname !~ '^pg_'
 ORDER BY 2, 3
"""

_SEQUENCES = """
SELECT namespace.nspname, relation.relname, seqstart, seqincrement
  FROM pg_catalog.pg_sequence
  JOIN pg_catalog.pg_class AS relation ON relation.oid = seqrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE namespace.nspname !~ '^pg_'
 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class TableRows:
    """A table with its rows.

    Attributes:
        schema, name: the table.
        columns: those whose values can be given: not the generated ones.
        rows: their values as text, in the order of the primary key, else of all values.
        bare: for each column, whether its values may stand without quotes.
        identity: whether it has an identity column.
        conflicts: whether ON CONFLICT can tell a row that is there: it has a unique key, and none
            that is deferrable, which PostgreSQL refuses there (manual, INSERT).
        of_extension: whether it belongs to an extension.
    """

    schema: str
    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bare: tuple[bool, ...] = ()
    identity: bool = False
    conflicts: bool = True
    of_extension: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Position:
    """Where a sequence stands.

    Attributes:
        schema, name: the sequence.
        value: its ``last_value``.
        called: its ``is_called``.
        start: the value that it begins with.
        descending: whether it counts down.
    """

    schema: str
    name: str
    value: int
    called: bool
    start: int
    descending: bool


def read(connection: psycopg.Connection[Any]) -> list[TableRows]:
    """Every ordinary table with its rows, referenced tables before those that refer to them.

    Changes the session's settings.
    """
    connection.execute(_SESSION)
    found, order = {}, TopologicalSorter[int]()
    for (
        oid,
        schema,
        name,
        columns,
        bare,
        identity,
        key,
        usable,
        extension,
        needs,
    ) in connection.execute(_TABLES).fetchall():
        rows = _rows(connection, schema, name, columns, key)
        found[oid] = TableRows(
            schema, name, tuple(columns), rows, tuple(bare), identity, usable, extension
        )
        order.add(oid, *sorted(needs))
    try:
        ordered = [oid for oid in order.static_order() if oid in found]
    except CycleError:  # no order is right; on an empty database any is
        ordered = list(found)
    return [found[oid] for oid in ordered]


def _rows(
    connection: psycopg.Connection[Any],
    schema: str,
    name: str,
    columns: Sequence[str],
    key: Sequence[str],
) -> tuple[Row, ...]:
    if not columns:
        count = sql.SQL("SELECT FROM {}").format(sql.Identifier(schema, name))
        return tuple(() for _ in connection.execute(count).fetchall())
    values = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns]
    order: list[sql.Composable] = [sql.Identifier("t", column) for column in key]
    for column in columns if not key else ():
        order.append(sql.SQL('{}::text COLLATE "C"').format(sql.Identifier("t", column)))
    query = sql.SQL("SELECT {} FROM ONLY {} AS t ORDER BY {}").format(
        sql.SQL(", ").join(values), sql.Identifier(schema, name), sql.SQL(", ").join(order)
    )
    return tuple(connection.execute(query).fetchall())


def positions(connection: psycopg.Connection[Any]) -> list[Position]:
    """Where the sequences stand, those of extensions too."""
    found = []
    for schema, name, start, increment in connection.execute(_SEQUENCES).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        [(value, called)] = connection.execute(query)
        found.append(Position(schema, name, value, called, start, increment < 0))
    return found


def inserts(table: TableRows) -> Iterator[Statement]:
    """Statements that put a table's rows in, where they are not in yet.

    A row counts as there where one with the same unique key is; in a table without such a key,
    where the table has any row at all.
    """
    if not table.rows:
        return
    name = quoting.qualified(table.schema, table.name)
    if not table.columns:
        head = f"INSERT INTO {name} SELECT FROM generate_series(1, {len(table.rows)})"
        yield Statement("Rows", guarded(f"NOT EXISTS (SELECT FROM {name})", head))
        return
    head = f"INSERT INTO {name} ({quoting.identifiers(table.columns)})"
    if table.identity:
        head += " OVERRIDING SYSTEM VALUE"
    lines = [f"    ({', '.join(map(_value, row, table.bare))})" for row in table.rows]
    if not table.conflicts:
        every = ",\n".join(lines)
        yield Statement(
            "Rows", guarded(f"NOT EXISTS (SELECT FROM {name})", f"{head}\nVALUES\n{every}")
        )
        return
    for batch in _batches(lines):
        values = ",\n".join(batch)
        yield Statement("Rows", f"{head}\nVALUES\n{values}\nON CONFLICT DO NOTHING")


def _batches(lines: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == _BATCH_ROWS or size + len(line) > _BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    yield batch


def _value(value: str | None, bare: bool) -> str:
    if value is None:
        return "NULL"
    # Numbers that are none, NaN and Infinity, are quoted as well.
    if bare and value.lstrip("-")[:1].isdigit():
        return value
    if bare and value in ("true", "false"):
        return value
    return "'" + value.replace("'", "''") + "'"


def move(position: Position) -> Statement | None:
    """A statement that brings a sequence to its position, never back; None for a fresh one."""
    if not position.called and position.value == position.start:
        return None
    name = quoting.qualified(position.schema, position.name)
    called = str(position.called).lower()
    behind = ">" if position.descending else "<"
    return Statement(
        "Positions of sequences",
        f"SELECT pg_catalog.setval({quoting.name_literal(position.schema, position.name)},"
        f" {position.value}, {called})\n  FROM {name}"
        f"\n WHERE last_value {behind} {position.value}"
        f" OR (last_value = {position.value} AND is_called < {called})",
    )
