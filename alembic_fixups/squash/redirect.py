"""Leads every database connection of this process to the scratch database, or stops it.

For the child process of a replay only, before any code of the project is imported: drivers are
patched and the process's audit events heard, for good.

An engine of SQLAlchemy is led there where its dialect calls the driver: below every way of
configuring an engine, and below the project's own ``do_connect`` listeners, which may ask for a
password in the name of the real host. What reaches a driver by another way (``creator=``, a
driver's own ``connect``) is stopped before it connects, unless it names the scratch database.
"""

from __future__ import annotations

import importlib
import multiprocessing.context
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, event
from sqlalchemy.engine.default import DefaultDialect

from alembic_fixups.squash.journal import Journal, command_line

_DRIVERS = {"psycopg", "psycopg2", "asyncpg", "pg8000"}
"""Those of SQLAlchemy's drivers whose own ``connect`` is guarded as well."""

_KEPT = set(
    "options application_name fallback_application_name client_encoding autocommit "
    "prepare_threshold row_factory cursor_factory connection_factory context server_settings "
    "prepared_statement_cache_size prepared_statement_name_func statement_cache_size "
    "max_cached_statement_lifetime max_cacheable_statement_size command_timeout connection_class "
    "record_class".split()
)
"""Arguments that change what a session does, such as its search_path, and not where it is."""

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "database": "PGDATABASE",
    "service": "PGSERVICE",
}

_MAINTENANCE = {"postgres", "template1"}

_BEYOND = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    r"(?P<what>(?:CREATE|DROP)\s+DATABASE|(?:CREATE|ALTER|DROP)\s+TABLESPACE|ALTER\s+SYSTEM"
    r"|CREATE\s+SUBSCRIPTION|IMPORT\s+FOREIGN\s+SCHEMA"
    r"|COPY\b[^;]*?\b(?:FROM|TO)\s+PROGRAM|(?:SELECT|WITH|INSERT|DO)\b.*?\bdblink\w*(?=\s*\()"
    r"|ALTER\s+DATABASE\s+(?P<name>\"(?:[^\"]|\"\")+\"|\w+))(?!\w)",
    re.IGNORECASE | re.DOTALL,
)
"""Statements whose effect is not confined to the database they are executed in."""

_CLIENT = re.compile(
    r"\b(?:psql|pg_dump|pg_dumpall|pg_restore|pg_basebackup|createdb|dropdb|createuser|dropuser"
    r"|vacuumdb|reindexdb|clusterdb|pgbench)\b"
)
_NAMED = re.compile(
    r"(?:^|\s)['\"]?(?:-[hpd]|--(?:host|port|dbname|maintenance-db))|\b(?:host(?:addr)?|port|dbname"
    r"|service)\s*="
)
_PYTHON = re.compile(
    # As a program, not as an argument: `file -b /usr/bin/python3` is what platform.architecture()
    # starts.
    r"(?:^|[;&|(`]\s*|['\"]|\b(?:env|exec|nohup|sudo|xargs|time)\s+)(?:\w+=\S*\s+)*"
    r"(?:[^\s'\";&|]*/)?(?:python[\d.]*|alembic|flask)(?=$|[\s'\"])"
)
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}
_URL = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://")

_WAY_OUT = (
    "It was stopped before it was made, since only what goes through an engine of SQLAlchemy can "
    "be led to the scratch database: use op.get_bind(), and an engine without creator=, "
    "async_creator= or a pool= of its own."
)

_let = ContextVar("_let", default=False)
"""Set where a connection that may be made is being made: its sockets may be opened."""


@dataclass(frozen=True)
class _Place:
    """Where a connection leads, as far as a driver is told; texts, empty where it is not."""

    host: str
    hostaddr: str
    port: str
    database: str
    service: str

    def __str__(self) -> str:
        if self.service:
            return f"service {self.service}"
        return f"{self.host or self.hostaddr or '(local)'}:{self.port}/{self.database}"

    @classmethod
    def of(cls, given: Mapping[str, Any], environment: Mapping[str, str]) -> _Place:
        """What a driver's arguments name, with the environment for what they leave open."""
        named = {**given}
        named["database"] = given.get("dbname") or given.get("database")
        values = {
            key: _text(named.get(key)) or environment.get(variable, "")
            for key, variable in _VARIABLES.items()
        }
        return cls(**{**values, "port": values["port"] or "5432"})


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


