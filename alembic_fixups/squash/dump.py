"""What ``pg_dump`` says of a database: its text, and the entries of its table of contents."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pgdumplib
from psycopg.pq import Conninfo
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.scratch import Server

_RESTRICT = re.compile(r"^\\(?:un)?restrict .*\n", re.MULTILINE)
"""Newer versions put a random key around a dump (CVE-2025-8714)."""

_VERSIONS = re.compile(r"^-- Dumped (?:from database|by pg_dump) version .*\n", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One entry of an archive's table of contents, as ``pg_restore --list`` names it.

    Attributes:
        description: the kind, such as "TABLE" or "FK CONSTRAINT".
        schema: the schema that it is in, empty where it is in none.
        tag: the name that pg_dump shows; not always enough to tell two apart.
        owner: the role that owns it.
        address: the OIDs of its catalog and its row there; zeros where it has none of its own.
        sql: what makes it, one statement or several.
        drop: what drops it, empty where it goes with something else.
        number: the entry's own number.
        needs: the numbers of the entries that it depends on.
        tablespace: where it is kept, empty for the default.
        access_method: a table's, empty where it has none.
    """

    description: str
    schema: str
    tag: str
    owner: str
    address: tuple[int, int]
    sql: str
    drop: str
    number: int
    needs: tuple[int, ...]
    tablespace: str
    access_method: str


def tools(server: Server) -> Path:
    """The folder of a ``pg_dump`` that can read the server: as new as it, or newer.

    Raises:
        ProjectError: there is none; an older one refuses (manual, pg_dump, Notes).
    """
    found: dict[int, Path] = {}
    on_path = shutil.which("pg_dump")
    for folder in (
        server.bindir,
        *scratch.embedded_bindirs().values(),
        *Path("/usr/lib/postgresql").glob("*/bin"),
        Path(on_path).parent if on_path else None,
    ):
        if folder is not None and all((folder / name).exists() for name in ("pg_dump", "psql")):
            output = subprocess.check_output([folder / "pg_dump", "--version"], text=True)
            version = int(re.findall(r"\d+", output)[0])
            if version >= server.version:
                found.setdefault(version, folder)
    if not found:
        raise ProjectError(
            f"No pg_dump for PostgreSQL {server.version} is installed, and an older one cannot "
            f"read it. Install postgresql-client-{server.version}, or a newer one."
        )
    return found[min(found)]


def schema(url: URL, bindir: Path) -> str:
    """``pg_dump --schema-only`` of a database, without what differs from run to run.

    Raises:
        ProjectError: pg_dump cannot read it.
    """
    text = _run([bindir / "pg_dump", "--schema-only"], url)
    return _VERSIONS.sub("", _RESTRICT.sub("", text))


def canonical(server: Server, url: URL, bindir: Path) -> str:
    """The same, of a copy that has been made from a dump.

    PostgreSQL writes a CHECK or the predicate of an index in other words once it has read its own
    words again; from then on they stay. So two databases are compared as their copies.

    Raises:
        ProjectError: the database cannot be dumped, or its dump not restored.
        ScratchError: no database can be made.
    """
    with copy(server, url, bindir) as restored:
        return schema(restored, bindir)


@contextmanager
def copy(server: Server, url: URL, bindir: Path) -> Iterator[URL]:
    """A database with the same schema, made from a dump, for a ``with`` block; gives its URL.

    Raises:
        ProjectError: the database cannot be dumped, or its dump not restored.
        ScratchError: no database can be made.
    """
    text = _run([bindir / "pg_dump", "--schema-only"], url)
    with scratch.database(server) as target:
        _run([bindir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"], target, text)
        yield target


def entries(url: URL, bindir: Path) -> list[Entry]:
    """The table of contents of a dump of the schema, in the order in which it can be restored.

    Raises:
        ProjectError: pg_dump cannot read it.
    """
    with tempfile.TemporaryDirectory(prefix="fixups-") as folder:
        path = Path(folder) / "archive"
        _run([bindir / "pg_dump", "--schema-only", "-Fc", "-Z0", "-f", path], url)
        archive = pgdumplib.load(path)
        found = archive.entries
        if handle := getattr(archive, "_handle", None):
            handle.close()  # it stays open otherwise
    return [
        Entry(
            description=entry.desc,
            schema=entry.namespace or "",
            tag=entry.tag or "",
            owner=entry.owner or "",
            address=(int(entry.table_oid), int(entry.oid)),
            sql=(entry.defn or "").strip(),
            drop=(entry.drop_stmt or "").strip(),
            number=entry.dump_id,
            needs=tuple(entry.dependencies),
            tablespace=entry.tablespace or "",
            access_method=entry.tableam or "",
        )
        for entry in found
    ]


def environment(url: URL) -> Mapping[str, str]:
    """The environment in which PostgreSQL's own programs connect to *url*, and nowhere else.

    The password is in it, where other users of the machine do not see it.
    """
    _, arguments = url.get_dialect()().create_connect_args(url)
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    given = {variables[key]: str(value) for key, value in arguments.items() if key in variables}
    return {**kept, **given, "PGCLIENTENCODING": "UTF8"}


def _run(command: list[str | Path], url: URL, text: str | None = None) -> str:
    done = subprocess.run(
        [*map(str, command)],
        input=text.encode() if text is not None else b"",
        capture_output=True,
        env=environment(url),
    )
    if done.returncode:
        program = Path(command[0]).name
        said = done.stderr.decode(errors="replace").strip()
        raise ProjectError(f"{program} fails on the scratch database: {said}")
    return done.stdout.decode()
