"""Folders of revision files: what is in them, and copies that keep all of it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash.exchange import sync

CACHE = "__pycache__"
_CACHED = re.compile(r"(?P<name>.+)\.[\w-]+(?:\.opt-\w+)?\.py[co]")

Signature = dict[PurePosixPath, tuple[int, int, int]]


def source_of(path: PurePosixPath) -> PurePosixPath:
    """The Python file that a path is compiled from; any other path as it is.

    ``importlib.util.source_from_cache`` does not take a name with more dots.
    """
    cached = _CACHED.fullmatch(path.name)
    if path.parent.name == CACHE and cached:
        return path.parent.parent / f"{cached['name']}.py"
    return path.with_suffix(".py") if path.suffix in (".pyc", ".pyo") else path


def walk(folder: Path) -> Iterator[PurePosixPath]:
    """Every file and every link below a folder, relative to it, in a fixed order."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        here = PurePosixPath(Path(root).relative_to(folder).as_posix())
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield here / name


def signature(folder: Path) -> Signature:
    """What tells whether somebody has changed a folder; compiled files do not count."""
    found: Signature = {}
    for path in walk(folder):
        if CACHE not in path.parts:
            status = (folder / path).lstat()
            found[path] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_tree(
    source: Path, target: Path, without: Collection[PurePosixPath], *, caches: bool
) -> None:
    """Copies a folder with modes and times; links stay links.

    Args:
        source: the folder.
        target: where to, not there yet.
        without: files to leave out, with what is compiled from them.
        caches: whether ``__pycache__`` comes along, as it has to where Alembic loads from it.
    """

    def ignore(folder: str, names: list[str]) -> set[str]:
        here = PurePosixPath(Path(folder).relative_to(source).as_posix())
        return {
            name
            for name in names
            if (name == CACHE and not caches) or source_of(here / name) in without
        }

    shutil.copytree(source, target, symlinks=True, ignore=ignore)


def copy_file(source: Path, target: Path) -> None:
    """Copies a file with its mode and time into a folder that is made for it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def settle(folder: Path, like: Path) -> None:
    """Makes a copy ready to take a place: on disk, and owned as *like* is.

    Without that a run as root, as in a container, would lock the user out of the folder.
    """
    for root, _, files in os.walk(folder):
        for path in (*(Path(root) / name for name in files), Path(root)):
            own(path, like)
            if not path.is_symlink():
                sync(path)


def own(path: Path, like: Path) -> None:
    """Gives a file to the owner of another one, which only root can."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def remove(folder: Path) -> bool:
    """Removes a folder as far as that can be done; gives whether it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


@contextmanager
def explained() -> Iterator[None]:
    """What the operating system refuses, as a message about the file."""
    try:
        yield
    except shutil.Error as error:  # one entry for each file of a folder
        path, _, reason = error.args[0][0]
        raise ProjectError(f"{shown(path)}: {reason}") from error
    except OSError as error:
        raise ProjectError(
            f"{shown(error.filename2 or error.filename or '.')}: {error.strerror}. See to it and "
            "run this again."
        ) from error
