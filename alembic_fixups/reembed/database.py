"""Connections for work that may take days, and errors of the database as people read them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Conninfo, Format
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from alembic_fixups.project import ProjectError
from alembic_fixups.rendering.quoting import literal

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_DRIVER = "postgresql+psycopg"
_TRIES = 8
LOCKED = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)

# A timeout that is meant for the application's queries must not end a long run; rows that row level
# security hides must be an error, not be passed over.
_SESSION = """
SET application_name = 'alembic-fixups';
SET statement_timeout = 0;
SET idle_session_timeout = 0;
SET default_transaction_isolation = 'read committed';
SET row_security = off
"""


class Unavailable(Exception):
    """The database could not be worked with just now; the message names it."""


class Binary(bytes):
    """A parameter that is in the binary format of its type already."""


class _BinaryDumper(Dumper):
    """The server takes the type from the cast around the parameter."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


def url_of(given: str) -> URL:
    """The URL that ``--database-url`` names.

    Raises:
        ProjectError: it is none, or not one of PostgreSQL.
    """
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise ProjectError(f"--database-url: not a database URL: {error}") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ProjectError(f"--database-url: not a PostgreSQL URL: {url!r}")
    return url


def connect(url: URL, lock_timeout: str) -> Connection:
    """An autocommit connection; statements have ``$1`` for a parameter, and ``%`` means nothing.

    Takes an SQLAlchemy URL of any driver, of which what only that driver knows is left out, and
    how long a statement waits for a lock.

    Raises:
        ProjectError: there is none to be had.
    """
    try:
        connection = psycopg.connect(
            **{"connect_timeout": 10, **arguments(url), "client_encoding": "UTF8"},
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
        )
    except (psycopg.Error, ArgumentError) as error:
        raise ProjectError(f"No connection to {url!r}: {str(error).strip()}") from error
    connection.prepare_threshold = None  # a plan that suits the first page may not suit the last
    connection.adapters.register_dumper(Binary, _BinaryDumper)
    connection.execute(_SESSION)
    execute(connection, f"SET lock_timeout = {literal(lock_timeout)}")
    return connection


def plain(url: URL) -> URL:
    """The URL for psycopg; what only another driver knows is left out."""
    query = dict(url.query)
    if "ssl" in query:  # asyncpg's name for it
        query.setdefault("sslmode", "require" if query["ssl"] == "true" else query["ssl"])
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    query = {key: value for key, value in query.items() if key in known or key == "host"}
    return url.set(drivername=_DRIVER, query=query)


def arguments(url: URL) -> dict[str, Any]:
    """The arguments of libpq in a URL of any driver."""
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    plain_url = plain(url)
    _, found = plain_url.get_dialect()().create_connect_args(plain_url)
    return {key: value for key, value in found.items() if key in known}


@contextmanager
def named(url: URL) -> Iterator[None]:
    """For a ``with`` block that only reads, has errors of the database name it.

    Raises:
        Unavailable: there was one.
    """
    try:
        yield
    except psycopg.Error as error:
        raise Unavailable(
            f"the database {url!r}: {said(error)}. Nothing has been done; run it again."
        ) from error


def query(
    connection: Connection, statement: str, parameters: Sequence[Any] = ()
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Executes one statement, and no more than one, whatever it has been put together from."""
    # Answers in the binary format are only to be had by the extended protocol, which has no
    # several statements in one.
    return connection.execute(statement.encode(), parameters, binary=True)


def rows(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """The rows that a query gives."""
    return query(connection, statement, parameters).fetchall()


def value(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> Any:
    """The first value of the only row that a query gives."""
    [(found, *_)] = rows(connection, statement, parameters)
    return found


def execute(connection: Connection, *statements: str) -> None:
    """Executes statements one after another."""
    for statement in statements:
        connection.execute(statement.encode())


def again_if_locked(
    work: Callable[[], Any], *, pause: Callable[[float], object] = time.sleep
) -> Any:
    """What *work* gives, which is done again where a lock was not to be had in time.

    *work* is one whole transaction. Waits longer each time, each time another while, so that two
    that are in each other's way do not meet again.

    Raises:
        psycopg.Error: it is the last try, or something else was wrong.
    """
    for turn in range(_TRIES - 1):
        try:
            return work()
        except LOCKED:
            pause(min(0.05 * 2**turn, 5.0) * random.uniform(0.5, 1.5))
    return work()


def said(error: psycopg.Error) -> str:
    """What the database said, on one line."""
    parts: Iterable[str | None] = (error.diag.message_primary, error.diag.message_detail)
    text = ". ".join(part.rstrip(".") for part in parts if part) or str(error)
    return " ".join(text.split())
