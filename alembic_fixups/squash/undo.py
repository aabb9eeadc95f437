"""Archived revisions come back: for good, or for as long as they are replayed."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from alembic.script import ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash import leftovers, manifest, trees
from alembic_fixups.squash.archive import swap
from alembic_fixups.squash.chain import Chain
from alembic_fixups.squash.manifest import FILES, Manifest
from alembic_fixups.squash.places import Place, place_of

_Archive = tuple[Path, Manifest]


def undo(script: ScriptDirectory) -> Manifest:
    """Takes the newest squash back: its files return, the snapshot and the archive go.

    Revisions that were made since stay.

    Args:
        script: the project's revisions.

    Returns:
        What was taken back.

    Raises:
        ProjectError: there is no squash, the snapshot or the archive has changed, a file would be
            overwritten, or what comes out is not a history; nothing has changed.
        CommandError: Alembic finds something wrong with the revisions.
    """
    found = manifest.manifests(script)
    if not found:
        raise ProjectError(
            f"{shown(script.dir)}: there is no squash to take back: no archive whose snapshot is "
            "among the revisions. Look for a folder that ends in _squashed in version control."
        )
    folder, stored = found[0]
    place = place_of(script, stored.unit_of(folder))
    with place.locked():
        manifest.check(folder, stored)
        _require_untouched(script, place, folder, stored)
        token = secrets.token_hex(4)
        fresh, marker = place.hidden(token), place.marker(token)
        try:
            with trees.explained():
                before = trees.signature(place.unit)
                marker.mkdir()
                _restore(place.unit, fresh, found[:1], caches=script.sourceless)
                _require_history(script, place, fresh, stored)
                trees.settle(fresh, like=place.unit)
                marker.rmdir()
                try:
                    swap(place, fresh, before)
                except ProjectError:
                    if stored.in_place(folder):
                        marker.mkdir()
                    raise
                leftovers.discard(place, folder)
        finally:
            leftovers.sweep(place)
    return stored


@contextmanager
def archived_chain(script: ScriptDirectory, archive: tuple[Path, Manifest]) -> Iterator[Chain]:
    """The old history of a squash, its files from the archive, for the time of a ``with`` block.

    It lies beside the unit, so that revisions find what they read by a path from their own file;
    where nothing can be written there the archive itself is used.

    Args:
        script: the project's revisions.
        archive: one of ``manifests(script)``.

    Raises:
        ProjectError: the archive is not whole, or another command is at work.
    """
    layers = _layers(manifest.manifests(script), archive)
    for folder, stored in layers:
        manifest.check(folder, stored)
    unit = min(
        (stored.unit_of(folder) for folder, stored in layers), key=lambda one: len(one.parts)
    )
    place = place_of(script, unit)
    with place.locked(shared=True):
        token = secrets.token_hex(4)
        marker, copy = place.marker(token), place.hidden(token, "-old")
        try:
            marker.mkdir(parents=True)
        except OSError:  # a deployed application is often read-only
            yield _in_archives(place, layers)
            return
        try:
            with trees.explained():
                _restore(unit, copy, layers, caches=script.sourceless)
            yield Chain(place.moved(copy))
        finally:
            trees.remove(copy)
            trees.remove(marker)


def _layers(found: list[_Archive], archive: _Archive) -> list[_Archive]:
    """The archive, after those that its snapshot was folded into again."""
    layers = [archive]
    while outer := next(
        (one for one in found if one not in layers and one[1].holds(layers[0][1])), None
    ):
        layers.insert(0, outer)
    return layers


def _restore(unit: Path, into: Path, layers: list[_Archive], *, caches: bool) -> None:
    """Copies the unit with the archived revisions in the place of their snapshot."""
    folder, stored = layers[0]
    offset = PurePosixPath(stored.unit_of(folder).relative_to(unit).as_posix())
    trees.copy_tree(unit, into, {offset / stored.snapshot.path}, caches=caches)
    for number, (folder, stored) in enumerate(layers):
        target = into / stored.unit_of(folder).relative_to(unit)
        if number:
            (target / stored.snapshot.path).unlink()
        for one in stored.revisions:
            trees.copy_file(folder / FILES / one.path, target / one.path)
        for path in stored.files:
            if not (target / path).exists():
                trees.copy_file(folder / FILES / path, target / path)


def _in_archives(place: Place, layers: list[_Archive]) -> Chain:
    """The same history, each file where it is."""
    locations, without = list(place.locations), set()
    for (folder, stored), outer in zip(layers, [None, *layers], strict=False):
        unit = stored.unit_of(folder)
        snapshot = unit / stored.snapshot.path
        if outer is not None:
            snapshot = outer[0] / FILES / snapshot.relative_to(outer[1].unit_of(outer[0]))
        without.add(snapshot)
        below = [one.relative_to(unit) for one in place.locations if one.is_relative_to(unit)]
        held = [folder / FILES / location for location in below]
        locations += [location for location in held if location.is_dir()]
    return Chain(tuple(locations), frozenset(without))


def _require_untouched(
    script: ScriptDirectory, place: Place, folder: Path, stored: Manifest
) -> None:
    """Refuses where somebody's work would be lost, or a revision be there twice."""
    snapshot = place.unit / stored.snapshot.path
    if trees.digest(snapshot) != stored.snapshot.sha256:
        raise ProjectError(
            f"{shown(snapshot)}: the snapshot has changed since the squash, and would be lost. Put "
            "the change into a revision of its own and get the snapshot back from version control."
        )
    taken = [
        place.unit / one.path
        for one in stored.revisions
        # What is compiled from the snapshot may have the name of one that was only compiled.
        if str(trees.source_of(PurePosixPath(one.path))) != stored.snapshot.path
        and (place.unit / one.path).exists()
    ]
    present = {one.revision: Path(one.path) for one in script.walk_revisions()}
    taken += [
        present[one.id]
        for one in stored.revisions
        if one.id in present and one.id != stored.target and present[one.id] not in taken
    ]
    if taken:
        raise ProjectError(
            f"{', '.join(shown(path) for path in taken[:5])}: there is a revision with the name or "
            f"the id of one that comes back from {shown(folder)}. Rename or remove it first."
        )


def _require_history(script: ScriptDirectory, place: Place, fresh: Path, stored: Manifest) -> None:
    """Loads what is about to come into force, and compares it with what it ought to be."""
    restored = ScriptDirectory(
        script.dir,
        version_locations=place.moved(fresh),
        sourceless=script.sourceless,
        recursive_version_locations=script.recursive_version_locations,
    )
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        ids = {one.revision for one in restored.walk_revisions()}
        heads = set(restored.get_heads())
    except Exception as error:  # whatever a file of the user's raises
        raise ProjectError(
            f"{shown(place.unit)}: with the archived revisions back it is no history: {error}. "
            "Nothing was done; look at the revisions made since the squash."
        ) from error
    finally:
        sys.dont_write_bytecode = before
    expected = {one.revision for one in script.walk_revisions()}
    expected |= {one.id for one in stored.revisions}
    if ids != expected or heads != set(script.get_heads()):
        raise ProjectError(
            f"{shown(place.unit)}: with the archived revisions back its heads would be "
            f"{', '.join(sorted(heads))} and no longer {', '.join(sorted(script.get_heads()))}. "
            "Nothing was done; look at the revisions made since the squash."
        )
