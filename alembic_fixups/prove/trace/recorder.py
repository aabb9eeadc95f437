"""Hears every statement that SQLAlchemy executes, and asks the server what it does.

For the process that runs a migration only: what listens here listens to the whole process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, ExceptionContext

from alembic_fixups import scratch
from alembic_fixups.prove.trace import driver
from alembic_fixups.prove.trace import facts as server
from alembic_fixups.prove.trace.facts import Facts
from alembic_fixups.prove.trace.inside import Inside
from alembic_fixups.prove.trace.ledger import Draft, Ledger, from_zero
from alembic_fixups.prove.trace.model import QUERIES, Statement, Trace
from alembic_fixups.prove.trace.observer import Observer, Seen
from alembic_fixups.prove.trace.text import Look, first_words, look

_KEY = "alembic_fixups_trace"
_INSTALLED: LiteralString = "SELECT to_regclass('alembic_fixups_trace.point') IS NOT NULL"
_LAST = "SELECT coalesce(max(id), 0) FROM alembic_fixups_trace.point WHERE pid = pg_backend_pid()"
_READING = frozenset({"SELECT", "SHOW", "WITH", "TABLE", "VALUES"})
_UNDOING = frozenset({"ROLLBACK", "ABORT"})

_NOT_INSTALLED = (
    "The role is not a superuser of the scratch server, so nothing is known of the statements "
    "inside of DO blocks and functions."
)
_UNHEARD = "Statements were executed past SQLAlchemy, with a cursor of the driver's own."


@dataclass
class _Running:
    """A statement that is being executed."""

    draft: Draft
    look: Look
    before: Facts | None = None
    wrapped: bool = False
    alone: bool = False
    observer: Observer | None = None
    since: float = 0.0
    began: float = 0.0


class Recorder:
    """Records what a migration does, statement by statement.

    Statements that look at nothing but the catalog are left out, and those that only Alembic's
    version table is touched by.

    Args:
        url: the scratch database, with its password; :func:`install` has prepared it.
        version_table: the name of Alembic's version table, without its schema.
    """

    def __init__(self, url: URL, version_table: str = "alembic_version") -> None:
        self._url = url
        self._version_table = version_table
        self._drafts: list[list[Draft]] = []
        self._last: dict[int, int] = {}
        self._pids: dict[int, int] = {}
        self._missing: dict[str, None] = {}
        self._together: dict[int, list[Draft]] = {}
        self._stale = False
        self._offset = 0.0
        # Milliseconds that went into looking; all times are told without.
        self._pause = 0.0
        self._events: list[tuple[str, Callable[..., None]]] = [
            ("before_cursor_execute", self._before),
            ("after_cursor_execute", self._after),
            ("handle_error", self._failed),
            ("commit", self._ended),
            ("rollback", self._rolled_back),
        ]
        with scratch.connect(url) as connection:
            [(self._installed,)] = connection.execute(_INSTALLED)

            def run(query: str) -> list[tuple[Any, ...]]:
                return connection.execute(query.encode()).fetchall()

            self._ledger = Ledger(server.relations(run))
        if not self._installed:
            self._missing[_NOT_INSTALLED] = None

    def listen(self) -> None:
        """Hears of all statements, of all engines, from here on."""
        for name, heard in self._events:
            event.listen(Engine, name, heard)

    def stop(self) -> None:
        """Hears of no more."""
        for name, heard in self._events:
            event.remove(Engine, name, heard)

    def trace(self) -> Trace:
        """What was recorded so far."""
        for pid in self._pids.values():
            self._ledger.end(pid, self._now())
        statements: list[Statement] = []
        for drafts in self._together.values():
            _join(drafts)
        for top, *inner in self._drafts:
            place = len(statements)
            own = [self._ledger.statement(top, None)]
            own += [self._ledger.statement(one, place) for one in inner]
            own = [one for one in own if one.text != QUERIES or one.locks or one.effects]
            if kept := self._kept(own):
                statements += kept
        return Trace(tuple(statements), not self._missing, " ".join(self._missing))

    def _kept(self, statements: list[Statement]) -> list[Statement]:
        """The statements without what is Alembic's; none where nothing is left."""
        suffixes = (f".{self._version_table}", f'."{self._version_table}"')
        touched = {lock.relation for one in statements for lock in one.locks}
        touched |= {effect.relation for one in statements for effect in one.effects}
        theirs = {name for name in touched if not name.endswith(suffixes)}
        reads = first_words(statements[0].text, 1) in _READING
        if (touched and not theirs) or (reads and not touched and len(statements) == 1):
            return []
        return statements

    def _before(
        self,
        connection: Connection,
        _cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        _executemany: bool,
    ) -> None:
        entered = time.perf_counter()
        text = driver.sent(connection, statement, parameters, context)
        seen = look(text)
        draft = Draft(text.strip(), seen.comment, block=not driver.is_autocommit(connection))
        running = connection.info[_KEY] = _Running(draft, seen)
        if not seen.passing:
            # In a transaction that has failed nothing can be asked, and nothing is done.
            with suppress(connection.dialect.loaded_dbapi.Error):
                self._prepare(connection, running)
        running.began = time.perf_counter()
        self._pause += (running.began - entered) * 1000
        running.since = self._now()

    def _prepare(self, connection: Connection, running: _Running) -> None:
        run = driver.runner(connection)
        alone = False
        if driver.is_autocommit(connection):
            running.draft.block = server.in_block(run)
            alone = running.look.alone and not running.draft.block
            running.wrapped = not alone and not running.draft.block
            if running.wrapped:
                driver.execute(connection, "BEGIN")
        if self._stale:
            self._ledger.undone(server.relations(run))
            self._stale = False
        before = server.look(run, flushed=alone)
        sent = time.time()
        self._offset = server.clock(run) - (sent + time.time()) / 2 * 1000
        before = before.earlier(self._pause)
        self._pids[driver.key(connection)] = before.pid
        if self._installed:
            [(last,)] = run(_LAST)
            if last > self._last.setdefault(before.pid, last):
                self._missing[_UNHEARD] = None
                self._last[before.pid] = last
        # What was counted before has been reported, so a statement by itself begins at zero.
        self._ledger.begin(from_zero(before, before) if alone else before)
        running.before = before
        running.alone = alone
        if alone:
            try:
                running.observer = Observer(self._url, before.pid, _hold(running))
            except (scratch.ScratchError, psycopg.Error) as error:
                self._missing[f"Locks were not seen: {error}"] = None

    def _after(
        self,
        connection: Connection,
        _cursor: Any,
        _statement: str,
        parameters: Any,
        _context: Any,
        executemany: bool,
    ) -> None:
        ended = time.perf_counter()
        running: _Running | None = connection.info.pop(_KEY, None)
        if running is None:
            return
        draft = running.draft
        draft.ran((ended - running.began) * 1000)
        if executemany:
            draft.times = len(parameters)
        if first_words(draft.text, 1) in _UNDOING:
            self._stale = True
        found = [draft]
        if running.before is not None:
            found += self._read(connection, running, running.before)
        if running.wrapped:
            driver.execute(connection, "COMMIT")
        self._drafts.append(found)
        if not driver.is_autocommit(connection):
            self._together.setdefault(driver.key(connection), []).append(draft)
        self._pause += (time.perf_counter() - ended) * 1000

    def _read(self, connection: Connection, running: _Running, before: Facts) -> list[Draft]:
        """Asks what the statement has done; gives the statements inside of it."""
        run, draft = driver.runner(connection), running.draft
        alone = running.alone
        seen = running.observer.done() if running.observer else Seen()
        if seen.failure:
            self._missing[f"Locks were not seen: {seen.failure}"] = None
        after = server.look(run, flushed=alone)
        points = server.points(run, self._last[before.pid]) if self._installed else []
        if points:
            self._last[before.pid] = points[-1].number
        points, pause = server.without_pauses(points, self._pause)
        idle = seen.held_up + pause - self._pause
        draft.milliseconds = draft.longest = max(0.0, draft.milliseconds - idle)
        self._pause = pause
        after = replace(after.earlier(pause), began=running.since + draft.milliseconds)
        inside = Inside(self._ledger, draft, running.look.statements, running.since)
        inside.read(points, from_zero(before, after) if alone else after)
        if not inside.found:
            self._ledger.observe(draft, seen.locks)
        if alone:
            now = server.relations(run)
            self._ledger.files(draft, now)
            self._ledger.learn(now)
        if self._ledger.unknown:
            self._ledger.learn(server.relations(run))
        if running.wrapped:
            self._ledger.end(before.pid, running.since + draft.milliseconds)
        return inside.found

    def _failed(self, context: ExceptionContext) -> None:
        connection = context.connection
        if connection is None or context.is_disconnect:
            return
        running: _Running | None = connection.info.pop(_KEY, None)
        if running is None:
            return
        if running.observer is not None:
            running.observer.done()
        if running.wrapped:
            with suppress(connection.dialect.loaded_dbapi.Error):
                driver.execute(connection, "ROLLBACK")

    def _ended(self, connection: Connection) -> None:
        pid = self._pids.get(driver.key(connection))
        if pid is not None:
            self._ledger.end(pid, self._now())
        _join(self._together.pop(driver.key(connection), []))

    def _rolled_back(self, connection: Connection) -> None:
        self._ended(connection)
        self._stale = True

    def _now(self) -> float:
        """The server's clock, in milliseconds, without asking it, and without pauses."""
        return time.time() * 1000 + self._offset - self._pause


def _hold(running: _Running) -> LiteralString | None:
    """The mode of lock that a statement waits for, wherever it is held; None where for none."""
    if first_words(running.draft.text, 1) in ("DO", "CALL"):
        return None
    return "SHARE UPDATE EXCLUSIVE" if running.look.vacuum else "ACCESS SHARE"


def _join(drafts: list[Draft]) -> None:
    """What only sets something has the number of the transaction that it ran in too."""
    numbers = {number: None for draft in drafts for number in draft.transactions}
    for draft in drafts:
        draft.transactions = draft.transactions or numbers
