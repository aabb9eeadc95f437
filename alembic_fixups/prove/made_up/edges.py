"""Which values at the edge a table's columns have not had yet."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from alembic_fixups.prove.made_up.model import Value

_CHANCES = 2
"""How often a value that was refused along with others gets a row of its own."""


class Edges:
    """Hands each value out once; one that was in a refused row comes again, alone.

    The columns are those of the table, and the names of nullable foreign keys, whose one edge is
    NULL.
    """

    def __init__(
        self,
        values: Mapping[str, Sequence[Value]],
        nullable: Iterable[str],
        rows: int,
        chance: random.Random,
    ) -> None:
        self._waiting: dict[str, list[Value]] = {}
        self._alone: list[tuple[str, Value]] = []
        self._seen: Counter[tuple[str, Value]] = Counter()
        for column, edges in values.items():
            mixed = list(edges)
            chance.shuffle(mixed)
            self._waiting[column] = mixed
        self._null_rows = {column: chance.randrange(max(1, min(rows, 6))) for column in nullable}

    def of_row(self, number: int) -> dict[str, Value]:
        """The values that row *number* is to have."""
        if self._alone and (number % 2 or not any(self._waiting.values())):
            # NULL first: every migration has to do with that.
            self._alone.sort(key=lambda one: one[1] is not None)
            self._null_rows = {
                column: at + (at >= number) for column, at in self._null_rows.items()
            }
            return dict([self._alone.pop(0)])
        found: dict[str, Value] = {}
        for column, edges in self._waiting.items():
            if edges and self._null_rows.get(column) != number:
                found[column] = edges.pop(0)
        nulls = [column for column, at in self._null_rows.items() if at == number]
        return found | dict.fromkeys(nulls)

    def refused(self, values: Mapping[str, Value], *, for_good: Collection[str] = ()) -> None:
        """Takes back what a refused row had; what is refused for good does not come again."""
        for column, value in values.items():
            self._seen[column, value] += 1
            if column not in for_good and self._seen[column, value] <= _CHANCES:
                self._alone.append((column, value))
