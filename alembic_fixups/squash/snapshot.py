"""The snapshot revision: what a chain leaves in a database, as one Python file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
from alembic.script import ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import environment
from alembic_fixups.squash import guards, rows, surroundings
from alembic_fixups.squash.dump import Entry
from alembic_fixups.squash.guards import Statement
from alembic_fixups.squash.history import Range, made_on
from alembic_fixups.squash.statements import guarded, python
from alembic_fixups.squash.version_table import VersionTable, id_type

_AFTER_THE_ROWS = {
    "Constraints",
    "Foreign keys",
    "Indexes",
    "Statistics",
    "Rules, and views that need a key",
    "Triggers",
    "Event triggers",
    "Policies",
    "Publications",
    "Grants",
    "Comments",
}
"""What pg_restore makes after the rows: they would slow them down, refuse them or fire for them."""

_SETTINGS = """(VALUES
    ('search_path', ''),
    ('check_function_bodies', 'off'),
    ('standard_conforming_strings', 'on'),
    ('xmloption', 'content'),
    ('datestyle', 'ISO'),
    ('intervalstyle', 'postgres'),
    ('default_tablespace', ''),
    ('default_table_access_method', 'heap')
) AS setting (name, value)"""
_SET = f"""SELECT set_config('alembic_fixups.' || name, current_setting(name), false),
       set_config(name, value, false)
  FROM {_SETTINGS}"""
_SET_BACK = f"""SELECT set_config(name, current_setting('alembic_fixups.' || name), false)
  FROM {_SETTINGS}"""

_GO_WITH_THEIR_TABLE = {"INDEX", "CONSTRAINT", "CHECK CONSTRAINT", "TRIGGER", "STATISTICS"}
"""Rules and policies are not here: they may look at other tables."""
_STAY = {"EXTENSION", "DATABASE", "DATABASE PROPERTIES", "PROCEDURAL LANGUAGE"}

_MATERIALIZED = """
SELECT namespace.nspname, relation.relname
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relkind = 'm' AND relation.relispopulated
 ORDER BY relation.oid
