"""What there is to do once every row has its vector: NOT NULL, the indexes, statistics.

Every step looks first whether it is done, so that a run that is cut short can be run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial

import psycopg

from alembic_fixups.fixups.vector_dimension.side_tables import JOB_MARK, PendingIndex
from alembic_fixups.project import ProjectError
from alembic_fixups.reembed.column import Column
from alembic_fixups.reembed.database import Connection, again_if_locked, execute, rows, value
from alembic_fixups.rendering.quoting import fit_identifier, identifier, literal

MOST_LISTS = 32_768
"""The most ``lists`` that pgvector takes."""

Say = Callable[[str], None]


class StillEmpty(Exception):
    """Rows without a vector stand in the way of NOT NULL."""


def require(connection: Connection, column: Column) -> None:
    """Adds the CHECK that no row lacks a vector, NOT VALID, so that no further one comes."""
    name = _check(column)
    if _is_not_null(connection, column) or _is_there(connection, column, name):
        return
    _altered(
        connection,
        column,
        f"ADD CONSTRAINT {identifier(name)} CHECK ({column.sql} IS NOT NULL) NOT VALID",
    )


def release(connection: Connection, column: Column) -> None:
    """Takes the CHECK away again: rows without a vector could not be updated otherwise."""
    if _is_there(connection, column, _check(column)):
        _altered(connection, column, f"DROP CONSTRAINT {identifier(_check(column))}")


def make_not_null(connection: Connection, column: Column) -> None:
    """Makes the column NOT NULL, without a scan under a strong lock, and drops the CHECK.

    Raises:
        StillEmpty: a row has no vector.
    """
    if not _is_not_null(connection, column):
        try:
            _altered(connection, column, f"VALIDATE CONSTRAINT {identifier(_check(column))}")
        except psycopg.errors.CheckViolation as error:
            raise StillEmpty from error
        # The valid CHECK proves it; in one statement with its drop it would be gone too early.
        _altered(connection, column, f"ALTER COLUMN {column.sql} SET NOT NULL")
    release(connection, column)
    _rename_not_null(connection, column)


def build_indexes(connection: Connection, column: Column, say: Say) -> None:
    """Builds the indexes that the job names, CONCURRENTLY where that is allowed.

    Raises:
        ProjectError: something else has the name of one.
    """
    for index in column.job.indexes:
        again_if_locked(partial(_build, connection, column, index, say))


def analyze(connection: Connection, column: Column) -> None:
    """Has the planner know the new vectors."""
    again_if_locked(lambda: execute(connection, f"ANALYZE {column.job.table.sql} ({column.sql})"))


def analyze_key(connection: Connection, column: Column) -> None:
    """Has the planner know the primary key; a table may have been filled just now."""
    names = ", ".join(identifier(one.name) for one in column.key)
    with suppress(psycopg.Error):  # it serves the speed only
        execute(connection, f"ANALYZE {column.job.table.sql} ({names})")


def drop_job(connection: Connection, column: Column) -> None:
    """Drops the table of the job, with which it is at its end."""
    mark = "SELECT starts_with(obj_description($1::oid, 'pg_class'), $2)"
    if value(connection, mark, [column.store, JOB_MARK]):
        again_if_locked(lambda: execute(connection, f"DROP TABLE {column.job.store.sql}"))


def lists(count: int) -> int:
    """``lists`` of an ivfflat index for so many rows, by the rule in pgvector's README."""
    wanted = count // 1000 if count <= 1_000_000 else math.isqrt(count)
    return min(max(wanted, 1), MOST_LISTS)


def _check(column: Column) -> str:
    return fit_identifier(f"fixup_{column.job.table.name}_{column.job.column}_not_null")


def _altered(connection: Connection, column: Column, clause: str) -> None:
    again_if_locked(lambda: execute(connection, f"ALTER TABLE {column.job.table.sql} {clause}"))


