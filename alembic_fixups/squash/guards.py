"""The entries of a dump as statements that may be run again: each adds only what is missing.

Where PostgreSQL has IF NOT EXISTS or OR REPLACE the statement has it; elsewhere a DO block looks
into the catalog. That what is there already is the same has been made sure before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from alembic_fixups.project import ProjectError
from alembic_fixups.rendering import quoting
from alembic_fixups.squash.dump import Entry
from alembic_fixups.squash.statements import guarded, split

Names = Mapping[tuple[int, int], tuple[str, ...]]
"""The parts of the name of each entry's object, as ``pg_identify_object_as_address`` gives them."""


@dataclass(frozen=True)
class Statement:
    """One statement of the snapshot.

    Attributes:
        section: the heading that it stands under.
        sql: the statement, without a semicolon.
    """

    section: str
    sql: str


SECTIONS = {
    "SCHEMA": "Schemas",
    "EXTENSION": "Extensions",
    "TYPE": "Types",
    "SHELL TYPE": "Types",
    "DOMAIN": "Types",
    "COLLATION": "Types",
    "FUNCTION": "Functions",
    "PROCEDURE": "Functions",
    "AGGREGATE": "Functions",
    "TABLE": "Tables",
    "FOREIGN TABLE": "Tables",
    "TABLE ATTACH": "Tables",
    "SEQUENCE": "Sequences",
    "SEQUENCE OWNED BY": "Sequences",
    "DEFAULT": "Defaults",
    "VIEW": "Views",
    "MATERIALIZED VIEW": "Views",
    "RULE": "Rules, and views that need a key",
    "CHECK CONSTRAINT": "Constraints",
    "CONSTRAINT": "Constraints",
    "FK CONSTRAINT": "Foreign keys",
    "INDEX": "Indexes",
    "INDEX ATTACH": "Indexes",
    "STATISTICS": "Statistics",
    "TRIGGER": "Triggers",
    "EVENT TRIGGER": "Event triggers",
    "POLICY": "Policies",
    "ROW SECURITY": "Policies",
    "ACL": "Grants",
    "DEFAULT ACL": "Grants",
    "COMMENT": "Comments",
    "SECURITY LABEL": "Comments",
    "PUBLICATION": "Publications",
    "PUBLICATION TABLE": "Publications",
    "PUBLICATION TABLES IN SCHEMA": "Publications",
}
"""The heading of each kind of entry; what is not here comes under "Other objects"."""

_OF_THE_DUMP = {"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"}
_REFUSED = {
    "SUBSCRIPTION": "it would connect to another server",
    "BLOB": "large objects have no names",
    "BLOBS": "large objects have no names",
    "BLOB METADATA": "large objects have no names",
}
_OWNED = {
    "AGGREGATE", "COLLATION", "CONVERSION", "DOMAIN", "EVENT TRIGGER", "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE", "FUNCTION", "MATERIALIZED VIEW", "OPERATOR", "OPERATOR CLASS",
    "OPERATOR FAMILY", "PROCEDURAL LANGUAGE", "PROCEDURE", "PUBLICATION", "SCHEMA", "SEQUENCE",
    "SERVER", "STATISTICS", "TABLE", "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "TYPE",
    "VIEW",
}  # fmt: skip
"""What has an owner of its own (pg_restore's _printTocEntry)."""

# Nothing needs these, and a reader finds them together; pg_restore makes grants last too.
_AFTERWARDS = {"ACL": 1, "DEFAULT ACL": 1, "COMMENT": 2, "SECURITY LABEL": 2}

_IF_NOT_EXISTS = re.compile(
    r"CREATE (?:SCHEMA|(?:UNLOGGED |FOREIGN )?TABLE|(?:UNLOGGED )?SEQUENCE|MATERIALIZED VIEW"
    r"|(?:UNIQUE )?INDEX|STATISTICS|COLLATION|SERVER) "
)
_OR_REPLACE = re.compile(
    r"CREATE (?=(?:FUNCTION|PROCEDURE|AGGREGATE|RULE|TRIGGER|VIEW|(?:TRUSTED )?(?:PROCEDURAL )?"
    r"LANGUAGE) )"
)
# Placeholder of a view whose query needs a key that is made later; a real one may be there by now.
_PLACEHOLDER = re.compile(r"CREATE VIEW [^\n]* AS\nSELECT\n    NULL::")

