"""Filling one column: passes over its rows, then what there is to do at the end."""

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
from alembic_fixups.reembed.work import OUTAGE, PASSES, Outage, Passes, Pool, Tally, closing

_LOCK = 0x66697875
"""First half of the advisory lock's key; the second is the OID of the job's table."""

_ROUNDS = 5
"""How often it is begun again because rows came up that are to be done, while it was finished."""


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
        message: why it is not, where that is no limit.
        code: the exit code that this comes to.
    """

    column: str
    done: int = 0
    failed: list[FailedRow] = field(default_factory=list)
    left: int | None = None
    complete: bool = False
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
    with locked(plan, options) as main:
        if plan.column.job not in jobs(main):  # a run that has just ended was faster
            outcome.left, outcome.complete = 0, True
            return
        filling = _Filling(plan, options, progress, outcome, main)
        try:
            filling.run()
        except Outage as error:
            outcome.message = (
                f"{OUTAGE} batches in a row failed entirely; the last error: {error}. Run it again "
                "when that is put right: it goes on where it stopped."
            )
        except psycopg.Error as error:
            outcome.message = f"the database: {said(error)}. Run it again: it goes on from there."
        finally:
            filling.report()


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
                if not passes.run():
                    if self.options.limit is None or self.tally.taken < self.options.limit:
                        self.outcome.message = (
                            f"after {PASSES} passes there are still rows whose text has changed "
                            "meanwhile: they change faster than they are embedded"
                        )
                    return
                if self.tally.failed or self._finished() or self.outcome.message:
                    return
            self.outcome.message = "rows without a vector keep coming; run it again"
        except KeyboardInterrupt:
            self.progress.say("stopping: batches in work are finished (Ctrl-C again to leave)")
            raise
        finally:
            if not self.outcome.complete and not self.column.not_null:
                with suppress(psycopg.Error):
                    finish.release(self.main, self.column)

    def _finished(self) -> bool:
        """Does what there is to do at the end; gives whether no row came up meanwhile."""
        main, column = self.main, self.column
        if column.job.not_null:
            if self._has_empty():
                return False
            finish.require(main, column)
            try:
                finish.make_not_null(main, column)
            except finish.StillEmpty:
                return False
        finish.build_indexes(main, column, self.progress.say)
        finish.analyze(main, column)
        if self.reader.left(main):
            return False
        finish.drop_job(main, column)
        self.outcome.complete = True
        return True

    def _has_empty(self) -> bool:
        """Whether rows have no vector; says so where the source has no text for them."""
        count, keys = self.reader.empty(self.main)
        if count and not self.reader.left(self.main):
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
                outcome.left = self.reader.left(self.main)
        if outcome.failed or outcome.message:
            outcome.code = 1
