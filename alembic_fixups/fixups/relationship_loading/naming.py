"""The relationships that the settings name, and what they are to be loaded by."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from alembic_fixups.fixups.relationship_loading.settings import NAME, RelationshipLoadingSettings
from alembic_fixups.fixups.relationship_loading.values import Relationship
from alembic_fixups.settings import SettingsError

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Chosen:
    """What the settings say of a relationship.

    Attributes:
        value: the value for ``lazy``.
        by_name: whether they name it, other than by a pattern that may match more.
    """

    value: str
    by_name: bool


def chosen(
    settings: RelationshipLoadingSettings, known: Iterable[Relationship]
) -> Mapping[Relationship, Chosen]:
    """The relationships that the settings name; a name goes before a pattern.

    Raises:
        SettingsError: a pattern matches nothing, or both keys name a relationship.
    """
    names = {one: name_of(one) for one in known}
    given: dict[Relationship, list[tuple[Chosen, str, int]]] = defaultdict(list)
    for key, value, patterns in (
        ("selectin", "selectin", settings.selectin),
        ("raise-on-sql", "raise_on_sql", settings.raise_on_sql),
    ):
        for number, pattern in enumerate(patterns):
            matched = [one for one, name in names.items() if _matches(name, pattern)]
            if not matched:
                raise SettingsError(
                    f"{NAME}.{key}[{number}]: the models have no relationship {pattern!r}"
                    f"{_near(pattern, names.values())}",
                    keys=(NAME, key, number),
                )
            for one in matched:
                given[one].append((Chosen(value, _WILD.isdisjoint(pattern)), key, number))
    return {one: _settled(names[one], choices) for one, choices in given.items()}


def _settled(name: str, choices: list[tuple[Chosen, str, int]]) -> Chosen:
    by_name = any(choice.by_name for choice, _, _ in choices)
    best = [one for one in choices if one[0].by_name == by_name]
    if len({choice.value for choice, _, _ in best}) > 1:
        _, key, number = best[-1]
        raise SettingsError(
            f"{NAME}.{key}[{number}]: {name} is among those of selectin too; name it in one of the "
            "two without a pattern, or write narrower patterns",
            keys=(NAME, key, number),
        )
    return best[0][0]


def name_of(one: Relationship) -> str:
    """Module, class and attribute of a relationship."""
    class_ = one.parent.class_
    return f"{class_.__module__}.{class_.__qualname__}.{one.key}"


def _matches(name: str, pattern: str) -> bool:
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[n:]), pattern) for n in range(len(parts) - 1))


def _near(pattern: str, names: Iterable[str]) -> str:
    short = sorted({".".join(name.split(".")[-2:]) for name in names})
    last = ".".join(pattern.split(".")[-2:])
    near = difflib.get_close_matches(last, short, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; write 'Class.attribute'"
