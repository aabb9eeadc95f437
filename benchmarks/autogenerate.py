"""Alembic's autogenerate with every fixup on against the same without the plugin.

    python -m benchmarks.autogenerate [--tables 1000] [--rounds 5] [--postgres 16]

A made-up application of tenants: tables of 20 columns with 3 constraints besides the primary key,
indexes, enums and vectors. What is timed is ``alembic revision --autogenerate`` as a whole, without
Python's start and the import of the models; the two take turns in one process, on databases of
their own where they want different ones. Three situations:

- agree: the models are written as the fixups want them, and the database is as the models. There
  is nothing to do for anybody, and both compare the same models with the same database.
- rewritten: the models are written without the fixups: no schema, native enums, foreign keys
  without the tenant. The fixups rewrite them, and the database is as they want it; without them it
  is as the models say. Again there is nothing to do for anybody.
- first run: the same models, and a database as they say. The fixups have much to do.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.script import Script
from pgvector.sqlalchemy import VECTOR
from rich.console import Console
from rich.table import Table as Shown
from sqlalchemy import (
    URL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    func,
)

from alembic_fixups import scratch, settings
from alembic_fixups.target import Target

SETTINGS = """
[tool.alembic-fixups.schema-prefix]
schema = "migration"
move-from = ["public"]
[tool.alembic-fixups.tenant-keys]
levels = [
  { table = "client_accounts", column = "client_account_id" },
  { table = "engagements", column = "engagement_id" },
]
[tool.alembic-fixups.enum-check]
[tool.alembic-fixups.check-constraints]
[tool.alembic-fixups.vector-dimension]
[tool.alembic-fixups.redundant-index]
[tool.alembic-fixups.relationship-loading]
"""
"""Every fixup there is."""

STOCK = ["alembic.autogenerate.*"]
FIXUPS = [*STOCK, "alembic_fixups"]

_ENV = """
from alembic import context
from sqlalchemy import create_engine
given = context.config.attributes
engine = create_engine(given["url"])
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=given["metadata"],
        autogenerate_plugins=given["plugins"],
        include_schemas=any(table.schema for table in given["metadata"].tables.values()),
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""
_REVISION = '''"""${message}"""
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''


@dataclass(frozen=True)
class Project:
    """An Alembic project in a folder, whose env.py takes everything from its caller.

    Attributes:
        folder: where it is.
        metadata: its models.
        url: its database.
        plugins: Alembic's ``autogenerate_plugins``.
    """

    folder: Path
    metadata: MetaData
    url: URL
    plugins: list[str]

    def config(self) -> Config:
        """A new Alembic configuration."""
        quiet = argparse.Namespace(quiet=True)
        config = Config(self.folder / "alembic.ini", cmd_opts=quiet)
        config.attributes.update(metadata=self.metadata, url=self.url, plugins=self.plugins)
        return config

    def autogenerate(self) -> str:
        """Writes a revision, takes it away again, and gives its source."""
        script = command.revision(self.config(), "change", autogenerate=True)
        path = Path(cast(Script, script).path)
        source = path.read_text()
        path.unlink()
        return source


def make_folder(folder: Path) -> Path:
    """Writes what a `Project` needs, with every fixup in its settings; gives the folder."""
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text(_ENV)
    (folder / "migrations" / "script.py.mako").write_text(_REVISION)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (folder / "pyproject.toml").write_text(SETTINGS)
    return folder


def models(tables: int) -> MetaData:
    """An application as it is written before the fixups: so many tables, two of them the levels."""
    metadata = MetaData()
    Table("client_accounts", metadata, *_columns(), UniqueConstraint("name"))
    Table("engagements", metadata, *_columns(), _refers("client_account_id", "client_accounts"))
    for number in range(tables - 2):
        _table(metadata, number)
    return metadata


def _table(metadata: MetaData, number: int) -> Table:
    """20 columns and 3 constraints; of a tenant, but for every fifth."""
    name = f"table_{number}"
    amount = f"amount_{number % 10}"
    own: list[Any] = [Column(amount, Numeric(12, 2), nullable=False, server_default="0")]
    if number % 5 == 4:
        own += [
            Column("code", String(20), nullable=False),
            _refers("previous_id", f"table_{max(number - 5, 0)}"),
            UniqueConstraint("code", name=f"uq_{name}_code"),
        ]
    else:
        own += [
            _refers("client_account_id", "client_accounts"),
            _refers("engagement_id", "engagements"),
            Index(f"ix_{name}_client_account_id", "client_account_id"),
        ]
    if number % 4 == 0:
        labels = Enum("new", "open", "closed", name=f"status_{number}")
        column = ("status", "kind", "state", "phase", "role")[number % 20 // 4]
        own += [Column(column, labels, nullable=False), Index(f"ix_{name}_{column}", column)]
    if number % 50 == 1:
        own += [
            Column("embedding", VECTOR(384)),
            Index(
                f"ix_{name}_embedding",
                "embedding",
                postgresql_using="hnsw",
                postgresql_ops={"embedding": "vector_cosine_ops"},
            ),
        ]
    taken = sum(isinstance(item, Column) for item in own)
    return Table(
        name,
        metadata,
        *_columns(20 - taken),
        *own,
        CheckConstraint(f"{amount} >= 0 AND {amount} < {1000 + number}", name=f"ck_{name}_amount"),
        Index(f"ix_{name}_made_at", "made_at"),
    )


def _columns(count: int = 19) -> Iterator[Column[Any]]:
    yield Column("id", BigInteger, primary_key=True)
    yield Column("name", String(200), nullable=False)
    yield Column("made_at", DateTime(timezone=True), server_default=func.now())
    kinds: tuple[Any, ...] = (Text, Integer, String(80), DateTime)
    for number in range(3, count):
        yield Column(f"field_{number}", kinds[number % len(kinds)])


def _refers(column: str, table: str) -> Column[Any]:
    return Column(column, BigInteger, ForeignKey(f"{table}.id"), nullable=False)


def rewritten(metadata: MetaData, folder: Path, postgres: int) -> MetaData:
    """The models as the fixups of that folder's settings want them, for that major version."""
    target = Target(metadata)
    for fixup, own in settings.load(folder / "pyproject.toml").active:
        fixup.rewrite(target, own, postgres)
    return cast(MetaData, target.metadata)


def create(metadata: MetaData, url: URL) -> None:
    """Makes the tables of the models in an empty database."""
    with scratch.connect(url) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE SCHEMA migration")
    engine = create_engine(url)
    with engine.connect() as connection:
        # A transaction for each: one of all takes more locks than a server has room for.
        for table in metadata.sorted_tables:
            table.create(connection)
            connection.commit()
    engine.dispose()
    with scratch.connect(url) as connection:
        connection.execute("VACUUM ANALYZE")  # of the catalogs too, as autovacuum would have done


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", type=int, default=16, choices=(16, 18))
    chosen = parser.parse_args()
    console = Console(width=100)
    table = Shown("situation", "stock, s", "fixups, s", "ratio", "of the rounds")
    with (
        tempfile.TemporaryDirectory() as made,
        scratch.embedded(chosen.postgres) as server,
        scratch.database(server) as plain,
        scratch.database(server) as desired,
    ):
        folder = make_folder(Path(made) / "project")
        written = models(chosen.tables)
        wanted = rewritten(written, folder, chosen.postgres)
        with console.status("two databases"):
            create(written, plain)
            create(wanted, desired)
        nothing = (
            Project(folder, wanted, desired, STOCK),
            Project(folder, written, plain, STOCK),
        )
        situations = {
            "agree": (nothing[0], Project(folder, wanted, desired, FIXUPS), False),
            "rewritten": (nothing[1], Project(folder, written, desired, FIXUPS), False),
            "first run": (nothing[1], Project(folder, written, plain, FIXUPS), True),
        }
        for name, (stock, fixups, much) in situations.items():
            with console.status(name):
                _check(name, stock, changes=False)
                _check(name, fixups, changes=much)
                table.add_row(name, *_measured(stock, fixups, chosen.rounds))
    console.print(table)


def _check(name: str, project: Project, *, changes: bool) -> None:
    source = project.autogenerate()
    if ("op." in source) is not changes:
        raise RuntimeError(f"{name}, {project.plugins[-1]}: not what was to be measured:\n{source}")


def _measured(stock: Project, fixups: Project, rounds: int) -> tuple[str, ...]:
    """The medians of both and of their ratio, and the least and the greatest ratio."""
    pairs = [(_seconds(stock.autogenerate), _seconds(fixups.autogenerate)) for _ in range(rounds)]
    ratios = [second / first for first, second in pairs]
    firsts, seconds = zip(*pairs, strict=True)
    return (
        f"{statistics.median(firsts):.2f}",
        f"{statistics.median(seconds):.2f}",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
    )


def _seconds(go: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    go()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
