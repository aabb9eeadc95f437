"""Statements run as a migration runs them, and the trace of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from alembic_fixups import scratch
from alembic_fixups.prove.trace import Lock, Recorder, Statement, Trace, install


def prepared(url: URL, setup: str) -> None:
    """Makes what was there before, and what a trace needs."""
    with scratch.connect(url) as connection:
        connection.execute(setup.encode())
        assert install(connection)


def traced(
    url: URL,
    statements: Sequence[str],
    *,
    autocommit: bool = False,
    driver: str = "psycopg",
    recorder: Recorder | None = None,
) -> Trace:
    """The trace of statements that are executed one after the other over one connection."""

    def run(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))
        if not autocommit:
            connection.commit()

    return recorded(url, run, autocommit=autocommit, driver=driver, recorder=recorder)


def recorded(
    url: URL,
    run: Callable[[Connection], None],
    *,
    autocommit: bool = False,
    driver: str = "psycopg",
    recorder: Recorder | None = None,
) -> Trace:
    """The trace of what *run* does with a connection."""
    options = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
    driven = url.set(drivername=f"postgresql+{driver}")
    recorder = recorder or Recorder(url)
    recorder.listen()
    try:
        if driver == "asyncpg":
            asyncio.run(_run_async(driven, run, options))
        else:
            engine = create_engine(driven, poolclass=NullPool, **options)
            with engine.connect() as connection:
                run(connection)
    finally:
        recorder.stop()
    # As it comes from the process that runs a migration.
    return Trace.of(recorder.trace().document())


async def _run_async(url: URL, run: Callable[[Connection], None], options: dict[str, str]) -> None:
    engine = create_async_engine(url, poolclass=NullPool, **options)
    async with engine.connect() as connection:
        await connection.run_sync(run)


def locks(statement: Statement) -> dict[str, str]:
    """The locks that a statement takes, without those on what the migration makes."""
    return {
        lock.relation: lock.mode for lock in statement.locks if not lock.new and not lock.already
    }


def lock(statement: Statement, relation: str) -> Lock:
    """Its lock on a relation."""
    [found] = [lock for lock in statement.locks if lock.relation == relation]
    return found


def effects(statement: Statement) -> dict[str, str]:
    """What a statement does: scans with the rows read, "rewritten", and rows changed."""
    found = {}
    for effect in statement.effects:
        words = [f"scan {effect.read}"] if effect.scanned else []
        words += ["rewritten"] if effect.rewritten else []
        words += [
            f"{name} {number}"
            for name in ("inserted", "updated", "deleted")
            if (number := getattr(effect, name))
        ]
        found[effect.relation] = ", ".join(words)
    return found


def inside(trace: Trace, place: int) -> list[Statement]:
    """The statements inside of one."""
    return [one for one in trace.statements if one.parent == place]
