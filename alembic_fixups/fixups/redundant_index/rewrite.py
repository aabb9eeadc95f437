"""The change of the desired schema: no ``index=True`` where another index serves."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from alembic_fixups.fixups.redundant_index.serving import Serving, flagged, name_of, serving
from alembic_fixups.fixups.redundant_index.settings import NAME, RedundantIndexSettings
from alembic_fixups.report import Finding
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import TableKey, Target

_SHOWN = 3
"""How many columns the hint names."""


@dataclass(frozen=True)
class Redundant:
    """An index by ``index=True`` that another one makes needless.

    Attributes:
        table: the key of its table.
        column: its column.
        name: its name.
        serving: what serves in its place.
    """

    table: TableKey
    column: str
    name: str
    serving: Serving


def rewrite(
    target: Target, settings: RedundantIndexSettings, major_version: int
) -> tuple[Redundant, ...]:
    """Takes the needless indexes out of the desired schema and gives them.

    Raises:
        SettingsError: the settings name a column that the models do not have.
    """
    found = redundant(target, _kept(target, settings))
    for one in found:
        table = target.editable(one.table)
        for column, index in list(flagged(table)):
            if column.name == one.column:
                table.indexes.discard(index)
                column.index = None  # or a further copy of the table would have it again
        message = (
            f"{one.table}.{one.column}: index=True is needless, since {one.serving} begins with "
            f"{one.column}; {NAME}.keep keeps {one.name}"
        )
        target.findings.append(Finding(NAME, "redundant", one.table, message, "info"))
    return found


def redundant(target: Target, kept: frozenset[tuple[TableKey, str]]) -> tuple[Redundant, ...]:
    """The needless indexes of the models, in a fixed order, without those of *kept* columns."""
    return tuple(
        Redundant(key, column.name, name_of(index), served)
        for key, table in target.tables.items()
        for column, index in flagged(table)
        if (key, column.name) not in kept
        if (served := serving(table, column.name)) is not None
    )


def infer(target: Target) -> None:
    """Proposes nothing: whoever wants a small index beside a wide one has reason to."""


def hint(target: Target) -> str:
    """The needless indexes of the models, "" where there are none."""
    found = redundant(target, frozenset())
    if not found:
        return ""
    shown = ", ".join(f"{one.table}.{one.column}" for one in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"index=True is needless on {shown}{more}: another index begins with the column. "
        f"[tool.alembic-fixups.{NAME}] takes such indexes out."
    )


def _kept(target: Target, settings: RedundantIndexSettings) -> frozenset[tuple[TableKey, str]]:
    if not settings.keep:
        return frozenset()
    places = {name: place for place in _columns(target) for name in _names(target, *place)}
    for number, name in enumerate(settings.keep):
        if name not in places:
            near = difflib.get_close_matches(name, sorted(places), n=1)
            advice = f"; did you mean {near[0]!r}?" if near else "; write 'schema.table.column'"
            raise SettingsError(
                f"{NAME}.keep[{number}]: the models have no column {name!r}{advice}",
                keys=(NAME, "keep", number),
            )
    return frozenset(places[name] for name in settings.keep)


def _columns(target: Target) -> Iterator[tuple[TableKey, str]]:
    for key, table in target.tables.items():
        for column in table.c:
            yield key, column.name


def _names(target: Target, key: TableKey, column: str) -> list[str]:
    """What the settings may call a column."""
    table = target.table(key)
    home = target.home or target.default_schema
    names = [f"{table.schema or home}.{table.name}.{column}"]
    if table.schema in (None, home):
        names.append(f"{table.name}.{column}")
    return names
