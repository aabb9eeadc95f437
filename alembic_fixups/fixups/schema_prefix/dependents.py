"""What hangs on what moves: by its OID, which follows, or by its name, which does not.

PostgreSQL keeps views, policies, defaults, rules and foreign keys as parse trees that know the
table by its OID. The bodies of functions are text, and so is a table's name in a string constant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, text

from alembic_fixups.catalog import Move
from alembic_fixups.fixups.schema_prefix.moves import moved_tables
from alembic_fixups.fixups.schema_prefix.settings import NAME
from alembic_fixups.report import Finding
from alembic_fixups.run import Run

_VIEWS = """
SELECT DISTINCT d.refobjid, n.nspname || '.' || v.relname
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
  JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
 WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ANY (:tables)
   AND v.oid <> d.refobjid AND v.relkind IN ('v', 'm')
 ORDER BY 2
"""

_FUNCTIONS = """
SELECT 'function ' || n.nspname || '.' || p.proname || '('
         || pg_get_function_identity_arguments(p.oid) || ')',
       p.prosrc, p.proconfig
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND p.prosrc <> ''
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                      AND d.deptype = 'e')
 ORDER BY 1
"""

_EXPRESSIONS = """
SELECT 'default of ' || f.adrelid::regclass::text || '.' || quote_ident(a.attname),
       pg_get_expr(f.adbin, f.adrelid)
  FROM pg_catalog.pg_attrdef f
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
UNION ALL
SELECT 'policy ' || quote_ident(polname) || ' on ' || polrelid::regclass::text,
       concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
  FROM pg_catalog.pg_policy
UNION ALL
SELECT 'view ' || c.oid::regclass::text, pg_get_viewdef(c.oid)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT 'index ' || indexrelid::regclass::text, pg_get_indexdef(indexrelid)
  FROM pg_catalog.pg_index WHERE indexprs IS NOT NULL OR indpred IS NOT NULL
UNION ALL
SELECT 'rule ' || quote_ident(rulename) || ' on ' || ev_class::regclass::text, pg_get_ruledef(oid)
  FROM pg_catalog.pg_rewrite WHERE rulename <> '_RETURN' AND oid >= 16384
UNION ALL
SELECT 'arguments of the trigger ' || quote_ident(tgname) || ' on ' || tgrelid::regclass::text,
       (SELECT string_agg(quote_literal(argument) || '::text', ' ')
          FROM unnest(string_to_array(encode(tgargs, 'escape'), '\\000')) AS argument)
  FROM pg_catalog.pg_trigger WHERE tgnargs > 0 AND NOT tgisinternal
UNION ALL
SELECT 'constraint ' || quote_ident(conname) || ' on ' || conrelid::regclass::text,
       pg_get_constraintdef(oid)
  FROM pg_catalog.pg_constraint WHERE contype = 'c' AND conrelid <> 0
 ORDER BY 1
"""

_PUBLICATIONS = """
SELECT r.prrelid, p.pubname
  FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
 WHERE r.prrelid = ANY (:tables)
UNION ALL
SELECT c.oid, p.pubname
  FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.pg_publication p
 WHERE c.oid = ANY (:tables) AND p.puballtables
"""

_SCHEMA_PUBLICATIONS = """
SELECT s.nspname, p.pubname
  FROM pg_catalog.pg_publication_namespace x
  JOIN pg_catalog.pg_publication p ON p.oid = x.pnpubid
  JOIN pg_catalog.pg_namespace s ON s.oid = x.pnnspid
