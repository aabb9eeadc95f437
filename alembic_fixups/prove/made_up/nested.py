"""How PostgreSQL writes values that have parts: arrays, rows, ranges."""

from __future__ import annotations

from collections.abc import Iterable

from alembic_fixups.prove.made_up.near import place


def array(elements: Iterable[str | None], delimiter: str = ",") -> str:
    """An array (manual, 8.15.2 Array Value Input)."""
    parts = ("NULL" if part is None else _quoted(part) for part in elements)
    return "{" + delimiter.join(parts) + "}"


def composite(fields: Iterable[str | None]) -> str:
    """A row (manual, 8.16.2 Constructing Composite Values)."""
    return "(" + ",".join("" if part is None else _quoted(part) for part in fields) + ")"


def between(one: str, other: str) -> str:
    """A range from one value to another, whichever is the smaller (manual, 8.17.5)."""
    low, high = sorted((one, other), key=place) if place(one) != place(other) else (one, one)
    return f"[{_quoted(low)},{_quoted(high)}{']' if low == high else ')'}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
