"""Defaults and checks that stand within the statement that makes their table or domain.

No statement of their own adds them where that is there already and has lost them; so a snapshot
stops there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from alembic_fixups.rendering import quoting
from alembic_fixups.squash import drops
from alembic_fixups.squash.dump import Entry
from alembic_fixups.squash.guards import Names
from alembic_fixups.squash.statements import block

_DEFAULTS = """
SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid, one.oid, adrelid, attname
  FROM pg_catalog.pg_attrdef AS one
  JOIN pg_catalog.pg_attribute ON attrelid = adrelid AND attnum = adnum
 WHERE attgenerated = ''
 ORDER BY adrelid, adnum
"""
_CHECKS = """
SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid, oid,
       CASE conrelid WHEN 0 THEN contypid ELSE conrelid END, conname
  FROM pg_catalog.pg_constraint
 WHERE contype = 'c'
 ORDER BY 3, 4
"""


@dataclass(frozen=True)
class Inline:
    """What stands within the statement that makes a table or a domain.

    Attributes:
        name: its name, quoted for a cast to regclass or regtype.
        is_domain: whether it is a domain.
        drop: the statement that drops it.
        defaults: the columns that have a default there.
        checks: the names of the checks there.
    """

    name: str
    is_domain: bool
    drop: str
    defaults: tuple[str, ...]
    checks: tuple[str, ...]


def read(
    connection: psycopg.Connection[Any],
    entries: Sequence[Entry],
    names: Names,
    passed_over: Collection[int],
) -> list[Inline]:
    """What stands within the statements that these entries of a dump make."""
    of_their_own = {entry.address for entry in entries}
    found: list[dict[int, list[str]]] = []
    for query in (_DEFAULTS, _CHECKS):
        by_parent = defaultdict(list)
        for classid, oid, parent, name in connection.execute(query):
            if (classid, oid) not in of_their_own:
                by_parent[parent].append(name)
        found.append(by_parent)
    defaults, checks = found
    return [
        Inline(
            quoting.name_literal(entry.schema, entry.tag),
            entry.description == "DOMAIN",
            drops.drop(entry, names),
            tuple(defaults.get(entry.address[1], ())),
            tuple(checks.get(entry.address[1], ())),
        )
        for entry in entries
        if entry.description in ("TABLE", "FOREIGN TABLE", "DOMAIN")
        and entry.number not in passed_over
        and (entry.address[1] in defaults or entry.address[1] in checks)
    ]


def look(expected: Iterable[Inline]) -> str:
    """A statement that fails where a table is there without what stands within it; else empty."""
    lines = [
        f"    ({'true' if one.is_domain else 'false'}, {one.name}, "
        f"{_array(one.defaults)}, {_array(one.checks)})"
        for one in expected
    ]
    if not lines:
        return ""
    values = ",\n".join(lines)
    return block(
        f"""WITH expected (is_domain, name, defaults, checks) AS (
    VALUES
{values}
),
present AS (
    SELECT *, CASE WHEN is_domain THEN to_regtype(name)::oid ELSE to_regclass(name)::oid END AS oid
      FROM expected
)
SELECT string_agg(what, ', ') INTO lost
  FROM (
      SELECT format('default %s.%I', name, attname) AS what
        FROM present
        JOIN pg_attribute ON attrelid = oid AND attname = ANY (defaults)
       WHERE NOT is_domain AND NOT attisdropped AND NOT atthasdef
       UNION ALL
      SELECT format('constraint %I on %s', one, name)
        FROM present, unnest(checks) AS one
       WHERE oid IS NOT NULL
         AND NOT EXISTS (
             SELECT FROM pg_constraint
              WHERE conname = one
                AND CASE WHEN is_domain THEN contypid ELSE conrelid END = present.oid)
  ) AS missing;
IF lost IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = 'What this revision makes with its table is missing in one '
        || 'that is there already; add it there, then upgrade again: ' || lost;
END IF;""",
        declare="lost text;",
    )


def _array(names: Sequence[str]) -> str:
    return f"ARRAY[{quoting.literals(names)}]::text[]"
