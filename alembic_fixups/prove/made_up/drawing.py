"""Draws the rows of one table, and draws again what was refused."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from alembic_fixups.prove.made_up import literals, near, scalars
from alembic_fixups.prove.made_up.edges import Edges
from alembic_fixups.prove.made_up.kinship import Kinship
from alembic_fixups.prove.made_up.model import (
    Column,
    Database,
    ForeignKey,
    Row,
    Rule,
    Table,
    Take,
    Value,
)
from alembic_fixups.prove.made_up.parents import Parents
from alembic_fixups.prove.made_up.values import Values

_TENANTS = 3
"""How many values a column has at first whose rows belong together by it."""

_SPREAD = 0.4
"""How many of the rows have any parents, and not those that most have (`Parents.choose`)."""

_PLACELESS = ("key", "primary", "unique")
"""Rules that only say that no two rows are alike: no value is nearer to them than another."""


class Disagreement(Exception):
    """There are no parents for a row that agree with one another."""


@dataclass
class Draft:
    """A row that is tried.

    Attributes:
        row: its values, for every column that is not generated.
        edges: those of them that are at the edge, by column or foreign key.
        own: the foreign keys to the row itself.
    """

    row: Row = field(default_factory=dict)
    edges: dict[str, Value] = field(default_factory=dict)
    own: tuple[ForeignKey, ...] = ()


class Drawing:
    """Draws rows of one table.

    Attributes:
        table: the table.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        cut: Collection[ForeignKey],
        *,
        rows: int,
        kinship: Kinship,
        parents: Parents,
        values: Values,
        tenants: dict[tuple[str, str], list[str]],
        chance: random.Random,
    ) -> None:
        self.table = table
        self._kinship, self._parents, self._values = kinship, parents, values
        self._tenants, self._chance = tenants, chance
        self._columns = [column for column in table.columns if not column.generated]
        self._keys = [key for key in table.foreign_keys if key not in cut]
        referring = {name for key in table.foreign_keys for name in key.columns}
        self._shared = [table.column(name) for name in kinship.shared[table.sql]]
        self._free = [
            column
            for column in self._columns
            if not (column.name in referring or column.numbered or column in self._shared)
        ]
        nullable = [
            *(column.name for column in self._free if column.nullable),
            *(column.name for column in self._shared if column.nullable),
            *(key.name for key in self._keys if key.nullable),
        ]
        edges = {column.name: self._edges(column) for column in self._free}
        self._waiting = Edges(edges, nullable, rows, chance)
        self._restricted: set[str] = set()
        self._good: dict[Rule, list[dict[str, Value]]] = {}
        self._literals = {
            column.name: literals.of(
                [
                    *(rule.text for rule in self._rules_of([column.name])),
                    *_checks(database, column.type),
                ]
            )
            for column in self._columns
        }

    def hindrance(self) -> str:
        """Why no row can be made; empty where nothing is known to be in the way."""
        for key in self._keys:
            possible = key.nullable or key.to_itself or self._parents.any(key)
            if not possible:
                return f"it refers to {key.target}, which has no rows ({key.name})"
        for column in self._free:
            if not (
                column.nullable
                or column.default
                or self._values.plain(column.type, column.modifier) is not None
            ):
                return f"no value is known for the type {column.sql} of {column.name}"
        return ""

    def first(self, number: int) -> Draft:
        """Row *number*, with the values at the edge that are its turn.

        Raises:
            Disagreement: no parents agree.
        """
        draft = Draft(edges=self._waiting.of_row(number))
        nulls = {
            key.name
            for key in self._keys
            if key.name in draft.edges or (number > 1 and self._chance.random() < 0.1)
        }
        self._refer(draft, nulls, spread=_SPREAD if number > 1 else 0)
        for column in self._free:
            if column.name in draft.edges:
                draft.row[column.name] = draft.edges[column.name]
            elif number > 1 and column.nullable and self._chance.random() < 0.1:
                draft.row[column.name] = None
            else:
                draft.row[column.name] = self._plausible(column, draft)
        return self._whole(draft)

    def again(self, draft: Draft, rule: Rule | None, columns: Collection[str]) -> Draft:
        """Another row, after a rule or something unknown refused the draft.

        Args:
            draft: the row.
            rule: what refused it; None where that is not known.
            columns: those that it is about; none where that is not known.

        Raises:
            Disagreement: no parents agree.
        """
        known = [name for name in columns if name in draft.row]
        taken = {
            name: value
            for name, value in draft.edges.items()
            if not known or name in known or self._is_key_of(name, known)
        }
        alone = known[0] if len(known) == 1 and rule and rule.kind not in _PLACELESS else ""
        self._waiting.refused(taken, for_good=[alone] if taken.get(alone) is not None else [])
        other = Draft(dict(draft.row), {k: v for k, v in draft.edges.items() if k not in taken})
        names = set(known or draft.row)
        if not known and taken:
            # First without anything unusual.
            for column in self._free:
                other.row[column.name] = self._plausible(column, other)
        elif not self._repeat(other, rule):
            if rule is None or rule.kind not in _PLACELESS:
                self._restricted |= names
            changed = [column for column in self._free if column.name in names]
            if rule is not None and len(changed) > 1:
                # What another rule is content with had better stay.
                lonely = [column for column in changed if self._rules_of([column.name]) == [rule]]
                changed = lonely if lonely and self._chance.random() < 0.8 else changed
                changed = self._chance.sample(changed, self._chance.randint(1, len(changed)))
            for column in changed:
                other.row[column.name] = self._plausible(column, other, rule)
        referring = {name for key in self._keys for name in key.columns}
        if names & (referring | {column.name for column in self._shared}):
            nulls = {
                key.name
                for key in self._keys
                if key.name in other.edges or (key.nullable and self._chance.random() < 0.2)
            }
            taken_already = rule is not None and rule.kind in _PLACELESS
            self._refer(other, nulls, spread=1 if taken_already else _SPREAD)
        else:
            other.own = draft.own
        return self._whole(other)

    def went_in(self, draft: Draft) -> None:
        """Learns from a row that nothing refused."""
        for rule in self.table.rules:
            if rule.kind == "check" and self._restricted.intersection(rule.columns):
                values = {name: draft.row[name] for name in rule.columns if name in draft.row}
                self._good.setdefault(rule, []).append(values)
        for column in self._shared:
            value = draft.row[column.name]
            known = self._tenants.setdefault((column.name, column.sql), [])
            if isinstance(value, str) and value not in known:
                known.append(value)

    def _edges(self, column: Column) -> list[Value]:
        steady: list[Value] = [Take.DEFAULT] if column.kind == "steady" else []
        if any(rule.kind == "exclusion" for rule in self._rules_of([column.name])):
            return []  # one that overlaps with everything would keep all others out
        return [*steady, *self._values.tried_edges(column)]

    def _rules_of(self, names: Iterable[str]) -> list[Rule]:
        return [rule for rule in self.table.rules if set(names) & set(rule.columns)]

    def _is_key_of(self, name: str, columns: Collection[str]) -> bool:
        return any(
            key.name == name and not set(columns).isdisjoint(key.columns) for key in self._keys
        )

    def _refer(self, draft: Draft, nulls: Collection[str], *, spread: float) -> None:
        """Gives the columns of foreign keys, and those shared with parents, their values."""
        own = tuple(
            key
            for key in self._keys
            if key.to_itself and not key.nullable and not self._parents.any(key)
        )
        live = [
            key
            for key in self._keys
            if key not in own
            and not (key.nullable and (key.name in nulls or not self._parents.any(key)))
        ]
        # A column that another foreign key needs cannot be NULL for this one.
        needed = {name for key in live for name in key.columns}
        for key in self._keys:
            if key not in live and key not in own:
                apart = set(key.nullable) - needed
                if not apart or (key.full and apart != set(key.columns)):
                    live.append(key)
        # Parents in the table itself come last: else all rows would be in the first one's family.
        trees = [key for key in live if key.to_itself and key.nullable]
        others = [key for key in live if key not in trees]
        choice = self._parents.choose(self.table.sql, others, spread=spread)
        if choice is None:
            needed_ones = [key for key in others if not key.nullable]
            choice = self._parents.choose(self.table.sql, needed_ones, spread=spread)
        if choice is None:
            raise Disagreement
        for key in trees:
            more = self._parents.choose(
                self.table.sql, [key], spread=spread, settled=replace(choice, contradictions=0)
            )
            choice = more or choice
        draft.own = own
        for name in {name: None for key in self.table.foreign_keys for name in key.columns}:
            column = self.table.column(name)
            if name in choice.columns:
                draft.row[name] = choice.columns[name]
            elif column.nullable:
                draft.row[name] = None
            elif not column.numbered:
                draft.row[name] = self._values.plain(column.type, column.modifier)
        for column in self._shared:
            value = choice.facts.get(("", column.name, column.sql))
            if column.name in draft.edges:
                draft.row[column.name] = draft.edges[column.name]
            elif value is not None:
                draft.row[column.name] = str(value)
            else:
                known = self._tenants.get((column.name, column.sql), [])
                draft.row[column.name] = (
                    self._chance.choice(known)
                    if len(known) >= _TENANTS
                    else self._plausible(column, draft)
                )

    def _whole(self, draft: Draft) -> Draft:
        """The row with every column, in the table's order."""
        for key in draft.own:
            for name, other in zip(key.columns, key.keys, strict=True):
                draft.row[name] = draft.row.get(other, Take.DEFAULT)
        draft.row = {
            column.name: draft.row.get(column.name, Take.DEFAULT) for column in self._columns
        }
        return draft

    def _repeat(self, draft: Draft, rule: Rule | None) -> bool:
        """Takes the values over that another row has under the same rule, if there is luck."""
        known = self._good.get(rule, []) if rule else []
        free = {column.name for column in self._free}
        if not rule or not known or not free.issuperset(rule.columns):
            return False
        if self._chance.random() < 0.4:
            draft.row |= self._chance.choice(known)
            return True
        return False

    def _plausible(self, column: Column, draft: Draft, rule: Rule | None = None) -> Value:
        """A value for a column; where rules restrict it, one that they, or one of them, suggest."""
        made: Value = None
        way = self._chance.random()
        if column.name in self._restricted:
            if column.nullable and way < 0.15:
                return None
            several = rule is not None and len(rule.columns) > 1
            if way < (0.4 if several else 0.6):
                made = self._suggested(column, rule)
            elif way < 0.8:
                made = self._related(column, draft.row, rule if several else None)
        if made is None and column.kind == "steady" and 0.8 < way < 0.95:
            return Take.DEFAULT
        if made is None:
            made = self._values.plain(column.type, column.modifier)
        if made is None and (column.default or not column.nullable):
            return Take.DEFAULT
        return made

    def _suggested(self, column: Column, rule: Rule | None) -> str | None:
        found = self._literals[column.name]
        if rule is not None and self._chance.random() < 0.7:
            found = literals.of([rule.text])
        return self._values.suggested(column.type, column.modifier, found)

    def _related(self, column: Column, row: Row, rule: Rule | None) -> str | None:
        """A value that has to do with what others have, in the same rule or in any."""
        rules = [one for one in self._rules_of([column.name]) if one.kind not in _PLACELESS]
        rules = [rule] if rule else rules
        names = {name: None for rule in rules for name in rule.columns if name != column.name}
        others = [value for name in names if isinstance(value := row.get(name), str)]
        if not others:
            return None
        kind, modifier = self._values.scalar(column.type, column.modifier)
        other = self._chance.choice(others)
        if kind in scalars.NUMBERS:
            numbers = [found for one in others if (found := near.number(one)) is not None]
            beside = near.number(near.beside(other, self._chance))
            sums = [sum(numbers, Decimal(0)), *([beside] if beside is not None else [])]
            for constant in literals.of(one.text for one in rules).numbers:
                sums += [constant - sums[0], *(constant * one for one in numbers)]
            if len(numbers) == 2:
                sums += [numbers[0] - numbers[1], numbers[1] - numbers[0]]
                sums += [numbers[0] * numbers[1]]
            return literals.fitting_number(self._chance.choice(sums), kind, modifier)
        return near.beside(other, self._chance)


def _checks(database: Database, oid: int) -> Sequence[str]:
    """The checks of a domain, and of what it is over."""
    kind = database.types.get(oid)
    return () if kind is None else (*kind.checks, *_checks(database, kind.base))
