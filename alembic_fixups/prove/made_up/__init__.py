"""Rows that nobody wrote, for every table of a scratch database that has none."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from alembic_fixups.prove.made_up import catalog, circles, filling, kinship, order
from alembic_fixups.prove.made_up.drawing import Drawing
from alembic_fixups.prove.made_up.model import Database, ForeignKey, Table
from alembic_fixups.prove.made_up.order import Group
from alembic_fixups.prove.made_up.parents import Parents
from alembic_fixups.prove.made_up.session import Session
from alembic_fixups.prove.made_up.values import Values


@dataclass(frozen=True)
class Filled:
    """A table that was to get rows.

    Attributes:
        table: its name with its schema, quoted as PostgreSQL does.
        rows: how many it has got.
        problem: why it has fewer than asked for; else empty.
    """

    table: str
    rows: int
    problem: str


def fill(connection: psycopg.Connection[Any], *, rows: int, seed: int) -> list[Filled]:
    """Fills every table without a row, so that a migration meets what it would in production.

    The first rows of a table have the values at the edge of its types, each nullable column a NULL
    in one of them; the others are random. Foreign keys are honoured, and a row agrees with its
    parents on what they have in common, as an order with its engagement on the client.

    Left alone are tables with rows, those of extensions, foreign tables and Alembic's own. Triggers
    fire, but for tables whose foreign keys go in a circle without one that can be NULL or deferred.
    What triggers put into a table comes beside its made-up rows.

    The same seed gives the same rows on the same schema, as far as its defaults and triggers do not
    write what changes by itself; a default that does is not taken where another value is known.

    Args:
        connection: of a superuser, or of the tables' owner. All is one transaction, or part of the
            one that is open, whose settings it changes (DateStyle and the like; constraints are
            IMMEDIATE from then on).
        rows: how many each table is to get.
        seed: decides what is random.

    Returns:
        The tables that had no row, by schema and name.

    Raises:
        psycopg.Error: the catalog cannot be read, or the connection is lost. What the database
            refuses otherwise is a table's problem.
    """
    with connection.transaction():
        work = _Work(connection, rows, random.Random(seed))
        for group in work.groups:
            work.fill(group)
    return [
        Filled(name, *work.outcomes[name]) for name in work.database.tables if name in work.outcomes
    ]


class _Work:
    """A database while it is filled.

    Attributes:
        database: the database.
        groups: its tables in their order.
        outcomes: how many rows a table has got, and the problem, by its name.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], rows: int, chance: random.Random
    ) -> None:
        self._connection, self._rows, self._chance = connection, rows, chance
        self._session = Session(connection)
        self.database: Database = catalog.read(connection)
        self.groups = order.groups(self.database)
        self.outcomes: dict[str, tuple[int, str]] = {}
        self._kinship = kinship.of(
            self.database,
            [name for group in self.groups for name in group.tables],
            [key for group in self.groups for key in group.cut],
        )
        self._parents = Parents(self.database, self._kinship, chance)
        self._values = Values(self.database.types, chance, self._session.accepts, rows)
        self._tenants: dict[tuple[str, str], list[str]] = {}
        # Looked up beforehand: a trigger on one table may put rows into the next.
        self._empty = {
            name for name, table in self.database.tables.items() if self._is_empty(table)
        }

    def fill(self, group: Group) -> None:
        """Fills the tables of a group, or none of them where they depend on each other."""
        if not any(key.table in self._empty for key in group.hard):
            self._fill(group)
            return
        try:
            with self._connection.transaction():
                self._fill(group)
                circles.checked(self._session)
        except circles.Unlinked as problem:
            for name in group.tables:
                if name in self._empty:
                    self.outcomes[name] = (0, str(problem))
                self._learn(self.database.tables[name])

    def _fill(self, group: Group) -> None:
        for name in group.tables:
            if name in self._empty:
                self._fill_table(self.database.tables[name], group)
            self._learn(self.database.tables[name])
        for key in group.cut:
            if key.table in self._empty and self._parents.any(key):
                circles.link(
                    self._session, self.database, key, self._parents, self._chance,
                    needed=key in group.hard,
                )  # fmt: skip

    def _fill_table(self, table: Table, group: Group) -> None:
        drawing = Drawing(
            self.database,
            table,
            group.cut,
            rows=self._rows,
            kinship=self._kinship,
            parents=self._parents,
            values=self._values,
            tenants=self._tenants,
            chance=self._chance,
        )
        hard = [key for key in group.hard if key.table == table.sql]
        in_itself = any(key.to_itself for key in table.foreign_keys)

        def went_in() -> None:
            if in_itself:
                self._learn(table)

        self.outcomes[table.sql] = (0, "")
        if hard:
            with circles.unchecked(self._session, hard):
                outcome = filling.fill(self._session, self.database, drawing, self._rows, went_in)
        else:
            outcome = filling.fill(self._session, self.database, drawing, self._rows, went_in)
        self.outcomes[table.sql] = outcome

    def _is_empty(self, table: Table) -> bool:
        if not table.filled:
            return False
        try:
            return not self._session.has_rows(table)
        except psycopg.Error as error:
            if not error.sqlstate:
                raise
            self.outcomes[table.sql] = (0, error.diag.message_primary or str(error))
            return False

    def _learn(self, table: Table) -> None:
        """Has the parents know the rows of a table that others refer to."""
        references = self.database.references(table.sql)
        for target in dict.fromkeys(key.target for key in references):
            known = self.database.tables[target]
            try:
                found = self._session.rows(known, self._needed(known, references))
            except psycopg.Error as error:
                if not error.sqlstate:
                    raise
                found = []  # nothing that this role may refer to
            self._parents.know(target, found)

    def _needed(self, table: Table, references: Iterable[ForeignKey]) -> list[str]:
        own = self._kinship.keys.get(table.sql, ())
        return list(
            dict.fromkeys(
                [
                    *(name for key in references if key.target == table.sql for name in key.keys),
                    *(name for key in own for name in key.columns),
                    *self._kinship.shared.get(table.sql, ()),
                ]
            )
        )
