"""The enums of the models, and what ``init`` says of them: the fixup is for those who ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ARRAY, Enum
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.enum_check.settings import NAME
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import TableKey, Target

Place = tuple[TableKey, str]
"""A column: the key of its table and its own key there."""

_SHOWN = 3
"""How many types the hint names."""


@dataclass(frozen=True)
class FoundEnum:
    """The enum that a column's type comes down to.

    Attributes:
        enum: the enum.
        dimensions: 0 for a single value, 1 and more for an array.
        domain: the domain around it.
        inside: how many of the dimensions are those of the domain.
    """

    enum: Enum
    dimensions: int = 0
    domain: DOMAIN | None = None
    inside: int = 0

    @property
    def native(self) -> bool:
        """Whether PostgreSQL has a type for it; ``postgresql.ENUM`` always has one."""
        return isinstance(self.enum, postgresql.ENUM) or self.enum.native_enum

    @property
    def name(self) -> str | None:
        """What the models call it."""
        return None if self.enum.name is None else str(self.enum.name)

    @property
    def values(self) -> tuple[str, ...]:
        """What the database stores."""
        return tuple(dict.fromkeys(map(str, self.enum.enums)))


def find_enum(type_: TypeEngine[Any]) -> FoundEnum | None:
    """The enum in a column's type as it is on PostgreSQL, None where there is none.

    Looks into arrays, domains, variants and TypeDecorator.
    """
    type_ = type_._variant_mapping.get("postgresql", type_)
    if isinstance(type_, TypeDecorator):
        return find_enum(type_.load_dialect_impl(DIALECT))
    if isinstance(type_, ARRAY):
        found = find_enum(type_.item_type)
        more = type_.dimensions or 1
        return found and replace(found, dimensions=found.dimensions + more)
    if isinstance(type_, DOMAIN):
        found = find_enum(type_.data_type)
        return found and replace(found, domain=type_, inside=found.dimensions)
    return FoundEnum(type_) if isinstance(type_, Enum) else None


def enum_columns(target: Target) -> dict[Place, FoundEnum]:
    """Every column of an enum type that PostgreSQL can have."""
    return {
        (key, column.key): found
        for key, table in target.tables.items()
        for column in table.c
        if (found := find_enum(column.type)) is not None
        if found.values and (found.enum.name is not None or not found.native)
    }


def references(
    target: Target, found: dict[Place, FoundEnum]
) -> Iterator[tuple[Place, Place, bool]]:
    """The columns of native enum types that refer to one another.

    Gives the one that refers, the other, and whether the models give it no type of its own.
    """
    for place, child in found.items():
        for reference in target.table(place[0]).c[place[1]].foreign_keys:
            try:
                column = reference.column
            except InvalidRequestError:
                continue  # a reference that leads nowhere is not this fixup's to report
            key = target.find(column.table.schema, column.table.name)
            other = (key or "", column.key)
            if child.native and other in found and found[other].native:
                yield place, other, _as_written(target, place) is _as_written(target, other)


def _as_written(target: Target, place: Place) -> TypeEngine[Any]:
    """The type object of the models; a column without one has that of the column it refers to.

    Another fixup may have copied the type.
    """
    return target.original(target.table(place[0])).c[place[1]].type


def infer(target: Target) -> dict[str, Any] | None:
    """None, whatever the models: ORDER BY and ``<`` change their meaning with the type."""
    return None


def hint(target: Target) -> str:
    """How many columns are of native enum types, "" where there are none."""
    names = [str(found.enum.name) for found in enum_columns(target).values() if found.native]
    if not names:
        return ""
    types = sorted(set(names))
    shown = ", ".join([*types[:_SHOWN], *(["…"] if len(types) > _SHOWN else [])])
    are = "1 column is of a native enum type" if len(names) == 1 else None
    return (
        f"{are or f'{len(names)} columns are of native enum types'} ({shown}): "
        f"[tool.alembic-fixups.{NAME}] turns {'it' if are else 'them'} into VARCHAR with a CHECK."
    )
