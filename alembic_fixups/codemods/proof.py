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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import MetaData, Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from alembic_fixups import project as projects
from alembic_fixups import settings
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.report import Refused
from alembic_fixups.settings import Settings, SettingsError
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
    """

    models: Statements = field(default_factory=dict)
    wanted: Statements = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    mappers: str = ""
    error: str = ""


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


def rewritten(metadatas: list[MetaData], chosen: Settings, major_version: int) -> Target:
    """The models as all fixups that are on rewrite them."""
    target = Target(metadatas)
    for fixup, own in chosen.active:
        fixup.rewrite(target, own, major_version)
    return target


def prove(project: Project, files: Mapping[Path, bytes], major_version: int) -> Loaded:
    """Loads the models with other text in some of their files, which stay as they are.

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
            "version": major_version,
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
    _overlay({name: base64.b64decode(text) for name, text in request["files"].items()})
    found = _load(request)
    Path(request["answer"]).write_text(json.dumps(asdict(found)), encoding="utf-8")


def _load(request: dict[str, Any]) -> Loaded:
    try:
        project = projects.load(request["configs"], request["name"], request["arguments"])
        chosen = settings.load(settings.path_for(project.config))
        metadatas = projects.models(project)
        warned, mappers = configured()
        target = rewritten(metadatas, chosen, request["version"])
    except (CommandError, ProjectError, Refused, SettingsError, UnresolvedReference) as error:
        return Loaded(error=str(error))
    return loaded(metadatas, target, warned, mappers)


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
