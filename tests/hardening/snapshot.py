"""A database as data: its catalog, its rows, its sequences."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL

from alembic_fixups.scratch import connect
from alembic_fixups.squash import description

Row = Mapping[str, Any]
TableName = tuple[str, str]

_TABLES = """
SELECT n.nspname, c.relname, c.oid::regclass::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND c.relname <> 'alembic_version'
"""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[^\"]*")


@dataclass(frozen=True)
class Snapshot:
    """A database at one moment.

    Attributes:
        catalog: the definition of everything by kind and name; columns in no order, since a column
            that was dropped or swapped comes back as the last.
        rows: the rows of each table.
        positions: where sequences are.
    """

    catalog: Mapping[tuple[str, str], str]
    rows: Mapping[TableName, list[Row]]
    positions: Mapping[tuple[str, str], int | None]


def take(url: URL) -> Snapshot:
    """Reads a database."""
    with connect(url) as connection:
        connection.execute("SET search_path = ''")
        catalog = {
            (one.kind, one.name): "\n".join(sorted(one.definition.split("\n")))
            for one in description.describe(connection, ("public", "alembic_version"))
        }
        rows = {
            (schema, name): [
                row for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {table} AS t")
            ]
            for schema, name, table in connection.execute(_TABLES).fetchall()
        }
        positions = {
            (schema, name): position
            for schema, name, position in connection.execute(
                "SELECT schemaname, sequencename, last_value FROM pg_sequences"
            )
        }
    return Snapshot(catalog, rows, positions)


def catalog_differences(expected: Snapshot, found: Snapshot) -> str:
    """What differs between two catalogs, as a diff; empty where nothing does."""
    return _diff(
        [f"{kind} {name}: {text}" for (kind, name), text in sorted(expected.catalog.items())],
        [f"{kind} {name}: {text}" for (kind, name), text in sorted(found.catalog.items())],
    )


def row_differences(expected: Snapshot, found: Snapshot) -> str:
    """What differs between all rows and sequences, but for times at which rows were moved."""
    return _diff(_everything(expected), _everything(found))


def differences(expected: Collection[Row], found: Collection[Row], columns: Collection[str]) -> str:
    """What differs between the rows of a table in these columns."""
    return _diff(_sorted(expected, columns), _sorted(found, columns))


def _everything(snapshot: Snapshot) -> list[str]:
    rows = [
        f"{table} {line}"
        for table, found in sorted(snapshot.rows.items())
        for line in _sorted(found, None)
    ]
    positions = [f"{name} at {at}" for name, at in sorted(snapshot.positions.items())]
    return [*(_TIME.sub("<time>", row) for row in rows), *positions]


def _sorted(rows: Collection[Row], columns: Collection[str] | None) -> list[str]:
    return sorted(
        json.dumps(
            {name: value for name, value in row.items() if columns is None or name in columns},
            sort_keys=True,
            ensure_ascii=False,
        )
        for row in rows
    )


def _diff(expected: list[str], found: list[str]) -> str:
    return "\n".join(difflib.unified_diff(expected, found, "expected", "found", lineterm="", n=0))
