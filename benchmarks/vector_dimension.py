"""Vectors that get another dimension: how long a writer waits, and how fast new ones are written.

    python -m benchmarks.vector_dimension writers --rows 200000
    python -m benchmarks.vector_dimension reembed --rows 50000

``writers``: one table with an ivfflat index and a steady load of pgbench (updates and inserts of
vectors, each its own transaction), and the same change of dimension several ways: ALTER ... USING
NULL as it is written by hand, which throws the vectors away, and the fixup's ``data = "archive"``,
which keeps them, with each strategy.

``reembed``: ``alembic-fixups reembed`` as a command of its own, from its start to its end, with an
embedder that has its vectors ready, against a COPY of the same vectors into the same columns.

Numbers of one run only compare with each other.
"""

from __future__ import annotations

import argparse
import json
import runpy
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.reembed.wire import encoder
from benchmarks import writers
from tests.projects import Project

MODELS = """
from pgvector.sqlalchemy import VECTOR
metadata = MetaData()
event.listen(metadata, "before_create", DDL("CREATE EXTENSION IF NOT EXISTS vector"))
Table("docs", metadata, Column("id", BigInteger, primary_key=True), Column("body", Text),
      Column("views", Integer, nullable=False, server_default="0"),
      Column("embedding", VECTOR({dimensions})){index})
"""

INDEX = """,
      Index("docs_embedding", "embedding", postgresql_using="ivfflat",
            postgresql_with={"lists": 10}, postgresql_ops={"embedding": "vector_l2_ops"})"""

# Every vector is the sum of two of a few: numbers at random for each would take minutes.
VECTORS = """
CREATE TEMPORARY TABLE part AS
  SELECT i, (SELECT array_agg(random() + 0 * (i + n))
               FROM generate_series(1, {dimensions}) AS n)::vector AS vector
    FROM generate_series(1, ceil(sqrt({rows}))::integer) AS i;
INSERT INTO docs (body, embedding)
  SELECT 'text ' || row_number() OVER (), one.vector + other.vector
    FROM part AS one, part AS other LIMIT {rows};
VACUUM ANALYZE docs;
CHECKPOINT;
"""

LOAD = r"""
\set id random(1, {rows})
UPDATE docs SET views = views + 1, embedding = embedding WHERE id = :id;
INSERT INTO docs (body, embedding) SELECT 'y', embedding FROM docs WHERE id = :id;
"""

WAYS = ("no migration", "USING NULL", "auto", "rewrite", "online")
"""Without one, by hand, and the strategies of the fixup."""

TEXTS = """
INSERT INTO docs (body) SELECT n::text FROM generate_series(1, {rows}) AS n;
VACUUM ANALYZE docs;
CHECKPOINT;
"""

EMBEDDER = """
import random
from array import array

random.seed(1)
LISTS = [[random.uniform(-1, 1) for _ in range({dimensions})] for _ in range(500)]
ARRAYS = [array("f", vector) for vector in LISTS]


def lists(texts):
    return [LISTS[int(text) % 500] for text in texts]


def arrays(texts):
    return [ARRAYS[int(text) % 500] for text in texts]
"""

REEMBED = """
[tool.alembic-fixups.vector-dimension.columns."public.docs.embedding"]
data = "reembed"
source = "SELECT id, body FROM public.docs"
embedder = "null_embedder:{function}"
batch = {batch}
"""


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for function, rows, dimensions in ((_writers, 200_000, 1536), (_reembed, 50_000, 1024)):
        command = commands.add_parser(function.__name__.strip("_"))
        command.set_defaults(function=function)
        command.add_argument("--rows", type=int, default=rows)
        command.add_argument("--dimensions", type=int, default=dimensions)
        command.add_argument("--postgres", type=int, default=16, choices=(16, 18))
        if function is _writers:
            command.add_argument("--new-dimensions", type=int, default=1024)
            command.add_argument("--clients", type=int, default=4)
        else:
            command.add_argument("--batch", type=int, default=256)
            command.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()
    chosen.function(chosen, Console())


