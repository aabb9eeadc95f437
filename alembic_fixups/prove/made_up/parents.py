"""The rows that others can refer to, and which of them agree."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from alembic_fixups.prove.made_up.kinship import Key, Kinship
from alembic_fixups.prove.made_up.model import Database, ForeignKey

Known = Mapping[str, str | None]
"""The columns of a row that matter here."""

Facts = dict[Key, str | int]
"""What a row says of what it and others may agree on: which row, or which value."""

_TRIES = 100
_ENOUGH = 5
"""Among how many possible parents the one is taken that contradicts the others least."""

_OWN = 1000
"""As how many contradictions one counts that is about what the row itself names."""

_ENOUGH = 5
"""Among how many possible parents the one is taken that contradicts the others least."""

_OWN = 1000
"""As how many contradictions one counts that is about what the row itself names."""


@dataclass(frozen=True)
class Choice:
    """Parents for a row.

    Attributes:
        columns: the values of the foreign keys' columns.
        facts: what the parents say.
        contradictions: how many of these are not the same for all of them, by their weight.
    """

    columns: dict[str, str | None]
    facts: Facts
    contradictions: int


NOTHING = Choice({}, {}, 0)


class Parents:
    """The rows of the tables that others refer to."""

    def __init__(self, database: Database, kinship: Kinship, chance: random.Random) -> None:
        self._database = database
        self._kinship = kinship
        self._chance = chance
        self._rows: dict[str, Sequence[Known]] = {}
        self._facts: dict[tuple[str, int], Facts] = {}
        self._homes: dict[str, list[int]] = {}
        self._heard: dict[str, dict[tuple[str, str, int], Facts]] = {}
        self._owned: dict[str, set[Key]] = {}
        self._found: dict[tuple[str, Key], dict[Key, int]] = {}

    def know(self, table: str, rows: Sequence[Known]) -> None:
        """Takes the rows of a table in the place of those that were known."""
        self._rows[table] = rows
        self._homes.pop(table, None)
        self._heard.pop(table, None)
        self._facts = {key: facts for key, facts in self._facts.items() if key[0] != table}
        self._found = {key: found for key, found in self._found.items() if key[0] != table}

    def any(self, key: ForeignKey) -> bool:
        """Whether there is a row that a foreign key can name."""
        return any(_whole(row, key.keys) for row in self._rows.get(key.target, ()))

    def choose(
        self,
        table: str,
        keys: Sequence[ForeignKey],
        *,
        spread: float,
        settled: Choice = NOTHING,
    ) -> Choice | None:
        """Parents for a row of *table*, the deepest first, for the others follow from it.

        Args:
            keys: the foreign keys that are not NULL.
            spread: how often any row is as likely as another, from 0 to 1; else those at home are
                preferred, which have the same ancestors. So some rows of any two tables agree.
            settled: what is so beforehand.

        Returns:
            None where no rows agree that have to.
        """
        ordered = sorted(
            keys, key=lambda key: (key.to_itself, -self._kinship.depths[key.parent], key.name)
        )
        best: Choice | None = None
        found = 0
        for _ in range(_TRIES if len(keys) > 1 else 1):
            choice: Choice | None = settled
            for key in ordered:
                choice = choice and self._with(table, choice, key, spread)
            if choice and (best is None or choice.contradictions < best.contradictions):
                best = choice
            found += choice is not None
            if best and (found >= _ENOUGH or not best.contradictions):
                break
        return best

    def about(self, table: str, row: Known, columns: Iterable[str]) -> Choice:
        """What is settled for a row that is there: some of its columns, and what follows of it."""
        facts = {
            one if one[0] == "" else self._kinship.on(table, one[0], one[1:]): value
            for one, value in self._of_row(table, row).items()
        }
        return Choice({name: row[name] for name in columns}, facts, 0)

    def shared(self, table: str) -> Sequence[str]:
        """The columns in no foreign key that rows have in common with their parents."""
        return self._kinship.shared[table]

    def _with(self, table: str, choice: Choice, key: ForeignKey, spread: float) -> Choice | None:
        """The choice with a parent more, one that contradicts the others as little as can be."""
        rows = self._rows.get(key.target, ())
        best: Choice | None = None
        own = self._own(table)
        found = 0
        settled = choice.facts.get(self._kinship.on(table, key.parent, key.columns))
        follows = [settled] if isinstance(settled, int) and key.target == key.parent else []
        for number in chain(follows, self._candidates(key.target, spread)):
            row = rows[number]
            pairs = [
                (column, row[name]) for column, name in zip(key.columns, key.keys, strict=True)
            ]
            if any(
                value is None or choice.columns.get(column, value) != value
                for column, value in pairs
            ):
                continue
            said = self._said(table, key, number)
            against = [one for one in said if choice.facts.get(one, said[one]) != said[one]]
            if any(self._is_strict(one) and one in own for one in against):
                continue
            # Two parents may well have different owners, if the row itself names none.
            contradictions = choice.contradictions + sum(
                _OWN if one in own else spread < 1 and self._is_strict(one) for one in against
            )
            found += 1
            if best is None or contradictions < best.contradictions:
                best = Choice(
                    choice.columns | dict(pairs),
                    said | choice.facts,
                    contradictions,
                )
            more = best.contradictions - choice.contradictions
            if not more or (found >= _ENOUGH and more < _OWN):
                break
        return best

    def _own(self, table: str) -> set[Key]:
        """What a table has columns for."""
        if table not in self._owned:
            database, kinship = self._database.tables[table], self._kinship
            self._owned[table] = {
                *(kinship.on(table, one.parent, one.columns) for one in kinship.keys[table]),
                *(("", name, database.column(name).sql) for name in kinship.shared[table]),
            }
        return self._owned[table]

    def _candidates(self, table: str, spread: float) -> Iterable[int]:
        """The numbers of rows, as they come into question."""
        count = len(self._rows.get(table, ()))
        if not count:
            return
        home = [] if self._chance.random() < spread else self._home(table)
        if home:
            yield home[int(len(home) * self._chance.random() ** 3)]
        start = self._chance.randrange(count)
        yield from (number % count for number in range(start, start + count))

    def _home(self, table: str) -> list[int]:
        """The rows of a table whose ancestors are each the first of theirs that is among these."""
        if table not in self._homes:
            self._homes[table] = [
                number
                for number in range(len(self._rows[table]))
                if all(
                    value in self._home(key[0])[:1]
                    for key, value in self._facts_of(table, number).items()
                    if key[0] in self._kinship.strict
                )
            ]
        return self._homes[table]

    def _is_strict(self, key: Key) -> bool:
        return key[0] == "" or key[0] in self._kinship.strict

    def _said(self, table: str, key: ForeignKey, number: int) -> Facts:
        """What follows for a row of *table* from its parent by a foreign key."""
        known = self._heard.setdefault(key.target, {})
        if (table, key.name, number) not in known:
            known[table, key.name, number] = self._asked(table, key, number)
        return known[table, key.name, number]

    def _asked(self, table: str, key: ForeignKey, number: int) -> Facts:
        facts = {
            one if one[0] == "" else self._kinship.on(table, one[0], one[1:]): value
            for one, value in self._facts_of(key.target, number).items()
        }
        if key.to_itself:
            # A row in a tree is its parent's in what is the same everywhere, and in nothing else.
            return {one: value for one, value in facts.items() if self._is_strict(one)}
        if key.target == key.parent and key in self._kinship.keys[table]:
            facts[self._kinship.on(table, key.parent, key.columns)] = number
        return facts

    def _facts_of(self, table: str, number: int) -> Facts:
        if (table, number) not in self._facts:
            self._facts[table, number] = self._of_row(table, self._rows[table][number])
        return self._facts[table, number]

    def _of_row(self, table: str, row: Known) -> Facts:
        facts: Facts = {}
        for key in self._kinship.keys.get(table, ()):
            values = tuple(row[column] or "" for column in key.columns)
            found = self._numbers(key.target, key.keys).get(values)
            if found is not None and _whole(row, key.columns):
                facts |= {
                    one: value
                    for one, value in self._facts_of(key.target, found).items()
                    if one not in facts
                }
                facts[key.parent, *key.columns] = found
        for column in self._kinship.shared.get(table, ()):
            if (value := row[column]) is not None:
                facts["", column, self._database.tables[table].column(column).sql] = value
        return facts

    def _numbers(self, table: str, columns: tuple[str, ...]) -> dict[Key, int]:
        """Where the row with some values is."""
        if (table, columns) not in self._found:
            self._found[table, columns] = {
                tuple(row[column] or "" for column in columns): number
                for number, row in enumerate(self._rows.get(table, ()))
                if _whole(row, columns)
            }
        return self._found[table, columns]


def _whole(row: Known, columns: Iterable[str]) -> bool:
    return all(row[column] is not None for column in columns)
