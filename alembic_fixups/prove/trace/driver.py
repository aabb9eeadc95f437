"""What the drivers have in common, and what they need done differently."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection

from alembic_fixups.prove.trace.facts import Run

_PARAMETER = re.compile(r"%%|%\((?P<name>[^)]*)\)s|%s")


def sent(connection: Connection, statement: str, parameters: Any, context: Any) -> str:
    """The statement as the server gets it: with $1 for a parameter, and % for a doubled one."""
    if connection.dialect.paramstyle not in ("format", "pyformat"):
        return statement
    if context is not None and context.execution_options.get("no_parameters") and not parameters:
        return statement
    numbers: dict[str, int] = {}

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name = match["name"] or str(len(numbers))
        return f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _PARAMETER.sub(replaced, statement)


def is_autocommit(connection: Connection) -> bool:
    """Whether each statement is its own transaction, as far as the driver is concerned."""
    return bool(getattr(connection.connection.dbapi_connection, "autocommit", False))


def key(connection: Connection) -> int:
    """A number for the driver's connection."""
    return id(connection.connection.dbapi_connection)


def runner(connection: Connection) -> Run:
    """Executes queries on the same session, past SQLAlchemy's events."""

    def run(query: str) -> list[tuple[Any, ...]]:
        cursor = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
        try:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    return run


def execute(connection: Connection, statement: str) -> None:
    """Executes what gives no rows, likewise."""
    cursor = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
