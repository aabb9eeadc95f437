"""``alembic-fixups init``: the plugin's name into env.py, its settings into pyproject.toml."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from alembic_fixups import settings
from alembic_fixups.env_edit import edit_env
from alembic_fixups.fixups import all_fixups
from alembic_fixups.project import Project, ProjectError, models, read_bytes
from alembic_fixups.report import Refused
from alembic_fixups.settings import shown
from alembic_fixups.settings_edit import Values, edit_settings
from alembic_fixups.target import Target, UnresolvedReference

if TYPE_CHECKING:
    from rich.console import Console


_ANY_VERSION = 18
"""Of PostgreSQL: what can be inferred does not depend on it."""


@dataclass(frozen=True)
class Change:
    """A file as it is, and as it should be."""

    path: Path
    old: bytes
    new: bytes


def run(project: Project, console: Console, *, assume_yes: bool, dry_run: bool) -> int:
    """Shows the changes, and makes them where that is wanted.

    Gives the exit code: 0 where everything is in place afterwards, 1 where something is left to do.

    Raises:
        ProjectError: env.py, the models or the settings file cannot be worked on.
        SettingsError: there are settings already, and they are no good.
    """
    path = project.settings_path
    env = read_bytes(project.env_py)
    edit = edit_env(env, project.env_py)
    proposed = infer(project)
    toml = read_bytes(path) if path.exists() else b""
    changes = [
        change
        for change in (
            Change(project.env_py, env, edit.source),
            Change(path, toml, edit_settings(toml, _tables(proposed), path)),
        )
        if change.old != change.new
    ]

    for change in changes:
        _show(change, console)
    for name, table in proposed.items():
        if isinstance(table, str) and table:
            console.print(f"{name}: {table}")
    _say(edit.left, project, console)
    wanted = not changes or _is_wanted(console, assume_yes=assume_yes, dry_run=dry_run)
    if wanted:
        for change in changes:
            _require_writable(change.path)
        for change in changes:
            _write(change)
            console.print(f"Wrote {shown(change.path)}", style="green")
    _say(edit.notes, project, console)
    if not wanted:
        return 1
    if not changes and not edit.left and not edit.notes:
        console.print("Everything is in place already.")
    return int(bool(edit.left))


def _say(places: list[tuple[int, str]], project: Project, console: Console) -> None:
    for line, reason in places:
        console.print(f"{shown(project.env_py)}:{line}: {reason}", style="yellow")


def infer(project: Project) -> dict[str, Values | str]:
    """What each fixup without settings proposes for the project's models.

    Where it proposes nothing, its hint for somebody who wants it all the same.

    Raises:
        ProjectError: the models cannot be loaded, or refer to what is not there.
        SettingsError: there are settings already, and they are no good.
    """
    active = dict(settings.load(settings.path_for(project.config)).active)
    target = Target(models(project))
    proposed: dict[str, Values | str] = {}
    try:
        for fixup in all_fixups():
            chosen = active.get(fixup)
            if chosen is None:
                inferred = fixup.infer(target)
                proposed[fixup.name] = fixup.hint(target) if inferred is None else inferred
                chosen = None if inferred is None else fixup.settings.model_validate(inferred)
            if chosen is not None:
                # Those after it see the models as it leaves them.
                fixup.rewrite(target, chosen, _ANY_VERSION)
    except (UnresolvedReference, Refused) as error:
        raise ProjectError(str(error)) from error
    return proposed


def _tables(proposed: Mapping[str, Values | str]) -> dict[str, Values]:
    return {name: table for name, table in proposed.items() if not isinstance(table, str)}


def _show(change: Change, console: Console) -> None:
    from rich.text import Text

    styles = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}
    for line in _diff(change):
        style = next((style for mark, style in styles.items() if line.startswith(mark)), "")
        console.print(Text(line, style=style), soft_wrap=True)
    console.print()


def _diff(change: Change) -> Iterator[str]:
    old, new = (text.decode(errors="replace").splitlines() for text in (change.old, change.new))
    path = shown(change.path)
    return difflib.unified_diff(old, new, path if old else os.devnull, path, lineterm="")


def _is_wanted(console: Console, *, assume_yes: bool, dry_run: bool) -> bool:
    if dry_run:
        console.print("Nothing written (--dry-run).")
        return False
    if assume_yes:
        return True
    if not sys.stdin.isatty():
        console.print("Nothing written: no terminal to ask on. Run again with --yes.")
        return False
    return bool(typer.confirm("Apply?"))


def _require_writable(path: Path) -> None:
    """Stops before a file that somebody protected; to put another in its place, that is no bar."""
    if path.exists() and not (path.stat().st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise ProjectError(f"{shown(path)}: is read-only; nothing was written.")


def _write(change: Change) -> None:
    """Puts the new file in the place of the old one at once; mode and symbolic links are kept."""
    path = change.path.resolve()
    # Made by open(), a new file has the mode that the umask gives it.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(change.new)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ProjectError(f"{shown(path)}: cannot be written: {error.strerror}") from error
