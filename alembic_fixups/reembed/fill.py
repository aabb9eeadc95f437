"""Filling one column: passes over its rows, then what there is to do at the end.

A table may be written to all the time, so that there is never nothing to be done. A column is
complete when passes have come to an end (`Passes.run`), NOT NULL and the indexes are there, passes
over what has changed while they were made have come to an end as well, and every row with a text
has a vector. A text that has changed since the last of these passes began is as one that changes
when the job is gone, a moment later: its vector is up to the application. How many there are is
said. A row that came without a vector meanwhile keeps the column from being complete: passes are
made again, a few times. Where the column is to be NOT NULL, no such row comes any more, since a
CHECK is added before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from sqlalchemy.engine import URL

from alembic_fixups.project import ProjectError
from alembic_fixups.reembed import finish
from alembic_fixups.reembed.column import Column, jobs
from alembic_fixups.reembed.database import Connection, connect, said, value
from alembic_fixups.reembed.embedder import Embed, Embedding, Retries, waiting_for
from alembic_fixups.reembed.progress import Progress
from alembic_fixups.reembed.rows import SAMPLES, Reader, Writer
from alembic_fixups.reembed.source import Chosen
from alembic_fixups.reembed.work import OUTAGE, Outage, Passes, Pool, Tally, closing

_LOCK = 0x66697875
"""First half of the advisory lock's key; the second is the OID of the job's table."""

_ROUNDS = 5
"""How often it is begun again because rows without a vector came while it was finished."""


@dataclass(frozen=True)
class Plan:
    """A column that is to be filled, after everything that can be checked was.

    Attributes:
        url: its database.
        column: the column.
        chosen: what the settings say of it.
        embed: the embedder.
        left: how many rows are to be done.
    """

    url: URL
    column: Column
    chosen: Chosen
    embed: Embed
    left: int


@dataclass(frozen=True)
class Options:
    """How it is run.

    Attributes:
        workers: how many threads embed and write.
        limit: the most rows that the embedder is given, None for all.
        lock_timeout: how long a statement waits for a lock.
        retries: how often the embedder is tried.
    """

    workers: int
    limit: int | None
    lock_timeout: str
    retries: Retries = field(default_factory=Retries)


@dataclass(frozen=True)
class FailedRow:
    """A row that failed: its primary key by column, and why."""

    key: dict[str, str]
    error: str


@dataclass
class Outcome:
    """What became of a column.

    Attributes:
        column: its name.
        done: rows that were embedded in this run.
        failed: the rows that failed.
        left: rows that are still to be done, None where that is not known.
        complete: whether the job is at its end.
        changed: where it is, rows whose text has changed since the last pass began; they have the
            vector of the text before.
        message: why it is not complete, where that is no limit.
        code: the exit code that this comes to.
    """

    column: str
    done: int = 0
    failed: list[FailedRow] = field(default_factory=list)
    left: int | None = None
    complete: bool = False
    changed: int = 0
    message: str | None = None
    code: int = 0


@contextmanager
def locked(plan: Plan, options: Options) -> Iterator[Connection]:
    """A connection that keeps other runs away from the column, for a ``with`` block.

    The indexes are built over it as well: a build goes on when its client is gone, and nobody may
    begin anew meanwhile.

    Raises:
        ProjectError: another run is going on.
    """
    connection = connect(plan.url, options.lock_timeout)
    with closing([connection]):
        query = "SELECT pg_try_advisory_lock($1::int, $2::bigint::bit(32)::int)"
        if not value(connection, query, [_LOCK, plan.column.store]):
            raise ProjectError(
                f"{plan.column.job.name}: another `alembic-fixups reembed` is going on for it. "
                "Wait for its end, or stop it; what it has done is kept."
            )
        yield connection


def fill(plan: Plan, options: Options, progress: Progress, outcome: Outcome) -> None:
    """Fills a column; what becomes of it is put into *outcome* as it goes.

    Raises:
        KeyboardInterrupt: somebody stopped it.
        ProjectError: it cannot be begun.
    """
    try:
        with locked(plan, options) as main:
            if plan.column.job not in jobs(main):  # a run that has just ended was faster
                outcome.left, outcome.complete = 0, True
                return
            filling = _Filling(plan, options, progress, outcome, main)
            try:
                filling.run()
            finally:
                filling.report()
    except Outage as error:
        outcome.message = (
            f"{OUTAGE} batches in a row failed entirely; the last error: {error}. Run it again "
            "when that is put right: it goes on where it stopped."
        )
    except psycopg.Error as error:
        outcome.message = f"the database: {said(error)}. Run it again: it goes on from there."
    if outcome.failed or outcome.message:
        outcome.code = 1


class _Filling:
    """One run over a column."""

    def __init__(
        self, plan: Plan, options: Options, progress: Progress, outcome: Outcome, main: Connection
    ) -> None:
        self.plan = plan
        self.column = plan.column
        self.options = options
        self.progress = progress
        self.outcome = outcome
        self.main = main
        self.reader = Reader(plan.column, plan.chosen.source)
        self.tally = Tally()

    def run(self) -> None:
        """Fills the column, and finishes where nothing is left to do."""
        lock_timeout = self.options.lock_timeout
        connections = [connect(self.plan.url, lock_timeout) for _ in range(self.options.workers)]
        pool = Pool(len(connections))
        passes = Passes(
            self.reader,
            self.main,
            pool,
            self.plan.chosen.batch,
            self.tally,
            self.options.limit,
            self.progress.advance,
        )
        with closing(connections), waiting_for(self.plan.embed) as embed:
            embedding = Embedding(embed, self.column.encoder, self.options.retries, pool.pause)
            if self.plan.left:
                finish.analyze_key(self.main, self.column)
                if not self.column.not_null:
                    finish.release(self.main, self.column)
            try:
                with (
                    self.progress.shown(),
                    pool.running(connections, embedding, Writer(self.column)),
                ):
                    self._rounds(passes)
            finally:
                passes.collect()

    def _rounds(self, passes: Passes) -> None:
        try:
            for _ in range(_ROUNDS):
                if not self._passed(passes) or self._finished(passes):
                    return
            count = self.reader.left(self.main).empty
            self.outcome.message = (
                f"rows without a vector keep coming ({count:,} since the last pass began), and it "
                "is complete once every row with a text has one. Have the application write "
                "vectors of its own, or less for a while, and run it again."
            )
        except KeyboardInterrupt:
            self.progress.say("stopping: batches in work are finished (Ctrl-C again to leave)")
            raise
        finally:
            if not self.outcome.complete and not self.column.not_null:
                with suppress(psycopg.Error):
                    finish.release(self.main, self.column)

    def _passed(self, passes: Passes) -> bool:
        """Makes passes; gives whether they left nothing behind, by a limit or failures."""
        return passes.run() and not self.tally.failed

    def _finished(self, passes: Passes) -> bool:
        """Does what there is to do at the end; gives False if rows without a vector came."""
        main, column = self.main, self.column
        if column.job.not_null:
            if self._lacks_texts():
                return True
            finish.require(main, column)
            try:
                finish.make_not_null(main, column)
            except finish.StillEmpty:
                return False
        finish.build_indexes(main, column, self.progress.say)
        finish.analyze(main, column)
        left = self.reader.left(main)
        if left.rows:
            if not self._passed(passes):
                return True
            left = self.reader.left(main)
        if left.empty:
            return False
        finish.drop_job(main, column)
        self.outcome.complete, self.outcome.changed = True, left.rows
        return True

    def _lacks_texts(self) -> bool:
        """Whether rows have no vector and no text to make one from; says so."""
        count, keys = self.reader.without_text(self.main)
        if count:
            shown = "; ".join(", ".join(key) for key in keys[:SAMPLES])
            self.outcome.message = (
                f"{count:,} rows of {self.column.job.table} have no vector and no text: source "
                f"does not give them, or gives NULL (primary keys {shown}). The column is to be "
                "NOT NULL: give them a text in source, give them vectors, or delete them, and run "
                "it again; or make the column nullable in the models, and let autogenerate and "
                "upgrade say so here."
            )
        return count > 0

    def report(self) -> None:
        """Puts what was done into the outcome."""
        outcome = self.outcome
        outcome.done = self.tally.done
        outcome.failed = [
            FailedRow(self.column.labelled(failure.row.key), failure.error)
            for failure in self.tally.failed.values()
        ]
        outcome.left = 0 if outcome.complete else None
        if not outcome.complete:
            with suppress(psycopg.Error):
                outcome.left = self.reader.left(self.main).rows
