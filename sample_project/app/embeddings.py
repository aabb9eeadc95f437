"""A stand-in for an embedding model: deterministic, offline, and fast."""

import hashlib
import math
from collections.abc import Iterator

DIMENSIONS = 1024


def embed(texts: list[str]) -> list[list[float]]:
    """One unit vector of 1024 dimensions a text; texts that share words come out close."""
    return [_embed_one(text) for text in texts]


def _embed_one(text: str) -> list[float]:
    words = text.lower().split() or [""]
    total = [0.0] * DIMENSIONS
    for word in words:
        for position, value in enumerate(_directions(word)):
            total[position] += value
    length = math.sqrt(sum(value * value for value in total))
    if length == 0:
        return [1.0] + [0.0] * (DIMENSIONS - 1)
    return [value / length for value in total]


def _directions(word: str) -> Iterator[float]:
    """1024 numbers between -1 and 1 that depend on nothing but the word."""
    for byte in hashlib.shake_256(word.encode()).digest(DIMENSIONS):
        yield byte / 127.5 - 1.0
