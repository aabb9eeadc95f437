"""Passes over the rows that are to be done: one thread reads them, others embed and write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

import psycopg

from alembic_fixups.reembed.database import LOCKED, Connection, again_if_locked, said
from alembic_fixups.reembed.embedder import Embedding, Failure
from alembic_fixups.reembed.rows import Embedded, Key, Reader, Row, Writer, Written

_PASSES = 20
"""Most passes: what is left after them has changed or come since the last one began."""

OUTAGE = 5
"""Batches that fail entirely, one after the other, after which the embedder is taken for down."""

_GRACE = 30.0
"""Seconds that the batches in work are given when a run is stopped."""

_BY_ROW = ("22", "23", "44", "54", "P0")
"""Classes of SQLSTATE that say something of a row: its value, a constraint, a trigger."""

_KEPT_AWAY = "the UPDATE took no row: a trigger or rule keeps it away"
_HELD = "another transaction holds the row; run it again when that has come to its end"


class Outage(Exception):
    """Batch after batch fails; the message is the last error."""


class _Stopped(BaseException):
    """The run ends while a worker waits."""


@dataclass
class Tally:
    """What a run has done in a column.

    Attributes:
        done: rows that were embedded and written.
        taken: rows that were given to the embedder.
        failed: rows that failed, by key.
    """

    done: int = 0
    taken: int = 0
    failed: dict[Key, Failure] = field(default_factory=dict)


@dataclass(frozen=True)
class _Outcome:
    """What became of a batch.

    Attributes:
        batch: its rows.
        written: how many were written; others need nothing any more.
        failed: those that failed.
        untried: how many the next pass has to try.
    """

    batch: Sequence[Row]
    written: int
    failed: Sequence[Failure]
    untried: int = 0

    @property
    def useless(self) -> bool:
        """Whether nothing worked."""
        return len(self.failed) + self.untried == len(self.batch)


@dataclass(frozen=True)
class _Task:
    batch: Sequence[Row]
    thorough: bool


class Pool:
    """Workers, each a thread with a connection of its own."""

    def __init__(self, workers: int) -> None:
        """Takes how many there are; `running` starts them."""
        self.size = workers
        self.outstanding = 0
        self._stop = threading.Event()
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._results: SimpleQueue[_Outcome | BaseException] = SimpleQueue()

    def pause(self, seconds: float) -> None:
        """Waits, unless the run ends meanwhile."""
        if self._stop.wait(seconds):
            raise _Stopped

    @contextmanager
    def running(
        self, connections: Sequence[Connection], embedding: Embedding, writer: Writer
    ) -> Iterator[None]:
        """The workers for a ``with`` block; at its end they finish the batch that they are at."""
        threads = [
            threading.Thread(target=self._work, args=(one, embedding, writer), daemon=True)
            for one in connections
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for _ in threads:
                self._tasks.put(None)
            for thread in threads:
                thread.join(_GRACE)

    def submit(self, batch: Sequence[Row], *, thorough: bool) -> None:
        """Hands a batch over."""
        self.outstanding += 1
        self._tasks.put(_Task(batch, thorough))

    def result(self) -> _Outcome:
        """Waits for a batch to be done.

        Raises:
            BaseException: what stopped the worker.
        """
        outcome = self._results.get()
        self.outstanding -= 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def finished(self) -> Iterator[_Outcome]:
        """The batches that are done and that nobody has asked for yet."""
        with suppress(Empty):
            while True:
                outcome = self._results.get_nowait()
                if isinstance(outcome, _Outcome):
                    yield outcome

    def _work(self, connection: Connection, embedding: Embedding, writer: Writer) -> None:
        try:
            while (task := self._tasks.get()) is not None and not self._stop.is_set():
                good, failed = embedding.batch(task.batch, thorough=task.thorough)
                written, unwritten = self._write(connection, writer, good)
                untried = len(task.batch) - len(good) - len(failed)
                self._results.put(_Outcome(task.batch, written, [*failed, *unwritten], untried))
        except _Stopped:
            return
        except BaseException as error:
            self._results.put(error)

    def _write(
        self, connection: Connection, writer: Writer, batch: Sequence[Embedded]
    ) -> tuple[int, list[Failure]]:
        """Writes a batch, halved where the database does not take a row of it."""
        if not batch:
            return 0, []
        try:
            return _told(self._written(connection, writer, batch))
        except psycopg.Error as error:
            if isinstance(error, LOCKED):
                return 0, [Failure(one.row, said(error)) for one in batch]
            if not (error.sqlstate or "").startswith(_BY_ROW):
                raise
            if len(batch) == 1:
                return 0, [Failure(batch[0].row, said(error))]
        middle = len(batch) // 2
        first, failed = self._write(connection, writer, batch[:middle])
        second, more = self._write(connection, writer, batch[middle:])
        return first + second, failed + more

    def _written(
        self, connection: Connection, writer: Writer, batch: Sequence[Embedded]
    ) -> Written:
        try:
            written: Written = again_if_locked(
                lambda: writer.write(connection, batch), pause=self.pause
            )
        except LOCKED:
            # The others need not wait for those that somebody holds on to.
            written = writer.write(connection, batch, waits=False)
        return written


def _told(written: Written) -> tuple[int, list[Failure]]:
    """How many rows were written, and why others were not."""
    failed = [Failure(row, _KEPT_AWAY) for row in written.away]
    return written.count, failed + [Failure(row, _HELD) for row in written.locked]


@dataclass
class Passes:
    """Passes over a column until nothing is to be done, or only what has changed meanwhile.

    Attributes:
        reader: what is to be done.
        connection: what it is read by.
        pool: the workers.
        size: rows in a batch.
        tally: what has been done, also by earlier passes.
        limit: the most rows that the embedder is given, None for all.
        advance: is told how many rows are done or have failed since.
    """

    reader: Reader
    connection: Connection
    pool: Pool
    size: int
    tally: Tally
    limit: int | None
    advance: Callable[[int], Any]
    _useless: int = 0

    def run(self) -> bool:
        """Makes passes; gives whether they came to their end, which a limit may keep them from.

        Each finds what has changed or come since the one before began. The last one is that which
        finds nothing; or, on a table that is written to all the time, that which finds no less
        than the one before. What is to be done after it has changed or come since it began, or has
        failed.

        Raises:
            Outage: batch after batch failed.
        """
        before = 0
        for number in range(_PASSES):
            if self._room == 0:
                return self.reader.left(self.connection).rows == 0
            found = self._run_one(thorough=number > 0)
            if found == 0 or (number > 1 and found >= before):
                break
            before = found
        return self._room != 0 or self.reader.left(self.connection).rows == 0

    def collect(self) -> None:
        """Counts what the workers still finished after the run was stopped."""
        for outcome in self.pool.finished():
            self._count(outcome)

    @property
    def _room(self) -> int | None:
        """How many more rows the embedder may be given."""
        return None if self.limit is None else max(self.limit - self.tally.taken, 0)

    def _run_one(self, *, thorough: bool) -> int:
        """Makes a pass; gives how many rows there were to do."""
        count = 0
        for found in self.reader.batches(self.connection, self.size):
            # A row that failed is not tried again unless its text has changed.
            batch = [row for row in found if not self._has_failed(row)][: self._room]
            if batch:
                count += len(batch)
                self.tally.taken += len(batch)
                self.pool.submit(batch, thorough=thorough)
            while self.pool.outstanding >= 2 * self.pool.size:
                self._take()
            if self._room == 0:
                break
        while self.pool.outstanding:
            self._take()
        return count

    def _has_failed(self, row: Row) -> bool:
        failure = self.tally.failed.get(row.key)
        return failure is not None and failure.row.digest == row.digest

    def _take(self) -> None:
        outcome = self.pool.result()
        self._count(outcome)
        self.advance(len(outcome.batch) - outcome.untried)
        self._useless = self._useless + 1 if outcome.useless else 0
        if self._useless >= OUTAGE:
            raise Outage(outcome.failed[-1].error)

    def _count(self, outcome: _Outcome) -> None:
        for row in outcome.batch:
            self.tally.failed.pop(row.key, None)
        self.tally.failed |= {failure.row.key: failure for failure in outcome.failed}
        self.tally.done += outcome.written


@contextmanager
def closing(connections: Sequence[Connection]) -> Iterator[None]:
    """Closes connections at the end of a ``with`` block, whatever state they are in."""
    try:
        yield
    finally:
        for connection in connections:
            with suppress(psycopg.Error):
                connection.close()
