"""Rows from a dump, in the place of made-up ones.

A dump has the rows of the schema that it was taken at. One with the schema in it is restored into
an empty database; of one with the rows alone, the revision that it was taken at is applied first.
Either way the revisions in between run on real rows.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.scratch import Server
from alembic_fixups.settings import shown
from alembic_fixups.squash import dump

_CUSTOM = b"PGDMP"
_PACKED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_ZSTD = b"\x28\xb5\x2f\xfd"
_MAKES_TABLES = re.compile(rb"CREATE (?:UNLOGGED )?TABLE ")
_COPY = re.compile(rb"COPY .* FROM stdin;\s*$")
_OF_VERSIONS = re.compile(
    rb"COPY \S+ \(version_num\) FROM stdin;"
    rb"|INSERT INTO (?:\S+ \(version_num\)|\S*\balembic_version\"?) VALUES"
)
_VERSION = re.compile(rb"\('([^']+)'\)")
_BEYOND = re.compile(
    rb"\\(?!restrict |unrestrict |\.)\S*"
    rb"|(?:CREATE|DROP|ALTER|COMMENT ON) (?:DATABASE|ROLE|USER|TABLESPACE|SUBSCRIPTION)\b"
    rb"|ALTER SYSTEM\b|(?:GRANT|REVOKE) .* ON DATABASE\b",
    re.IGNORECASE,
)
"""What is not for the scratch database alone: psql's own commands, and what is the server's."""


@dataclass(frozen=True)
class Dump:
    """A dump as a script for psql.

    Attributes:
        path: the script.
        given: the file that the user named.
        schema: whether it makes the tables.
        revisions: those that it was taken at, as its version table has them.
    """

    path: Path
    given: Path
    schema: bool
    revisions: tuple[str, ...]


@contextmanager
def opened(path: Path, server: Server) -> Iterator[Dump]:
    """A dump that ``pg_dump`` has written in any of its formats, for a ``with`` block.

    Args:
        path: the dump: a script, also compressed by gzip, an archive, or a folder.
        server: where it is to be restored.

    Raises:
        ProjectError: it cannot be read.
    """
    with TemporaryDirectory(prefix="fixups-") as folder:
        script = Path(folder, "dump.sql")
        try:
            _write_script(path, script, server)
        except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as error:
            raise ProjectError(f"{shown(path)} cannot be read: {error}") from error
        with script.open("rb") as lines:
            schema, revisions = _read(lines, path)
        yield Dump(script, path, schema, revisions)


def load(data: Dump, server: Server, url: URL, upgrade: Callable[[str], None]) -> None:
    """Puts a dump's rows into an empty scratch database, and leaves it at the dump's revisions.

    Args:
        data: the dump.
        server: where the database is.
        url: the database.
        upgrade: applies the project's revisions to it, up to the one that it is given.

    Raises:
        ProjectError: it has no revision, or does not fit the schema.
    """
    if not data.revisions:
        raise ProjectError(
            f"{shown(data.given)} does not say at which revision it was taken: it has no row of "
            "Alembic's version table. Dump that table too."
        )
    if not data.schema:
        for revision in data.revisions:
            upgrade(revision)
        _empty(url)
    done = subprocess.run(
        [dump.tools(server) / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", data.path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # As pg_restore --disable-triggers: the rows were checked where they come from, and a
        # dump of rows alone has them in no order that keeps foreign keys.
        env={**dump.environment(url), "PGOPTIONS": "-c session_replication_role=replica"},
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").replace(f"{data.path}:", "line ").strip()
        if "session_replication_role" in said:
            said += (
                "\nIts rows are in no order that keeps foreign keys, so a superuser has to load "
                "them: take the embedded server, or such a role in --scratch-url."
            )
        raise ProjectError(f"{shown(data.given)} cannot be restored: {said}")
    with scratch.connect(url) as connection:
        connection.execute("ANALYZE")


def _read(lines: BinaryIO, path: Path) -> tuple[bool, tuple[str, ...]]:
    """Whether a script makes tables, and the revisions that it is of.

    Raises:
        ProjectError: it has what is not for one database alone.
    """
    schema = False
    revisions: list[bytes] = []
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        if found := _BEYOND.match(line):
            raise ProjectError(
                f"{shown(path)}, line {number}, has {found[0].decode(errors='replace')}, which "
                "reaches beyond one database, and a real one might be meant. Take a dump without "
                "--create and --clean, by pg_dump and not by pg_dumpall."
            )
        schema = schema or _MAKES_TABLES.match(line) is not None
        of_versions = _OF_VERSIONS.match(line)
        if _COPY.match(line):
            rows = [row.rstrip() for row in _copied(numbered)]
            revisions += rows if of_versions else []
        elif of_versions:
            revisions += _VERSION.findall(line)
            while not line.rstrip().endswith(b";"):
                _, line = next(numbered, (0, b";"))
                revisions += _VERSION.findall(line)
    return schema, tuple(revision.decode(errors="replace") for revision in revisions)


def _copied(numbered: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """The rows of a COPY, as far as its end."""
    for _, line in numbered:
        if line.rstrip() == rb"\.":
            return
        yield line


def _write_script(path: Path, script: Path, server: Server) -> None:
    if path.is_dir() or _begins(path, _CUSTOM) or tarfile.is_tarfile(path):
        done = subprocess.run(
            # What a scratch server lacks: the roles.
            [dump.tools(server) / "pg_restore", "--no-owner", "--no-acl", "-f", script, path],
            capture_output=True,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise ProjectError(f"{shown(path)} cannot be read: {said}")
        return
    with _plain(path) as source, script.open("wb") as target:
        shutil.copyfileobj(source, target)


def _begins(path: Path, with_: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(with_)) == with_


def _plain(path: Path) -> Any:
    if _begins(path, _ZSTD):
        raise ProjectError(f"{shown(path)} is compressed by zstd: unpack it first (zstd -d).")
    opening = (open_ for begin, open_ in _PACKED.items() if _begins(path, begin))
    return next(opening, lambda plain: plain.open("rb"))(path)


_TABLES = """
SELECT string_agg(pg_catalog.format('%I.%I', nspname, relname), ', ')
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relnamespace
 WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                    WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND objid = relation.oid AND deptype = 'e')
"""


def _empty(url: URL) -> None:
    """Takes away what the revisions have inserted: the dump has these rows as well."""
    with scratch.connect(url) as connection:
        [(tables,)] = connection.execute(_TABLES).fetchall()
        if tables:
            connection.execute(f"TRUNCATE {tables}".encode())
