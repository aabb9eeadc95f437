"""What a command that was killed has left beside the project's revisions."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path, PurePosixPath

from alembic.script import ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash import manifest, trees
from alembic_fixups.squash.manifest import FILES, Manifest
from alembic_fixups.squash.places import Place, places


def clear_leftovers(script: ScriptDirectory) -> list[str]:
    """Removes what commands that were killed have left, but for those still at work.

    Only what is also elsewhere is removed: copies, and archives of squashes that did not happen.

    Args:
        script: the project's revisions.

    Returns:
        A line for each thing that was removed.
    """
    cleared = []
    for place in places(script):
        with suppress(ProjectError), place.locked():
            cleared += sweep(place)
    return cleared


def sweep(place: Place) -> list[str]:
    """Does that for one place, whose lock is held; gives the lines."""
    cleared = []
    stuck = False
    for folder, token in place.all_hidden():
        if place.marker(token).is_dir() or not _has_its_own(place, folder):
            cleared.append(f"{shown(folder)}: removed, a copy that a command had left")
            stuck |= not trees.remove(folder)
        else:
            stuck = True
    for marker, _ in place.all_markers():
        if not stuck and trees.remove(marker):
            cleared.append(f"{shown(marker)}: removed, an archive that was not finished")
    for folder, stored in readable(place):
        if not stuck and _did_not_happen(folder, stored):
            discard(place, folder)
            cleared.append(f"{shown(folder)}: removed, the archive of a squash that did not happen")
    with suppress(OSError):
        place.archives.rmdir()  # the last one was removed
    return cleared


def discard(place: Place, folder: Path) -> None:
    """Removes an archive; half of it is never left under its name."""
    marker = place.marker(secrets.token_hex(4))
    os.rename(folder, marker)
    trees.remove(marker)


def readable(place: Place) -> list[tuple[Path, Manifest]]:
    """The archives of a place whose manifest is whole."""
    found = []
    for folder in manifest.archives(place.archives):
        with suppress(ProjectError):
            found.append((folder, manifest.read(folder)))
    return found


def _did_not_happen(folder: Path, stored: Manifest) -> bool:
    """Whether all that an archive has is where it was before, and no snapshot with it."""
    unit = stored.unit_of(folder)
    return stored.in_force and all(
        (unit / one.path).is_file() and trees.digest(unit / one.path) == one.sha256
        for one in stored.revisions
    )


def _has_its_own(place: Place, folder: Path) -> bool:
    """Whether a folder has a file that neither the unit nor an archive has.

    It may be the copy before the exchange or what was in the place before it.
    """
    sums: set[str] = set()
    sources: set[PurePosixPath] = set()
    for archive, stored in readable(place):
        sums.add(stored.snapshot.sha256)
        for path in trees.walk(archive / FILES):
            sums.add(trees.digest(archive / FILES / path))
            sources.add(trees.source_of(path))
    for path in trees.walk(folder):
        file, twin = folder / path, place.unit / path
        if file.is_symlink():
            elsewhere = twin.is_symlink() and os.readlink(file) == os.readlink(twin)
        elif trees.CACHE in path.parts and trees.source_of(path) != path:
            source = trees.source_of(path)
            elsewhere = source in sources or (place.unit / source).exists() or twin.exists()
        else:
            elsewhere = trees.digest(file) in sums or (
                twin.is_file() and trees.digest(twin) == trees.digest(file)
            )
        if not elsewhere:
            return True
    return False
