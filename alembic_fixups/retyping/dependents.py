"""What depends on columns, as the database itself would make it again.

The functions in ``templates/retyping`` do the work, in a migration and here: there is one place
that knows how a view, a policy or a trigger is written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from alembic_fixups.catalog import SUCCESSOR_MARK
from alembic_fixups.rendering.templates import Templates
from alembic_fixups.report import Refused
from alembic_fixups.retyping.model import ShadowIndex, Table

_ALWAYS = (
    *("format", "as_text", "bare", "grant", "dependents", "path", "execute"),
    *("take_down", "put_back", "is_of", "outside", "hanging", "look", "clear"),
)
_BY_SUCCESSOR = (
    *("is_filled", "obstacles", "fill", "guard", "shadow_checks", "ready", "exchange"),
)
_TO_READ = {
    "as_text": "fixup_as_text(text, text[], text)",
    "dependents": "fixup_dependents(oid[], text[])",
    "domain_checks": "fixup_domain_checks(oid)",
    "shadow_indexes": "fixup_shadow_indexes(oid, text[], text[], text[], text[])",
}
"""The functions that read the catalog, with their signatures."""

_ALL = """
SELECT wanted.number, d.kind, d.identity, d.survives, d.make, d.trouble
  FROM unnest(cast(:tables AS oid[]), cast(:names AS text[])) WITH ORDINALITY
       AS wanted (relation, name, number)
 CROSS JOIN LATERAL pg_temp.fixup_dependents(
         ARRAY[wanted.relation], ARRAY[wanted.name]
       ) AS d
 ORDER BY wanted.number, d.depth, d.place, d.identity
"""


_INDEXES = """
SELECT name, is_unique, definition, tail, problem
  FROM pg_temp.fixup_shadow_indexes(
         cast(:target AS oid), cast(:names AS text[]), cast(:storages AS text[]),
         cast(:shadows AS text[]),
         ARRAY(SELECT quote_ident(schema) || '.' || quote_ident(name)
                 FROM unnest(cast(:schemas AS text[]), cast(:types AS text[])) AS t (schema, name))
       )
"""


@dataclass(frozen=True)
class Dependent:
    """Something that depends on a column, directly or by way of a view or a generated column.

    Attributes:
        kind: what it is: view, materialized view, policy, trigger, check, index, ...
        identity: its name with its schema, or with the table that it belongs to.
        survives: whether PostgreSQL carries it over itself when the column's type changes.
        definition: the statement that makes it, names with their schemas throughout.
        trouble: why it cannot be made again, None where it can.
    """

    kind: str
    identity: str
    survives: bool
    definition: str | None
    trouble: str | None

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def functions(templates: Templates, plain: str, *, online: bool, domains: bool) -> tuple[str, ...]:
    """The statements that define the functions; they last as long as the session.

    Takes the type that casts to the old ones are turned into, whether a column is changed by way of
    a successor, and whether a domain changes.
    """
    names = [*_ALWAYS, *(["renew_domain"] if domains else []), *(_BY_SUCCESSOR if online else [])]
    return tuple(_defining(name, templates, plain) for name in names)


def dependents(
    connection: Connection, columns: Sequence[tuple[int, str]], templates: Templates
) -> list[tuple[Dependent, ...]]:
    """What depends on each of the columns, which are given by OID of the table and name."""
    if not columns:
        return []
    found: list[list[Dependent]] = [[] for _ in columns]
    with defined(connection, templates):
        rows = connection.execute(
            text(_ALL),
            {"tables": [oid for oid, _ in columns], "names": [name for _, name in columns]},
        )
        for number, kind, identity, survives, make, trouble in rows:
            found[number - 1].append(Dependent(kind, identity, survives, make, trouble))
    return [tuple(each) for each in found]


def shadow_indexes(
    connection: Connection, tables: Sequence[Table], templates: Templates, plain: str
) -> list[Table]:
    """The tables with the indexes that have to be built over their successors."""
    result = []
    with defined(connection, templates, plain):
        for table in tables:
            if not table.is_eligible:
                result.append(table)
                continue
            rows = connection.execute(
                text(_INDEXES),
                {
                    "target": table.oid,
                    "names": [column.of.column for column in table.columns],
                    "storages": [column.of.storage for column in table.columns],
                    "shadows": [column.shadow for column in table.columns],
                    "schemas": [schema for schema, _ in table.types],
                    "types": [name for _, name in table.types],
                },
            )
            indexes = tuple(
                ShadowIndex(
                    name, unique, made, tail, table.name.sibling(f"fixup_new_{name}"), problem
                )
                for name, unique, made, tail, problem in rows
            )
            problems = [f"index {one.name} ({one.problem})" for one in indexes if one.problem]
            result.append(replace(table, indexes=indexes, obstacle=", ".join(problems)))
    return result


def _defining(name: str, templates: Templates, plain: str) -> str:
    return templates.step(f"retyping/{name}.sql.j2", "", "", plain=plain, mark=SUCCESSOR_MARK).sql


@contextmanager
def defined(connection: Connection, templates: Templates, plain: str = "text") -> Iterator[None]:
    """Has the functions that read the catalog inside the block.

    Raises:
        Refused: the session is not allowed to make temporary functions.
    """
    try:
        for name in _TO_READ:
            connection.exec_driver_sql(_defining(name, templates, plain))
    except DBAPIError as error:
        raise Refused(
            "what depends on the columns cannot be read: the session has to be allowed to make "
            f"temporary functions ({str(error.orig).splitlines()[0]})"
        ) from error
    yield
    for signature in _TO_READ.values():
        connection.execute(text(f"DROP FUNCTION pg_temp.{signature}"))


def connected(groups: Iterable[tuple[int, Iterable[str]]]) -> list[list[int]]:
    """Puts tables together that have a dependent in common.

    Takes OIDs, each with the names of what depends on the table; gives the OIDs in sets, in the
    order of their first members.
    """
    sets: list[tuple[list[int], set[str]]] = []
    for oid, names in groups:
        members, known = [oid], set(names)
        for other in [each for each in sets if not known.isdisjoint(each[1])]:
            sets.remove(other)
            members = other[0] + members
            known |= other[1]
        sets.append((members, known))
    return [members for members, _ in sets]
