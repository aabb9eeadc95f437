"""How often Python looks for garbage while schemas are compared.

Two descriptions of a schema, Alembic's and the models', are many objects and no garbage: to go
through them again and again takes a third of a comparison.
"""

from __future__ import annotations

import gc

_ALLOCATIONS = 1_000_000
"""How many objects more than before there have to be for Python to look (``gc.set_threshold``)."""
_usual: tuple[int, int, int] | None = None


def collect_seldom() -> None:
    """Has Python look for garbage seldom, until `collect_as_usual`.

    A comparison that fails inside Alembic tells nobody; then it is so until the next one ends.
    """
    global _usual
    _usual = _usual or gc.get_threshold()
    if _usual[0]:  # nought: it never looks
        gc.set_threshold(max(_usual[0], _ALLOCATIONS), *_usual[1:])


def collect_as_usual() -> None:
    """Has Python look for garbage as often as before `collect_seldom`."""
    global _usual
    if _usual is not None:
        gc.set_threshold(*_usual)
        _usual = None
