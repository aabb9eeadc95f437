"""The snapshot revision: what a chain leaves in a database, as one Python file."""

from __future__ import annotations

import json
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
from alembic_fixups.squash import drops, guards, inline, rows, surroundings
from alembic_fixups.squash.dates import made_on
from alembic_fixups.squash.dump import Entry
from alembic_fixups.squash.guards import Statement
from alembic_fixups.squash.history import Range
from alembic_fixups.squash.inline import Inline
from alembic_fixups.squash.sections import AFTER_THE_ROWS, KEYS
from alembic_fixups.squash.statements import guarded, python
from alembic_fixups.squash.version_table import VersionTable, id_type

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

_MATERIALIZED = """
SELECT namespace.nspname, relation.relname
  FROM pg_catalog.pg_class AS relation
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relation.relnamespace
 WHERE relation.relkind = 'm' AND relation.relispopulated
"""

# An extension says it itself, and only its owner may.
_SAID_BY_EXTENSIONS = """
SELECT extname
  FROM pg_catalog.pg_extension AS one
  JOIN pg_catalog.pg_available_extensions AS known ON known.name = one.extname
 WHERE pg_catalog.obj_description(one.oid, 'pg_extension') = known.comment
"""

_PUBLIC = "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'public'"


@dataclass(frozen=True)
class Content:
    """What a snapshot makes.

    Attributes:
        statements: all of it, in order.
        drops: what takes it away again, in order.
        parts: what would take away what goes with its table, in order.
        kinds: how many objects of each kind it drops.
        version_type: the type of the ids in Alembic's own table where it is not Alembic's own
            choice, else empty.
        tables: the tables whose rows it has.
        inline: what stands within the statements that make tables.
    """

    statements: tuple[Statement, ...]
    drops: tuple[str, ...]
    parts: tuple[str, ...]
    kinds: Counter[str]
    version_type: str
    tables: tuple[rows.TableRows, ...]
    inline: tuple[Inline, ...]


def read(
    connection: psycopg.Connection[Any],
    entries: Sequence[Entry],
    version_table: VersionTable,
    replayer: str,
    roles_before: Iterable[str],
    said_before: Iterable[surroundings.Said] | None = None,
) -> Content:
    """Reads what a chain has left in a scratch database.

    Takes the entries of its dump, the role that the chain was replayed as, the roles that the
    server had before, and what was said of them.

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
    names = guards.names(connection, entries)
    passed_over = {*_of_version_table(entries, names, version_table), *_said(connection, entries)}
    made = guards.statements(entries, names, replayer, passed_over, guards.keys(connection))
    tables = [
        table
        for table in rows.read(connection)
        if not table.of_extension and (table.schema, table.name) != version_table
    ]
    [(public,)] = connection.execute(_PUBLIC)
    return Content(
        statements=(
            *surroundings.statements(connection, roles_before, replayer, said_before),
            *([] if public else [Statement("Schemas", drops.unless_it_is_used("public"))]),
            *_in_order(
                made,
                [
                    *rows.filled(tables),
                    *filter(None, map(rows.move, rows.positions(connection))),
                ],
                list(_refreshed(connection, entries)),
            ),
        ),
        drops=tuple(drops.statements(connection, entries, names, replayer, passed_over)),
        parts=tuple(drops.of_tables(entries, names, passed_over)),
        kinds=drops.kinds(entries, passed_over),
        version_type=id_type(connection, version_table),
        tables=tuple(tables),
        inline=tuple(inline.read(connection, entries, names, passed_over)),
    )


def _of_version_table(
    entries: Sequence[Entry], names: guards.Names, version_table: VersionTable
) -> Iterator[int]:
    for entry in entries:
        its = names.get(entry.address, ())[:2] == version_table
        if its and entry.description in ("TABLE", "CONSTRAINT"):
            yield entry.number


def _said(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> Iterator[int]:
    known = {name for (name,) in connection.execute(_SAID_BY_EXTENSIONS)}
    theirs = {
        entry.number for entry in entries if entry.description == "EXTENSION" and entry.tag in known
    }
    for entry in entries:
        if entry.description == "COMMENT" and not theirs.isdisjoint(entry.needs):
            yield entry.number


def _in_order(
    made: Sequence[Statement], filled: Sequence[Statement], refreshed: Sequence[Statement]
) -> Iterator[Statement]:
    """The rows before what would hinder them, but after the keys, by which rows are told apart."""
    sections = [one.section for one in made]
    hinder = (number for number, section in enumerate(sections) if section in AFTER_THE_ROWS)
    # A table may need a function that needs a key.
    tables = max(
        (number for number, section in enumerate(sections) if section == "Tables"), default=-1
    )
    place = max(next(hinder, len(made)), tables + 1)
    hearing = sections.index("Event triggers") if "Event triggers" in sections else len(made)
    yield from made[:place]
    yield from (one for one in made[place:] if one.section == KEYS)
    yield from filled
    yield from (one for one in made[place:hearing] if one.section != KEYS)
    yield from refreshed
    yield from made[hearing:]


def _refreshed(
    connection: psycopg.Connection[Any], entries: Sequence[Entry]
) -> Iterator[Statement]:
    """In the order of the entries: one may be made of another."""
    populated = set(connection.execute(_MATERIALIZED).fetchall())
    for entry in entries:
        if entry.description != "MATERIALIZED VIEW" or (entry.schema, entry.tag) not in populated:
            continue
        literal = quoting.name_literal(entry.schema, entry.tag)
        empty = f"NOT (SELECT relispopulated FROM pg_class WHERE oid = {literal}::regclass)"
        refresh = f"REFRESH MATERIALIZED VIEW {quoting.qualified(entry.schema, entry.tag)}"
        yield Statement("Rows of materialized views", guarded(empty, refresh))


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
    made = set(content.drops)
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
        look=_assigned(look),
        # Of a table that is older than the range the range makes only a part.
        look_inline=_assigned(inline.look(one for one in content.inline if one.drop in made)),
        version_type=content.version_type,
        upgrade=[
            (section, [python(statement.sql, 4) for statement in group])
            for section, group in groupby(
                guards.merged(content.statements), key=lambda one: one.section
            )
        ],
        drops=_drops_in_words(content.kinds),
        downgrade=[python(drop, 4) for drop in content.drops],
    )


def _assigned(sql: str) -> str:
    """The text as Python that may stand behind an equals sign."""
    text = python(sql, 0)
    return f"({text})" if text.startswith("\n") else text


def _one_or_more(ids: Sequence[str]) -> str:
    """As Alembic writes them: None, one, or a tuple."""
    if not ids:
        return "None"
    several = ", ".join(map(_quoted, ids))
    return several if len(ids) == 1 else f"({several})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _drops_in_words(kinds: Counter[str]) -> str:
    many = [
        f"{count} {_plural(kind) if count > 1 else kind}" for kind, count in sorted(kinds.items())
    ]
    return f"Drops all of it, with all rows that are in it by now: {', '.join(many) or 'nothing'}."


def _plural(kind: str) -> str:
    if kind.endswith("y"):
        return kind[:-1] + "ies"
    return kind + ("es" if kind.endswith("s") else "s")
