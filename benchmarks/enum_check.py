"""How long a writer waits while an enum column becomes a VARCHAR with a CHECK.

    python -m benchmarks.enum_check --rows 5000000

One table, a steady load of pgbench (updates and inserts, each its own transaction), and the same
change three ways: what stock Alembic's ``alter_column`` does, and the fixup's "rewrite" and
"online". The longest wait is that of a client, by its own clock (``pgbench --log``), between the
first and the last statement of the migration. Numbers of one run only compare with each other.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.projects import Project

MODELS = """
metadata = MetaData()
Table("orders", metadata, Column("id", BigInteger, primary_key=True),
      Column("status", Enum("new", "paid", "sent", "closed", name="status"), nullable=False,
             server_default="new"),
      Column("amount", Integer, nullable=False), Column("note", String(200)),
      Index("ix_orders_status", "status"))
"""

ROWS = """
INSERT INTO orders (status, amount, note)
  SELECT (ARRAY['new', 'paid', 'sent', 'closed'])[1 + n % 4]::status, n, repeat('x', 40)
    FROM generate_series(1, {rows}) AS n;
VACUUM ANALYZE orders;
CHECKPOINT;
"""

LOAD = r"""
\set id random(1, {rows})
UPDATE orders SET amount = amount + 1, status = 'paid' WHERE id = :id;
INSERT INTO orders (amount, note) VALUES (:id, 'y');
"""

STOCK = """
    op.alter_column("orders", "status", server_default=None)
    op.alter_column(
        "orders", "status", type_=sa.String(63), postgresql_using="status::text",
        existing_nullable=False,
    )
    op.alter_column("orders", "status", server_default="new")
    op.create_check_constraint(
        "ck_orders_status", "orders", "status IN ('new', 'paid', 'sent', 'closed')"
    )
"""


@dataclass(frozen=True)
class Result:
    """One way of changing the column.

    Attributes:
        way: how.
        seconds: how long the migration took.
        longest: the longest transaction of a client meanwhile, in seconds.
        transactions: how many there were in a second.
    """

    way: str
    seconds: float
    longest: float
    transactions: float


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--postgres", type=int, default=16, choices=(16, 18))
    chosen = parser.parse_args()
    console = Console()
    results = []
    with scratch.embedded(chosen.postgres) as server, scratch.database(server) as template:
        with console.status(f"{chosen.rows:,} rows"):
            _fill(template, chosen.rows)
        for way in ("no migration", "stock alter_column", "rewrite", "online"):
            assert template.database is not None
            with (
                console.status(way),
                scratch.database(server, template=template.database) as url,
                tempfile.TemporaryDirectory() as folder,
            ):
                results.append(_measure(way, url, server, Path(folder), chosen))
    table = Table("way", "migration, s", "longest wait of a writer, s", "transactions a second")
    for result in results:
        table.add_row(
            result.way,
            f"{result.seconds:.1f}",
            f"{result.longest:.3f}",
            f"{result.transactions:.0f}",
        )
    console.print(table)


def _fill(url: URL, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Project.make(Path(folder) / "project", url, MODELS, "").create_all()
    with scratch.connect(url) as connection:
        for statement in ROWS.format(rows=rows).strip().split(";\n"):
            connection.execute(statement.rstrip(";"))  # type: ignore[arg-type]


def _measure(
    way: str, url: URL, server: scratch.Server, folder: Path, chosen: argparse.Namespace
) -> Result:
    project = _project(way, url, folder)
    with _load(url, server, folder, chosen) as log:
        time.sleep(3)
        begin = time.time()
        if project is None:
            time.sleep(10)
        else:
            project.upgrade()
        end = time.time()
        time.sleep(2)
    waits = [
        microseconds / 1e6
        for microseconds, at in _transactions(log)
        # The one that waited ends after the migration has let go.
        if at >= begin and at - microseconds / 1e6 <= end
    ]
    return Result(way, end - begin, max(waits), len(waits) / (end - begin))


def _project(way: str, url: URL, folder: Path) -> Project | None:
    if way == "no migration":
        return None
    settings = (
        "" if way.startswith("stock") else f"[tool.alembic-fixups.enum-check]\nstrategy = '{way}'"
    )
    project = Project.make(folder / "project", url, MODELS, settings)
    if settings:
        project.autogenerate()
        return project
    source = project.autogenerate()
    path = next((folder / "project" / "migrations" / "versions").glob("*.py"))
    path.write_text(source.replace("def upgrade() -> None:", f"def upgrade() -> None:{STOCK}", 1))
    return project


@contextmanager
def _load(
    url: URL, server: scratch.Server, folder: Path, chosen: argparse.Namespace
) -> Iterator[Path]:
    script = folder / "load.sql"
    script.write_text(textwrap.dedent(LOAD.format(rows=chosen.rows)))
    assert server.bindir is not None
    running = subprocess.Popen(
        [
            str(server.bindir / "pgbench"),
            "--no-vacuum",
            f"--client={chosen.clients}",
            "--time=36000",
            "--rate=300",
            f"--file={script}",
            "--log",
            f"--log-prefix={folder / 'log'}",
            url.set(drivername="postgresql").render_as_string(hide_password=False),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield folder
    finally:
        running.terminate()
        running.wait()


def _transactions(folder: Path) -> Iterator[tuple[int, float]]:
    """How long each took, in microseconds, and when it ended (pgbench, Per-Transaction Logging)."""
    for path in folder.glob("log.*"):
        for line in path.read_text().splitlines():
            fields = line.split()
            if len(fields) >= 7:
                # With --rate the time counts from when it was due; the lag behind that is field 7.
                yield int(fields[2]) - int(fields[6]), int(fields[4]) + int(fields[5]) / 1e6


if __name__ == "__main__":
    main()
