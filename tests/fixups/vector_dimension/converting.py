"""Changes of vectors in databases of their own: what the tests of the conversion share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from alembic_fixups.report import Finding
from tests.fixups.vector_dimension.cases import HEAD
from tests.laws import snapshot
from tests.projects import Project

ALL_SCHEMAS: dict[str, Any] = {"configure": {"include_schemas": True}}

Connection = psycopg.Connection[tuple[Any, ...]]

# Each is in the statements of one step only.
KEEP, FILL = "CALL pg_temp.fixup_keep(", "CALL pg_temp.fixup_fill("
START = "problems := pg_temp.fixup_obstacles("
CHECKS, SWAP = "PERFORM pg_temp.fixup_guard(", "PERFORM pg_temp.fixup_exchange("

SLOW = pytest.mark.slow

BOTH = pytest.mark.parametrize("strategy", [pytest.param("rewrite", marks=SLOW), "online"])
"""The laws change most columns in place."""


def docs(type_: str, *more: str, null: bool = True, then: str = "") -> str:
    """Models of one table with a column of vectors."""
    columns = "".join(f", {each}" for each in more)
    return (
        HEAD + 'docs = Table("docs", metadata, Column("id", Integer, primary_key=True),'
        f' Column("body", Text), Column("embedding", {type_}, nullable={null}){columns})\n{then}'
    )


def settings(data: str = "archive", strategy: str = "rewrite", **columns: str) -> str:
    """A pyproject.toml with the fixup on; takes what is done with columns of the default schema."""
    listed = "".join(
        f'[tool.alembic-fixups.vector-dimension.columns."{name}"]\n{toml}\n'
        for name, toml in columns.items()
    )
    return (
        f"[tool.alembic-fixups.vector-dimension]\ndata = '{data}'\nstrategy = '{strategy}'\n"
        f"{listed}"
    )


@dataclass
class Database:
    """A project on a database that its earlier models and some SQL made."""

    project: Project
    server: scratch.Server
    connection: Connection

    def execute(self, script: str) -> None:
        """Runs statements."""
        self.connection.execute(script)  # type: ignore[call-overload]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        found: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()  # type: ignore[call-overload]
        return found

    def values(self, query: str) -> list[Any]:
        """What a query of one column gives."""
        return [row[0] for row in self.rows(query)]

    def vectors(self, table: str = "docs", key: str = "id") -> dict[Any, str | None]:
        """The vectors of a table, or of an archive, by key."""
        if "fixup_archive_" in table:
            table = self.named(table)
        return dict(self.rows(f"SELECT {key}, embedding::text FROM {table}"))

    def type_of(self, column: str = "embedding", table: str = "docs") -> str:
        """The type of a column."""
        [found] = self.values(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attname = '{column}'"
        )
        assert isinstance(found, str)
        return found

    def named(self, beginning: str) -> str:
        """The archive whose name begins so."""
        [found] = [each for each in self.archives() if each.startswith(beginning)]
        return found

    def archives(self) -> list[str]:
        """The archives that are there."""
        return self.values(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
            " AND obj_description(oid, 'pg_class') LIKE 'alembic-fixups: archive %' ORDER BY 1"
        )

    def left_over(self) -> list[str]:
        """What only a migration in the middle has."""
        return self.values(
            "SELECT tgname FROM pg_trigger WHERE tgname LIKE '%fixup%'"
            " UNION ALL SELECT proname FROM pg_proc"
            "  WHERE proname LIKE 'fixup_%' AND pronamespace <> pg_my_temp_schema()"
            "  AND pronamespace::regnamespace::text !~ '^pg_temp'"
            " UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'fixup_new%'"
            " UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'fixup_new%'"
            " UNION ALL SELECT attname FROM pg_attribute WHERE attname LIKE 'fixup_new%'"
            "   AND NOT attisdropped"
        )

    def snapshot(self) -> tuple[str, list[str]]:
        """Everything that is in it, whatever the order of the columns."""
        return snapshot.in_any_order(self.server, self.project.url)

    def revise(self) -> list[Finding]:
        """A revision; gives what autogenerate says besides."""
        with collect_runs() as runs:
            self.source = self.project.autogenerate(**ALL_SCHEMAS)
        return runs[0].findings

    def refused(self, direction: str = "upgrade") -> str:
        """The message with which a migration stops."""
        with pytest.raises(DBAPIError) as caught:
            self.project.upgrade() if direction == "upgrade" else self.project.downgrade("base")
        self.end_sessions()
        return str(caught.value.orig)

    def refused_unchanged(self, direction: str = "upgrade") -> str:
        """The same, and nothing has been changed."""
        before = self.snapshot()
        message = self.refused(direction)
        assert self.snapshot() == before
        return message

    def stopped(self, at: str = SWAP) -> None:
        """An upgrade that is killed before a step."""

        with pytest.raises(SQLAlchemyError), before_statement(at, self.end_sessions):
            self.project.upgrade()
        self.end_sessions()

    def end_sessions(self) -> None:
        """Ends the sessions of others, as pg_terminate_backend() does."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def is_converged(self) -> bool:
        """Whether a further autogenerate finds nothing."""
        return self.project.is_converged(**ALL_SCHEMAS)

    def there_and_back(self) -> None:
        """The upgrade, after which nothing is left to do, and the downgrade, which restores all."""
        before = self.snapshot()
        self.revise()
        self.project.upgrade()
        assert self.left_over() == []
        assert self.is_converged()
        self.project.downgrade("base")
        assert self.snapshot() == before


Make = Callable[..., Database]


@pytest.fixture
def make(tmp_path: Path, server: scratch.Server, database_url: URL, connection: Connection) -> Make:
    """Gives a project on a database of its own."""

    def made(before: str, models: str, setup: str = "", toml: str = "") -> Database:
        project = Project.make(tmp_path / "project", database_url, before, toml or settings())
        project.create_all()
        project.models(models)
        database = Database(project, server, connection)
        if setup:
            database.execute(setup)
        return database

    return made


@contextmanager
def before_statement(part: str, do: Callable[[], object]) -> Iterator[None]:
    """Calls *do* before the first statement that has *part* in it."""
    done: list[str] = []

    def look(own: Any, cursor: Any, statement: str, *_: Any) -> None:
        if part in statement and not done:
            done.append(statement)
            do()

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert done, part
