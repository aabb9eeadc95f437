"""What the codemods do to the files of a project; nothing is written."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType

from alembic_fixups import project as projects
from alembic_fixups import settings
from alembic_fixups.codemods import importers, imports
from alembic_fixups.codemods.files import File, Journal, Unclear, take_back
from alembic_fixups.codemods.models import LEFT_OUT, Changed, Models, Refusal
from alembic_fixups.codemods.proof import Loaded, Scope, Statements, configured, loaded, prove
from alembic_fixups.file_change import FileChange
from alembic_fixups.fixups import Fixup, all_fixups
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.report import Refused
from alembic_fixups.settings import Settings, SettingsError, shown
from alembic_fixups.target import Target, UnresolvedReference

BROKEN = "python"
"""Stands in the place of a fixup's name for files that Python cannot read."""

_HALVINGS = 2
"""How many wrong changes are found exactly; each takes some ten loadings of the models."""

_WITHOUT_EFFECT = (
    "something else gives the models what is written for it, such as a statement inside of an if"
)

POSTGRES = 16
"""The major version of PostgreSQL that is meant where none is named."""


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        files: the files that change.
        changes: what changes, thing by thing.
        refusals: what has to be done by hand.
        refusals_after: the same, with the lines that it has once the files are written.
        untouched: how many files with models stay as they are.
    """

    files: list[FileChange]
    changes: list[Changed]
    refusals: list[Refusal]
    refusals_after: list[Refusal]
    untouched: int


def plan(
    project: Project,
    *,
    only: Collection[str] = (),
    paths: Iterable[Path] = (),
    major_version: int = POSTGRES,
    introduce_constant: bool = False,
    advance: Callable[[str], None] = lambda _: None,
) -> Plan:
    """Finds out what changes.

    Takes the project; the fixups whose codemods run, all that are on where none is named; the files
    and folders that may be changed; whether numbers that a model repeats get a name; and what is
    told of every step.

    Raises:
        ProjectError: the models cannot be loaded.
        SettingsError: the settings are no good, or a fixup is named that is not on.
    """
    chosen = settings.load(settings.path_for(project.config))
    _require_on(only, chosen, project)
    advance("models")
    originals = projects.models(project)
    within = tuple(path.resolve() for path in paths)
    _require_modules(within, project)
    _prepare(Models(Target(originals), is_own, within, width_of), chosen, only)
    warned, mappers = configured()

    scope = Scope(tuple(only), within, major_version, introduce_constant)
    unstable: set[str] = set()
    files: dict[Path, File] = {}
    journal: Journal = []

    def attempt(limit: int | None = None) -> _Attempt:
        take_back(journal)  # the files themselves are read once
        target = Target(originals)
        models = Models(
            target,
            is_own,
            within,
            width_of,
            project.settings_path,
            limit=limit,
            barred=barred,
            introduce_constant=introduce_constant,
            files=files,
            journal=journal,
        )
        changes = rewrite(models, chosen, only, major_version, advance)
        before = loaded(originals, target, warned, mappers)
        if not changes:
            return _Attempt(models, [], "", before, before)
        advance("proof")
        after = prove(project, {one.path: one.new for one in changes}, scope)
        problem = _problem(before, after, unstable)
        if problem and not unstable:
            # What differs from one loading to the next says nothing of the changes.
            again = prove(project, {}, scope)
            unstable.update(_differing(before.wanted, again.wanted), [""])
            problem = _problem(before, after, unstable)
        return _Attempt(models, changes, problem, before, after)

    barred: dict[tuple[str, str], str] = {}
    made = attempt()
    number = 0
    while made.problem or made.without_effect:
        if made.without_effect:
            barred.update(dict.fromkeys(made.without_effect, _WITHOUT_EFFECT))
            made = attempt()
            continue
        suspects = _suspects(made, unstable) if number >= _HALVINGS else []
        if not suspects:
            suspects = [_culprit(made, attempt)]
        barred.update(((one.fixup, one.title), problem) for one, problem in suspects)
        number += 1
        made = attempt()
    untouched = len(made.models.model_files - {one.path for one in made.files})
    found = [one for one in made.models.refusals if not made.is_done(one)]
    found += _unread(made.models)
    if not only and not within:
        found += _left(made, unstable)
    refusals = sorted(found, key=lambda one: (str(one.path), one.line, one.reason))
    after = [
        replace(one, line=made.models.files[one.path].line_after(one.line))
        if one.path in made.models.files
        else one
        for one in refusals
    ]
    return Plan(made.files, made.models.changes, refusals, after, untouched)


@dataclass(frozen=True)
class _Attempt:
    """Files as they would be written, and why they may not be, "" where they may."""

    models: Models
    files: list[FileChange]
    problem: str
    before: Loaded
    after: Loaded

    @property
    def without_effect(self) -> set[tuple[str, str]]:
        """Fixup and title of the changes that a further run would make again."""
        again = {(fixup, title) for fixup, title in self.after.again}
        return again & {(one.fixup, one.title) for one in self.models.changes}

    def is_done(self, refusal: Refusal) -> bool:
        """Whether what a fixup refused has been done by another one, that came after it."""
        title = refusal.reason.partition(": ")[0]
        is_next = [refusal.fixup, title] in self.after.again
        if not self.files or is_next or LEFT_OUT in refusal.reason:
            return False
        return [refusal.fixup, str(refusal.path)] not in self.after.refused


def _prepare(models: Models, chosen: Settings, only: Collection[str]) -> None:
    """Has the fixups put right in memory what keeps the mappers from being configured."""
    for fixup, own in chosen.active:
        prepare = getattr(codemod_of(fixup), "prepare", None)
        if prepare is not None and (not only or fixup.name in only):
            prepare(models, own)


def rewrite(
    models: Models,
    chosen: Settings,
    only: Collection[str] = (),
    major_version: int = POSTGRES,
    advance: Callable[[str], None] = lambda _: None,
) -> list[FileChange]:
    """Rewrites the models in memory and their source, one fixup after the other.

    Takes what `plan` does, with the settings. Gives the files that change.

    Raises:
        ProjectError: the models cannot be rewritten, or a file cannot be encoded.
        SettingsError: the settings do not fit the models.
    """
    try:
        for fixup, own in chosen.active:
            wanted = fixup.rewrite(models.target, own, major_version)
            module = codemod_of(fixup)
            if module is not None and (not only or fixup.name in only):
                advance(fixup.name)
                module.codemod(models, wanted, own)
    except SettingsError as error:
        raise SettingsError(settings.located(error, chosen.path)) from error
    except (UnresolvedReference, Refused) as error:
        raise ProjectError(str(error)) from error
    return _written(models)


def _culprit(made: _Attempt, attempt: Callable[[int], _Attempt]) -> tuple[Changed, str]:
    """The first change after which the models are no longer what they are meant to be, and why."""
    good, bad, problem = 0, len(made.models.changes), made.problem
    while bad - good > 1:
        middle = (good + bad) // 2
        tried = attempt(middle)
        if tried.problem:
            bad, problem = middle, tried.problem
        else:
            good = middle
    return made.models.changes[bad - 1], problem


def _require_modules(within: Iterable[Path], project: Project) -> None:
    """Stops at a path where no model can be."""
    for path in within:
        if path.suffix != ".py" and next(path.glob("**/*.py"), None) is None:
            raise ProjectError(f"{shown(path)}: there is no Python file")


def _suspects(made: _Attempt, unstable: set[str]) -> list[tuple[Changed, str]]:
    """The changes of the tables and files that are not as meant: soon found, if too many.

    Where none names such a table, those of tables with a name that such a one begins or ends with,
    as of one that a table is copied from for its history.
    """
    wanted = made.before.wanted
    keys = set() if made.after.error else _differing(wanted, made.after.wanted) - unstable
    tables = {key.rpartition(".")[2] for key in keys}
    kin = {
        name
        for name in {key.rpartition(".")[2] for key in wanted} - tables
        if any(one.startswith(f"{name}_") or one.endswith(f"_{name}") for one in tables)
    }
    names = {shown(one.path) for one in made.files}
    files = {name for name in re.findall(r"([^\s:]+\.py):\d+", made.problem) if name in names}
    for suspected in (tables, kin):
        found = [
            (one, made.problem)
            for one in made.models.changes
            if suspected & set(re.findall(r"\w+", one.title))
            or files & {shown(path) for path, _ in one.places}
        ]
        if found:
            return found
    return []


def _left(made: _Attempt, unstable: set[str]) -> Iterator[Refusal]:
    """Tables that the source does not make as the fixups do, though nothing was refused.

    Where something was, what follows from it for other tables could not be told from the rest.
    """
    differing = _differing(made.before.wanted, made.after.models) - unstable
    for key in sorted(differing & made.before.wanted.keys()) if not made.models.refusals else ():
        lines = "; ".join(_lines(key, made.before.wanted, made.after.models))
        path, line = made.models.settings_path, 1
        with suppress(Unclear):
            place = made.models.table(key)
            path, line = place.file.path, place.line
        reason = f"{key} is not what the fixups make of it; change it by hand: {lines}"
        yield Refusal(path, line, "alembic", reason)


def _unread(models: Models) -> Iterator[Refusal]:
    """Files with models, beside the others, that Alembic does not load or Python cannot read."""
    mapped = {one.class_.__module__ for several in models.mappers.values() for one in several}
    folders = {path.parent for path, one in models.modules.items() if one.__name__ in mapped}
    found: set[Path] = set()
    for root in models.paths or folders:
        found |= {root} if root.is_file() else set(root.glob("**/*.py" if models.paths else "*.py"))
    for path in sorted(found):
        if path.resolve() in models.modules or not path.is_file():
            continue  # loaded; or a folder of such a name, an editor's dangling link
        data = path.read_bytes()
        if not any(word in data for word in (b"__tablename__", b"ForeignKey(", b"table=True")):
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            yield Refusal(path, line, BROKEN, f"{type(error).__name__}: {error}")
            continue
        classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
        line = next((one.lineno for one in classes if _is_model(one)), 0)
        if line:
            reason = "env.py does not load this file, so nothing is known of its models"
            yield Refusal(path, line, "alembic", reason)


def _is_model(node: ast.ClassDef) -> bool:
    """Whether a class has a table, as far as a file that is not loaded tells."""
    if any(one.arg == "table" for one in node.keywords):
        return True
    targets = [one.targets[0] for one in node.body if isinstance(one, ast.Assign)]
    return any(isinstance(one, ast.Name) and one.id == "__tablename__" for one in targets)


def codemod_of(fixup: Fixup) -> ModuleType | None:
    """The module with a fixup's codemod, None where it has none."""
    folder = fixup.rewrite.__module__.rpartition(".")[0]
    name = f"{folder}.codemod"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _require_on(only: Collection[str], chosen: Settings, project: Project) -> None:
    on = [fixup.name for fixup, _ in chosen.active]
    with_codemod = [fixup.name for fixup, _ in chosen.active if codemod_of(fixup) is not None]
    if not with_codemod:
        raise ProjectError(
            f"No fixup with a codemod is on in {shown(project.settings_path)}; "
            "`alembic-fixups init` proposes what it can infer."
        )
    for name in only:
        if name not in with_codemod:
            known = name in {fixup.name for fixup in all_fixups()}
            what = "has no codemod" if name in on else "is not on" if known else "is no fixup"
            raise ProjectError(
                f"--fixup {name}: {what}; on in {shown(project.settings_path)} and with a codemod "
                f"are {', '.join(with_codemod)}"
            )


