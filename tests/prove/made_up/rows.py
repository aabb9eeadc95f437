"""What the tests ask of a database that has been filled."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from alembic_fixups.prove.made_up import Filled, fill

Connection = psycopg.Connection[Any]


def filled(connection: Connection, rows: int = 20, seed: int = 1) -> dict[str, Filled]:
    """What became of each table."""
    return {one.table: one for one in fill(connection, rows=rows, seed=seed)}


def complete(connection: Connection, rows: int = 20, seed: int = 1) -> None:
    """Fills all tables, and none has a problem."""
    outcomes = fill(connection, rows=rows, seed=seed)
    assert outcomes
    wrong = [one for one in outcomes if one.problem or one.rows != rows]
    assert not wrong, wrong


def contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows as text, in the order in which they are stored."""
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    return {
        name: connection.execute(
            sql.SQL("SELECT t::text FROM ONLY {} AS t").format(sql.Identifier(name))
        ).fetchall()
        for (name,) in tables
    }


def without_null_or_value(connection: Connection, table: str) -> list[str]:
    """The nullable columns of a table that have no NULL, or nothing but NULL."""
    columns = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND NOT attnotnull AND attgenerated = ''",
        [table],
    ).fetchall()
    found = []
    for (name,) in columns:
        query = sql.SQL("SELECT count(*), count(*) FILTER (WHERE num_nulls({}) = 1) FROM {}")
        [(count, nulls)] = connection.execute(
            query.format(sql.Identifier(name), sql.SQL(table))  # type: ignore[arg-type]
        )
        if nulls in (0, count):
            found.append(name)
    return found


def number(connection: Connection, query: str) -> int:
    """The one number that a query gives."""
    [(found,)] = connection.execute(query)  # type: ignore[call-overload]
    return int(found)


def revalidated(connection: Connection) -> int:
    """How many foreign keys and checks there are; each is made again over the rows."""
    found = connection.execute(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)"
        "  FROM pg_constraint WHERE contype IN ('f', 'c') AND conrelid <> 0 AND conparentid = 0"
        "   AND coninhcount = 0"
    ).fetchall()
    for table, name, definition in found:
        text = definition.replace(" NOT VALID", "")
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {text}")
    return len(found)
