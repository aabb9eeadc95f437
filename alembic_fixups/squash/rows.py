"""The rows of a database's tables, and the positions of its sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql

from alembic_fixups.rendering import quoting
from alembic_fixups.squash.guards import Statement
from alembic_fixups.squash.statements import block, guarded

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
       coalesce(keys.primary_key, '{}'), coalesce(keys.uniques, '[]'),
       coalesce(keys.arbiters, true) AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_rewrite
            WHERE ev_class = relation.oid AND ev_type IN ('2', '3')),
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
       SELECT max(names) FILTER (WHERE indisprimary) AS primary_key,
              -- Where NULLs are distinct, a row with one is found by no key.
              jsonb_agg(jsonb_build_array(
                  names, coalesce((to_jsonb(one) ->> 'indnullsnotdistinct')::boolean, false)
              )) FILTER (WHERE indisunique AND indisvalid AND indexprs IS NULL
                           AND indpred IS NULL) AS uniques,
              bool_and(indimmediate) AS arbiters
         FROM pg_catalog.pg_index AS one, LATERAL (
              SELECT ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
                            WHERE attrelid = indrelid
                              AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])
                            ORDER BY attnum) AS names
              ) AS key
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
        conflicts: whether ON CONFLICT can tell each row that is there: by a unique key that is
            neither partial nor NULL in one of them. PostgreSQL refuses it where a key is
            deferrable (manual, INSERT) or a rule rewrites INSERT or UPDATE.
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
    found: dict[int, TableRows] = {}
    needed: dict[int, list[int]] = {}
    for (
        oid,
        schema,
        name,
        columns,
        bare,
        identity,
        key,
        uniques,
        arbiters,
        extension,
        needs,
    ) in connection.execute(_TABLES).fetchall():
        rows = _rows(connection, schema, name, columns, key)
        conflicts = arbiters and any(_tells(unique, columns, rows) for unique in uniques)
        found[oid] = TableRows(
            schema, name, tuple(columns), rows, tuple(bare), identity, conflicts, extension
        )
        needed[oid] = sorted(needs)
    return [found[oid] for oid in _ordered(needed) if oid in found]


def _ordered(needed: Mapping[int, list[int]]) -> list[int]:
    """Each after those that it needs, but where they go in a circle: there no order is right."""
    while True:
        try:
            return list(TopologicalSorter(needed).static_order())
        except CycleError as error:
            before, after = error.args[1][:2]
            needed[after].remove(before)


def _rows(
    connection: psycopg.Connection[Any],
    schema: str,
    name: str,
    columns: Sequence[str],
    key: Sequence[str],
) -> tuple[Row, ...]:
    table = sql.Identifier(schema, name)
    if not columns:
        count = sql.SQL("SELECT FROM ONLY {}").format(table)
        return tuple(() for _ in connection.execute(count).fetchall())
    order: list[sql.Composable] = [sql.Identifier("t", column) for column in key]
    for column in columns if not key else ():
        # As the type's output function has it: a cast to text may be somebody's own.
        order.append(sql.SQL('concat({}) COLLATE "C"').format(sql.Identifier("t", column)))
    query = sql.SQL("COPY (SELECT {} FROM ONLY {} AS t ORDER BY {}) TO STDOUT").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), table, sql.SQL(", ").join(order)
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        return tuple(copy.rows())


def _tells(unique: tuple[Sequence[str], bool], columns: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether a unique key finds each of the rows again; takes its columns, and if NULLs count."""
    names, nulls = unique
    if not set(columns).issuperset(names):  # a generated column
        return False
    numbers = [columns.index(name) for name in names]
    return nulls or all(row[number] is not None for row in rows for number in numbers)


def positions(connection: psycopg.Connection[Any]) -> list[Position]:
    """Where the sequences stand, those of extensions too."""
    found = []
    for schema, name, start, increment in connection.execute(_SEQUENCES).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        [(value, called)] = connection.execute(query)
        found.append(Position(schema, name, value, called, start, increment < 0))
    return found


def filled(tables: Sequence[TableRows]) -> Iterator[Statement]:
    """Statements that put the rows of all these tables in, where they are not in yet.

    In a database that has part of it already, triggers do not fire for them.
    """
    tables = [table for table in tables if table.rows]
    if tables:
        yield Statement("Rows", _quiet(tables))
    for table in tables:
        yield from inserts(table)
    if tables:
        yield Statement("Rows", _loud(tables))


