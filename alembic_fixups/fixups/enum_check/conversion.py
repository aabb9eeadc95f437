"""A column of a native enum type, and what becomes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Table

from alembic_fixups.catalog import Name
from alembic_fixups.fixups.enum_check.checks import condition_of
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.retyping.dependents import Dependent
from alembic_fixups.retyping.model import Domain, Swapped
from alembic_fixups.run import Run

_BY_ORDER = re.compile(r"\b(?:order by|min|max|greatest|least|range)\b|[<>]", re.IGNORECASE)
"""What in a definition may depend on the order of the labels."""


@dataclass(frozen=True)
class TypeFacts:
    """What else a native enum type has, for the way back.

    Attributes:
        labels: its labels in their order.
        owner: the role that owns it.
        comment: its comment, "" where there is none.
        array_comment: the comment on the type of its arrays, where schema-prefix keeps its notes.
        grants: the roles, "" for PUBLIC, that may use it, each with whether they may grant that;
            None where its privileges are the default ones.
        sorts_same: whether the labels as text sort as they stand in the type.
    """

    labels: tuple[str, ...]
    owner: str
    comment: str
    array_comment: str
    grants: tuple[tuple[str, bool], ...] | None
    sorts_same: bool


@dataclass(frozen=True)
class Conversion:
    """A column whose type changes.

    Attributes:
        relation: OID of its table.
        table: its table, as the models name it.
        column: its name.
        enum: the native enum type that it, or each of its elements, is of now.
        labels: the labels of this type.
        values: what the models list, None where they have a plain String.
        element: the new type, of each element where it is an array.
        dimensions: 0 for a single value.
        in_tree: whether its table has partitions, is one, or inherits or is inherited from.
        domain: the domain over the enum that it is of, None for none.
        check, condition: name and SQL of the CHECK that comes with the new type, None for none.
        renames: old and new labels.
        dependents: what depends on the column, where the revision was generated.
    """

    relation: int
    table: TableName
    column: str
    enum: Name
    labels: tuple[str, ...]
    values: tuple[str, ...] | None
    element: str
    check: str | None
    condition: str | None
    dimensions: int = 0
    in_tree: bool = False
    renames: tuple[tuple[str, str], ...] = ()
    dependents: tuple[Dependent, ...] = ()
    domain: Domain | None = None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def is_array(self) -> bool:
        """Whether it holds arrays, of itself or by its domain."""
        return bool(self.dimensions) or (self.domain is not None and self.domain.native[-1] == "]")

    @property
    def storage(self) -> str:
        """The new type."""
        if self.domain is not None:
            return self.domain.name.sql + "[]" * bool(self.dimensions)
        return self.element + "[]" * bool(self.dimensions)

    @property
    def type(self) -> TableName:
        """The native enum type, in the forms that SQL needs."""
        return TableName(*self.enum)

    @property
    def native(self) -> str:
        """The old type."""
        if self.domain is not None:
            return self.domain.name.sql + "[]" * bool(self.dimensions)
        return self.type.sql + "[]" * bool(self.dimensions)

    @property
    def is_old(self) -> str:
        """An SQL condition: whether it is still an enum."""
        table, column = self.table.text, quoting.literal(self.column)
        return f"pg_temp.fixup_is_of({table}, {column}, {self.type.text})"

    def value(self, name: str | None = None) -> str:
        """The new value, from the old; *name* is SQL of the column."""
        return renamed(name or quoting.identifier(self.column), self.is_array, self.renames)

    def comparable(self, name: str) -> str:
        """The successor, as it is compared with the new value: arrays have no cast of their own."""
        return f"{name}::text[]" if self.is_array else name

    def comparable_value(self, value: str) -> str:
        """The new value, as the successor is compared with it."""
        return value

    @property
    def using_back(self) -> str:
        """The old value, from the new."""
        back = tuple((new, old) for old, new in self.renames)
        name = quoting.identifier(self.column)
        value = renamed(name, self.is_array, back)
        if self.domain is not None:
            value += f"::{self.domain.native}" + "[]" * bool(self.dimensions)
        return f"{value}::{self.native}"

    @property
    def shadow_condition(self) -> str | None:
        """The CHECK over the successor."""
        if self.values is None or self.check is None:
            return None
        shadow = quoting.identifier(Swapped(self).shadow)
        cast = "text" if self.element == "TEXT" else "varchar"
        return condition_of(shadow, self.values, self.dimensions, cast)

    @property
    def accepted(self) -> tuple[str, ...]:
        """The labels whose rows can be converted."""
        return (*(self.values or ()), *(old for old, _ in self.renames))

    @property
    def accepted_back(self) -> tuple[str, ...]:
        """The values whose rows can be converted back."""
        return (*self.labels, *(new for _, new in self.renames))

    @property
    def ordered_by(self) -> list[Dependent]:
        """What depends on the column and may depend on the order of its values."""
        return [
            each
            for each in self.dependents
            if each.kind not in ("default", "column", "other")
            and (
                (each.kind == "index" and "USING btree" in (each.definition or ""))
                or _BY_ORDER.search(_without_literals(each.definition or ""))
            )
        ]


def names_of(
    table: Table, column: str, enum: Name | None, run: Run
) -> tuple[str | None, str, str, list[str], str]:
    """What the settings' patterns are matched against, as `covers` and `renames_for` take it."""
    types = [] if enum is None else [enum[1], ".".join(enum)]
    default = run.target.home or run.target.default_schema
    return table.schema, table.name, column, types, default


def renamed(name: str, is_array: bool, renames: tuple[tuple[str, str], ...]) -> str:
    """SQL of a value with other labels, as text; *name* is SQL of the column."""
    if is_array:
        value = f"{name}::text[]"
        for old, new in renames:
            value = f"array_replace({value}, {quoting.literal(old)}, {quoting.literal(new)})"
        return value
    if not renames:
        return f"{name}::text"
    cases = " ".join(
        f"WHEN {quoting.literal(old)} THEN {quoting.literal(new)}" for old, new in renames
    )
    return f"(CASE {name}::text {cases} ELSE {name}::text END)"


def _without_literals(definition: str) -> str:
    return re.sub(r"'(?:[^']|'')*'", "''", definition)
