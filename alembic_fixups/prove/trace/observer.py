"""Another session that looks at the locks of one that cannot be asked while it holds them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from alembic_fixups import scratch

_WAITS: LiteralString = "SELECT %(holder)s = ANY (pg_blocking_pids(%(pid)s))"
_LOCKS: LiteralString = """
SELECT relation::bigint, mode
  FROM pg_catalog.pg_locks
 WHERE pid = %(pid)s AND locktype = 'relation' AND relation >= 16384::oid
   AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""
_TABLES: LiteralString = """
SELECT namespace.nspname, relation.relname
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.oid >= 16384::oid AND relation.relkind IN ('r', 'p')
   AND relation.relpersistence <> 't'
   AND namespace.nspname NOT IN ('pg_toast', 'alembic_fixups_trace')
"""
_BEGIN: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ"

_PATIENT: LiteralString = "3s"
"""An autovacuum may be at the table, which gives way after deadlock_timeout, a second."""
_IMPATIENT: LiteralString = "20ms"
"""Meanwhile the session waits, maybe for a lock that this one would queue behind."""

_PAUSE, _LONG_PAUSE = 0.001, 0.01
_PATIENCE = 2.0
"""Seconds in which it looks often: what takes longer can be seen at less cost."""


@dataclass(frozen=True)
class Seen:
    """What an observer has seen.

    Attributes:
        locks: relation and mode, as pg_locks writes it; held or waited for.
        held_up: for how long it let the session wait, in milliseconds.
        failure: why there may be more, "" where nothing went wrong.
    """

    locks: frozenset[tuple[int, str]] = frozenset()
    held_up: float = 0.0
    failure: str = ""


class Observer:
    """Looks at a session's locks until it is told that its statement is done.

    What builds or drops an index CONCURRENTLY commits on its way and keeps locks for the session;
    it waits for older snapshots and for other sessions' locks on the table (manual, CREATE INDEX,
    Building Indexes Concurrently). So both are held here until it is seen waiting, and once more
    until it waits again: DETACH PARTITION CONCURRENTLY has no locks yet where it waits first.

    Args:
        url: the database.
        pid: the server process of the session.
        hold: the mode of lock that makes it wait, None for a statement that need not wait.

    Raises:
        ScratchError: there is no connection to be had.
        psycopg.Error: the tables cannot be locked.
    """

    def __init__(self, url: URL, pid: int, hold: LiteralString | None) -> None:
        self._url = url
        self._pid = pid
        self._hold = hold
        self._done = threading.Event()
        self._locks: set[tuple[int, str]] = set()
        self._held_up = 0.0
        self._failure = ""
        self._holder = None if hold is None else _held(url, hold, _PATIENT)
        self._eyes = scratch.connect(url)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def done(self) -> Seen:
        """Ends it, when the statement is done; gives what was seen."""
        self._done.set()
        self._thread.join()
        return Seen(frozenset(self._locks), self._held_up, self._failure)

    def _watch(self) -> None:
        began = time.monotonic()
        again = self._hold
        try:
            while not self._done.is_set():
                looked = time.monotonic()
                if self._look():
                    second = None if again is None else _held(self._url, again, _IMPATIENT)
                    again = None
                    self._let_go()
                    self._holder = second
                    self._held_up += (time.monotonic() - looked) * 1000
                is_new = time.monotonic() - began < _PATIENCE
                self._done.wait(_PAUSE if is_new else _LONG_PAUSE)
        except (psycopg.Error, scratch.ScratchError) as error:
            self._failure = str(error).strip()
        finally:
            # Whatever happens here, nothing goes on waiting for it.
            self._let_go()
            self._eyes.close()

    def _look(self) -> bool:
        """Notes the locks, also those that it waits for; says whether it waits for the holder."""
        waits = False
        # Asked first: what waits now has the same locks still when they are looked at.
        if self._holder is not None:
            parameters = {"pid": self._pid, "holder": self._holder.info.backend_pid}
            [(waits,)] = self._eyes.execute(_WAITS, parameters, prepare=True)
        self._locks.update(self._eyes.execute(_LOCKS, {"pid": self._pid}, prepare=True))
        return waits

    def _let_go(self) -> None:
        if self._holder is not None:
            with suppress(psycopg.Error):
                self._holder.close()
            self._holder = None


def _held(url: URL, mode: LiteralString, timeout: LiteralString) -> psycopg.Connection[Any]:
    """A session with a snapshot and a lock on each table."""
    holder = scratch.connect(url)
    holder.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(timeout)))
    tables = [sql.Identifier(*name) for name in holder.execute(_TABLES)]
    lock = sql.SQL("LOCK TABLE ONLY {} IN {} MODE").format(
        sql.SQL(", ONLY ").join(tables), sql.SQL(mode)
    )
    holder.execute(_BEGIN)
    try:
        if tables:
            holder.execute(lock)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
        # The snapshot alone makes the most of them wait.
        holder.execute("ROLLBACK")
        holder.execute(_BEGIN)
    holder.execute("SELECT FROM pg_catalog.pg_class LIMIT 1")
    return holder
