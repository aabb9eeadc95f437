"""Words and texts that nobody wrote."""

from __future__ import annotations

import random

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BEGINNINGS = (
    "ba be bo da de do fa fe ga go ka ke ko la le lo ma me mo na ne no pa po ra re ro sa se"
)
_ENDINGS = "bel dan der fin gard hold kin land lin mar nor rand sen sted ton vik"
_LONGEST = 100_000
"""Characters of the longest text; a longer one only takes time."""

EDGES = (
    "",
    'O\'Reilly & "Sons"',
    "back\\slash \\n \\\\",
    "100% %s %(name)s :name {0} $1 $$",
    "Zürich 東京 🦆 e\u0301 \u202eabc",
    "  spaces around  ",
    "NULL",
    "two\nlines\tand a tab",
    "0",
)


def word(chance: random.Random) -> str:
    """A made-up word, such as a name."""
    beginning = chance.choice(_BEGINNINGS.split())
    middle = chance.choice(_BEGINNINGS.split()) if chance.random() < 0.5 else ""
    return (beginning + middle + chance.choice(_ENDINGS.split())).capitalize()


def text(chance: random.Random, limit: int | None) -> str:
    """One word or more, of at most *limit* characters."""
    if limit is not None and limit < 8:
        return letters(chance, chance.randint(1, limit))
    made = " ".join(word(chance) for _ in range(chance.randint(1, 3)))
    if chance.random() < 0.3:
        made += f" {chance.randint(1, 9999)}"
    return made[:limit].strip()


def letters(chance: random.Random, count: int) -> str:
    """So many letters: all small, all capital, or digits."""
    alphabet = chance.choice([LETTERS, LETTERS.upper(), "0123456789"])
    return "".join(chance.choice(alphabet) for _ in range(count))


def edges(limit: int | None) -> list[str]:
    """Texts of at most *limit* characters that programs trip over; one is as long as it can be."""
    # The same letter over and over: an index takes no more than a third of a page, compressed.
    longest = "x" * min(_LONGEST, limit or _LONGEST)
    return list(dict.fromkeys([*(edge[:limit] for edge in EDGES), longest]))
