"""When revisions were made."""

from __future__ import annotations

import calendar
import re
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from alembic.script import Script

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown

_CREATE_DATE = re.compile(r"^\s*Create Date:\s*(\d{4}-\d\d-\d\d)", re.MULTILINE)
# Ends where the digits end: the id of a revision may begin with eight of them.
_FILE_DATE = re.compile(r"(20\d\d)([-_]?)(\d\d)\2(\d\d)(?:T?\d+)?(?![^\W_])")


def made_on(revision: Script) -> date | None:
    """The day a revision says it was made on.

    That is ``Create Date:`` in its docstring, else a date at the start of its file's name, else
    None.
    """
    in_docstring = _CREATE_DATE.search(revision.longdoc)
    in_name = _FILE_DATE.match(Path(revision.path).name)
    written = [in_docstring.group(1)] if in_docstring else []
    if in_name:
        written.append("-".join(in_name.group(1, 3, 4)))
    for day in written:
        try:
            return date.fromisoformat(day)
        except ValueError:
            continue  # digits that are no day
    return None


def days(revisions: Sequence[Script]) -> list[date]:
    """The days that revisions were made on, by their files or else by git.

    Raises:
        ProjectError: nothing says when one was made.
    """
    found = [made_on(revision) for revision in revisions]
    without = [revision for revision, day in zip(revisions, found, strict=True) if day is None]
    added = _added(without) if without else {}
    for one in without:
        if Path(one.path) not in added:
            raise ProjectError(
                f"{shown(one.path)}: nothing says when it was made: no `Create Date:` in its "
                "docstring, no date at the start of its name, no commit of git's that adds it. "
                "Name the target with --to, or how many revisions stay with --keep alone."
            )
    return [
        day or added[Path(revision.path)] for revision, day in zip(revisions, found, strict=True)
    ]


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or the last of it where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _added(revisions: Sequence[Script]) -> dict[Path, date]:
    """When git first saw files of these names; empty where it cannot say."""
    folders = sorted({str(Path(one.path).parent) for one in revisions})
    git = ["git", "-C", folders[0], "-c", "core.quotePath=false"]
    log = "log --no-renames --no-relative --diff-filter=A --name-only --date=short --format=%x00%ad"
    try:
        top, commits = (
            subprocess.run(
                [*git, *command], capture_output=True, check=True, errors="surrogateescape"
            ).stdout
            for command in (["rev-parse", "--show-toplevel"], [*log.split(), "--", *folders])
        )
    except (OSError, subprocess.CalledProcessError):
        return {}
    added: dict[Path, date] = {}
    for commit in commits.split("\0")[1:]:  # the newest first: the oldest is what remains
        day, *names = commit.splitlines()
        added.update((Path(top.strip(), name), date.fromisoformat(day)) for name in names if name)
    return added
