"""The codemods against libcst's own parse and print of the same files, in one process.

    python -m benchmarks.codemod [--files 200] [--rounds 5]

Three times are taken of made-up model files: libcst parses and prints each; the codemods rewrite
them, from the loaded models to the texts that would be written; and the codemods find nothing to
do, once the files are as they ought to be. The last rows are the same as commands of libcst, by one
process and by two.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import libcst as cst
from rich.console import Console
from rich.table import Table

from alembic_fixups import project as projects
from alembic_fixups import settings
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.plan import is_own, rewrite, width_of
from alembic_fixups.target import Target

_ENV = """
from alembic import context
import app.models
from app.base import Base
context.configure(url="postgresql://nobody@localhost/none", target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
"""
_BASE = """
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
"""
_SETTINGS = """
[tool.alembic-fixups.schema-prefix]
schema = "migration"
[tool.alembic-fixups.enum-check]
"""
_MODEL = '''"""Things, number {n}."""

import enum

from sqlalchemy import Enum, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.base import Base


class Status{n}(enum.Enum):
    NEW = "new"
    OLD = "old"


class Thing{n}(Base):
    """A thing."""

    __tablename__ = "things_{n}"
    __table_args__ = (Index("ix_{n}", "field_1"), UniqueConstraint("field_2"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    status: Mapped[Status{n}] = mapped_column(Enum(Status{n}, name="status_{n}"), nullable=False)
    other_id: Mapped[int | None] = mapped_column(ForeignKey("things_{other}.id"), index=True)
{columns}

    def shown(self) -> list[str]:
        """What a person sees of it."""
        return [text for text in (self.field_1, self.field_2) if text is not None]


class Item{n}(Base):
    __tablename__ = "items_{n}"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    thing_id: Mapped[int] = mapped_column(
        ForeignKey("things_{n}.id", ondelete="CASCADE"), index=True
    )
{columns}

    thing: Mapped["Thing{n}"] = relationship()
'''
_COLUMN = '    field_{n}: Mapped[str | None] = mapped_column(String(200), comment="Field {n}")'


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _make_up(Path(folder), options.files)
        os.chdir(folder)
        bare = _in_process(options.rounds)
        _as_commands(bare)


def _make_up(folder: Path, files: int) -> None:
    (folder / "app" / "models").mkdir(parents=True)
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\n"
    )
    (folder / "migrations" / "env.py").write_text(_ENV)
    (folder / "pyproject.toml").write_text(_SETTINGS)
    (folder / "app" / "__init__.py").touch()
    (folder / "app" / "base.py").write_text(_BASE)
    columns = "\n".join(_COLUMN.format(n=n) for n in range(40))
    for n in range(files):
        source = _MODEL.format(n=n, other=(n + 1) % files, columns=columns)
        (folder / "app" / "models" / f"m{n}.py").write_text(source)
    imports = "".join(f"from app.models import m{n}\n" for n in range(files))
    (folder / "app" / "models" / "__init__.py").write_text(imports)


def _in_process(rounds: int) -> float:
    """Gives the seconds of libcst alone."""
    paths = sorted(Path("app/models").glob("m*.py"))
    project = projects.load()
    chosen = settings.load(settings.path_for(project.config))
    originals = projects.models(project)

    def bare() -> None:
        for path in paths:
            cst.parse_module(path.read_bytes()).bytes  # noqa: B018

    def codemods() -> None:
        models = Models(Target(originals), is_own, (), width_of)
        changed = rewrite(models, chosen)
        assert len(changed) == len(paths) and not models.refusals

    medians = _medians({"libcst: parse and print": bare, "codemods": codemods}, rounds)
    lines = sum(path.read_bytes().count(b"\n") for path in paths)
    _print(f"{len(paths)} files, {lines:,} lines, all of which change", medians)
    subprocess.run(
        [sys.executable, "-m", "alembic_fixups.cli", "codemod"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    done = subprocess.run([sys.executable, __file__, "--again"], check=True, capture_output=True)
    print(done.stdout.decode())
    return medians["libcst: parse and print"]


def _again() -> None:
    """The same where nothing is to be done: in another process, which has the new models."""
    paths = sorted(Path("app/models").glob("m*.py"))
    project = projects.load()
    chosen = settings.load(settings.path_for(project.config))
    originals = projects.models(project)

    def parse() -> None:
        for path in paths:
            cst.parse_module(path.read_bytes())

    def codemods() -> None:
        assert not rewrite(Models(Target(originals), is_own, (), width_of), chosen)

    def in_memory() -> None:
        target = Target(originals)
        for fixup, own in chosen.active:
            fixup.rewrite(target, own, 16)

    ways = {
        "libcst: parse": parse,
        "codemods": codemods,
        "of that: the rewrite in memory": in_memory,
    }
    _print("the same files, in which nothing is to be done", _medians(ways, 3))


def _as_commands(bare: float) -> None:
    command = "alembic_fixups.fixups.schema_prefix.codemod.SchemaPrefixCommand"
    seconds: dict[str, float] = {"libcst: parse and print": bare}
    for workers in (1, 2):
        tool = ["-m", "libcst.tool", "codemod", "-x", "--no-format", f"--jobs={workers}"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *tool, command, "app/models"], check=True, capture_output=True
        )
        seconds[f"as a command of libcst, workers: {workers}"] = time.perf_counter() - start
    _print("as commands, start and loading of the models included", seconds)


def _medians(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The medians of so many rounds, after one that does not count; without the collector."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    gc.disable()
    for _ in range(rounds + 1):
        for way, go in ways.items():
            gc.collect()
            start = time.perf_counter()
            go()
            seconds[way].append(time.perf_counter() - start)
    return {way: statistics.median(times[1:]) for way, times in seconds.items()}


def _print(title: str, seconds: dict[str, float]) -> None:
    table = Table("way", "s", "of the first", title=title, title_justify="left")
    first = next(iter(seconds.values()))
    for way, taken in seconds.items():
        table.add_row(way, f"{taken:.2f}", f"{taken / first:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    if "--again" in sys.argv:
        _again()
    else:
        main()
