"""What tables that inherit have to say when a check of the one that they inherit changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

_CHECKS = """
WITH RECURSIVE tree (root, relation) AS (
  SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits
   WHERE inhparent = ANY (CAST(CAST(:roots AS text) AS oid[]))
  UNION
  SELECT t.root, i.inhrelid FROM tree AS t
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relation
)
SELECT t.root, t.relation, n.nspname || '.' || r.relname, c.conname, c.conislocal,
       c.coninhcount > 0, pg_get_expr(c.conbin, c.conrelid), (
         SELECT min(o.nspname || '.' || p.relname)
           FROM pg_catalog.pg_inherits AS i
           JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
           JOIN pg_catalog.pg_namespace AS o ON o.oid = p.relnamespace
           JOIN pg_catalog.pg_constraint AS k
             ON k.conrelid = p.oid AND k.contype = 'c' AND k.conname = c.conname
            AND NOT k.connoinherit
          WHERE i.inhrelid = t.relation AND p.oid <> t.root
            AND NOT EXISTS (
              SELECT FROM tree AS u WHERE u.root = t.root AND u.relation = i.inhparent
            )
       )
  FROM tree AS t
  JOIN pg_catalog.pg_class AS r ON r.oid = t.relation
  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
  JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.relation AND c.contype = 'c'
 ORDER BY 1, 3, 4
"""


@dataclass(frozen=True)
class ChildCheck:
    """A check of a table that inherits another one, directly or not.

    Attributes:
        parent: OID of the other one.
        relation: its own OID.
        table: its name.
        name: the name of the check.
        own: whether it is (also) its own.
        inherited: whether it is (also) inherited.
        expression: what the check says, as PostgreSQL writes it.
        elsewhere: a table that it inherits too, not by way of the first, with that check.
    """

    parent: int
    relation: int
    table: str
    name: str
    own: bool
    inherited: bool
    expression: str
    elsewhere: str | None


def child_checks(connection: Connection, parents: Iterable[int]) -> list[ChildCheck]:
    """The checks of all tables that inherit one of these, and of all partitions."""
    roots = "{" + ",".join(map(str, sorted(set(parents)))) + "}"
    return [ChildCheck(*row) for row in connection.execute(text(_CHECKS), {"roots": roots})]


def obstacle(
    name: str, written: str, children: Iterable[ChildCheck], *, old: bool, stays: bool
) -> str | None:
    """Why a check cannot be made for a table and all that inherit it, None where it can.

    Takes its name, what PostgreSQL writes for it, the checks of what inherits the table, whether
    the table has another check of that name, and whether this one stays until the new one is there.
    """
    for child in children:
        if child.name != name:
            continue
        if not old and child.own and not child.inherited and child.expression != written:
            return f"{child.table} inherits the table and has another check of that name"
        if old and child.inherited and child.elsewhere is not None:
            return f"{child.table} inherits it from {child.elsewhere} too"
        if old and child.inherited and child.own and not stays:
            return f"{child.table} inherits it and has it as its own too"
    return None
