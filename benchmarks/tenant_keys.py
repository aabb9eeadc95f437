"""How long a writer waits while a foreign key comes to carry the tenant.

    python -m benchmarks.tenant_keys --rows 5000000

One table below two levels, a steady load of pgbench (updates and inserts, each its own
transaction), and the same change several ways: what stock Alembic emits for the unique key of the
parent, the composite foreign key and the end of the old one; the same with the index that the key
wants; and the fixup's revision, which builds that index too. The longest wait is that of a client
(`writers`). What stock Alembic emits locks the parent before the child, a writer the child before
the parent: a migration that PostgreSQL cancels to end such a deadlock is run again.
Numbers of one run only compare with each other.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import psycopg
from rich.console import Console
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from alembic_fixups import scratch
from benchmarks import writers
from tests.projects import Project

MODELS = """
metadata = MetaData()
Table("client_accounts", metadata, Column("id", Integer, primary_key=True))
Table("engagements", metadata, Column("id", Integer, primary_key=True),
      Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False))
Table("assets", metadata, Column("id", BigInteger, primary_key=True),
      Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
      Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
      Column("amount", Integer, nullable=False), Column("note", String(200)))
"""

SETTINGS = """
[tool.alembic-fixups.tenant-keys]
levels = [
  { table = "client_accounts", column = "client_account_id" },
  { table = "engagements", column = "engagement_id" },
]
"""

ROWS = """
INSERT INTO client_accounts SELECT n FROM generate_series(1, 100) AS n;
INSERT INTO engagements (id, client_account_id)
  SELECT n, 1 + n % 100 FROM generate_series(1, 1000) AS n;
INSERT INTO assets (client_account_id, engagement_id, amount, note)
  SELECT 1 + n % 100, 1 + (n - 1) % 1000, n, repeat('x', 40)
    FROM generate_series(1, {rows}) AS n;
VACUUM ANALYZE;
CHECKPOINT;
"""

LOAD = r"""
\set id random(1, {rows})
\set engagement random(1, 1000)
UPDATE assets SET amount = amount + 1 WHERE id = :id;
INSERT INTO assets (client_account_id, engagement_id, amount, note)
  SELECT client_account_id, id, 1, 'y' FROM engagements WHERE id = :engagement;
"""

KEYS = """
    op.create_unique_constraint(
        "uq_engagements_client_account_id_id", "engagements", ["client_account_id", "id"]
    )
    op.create_foreign_key(
        "fk_assets_client_account_id_engagement_id", "assets", "engagements",
        ["client_account_id", "engagement_id"], ["client_account_id", "id"],
    )
    op.drop_constraint("assets_engagement_id_fkey", "assets", type_="foreignkey")
"""

INDEX = """
    op.create_index(
        "ix_assets_client_account_id_engagement_id", "assets",
        ["client_account_id", "engagement_id"],
    )
"""

STOCK = {"stock: the keys": KEYS, "stock: the keys and the index": INDEX + KEYS}


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
        for way in ("no migration", *STOCK, "fixup"):
            assert template.database is not None
            with (
                console.status(way),
                scratch.database(server, template=template.database) as url,
                tempfile.TemporaryDirectory() as folder,
            ):
                project = _project(way, url, Path(folder))
                migration = None if project is None else partial(_upgrade, project)
                results.append(writers.measure(way, url, load, Path(folder), migration))
    writers.show(results, console)


def _fill(url: URL, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Project.make(Path(folder) / "project", url, MODELS).create_all()
    with scratch.connect(url) as connection:
        for statement in ROWS.format(rows=rows).strip().rstrip(";").split(";\n"):
            connection.execute(psycopg.sql.SQL(statement))


def _project(way: str, url: URL, folder: Path) -> Project | None:
    if way == "no migration":
        return None
    upgrade = STOCK.get(way)
    project = Project.make(folder / "project", url, MODELS, "" if upgrade else SETTINGS)
    source = project.autogenerate()
    if upgrade:
        path = next((project.folder / "migrations" / "versions").glob("*.py"))
        head = "def upgrade() -> None:"
        path.write_text(source.replace(head, head + upgrade, 1))
    return project


def _upgrade(project: Project) -> None:
    while True:
        try:
            return project.upgrade()
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.DeadlockDetected):
                raise


if __name__ == "__main__":
    main()
