"""In which order tables are filled: referenced ones first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from alembic_fixups.prove.made_up.model import Database, ForeignKey


@dataclass(frozen=True)
class Group:
    """Tables that are filled together, since their foreign keys go in a circle, or a single one.

    Attributes:
        tables: their names, in order.
        cut: the foreign keys that rows get when all these tables have theirs.
    """

    tables: tuple[str, ...]
    cut: tuple[ForeignKey, ...]

    @property
    def hard(self) -> tuple[ForeignKey, ...]:
        """Those of them that cannot be NULL until then."""
        return tuple(key for key in self.cut if not _can_wait(key))


def groups(database: Database) -> list[Group]:
    """The tables in an order in which each can be filled."""
    needs = {
        name: sorted({key.parent for key in table.foreign_keys if not key.to_itself})
        for name, table in database.tables.items()
    }
    reached = {name: _reached(needs, name) for name in needs}
    circles = {
        name: min([name, *(other for other in reached[name] if name in reached[other])])
        for name in needs
    }
    outer: dict[str, list[str]] = {circles[name]: [] for name in needs}
    for name, parents in needs.items():
        outer[circles[name]] += [circles[one] for one in parents if circles[one] != circles[name]]
    return [
        _group(database, [name for name in needs if circles[name] == circle])
        for circle in TopologicalSorter(outer).static_order()
    ]


def _reached(needs: Mapping[str, Sequence[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(needs[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return found


def _group(database: Database, names: Sequence[str]) -> Group:
    keys = [
        key
        for name in names
        for key in database.tables[name].foreign_keys
        if not key.to_itself and key.parent in names
    ]
    cut: list[ForeignKey] = []
    while True:
        needs: dict[str, list[str]] = {name: [] for name in names}
        for key in keys:
            if key not in cut:
                needs[key.table].append(key.parent)
        try:
            return Group(tuple(TopologicalSorter(needs).static_order()), tuple(cut))
        except CycleError as error:
            circle = error.args[1]
            steps = [
                [key for key in keys if (key.parent, key.table) == step and key not in cut]
                for step in pairwise(circle)
            ]
            cut += min(steps, key=_pain)


def _pain(keys: Iterable[ForeignKey]) -> tuple[int, int, list[str]]:
    """How bad it is to cut all of these."""
    return (
        sum(not _can_wait(key) for key in keys),
        sum(not _can_wait(key) and not key.deferrable for key in keys),
        [key.table for key in keys],
    )


def _can_wait(key: ForeignKey) -> bool:
    return key.nullable == key.columns if key.full else bool(key.nullable)