"""


@dataclass(frozen=True)
class Content:
    """What a snapshot makes.

    Attributes:
        statements: all of it, in order.
        drops: what takes it away again, in order.
        kinds: how many objects of each kind it drops.
        version_type: the type of the ids in Alembic's own table where it is not Alembic's own
            choice, else empty.
        tables: the tables whose rows it has.
    """

    statements: tuple[Statement, ...]
    drops: tuple[str, ...]
    kinds: Counter[str]
    version_type: str
    tables: tuple[rows.TableRows, ...]


def read(
    connection: psycopg.Connection[Any],
    entries: Sequence[Entry],
    version_table: VersionTable,
    replayer: str,
    roles_before: Iterable[str],
) -> Content:
    """Reads what a chain has left in a scratch database.

    Takes the entries of its dump, the role that the chain was replayed as, and the roles that the
    server had before.

    Raises:
        ProjectError: there is something in it that no revision can make again.
    """
    [(large_objects,)] = connection.execute(
        "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"
    )
    if large_objects:
        raise ProjectError(
            f"The revisions make {large_objects} large objects, which have no names and cannot be "
            "put into a snapshot. Squash up to the revision before (--to)."
        )
    passed_over = [
        entry.number
        for entry in entries
        if (entry.description in ("TABLE", "CONSTRAINT"))
        and entry.schema == version_table[0]
        and entry.tag.split(" ")[0] == version_table[1]
    ]
    names = guards.names(connection, entries)
    made = guards.statements(entries, names, replayer, passed_over)
    place = next(
        (number for number, one in enumerate(made) if one.section in _AFTER_THE_ROWS), len(made)
    )
    tables = [
        table
        for table in rows.read(connection)
        if not table.of_extension and (table.schema, table.name) != version_table
    ]
    return Content(
        statements=(
            *surroundings.statements(connection, roles_before, replayer),
            *made[:place],
            *(statement for table in tables for statement in rows.inserts(table)),
            *filter(None, map(rows.move, rows.positions(connection))),
            *made[place:],
            *_refreshed(connection),
        ),
        drops=tuple(_drops(entries, passed_over)),
        kinds=_kinds(entries, passed_over),
        version_type=id_type(connection, version_table),
        tables=tuple(tables),
    )


def _refreshed(connection: psycopg.Connection[Any]) -> Iterator[Statement]:
    for schema, name in connection.execute(_MATERIALIZED).fetchall():
        view = quoting.qualified(schema, name)
        literal = quoting.name_literal(schema, name)
        empty = f"NOT (SELECT relispopulated FROM pg_class WHERE oid = {literal}::regclass)"
        yield Statement(
            "Rows of materialized views", guarded(empty, f"REFRESH MATERIALIZED VIEW {view}")
        )


def _dropped(entries: Iterable[Entry], passed_over: Sequence[int]) -> list[Entry]:
    return [
        entry
        for entry in entries
        if entry.drop
        and entry.number not in passed_over
        and entry.description not in {*_GO_WITH_THEIR_TABLE, *_STAY}
    ]


def _kinds(entries: Iterable[Entry], passed_over: Sequence[int]) -> Counter[str]:
    found = _dropped(entries, passed_over)
    return Counter(entry.description.lower() for entry in found if entry.drop.startswith("DROP "))


def _drops(entries: Iterable[Entry], passed_over: Sequence[int]) -> Iterator[str]:
    """What pg_restore --clean --if-exists would say, without what goes with its table."""
    found = _dropped(entries, passed_over)
    # An event trigger, made last, would fire for the rest.
    found.sort(key=lambda entry: entry.description == "EVENT TRIGGER")
    for entry in reversed(found):
        drop = entry.drop.removesuffix(";")
        if entry.description == "SCHEMA":
            yield _unless_it_is_used(drop, entry.tag)
            continue
        drop = re.sub(r"^ALTER (FOREIGN )?TABLE ", r"ALTER \1TABLE IF EXISTS ", drop)
        drop = re.sub(r"(?<= )DROP CONSTRAINT ", "DROP CONSTRAINT IF EXISTS ", drop)
        yield re.sub(
            rf"^DROP {re.escape(entry.description)} ", rf"DROP {entry.description} IF EXISTS ", drop
        )


def _unless_it_is_used(drop: str, name: str) -> str:
    stays = quoting.literal(f"Schema {name} stays: something else is in it.")
    return "\n".join(
        [
            "DO $fixup$",
            "BEGIN",
            f"    {drop.replace('DROP SCHEMA', 'DROP SCHEMA IF EXISTS')};",
            "EXCEPTION WHEN dependent_objects_still_exist THEN",
            f"    RAISE NOTICE USING MESSAGE = {stays};",
            "END",
            "$fixup$",
        ]
    )


def write(
    content: Content,
    range_: Range,
    script: ScriptDirectory,
    look: str,
    postgresql: str,
    archive: str,
) -> str:
    """The snapshot as Python.

    Takes the statement that looks for what is there but different, the version of the server that
    the content was read from, and the path of the archive as a reader finds it.
    """
    target = script.get_revision(range_.target)
    assert target is not None
    template = environment(None).get_template("squash/snapshot.py.j2")
    return template.render(
        title=f"Snapshot of {len(range_.revisions)} revisions",
        target=range_.target,
        target_text=_quoted(range_.target),
        made_on=made_on(target),
        down_revision=range_.down_revision,
        down_revisions=_one_or_more(range_.down_revision),
        labels=_one_or_more(range_.labels),
        dependencies=_one_or_more(range_.dependencies),
        replaced=[_quoted(revision) for revision in range_.revisions],
        postgresql=postgresql,
        archive=archive,
        settings=python(_SET, 4),
        settings_back=python(_SET_BACK, 4),
        look=python(look, 0),
        version_type=content.version_type,
        upgrade=[
            (section, [python(statement.sql, 4) for statement in group])
            for section, group in groupby(content.statements, key=lambda one: one.section)
        ],
        drops=_drops_in_words(content.kinds),
        downgrade=[python(drop, 4) for drop in content.drops],
    )


def _one_or_more(ids: Sequence[str]) -> str:
    """As Alembic writes them: None, one, or a tuple."""
    if not ids:
        return "None"
    several = ", ".join(map(_quoted, ids))
    return several if len(ids) == 1 else f"({several})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _drops_in_words(kinds: Counter[str]) -> str:
    many = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items())]
    return f"Drops all of it, with all rows that are in it by now: {', '.join(many) or 'nothing'}."