class Redirection:
    """Leads the process's connections to one database, or stops them.

    Args:
        url: the scratch database.
        journal: is told what was stopped, and of other connections over the network.
    """

    def __init__(self, url: URL, journal: Journal) -> None:
        self._url = url
        self._journal = journal
        self._before = dict(os.environ)
        self._scratch = self._place(url)
        self._originals: dict[_Place, None] = {}

    def lead_to(self, url: URL) -> None:
        """Leads the connections that are made from here on to another scratch database."""
        self._url = url
        self._scratch = self._place(url)
        self._set_environment()

    def _place(self, url: URL) -> _Place:
        arguments = _arguments_of(url, "psycopg")
        # PGHOSTADDR and PGSERVICE would be stronger than a host that the URL names.
        return _Place.of(arguments, {} if "host" in arguments else self._before)

    def install(self) -> None:
        """Begins; there is no end to it but the process's."""
        self._set_environment()
        self._patch_dialects()
        self._patch_psycopg()
        _patch("psycopg2", self._patch_psycopg2)
        _patch("asyncpg.connect_utils", self._patch_asyncpg)
        self._patch_programs()
        event.listen(Engine, "before_cursor_execute", self._require_inside)
        sys.addaudithook(self._hear)

    def _set_environment(self) -> None:
        """For libpq's defaults, and for a ``psql`` that the project starts."""
        variables = {_VARIABLES[key]: value for key, value in asdict(self._scratch).items()}
        variables["PGUSER"] = self._url.username or os.environ.get("PGUSER", "")
        variables["PGPASSWORD"] = _text(self._url.password) or os.environ.get("PGPASSWORD", "")
        for variable, value in variables.items():
            if value:
                os.environ[variable] = value
            else:
                os.environ.pop(variable, None)

    def _patch_dialects(self) -> None:
        connect = DefaultDialect.connect

        def redirected(dialect: DefaultDialect, *given: Any, **named: Any) -> Any:
            if dialect.name != "postgresql" or dialect.driver not in _DRIVERS:
                self._journal.stop(
                    f"connects to a database by {dialect.name}+{dialect.driver}, which cannot be "
                    "led to the scratch database; that is possible for PostgreSQL through "
                    f"{', '.join(sorted(_DRIVERS))}."
                )
            self._require_one(_Place.of(_expanded(*given, **named), self._before))
            self._set_environment()  # the project may have read an .env file meanwhile
            arguments = _arguments_of(self._url, dialect.driver)
            arguments |= {key: value for key, value in named.items() if key in _KEPT}
            if dialect.is_async:
                return connect(dialect, **arguments)
            with _letting():
                return connect(dialect, **arguments)

        _replace(DefaultDialect, "connect", redirected)

    def _require_one(self, original: _Place) -> None:
        self._originals[original] = None
        if len(self._originals) == 1:
            return
        reason = (
            "there are connections to several databases "
            f"({' and '.join(map(str, self._originals))}), and only one can be replayed."
        )
        if any(place.database in _MAINTENANCE for place in self._originals):
            reason += (
                " Where one of them only serves to create the other, leave that out when the "
                "database is there: with an -x argument, say."
            )
        self._journal.stop(reason)

    def _patch_psycopg(self) -> None:
        # Not the C function below it: by then psycopg has asked the network for the host's name.
        def guarded(connect: Callable[..., Any]) -> Any:
            def checked(cls: type, conninfo: str = "", *given: Any, **named: Any) -> Any:
                leading = {key: named[key] for key in {*_VARIABLES, "dbname"} & set(named)}
                self._require_scratch(_expanded(conninfo, **leading), "psycopg")
                return connect(cls, conninfo, *given, **named)

            return classmethod(checked)

        for kind in (psycopg.Connection, psycopg.AsyncConnection):
            _replace(kind, "connect", guarded(vars(kind)["connect"].__func__))
        _replace(psycopg, "connect", psycopg.Connection.connect)

    def _patch_psycopg2(self, psycopg2: Any) -> None:
        connect = psycopg2._connect

        def guarded(dsn: str, *given: Any, **named: Any) -> Any:
            self._require_scratch(_expanded(dsn), "psycopg2")
            return connect(dsn, *given, **named)

        _replace(psycopg2, "_connect", guarded)

    def _patch_asyncpg(self, connect_utils: Any) -> None:
        connect = connect_utils._connect_addr

        async def guarded(*, addr: Any, params: Any, **named: Any) -> Any:
            # The addresses that asyncpg itself made of arguments, environment and service file.
            if isinstance(addr, str):
                path = PurePath(addr)
                host, port = str(path.parent), path.suffix.removeprefix(".")
            else:
                host, port = addr[0], addr[1]
            found = {"host": host, "port": port, "database": params.database}
            if not self._scratch.host:
                del found["host"]  # a guess of asyncpg's own, as libpq would make one
            self._require_scratch(found, "asyncpg")
            with _letting():
                return await connect(addr=addr, params=params, **named)

        _replace(connect_utils, "_connect_addr", guarded)

    def _patch_programs(self) -> None:
        """Leads programs by their environment, and stops Python's own that begin afresh."""
        start: Any = subprocess.Popen.__init__

        def led(popen: Any, *given: Any, env: Any = None, **named: Any) -> None:
            start(popen, *given, env=self._led(os.environ if env is None else env), **named)

        def stopped(process: Any) -> None:
            self._journal.stop(
                "starts a process by multiprocessing that begins afresh, and would connect to what "
                "its own configuration names. Let it be forked, or do without."
            )

        _replace(subprocess.Popen, "__init__", led)
        afresh = multiprocessing.context
        for kind in (afresh.SpawnProcess, afresh.ForkServerProcess):
            _replace(kind, "_Popen", staticmethod(stopped))

    def _led(self, environment: Mapping[str, str]) -> dict[str, str]:
        """An environment in which every URL of a PostgreSQL database is the scratch's."""
        found = dict(environment)
        for name, value in found.items():
            if isinstance(value, str) and _URL.match(value):
                url = self._url.set(drivername=value.partition(":")[0])
                found[name] = url.render_as_string(hide_password=False)
        return found

    def _require_scratch(self, given: Mapping[str, Any], driver: str) -> None:
        place = _Place.of(given, os.environ)
        if place != self._scratch:
            self._journal.stop(f"connects to {place} directly by {driver}. {_WAY_OUT}")

    def _require_inside(self, connection: Any, cursor: Any, statement: str, *unused: Any) -> None:
        found = _BEYOND.match(statement)
        if found is None:
            return
        name = (found["name"] or "").strip('"').replace('""', '"')
        if name != self._scratch.database:
            self._journal.stop(
                f"executes {' '.join(found['what'].split())[:80]}, which reaches beyond the "
                "scratch database. Take it out of the chain: what is outside of the database is "
                "made before the migrations run."
            )

    def _hear(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple):
                self._require_harmless(str(address[0]), address[1])
            else:
                self._require_harmless(os.fsdecode(address), None)
        elif name == "socket.getaddrinfo" and arguments[0] is not None:
            self._require_harmless(os.fsdecode(arguments[0]), arguments[1])
        elif name in _STARTS:
            self._require_no_client(name, command_line(name, arguments), arguments)

    def _require_harmless(self, host: str, port: Any) -> None:
        """Stops what looks like a connection to PostgreSQL; notes what does not."""
        if _let.get():
            return
        where = host if port is None else f"{host}:{port}"
        if _is_by("pg8000"):
            self._journal.stop(f"connects to {where} directly by pg8000. {_WAY_OUT}")
        if host == self._scratch.host:
            return  # psycopg asks for the address of it
        ports = {"5432", *(place.port for place in self._originals)}
        if ".s.PGSQL." in host or str(port) in ports:
            self._journal.stop(f"connects to {where}, a PostgreSQL server's. {_WAY_OUT}")
        self._journal.note("connects to", where)

    def _require_no_client(self, name: str, command: str, arguments: tuple[Any, ...]) -> None:
        """Stops a program that is told to connect elsewhere."""
        environment = arguments[-1] if isinstance(arguments[-1], Mapping) else os.environ
        elsewhere = (
            _URL.search(command)
            or (name != "subprocess.Popen" and any(map(_URL.match, environment.values())))
            or (
                _CLIENT.search(command)
                and (_NAMED.search(command) or _Place.of({}, environment) != self._scratch)
            )
        )
        if _PYTHON.search(command):
            self._journal.stop(
                f"starts another Python program ({command[:80]}), which would connect to what its "
                "own configuration names. Call what it does from the revision, with op.get_bind()."
            )
        if elsewhere:
            self._journal.stop(
                "starts a program with a database connection of its own "
                f"({command.split(maxsplit=1)[0]}), which cannot be led to the scratch database. "
                "Execute the SQL through op, or let the program take the connection from the "
                "environment (PGHOST, PGDATABASE, ...) that it is started in."
            )


