"""How long a writer waits while an enum column becomes a VARCHAR with a CHECK.

    python -m benchmarks.enum_check --rows 5000000

One table, a steady load of pgbench (updates and inserts, each its own transaction), and the same
change three ways: what stock Alembic's ``alter_column`` does, and the fixup's "rewrite" and
"online". The longest wait is that of a client (`writers`). Numbers of one run only compare with
each other.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from sqlalchemy import URL

from alembic_fixups import scratch
from benchmarks import writers
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
        load = writers.Load(server, LOAD.format(rows=chosen.rows), chosen.clients)
        for way in ("no migration", "stock alter_column", "rewrite", "online"):
            assert template.database is not None
            with (
                console.status(way),
                scratch.database(server, template=template.database) as url,
                tempfile.TemporaryDirectory() as folder,
            ):
                project = _project(way, url, Path(folder))
                migration = None if project is None else project.upgrade
                results.append(writers.measure(way, url, load, Path(folder), migration))
    writers.show(results, console)


def _fill(url: URL, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Project.make(Path(folder) / "project", url, MODELS, "").create_all()
    with scratch.connect(url) as connection:
        for statement in ROWS.format(rows=rows).strip().split(";\n"):
            connection.execute(statement.rstrip(";"))  # type: ignore[arg-type]


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


if __name__ == "__main__":
    main()
