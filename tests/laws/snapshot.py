"""A database as text: what pg_dump says of its schema, and its rows."""

from __future__ import annotations

import os
import re
import subprocess

from sqlalchemy import URL

from alembic_fixups.prove.state import sorted_columns
from alembic_fixups.scratch import Server, connect


def schema(server: Server, url: URL) -> str:
    """``pg_dump --schema-only``, without Alembic's own table."""
    return _dump(server, url, "--schema-only")


def rows(server: Server, url: URL) -> list[str]:
    """Every row as an INSERT, sorted; sequences with their positions."""
    text = _dump(server, url, "--data-only", "--inserts")
    return sorted(re.findall(r"^(?:INSERT|SELECT pg_catalog.setval)[^\n]*", text, re.MULTILINE))


def both(server: Server, url: URL) -> tuple[str, list[str]]:
    """The schema and the rows."""
    return schema(server, url), rows(server, url)


def in_any_order(server: Server, url: URL) -> tuple[str, list[str]]:
    """The schema and the rows, whatever the order of the columns."""
    with connect(url) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text"
            "  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind IN ('r', 'p', 'm') AND relispopulated AND nspname !~ '^pg_'"
            " AND nspname <> 'information_schema' AND relname <> 'alembic_version' ORDER BY 1"
        ).fetchall()
        found = [
            f"{table} {row}"
            for (table,) in tables
            for (row,) in connection.execute(f"SELECT to_jsonb(t)::text FROM {table} AS t")
        ]
    positions = [row for row in rows(server, url) if row.startswith("SELECT")]
    return sorted_columns(schema(server, url)), sorted([*found, *positions])


def _dump(server: Server, url: URL, *options: str) -> str:
    assert server.bindir is not None
    done = subprocess.run(
        [
            str(server.bindir / "pg_dump"),
            "--exclude-table=*.alembic_version",
            "--exclude-table=alembic_version",
            *options,
            f"--dbname={url.set(drivername='postgresql').render_as_string(hide_password=False)}",
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PGOPTIONS": "-c search_path="},
    )
    # Newer versions put a random key around the dump.
    return re.sub(r"^\\(un)?restrict .*\n", "", done.stdout, flags=re.MULTILINE)
