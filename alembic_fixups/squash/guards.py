"""The entries of a dump as statements that may be run again: each adds only what is missing.

Where PostgreSQL has IF NOT EXISTS or OR REPLACE the statement has it; elsewhere a DO block looks
into the catalog. That what is there already is the same has been made sure before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg

from alembic_fixups.project import ProjectError
from alembic_fixups.rendering import quoting
from alembic_fixups.squash.dump import Entry
from alembic_fixups.squash.sections import KEYS, SECTIONS
from alembic_fixups.squash.statements import block, conditional, guarded, split

Names = Mapping[tuple[int, int], tuple[str, ...]]
"""The parts of the name of each entry's object, as ``pg_identify_object_as_address`` gives them."""


@dataclass(frozen=True)
class Statement:
    """One statement of the snapshot.

    Attributes:
        section: the heading that it stands under.
        sql: the statement, without a semicolon.
        table: the table that it is about, where it may share a block with others.
        condition: an SQL expression, on which it runs; always where it is empty.
    """

    section: str
    sql: str
    table: str = ""
    condition: str = ""

    @property
    def guarded(self) -> str:
        """The statement as it is executed by itself."""
        return guarded(self.condition, self.sql) if self.condition else self.sql


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
    r"CREATE (?:(?:UNLOGGED |FOREIGN )?TABLE|(?:UNLOGGED )?SEQUENCE|MATERIALIZED VIEW"
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

_KEYS = """
SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, oid
  FROM pg_catalog.pg_constraint
 WHERE contype IN ('p', 'u')
 UNION ALL
SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, indexrelid
  FROM pg_catalog.pg_index
 WHERE indisunique AND indexprs IS NULL AND indpred IS NULL
"""

_DEPENDS_ON_EXTENSION = re.compile(
    r"(?:\nALTER (?:FUNCTION|PROCEDURE) .* DEPENDS ON EXTENSION .*;)+\Z"
)
"""What may follow a function in its entry."""


