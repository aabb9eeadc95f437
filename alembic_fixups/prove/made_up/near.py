"""Values beside others: of numbers and of moments, whose text says where they stand."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

_EPOCH = datetime(2000, 1, 1)


def number(text: str) -> Decimal | None:
    """The finite number that a text is."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def moment(text: str) -> datetime | None:
    """The day or moment that a text is."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def place(text: str) -> tuple[int, Decimal]:
    """Where a number or a moment stands among its like; all else is in one place."""
    if (found := number(text)) is not None:
        return 1, found
    if (when := moment(text)) is not None:
        return 2, Decimal(str((when.replace(tzinfo=None) - _EPOCH).total_seconds()))
    return 0, Decimal(0)


def beside(text: str, chance: random.Random) -> str:
    """The number or the moment itself or one close to it; another text as it is."""
    if (found := number(text)) is not None:
        step = chance.choice(["0", "1", "-1", "2", "10", "0.01", "-0.01"])
        return format(found + Decimal(step), "f")
    return _later(text, chance.choice([0, 1, -1, 7, 30]), chance.choice([0, 0, 1, -1]))


def after(text: str, chance: random.Random) -> str:
    """A number or a moment that comes soon after it; another text as it is."""
    if (found := number(text)) is not None:
        return format(found + chance.randint(1, 5), "f")
    return _later(text, chance.randint(1, 5), 0)


def amid(one: str, other: str, chance: random.Random) -> str:
    """A number or a moment between two; one of them where they are something else."""
    low, high = number(one), number(other)
    if low is not None and high is not None:
        made = low + (high - low) * Decimal(chance.randint(0, 1000)) / 1000
        return format(round(made, 4).normalize(), "f")
    first, last = moment(one), moment(other)
    if first is not None and last is not None and (first.tzinfo is None) == (last.tzinfo is None):
        return _like((first + (last - first) * chance.random()).replace(microsecond=0), one)
    return chance.choice([one, other])


def _later(text: str, days: int, seconds: int) -> str:
    found = moment(text)
    if found is None:
        return text
    try:
        return _like(found + timedelta(days=days, seconds=seconds if len(text) > 10 else 0), text)
    except OverflowError:
        return text


def _like(when: datetime, text: str) -> str:
    return when.date().isoformat() if len(text) == 10 else when.isoformat(" ")
