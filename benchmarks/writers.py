"""How long a writer waits while a migration runs: a steady load of pgbench, by the clients' clocks.

Shared by the benchmarks. The longest wait is that of a client's transaction (``pgbench --log``)
between the first and the last statement of the migration.
"""

from __future__ import annotations

import subprocess
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import URL

from alembic_fixups import scratch


@dataclass(frozen=True)
class Load:
    """What the writers do meanwhile.

    Attributes:
        server: where the database is, with its pgbench.
        script: of pgbench; every statement has to work before and after the migration.
        clients: how many there are.
    """

    server: scratch.Server
    script: str
    clients: int


@dataclass(frozen=True)
class Result:
    """One way of changing a table.

    Attributes:
        way: how.
        seconds: how long the migration took.
        longest: the longest transaction of a client meanwhile, in seconds.
        transactions: how many there were in a second.
        failed: how many of them PostgreSQL cancelled, to end a deadlock.
    """

    way: str
    seconds: float
    longest: float
    transactions: float
    failed: int


def measure(
    way: str, url: URL, load: Load, folder: Path, migration: Callable[[], object] | None
) -> Result:
    """Runs a migration under the load; without one, looks at the load alone for ten seconds.

    Takes an empty folder for pgbench's files. Raises RuntimeError where a client has stopped:
    then nobody was there to wait.
    """
    with _running(url, load, folder):
        time.sleep(3)
        begin = time.time()
        if migration is None:
            time.sleep(10)
        else:
            migration()
        end = time.time()
        time.sleep(2)
    said = (folder / "stderr").read_text()
    if "aborted" in said:
        raise RuntimeError(f"{way}: a client of pgbench stopped:\n{said}")
    waits = [
        microseconds / 1e6
        for microseconds, at in _transactions(folder)
        # The one that waited ends after the migration has let go.
        if microseconds is not None and at >= begin and at - microseconds / 1e6 <= end
    ]
    failed = sum(microseconds is None for microseconds, _ in _transactions(folder))
    return Result(way, end - begin, max(waits), len(waits) / (end - begin), failed)


def show(results: Iterable[Result], console: Console) -> None:
    """Prints a table."""
    table = Table(
        "way", "migration, s", "longest wait of a writer, s", "transactions a second", "failed"
    )
    for result in results:
        table.add_row(
            result.way,
            f"{result.seconds:.1f}",
            f"{result.longest:.3f}",
            f"{result.transactions:.0f}",
            str(result.failed),
        )
    console.print(table)


@contextmanager
def _running(url: URL, load: Load, folder: Path) -> Iterator[None]:
    script = folder / "load.sql"
    script.write_text(textwrap.dedent(load.script))
    assert load.server.bindir is not None
    with (folder / "stderr").open("w") as said:
        running = subprocess.Popen(
            [
                str(load.server.bindir / "pgbench"),
                "--no-vacuum",
                f"--client={load.clients}",
                "--time=36000",
                "--rate=300",
                f"--file={script}",
                "--log",
                f"--log-prefix={folder / 'log'}",
                url.set(drivername="postgresql").render_as_string(hide_password=False),
            ],
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait()


def _transactions(folder: Path) -> Iterator[tuple[int | None, float]]:
    """How long each took, in microseconds, and when it ended (pgbench, Per-Transaction Logging).

    None for one that failed.
    """
    for path in folder.glob("log.*"):
        for line in path.read_text().splitlines():
            fields = line.split()
            if fields[2:3] == ["failed"]:
                yield None, int(fields[4]) + int(fields[5]) / 1e6
            elif len(fields) >= 7:
                # With --rate the time counts from when it was due; the lag behind that is field 7.
                yield int(fields[2]) - int(fields[6]), int(fields[4]) + int(fields[5]) / 1e6