def _writers(chosen: argparse.Namespace, console: Console) -> None:
    old = MODELS.format(dimensions=chosen.dimensions, index=INDEX)
    new = MODELS.format(dimensions=chosen.new_dimensions, index=INDEX)
    by_hand = f"ALTER TABLE docs ALTER embedding TYPE vector({chosen.new_dimensions}) USING NULL"

    def migration(way: str, url: URL, folder: Path) -> Callable[[], object] | None:
        if way == "no migration":
            return None
        if way == "USING NULL":
            return lambda: _execute(url, by_hand)
        settings = "[tool.alembic-fixups.vector-dimension]\ndata = 'archive'\n"
        project = Project.make(folder / "project", url, new, f"{settings}strategy = '{way}'")
        project.autogenerate()
        return project.upgrade

    results = []
    with scratch.embedded(chosen.postgres) as server, scratch.database(server) as template:
        with console.status(f"{chosen.rows:,} vectors"):
            _make(template, old, VECTORS.format(rows=chosen.rows, dimensions=chosen.dimensions))
        load = writers.Load(server, LOAD.format(rows=chosen.rows), chosen.clients)
        for way in WAYS:
            assert template.database is not None
            with (
                console.status(way),
                scratch.database(server, template=template.database) as url,
                tempfile.TemporaryDirectory() as folder,
            ):
                ready = migration(way, url, Path(folder))
                results.append(writers.measure(way, url, load, Path(folder), ready))
    writers.show(results, console)


@dataclass(frozen=True)
class _Speed:
    """One way of writing the vectors, and how long it took."""

    way: str
    seconds: float


def _reembed(chosen: argparse.Namespace, console: Console) -> None:
    old = MODELS.format(dimensions=3, index="")
    source = EMBEDDER.format(dimensions=chosen.dimensions)
    speeds = []
    with scratch.embedded(chosen.postgres) as server, scratch.database(server) as template:
        with console.status(f"{chosen.rows:,} rows"):
            _make(template, old, TEXTS.format(rows=chosen.rows))
        ways = [(name, workers) for workers in chosen.workers for name in ("lists", "arrays")]
        for name, workers in [("copy", 0), *ways]:
            assert template.database is not None
            way = "COPY" if name == "copy" else f"reembed, {name}, --workers {workers}"
            with (
                console.status(way),
                scratch.database(server, template=template.database) as url,
                tempfile.TemporaryDirectory() as made,
            ):
                folder = Path(made)
                (folder / "null_embedder.py").write_text(source)
                if name == "copy":
                    seconds = _copy(url, folder / "null_embedder.py", chosen)
                else:
                    seconds = _run(url, folder, name, workers, chosen)
                speeds.append(_Speed(way, seconds))
    table = Table("way", "s", "rows a second", "of COPY")
    for speed in speeds:
        table.add_row(
            speed.way,
            f"{speed.seconds:.1f}",
            f"{chosen.rows / speed.seconds:,.0f}",
            f"{speeds[0].seconds / speed.seconds:.2f}",
        )
    console.print(table)


def _copy(url: URL, embedder: Path, chosen: argparse.Namespace) -> float:
    """A binary COPY of the vectors, with id and body, into a table like docs; gives the seconds."""
    vectors: list[Any] = runpy.run_path(str(embedder))["ARRAYS"]
    _execute(
        url,
        f"CREATE TABLE plain (id bigint PRIMARY KEY, body text,"
        f" embedding vector({chosen.dimensions}))",
    )
    encode = encoder("vector", chosen.dimensions)
    begin = time.monotonic()
    with (
        scratch.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY plain FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for n in range(1, chosen.rows + 1):
            body, vector = str(n).encode(), encode(vectors[n % len(vectors)])
            copy.write(
                struct.pack("!hiqi", 3, 8, n, len(body))
                + body
                + len(vector).to_bytes(4, "big")
                + vector
            )
        copy.write(b"\xff\xff")
    return time.monotonic() - begin


def _run(url: URL, folder: Path, name: str, workers: int, chosen: argparse.Namespace) -> float:
    """Migrates, and runs the command; gives the seconds that the command took.

    Raises RuntimeError where it has not filled every row.
    """
    new = MODELS.format(dimensions=chosen.dimensions, index="")
    settings = REEMBED.format(function=name, batch=chosen.batch)
    project = Project.make(folder / "project", url, new, settings)
    (folder / "null_embedder.py").rename(project.folder / "null_embedder.py")
    project.autogenerate()
    project.upgrade()
    _execute(url, "VACUUM ANALYZE docs", "CHECKPOINT")
    begin = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "alembic_fixups.cli",
        "-c",
        str(project.folder / "alembic.ini"),
    ]
    command += ["reembed", "--json", "--workers", str(workers)]
    command += ["--database-url", url.render_as_string(hide_password=False)]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    outcome = json.loads(done.stdout)["columns"] if done.stdout else []
    if [(one["done"], one["complete"]) for one in outcome] != [(chosen.rows, True)]:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    return seconds


def _make(url: URL, models: str, rows: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Project.make(Path(folder) / "project", url, models).create_all()
    _execute(url, *rows.strip().rstrip(";").split(";\n"))


def _execute(url: URL, *statements: str) -> None:
    with scratch.connect(url) as connection:
        for statement in statements:
            connection.execute(psycopg.sql.SQL(statement))


if __name__ == "__main__":
    main()