def _arguments_of(url: URL, driver: str) -> dict[str, Any]:
    """What that driver is called with for the URL."""
    if driver in {"asyncpg", "pg8000"}:
        # Neither takes libpq's other words from the query of a URL.
        known = {key: url.query[key] for key in ("host", "port") if key in url.query}
        url, query = url.set(query=known), url.query
    dialect = url.set(drivername=f"postgresql+{driver}").get_dialect()()
    _, named = dialect.create_connect_args(url)
    arguments = dict(named)
    if driver == "asyncpg" and "sslmode" in query:
        arguments["ssl"] = query["sslmode"]
    if driver == "pg8000" and str(arguments.get("host", "")).startswith("/"):
        port = arguments.pop("port", 5432)
        arguments["unix_sock"] = f"{arguments.pop('host')}/.s.PGSQL.{port}"
    return arguments


def _expanded(*given: Any, **named: Any) -> dict[str, Any]:
    """A driver's arguments, with a connection string among them taken apart."""
    string = next((value for value in given if isinstance(value, str)), None)
    string = named.pop("dsn", None) or named.pop("conninfo", None) or string or ""
    try:
        return {**conninfo_to_dict(string), **named}
    except psycopg.Error:
        return {"service": "of a connection string that cannot be read", **named}


@contextmanager
def _letting() -> Iterator[None]:
    token = _let.set(True)
    try:
        yield
    finally:
        _let.reset(token)


def _is_by(package: str) -> bool:
    """Whether a module of that package is about to do it."""
    frame = sys._getframe(1)
    while frame := frame.f_back:  # type: ignore[assignment]
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            return True
    return False


def _patch(module: str, patch: Callable[[Any], None]) -> None:
    """Patches a driver where it is installed."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        return
    patch(found)


def _replace(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)
