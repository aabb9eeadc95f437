"""The CHECK that stands for an enum type: what it says, what it is called, which one is it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import CheckConstraint, Column, Table
from sqlalchemy.sql.naming import _constraint_name_for_table

from alembic_fixups.fixups.enum_check.inference import FoundEnum
from alembic_fixups.rendering import quoting
from alembic_fixups.stock.constraints import DIALECT, expression_sql

_LITERAL = r"(?:'(?:[^']|'')*'|E'(?:[^'\\]|''|\\u[0-9a-fA-F]{4})*')"
_LIST = rf"{_LITERAL}(?:, {_LITERAL})*"


def condition_of(value: str, values: tuple[str, ...], dimensions: int, cast: str) -> str:
    """What the CHECK says.

    Takes SQL of the value, what it may be, 0 for a single value and more for an array, and the
    type that an array is of.
    """
    listed = quoting.literals(values)
    if not dimensions:
        return f"{value} IN ({listed})"
    # No NULL is contained in anything, though an array of an enum may hold it; array_remove()
    # takes no arrays of more dimensions than one.
    first = quoting.literal(values[0])
    return f"array_replace({value}, NULL, {first}) <@ ARRAY[{listed}]::{cast}[]"


def values_in(check: CheckConstraint, column: Column[Any], dimensions: int) -> tuple[str, ...]:
    """What a CHECK lists that `written_check` has found."""
    found = _shape(column, dimensions).fullmatch(expression_sql(check.sqltext))
    assert found is not None
    return tuple(_value(literal) for literal in re.findall(_LITERAL, found["list"]))


def _value(literal: str) -> str:
    body = literal.removeprefix("E")[1:-1].replace("''", "'")
    if literal[0] != "E":
        return body
    return re.sub(r"\\u(....)", lambda found: chr(int(found[1], 16)), body)


def bound_check(table: Table, column: str) -> CheckConstraint | None:
    """The CHECK that SQLAlchemy makes of ``Enum(create_constraint=True)``."""
    for constraint in table.constraints:
        if (
            isinstance(constraint, CheckConstraint)
            and constraint._type_bound
            and [one.key for one in constraint.columns] == [column]
        ):
            return constraint
    return None


def held_names(table: Table) -> dict[str | None, Any]:
    """The constraints of a table by their names in the database."""
    return {final_name(one): one for one in _constraints(table)}


def written_check(
    column: Column[Any], dimensions: int, held: Mapping[str | None, Any] | None = None
) -> CheckConstraint | None:
    """The CHECK that the models write for a column whose enum cannot carry one.

    It has the name that the fixup would give it, and lists values as `condition_of` does; which
    ones makes no difference. Whoever asks for many columns of a table gives its `held_names`.
    """
    if held is None:
        held = held_names(column.table)
    for candidate in _names(None, column.table, column):
        found = held.get(candidate)
        if found is None:
            return None
        if (
            isinstance(found, CheckConstraint)
            and not found._type_bound
            and _shape(column, dimensions).fullmatch(expression_sql(found.sqltext))
        ):
            return found
    return None


def check_beside(column: Column[Any], found: FoundEnum) -> CheckConstraint | None:
    """The same for a column of an enum; a type of the database has none."""
    return None if found.native else written_check(column, found.dimensions)


def _shape(column: Column[Any], dimensions: int) -> re.Pattern[str]:
    """What `condition_of` makes for a column, whatever the values."""
    name = re.escape(quoting.identifier(column.name))
    if not dimensions:
        return re.compile(rf"{name} IN \((?P<list>{_LIST})\)", re.DOTALL)
    return re.compile(
        rf"array_replace\({name}, NULL, {_LITERAL}\)"
        rf" <@ ARRAY\[(?P<list>{_LIST})\]::(?:varchar|text)\[\]",
        re.DOTALL,
    )


def check_name(check: CheckConstraint, table: Table, column: Column[Any]) -> str:
    """The name by the convention of the models, or after table and column, that is still free."""
    held = held_names(table)
    return next(name for name in _names(check, table, column) if name not in held)


def _names(check: CheckConstraint | None, table: Table, column: Column[Any]) -> Iterator[str]:
    convention = table.metadata.naming_convention.get("ck")
    if convention is None:
        wanted = f"ck_{table.name}_{column.name}"
    else:
        check = check if check is not None else CheckConstraint("true")
        check.name = column.name if "constraint_name" in str(convention) else None
        check._columns.add(column)  # for %(column_0_name)s; text() shows it none
        named = _constraint_name_for_table(check, table)  # type: ignore[no-untyped-call]
        preparer = DIALECT.identifier_preparer
        wanted = preparer.truncate_and_render_constraint_name(named, _alembic_quote=False)
    number = 0
    yield quoting.fit_identifier(wanted)
    while True:
        number += 1
        yield quoting.fit_identifier(f"{wanted}{number}")


def _constraints(table: Table) -> list[Any]:
    """The constraints of a table, and those that are written in its columns."""
    return [*table.constraints, *(one for other in table.c for one in other.constraints)]


def final_name(constraint: Any) -> str | None:
    """The name of a constraint in the database, None where PostgreSQL is to choose one."""
    if constraint.name is None:
        return None
    return DIALECT.identifier_preparer.format_constraint(constraint, _alembic_quote=False)
