"""The catalog of a database as rows (kind, name, definition), and what differs between two.

The rows are the fingerprint of a boundary in the archive, the drift of a database as a diff, and
what a snapshot revision knows about what it finds already.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import SHIPPED

QUERY = (SHIPPED / "squash" / "objects.sql").read_text(encoding="utf-8").rstrip()
"""One SELECT of (kind, name, definition), in no order, under the settings of `describe`."""

VIEWS = frozenset({"view", "materialized view", "rule"})
"""Kinds that major versions deparse in words of their own, but for the first line."""

# What the deparser's words depend on; set while the query runs.
_SETTINGS = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "jit": "off",  # for a query of this size it only costs time
}

_CATALOGS = (
    "pg_class", "pg_proc", "pg_event_trigger", "pg_publication", "pg_default_acl", "pg_collation",
    "pg_operator", "pg_cast", "pg_ts_config", "pg_ts_dict", "pg_foreign_data_wrapper",
)  # fmt: skip
_FIRST_OID = 16384
"""FirstNormalObjectId in PostgreSQL's access/transam.h: what initdb made is below it."""

_RUNNER = "CURRENT_USER"
_NAMING_ROLES = {"policy", "grant", "default privileges", "user mapping"}

_LISTED = 20
_SHOWN = 200


@dataclass(frozen=True, order=True)
class Object:
    """Something that a database has.

    Attributes:
        kind: what it is, as SQL calls it: table, default, constraint, grant, comment, ...
        name: its qualified name, quoted where it has to be; unique among those of its kind.
        definition: all of it but its name, its owner and what lies in it, to be read and compared.
    """

    kind: str
    name: str
    definition: str


@dataclass(frozen=True, order=True)
class Drift:
    """A difference between what a database ought to have and what it has.

    Attributes:
        kind: as `Object.kind`.
        name: as `Object.name`.
        expected: the definition that it ought to have; None where it ought not to be there.
        found: the definition that it has; None where it is not there.
    """

    kind: str
    name: str
    expected: str | None
    found: str | None


