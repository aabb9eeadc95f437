"""Texts that a LIKE pattern or a regular expression lets in."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from alembic_fixups.prove.made_up.words import LETTERS

_CLASSES = {
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:alnum:]": "a-zA-Z0-9",
    "[:upper:]": "A-Z",
    "[:lower:]": "a-z",
    "[:xdigit:]": "0-9a-f",
    "[:space:]": " ",
    "[:punct:]": "-.,!",
}
"""What Python's parser does not know of PostgreSQL's (manual, 9.7.3.2 Bracket Expressions)."""

_DIGITS = "0123456789"
_ALL = LETTERS + LETTERS.upper() + _DIGITS + "-_. ,!@/"
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_WORD": LETTERS + LETTERS.upper() + _DIGITS + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": LETTERS,
    "CATEGORY_NOT_WORD": "-. ",
    "CATEGORY_NOT_SPACE": LETTERS + _DIGITS,
}
_MORE = 8
"""How often something that may repeat without limit does at most, beyond the least."""


def like(pattern: str, chance: random.Random) -> str:
    """A text that is LIKE the pattern (manual, 9.7.1 LIKE)."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(_like(part, chance) for part in parts)


def _like(part: str, chance: random.Random) -> str:
    if part == "%":
        return "".join(chance.choice(LETTERS) for _ in range(chance.randint(1, _MORE)))
    if part == "_":
        return chance.choice(LETTERS + _DIGITS)
    return part[-1]


def matching(pattern: str, chance: random.Random) -> str | None:
    """A text that matches the regular expression; None where Python does not understand it."""
    for name, characters in _CLASSES.items():
        pattern = pattern.replace(name, characters)
    try:
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    return _sequence(parsed, chance)


def _sequence(parsed: Iterable[tuple[Any, Any]], chance: random.Random) -> str:
    return "".join(_one(str(operator), argument, chance) for operator, argument in parsed)


def _one(operator: str, argument: Any, chance: random.Random) -> str:
    if operator == "LITERAL":
        return chr(argument)
    if operator == "NOT_LITERAL":
        return chance.choice(_ALL.replace(chr(argument), ""))
    if operator == "ANY":
        return chance.choice(LETTERS + _DIGITS)
    if operator == "IN":
        return chance.choice(_characters(argument))
    if operator == "BRANCH":
        return _sequence(chance.choice(argument[1]), chance)
    if operator in ("SUBPATTERN", "ATOMIC_GROUP"):
        inner = argument[-1] if operator == "SUBPATTERN" else argument
        return _sequence(inner, chance)
    if operator.endswith("REPEAT"):
        least, most, inner = argument
        count = chance.randint(least, min(int(most), least + _MORE))
        return "".join(_sequence(inner, chance) for _ in range(count))
    return ""  # an anchor, or something that looks ahead: what it asks for comes by luck


def _characters(items: Iterable[tuple[Any, Any]]) -> str:
    found, negated = "", False
    for operator, argument in items:
        if str(operator) == "NEGATE":
            negated = True
        elif str(operator) == "LITERAL":
            found += chr(argument)
        elif str(operator) == "RANGE":
            low, high = argument
            found += "".join(map(chr, range(low, min(high, low + 255) + 1)))
        else:
            found += _CATEGORIES.get(str(argument), LETTERS)
    if negated:
        found = "".join(character for character in _ALL if character not in found)
    return found or LETTERS