def _quiet(tables: Sequence[TableRows]) -> str:
    """A DO block that takes away what would interfere, and notes how to put it back."""
    find = f"""SELECT string_agg(format('ALTER TABLE %s %s', relation, less), '; '),
       coalesce(string_agg(format('ALTER TABLE %s %s', relation, again), '; '), '')
  INTO away, back
  FROM (
      SELECT tgrelid::regclass AS relation, format('DISABLE TRIGGER %I', tgname) AS less,
             format('ENABLE %s TRIGGER %I', {_MODE.format("tgenabled")}, tgname) AS again
        FROM pg_trigger
       WHERE NOT tgisinternal AND tgenabled <> 'D'
       UNION ALL
      SELECT ev_class::regclass, format('DISABLE RULE %I', rulename),
             format('ENABLE %s RULE %I', {_MODE.format("ev_enabled")}, rulename)
        FROM pg_rewrite
       WHERE ev_enabled <> 'D'
       UNION ALL
      SELECT oid::regclass, 'NO FORCE ROW LEVEL SECURITY', 'FORCE ROW LEVEL SECURITY'
        FROM pg_class
       WHERE relforcerowsecurity
  ) AS interfering
 WHERE relation = ANY ({_relations(tables)});
PERFORM set_config('alembic_fixups.back', back, false);
IF away IS NOT NULL THEN
    EXECUTE away;
END IF;"""
    return block(find, declare="away text;\nback text;")


_MODE = "CASE {} WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END"


def _loud(tables: Sequence[TableRows]) -> str:
    """A DO block that puts back what :func:`_quiet` took away.

    ALTER TABLE refuses a table that checks are waiting for.
    """
    relations = _relations(tables)
    return block(
        f"""FOR waiting IN
    SELECT DISTINCT format('%I.%I', nspname, conname)
      FROM pg_constraint
      JOIN pg_namespace AS namespace ON namespace.oid = connamespace
     WHERE condeferred AND contype <> 't'
       AND (conrelid = ANY ({relations}) OR confrelid = ANY ({relations}))
LOOP
    EXECUTE format('SET CONSTRAINTS %s IMMEDIATE; SET CONSTRAINTS %1$s DEFERRED', waiting);
END LOOP;
IF current_setting('alembic_fixups.back') <> '' THEN
    EXECUTE current_setting('alembic_fixups.back');
END IF;""",
        declare="waiting text;",
    )


def _relations(tables: Iterable[TableRows]) -> str:
    names = ", ".join(quoting.name_literal(table.schema, table.name) for table in tables)
    return f"ARRAY[{names}]::regclass[]"


def inserts(table: TableRows) -> Iterator[Statement]:
    """Statements that put a table's rows in, where they are not in yet.

    A row counts as there where one with the same unique key is; in a table without such a key,
    where the table has any row at all.
    """
    if not table.rows:
        return
    name = quoting.qualified(table.schema, table.name)
    # Its children's rows are not its own.
    empty = f"NOT EXISTS (SELECT FROM ONLY {name})"
    if not table.columns:
        head = f"INSERT INTO {name} SELECT FROM generate_series(1, {len(table.rows)})"
        yield Statement("Rows", guarded(empty, head))
        return
    head = f"INSERT INTO {name} ({quoting.identifiers(table.columns)})"
    if table.identity:
        head += " OVERRIDING SYSTEM VALUE"
    lines = [f"    ({', '.join(map(_value, row, table.bare))})" for row in table.rows]
    if not table.conflicts:
        every = ",\n".join(lines)
        yield Statement("Rows", guarded(empty, f"{head}\nVALUES\n{every}"))
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
    # The sign of a float's -0 would be lost.
    if bare and value.lstrip("-")[:1].isdigit() and value != "-0":
        return value
    if bare and value in ("t", "f"):
        return "true" if value == "t" else "false"
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
        f" OR (last_value = {position.value} AND is_called < {called})"
        # A fresh one may begin beyond it.
        f"\n    OR (last_value = {position.start} AND NOT is_called)",
    )
