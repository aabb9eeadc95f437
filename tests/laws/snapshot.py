"""A database as text: what pg_dump says of its schema, and its rows."""

from __future__ import annotations

import os
import re
import subprocess

from sqlalchemy import URL

from alembic_fixups.scratch import Server


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
