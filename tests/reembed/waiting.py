"""A database with columns that wait for vectors, as a migration leaves it, and a project for it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import textwrap
import uuid
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql
from rich.console import Console
from sqlalchemy.engine import URL

from alembic_fixups import cli, project
from alembic_fixups.reembed import command
from alembic_fixups.reembed.embedder import Retries

AT_ONCE = Retries(first=0.0)

EMBEDDER = """
import os
import threading
import time
import zlib

calls = []
batches = []
hook = None


def vector(text, dimensions=3):
    digest = zlib.crc32(text.encode())
    return [float((digest >> place) % 250 + 1) for place in range(dimensions)]


def embed(texts):
    batches.append(len(texts))
    calls.extend(texts)
    if hook is not None:
        hook(texts)
    return [vector(text) for text in texts]


async def embed_later(texts):
    return embed(texts)
"""


@dataclass
class Waiting:
    """A database and a project whose settings say how its columns are embedded."""

    connection: Connection[tuple[Any, ...]]
    url: URL
    folder: Path
    module: str = field(default_factory=lambda: f"embeddings_{uuid.uuid4().hex[:8]}")
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock_timeout: str = "1s"

    def __post_init__(self) -> None:
        (self.folder / "migrations" / "versions").mkdir(parents=True)
        (self.folder / "migrations" / "env.py").write_text("")
        (self.folder / "alembic.ini").write_text("[alembic]\nscript_location=%(here)s/migrations\n")
        (self.folder / f"{self.module}.py").write_text(EMBEDDER)

    @property
    def embeddings(self) -> Any:
        """The module with the embedder, as the command imports it."""
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        return importlib.import_module(self.module)

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement.encode())

    def rows(self, query: str) -> list[Any]:
        return self.connection.execute(query.encode()).fetchall()

    def value(self, query: str) -> Any:
        [(found,)] = self.rows(query)
        return found

    def docs(self, count: int = 10, type: str = "public.vector(3)") -> None:
        """A table app.docs with a column that waits."""
        self.execute(
            "CREATE SCHEMA app",
            "CREATE EXTENSION IF NOT EXISTS vector",
            f"CREATE TABLE app.docs (id bigint PRIMARY KEY, body text, embedding {type})",
            f"INSERT INTO app.docs SELECT i, 'text ' || i FROM generate_series(1, {count}) AS i",
        )

    def job(
        self,
        schema: str = "app",
        table: str = "docs",
        column: str = "embedding",
        type: str = "public.vector(3)",
        *,
        not_null: bool = False,
        not_null_name: str | None = None,
        indexes: list[dict[str, Any]] | None = None,
        key: tuple[str, ...] = ("id",),
        source: str = "SELECT id, body FROM app.docs",
        embedder: str = "embed",
        batch: int = 4,
    ) -> None:
        """Leaves a job for a column, and writes its settings."""
        store = sql.Identifier(schema, f"fixup_reembed_{table}_{column}")
        keys = sql.SQL(", ").join(map(sql.Identifier, key))
        said = {
            "schema": schema,
            "table": table,
            "column": column,
            "type": type,
            "not_null": not_null,
            "not_null_name": not_null_name,
            "indexes": indexes or [],
        }
        for statement, values in (
            (
                "CREATE TABLE {} AS SELECT {} FROM {} WITH NO DATA",
                (store, keys, sql.Identifier(schema, table)),
            ),
            (
                "ALTER TABLE {} ADD PRIMARY KEY ({}), ADD fixup_text_digest text, "
                "ADD fixup_vector_digest text",
                (store, keys),
            ),
            (
                "COMMENT ON TABLE {} IS {}",
                (store, sql.Literal("alembic-fixups: reembed " + json.dumps(said))),
            ),
        ):
            self.connection.execute(sql.SQL(statement).format(*values))
        self.columns[f"{schema}.{table}.{column}"] = {
            "data": "reembed",
            "source": source,
            "embedder": embedder if ":" in embedder else f"{self.module}:{embedder}",
            "batch": batch,
        }
        self.settings()

    def settings(self) -> None:
        """Writes pyproject.toml."""
        lines = ["[tool.alembic-fixups]", f'lock-timeout = "{self.lock_timeout}"']
        lines += ["[tool.alembic-fixups.vector-dimension]"]
        for name, column in self.columns.items():
            lines.append(f"[tool.alembic-fixups.vector-dimension.columns.{json.dumps(name)}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in column.items()]
        (self.folder / "pyproject.toml").write_text("\n".join(lines) + "\n")

    @property
    def database_url(self) -> str:
        return self.url.render_as_string(hide_password=False)

    def load(self) -> project.Project:
        return project.load([str(self.folder / "alembic.ini")])

    def run(self, *names: str, **request: Any) -> tuple[int, str]:
        """Runs the command in this process; gives the exit code and what it prints."""
        printed, aside = StringIO(), StringIO()
        consoles = [
            Console(file=file, highlight=False, markup=False, soft_wrap=True)
            for file in (printed, aside)
        ]
        asked = command.Request(names, **{"database_url": self.database_url, **request})
        code = command.run(self.load(), *consoles, asked, AT_ONCE)
        return code, printed.getvalue()

    def json(self, *names: str, **request: Any) -> tuple[int, Any]:
        """The same with --json, for a single column."""
        code, printed = self.run(*names, as_json=True, **request)
        [found] = json.loads(printed)["columns"]
        return code, found

    def command(self, *arguments: str) -> list[str]:
        """The command line for a process of its own."""
        ini = str(self.folder / "alembic.ini")
        return [sys.executable, "-m", "alembic_fixups.cli", "-c", ini, *arguments]

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in a process of its own."""
        return subprocess.run(
            self.command(*arguments, "--database-url", self.database_url),
            cwd=self.folder,
            capture_output=True,
            text=True,
        )

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in this process."""
        given = self.command(*arguments, "--database-url", self.database_url)[3:]
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as raised:
            cli.main(given)
        code = raised.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(given, code, out.getvalue(), err.getvalue())

    def wrong(self, table: str = "app.docs", text: str = "body", column: str = "embedding") -> int:
        """How many rows lack the vector that belongs to their text."""
        rows = self.rows(f"SELECT {text}, {column}::text FROM {table} WHERE {text} IS NOT NULL")
        return sum(
            vector is None or json.loads(vector) != self.embeddings.vector(said)
            for said, vector in rows
        )

    def rewrite(self, source: str) -> None:
        """Appends to the module with the embedder."""
        path = self.folder / f"{self.module}.py"
        path.write_text(path.read_text() + textwrap.dedent(source))
