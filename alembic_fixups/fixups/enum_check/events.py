"""What SQLAlchemy does for a type when it creates tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import MetaData, Table, event


def forget(sources: Iterable[MetaData | Table], is_gone: Callable[[object], bool]) -> None:
    """Has ``create_all()`` no longer create the types for which *is_gone* is true."""
    for source in sources:
        for moment in ("before_create", "after_drop"):
            for listener in list(getattr(source.dispatch, moment)):
                if is_gone(_owner(listener)):
                    event.remove(source, moment, listener)
        known: set[Any] = getattr(source, "_objects", set())  # since SQLAlchemy 2.1
        known -= {item for item in known if is_gone(item)}


def _owner(listener: Any) -> object:
    """The type whose method a listener is; SQLAlchemy wraps it, each version in another way."""
    listener = getattr(listener, "func", listener)
    return getattr(listener, "__self__", None) or getattr(listener, "target", None)
