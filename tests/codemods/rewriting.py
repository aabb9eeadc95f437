"""A project with model files, and its codemods run as a user would run them.

Every idiom is a module of its own in one project, so that all of a fixup's are rewritten by one run
of the command and loaded by one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

ENV = """
from alembic import context

import app.models
from app.base import metadata

context.configure(
    url="postgresql://nobody@localhost:1/none",
    target_metadata=metadata,
    autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"],
)
with context.begin_transaction():
    context.run_migrations()
"""

BASE = """
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


metadata = Base.metadata
"""

LOAD = """
import json, warnings
import app.models
from app.base import metadata
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers
from alembic_fixups import settings
from alembic_fixups.target import Target
from tests.laws.describe import describe

with warnings.catch_warnings():
    warnings.simplefilter("error")
    configure_mappers()
target = Target(metadata)
for fixup, chosen in settings.load(settings.find(__import__("pathlib").Path.cwd())).active:
    fixup.rewrite(target, chosen, 16)
try:
    models = describe(metadata, types=str)
except SQLAlchemyError:  # with references that lead nowhere before they have a schema
    models = describe(metadata, types=str, complete=False)
print(json.dumps([models, describe(target.metadata, types=str)]))
"""


@dataclass(frozen=True)
class Idiom:
    """One way to write something in a model file.

    Attributes:
        name: says what is special in it; the name of its module as well.
        before: the module.
        after: what the codemod makes of it; None where it stays as it is.
        refused: a part of the reason for which a place is left to be done by hand, "" for none.
    """

    name: str
    before: str
    after: str | None = None
    refused: str = ""


@dataclass(frozen=True)
class Done:
    """How a run of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What ``--json`` has printed."""
        return json.loads(self.out)


@dataclass
class Sources:
    """A project in a folder: ``app/base.py``, ``app/models/``, alembic.ini and pyproject.toml."""

    folder: Path
    names: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, settings: str, files: dict[str, str], base: str = BASE) -> Sources:
        """Writes the project; *files* are the modules below ``app.models``."""
        (folder / "app" / "models").mkdir(parents=True)
        (folder / "migrations" / "versions").mkdir(parents=True)
        (folder / "migrations" / "env.py").write_text(ENV)
        (folder / "alembic.ini").write_text(
            "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\n"
        )
        (folder / "pyproject.toml").write_text(textwrap.dedent(settings))
        (folder / "app" / "__init__.py").write_text("")
        (folder / "app" / "base.py").write_text(cls.dedented(base))
        made = cls(folder, list(files))
        imports = "".join(f"from app.models import {name}\n" for name in files)
        (folder / "app" / "models" / "__init__.py").write_text(imports)
        for name, text in files.items():
            made.path(name).write_text(cls.dedented(text))
        return made

    @classmethod
    def of(cls, folder: Path, settings: str, idioms: Iterable[Idiom], base: str = BASE) -> Sources:
        """Writes a project with a module for each idiom."""
        return cls.make(folder, settings, {one.name: one.before for one in idioms}, base)

    @staticmethod
    def dedented(text: str) -> str:
        """The text of a module as it is written."""
        return textwrap.dedent(text).lstrip("\n")

    def path(self, name: str) -> Path:
        """The file of a module below ``app.models``."""
        return self.folder / "app" / "models" / f"{name}.py"

    def text(self, name: str) -> str:
        """What is in it."""
        return self.path(name).read_text()

    def python(self, *arguments: str, path: tuple[Path, ...] = (ROOT,)) -> Done:
        """Runs Python in the project's folder."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def codemod(self, *arguments: str) -> Done:
        """``alembic-fixups codemod``."""
        # As the console script, which has not the working directory among its paths.
        return self.python("-P", "-m", "alembic_fixups.cli", "codemod", *arguments)

    def described(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The models, and what the fixups make of them; no mapper gives a warning."""
        done = self.python("-c", LOAD)
        assert done.code == 0, done.err
        models, wanted = json.loads(done.out)
        return models, wanted


def rewrite_all(
    folder: Path, settings: str, idioms: Iterable[Idiom], base: str = BASE
) -> tuple[Sources, Done]:
    """A project with a module for each idiom, and the run that has rewritten it."""
    sources = Sources.of(folder, settings, idioms, base)
    done = sources.codemod("--json")
    assert done.code == 0, done.out + done.err
    return sources, done