_NAMES = """
SELECT address.classid, address.objid,
       (SELECT object_names || object_args
          FROM pg_catalog.pg_identify_object_as_address(address.classid, address.objid, 0))
  FROM ROWS FROM (pg_catalog.unnest(%s::oid[]), pg_catalog.unnest(%s::oid[]))
       AS address (classid, objid)
"""


def names(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> Names:
    """The names of all entries' objects, from the database that was dumped."""
    addresses = [entry.address for entry in entries if all(entry.address)]
    found = connection.execute(
        _NAMES, ([address[0] for address in addresses], [address[1] for address in addresses])
    )
    return {(classid, objid): tuple(parts) for classid, objid, parts in found}


def statements(
    entries: Sequence[Entry], names: Names, replayer: str, passed_over: Iterable[int]
) -> list[Statement]:
    """What makes all that the entries hold, in the order in which it can be made.

    Takes the role that the chain was replayed as, which is not to be named, and the numbers of
    the entries to leave out.

    Raises:
        ProjectError: an entry is of a kind that no revision can make again.
    """
    left_out = set(passed_over)
    # An event trigger would fire for the rest.
    last = {entry.number for entry in entries if entry.description == "EVENT TRIGGER"}
    ordered = sorted(
        entries,
        key=lambda entry: (
            not last.isdisjoint((entry.number, *entry.needs)),
            _AFTERWARDS.get(entry.description, 0),
        ),
    )
    found = []
    for entry in ordered:
        if entry.description in _OF_THE_DUMP or entry.number in left_out:
            continue
        if entry.description in _REFUSED:
            raise ProjectError(
                f"{entry.description} {entry.tag}: cannot be put into a snapshot: "
                f"{_REFUSED[entry.description]}. Squash up to the revision before the one that "
                "makes it (--to)."
            )
        section = SECTIONS.get(entry.description, "Other objects")
        found += [
            Statement(section, sql)
            for sql in _statements(entry, names.get(entry.address, ()), replayer)
        ]
    return found


def _statements(entry: Entry, name: tuple[str, ...], replayer: str) -> list[str]:
    if entry.description in ("FUNCTION", "PROCEDURE"):
        # One statement, whatever semicolons are in its body.
        first, *rest = [entry.sql.removesuffix(";")]
    else:
        first, *rest = split(entry.sql)
    found = [_guarded(entry, name, first), *rest]
    if entry.description in ("ACL", "DEFAULT ACL", "POLICY", "USER MAPPING"):
        found = [_by_whoever_runs_it(sql, replayer) for sql in found]
    if entry.description in _OWNED and entry.owner != replayer:
        found += _owner(entry)
    if entry.tablespace:
        set_it = f"SET default_tablespace = {quoting.identifier(entry.tablespace)}"
        found = [set_it, *found, "SET default_tablespace = ''"]
    if entry.access_method not in ("", "heap"):
        set_it = f"SET default_table_access_method = {quoting.identifier(entry.access_method)}"
        found = [set_it, *found, "SET default_table_access_method = heap"]
    return found


def _guarded(entry: Entry, name: tuple[str, ...], sql: str) -> str:
    if _PLACEHOLDER.match(sql):
        return guarded(f"to_regclass({_regclass(name)}) IS NULL", sql)
    if head := _IF_NOT_EXISTS.match(sql):
        return f"{head[0]}IF NOT EXISTS {sql[head.end() :]}"
    if head := _OR_REPLACE.match(sql):
        return f"{head[0]}OR REPLACE {sql[head.end() :]}"
    if missing := _MISSING.get(entry.description):
        return guarded(missing(entry, name), sql)
    if sql.startswith(("CREATE ", "ALTER PUBLICATION ")) and entry.description != "EXTENSION":
        return _unless_it_is_there(sql)
    return sql


def _unless_it_is_there(sql: str) -> str:
    """For kinds that are rare: PostgreSQL says itself that there is one."""
    return guarded("true", sql).replace(
        "    END IF;",
        "    END IF;\nEXCEPTION WHEN duplicate_object OR duplicate_function THEN\n    NULL;",
    )


def _owner(entry: Entry) -> list[str]:
    owned = re.match(rf"DROP ({re.escape(entry.description)} .*);$", entry.drop, re.DOTALL)
    owner = quoting.identifier(entry.owner)
    # What is dropped with something else, as the sequence of an identity column, has its owner.
    return [f"ALTER {owned[1]} OWNER TO {owner}"] if owned else []


def _by_whoever_runs_it(sql: str, replayer: str) -> str:
    """The statement with no name for the role that the chain was replayed as."""
    name = re.escape(quoting.identifier(replayer))
    sql = re.sub(rf"^(ALTER DEFAULT PRIVILEGES) FOR ROLE {name} ", r"\1 ", sql)
    return re.sub(rf"( TO | FROM | FOR |, ){name}(?![\w$])", r"\1CURRENT_USER", sql)


def _regclass(name: Sequence[str]) -> str:
    return quoting.name_literal(*name[:2]) if len(name) > 1 else "NULL"


def _no_row(catalog: str, condition: str) -> str:
    return f"NOT EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {condition})"


def _no_constraint(_: Entry, name: tuple[str, ...]) -> str:
    if len(name) == 2:  # of a domain, which is one part here
        on = f"contypid = {quoting.literal(name[0])}::regtype"
    else:
        on = f"conrelid = {_regclass(name)}::regclass"
    return _no_row("pg_constraint", f"{on} AND conname = {quoting.literal(name[-1])}")


def _no_policy(_: Entry, name: tuple[str, ...]) -> str:
    on = f"polrelid = {_regclass(name)}::regclass"
    return _no_row("pg_policy", f"{on} AND polname = {quoting.literal(name[2])}")


def _no_trigger(_: Entry, name: tuple[str, ...]) -> str:
    on = f"tgrelid = {_regclass(name)}::regclass"
    return _no_row("pg_trigger", f"{on} AND tgname = {quoting.literal(name[2])}")


def _no_type(_: Entry, name: tuple[str, ...]) -> str:
    return _no_row("pg_type", f"oid = to_regtype({quoting.literal(name[0])}) AND typisdefined")


def _no_event_trigger(_: Entry, name: tuple[str, ...]) -> str:
    return _no_row("pg_event_trigger", f"evtname = {quoting.literal(name[0])}")


def _no_publication(_: Entry, name: tuple[str, ...]) -> str:
    return _no_row("pg_publication", f"pubname = {quoting.literal(name[0])}")


def _no_identity(_: Entry, name: tuple[str, ...]) -> str:
    return f"to_regclass({_regclass(name)}) IS NULL"


def _not_attached(entry: Entry, _: tuple[str, ...]) -> str:
    partition = quoting.name_literal(entry.schema, entry.tag)
    return _no_row("pg_class", f"oid = {partition}::regclass AND relispartition")


_MISSING: dict[str, Callable[[Entry, tuple[str, ...]], str]] = {
    "SHELL TYPE": lambda _, name: f"to_regtype({quoting.literal(name[0])}) IS NULL",
    "TYPE": _no_type,
    "DOMAIN": _no_type,
    "CHECK CONSTRAINT": _no_constraint,
    "CONSTRAINT": _no_constraint,
    "FK CONSTRAINT": _no_constraint,
    "SEQUENCE": _no_identity,  # others have their IF NOT EXISTS
    "TABLE ATTACH": _not_attached,
    "TRIGGER": _no_trigger,  # a constraint trigger: it knows no OR REPLACE
    "POLICY": _no_policy,
    "EVENT TRIGGER": _no_event_trigger,
    "PUBLICATION": _no_publication,
}
