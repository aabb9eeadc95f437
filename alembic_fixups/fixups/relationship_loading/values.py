"""The values that ``lazy`` may have, and what others are meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import orm
from sqlalchemy.orm import Mapper, RelationshipProperty

Relationship = RelationshipProperty[Any]

_OPTIONS = {
    "selectinload": "selectin",
    "joinedload": "joined",
    "subqueryload": "subquery",
    "lazyload": "select",
    "immediateload": "immediate",
    "raiseload": "raise",
    "noload": "noload",
}
"""The loader options of queries, and the values of ``lazy`` that do the same."""

_NAMES = (
    "select",
    "joined",
    "subquery",
    "selectin",
    "immediate",
    "raise",
    "raise_on_sql",
    "noload",
    "dynamic",
    "write_only",
)

_SPELLINGS = {
    **{re.sub("[^a-z]", "", name): name for name in _NAMES},
    **_OPTIONS,
    "lazy": "select",
    "true": "select",
    "false": "joined",
}
"""What a value is without signs, in small letters."""


@dataclass(frozen=True)
class Loading:
    """A ``lazy`` of the running models.

    Attributes:
        relationship: the relationship that says it.
        is_backref: whether it says it for the other side, in its ``backref()``.
        value: the value, as the models have it in their source.
    """

    relationship: Relationship
    is_backref: bool
    value: object

    @property
    def title(self) -> str:
        """The relationship that is loaded so, as far as its own side knows."""
        named = f"{self.relationship.parent.class_.__name__}.{self.relationship.key}"
        return f"the backref of {named}" if self.is_backref else named


def is_valid(value: object) -> bool:
    """Whether SQLAlchemy takes a value for ``lazy``."""
    try:
        return (("lazy", value),) in RelationshipProperty._all_strategies[RelationshipProperty]
    except TypeError:  # a list has no hash
        return False


def meaning(value: object) -> str | None:
    """The value that one which SQLAlchemy refuses is meant to be, None where that is not clear."""
    for option, name in _OPTIONS.items():
        if value is getattr(orm, option, None):
            return name
    if not isinstance(value, str):
        return None
    letters = re.sub("[^a-z]", "", value.lower())
    return _SPELLINGS.get(letters) or _SPELLINGS.get(re.sub("load(ing|ed)?$", "", letters))


def relationships(mappers: Iterable[Mapper[Any]]) -> Iterator[Relationship]:
    """The relationships of some mappers, each once, in a fixed order."""
    for mapper in mappers:
        for _, one in sorted(mapper._props.items()):
            if isinstance(one, RelationshipProperty) and one.parent is mapper:
                yield one


def wrong(mappers: Iterable[Mapper[Any]]) -> Iterator[Loading]:
    """The values that SQLAlchemy refuses, in the order of the relationships.

    Those that :func:`put_right` has put right are among them. The mappers need not be configured.
    """
    for one in relationships(mappers):
        for is_backref in (False, True):
            loading = Loading(one, is_backref, _put_right.get(one, {}).get(is_backref, _UNKNOWN))
            if loading.value is _UNKNOWN:
                loading = Loading(one, is_backref, _backref(one) if is_backref else one.lazy)
            if not is_valid(loading.value):
                yield loading


def put_right(loading: Loading, value: str) -> None:
    """Gives the running relationship another value, as long as its mapper is not configured."""
    one = loading.relationship
    _put_right.setdefault(one, {})[loading.is_backref] = loading.value
    if loading.is_backref:
        assert isinstance(one.backref, tuple)
        one.backref[1]["lazy"] = value
    else:
        one.lazy = value  # type: ignore[assignment]
        one.strategy_key = (("lazy", value),)


def is_put_right(loading: Loading) -> bool:
    """Whether :func:`put_right` has been there."""
    return loading.is_backref in _put_right.get(loading.relationship, {})


_UNKNOWN = object()

_put_right: WeakKeyDictionary[Relationship, dict[bool, object]] = WeakKeyDictionary()
"""The values that relationships had, by whether it is their backref's."""


def _backref(one: Relationship) -> object:
    """What a relationship says for the other side; the default where it says nothing."""
    given = one.backref[1] if isinstance(one.backref, tuple) else {}
    return given.get("lazy", "select")
