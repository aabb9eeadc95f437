"""The models as the rewritten files make them, loaded in a process of their own and compared.

Run as ``python -m alembic_fixups.codemods.proof``; :func:`prove` is the other end.
"""

from __future__ import annotations

import base64
import importlib.machinery
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import MetaData, Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from alembic_fixups import project as projects
from alembic_fixups import settings
from alembic_fixups.codemods.models import Models
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.report import Refused
from alembic_fixups.settings import SettingsError
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import Target, UnresolvedReference

Statements = dict[str, list[str]]
"""The lines of what would make each table, sorted, by the table's key."""


@dataclass(frozen=True)
class Loaded:
    """Models as they are loaded.

    Attributes:
        models: what would make each table as it is loaded.
        wanted: the same as the fixups rewrite it.
        warnings: what SQLAlchemy warns of as it configures the mappers.
        mappers: the error that it ends with, "" for none.
        error: why the models cannot be loaded, "" where they can.
        again: fixup and title of what the codemods would change in their files now.
        refused: fixup and file of what they would refuse now.
    """

    models: Statements = field(default_factory=dict)
    wanted: Statements = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    mappers: str = ""
    error: str = ""
    again: list[list[str]] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Scope:
    """What a run of the codemods is about.

    Attributes:
        only: the fixups whose codemods run; all that are on where there are none.
        within: the files and folders that may be changed; all where there are none.
        major_version: the version of PostgreSQL that the models are for.
        introduce_constant: whether numbers that a model repeats get a name.
    """

    only: tuple[str, ...] = ()
    within: tuple[Path, ...] = ()
    major_version: int = 16
    introduce_constant: bool = False


def configured() -> tuple[list[str], str]:
    """Configures all mappers; gives the warnings, and the error, "" for none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            configure_mappers()
        except Exception as error:  # code of the user's runs in it
            return [str(one.message) for one in caught], f"{type(error).__name__}: {error}"
    return [str(one.message) for one in caught], ""


def statements(metadatas: Iterable[MetaData]) -> Statements:
    """What would make each table, its indexes and comments, as sorted lines."""
    return {
        key: sorted(_statements(table))
        for metadata in metadatas
        for key, table in metadata.tables.items()
    }


def _statements(table: Table) -> list[str]:
    made: list[Any] = [CreateTable(table), *map(CreateIndex, table.indexes)]
    made += [AddConstraint(one) for one in table.foreign_key_constraints if one.use_alter]
    lines: list[str] = []
    for one in made:
        try:
            compiled = str(one.compile(dialect=DIALECT))
        except (SQLAlchemyError, AttributeError) as error:
            compiled = f"{one.element}: {error}"
        lines += [line.strip(" ,\t") for line in compiled.splitlines()]
    lines += [f"COMMENT {column.name}: {column.comment}" for column in table.c if column.comment]
    return [line for line in [*lines, f"COMMENT {table.comment or ''}"] if line]


def loaded(
    originals: Iterable[MetaData], target: Target, warned: list[str], mappers: str
) -> Loaded:
    """What can be compared of models and of what the fixups have made of them."""
    metadata = target.metadata
    wanted = statements(metadata if isinstance(metadata, list) else [metadata])
    # Tables that no fixup has copied are the same ones.
    same = {key for key, table in target.tables.items() if target.original(table) is table}
    models = {
        key: wanted[key] if key in same and key in wanted else sorted(_statements(table))
        for original in originals
        for key, table in original.tables.items()
    }
    return Loaded(models, wanted, warned, mappers)


def prove(project: Project, files: Mapping[Path, bytes], scope: Scope) -> Loaded:
    """Loads the models with other text in some of their files, which stay as they are.

    Finds out, too, what a further run of the codemods would do.

    Raises:
        ProjectError: the process died.
    """
    options = project.config.cmd_opts
    assert options is not None  # load() has them from Alembic's own command line
    with tempfile.NamedTemporaryFile(suffix=".json") as answer:
        request = {
            "configs": options.config or [],
            "name": options.name,
            "arguments": options.x or [],
            "only": scope.only,
            "within": [str(path) for path in scope.within],
            "version": scope.major_version,
            "introduce_constant": scope.introduce_constant,
            "answer": answer.name,
            "path": sys.path,
            "files": {str(path): base64.b64encode(text).decode() for path, text in files.items()},
        }
        done = subprocess.run(
            # Without the working directory, where a folder "alembic" may be.
            [sys.executable, "-P", "-m", "alembic_fixups.codemods.proof"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
        )
        said = Path(answer.name).read_text(encoding="utf-8")
    if not said:
        tail = "\n".join(done.stderr.strip().splitlines()[-20:])
        raise ProjectError(f"the process that loads the models a second time has ended:\n{tail}")
    return Loaded(**json.loads(said))


def main() -> None:
    """Does what the request on standard input says."""
    request = json.load(sys.stdin)
    sys.path[:] = request["path"]
    files = {name: base64.b64decode(text) for name, text in request["files"].items()}
    _overlay(files)
    found = _load(request, {Path(name): text for name, text in files.items()})
    Path(request["answer"]).write_text(json.dumps(asdict(found)), encoding="utf-8")


def _load(request: dict[str, Any], files: Mapping[Path, bytes]) -> Loaded:
    from alembic_fixups.codemods import plan  # which needs this module itself

    try:
        project = projects.load(request["configs"], request["name"], request["arguments"])
        chosen = settings.load(settings.path_for(project.config))
        metadatas = projects.models(project)
        warned, mappers = configured()
        models = Models(
            Target(metadatas),
            plan.is_own,
            tuple(map(Path, request["within"])),
            plan.width_of,
            project.settings_path,
            introduce_constant=request["introduce_constant"],
            overlay=files,
        )
        plan.rewrite(models, chosen, request["only"], request["version"])
    except (CommandError, ProjectError, Refused, SettingsError, UnresolvedReference) as error:
        return Loaded(error=str(error))
    return replace(
        loaded(metadatas, models.target, warned, mappers),
        again=[[one.fixup, one.title] for one in models.changes],
        refused=[[one.fixup, str(one.path)] for one in models.refusals],
    )


def _overlay(files: Mapping[str, bytes]) -> None:
    """Has Python import these texts in the place of what is in the files."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader
    data, stats = loader.get_data, loader.path_stats

    def get_data(self: importlib.machinery.SourceFileLoader, path: str) -> bytes:
        real = str(Path(path).resolve())
        return files[real] if real in files else data(self, path)

    def path_stats(self: importlib.machinery.SourceFileLoader, path: str) -> Mapping[str, Any]:
        if str(Path(path).resolve()) in files:
            raise OSError  # so that no compiled file of the old text is taken
        return stats(self, path)

    loader.get_data = get_data  # type: ignore[method-assign,assignment]
    loader.path_stats = path_stats  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
