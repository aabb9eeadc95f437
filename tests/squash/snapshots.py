"""Snapshots of databases that need no history, in a project of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from alembic_fixups import project, scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import description, dump, proof, snapshot
from alembic_fixups.squash.fingerprint import Fingerprint
from alembic_fixups.squash.history import Range
from alembic_fixups.squash.snapshot import Content
from alembic_fixups.squash.version_table import VersionTable, stamp
from tests.projects import Project


@dataclass(frozen=True)
class Source:
    """A database that a snapshot is taken of.

    Attributes:
        server: where it is.
        url: the database.
        roles: the roles that the server had before.
        table: Alembic's own table in it.
    """

    server: Server
    url: URL
    roles: frozenset[str]
    table: VersionTable = ("public", "alembic_version")


def write(source: Source, folder: Path, revision: str = "r1") -> tuple[Project, Content]:
    """Writes a project whose one revision is the snapshot of *source*; its database is *source*.

    As the squash command writes it: read, described, put into Python.
    """
    with scratch.connect(source.url) as connection:
        stamp(connection, source.table, [revision])
        bindir = dump.tools(source.server)
        fingerprint = Fingerprint.take(source.server, source.url, bindir, source.table)
        content = snapshot.read(
            connection,
            dump.entries(source.url, bindir),
            source.table,
            source.url.username or "",
            source.roles,
        )
    look = description.look(
        fingerprint.objects, fingerprint.also, fingerprint.postgresql, source.table
    )
    made = Project.make(folder, source.url, "metadata = MetaData()")
    path = folder / "migrations" / "versions" / "snapshot.py"
    path.write_text(f"revision, down_revision = {revision!r}, None\n")
    script = project.load([str(folder / "alembic.ini")]).script
    range_ = Range(revision, (revision,), (), (), ())
    version = str(fingerprint.postgresql)
    path.write_text(
        snapshot.write(content, range_, script, look, version, "archive"), encoding="utf-8"
    )
    return made, content


def differences(source: Source, server: Server, url: URL) -> list[str]:
    """What is not the same in the database at *url*: schema, rows, positions."""
    names = ("the source", "the snapshot's")
    states = proof.state(source.server, source.url), proof.state(server, url)
    return proof.differences(*states, names=names)
