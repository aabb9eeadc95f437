"""Vectors as PostgreSQL's binary protocol has them: the ``*_recv()`` functions of pgvector and bit.

Floats are packed whole arrays at a time; that is what the rows per second hang on.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Any

HALF_MAX = 65504
"""Largest number that a half-precision float holds."""

SPARSE_MAX = 16_000
"""Most elements other than zero that pgvector takes in a sparsevec."""

DIMENSIONS = {"vector": 16_000, "halfvec": 16_000, "sparsevec": 1_000_000_000, "bit": 83_886_080}
"""The types that there is a form for, with the most dimensions that they have."""

Encoder = Callable[[Any], bytes]


def encoder(kind: str, dimensions: int | None) -> Encoder:
    """A function that gives a vector as it goes over the wire.

    Takes a key of `DIMENSIONS` and the number of dimensions, None where any will do. The function
    takes lists, tuples, arrays, whatever has the buffer protocol or a ``tolist()``; for ``bit``
    also a text of 0 and 1. It raises ValueError for what is no vector of that kind.
    """
    write = {"vector": _vector, "halfvec": _halfvec, "sparsevec": _sparsevec, "bit": _bit}[kind]
    floats = kind != "bit"

    def encode(given: Any) -> bytes:
        numbers = _floats(given) if floats else _bits(given)
        if dimensions is not None and len(numbers) != dimensions:
            raise ValueError(f"{len(numbers)} dimensions, where {kind}({dimensions}) has to be")
        if not 1 <= len(numbers) <= DIMENSIONS[kind]:
            raise ValueError(f"{len(numbers)} dimensions: {kind} has 1 to {DIMENSIONS[kind]}")
        return write(numbers)

    return encode


def array_of(element: int, values: Sequence[bytes]) -> bytes:
    """A one-dimensional array; takes the OID of its elements' type and what an encoder gave."""
    head = struct.pack("!iiIii", 1, 0, element, len(values), 1)
    parts = [head]
    for value in values:
        parts += (len(value).to_bytes(4, "big"), value)
    return b"".join(parts)


def _floats(given: Any) -> array[float]:
    """The vector as single-precision floats.

    Raises:
        ValueError: it is no vector, or a number in it is not finite as such a float.
    """
    try:
        numbers = _buffered(given)
        if numbers is None:
            numbers = array("f", _plain(given))
    except (TypeError, OverflowError) as error:
        raise ValueError(f"no vector of numbers: {error}") from error
    # A sum of single-precision floats cannot overflow a Python float: what is not finite shows.
    if not math.isfinite(sum(numbers)):
        place = next(place for place, value in enumerate(numbers) if not math.isfinite(value))
        raise ValueError(f"element {place} is not finite, or too large for single precision")
    return numbers


def _buffered(given: Any) -> array[float] | None:
    """What a buffer of floats holds, copied whole; None for anything else."""
    try:
        view = memoryview(given)
    except TypeError:
        return None
    if view.ndim != 1 or view.format not in ("f", "d") or isinstance(given, array):
        return array("f", given) if isinstance(given, array) else None
    numbers: array[float] = array(view.format)
    numbers.frombytes(view.tobytes())
    return numbers if view.format == "f" else array("f", numbers)


def _plain(given: Any) -> Any:
    """The elements as Python numbers, whatever container they are in."""
    if isinstance(given, str | bytes | bytearray | dict | set):
        raise TypeError(f"a {type(given).__name__}")
    for method in ("tolist", "to_list"):
        if hasattr(given, method):
            return getattr(given, method)()
    return given


def _bits(given: Any) -> str:
    """The bits as a text of 0 and 1.

    Raises:
        ValueError: there is something else in it.
    """
    if not isinstance(given, str):
        try:
            elements = list(_plain(given))
        except TypeError as error:
            raise ValueError(f"no bits: {error}") from error
        wrong = next((one for one in elements if one not in (0, 1)), None)
        if wrong is not None:
            raise ValueError(f"no bits: {wrong!r} is neither 0 nor 1")
        given = "".join("1" if one else "0" for one in elements)
    elif given.strip("01"):
        raise ValueError("no bits: a text of 0 and 1 is wanted")
    return str(given)


def _big_endian(numbers: array[Any]) -> bytes:
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _vector(numbers: Any) -> bytes:
    return struct.pack("!HH", len(numbers), 0) + _big_endian(numbers)


def _halfvec(numbers: Any) -> bytes:
    try:
        return struct.pack(f"!HH{len(numbers)}e", len(numbers), 0, *numbers)
    except (OverflowError, struct.error) as error:
        raise ValueError(
            f"a number is out of the range of halfvec, which ends at {HALF_MAX}"
        ) from error


def _sparsevec(numbers: Any) -> bytes:
    places = [place for place, value in enumerate(numbers) if value]
    if len(places) > SPARSE_MAX:
        raise ValueError(f"{len(places)} elements other than 0; sparsevec takes {SPARSE_MAX}")
    values = array("f", [numbers[place] for place in places])
    head = struct.pack(f"!iii{len(places)}i", len(numbers), len(places), 0, *places)
    return head + _big_endian(values)


def _bit(bits: Any) -> bytes:
    size = (len(bits) + 7) // 8
    number = int(bits, 2) << (size * 8 - len(bits))
    return len(bits).to_bytes(4, "big") + number.to_bytes(size, "big")
