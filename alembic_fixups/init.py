"""``alembic-fixups init``: the plugin's name into env.py, its settings into pyproject.toml."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from alembic_fixups import settings
from alembic_fixups.env_edit import edit_env
from alembic_fixups.file_change import FileChange, require_writable, show, write
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
            FileChange(project.env_py, env, edit.source),
            FileChange(path, toml, edit_settings(toml, _tables(proposed), path)),
        )
        if change.old != change.new
    ]

    for change in changes:
        show(change, console)
    for name, table in proposed.items():
        if isinstance(table, str) and table:
            console.print(f"{name}: {table}")
    _say(edit.left, project, console)
    wanted = not changes or _is_wanted(console, assume_yes=assume_yes, dry_run=dry_run)
    if wanted:
        for change in changes:
            require_writable(change.path)
        for change in changes:
            write(change)
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
