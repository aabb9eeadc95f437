"""The downgrade of a snapshot: what takes away all that a dump has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from alembic_fixups.rendering import quoting
from alembic_fixups.squash.dump import Entry
from alembic_fixups.squash.guards import Names, by_whoever_runs_it
from alembic_fixups.squash.statements import block, guarded

_GO_WITH_THEIR_TABLE = {"INDEX", "CONSTRAINT", "CHECK CONSTRAINT", "TRIGGER", "STATISTICS"}
"""Rules and policies are not here: they may look at other tables."""
_TABLES = {"TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW"}
_STAY = {"EXTENSION", "DATABASE", "DATABASE PROPERTIES", "PROCEDURAL LANGUAGE"}

# What is granted in a schema only adds; elsewhere the default has the owner in it, and PUBLIC.
_DEFAULT_PRIVILEGES = """
SELECT pg_get_userbyid(defaclrole), namespace.nspname, kinds.name, kinds.public,
       ARRAY(SELECT DISTINCT CASE grantee WHEN 0 THEN '' ELSE pg_get_userbyid(grantee) END
               FROM aclexplode(defaclacl) WHERE grantee <> defaclrole ORDER BY 1)
  FROM pg_default_acl
  JOIN (VALUES ('r', 'TABLES', ''), ('S', 'SEQUENCES', ''), ('f', 'FUNCTIONS', 'EXECUTE'),
               ('T', 'TYPES', 'USAGE'), ('n', 'SCHEMAS', ''), ('L', 'LARGE OBJECTS', ''))
       AS kinds (type, name, public) ON kinds.type::"char" = defaclobjtype
  LEFT JOIN pg_namespace AS namespace ON namespace.oid = defaclnamespace
 ORDER BY 1, 2 NULLS FIRST, 3
"""


def statements(
    connection: psycopg.Connection[Any],
    entries: Sequence[Entry],
    names: Names,
    replayer: str,
    passed_over: Collection[int],
) -> Iterator[str]:
    """What pg_restore --clean --if-exists would say, without what goes with its table.

    Takes the entries of a dump with the names of their objects, the role that the chain was
    replayed as, and the numbers of the entries to leave out.
    """
    found = _dropped(entries, passed_over)
    # First the event triggers, which pg_dump makes last: they would fire for the rest.
    done = False
    for entry in reversed(found):
        if entry.description == "SCHEMA" and not done:
            # Those in a schema would go with it, but for one that stays.
            yield from _default_privileges(connection, replayer)
            done = True
        said = drop(entry, names)
        mapping = entry.description == "USER MAPPING"
        yield by_whoever_runs_it(said, replayer) if mapping else said
    if not done:
        yield from _default_privileges(connection, replayer)


def of_tables(
    entries: Sequence[Entry], names: Names, passed_over: Collection[int]
) -> Iterator[str]:
    """What drops the indexes, keys and so on that go with their table, for where that stays."""
    gone = {entry.number for entry in _dropped(entries, passed_over)}
    for entry in reversed(entries):
        kind = entry.description in _GO_WITH_THEIR_TABLE
        if kind and entry.drop and entry.number not in {*gone, *passed_over}:
            yield drop(entry, names)


def kinds(entries: Sequence[Entry], passed_over: Collection[int]) -> Counter[str]:
    """How many objects of each kind that drops."""
    found = _dropped(entries, passed_over)
    return Counter(entry.description.lower() for entry in found if entry.drop.startswith("DROP "))


def _dropped(entries: Sequence[Entry], passed_over: Collection[int]) -> list[Entry]:
    places = {entry.number: place for place, entry in enumerate(entries)}
    return [
        entry
        for entry in entries
        if entry.drop
        and not entry.drop.startswith("-- ")  # the schema public
        and entry.number not in passed_over
        and entry.description not in _STAY
        and not (entry.description in _GO_WITH_THEIR_TABLE and _goes(entry, entries, places))
    ]


def _goes(entry: Entry, entries: Sequence[Entry], places: Mapping[int, int]) -> bool:
    """Whether its table goes before all else that it needs; a function of its rows does not."""
    needs = sorted(places[number] for number in entry.needs if number in places)
    table = next((place for place in needs if entries[place].description in _TABLES), len(entries))
    return all(
        place < table or entries[place].description in {*_TABLES, *_GO_WITH_THEIR_TABLE}
        for place in needs
    )


def drop(entry: Entry, names: Names) -> str:
    """The statement that drops what an entry makes, where it is there."""
    drop = entry.drop.removesuffix(";")
    if entry.description == "SCHEMA":
        return unless_it_is_used(entry.tag)
    if drop.startswith("CREATE OR REPLACE VIEW "):
        # In place of a view that needs a key there is one that does not.
        view = quoting.name_literal(*names[entry.address][:2])
        return guarded(f"to_regclass({view}) IS NOT NULL", drop)
    drop = re.sub(r"^ALTER (FOREIGN )?TABLE ", r"ALTER \1TABLE IF EXISTS ", drop)
    drop = re.sub(r"(?<= )DROP CONSTRAINT ", "DROP CONSTRAINT IF EXISTS ", drop)
    return re.sub(
        rf"^DROP {re.escape(entry.description)} ", rf"DROP {entry.description} IF EXISTS ", drop
    )


def unless_it_is_used(schema: str) -> str:
    """A statement that drops a schema where nothing is in it."""
    stays = quoting.literal(f"Schema {schema} stays: something else is in it.")
    return block(
        f"DROP SCHEMA IF EXISTS {quoting.identifier(schema)};",
        handler="WHEN dependent_objects_still_exist THEN\n"
        f"    RAISE NOTICE USING MESSAGE = {stays};",
    )


def _default_privileges(connection: psycopg.Connection[Any], replayer: str) -> Iterator[str]:
    for role, schema, kind, public, grantees in connection.execute(_DEFAULT_PRIVILEGES).fetchall():
        owner = "CURRENT_USER" if role == replayer else quoting.identifier(role)
        head = "ALTER DEFAULT PRIVILEGES" + (f" FOR ROLE {owner}" if role != replayer else "")
        if schema:
            head += f" IN SCHEMA {quoting.identifier(schema)}"
        for grantee in grantees:
            name = quoting.identifier(grantee) if grantee else "PUBLIC"
            name = "CURRENT_USER" if grantee == replayer else name
            yield f"{head} REVOKE ALL ON {kind} FROM {name}"
        if not schema:
            yield f"{head} GRANT ALL ON {kind} TO {owner}"
            if public:
                yield f"{head} GRANT {public} ON {kind} TO PUBLIC"
