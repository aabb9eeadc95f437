"""What a CHECK means: its expression in the database's own words.

There is no SQL parser here. The database parses each expression on an empty temporary twin of the
table and writes it back, until it writes the same again: a list of values on a varchar column is
written differently once more when it has been parsed again. All of that is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from alembic_fixups.fixups.check_constraints.inheritance import ChildCheck, child_checks
from alembic_fixups.fixups.check_constraints.sharing import columns_named, meanings
from alembic_fixups.inspection import in_transaction
from alembic_fixups.rendering.templates import environment

_FUNCTIONS = ("check_constraints/written.sql.j2", "check_constraints/meanings.sql.j2")

_MISSING = {"42883", "42704", "42P01", "3F000"}
"""SQLSTATEs of what is not there: a function, a type, a table, a schema."""


@dataclass(frozen=True)
class Meaning:
    """An expression as the database understands it on one twin.

    Attributes:
        source: what can be put into a CHECK of the table; as it was given, unless it names the
            table.
        first: what the database writes for it at first.
        fixed: what it writes for that, and always from there on; None where it cannot be parsed.
        problem: what the database says where it cannot be parsed.
        missing: whether that is because something is not there.
    """

    source: str
    first: str = ""
    fixed: str | None = None
    problem: str = ""
    missing: bool = False


@dataclass(frozen=True)
class Twin:
    """An empty copy of a table or domain that expressions are tried on.

    Attributes:
        oid: OID of the table, or of the type of the domain.
        name: the table's name, None for a domain.
        columns: the columns with their types, None for the type that the table has.
        base: the type of the domain, None for the one that it has.
    """

    oid: int
    name: str | None = None
    columns: tuple[tuple[str, str | None], ...] = ()
    base: str | None = None


class Unreadable(Exception):
    """The session cannot make a temporary table."""


class Reader:
    """Asks the database inside `reading`, where nothing that is done is kept."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def meanings(self, asked: Sequence[tuple[Twin, Sequence[str]]]) -> list[list[Meaning]]:
        """What each expression means on its twin, with few statements for all of them."""
        found = [[Meaning(expression) for expression in each] for _, each in asked]
        questions = {
            (place, number): (columns, expression)
            for place, (twin, expressions) in enumerate(asked)
            for number, expression in enumerate(expressions)
            if twin.name is not None
            and (columns := columns_named(twin.columns, expression)) is not None
        }
        shared = meanings(self._connection, questions.values()) if questions else {}
        for (place, number), question in questions.items():
            if question in shared:
                found[place][number] = Meaning(question[1], *shared[question])
        self._try_each(asked, found)
        return found

    def _try_each(
        self, asked: Sequence[tuple[Twin, Sequence[str]]], found: list[list[Meaning]]
    ) -> None:
        """Fills in the meanings that are still open, on a twin for each table and domain."""
        twins = [
            {
                "place": place,
                "domain" if twin.name is None else "table": twin.oid,
                "base": twin.base,
                "name": twin.name,
                "columns": [list(column) for column in twin.columns],
                "expressions": {
                    number: one.source for number, one in enumerate(each) if one.fixed is None
                },
            }
            for place, ((twin, _), each) in enumerate(zip(asked, found, strict=True))
            if any(one.fixed is None for one in each)
        ]
        if not twins:
            return
        statement = text("SELECT * FROM pg_temp.alembic_fixups_meanings(CAST(:twins AS jsonb))")
        rows = self._connection.execute(statement, {"twins": json.dumps(twins)})
        for place, number, origin, fixed, problem, code in rows:
            if fixed is None:
                source = found[place][number].source
                found[place][number] = Meaning(
                    source, problem=str(problem), missing=code in _MISSING
                )
            else:
                source, first = json.loads(origin)
                found[place][number] = Meaning(source, first, fixed)

    def qualified(self, oids: Iterable[int]) -> dict[int, str]:
        """The expressions of constraints, every name in them with its schema."""
        statement = text(
            "SELECT oid, pg_get_expr(conbin, conrelid) FROM pg_catalog.pg_constraint"
            " WHERE oid = ANY (CAST(CAST(:oids AS text) AS oid[]))"
        )
        written = "{" + ",".join(map(str, oids)) + "}"
        with self._without_path():
            rows = self._connection.execute(statement, {"oids": written})
            return {row[0]: row[1] for row in rows}

    def child_checks(self, parents: Collection[int]) -> list[ChildCheck]:
        """The checks of what inherits these tables, names in them with their schemas."""
        if not parents:
            return []
        with self._without_path():
            return child_checks(self._connection, parents)

    @contextmanager
    def _without_path(self) -> Iterator[None]:
        path = self._connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
        _set_path(self._connection, "")
        yield
        _set_path(self._connection, path)


@contextmanager
def reading(connection: Connection) -> Iterator[Reader]:
    """Gives a `Reader`; what it does is undone at the end.

    Raises:
        Unreadable: the session may not make temporary tables; the message is the database's.
    """
    with _undone(connection):
        try:
            for function in _FUNCTIONS:
                connection.exec_driver_sql(environment(None).get_template(function).render())
            connection.exec_driver_sql("SET LOCAL quote_all_identifiers = off")
        except DBAPIError as error:
            raise Unreadable(str(error.orig).splitlines()[0]) from error
        yield Reader(connection)


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    if in_transaction(connection):
        savepoint = connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()
    else:
        # AUTOCOMMIT: to SQLAlchemy every statement is a transaction.
        connection.exec_driver_sql("BEGIN")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")


def _set_path(connection: Connection, path: str) -> None:
    connection.execute(
        text("SELECT pg_catalog.set_config('search_path', :path, true)"), {"path": path}
    )
