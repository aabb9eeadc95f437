"""The folded revisions go to an archive, the snapshot comes in their place: in one step.

Whatever a command makes is hidden until it is whole. Where it is killed, the names of what is left
tell the next one (``leftovers``) how far it came:

1. A marker ``.<token>`` in the folder of archives: hidden folders with the token are copies.
2. The archive has its name, the snapshot is not in place: the archive is of no use yet.
3. The folders have changed places: the hidden one has what the archive has.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from alembic.script import ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash import leftovers, manifest, trees
from alembic_fixups.squash.chain import Chain
from alembic_fixups.squash.exchange import can_exchange, exchange, mounted_apart, sync
from alembic_fixups.squash.manifest import FILES, SNAPSHOT, Archived, Manifest
from alembic_fixups.squash.places import Place, place_for

if TYPE_CHECKING:
    from alembic_fixups.squash.history import Range


@dataclass(frozen=True)
class Staged:
    """A squash that is laid out beside the project and changes nothing in it yet.

    Attributes:
        place: where it works.
        range: what it folds.
        token: what its hidden folders have in their names.
        revisions: the files that are archived.
        files: the checksums of the other files that are copied beside them.
        before: the unit as it was when it was copied.
        caches: whether compiled files belong to the history.
        folder: the copy of the unit, without the folded files.
        archive: the archive to be.
        snapshot: where the snapshot has to be written.
        new: the history with the snapshot.
        archived: the old history, the folded files from their archive.
    """

    place: Place
    range: Range
    token: str
    revisions: tuple[Archived, ...]
    files: dict[str, str]
    before: trees.Signature
    caches: bool
    folder: Path
    archive: Path
    snapshot: Path
    new: Chain
    archived: Chain

    @property
    def unit(self) -> Path:
        """The folder that is exchanged."""
        return self.place.unit


@contextmanager
def staged(script: ScriptDirectory, range_: Range, *, keep_files: bool = False) -> Iterator[Staged]:
    """Lays a squash out; nothing of it is left at the end but what was committed.

    Args:
        script: the project's revisions.
        range_: those to fold.
        keep_files: nothing will be exchanged: ``keep`` comes in the place of ``commit``.

    Raises:
        ProjectError: the files cannot be exchanged there, a file cannot be written, or another
            command is at work.
    """
    place, paths = place_for(script, range_, keep_files=keep_files)
    with place.locked():
        try:
            with trees.explained():
                laid_out = _lay_out(script, place, paths, range_, keep_files)
            yield laid_out
        finally:
            leftovers.sweep(place)


def _lay_out(
    script: ScriptDirectory,
    place: Place,
    paths: dict[str, Path],
    range_: Range,
    keep_files: bool,
) -> Staged:
    token = secrets.token_hex(4)
    archive = place.marker(token)
    archive.mkdir(parents=True)
    trees.own(place.archives, like=place.home)
    if not keep_files:
        _require_exchange(place, token)

    before = trees.signature(place.unit) if not keep_files else {}
    relative = {
        id_: PurePosixPath(path.relative_to(place.unit).as_posix()) for id_, path in paths.items()
    }
    others = list(_others(script, place, paths))
    for path in (*relative.values(), *others):
        trees.copy_file(place.unit / path, archive / FILES / path)
    folded = {trees.source_of(path) for path in relative.values()}
    snapshot = trees.source_of(relative[range_.target])

    folder, restored = place.hidden(token, "-new"), place.hidden(token, "-old")
    if keep_files:
        (folder / snapshot).parent.mkdir(parents=True)
        new = Chain(
            (*place.locations, (folder / snapshot).parent), without=frozenset(paths.values())
        )
        archived = Chain(place.locations)
    else:
        for copy in (folder, restored):
            trees.copy_tree(place.unit, copy, folded, caches=script.sourceless)
        for path in relative.values():
            trees.copy_file(archive / FILES / path, restored / path)
        new, archived = Chain(place.moved(folder)), Chain(place.moved(restored))
    return Staged(
        place=place,
        range=range_,
        token=token,
        revisions=tuple(
            Archived(id_, str(path), trees.digest(archive / FILES / path))
            for id_, path in relative.items()
        ),
        files={str(path): trees.digest(archive / FILES / path) for path in others},
        before=before,
        caches=script.sourceless,
        folder=folder,
        archive=archive,
        snapshot=folder / snapshot,
        new=new,
        archived=archived,
    )


def _require_exchange(place: Place, token: str) -> None:
    """Refuses before the long work where the last step would fail."""
    folder = place.hidden(token, "-try")
    folder.mkdir()
    reason = can_exchange(folder)
    folder.rmdir()
    if not reason and mounted_apart(place.unit, place.home):
        reason = "it is a mount point"
    if reason:
        raise ProjectError(
            f"{shown(place.unit)} cannot change places with another folder in one step: {reason}. "
            "Take --keep-files, or move the checkout to another file system."
        )


def _others(
    script: ScriptDirectory, place: Place, paths: dict[str, Path]
) -> Iterator[PurePosixPath]:
    """What revisions may read beside themselves: all that is no revision in their folders."""
    loaded = {Path(one.path) for one in script.walk_revisions()}
    staying = {trees.source_of(PurePosixPath(path)) for path in loaded - set(paths.values())}
    found = {
        location / path
        for location in place.locations
        if any(path.is_relative_to(location) for path in paths.values())
        for path in trees.walk(location)
        if trees.CACHE not in path.parts
    }
    for file in sorted(found - loaded):
        source = trees.source_of(PurePosixPath(file))
        if file.is_file() and file.resolve() not in loaded and source not in staying:
            yield PurePosixPath(file.relative_to(place.unit).as_posix())


def describe(staged: Staged, versions: dict[str, str], catalog: Any) -> Manifest:
    """The manifest of a squash whose snapshot is written.

    Args:
        staged: the squash.
        versions: what it was made with: alembic, postgresql and so on.
        catalog: the database at the target, as a value that JSON can hold.
    """
    place = staged.place
    snapshot = staged.snapshot
    return Manifest(
        target=staged.range.target,
        revisions=staged.revisions,
        down_revision=tuple(staged.range.down_revision),
        unit=Path(os.path.relpath(place.unit, staged.archive)).as_posix(),
        snapshot=Archived(
            staged.range.target,
            snapshot.relative_to(staged.folder).as_posix(),
            trees.digest(snapshot),
        ),
        versions=versions,
        catalog=catalog,
        files=staged.files,
    )


def commit(staged: Staged, described: Manifest) -> Path:
    """Puts the snapshot in the place of the folded revisions.

    Args:
        staged: the squash, with its snapshot written.
        described: its manifest.

    Returns:
        The archive.

    Raises:
        ProjectError: the folder has changed since it was copied, or the exchange does not work;
            the project is as it was.
    """
    place, path = staged.place, staged.snapshot.relative_to(staged.folder)
    with trees.explained():
        manifest.write(staged.archive, described)
        # A fresh copy: what the revisions wrote beside themselves while they ran is left out.
        fresh = place.hidden(staged.token)
        folded = {trees.source_of(PurePosixPath(one.path)) for one in staged.revisions}
        trees.copy_tree(place.unit, fresh, folded, caches=staged.caches)
        shutil.copyfile(staged.snapshot, fresh / path)
        shutil.copymode(staged.archive / FILES / staged.revisions[-1].path, fresh / path)
        trees.settle(fresh, like=place.unit)
        trees.settle(staged.archive, like=place.unit)
        for folder in (staged.folder, place.hidden(staged.token, "-old")):
            trees.remove(folder)

        _discard_kept(place, described.target)
        final = place.archive(described.target)
        os.rename(staged.archive, final)
        sync(place.archives)
        try:
            swap(place, fresh, staged.before)
        except ProjectError:
            if not described.in_place(final):
                os.rename(final, staged.archive)
            raise
    return final


def swap(place: Place, fresh: Path, before: trees.Signature) -> None:
    """Lets a folder take the unit's place, and removes what was there.

    Raises:
        ProjectError: the exchange does not work, or the unit is not as it was *before*; nothing
            has changed.
    """
    _require_unchanged(place, place.unit, before)
    exchange(place.unit, fresh)
    try:
        _require_unchanged(place, fresh, before)
    except ProjectError:  # somebody wrote at the very last moment
        exchange(place.unit, fresh)
        raise
    trees.remove(fresh)


def _require_unchanged(place: Place, folder: Path, before: trees.Signature) -> None:
    now = trees.signature(folder)
    changed = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
    if changed:
        names = ", ".join(shown(place.unit / path) for path in changed[:5])
        raise ProjectError(
            f"{names}: changed while this command was at work. Nothing was done; run it again."
        )


def keep(staged: Staged, described: Manifest) -> Path:
    """Leaves the snapshot in an archive that is not in force, for review.

    Args:
        staged: the squash, laid out with ``keep_files``.
        described: its manifest.

    Returns:
        The snapshot's file.

    Raises:
        ProjectError: a file cannot be written.
    """
    place = staged.place
    with trees.explained():
        trees.copy_file(staged.snapshot, staged.archive / SNAPSHOT / staged.snapshot.name)
        manifest.write(staged.archive, replace(described, in_force=False))
        trees.settle(staged.archive, like=place.beside)
        _discard_kept(place, described.target)
        final = place.archive(described.target)
        os.rename(staged.archive, final)
        sync(place.archives)
    return final / SNAPSHOT / staged.snapshot.name


def _discard_kept(place: Place, target: str) -> None:
    """Removes what ``keep`` left of the same squash."""
    for folder, stored in leftovers.readable(place):
        if not stored.in_force and stored.target == target:
            leftovers.discard(place, folder)
