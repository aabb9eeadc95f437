"""What lies in an archive: the file beside the archived revisions that says what they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from alembic.script import ScriptDirectory
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError, with_config

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown
from alembic_fixups.squash.places import places, version_locations
from alembic_fixups.squash.trees import digest

FILES = "files"
SNAPSHOT = "snapshot"
NAME = "manifest.json"
_CATALOG = "catalog.json"
_README = "README.txt"
_WAY_OUT = "Get the file back from version control; or, without it, remove its folder."
_README_TEXT = """\
Alembic revisions that were folded into the snapshot revision {target}; Alembic does not load them.
To put everything back as it was: alembic-fixups squash --undo
For a database that is at one of these revisions, before the snapshot: alembic-fixups adopt
"""


def _below(path: str) -> str:
    """Refuses a path that leads out of the folder it starts from."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or path in ("", "."):
        raise ValueError(f"{path!r} does not stay below its folder")
    return path


_Below = Annotated[str, AfterValidator(_below)]


@dataclass(frozen=True)
class Archived:
    """The file of a revision.

    Attributes:
        id: the revision.
        path: the file, relative to the unit, with slashes.
        sha256: the checksum of its bytes.
    """

    id: str
    path: _Below
    sha256: str


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        target: the id of the snapshot, which is that of the last revision.
        revisions: the archived ones, each after those that it needs.
        down_revision: what the snapshot stands on.
        unit: the folder that the files were in, relative to the archive, with slashes.
        snapshot: the snapshot's file.
        versions: what the squash was made with: alembic, postgresql and so on.
        catalog: the database at the target, as the caller compares it.
        files: the checksums of the other files that were beside the revisions, by path.
        in_force: whether the snapshot was put in their place; not with ``--keep-files``.
    """

    target: str
    revisions: tuple[Archived, ...]
    down_revision: tuple[str, ...]
    unit: str
    snapshot: Archived
    versions: dict[str, str]
    catalog: Any
    files: dict[_Below, str] = field(default_factory=dict)
    in_force: bool = True

    def unit_of(self, folder: Path) -> Path:
        """The folder that the files were in, where *folder* is the archive."""
        return (folder / self.unit).resolve()

    def in_place(self, folder: Path) -> bool:
        """Whether the snapshot, as written or edited since, stands where it was put."""
        path = self.unit_of(folder) / self.snapshot.path
        if not self.in_force or not path.is_file():
            return False
        folded = (one.sha256 for one in self.revisions if one.path == self.snapshot.path)
        return digest(path) != next(folded, "")

    def holds(self, other: Manifest) -> bool:
        """Whether the other's snapshot was folded again, into this one's."""
        return any(
            one.id == other.target
            # With one id for both only the bytes tell which of them was folded into which.
            and (self.target != other.target or one.sha256 == other.snapshot.sha256)
            for one in self.revisions
        )


@dataclass(frozen=True)
class _Stored:
    """The manifest as it is in its file, the catalog aside in one of its own."""

    format: Literal[1]
    catalog_sha256: str
    manifest: dict[str, Any]


_STORED = TypeAdapter(_Stored)
_MANIFEST = TypeAdapter(Manifest)


def write(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest, the catalog and the note for a reader into an archive."""
    document = asdict(manifest)
    catalog = json.dumps(document.pop("catalog"), indent=1, ensure_ascii=False) + "\n"
    (folder / _CATALOG).write_text(catalog, encoding="utf-8")
    stored = _Stored(1, hashlib.sha256(catalog.encode()).hexdigest(), document)
    text = json.dumps(asdict(stored), indent=2, ensure_ascii=False) + "\n"
    (folder / NAME).write_text(text, encoding="utf-8")
    (folder / _README).write_text(_README_TEXT.format(target=manifest.target), encoding="utf-8")


def read(folder: Path) -> Manifest:
    """Reads the manifest of an archive.

    Raises:
        ProjectError: a file is missing, damaged, or of a kind that this version does not know.
    """
    path = folder / NAME
    try:
        stored = _STORED.validate_json(path.read_bytes())
        path = folder / _CATALOG
        catalog = path.read_bytes()
        if hashlib.sha256(catalog).hexdigest() != stored.catalog_sha256:
            raise ProjectError(f"{shown(path)}: changed since the squash. {_WAY_OUT}")
        path = folder / NAME
        return _MANIFEST.validate_python({**stored.manifest, "catalog": json.loads(catalog)})
    except OSError as error:
        raise ProjectError(
            f"{shown(path)}: cannot be read: {error.strerror}. {_WAY_OUT}"
        ) from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(key) for key in problem["loc"])
        raise ProjectError(
            f"{shown(path)}: no manifest that this version of alembic-fixups knows: "
            f"{where or 'JSON'}: {problem['msg']}. {_WAY_OUT}"
        ) from error


def archives(folder: Path) -> Iterator[Path]:
    """The archives in a folder of them."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.startswith(".") and (path / NAME).exists():
            yield path


def manifests(script: ScriptDirectory) -> list[tuple[Path, Manifest]]:
    """The squashes of a project that are in force, each with its archive.

    A squash whose snapshot was folded again comes after the one that has it; of others the one
    that is nearer to the heads comes first.

    Raises:
        ProjectError: a manifest is damaged.
        CommandError: Alembic finds something wrong with the revisions.
    """
    locations = version_locations(script)
    found = [
        (folder, manifest)
        for place in places(script)
        for folder in archives(place.archives)
        if (manifest := read(folder)).in_force
        and any(location.is_relative_to(manifest.unit_of(folder)) for location in locations)
    ]
    order = {revision.revision: number for number, revision in enumerate(script.walk_revisions())}
    found.sort(key=lambda one: order.get(one[1].target, len(order)))

    listed = [one for one in found if one[1].in_place(one[0])]
    outermost = [
        one for one in listed if not any(other[1].holds(one[1]) for other in listed if other != one)
    ]
    ordered = list(outermost)
    for _, manifest in ordered:  # grows meanwhile
        ordered += [one for one in found if one not in ordered and manifest.holds(one[1])]
    return ordered


def check(folder: Path, manifest: Manifest) -> None:
    """Compares the files of an archive with its manifest.

    Raises:
        ProjectError: one is missing or has changed; all of them are named.
    """
    wrong = []
    expected = {one.path: one.sha256 for one in manifest.revisions} | manifest.files
    for path, sha256 in expected.items():
        file = folder / FILES / path
        if not file.is_file():
            wrong.append(f"{shown(file)}: missing")
        elif digest(file) != sha256:
            wrong.append(f"{shown(file)}: changed since the squash")
    if wrong:
        raise ProjectError(
            "\n".join(wrong)
            + "\nThe archive has to be as it was written. Get these files back from version "
            "control, and keep formatters and hooks away from the folder."
        )
