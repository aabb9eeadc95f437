"""Alembic's own table, whatever env.py calls it, and the revisions that it names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from alembic_fixups.project import ProjectError

VersionTable = tuple[str, str]
"""Schema and name."""

_CANDIDATES = """
SELECT namespace.nspname, relation.relname
  FROM pg_catalog.pg_attribute
  JOIN pg_catalog.pg_class AS relation ON relation.oid = attrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE attname = 'version_num' AND attnum = 1 AND relation.relkind IN ('r', 'p')
   AND namespace.nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS other
                    WHERE other.attrelid = relation.oid AND other.attnum > 1
                      AND NOT other.attisdropped AND other.attnotnull)
 ORDER BY relation.relname <> 'alembic_version', 1, 2
"""
_TYPE = """
SELECT pg_catalog.format_type(atttypid, atttypmod)
  FROM pg_catalog.pg_attribute
 WHERE attrelid = pg_catalog.to_regclass(%s) AND attname = 'version_num'
"""


def version_tables(connection: psycopg.Connection[Any]) -> list[VersionTable]:
    """The tables that could be Alembic's own, the likeliest first."""
    return [(schema, name) for schema, name in connection.execute(_CANDIDATES)]


def version_table(connection: psycopg.Connection[Any], revision: str) -> VersionTable:
    """Alembic's own table in a database that is at a revision.

    Raises:
        ProjectError: no table says so.
    """
    for table in version_tables(connection):
        if revision in revisions(connection, table):
            return table
    raise ProjectError(
        f"After the replay no table says that the database is at {revision}. A revision or env.py "
        "does away with Alembic's version table; without it nothing can be squashed."
    )


def revisions(connection: psycopg.Connection[Any], table: VersionTable) -> list[str]:
    """The revisions that a version table names, sorted.

    Raises:
        psycopg.errors.UndefinedTable: there is no such table.
    """
    query = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(sql.Identifier(*table))
    return [str(revision) for (revision,) in connection.execute(query)]


def stamp(
    connection: psycopg.Connection[Any], table: VersionTable, revisions: Iterable[str]
) -> None:
    """Writes the revisions that a database is at into its version table."""
    name = sql.Identifier(*table)
    insert = sql.SQL("INSERT INTO {} (version_num) VALUES (%s)").format(name)
    with connection.transaction():
        connection.execute(sql.SQL("DELETE FROM {}").format(name))
        for revision in revisions:
            connection.execute(insert, [revision])


def id_type(connection: psycopg.Connection[Any], table: VersionTable) -> str:
    """The type of the ids, where it is not the one that Alembic gives them; else empty."""
    name = ".".join('"' + part.replace('"', '""') + '"' for part in table)
    [(found,)] = connection.execute(_TYPE, [name]).fetchall()
    return "" if found == "character varying(32)" else str(found)