def is_own(name: str) -> bool:
    """Whether a file is the project's, not that of something installed."""
    return not projects._is_installed(str(Path(name).resolve()))


def _written(models: Models) -> list[FileChange]:
    """The files that are others now, with their imports put right."""
    found: list[FileChange] = []
    for path, file in sorted(models.files.items()):
        if not file.touched:
            continue
        imports.settle(file, partial(_imported_elsewhere, file, models))
        try:
            new = file.encoded
        except UnicodeEncodeError as error:
            raise ProjectError(f"{shown(path)}: cannot be encoded: {error}") from error
        if new != file.original:
            found.append(FileChange(path, file.original, new))
    return found


def _imported_elsewhere(file: File, models: Models, names: set[str]) -> set[str]:
    """Those of some names that other files of the project may take from this one."""
    return importers.taken(file, models.modules, names)


def _problem(before: Loaded, after: Loaded, unstable: set[str]) -> str:
    """Why the rewritten files do not make what the fixups make of the models; "" where they do."""
    if after.error:
        return after.error
    if after.mappers and not before.mappers:
        return f"the mappers could not be configured any more: {after.mappers}"
    new = [one for one in after.warnings if one not in before.warnings]
    if new:
        return f"SQLAlchemy would warn: {new[0]}"
    differing = sorted(_differing(before.wanted, after.wanted) - unstable)
    lines = [line for key in differing for line in _lines(key, before.wanted, after.wanted)]
    return f"the models would differ: {'; '.join(lines[:4])}" if differing else ""


def _differing(one: Statements, other: Statements) -> set[str]:
    """The tables that are not the same in both."""
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def _lines(key: str, one: Statements, other: Statements) -> Iterator[str]:
    """What of a table is in the one only, and what in the other only."""
    old, new = one.get(key, []), other.get(key, [])
    yield from (f"{key}: - {line}" for line in old if line not in new)
    yield from (f"{key}: + {line}" for line in new if line not in old)


@cache
def width_of(path: Path) -> int:
    """How long a line may be, as the files above one tell ruff or black; 88 where none does."""
    for folder in path.parents:
        for name in (".ruff.toml", "ruff.toml", "pyproject.toml"):
            width = _width_in(folder / name)
            if width is not None:
                return width
        if (folder / "pyproject.toml").is_file():
            break
    return 88


def _width_in(file: Path) -> int | None:
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    tool = given.get("tool", {})
    tables = (
        [given] if file.name != "pyproject.toml" else [tool.get("ruff", {}), tool.get("black", {})]
    )
    widths = (table.get("line-length") for table in tables)
    return next((width for width in widths if isinstance(width, int)), None)
