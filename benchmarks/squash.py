"""To the head on an empty database: by the old revisions, by the snapshot, by ``psql`` of a dump.

    python -m benchmarks.squash [--tables 300] [--rounds 5] [--postgres 16]

``psql -1`` of the pg_dump of the head is the floor: the same statements, from a file, with nothing
between them and the server. Alembic's ways are timed twice: inside a process that has it loaded,
and as a command, where Python's own start is most of it. With ``--tables`` a made-up history of so
many tables takes the place of the sample project; the sample is the smaller one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.table import Table
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.squash import dump

SAMPLE = Path(__file__).parents[1] / "sample_project"

_ENV = """
import os
from alembic import context
from sqlalchemy import create_engine
engine = create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""
_REVISION = '''"""Table {number}"""
from alembic import op
import sqlalchemy as sa
revision = "r{number:05}"
down_revision = {down!r}
branch_labels = depends_on = None


def upgrade():
    op.create_table(
        "t{number}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer{parent}),
        *(sa.Column(f"c{{n}}", sa.String(50), server_default="x") for n in range(15)),
        sa.CheckConstraint("c1 <> c2", name="ck_t{number}"),
    )
    op.create_index("ix_t{number}_c1", "t{number}", ["c1"])
    op.add_column("t{number}", sa.Column("late", sa.DateTime))
    op.execute("INSERT INTO t{number} (c1, c2) VALUES ('a', 'b'), ('c', 'd')")
    op.execute("COMMENT ON TABLE t{number} IS 'number {number}'")


def downgrade():
    op.drop_table("t{number}")
'''


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, help="a made-up history in place of the sample")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", type=int, default=16)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        scratch.embedded(options.postgres) as server,
    ):
        old, new = Path(folder) / "old", Path(folder) / "new"
        if options.tables:
            _make_up(old, options.tables)
        else:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(SAMPLE, old, ignore=ignored)
        shutil.copytree(old, new)
        os.environ["DATABASE_URL"] = "postgresql://nobody@localhost/nothing"
        squash = [sys.executable, "-m", "alembic_fixups.cli", "squash", "--keep=0"]
        subprocess.run(squash, cwd=new, check=True, stdout=subprocess.DEVNULL)
        _measure(server, old, new, Path(folder) / "dump.sql", options.rounds)


def _make_up(folder: Path, tables: int) -> None:
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (folder / "migrations" / "env.py").write_text(_ENV)
    for number in range(tables):
        source = _REVISION.format(
            number=number,
            down=f"r{number - 1:05}" if number else None,
            parent=f', sa.ForeignKey("t{number - 1}.id")' if number else "",
        )
        (versions / f"r{number:05}.py").write_text(source)


def _measure(server: scratch.Server, old: Path, new: Path, file: Path, rounds: int) -> None:
    with scratch.database(server) as url:
        _upgrade(old, url)
        bindir = dump.tools(server)
        file.write_text(
            subprocess.check_output([bindir / "pg_dump"], env=dump.environment(url), text=True)
        )
    psql = [bindir / "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file]
    ways: dict[str, Callable[[URL], object]] = {
        "psql -1 (the floor)": lambda url: subprocess.run(
            psql, env=dump.environment(url), check=True, stdout=subprocess.DEVNULL
        ),
        "snapshot": lambda url: _upgrade(new, url),
        "old revisions": lambda url: _upgrade(old, url),
        "snapshot, as a command": lambda url: _command(new, url),
        "old revisions, as a command": lambda url: _command(old, url),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, go in ways.items():
            with scratch.database(server) as url:
                start = time.perf_counter()
                go(url)
                seconds[way].append(time.perf_counter() - start)
    table = Table("way", "median s", "of the floor")
    medians = {way: statistics.median(times[1:]) for way, times in seconds.items()}
    floor = next(iter(medians.values()))
    for way, median in medians.items():
        table.add_row(way, f"{median:.2f}", f"{median / floor:.2f}")
    Console().print(table)


def _environment(url: URL) -> str:
    query = url.query
    return f"postgresql://{url.username}@/{url.database}?host={query['host']}&port={query['port']}"


def _upgrade(project: Path, url: URL) -> None:
    os.environ["DATABASE_URL"] = _environment(url)
    config = Config(project / "alembic.ini")
    config.attributes["configure_logger"] = False
    command.upgrade(config, "heads")


def _command(project: Path, url: URL) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "heads"],
        cwd=project,
        check=True,
        env={**os.environ, "DATABASE_URL": _environment(url)},
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
