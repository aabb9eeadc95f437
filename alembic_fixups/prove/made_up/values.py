"""Values of any type, also of arrays, rows, ranges and domains over others."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from alembic_fixups.prove.made_up import literals, near, nested, scalars
from alembic_fixups.prove.made_up.literals import Literals
from alembic_fixups.prove.made_up.model import Column, Type

Accepts = Callable[[str, Sequence[str]], list[str]]
"""Which of some texts a type takes; the type as SQL."""

_TRIES = 300
"""How many values are tried for a domain."""

_ENOUGH = 60
"""How many values a domain with checks has at most, where no more are asked for."""


class Values:
    """Makes values as text, for the types' own input functions.

    Attributes:
        chance: what decides.
    """

    def __init__(
        self, types: Mapping[int, Type], chance: random.Random, accepts: Accepts, rows: int
    ) -> None:
        self.chance = chance
        self._types = types
        self._accepts = accepts
        self._enough = max(_ENOUGH, 3 * rows)
        self._edges: dict[str, list[str]] = {}
        self._read: dict[tuple[str, str], bool] = {}
        self._domains: dict[int, list[str]] = {}

    def tried_edges(self, column: Column) -> list[str]:
        """The values at the edges of a column's type that the type takes."""
        if column.sql not in self._edges:
            made = self.edges(column.type, column.modifier)
            self._edges[column.sql] = self._accepts(column.sql, made)
        return self._edges[column.sql]

    def edges(self, oid: int, modifier: int) -> list[str]:
        """The values at the edges of a type; the type may refuse some of them."""
        kind = self._types[oid]
        if kind.element:
            return self._array_edges(kind, modifier)
        if kind.kind == "e":
            return list(kind.labels)
        if kind.kind == "d":
            return self.edges(kind.base, kind.modifier)
        if kind.kind == "c":
            return self._row_edges(kind)
        if kind.kind == "r":
            ends = self.edges(kind.subtype, -1)[:3]
            return ["empty", "(,)", *(nested.between(end, end) for end in ends)]
        if kind.kind == "m":
            return ["{}", "{(,)}"]
        return scalars.edges(kind.name, modifier)

    def plain(self, oid: int, modifier: int) -> str | None:
        """A plausible value; None where none is known."""
        kind = self._types[oid]
        if kind.element:
            count = self.chance.randint(1, 3)
            return self._array(kind, [self.plain(kind.element, modifier) for _ in range(count)])
        if kind.kind == "e":
            return self.chance.choice(kind.labels) if kind.labels else None
        if kind.kind == "d":
            return self._domain(kind)
        if kind.kind == "c":
            return nested.composite(self.plain(*field) for field in kind.fields)
        if kind.kind == "r":
            low = self.plain(kind.subtype, -1)
            return low and nested.between(low, near.after(low, self.chance))
        if kind.kind == "m":
            one = self.plain(kind.range, -1)
            return one and f"{{{one}}}"
        return scalars.plain(kind.name, modifier, self.chance)

    def suggested(self, oid: int, modifier: int, found: Literals) -> str | None:
        """A value that constants suggest; the type may refuse it. None where they suggest none."""
        kind = self._types[oid]
        if kind.element:
            count = self.chance.randint(1, 3)
            elements = [self.suggested(kind.element, modifier, found) for _ in range(count)]
            return self._array(kind, elements)
        if kind.kind == "d":
            return self.suggested(kind.base, kind.modifier, found)
        if kind.kind == "e":
            labels = [label for label in kind.labels if label in found.strings]
            return self.chance.choice(labels) if labels else None
        if kind.kind == "r":
            ends = [self.suggested(kind.subtype, -1, found) for _ in range(2)]
            return nested.between(ends[0], ends[1]) if ends[0] and ends[1] else None
        made = literals.suggested(found, kind.name, modifier, self.chance)
        if made is None or kind.name in scalars.TEXTS | scalars.NUMBERS:
            return made
        # The error for a text that the type does not read would not say in which column it is.
        if (kind.sql, made) not in self._read:
            self._read[kind.sql, made] = bool(self._accepts(kind.sql, [made]))
        return made if self._read[kind.sql, made] else None

    def scalar(self, oid: int, modifier: int) -> tuple[str, int]:
        """The name and the modifier of the type that a domain is over, else its own."""
        kind = self._types[oid]
        return self.scalar(kind.base, kind.modifier) if kind.kind == "d" else (kind.name, modifier)

    def _array_edges(self, kind: Type, modifier: int) -> list[str]:
        edges = ["{}", "{NULL}"]
        if kind.name in ("int2vector", "oidvector"):
            return scalars.edges(kind.name, modifier)
        inner = self._accepts(self._types[kind.element].sql, self.edges(kind.element, modifier)[:4])
        # Arrays of one row for each element, and with a lower bound of their own.
        one = [part for part in (self.plain(kind.element, modifier),) if part is not None]
        if one:
            row = self._array(kind, [one[0], one[0]])
            edges += [f"{{{row}{kind.delimiter}{row}}}", f"[0:0]={self._array(kind, one)}"]
        return [*edges, *([nested.array(inner, kind.delimiter)] if inner else [])]

    def _array(self, kind: Type, elements: Sequence[str | None]) -> str | None:
        if kind.name in ("int2vector", "oidvector"):
            return " ".join(part for part in elements if part is not None)
        if None in elements:
            return None
        return nested.array(elements, kind.delimiter)

    def _row_edges(self, kind: Type) -> list[str]:
        columns = [self.edges(*field) for field in kind.fields]
        longest = max(map(len, columns), default=0)
        rows = [
            nested.composite(column[number % len(column)] if column else None for column in columns)
            for number in range(min(longest, 6))
        ]
        return [nested.composite(None for _ in columns), *rows]

    def _domain(self, kind: Type) -> str | None:
        if not kind.checks:
            return self.plain(kind.base, kind.modifier)
        if kind.oid not in self._domains:
            self._domains[kind.oid] = self._allowed(kind)
        known = self._domains[kind.oid]
        return self.chance.choice(known) if known else None

    def _allowed(self, kind: Type) -> list[str]:
        """Values that a domain's checks let in."""
        found = literals.of(kind.checks)
        allowed: dict[str, None] = {}
        for _ in range(_TRIES):
            made = (
                self.suggested(kind.base, kind.modifier, found)
                if self.chance.random() < 0.6
                else self.plain(kind.base, kind.modifier)
            )
            if made is not None and made not in allowed:
                allowed |= dict.fromkeys(self._accepts(kind.sql, [made]))
            if len(allowed) >= self._enough:
                break
        return list(allowed)
