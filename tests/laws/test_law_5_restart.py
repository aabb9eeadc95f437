"""Stopped at any statement and run again, a migration ends where an undisturbed run ends.

The backend is really ended, from a second connection, at each statement boundary in turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from alembic_fixups import scratch
from tests.laws import snapshot
from tests.laws.conftest import Prepared
from tests.projects import Project

_DEFINING = re.compile(r"^\s*CREATE OR REPLACE (FUNCTION|PROCEDURE) pg_temp\.", re.MULTILINE)


class Stopper:
    """Counts the statements of a run and ends its backend before one of them.

    What defines a function that is gone with the session leaves nothing, and does not count.
    """

    def __init__(self, url: Any, stop_at: int | None) -> None:
        self.url = url
        self.stop_at = stop_at
        self.seen = 0

    def before(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if _DEFINING.search(statement) is not None:
            return
        self.seen += 1
        if self.seen == self.stop_at:
            with scratch.connect(self.url) as other:
                other.execute(
                    "SELECT pg_terminate_backend(%s, 5000)", [cursor.connection.info.backend_pid]
                )


@contextmanager
def stopping(project: Project, stop_at: int | None) -> Iterator[Stopper]:
    """Ends the backend of what runs inside before its statement number *stop_at*."""
    stopper = Stopper(project.url, stop_at)
    event.listen(Engine, "before_cursor_execute", stopper.before)
    try:
        yield stopper
    finally:
        event.remove(Engine, "before_cursor_execute", stopper.before)


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_law_5_a_run_that_was_stopped_can_be_run_again(
    prepared: Prepared,
    server: scratch.Server,
    copies: Callable[[Project], Iterator[Project]],
    direction: str,
) -> None:
    project = prepared.project
    target = "head" if direction == "upgrade" else "base"
    if direction == "downgrade":
        project.upgrade()

    def run(copy: Project) -> None:
        (copy.upgrade if direction == "upgrade" else copy.downgrade)(target)

    undisturbed = next(copies_of := copies(project))
    with stopping(undisturbed, None) as counter:
        run(undisturbed)
    expected = _comparable(snapshot.both(server, undisturbed.url))
    copies_of.close()  # type: ignore[attr-defined]

    assert counter.seen > 3
    for number in range(1, counter.seen + 1):
        copy = next(copies_of := copies(project))
        with stopping(copy, number), pytest.raises(SQLAlchemyError):
            run(copy)
        run(copy)
        found = _comparable(snapshot.both(server, copy.url))
        assert found == expected, f"stopped before statement {number} of {counter.seen}"
        copies_of.close()  # type: ignore[attr-defined]


def test_law_5_what_was_half_done_is_done_over(prepared: Prepared, server: scratch.Server) -> None:
    """CREATE INDEX CONCURRENTLY, cut short by the server itself, leaves an INVALID index."""
    project = prepared.project
    steps = prepared.source.split("def upgrade")[1].split("def downgrade")[0]
    # Under "auto" a table as small as these is written anew in place.
    built = re.search("CREATE (UNIQUE )?INDEX CONCURRENTLY", steps)
    by_successor = built is not None and "-- A small table" not in steps
    # While a column waits for vectors, its indexes do too.
    by_query = "execute_each" in steps and "fixup_begin_job" not in steps
    if not by_successor and not by_query:
        pytest.skip("the migration of this case builds no index")
    with scratch.connect(project.url) as holder:
        # An old snapshot that the index has to wait for, until its own statement_timeout.
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM pg_class")
        with pytest.raises(SQLAlchemyError, match="statement timeout"):
            project.upgrade(session=["SET statement_timeout = '1s'"])
        holder.execute("ROLLBACK")
    with scratch.connect(project.url) as look:
        assert _invalid(look) > 0
    project.upgrade()
    with scratch.connect(project.url) as look:
        assert _invalid(look) == 0
    assert project.is_converged(configure={"include_schemas": True})


def _invalid(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
    assert row is not None
    return int(row[0])


def _comparable(taken: tuple[str, list[str]]) -> tuple[str, list[str]]:
    from tests.laws.test_laws import _without_times

    return taken[0], _without_times(taken[1])
