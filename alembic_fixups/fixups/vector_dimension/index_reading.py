"""What vector indexes are, in the database's own words.

There is no SQL parser here: the database builds each index on an empty temporary twin of its table
and writes it down, until it writes the same again. All of that is undone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from alembic_fixups.fixups.vector_dimension.side_tables import PendingIndex
from alembic_fixups.rendering.templates import environment

_FUNCTIONS = {
    "form": "fixup_index_form(oid)",
    "meaning": "fixup_index_meaning(text, text)",
    "compare": "fixup_compare_indexes(jsonb)",
}

_PRESENT = """
SELECT i.indexrelid, c.relname, f.method, f.definition, f.predicate, f.options, f.tablespace,
       pg_catalog.obj_description(c.oid, 'pg_class'), i.indisvalid, i.indisunique,
       EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid),
       ARRAY(SELECT DISTINCT a.attname::text
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_attribute a
                 ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
              WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
                AND d.refobjsubid > 0),
       t.reltuples
  FROM unnest(CAST(CAST(:oids AS text) AS oid[])) AS wanted (oid)
  JOIN pg_catalog.pg_index i ON i.indexrelid = wanted.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
 CROSS JOIN LATERAL pg_temp.fixup_index_form(c.oid) AS f
"""


@dataclass(frozen=True)
class Present:
    """An index that the database has.

    Attributes:
        index: how it can be built again.
        method: its access method.
        valid: False where CREATE INDEX CONCURRENTLY was cut short.
        unique: whether it is a unique index.
        inherited: whether it is a part of an index of a partitioned table.
        columns: the columns that it has, in its key or its predicate.
        rows: how many rows its table has, as far as is known; -1 where it is not.
    """

    index: PendingIndex
    method: str
    valid: bool
    unique: bool
    inherited: bool
    columns: frozenset[str]
    rows: float


@dataclass(frozen=True)
class Meaning:
    """An index on the twin of its table.

    Attributes:
        using, where: what is built, names with their schemas.
        fixed: the same once it stays as it is; None where it cannot be built.
        columns: the columns that it has.
        problem: what the database says where it cannot be built.
        untried: whether it may be built all the same once the migration has made what it needs.
    """

    using: str = ""
    where: str | None = None
    fixed: str | None = None
    columns: frozenset[str] = frozenset()
    problem: str = ""
    untried: bool = False


@dataclass(frozen=True)
class Twin:
    """An empty copy of a table that indexes are tried on.

    Attributes:
        oid: OID of the table.
        columns: columns that it lacks, or that get another type, with SQL of the type.
    """

    oid: int
    columns: tuple[tuple[str, str], ...] = ()


class Unreadable(Exception):
    """The session cannot make temporary functions or tables; the message is the database's."""


class Reader:
    """Asks the database, inside `reading`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def present(self, oids: Collection[int]) -> dict[int, Present]:
        """The indexes of these OIDs."""
        written = "{" + ",".join(map(str, oids)) + "}"
        found = {}
        for (
            oid,
            name,
            method,
            using,
            where,
            options,
            space,
            comment,
            *others,
        ) in self._connection.execute(text(_PRESENT), {"oids": written}):
            valid, unique, inherited, columns, rows = others
            pairs = tuple((key, value) for key, _, value in (one.partition("=") for one in options))
            index = PendingIndex(name, using, pairs, where, space, comment)
            found[oid] = Present(
                index, method, valid, unique, inherited, frozenset(columns), float(rows)
            )
        return found

    def meanings(self, asked: Sequence[tuple[Twin, Sequence[str]]]) -> list[list[Meaning]]:
        """What each index comes to on its twin, with one statement for all of them.

        An index is given as the statement that builds ``fixup_index`` on ``pg_temp.fixup_twin``.
        """
        twins = [
            {"table": twin.oid, "columns": twin.columns, "statements": list(statements)}
            for twin, statements in asked
        ]
        found = [[Meaning() for _ in statements] for _, statements in asked]
        statement = text("SELECT * FROM pg_temp.fixup_compare_indexes(CAST(:asked AS jsonb))")
        try:
            rows = self._connection.execute(statement, {"asked": json.dumps(twins)}).all()
        except DBAPIError as error:
            raise Unreadable(_first_line(error)) from error
        for place, number, using, where, fixed, columns, problem, untried in rows:
            found[place][number] = Meaning(
                using or "", where, fixed, frozenset(columns or ()), problem or "", untried
            )
        return found


@contextmanager
def reading(connection: Connection) -> Iterator[Reader]:
    """Gives a `Reader`; the functions that it calls are gone behind.

    Raises:
        Unreadable: the session may not make them.
    """
    try:
        for name in _FUNCTIONS:
            connection.exec_driver_sql(
                environment(None).get_template(f"vector_dimension/index_{name}.sql.j2").render()
            )
    except DBAPIError as error:
        raise Unreadable(_first_line(error)) from error
    yield Reader(connection)
    for signature in _FUNCTIONS.values():
        connection.execute(text(f"DROP FUNCTION pg_temp.{signature}"))


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0]
