"""The settings of a column that waits for vectors, and whether its ``source`` is any good."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from alembic_fixups import settings
from alembic_fixups.fixups.vector_dimension.settings import (
    NAME,
    ColumnSettings,
    VectorDimensionSettings,
    column_settings,
)
from alembic_fixups.fixups.vector_dimension.side_tables import Job
from alembic_fixups.project import Project
from alembic_fixups.reembed.column import Column
from alembic_fixups.reembed.database import Connection, query, rows, said, value
from alembic_fixups.reembed.rows import SAMPLES, Reader, Row
from alembic_fixups.settings import Settings, SettingsError

_OF_THE_STATEMENT = tuple("08P01 0A 21 22 23 25006 2F 38 39 3F 42 44 54 55000 P0".split())
"""Beginnings of the SQLSTATEs of errors that the source itself is the reason for: what it says,
the values that it meets, that it has a $1 or writes; not that a lock was not to be had."""


@dataclass(frozen=True)
class Chosen:
    """What the settings say of a column.

    Attributes:
        name: the column's name in the settings.
        source: the query that gives keys and texts.
        embedder: the function, as ``module:function``.
        batch: rows that the embedder is given at once.
    """

    name: str
    source: str
    embedder: str
    batch: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The place of ``source`` in the settings."""
        return (NAME, "columns", self.name, "source")


def table_of(loaded: Settings) -> VectorDimensionSettings:
    """The fixup's table in the settings, empty where it is not there."""
    return next(
        (table for _, table in loaded.active if isinstance(table, VectorDimensionSettings)),
        VectorDimensionSettings(),
    )


def chosen(project: Project, loaded: Settings, connection: Connection, job: Job) -> Chosen:
    """What the settings say of the column that a job is for.

    Raises:
        SettingsError: they do not say from what or how it is embedded.
    """
    default = value(connection, "SELECT coalesce(current_schema(), 'public')")
    table = table_of(loaded)
    name, given = column_settings(table, job.table.schema, job.table.name, job.column, default)
    missing = [key for key in ("source", "embedder") if getattr(given, key) is None]
    if missing:
        what = "nothing of it" if name not in table.columns else f"no {' and no '.join(missing)}"
        raise SettingsError(
            f"{job.name} waits for vectors, and the settings say {what}. Give "
            f'[tool.{settings.TABLE}.{NAME}.columns."{name}"] in '
            f"{settings.shown(project.settings_path)} a source (SELECT of the primary key and a "
            "text) and an embedder ('module:function').",
            keys=(NAME, "columns", name),
        )
    return _complete(name, given)


def _complete(name: str, given: ColumnSettings) -> Chosen:
    return Chosen(name, given.source or "", given.embedder or "", given.batch)


def check(connection: Connection, column: Column, chosen: Chosen) -> tuple[int, list[Row]]:
    """Runs the source and looks at what it gives.

    Takes a connection whose transactions are read only. Gives how many rows are to be done, and
    the first of them.

    Raises:
        SettingsError: it cannot be run, or does not give each key once with a text.
        psycopg.Error: the database has something else in the way.
    """
    reader = Reader(column, chosen.source)
    try:
        with connection.transaction():
            _check_types(connection, column, chosen)
            repeated = reader.repeated(connection)
            left = reader.left(connection).rows
            first = reader.first(connection, SAMPLES)
        with connection.transaction():  # in which now() is another one
            again = {row.key: row.digest for row in reader.first(connection, SAMPLES)}
    except psycopg.Error as error:
        if connection.closed or not (error.sqlstate or "").startswith(_OF_THE_STATEMENT):
            raise
        raise _wrong(chosen, said(error)) from error
    if repeated:
        keys = "; ".join(", ".join(key) for key in repeated)
        raise _wrong(
            chosen,
            f"it gives more than one row for a primary key ({keys}). Have it give one text for "
            "each, as with string_agg() and GROUP BY.",
        )
    same = [row for row in first if row.key in again]
    if same and all(again[row.key] != row.digest for row in same):
        raise _wrong(
            chosen,
            "its texts are others each time that it is run, so that no row would ever be done. "
            "Leave out what changes by itself, such as now() or random().",
        )
    return left, first


@dataclass(frozen=True)
class _Type:
    category: str
    shown: str


_TYPES = """
SELECT oid::bigint, typcategory::text, format_type(oid, NULL)
  FROM pg_catalog.pg_type WHERE oid = ANY ($1::oid[])
"""

# What is cast without being asked loses nothing; nor do integers, which are an error where they do
# not fit.
_KEEPS = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_cast
                WHERE castsource = $1::oid AND casttarget = $2::oid
                  AND (castcontext = 'i' OR castmethod = 'b'))
    OR ARRAY[$1, $2]::oid[] <@ '{int2,int4,int8}'::regtype[]::oid[]
"""


def _check_types(connection: Connection, column: Column, chosen: Chosen) -> None:
    cursor = query(connection, f"SELECT * FROM (\n{chosen.source}\n) AS fixup_source LIMIT 0")
    given = [found.type_code for found in cursor.description or ()]
    wanted = [one.name for one in column.key] + ["a text"]
    if len(given) != len(wanted):
        raise _wrong(
            chosen,
            f"it gives {len(given)} column{'' if len(given) == 1 else 's'}, and has to give "
            f"{len(wanted)}: {', '.join(wanted)}",
        )
    types = {oid: _Type(*row) for oid, *row in rows(connection, _TYPES, [given])}
    for one, oid in zip(column.key, given, strict=False):
        found = types[oid]
        if oid == one.kind:
            continue
        place = f"where the primary key's {one.name} ({one.type}) has to be, it gives {found.shown}"
        if found.category != one.category:
            raise _wrong(
                chosen,
                f"{place}. It has to give the columns {', '.join(wanted)}, in this order.",
            )
        if found.category != "S" and not value(connection, _KEEPS, [oid, one.kind]):
            raise _wrong(
                chosen,
                f"{place}, which may be another key once it is cast. Have it give {one.type}.",
            )
    last = types[given[-1]]
    if last.category != "S":
        raise _wrong(
            chosen, f"its last column is {last.shown} and has to be a text: cast it to text"
        )


def _wrong(chosen: Chosen, what: str) -> SettingsError:
    name = f'{NAME}.columns."{chosen.name}".source'
    return SettingsError(f"{name}: {what}", keys=chosen.keys)