"""


def dependents(connection: Connection, run: Run) -> Iterator[Finding]:
    """What there is to say of everything that moves."""
    moves = [move for move in run.moves if not move.done]
    if not moves:
        return
    tables = moved_tables(run)
    oids = {"tables": list(tables)}
    yield from _views(connection, tables, oids)
    yield from _mentions(connection, [*moves, *_own_sequences(tables, run)])
    yield from _publications(connection, tables, oids, run.catalog.major_version)


def _own_sequences(tables: Mapping[int, Move], run: Run) -> Iterator[Move]:
    """The sequences that go along with their tables."""
    for sequence in run.catalog.sequences.values():
        if sequence.owner is not None and sequence.owner in tables:
            move = tables[sequence.owner]
            yield Move("sequence", move.schema, sequence.name, move.to, along=True)


def _views(
    connection: Connection, tables: Mapping[int, Move], oids: Mapping[str, Any]
) -> Iterator[Finding]:
    views: dict[int, list[str]] = {}
    for oid, view in connection.execute(text(_VIEWS), oids):
        views.setdefault(oid, []).append(view)
    for oid, names in views.items():
        message = f"views that read it stay where they are and go on working: {', '.join(names)}"
        yield Finding(NAME, "view-stays", _full(tables[oid]), message, "info")


def _mentions(connection: Connection, moves: Iterable[Move]) -> Iterator[Finding]:
    all_functions = [(*row, row[1].lower()) for row in connection.execute(text(_FUNCTIONS))]
    all_expressions = [tuple(row) for row in connection.execute(text(_EXPRESSIONS)) if row[1]]
    for move in moves:
        # A look for the mere name first: the patterns are slow, and hardly any body has it.
        known = move.name.replace('"', '""').lower()
        functions = [row[:3] for row in all_functions if known in row[3]]
        expressions = [row for row in all_expressions if move.name in row[1]]
        if not functions and not expressions:
            continue
        schema, name = _identifier(move.schema), _identifier(move.name)
        full = re.compile(rf"{schema}\s*\.\s*{name}", re.IGNORECASE)
        bare = re.compile(rf"(?<![.\w\"]){name}", re.IGNORECASE)
        broken = [what for what, body, _ in functions if full.search(body)]
        broken += [
            what
            for what, body, config in functions
            if what not in broken
            and bare.search(body)
            and (path := _own_path(config)) is not None
            and not re.search(_identifier(move.to), path, re.IGNORECASE)
        ]
        constant = re.compile(rf"'(?:{schema}\.)?{name}'::(?:text|character varying|name)")
        broken += [what for what, body in expressions if constant.search(body or "")]
        if broken:
            message = (
                f"named by its old schema, or under a search_path that lacks {move.to!r}, in text "
                f"that does not follow: {', '.join(broken)}. Change that along with the move"
            )
            yield Finding(NAME, "name-breaks", _full(move), message)
        loose = [
            what
            for what, body, config in functions
            if what not in broken and _own_path(config) is None and bare.search(body)
        ]
        if loose:
            message = (
                f"named without a schema in {', '.join(loose)}: works on where the search_path of "
                f"the session has {move.to!r}"
            )
            yield Finding(NAME, "name-depends-on-path", _full(move), message)


def _publications(
    connection: Connection,
    tables: Mapping[int, Move],
    oids: Mapping[str, Any],
    major_version: int,
) -> Iterator[Finding]:
    by_table: dict[int, list[str]] = {}
    for oid, publication in connection.execute(text(_PUBLICATIONS), oids):
        by_table.setdefault(oid, []).append(publication)
    by_schema: dict[str, list[str]] = {}
    if major_version >= 15:
        for schema, publication in connection.execute(text(_SCHEMA_PUBLICATIONS)):
            by_schema.setdefault(schema, []).append(publication)
    for oid, move in tables.items():
        kept, left = by_table.get(oid, []), by_schema.get(move.schema, [])
        joined = by_schema.get(move.to, [])
        parts = [
            f"{', '.join(kept)} publishes it under its new name" if kept else "",
            f"it leaves {', '.join(left)}, which publishes its schema" if left else "",
            f"it joins {', '.join(joined)}, which publishes the new schema" if joined else "",
        ]
        said = "; ".join(part for part in parts if part)
        if said:
            message = f"logical replication goes by names: {said}. See to the subscribers first"
            yield Finding(NAME, "published", _full(move), message)


def _own_path(config: list[str] | None) -> str | None:
    """The search_path that a function sets for itself."""
    return next(
        (item.partition("=")[2] for item in config or () if item.startswith("search_path=")), None
    )


def _identifier(name: str) -> str:
    """A regular expression for a name, with quotes or as a word."""
    quoted = re.escape('"' + name.replace('"', '""') + '"')
    return rf"(?:{quoted}|(?<![\w\"]){re.escape(name)}(?![\w\"]))"


def _full(move: Move) -> str:
    return f"{move.schema}.{move.name}"