def names(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> Names:
    """The names of all entries' objects, from the database that was dumped."""
    addresses = [entry.address for entry in entries if all(entry.address)]
    found = connection.execute(
        _NAMES, ([address[0] for address in addresses], [address[1] for address in addresses])
    )
    return {(classid, objid): tuple(parts) for classid, objid, parts in found}


def keys(connection: psycopg.Connection[Any]) -> set[tuple[int, int]]:
    """The addresses of the unique constraints and indexes that tell rows apart by their columns."""
    return {(classid, objid) for classid, objid in connection.execute(_KEYS)}


def statements(
    entries: Sequence[Entry],
    names: Names,
    replayer: str,
    passed_over: Iterable[int],
    keys: Container[tuple[int, int]] = (),
) -> list[Statement]:
    """What makes all that the entries hold, in the order in which it can be made.

    Args:
        entries: the entries.
        names: the names of their objects.
        replayer: the role that the chain was replayed as, which is not to be named.
        passed_over: the numbers of the entries whose objects are there already; they get their
            owner all the same.
        keys: the addresses of what comes under :data:`KEYS`.

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
    # What is said of the database names it; that has to be found out when it runs.
    database = {entry.number for entry in entries if entry.description == "DATABASE"}
    found = []
    for entry in ordered:
        if entry.description in _OF_THE_DUMP or not database.isdisjoint(entry.needs):
            continue
        if entry.description in _REFUSED:
            raise ProjectError(
                f"{entry.description} {entry.tag}: cannot be put into a snapshot: "
                f"{_REFUSED[entry.description]}. Squash up to the revision before the one that "
                "makes it (--to)."
            )
        section = SECTIONS.get(entry.description, "Other objects")
        if entry.address in keys:
            section = KEYS
        name = names.get(entry.address, ())
        if entry.number in left_out:
            found += [Statement(section, sql) for sql in _owner(entry, replayer)]
        elif entry.description in _OF_TABLES and not entry.tablespace:
            found += _of_table(entry, name, section)
        else:
            found += [Statement(section, sql) for sql in _statements(entry, name, replayer)]
    return found


def merged(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Those in a row that are about one table as one block: each costs a round trip."""
    for (section, table), group in groupby(statements, key=lambda one: (one.section, one.table)):
        several = list(group)
        if table and len(several) > 1:
            body = "\n".join(
                conditional(one.condition, one.sql) if one.condition else f"{one.sql};"
                for one in several
            )
            yield Statement(section, block(body))
        else:
            yield from (Statement(section, one.guarded) for one in several)


def _of_table(entry: Entry, name: tuple[str, ...], section: str) -> list[Statement]:
    first, *rest = split(entry.sql)
    if entry.description == "INDEX":
        found = _INDEXED.search(first)
        table, condition = found[1] if found else "", ""
        first = _guarded_first(entry, name, first)
    else:
        # Two parts are those of a constraint of a domain.
        table = quoting.qualified(*name[:2]) if len(name) > 2 else ""
        condition = _no_constraint(entry, name)
    return [
        Statement(section, first, table, condition),
        *(Statement(section, sql, table) for sql in rest),
    ]


def _statements(entry: Entry, name: tuple[str, ...], replayer: str) -> list[str]:
    found = _guarded(entry, name, _split(entry))
    if entry.description in ("ACL", "DEFAULT ACL", "POLICY", "USER MAPPING"):
        found = [by_whoever_runs_it(sql, replayer) for sql in found]
    found += _owner(entry, replayer)
    if entry.tablespace:
        set_it = f"SET default_tablespace = {quoting.identifier(entry.tablespace)}"
        found = [set_it, *found, "SET default_tablespace = ''"]
    if entry.access_method not in ("", "heap"):
        set_it = f"SET default_table_access_method = {quoting.identifier(entry.access_method)}"
        found = [set_it, *found, "SET default_table_access_method = heap"]
    return found


def _split(entry: Entry) -> list[str]:
    if entry.description not in ("FUNCTION", "PROCEDURE"):
        return split(entry.sql)
    # One statement, whatever semicolons are in its body.
    more = _DEPENDS_ON_EXTENSION.search(entry.sql)
    end = more.start() if more else len(entry.sql)
    return [entry.sql[:end].removesuffix(";"), *split(entry.sql[end:])]


def _guarded(entry: Entry, name: tuple[str, ...], statements: list[str]) -> list[str]:
    sql, *rest = statements
    if sql.startswith("-- "):  # the schema public, which every database has
        return []
    if entry.description in _WHOLE:
        return [_unless_it_is_there(entry, name, statements)]
    return [_guarded_first(entry, name, sql), *rest]


def _guarded_first(entry: Entry, name: tuple[str, ...], sql: str) -> str:
    if _PLACEHOLDER.match(sql):
        return guarded(f"to_regclass({_regclass(name)}) IS NULL", sql)
    if head := _IF_NOT_EXISTS.match(sql):
        return f"{head[0]}IF NOT EXISTS {sql[head.end() :]}"
    if head := _OR_REPLACE.match(sql):
        return f"{head[0]}OR REPLACE {sql[head.end() :]}"
    if entry.description == "TRIGGER" and sql.startswith("ALTER "):
        return sql  # that of a partition, which comes with that of the table
    if missing := _MISSING.get(entry.description):
        return guarded(missing(entry, name), sql)
    if sql.startswith(("CREATE ", "ALTER PUBLICATION ")) and entry.description != "EXTENSION":
        return _unless_it_is_there(entry, name, [sql])
    return sql


def _unless_it_is_there(entry: Entry, name: tuple[str, ...], statements: list[str]) -> str:
    """For kinds that are rare: PostgreSQL says itself that there is one."""
    if missing := _MISSING.get(entry.description):
        return guarded(missing(entry, name), *statements)
    return block(
        ";\n".join(statements) + ";",
        handler="WHEN duplicate_object OR duplicate_function OR unique_violation THEN\n    NULL;",
    )


def _owner(entry: Entry, replayer: str) -> list[str]:
    if entry.description not in _OWNED:
        return []
    if entry.drop.startswith("-- "):  # the schema public: by default it is not the replayer's
        owned, own = f"SCHEMA {quoting.identifier(entry.tag)}", "pg_database_owner"
    else:
        # What is dropped with something else, as the sequence of an identity, has its owner.
        found = re.match(rf"DROP ({re.escape(entry.description)} .*);$", entry.drop, re.DOTALL)
        owned, own = found[1].removesuffix(" CASCADE") if found else "", replayer
    if not owned or entry.owner == own:
        return []
    owner = "CURRENT_USER" if entry.owner == replayer else quoting.identifier(entry.owner)
    return [f"ALTER {owned} OWNER TO {owner}"]


def by_whoever_runs_it(sql: str, replayer: str) -> str:
    """The statement with no name for the role that the chain was replayed as."""
    quoted = '"' + replayer.replace('"', '""') + '"'
    name = f"(?:{re.escape(replayer)}|{re.escape(quoted)})" r"(?![\w$])"
    sql = re.sub(rf"^(ALTER DEFAULT PRIVILEGES) FOR ROLE {name} ", r"\1 ", sql)
    sql = re.sub(rf"^SET SESSION AUTHORIZATION {name}$", "SET SESSION AUTHORIZATION DEFAULT", sql)
    return re.sub(
        rf"""(?P<before> TO | FROM | FOR |, ){name}|'(?:[^']|'')*'|"(?:[^"]|"")*\"""",
        lambda found: f"{found['before']}CURRENT_USER" if found["before"] else found[0],
        sql,
    )


def _regclass(name: Sequence[str]) -> str:
    return quoting.name_literal(*name[:2]) if len(name) > 1 else "NULL"


def _no_row(catalog: str, condition: str) -> str:
    return f"NOT EXISTS (\n    SELECT FROM pg_catalog.{catalog}\n     WHERE {condition}\n)"


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


def _no_type(entry: Entry, _: tuple[str, ...]) -> str:
    if "(\n" not in entry.sql:  # one that stays a shell
        return _no_shell(entry, ())
    return _no_row("pg_type", f"{_type(entry)} AND typisdefined")


def _no_shell(entry: Entry, _: tuple[str, ...]) -> str:
    return _no_row("pg_type", _type(entry))


def _type(entry: Entry) -> str:
    # to_regtype() fails on a shell.
    schema = quoting.name_literal(None, entry.schema)
    return f"typnamespace = {schema}::regnamespace AND typname = {quoting.literal(entry.tag)}"


def _no_event_trigger(_: Entry, name: tuple[str, ...]) -> str:
    return _no_row("pg_event_trigger", f"evtname = {quoting.literal(name[0])}")


def _no_publication(_: Entry, name: tuple[str, ...]) -> str:
    return _no_row("pg_publication", f"pubname = {quoting.literal(name[0])}")


def _no_identity(_: Entry, name: tuple[str, ...]) -> str:
    return f"to_regclass({_regclass(name)}) IS NULL"


def _not_attached(entry: Entry, _: tuple[str, ...]) -> str:
    partition = quoting.name_literal(entry.schema, entry.tag)
    return _no_row("pg_class", f"oid = {partition}::regclass AND relispartition")


def _no_schema(entry: Entry, _: tuple[str, ...]) -> str:
    return f"to_regnamespace({quoting.name_literal(None, entry.tag)}) IS NULL"


_MISSING: dict[str, Callable[[Entry, tuple[str, ...]], str]] = {
    # With IF NOT EXISTS too it takes the right to make one in the database.
    "SCHEMA": _no_schema,
    "SHELL TYPE": _no_shell,
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
    "FOREIGN TABLE": lambda _, name: f"to_regclass({_regclass(name)}) IS NULL",
}

_OF_TABLES = {"CHECK CONSTRAINT", "CONSTRAINT", "FK CONSTRAINT", "INDEX"}
"""Kinds of which a table has several, in a row."""

_INDEXED = re.compile(
    r""" ON (?:ONLY )?((?:"(?:[^"]|"")*"|[^\s."]+)\.(?:"(?:[^"]|"")*"|[^\s."]+)) USING """
)

_WHOLE = {"FOREIGN TABLE", "OPERATOR FAMILY", "TEXT SEARCH CONFIGURATION"}
"""Kinds whose further statements fail where they have run before."""
