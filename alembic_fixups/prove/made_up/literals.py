"""Values that a rule's own text suggests: what stands in it, and what is close to that."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from alembic_fixups.prove.made_up import near, patterns, scalars, words

_STRING = re.compile(r"(\bE)?'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.$])\d+(?:\.\d+)?(?![\w.])")
_LONGEST = 2000
"""A number in a rule for a text may be a length up to this."""


@dataclass(frozen=True)
class Literals:
    """The constants of some definitions.

    Attributes:
        strings: the quoted ones, as they are.
        numbers: the numbers, quoted or not, each also with the other sign.
    """

    strings: tuple[str, ...]
    numbers: tuple[Decimal, ...]


def of(texts: Iterable[str]) -> Literals:
    """The constants in definitions as PostgreSQL deparses them, or in a function's source."""
    strings: list[str] = []
    numbers: list[Decimal] = []
    for text in texts:
        for escaped, body in _STRING.findall(text):
            string = body.replace("''", "'")
            strings.append(string.replace("\\\\", "\\") if escaped else string)
        found = [*_NUMBER.findall(_STRING.sub("''", text)), *strings]
        numbers += [value for one in found if (value := near.number(one)) is not None]
    both = [signed for value in numbers for signed in (value, -value)]
    return Literals(tuple(dict.fromkeys(strings)), tuple(dict.fromkeys(both)))


def suggested(literals: Literals, name: str, modifier: int, chance: random.Random) -> str | None:
    """A value for a type without parts, by its name and modifier; None where nothing suggests one.

    It need not be one that the type takes.
    """
    if name in scalars.NUMBERS:
        return _number(literals, name, modifier, chance)
    if name in scalars.TEXTS:
        made = _text(literals, chance)
        limit = scalars.text_limit(name, modifier)
        return None if made is None or (limit is not None and len(made) > limit) else made
    if not literals.strings:
        return None
    string = chance.choice(literals.strings)
    if name in scalars.TIMES:
        other = chance.choice(literals.strings)
        return chance.choice([near.beside(string, chance), near.amid(string, other, chance)])
    if name in ("json", "jsonb"):
        return _json(string, chance)
    return string


def fitting_number(value: Decimal, name: str, modifier: int) -> str | None:
    """The number as the type writes it; None where the type does not reach so far."""
    if name in scalars.BOUNDS or name == "oid":
        whole = int(value)
        low, high = (
            (0, 2**32 - 1) if name == "oid" else (-scalars.BOUNDS[name], scalars.BOUNDS[name] - 1)
        )
        return str(whole) if low <= whole <= high else None
    if name == "numeric" and modifier >= 4:
        limit, step = scalars.numeric_range(modifier)
        value = scalars.rounded(value, step)
        return format(value, "f") if abs(value) < limit else None
    return format(value, "f")


def _number(literals: Literals, name: str, modifier: int, chance: random.Random) -> str | None:
    if not literals.numbers:
        return None
    one, other = chance.choice(literals.numbers), chance.choice([*literals.numbers, Decimal(0)])
    value = near.number(
        chance.choice([near.beside(str(one), chance), near.amid(str(one), str(other), chance)])
    )
    return None if value is None else fitting_number(value, name, modifier)


def _text(literals: Literals, chance: random.Random) -> str | None:
    lengths = [int(one) for one in literals.numbers if 0 < one <= _LONGEST]
    if lengths and (not literals.strings or chance.random() < 0.3):
        return words.letters(chance, max(0, chance.choice(lengths) + chance.choice([0, 1, -1])))
    if not literals.strings:
        return None
    string = chance.choice(literals.strings)
    way = chance.random()
    if re.search(r"[%_]", string) and way < 0.5:
        return patterns.like(string, chance)
    if re.search(r"[\\^$.|?*+()\[\]{}]", string) and way < 0.9:
        return patterns.matching(string, chance)
    return string


def _json(string: str, chance: random.Random) -> str:
    value = chance.choice([chance.randint(0, 99), words.word(chance), [], {}])
    return chance.choice([string, json.dumps(string), json.dumps({string: value}), "{}", "[]"])
