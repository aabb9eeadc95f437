"""Where the files of a squash lie: the folder that is exchanged, and what comes beside it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.script import Script, ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from alembic_fixups.squash.history import Range

_LONGEST_NAME = 64
_TOKEN = "[0-9a-f]{8}"
_ROOT_FILES = (".git", "alembic.ini", "pyproject.toml")


@dataclass(frozen=True)
class Place:
    """Where a squash works.

    Attributes:
        unit: the folder that the paths of the manifest start from, and that is exchanged.
        beside: the folder that gives the others their name: *unit*, but where that is never
            exchanged the version location of the snapshot.
        locations: the project's version locations, links resolved.
        home: the folder where Alembic loads nothing from, for all that is made.
    """

    unit: Path
    beside: Path
    locations: tuple[Path, ...]
    home: Path

    @property
    def archives(self) -> Path:
        """The folder with an archive for each squash."""
        return self.home / f"{self.beside.name}_squashed"

    def hidden(self, token: str, part: str = "") -> Path:
        """A folder for the time of a command; beside *unit*, so that ``..`` leads to the same."""
        return self.home / f".{self.beside.name}-squash-{token}{part}"

    def marker(self, token: str) -> Path:
        """The folder that is there for as long as hidden ones with the token are only copies."""
        return self.archives / f".{token}"

    def all_hidden(self) -> list[tuple[Path, str]]:
        """The hidden folders there are, each with its token."""
        name = re.compile(rf"\.{re.escape(self.beside.name)}-squash-({_TOKEN})(?:-[a-z]+)?")
        return _named(self.home, name)

    def all_markers(self) -> list[tuple[Path, str]]:
        """The markers there are, each with its token."""
        return _named(self.archives, re.compile(rf"\.({_TOKEN})"))

    def moved(self, folder: Path) -> tuple[Path, ...]:
        """The version locations where *folder* is in the place of *unit*."""
        return tuple(
            folder / location.relative_to(self.unit)
            if location.is_relative_to(self.unit)
            else location
            for location in self.locations
        )

    def archive(self, target: str) -> Path:
        """A folder for the archive of a squash, not there yet."""
        name = _folder_name(target)
        number, folder = 1, self.archives / name
        while folder.exists():
            number += 1
            folder = self.archives / f"{name}-{number}"
        return folder

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Keeps other commands out, or with *shared* those that write.

        Raises:
            ProjectError: another one is at work.
        """
        descriptor = os.open(self.home, os.O_RDONLY)
        try:
            try:
                fcntl.flock(
                    descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
                )
            except BlockingIOError as error:
                raise ProjectError(
                    f"{shown(self.home)}: another alembic-fixups is at work on these revisions. "
                    "Wait until it has ended."
                ) from error
            except OSError:
                pass  # a file system without locks on folders, as NFS is
            yield
        finally:
            os.close(descriptor)


def version_locations(script: ScriptDirectory) -> tuple[Path, ...]:
    """The version locations of a project, links resolved, each once."""
    return tuple(dict.fromkeys(Path(path).resolve() for path in script._version_locations))


def place_for(
    script: ScriptDirectory, range_: Range, *, keep_files: bool = False
) -> tuple[Place, dict[str, Path]]:
    """Where a range is folded.

    Args:
        script: the project's revisions.
        range_: the revisions that are folded.
        keep_files: nothing is exchanged.

    Returns:
        The place, and the file of each revision.

    Raises:
        ProjectError: the files cannot be exchanged there.
    """
    locations = version_locations(script)
    files = {id_: Path(script.get_revision(id_).path) for id_ in range_.revisions}
    holding = _holding(script, locations, files)
    own = sorted(set(holding.values()))
    unit = Path(os.path.commonpath(own))
    if not keep_files and unit not in locations:
        _require_own_folder(unit, own)
    beside = holding[range_.target] if keep_files else unit
    place = place_of(script, unit, beside)
    if any(location.is_relative_to(place.archives) for location in locations):
        raise ProjectError(
            f"{shown(place.archives)}, where the archive would come, is a version location or has "
            "one in it, so Alembic would load the archive. Give it another name."
        )
    return place, files


def place_of(script: ScriptDirectory, unit: Path, beside: Path | None = None) -> Place:
    """The place of a folder that is exchanged.

    Raises:
        ProjectError: Alembic loads from every folder above it.
    """
    locations = version_locations(script)
    beside = beside or unit
    for folder in beside.parents:
        within = (folder, *folder.parents) if script.recursive_version_locations else (folder,)
        if not any(location in within for location in locations):
            return Place(unit, beside, locations, folder)
    raise ProjectError(
        f"{shown(beside)}: Alembic loads revisions from every folder above it, which leaves no "
        "place for an archive. Name a folder further down in version_locations."
    )


def places(script: ScriptDirectory) -> list[Place]:
    """Every place of the project where a squash has left something, finished or not."""
    found = []
    folders = [(folder, *folder.parents[:-1]) for folder in version_locations(script)]
    for folder in dict.fromkeys(folder for above in folders for folder in above):
        with suppress(ProjectError):
            place = place_of(script, folder)
            if place.archives.is_dir() or place.all_hidden():
                found.append(place)
    return found


def _holding(
    script: ScriptDirectory, locations: tuple[Path, ...], files: dict[str, Path]
) -> dict[str, Path]:
    """The version location that each revision is loaded from."""
    ids = {path: id_ for id_, path in files.items()}
    found: dict[str, Path] = {}
    # The outermost last: with recursive_version_locations it loads what is in the others too.
    for location in sorted(locations, key=lambda location: len(location.parts), reverse=True):
        for entry in Script._list_py_dir(script, location) if location.is_dir() else ():
            id_ = ids.get(entry.resolve())
            if id_ is None:
                continue
            if entry != files[id_]:
                raise ProjectError(
                    f"{shown(entry)}: revision {id_} is a symbolic link, which cannot be archived. "
                    "Put the file itself there, or take --keep-files."
                )
            found[id_] = location
    return found


def _require_own_folder(unit: Path, holding: list[Path]) -> None:
    """Refuses to exchange a folder that is more than a home for revisions."""
    reason = next((f"has {name} in it" for name in _ROOT_FILES if (unit / name).exists()), "")
    if not reason and Path.cwd().is_relative_to(unit):
        reason = "is, or is above, the working directory"
    if reason:
        raise ProjectError(
            f"The revisions to fold lie in {', '.join(shown(location) for location in holding)}. "
            f"They can change in one step only together with {shown(unit)}, which {reason}. Take "
            "--keep-files, or name a range whose files lie in one version location."
        )


def _named(folder: Path, name: re.Pattern[str]) -> list[tuple[Path, str]]:
    found = []
    with suppress(FileNotFoundError, PermissionError):
        for path in sorted(folder.iterdir()):
            match = name.fullmatch(path.name)
            if match and path.is_dir() and not path.is_symlink():
                found.append((path, match[1]))
    return found


def _folder_name(id_: str) -> str:
    """The id where that is a safe name for a folder, else as much of it as is."""
    safe = re.sub(r"[^A-Za-z0-9_.]", "_", id_)[:_LONGEST_NAME].lstrip(".") or "_"
    if safe == id_:
        return id_
    return f"{safe}-{hashlib.sha256(id_.encode()).hexdigest()[:8]}"