def _is_there(connection: Connection, column: Column, name: str) -> bool:
    query = (
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint"
        " WHERE conrelid = $1 AND conname = $2 AND contype = 'c')"
    )
    return bool(value(connection, query, [column.oid, name]))


def _is_not_null(connection: Connection, column: Column) -> bool:
    query = (
        "SELECT attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c"
        " WHERE c.conrelid = a.attrelid AND c.contype = 'n' AND a.attnum = ANY (c.conkey)"
        " AND NOT c.convalidated)"
        " FROM pg_catalog.pg_attribute a WHERE attrelid = $1 AND attname = $2"
    )
    return bool(value(connection, query, [column.oid, column.job.column]))


def _rename_not_null(connection: Connection, column: Column) -> None:
    """Gives the NOT NULL the name and comment that it had; before PostgreSQL 18 it has none."""
    wanted = column.job.not_null_name
    query = (
        "SELECT c.conname FROM pg_catalog.pg_constraint c"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
        " WHERE c.conrelid = $1 AND c.contype = 'n' AND a.attname = $2"
    )
    for (name,) in rows(connection, query, [column.oid, column.job.column]):
        if wanted is not None and name != wanted:
            _altered(
                connection,
                column,
                f"RENAME CONSTRAINT {identifier(name)} TO {identifier(wanted)}",
            )
        if wanted is not None and column.job.not_null_comment is not None:
            execute(
                connection,
                f"COMMENT ON CONSTRAINT {identifier(wanted)} ON {column.job.table.sql}"
                f" IS {literal(column.job.not_null_comment)}",
            )


def _build(connection: Connection, column: Column, index: PendingIndex, say: Say) -> None:
    name = column.job.table.sibling(index.name)
    query = (
        "SELECT i.indrelid IS NOT DISTINCT FROM $2::oid, i.indisvalid"
        " FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid"
        " WHERE n.nspname = $3 AND c.relname = $1"
    )
    found = rows(connection, query, [name.name, column.oid, name.schema])
    concurrently = "" if column.partitioned else "CONCURRENTLY "
    if found and not found[0][0]:
        raise ProjectError(
            f"{column.job.name}: the index {name} cannot be built: something else has that name. "
            "Rename it and run this again."
        )
    with nullcontext() if column.partitioned else _patient(connection):
        if found and not found[0][1]:
            say(f"dropping {name}, which an earlier build left invalid")
            execute(connection, f"DROP INDEX {concurrently}{name.sql}")
        if not found or not found[0][1]:
            say(f"building the index {name}")
            execute(
                connection,
                f"CREATE INDEX {concurrently}{identifier(name.name)} ON {column.job.table.sql}"
                f" USING {index.using}{_tail(connection, column, index)}",
            )
    comment = "NULL" if index.comment is None else literal(index.comment)
    execute(connection, f"COMMENT ON INDEX {name.sql} IS {comment}")


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """No lock_timeout for a ``with`` block: CONCURRENTLY waits for other transactions to end.

    Nobody waits for it meanwhile.
    """
    usual = value(connection, "SHOW lock_timeout")
    execute(connection, "SET lock_timeout = 0")
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):
            execute(connection, f"SET lock_timeout = {literal(usual)}")


def _tail(connection: Connection, column: Column, index: PendingIndex) -> str:
    """What stands behind the keys of an index: options, tablespace, predicate."""
    options = dict(index.options)
    if index.using.lower().startswith("ivfflat") and "lists" not in options:
        query = f"SELECT count(fixup_row.{column.sql}) FROM {column.job.table.sql} AS fixup_row"
        options["lists"] = str(lists(int(value(connection, query))))
    parts = [f"{identifier(name)} = {literal(said)}" for name, said in options.items()]
    tail = f" WITH ({', '.join(parts)})" if parts else ""
    if index.tablespace is not None:
        tail += f" TABLESPACE {identifier(index.tablespace)}"
    if index.where is not None:
        tail += f" WHERE {index.where}"
    return tail