def describe(
    connection: psycopg.Connection[Any], version_table: tuple[str, str] | None
) -> list[Object]:
    """What the database of *connection* has, sorted.

    Nothing is left behind: settings are as before, and no transaction is open that was not.

    Args:
        connection: with a transaction open or without.
        version_table: schema and name of Alembic's version table, which is left out with what
            belongs to it.

    Raises:
        psycopg.Error: the catalog cannot be read.
    """
    with (
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        settings = _settings(version_table)
        cursor.execute(
            "SELECT pg_catalog.set_config(s.name, s.value, true) "
            "FROM ROWS FROM (pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) "
            "s (name, value)",
            (list(settings), list(settings.values())),
        )
        cursor.execute(QUERY)
        return sorted(Object(*row) for row in cursor)


def _settings(version_table: tuple[str, str] | None) -> dict[str, str]:
    schema, name = version_table or ("", "")
    return _SETTINGS | {
        "alembic_fixups.version_schema": schema,
        "alembic_fixups.version_table": name,
    }


def without_runner(objects: Iterable[Object], role: str) -> list[Object]:
    """The same with CURRENT_USER in the place of a role that policies and grants name.

    Whoever runs the revisions is so named, and is another one in every database.
    """
    name = re.compile(rf"""(?<![\w$"]){re.escape(_quote_ident(role))}(?![\w$"])""")
    return [
        Object(one.kind, name.sub(_RUNNER, one.name), name.sub(_RUNNER, one.definition))
        if one.kind in _NAMING_ROLES
        else one
        for one in objects
    ]


def _quote_ident(name: str) -> str:
    plain = re.fullmatch("[a-z_][a-z0-9_]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'


def drift(
    expected: Sequence[Object],
    found: Sequence[Object],
    *,
    also: Sequence[Object] = (),
    same_major: bool = True,
) -> list[Drift]:
    """What differs between a database and what it ought to have, sorted.

    Args:
        expected: the description of what ought to be there.
        found: the description of what is.
        also: *expected* in other words that are as good: after a dump and a restore PostgreSQL
            deparses some expressions anew. What is as in either of them does not differ.
        same_major: whether both are of one major version; of views and rules from different ones
            only the first line is compared, and no names of NOT NULL constraints, which versions
            before 18 do not keep.
    """
    there = _definitions(found)
    spellings = [_definitions(expected), *([_definitions(also)] if also else [])]
    differences = []
    for kind, name in sorted(there.keys() | spellings[0].keys()):
        definitions = [spelling.get((kind, name)) for spelling in spellings]
        definition = there.get((kind, name))
        if not same_major:
            if all(_is_not_null(kind, each) for each in (definition, *definitions)):
                continue
            heads = [_head(kind, each) for each in definitions]
            differs = _head(kind, definition) not in heads
        else:
            differs = definition not in definitions
        if differs:
            differences.append(Drift(kind, name, definitions[0], definition))
    return differences


def _definitions(objects: Iterable[Object]) -> dict[tuple[str, str], str]:
    return {(each.kind, each.name): each.definition for each in objects}


def _head(kind: str, definition: str | None) -> str | None:
    """What the definition has in common in all major versions."""
    return definition.partition("\n")[0] if definition and kind in VIEWS else definition


def _is_not_null(kind: str, definition: str | None) -> bool:
    return kind == "constraint" and (definition is None or definition.startswith("NOT NULL "))


def as_diff(drifts: Iterable[Drift]) -> list[str]:
    """The differences as the lines of a unified diff, the expected ones with a minus."""
    return [line for each in drifts for line in _diff(each)]


def _diff(difference: Drift) -> Iterator[str]:
    # A name or a text may hold what moves a terminal's cursor.
    title = quoting.comment(f"{difference.kind} {difference.name}")
    before, after = (
        [] if text is None else [quoting.comment(line.expandtabs()) for line in text.split("\n")]
        for text in (difference.expected, difference.found)
    )
    yield from difflib.unified_diff(
        before,
        after,
        title + (" (not expected)" if difference.expected is None else ""),
        title + (" (not there)" if difference.found is None else ""),
        lineterm="",
    )


def look(
    expected: Sequence[Object],
    also: Sequence[Object],
    major: int,
    version_table: tuple[str, str] | None,
) -> str:
    """One statement that fails where the database has something expected in another form.

    What is not there and what nobody expects is passed over.

    Args:
        expected: the description of what ought to be there.
        also: the same in words that are as good, as for `drift`.
        major: the major version of both; on another one, of views and rules only the first line
            is compared.
        version_table: schema and name of Alembic's version table, which is passed over.

    Returns:
        A DO statement without a semicolon that works under any search_path and leaves settings
        as they are.
    """
    others = _definitions(also)
    known = ",\n".join(_known(each, others) for each in sorted(expected))
    if not known:
        known = "      (NULL, NULL, NULL)"
    settings = _settings(version_table)
    names = quoting.literals(settings)
    values = quoting.literals(settings.values())
    schema, table = (quoting.literal(part) for part in version_table or ("", ""))
    if version_table:
        schema = quoting.name_literal(None, version_table[0])
    sources = [*_CATALOGS, "pg_type WHERE typtype IN ('d', 'e', 'm', 'r')"]
    objects = "\n        UNION ALL ".join(
        f"SELECT tableoid, oid FROM pg_catalog.{source}" for source in sources
    )
    tag = quoting.DOLLAR_TAG
    return f"""\
DO {tag}
DECLARE
  settings CONSTANT text[] := ARRAY[{names}];
  before CONSTANT text[] := ARRAY(
    SELECT pg_catalog.current_setting(s.name, true)
      FROM pg_catalog.unnest(settings) WITH ORDINALITY s (name, number)
     ORDER BY s.number
  );
  differing bigint;
  listed text;
BEGIN
  -- An empty database has nothing that could differ, and this costs less than the query below.
  IF NOT EXISTS (
    SELECT
      FROM (
        {objects}
      ) o (classid, objid)
     WHERE o.objid >= {_FIRST_OID}
       AND NOT EXISTS (
         SELECT
           FROM pg_catalog.pg_depend d
          WHERE d.classid = o.classid AND d.objid = o.objid AND d.deptype = 'e'
       )
       AND NOT EXISTS (
         SELECT
           FROM pg_catalog.pg_class c
          WHERE c.oid = o.objid AND o.classid = c.tableoid
            AND (c.relkind IN ('i', 't')
                 OR c.relnamespace = pg_catalog.to_regnamespace({schema}) AND c.relname = {table})
       )
  ) THEN
    RETURN;
  END IF;
  PERFORM pg_catalog.set_config(s.name, s.value, true)
     FROM ROWS FROM (
       pg_catalog.unnest(settings),
       pg_catalog.unnest(ARRAY[{values}])
     ) s (name, value);
  WITH known (kind, name, digests) AS (
    VALUES
{known}
  ),
  present AS (
{QUERY}
  ),
  different AS (
    SELECT p.kind, p.name, p.definition
      FROM known k
      JOIN present p ON p.kind = k.kind AND p.name = k.name
     WHERE pg_catalog.strpos(
             k.digests, pg_catalog.md5(pg_catalog.convert_to(p.definition, 'UTF8'))
           ) = 0
       AND NOT (
         p.kind = 'policy'
         AND pg_catalog.strpos(
               k.digests,
               pg_catalog.md5(
                 pg_catalog.convert_to(
                   pg_catalog.replace(
                     p.definition, pg_catalog.quote_ident(current_user), '{_RUNNER}'
                   ), 'UTF8'
                 )
               )
             ) > 0
       )
       AND NOT (
         p.kind IN ({quoting.literals(sorted(VIEWS))})
         AND pg_catalog.current_setting('server_version_num')::int / 10000 <> {major}
         AND pg_catalog.strpos(
               k.digests,
               pg_catalog.md5(
                 pg_catalog.convert_to(
                   pg_catalog.split_part(p.definition, pg_catalog.chr(10), 1), 'UTF8'
                 )
               )
             ) > 0
       )
  )
  SELECT (SELECT pg_catalog.count(*) FROM different),
         pg_catalog.string_agg(
           f.kind || ' ' || f.name || ' is ' || pg_catalog.translate(
             pg_catalog.left(f.definition, {_SHOWN}), pg_catalog.chr(9) || pg_catalog.chr(10), '  '
           ),
           pg_catalog.chr(10) ORDER BY f.kind, f.name COLLATE pg_catalog."C"
         )
    INTO differing, listed
    FROM (
      SELECT d.* FROM different d ORDER BY d.kind, d.name COLLATE pg_catalog."C" LIMIT {_LISTED}
    ) f;
  PERFORM pg_catalog.set_config(s.name, coalesce(s.value, ''), true)
     FROM ROWS FROM (pg_catalog.unnest(settings), pg_catalog.unnest(before)) s (name, value);
  IF differing > 0 THEN
    RAISE EXCEPTION USING
      ERRCODE = 'P0001',
      MESSAGE = differing || ' of what this revision makes is there already, in another form; '
        || 'change it, drop it or rename it, then upgrade again.' || pg_catalog.chr(10) || listed;
  END IF;
END
{tag}"""


def _known(each: Object, others: Mapping[tuple[str, str], str]) -> str:
    """The row of an object: its name, and a digest of each definition that is right."""
    right = [each.definition, others.get((each.kind, each.name), each.definition)]
    if each.kind in VIEWS:
        right += [text.partition("\n")[0] for text in right]
    digests = dict.fromkeys(
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for text in right
    )
    values = quoting.literals([each.kind, each.name, " ".join(digests)])
    return f"      ({values})"
