"""The statements of a run, and the end of its backend at one of them.

For the child process of a run only: what listens here listens to the whole process for good.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, event

from alembic_fixups import scratch
from alembic_fixups.prove.job import Executed, Stop
from alembic_fixups.squash.journal import Journal

_SPACE = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_CONCURRENT = re.compile(
    rf"{_SPACE}(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\b[^;]*?)\s+CONCURRENTLY\b"
    rf"|{_SPACE}ALTER\s+TABLE\b[^;]*?\bDETACH\s+PARTITION\b[^;]*?\bCONCURRENTLY\b",
    re.IGNORECASE | re.DOTALL,
)
_PASSING = re.compile(
    rf"{_SPACE}CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+pg_temp\.", re.IGNORECASE
)
_SECONDS_TO_WAIT = 5
"""For a statement to get to where it waits; one that does not has ended by itself."""

_WAITS = """
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_locks
     WHERE pid = %s AND locktype = 'virtualxid' AND NOT granted)
"""


class Statements:
    """Keeps the statements of the revision that runs, and ends the backend at one of them.

    Args:
        url: the database.
        journal: knows whether a revision runs.
        stop: where to end the backend, if anywhere.

    Attributes:
        executed: the statements so far.
        stopped: whether the backend has been ended.
    """

    def __init__(self, url: URL, journal: Journal, stop: Stop | None) -> None:
        self.executed: list[Executed] = []
        self.stopped = False
        self._url = url
        self._journal = journal
        self._stop = stop

    def listen(self) -> None:
        """Begins."""
        event.listen(Engine, "before_cursor_execute", self._before)

    def _before(self, connection: Any, cursor: Any, statement: str, *unused: Any) -> None:
        if not self._journal.revision:
            return
        concurrent = _CONCURRENT.match(statement) is not None
        passing = _PASSING.match(statement) is not None
        self.executed.append(Executed(statement, concurrent, passing))
        if self._stop is None or self._stop.number != len(self.executed):
            return
        backend = _backend(connection)
        if self._stop.inside:
            self._end_inside(backend)
        else:
            with scratch.connect(self._url) as other:
                self._end(other, backend)

    def _end_inside(self, backend: int) -> None:
        """Lets it begin, holds it up by a snapshot that is older than it, and ends it there."""
        holder = scratch.connect(self._url)
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM pg_catalog.pg_class")

        def end() -> None:
            with holder, scratch.connect(self._url) as other:
                limit = time.monotonic() + _SECONDS_TO_WAIT
                while time.monotonic() < limit:
                    [(waits,)] = other.execute(_WAITS, [backend])
                    if waits:
                        self._end(other, backend)
                        return
                    time.sleep(0.01)

        threading.Thread(target=end, daemon=True).start()

    def _end(self, other: psycopg.Connection[Any], backend: int) -> None:
        # Set before, since the run goes on in its own thread once the backend is gone.
        self.stopped = True
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def _backend(connection: Any) -> int:
    """The process id of a SQLAlchemy connection's backend, whichever the driver."""
    cursor = connection.connection.dbapi_connection.cursor()
    try:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
    finally:
        cursor.close()
