"""Rows that fit what a revision adds.

A revision that adds a CHECK or a key, or makes a type narrower, stops, and rightly, where rows
contradict it; whether they do is a question to the data. So rows are made up under the constraints
and types of both ends, as far as the tables and columns are there before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

from alembic_fixups import scratch

_NUMBER = re.compile(r"\d+")
_QUERY = Path(__file__).with_name("fitting.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Rule:
    """Something that a table refuses rows for.

    Attributes:
        kind: constraint, index, column (one that is NOT NULL), or type: what that of a column can
            hold, as a CHECK.
        schema, table: the table.
        definition: what tells it from another.
        name: its own.
    """

    kind: str
    schema: str
    table: str
    definition: str
    name: str

    @property
    def limited(self) -> tuple[str, str, str]:
        """What the CHECK of a type limits: the same for another type of the kind."""
        return self.schema, self.table, _NUMBER.sub("", self.definition)

    @property
    def limit(self) -> int:
        """How much the CHECK of a type lets pass."""
        return int(_NUMBER.findall(self.definition)[-1])

    def __str__(self) -> str:
        what = "NOT NULL on" if self.kind == "column" else f"the {self.kind}"
        return f"{what} {self.name} of {self.schema}.{self.table}"


@contextmanager
def fitting(before: URL, after: URL) -> Iterator[tuple[str, ...]]:
    """Has a database refuse what another one would, for a ``with`` block.

    Args:
        before: the database that is to be filled.
        after: the same after an upgrade.

    Returns:
        What it refuses besides.
    """
    with scratch.connect(after) as connection:
        wanted = _rules(connection)
    with scratch.connect(before) as connection:
        rules = _rules(connection)
        present = {(rule.schema, rule.table, rule.definition) for rule in rules}
        limits = {rule.limited: rule.limit for rule in rules if rule.kind == "type"}
        added = [
            (rule, removal)
            for number, rule in enumerate(wanted)
            if (rule.schema, rule.table, rule.definition) not in present
            and not (rule.kind == "type" and limits.get(rule.limited, rule.limit + 1) <= rule.limit)
            and (removal := _added(connection, rule, number)) is not None
        ]
    try:
        yield tuple(str(rule) for rule, _ in added)
    finally:
        with scratch.connect(before) as connection:
            for _, removal in reversed(added):
                connection.execute(removal)


def _rules(connection: psycopg.Connection[Any]) -> list[Rule]:
    connection.execute("SET search_path = ''")  # so that every name has its schema
    return [Rule(*row[:5]) for row in connection.execute(_QUERY.encode())]


def _added(connection: psycopg.Connection[Any], rule: Rule, number: int) -> sql.Composed | None:
    """Adds it; gives what takes it away again, None where it cannot be added.

    Takes the number that tells it from others where it has no name of its own.
    """
    table, name = sql.Identifier(rule.schema, rule.table), sql.Identifier(rule.name)
    if rule.kind in ("constraint", "type"):
        if rule.kind == "type":
            name = sql.Identifier(f"fixups_fits_{number}")
        definition = sql.SQL(rule.definition)
        add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(table, name, definition)
        removal = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, name)
    elif rule.kind == "index":
        add = sql.Composed([sql.SQL(rule.definition)])
        removal = sql.SQL("DROP INDEX {}").format(sql.Identifier(rule.schema, rule.name))
    else:
        add = sql.SQL("ALTER TABLE {} ALTER {} SET NOT NULL").format(table, name)
        removal = sql.SQL("ALTER TABLE {} ALTER {} DROP NOT NULL").format(table, name)
    try:
        connection.execute(add)
    except psycopg.Error:  # a table or a column that is not there yet, or rows that refuse it
        return None
    return removal
