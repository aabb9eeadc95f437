"""What git says of the files that a squash changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from alembic.script import ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash.places import version_locations
from alembic_fixups.squash.trees import CACHE

_NAMED = 5
_UNTRACKED = "??"


def require_clean(script: ScriptDirectory) -> None:
    """Refuses a working tree with changes, so that a squash can be seen, and taken back, by itself.

    Changes are those to tracked files, and new files among the revisions. Without git, or outside
    of a repository, nothing is checked.

    Args:
        script: the project's revisions.

    Raises:
        ProjectError: there are changes, or git cannot tell.
    """
    locations = version_locations(script)
    folders = [Path(script.dir).resolve(), *(path for path in locations if path.is_dir())]
    # Most often one; a version location may be a submodule.
    roots = {root for folder in folders if (root := _root(folder))}
    changed = []
    for root in sorted(roots):
        for state, path in _changes(root):
            within = CACHE not in path.parts and any(
                path.is_relative_to(location) for location in locations
            )
            if state != _UNTRACKED or within:
                changed.append(path)
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise ProjectError(
            f"{', '.join(shown(path) for path in changed[:_NAMED])}{more}: not committed. Commit "
            "or stash first, so that the squash is a change of its own, or take --allow-dirty."
        )


def _root(folder: Path) -> Path | None:
    """The working tree that a folder is in."""
    return next((path for path in (folder, *folder.parents) if (path / ".git").exists()), None)


def _changes(root: Path) -> list[tuple[str, Path]]:
    """The two letters of ``git status`` and the file, for each that is not as committed."""
    command = ["git", "--no-optional-locks", "status", "--porcelain=v1", "-z"]
    try:
        done = subprocess.run(
            [*command, "--untracked-files=all"], cwd=root, capture_output=True, check=True
        )
    except FileNotFoundError:  # no git
        return []
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise ProjectError(
            f"{shown(root)}: git does not say what is committed: {said}\nSee to that, or take "
            "--allow-dirty."
        ) from error
    found = []
    entries = iter(done.stdout.decode(errors="surrogateescape").split("\0")[:-1])
    for entry in entries:
        state = entry[:2]
        found.append((state, root / entry[3:]))
        if "R" in state or "C" in state:
            next(entries)  # the name before
    return found
