"""The source of the models with enums that are none to the database, each with its CHECK."""

from __future__ import annotations

import enum
from typing import Any

import libcst as cst
from sqlalchemy import Enum, String, Text
from sqlalchemy.schema import DefaultClause

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Unclear
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.places import ColumnPlace
from alembic_fixups.codemods.tool import FixupCommand
from alembic_fixups.fixups.enum_check.checks import check_beside
from alembic_fixups.fixups.enum_check.groups import Group, components
from alembic_fixups.fixups.enum_check.inference import FoundEnum
from alembic_fixups.fixups.enum_check.plan import Plan
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn
from alembic_fixups.fixups.enum_check.settings import (
    NAME,
    EnumCheckSettings,
    covers,
    renames_for,
)
from alembic_fixups.fixups.enum_check.source import (
    Origin,
    column_of,
    enum_in_annotation,
    field_default,
    is_sqlmodel,
)
from alembic_fixups.fixups.enum_check.texts import replace_text
from alembic_fixups.fixups.enum_check.writing import (
    bound_names,
    check_code,
    enum_code,
    found_in,
    length_of,
    rewritten_call,
)
from alembic_fixups.stock.constraints import expression_sql

_DEFAULTS = ("default", "insert_default", "onupdate", "server_default")
"""Keywords of a column whose value may be a member of its enum."""


class EnumCheckCommand(FixupCommand):
    """The codemod for ``python -m libcst.tool codemod``."""

    DESCRIPTION = "Have every native enum be a VARCHAR or TEXT with a CHECK."
    FIXUP = NAME


def codemod(models: Models, wanted: Plan, settings: EnumCheckSettings) -> None:
    """Has every enum that the settings cover be none to the database, and writes its CHECK.

    The columns that have one enum object, or a type that a cast names, change together.
    """
    for component in components(models, wanted.wanted):
        problem = next((one.problem for one in component.groups if one.problem), None)
        for group in component.groups:
            if problem is not None:
                reason = group.problem or Unclear(
                    f"a cast names its type, which has to stay for others: {problem}",
                    problem.file,
                    problem.line,
                )
                models.refuse(NAME, reason, group.title)
        if problem is not None:
            continue
        with models.change(NAME, "; ".join(group.title for group in component.groups)):
            for group in component.groups:
                if group.is_native:
                    _change(models, group, settings)
                else:
                    _constrain(models, group, settings)
            for cast in component.casts:
                replace_text(models, cast.table, cast.old, cast.new)


# What is a type of the database


def _change(models: Models, group: Group, settings: EnumCheckSettings) -> None:
    origin = group.origin
    assert origin is not None
    first = group.columns[0]
    found, length = found_in(models, first), length_of(models, first)
    if settings.model_type == "string" or length is None:
        if settings.model_type == "enum" and found.enum.enum_class is not None:
            raise origin.statement.unclear(
                'an Enum cannot be TEXT; model-type = "string" makes it a Text, whose attributes '
                'are plain texts then, storage = "varchar" keeps the Enum'
            )
        _make_string(models, group, found, length)
        for column in [*group.columns, *group.followers]:
            _add_check(models, column)
        return
    name = _bound_name(models, group, settings)
    if name is None and not all(
        _means_the_same(models, one, settings, found.name) for one in group.columns
    ):
        raise origin.statement.unclear(
            f"the settings name the type {found.name} with its schema; name the column there"
        )
    if origin.is_annotation:
        _write_type(origin.place, enum_code(origin.place, found, length, name))
    else:
        origin.replace(origin.call(), rewritten_call(origin, found, length, name))
    for column in group.columns:
        _put_default(models, column, found)
    unbound = [] if name is not None else group.columns
    for column in [*unbound, *group.followers]:
        _add_check(models, column)


def _bound_name(models: Models, group: Group, settings: EnumCheckSettings) -> str | None:
    """The name with which the Enum makes the CHECKs of all its columns; None where none does."""
    if any(one.dimensions for one in group.columns):
        return None  # SQLAlchemy cannot make a CHECK of an array
    common: list[str] = []
    for number, column in enumerate(group.columns):
        names = [
            one
            for one in bound_names(models, column)
            if _means_the_same(models, column, settings, one)
        ]
        common = names if number == 0 else [one for one in common if one in names]
    return next(iter(common), None)


def _means_the_same(
    models: Models, column: EnumColumn, settings: EnumCheckSettings, name: str | None
) -> bool:
    """Whether the settings say the same of a column whose enum has this name."""
    table = models.target.table(column.table)
    found = found_in(models, column)
    before = [] if found.name is None else [found.name]
    if column.type is not None:
        before.append(".".join(column.type))
    after = [] if name is None else [name]
    place = (table.schema or models.target.default_schema, table.name, column.column)
    default = models.target.home or models.target.default_schema
    return covers(settings, *place, after, default) and (
        renames_for(settings, *place, before, default)
        == renames_for(settings, *place, after, default)
    )


def _write_type(place: ColumnPlace, code: str) -> None:
    """Gives a type to a column that has only an annotation."""
    if not is_sqlmodel(place):
        place.set_type(code)
        return
    given = field_default(place)
    [line] = place.statement.tree.body
    assert isinstance(line, cst.SimpleStatementLine)
    [assigned] = line.body
    if not isinstance(assigned, cst.AnnAssign) or (assigned.value is not None and given is None):
        place.set_type(code)
        return
    from sqlmodel import Field

    function = name_for(place.statement.file, Field, "sqlmodel", "Field")
    default = "" if given is None else f"default={calls.code_of(given)}, "
    made = calls.expression(f"{function}({default}sa_type={code})")
    place.replace(assigned, assigned.with_changes(value=made, equal=cst.AssignEqual()))


def _put_default(models: Models, column: EnumColumn, found: FoundEnum) -> None:
    """A member as the default of the database is its text to SQLAlchemy, not its label."""
    default = column_of(models, column.table, column.column).server_default
    member = default.arg if isinstance(default, DefaultClause) else None
    if not isinstance(member, enum.Enum) or str(member.value) == _label(found.enum, member):
        return
    place = models.column(column.table, column.column)
    if not _write_members(place, found.enum, ("server_default",)):
        raise place.statement.unclear(f"server_default={member} is not written here as a keyword")


def _write_members(place: ColumnPlace, enum_: Enum, keywords: tuple[str, ...]) -> bool:
    """Whether members are given by these keywords; they become labels."""
    changed = False
    for keyword in keywords:
        call = place.call()
        given = None if call is None else calls.keyword(call, keyword)
        if call is None or given is None:
            continue
        member = place.names.value(given.value)
        if isinstance(member, enum.Enum):
            label = calls.literal(_label(enum_, member))
            place.replace(call, calls.with_argument(call, given, label))
            changed = True
        elif place.names.text(given.value) in enum_.enums:
            changed = True  # of a mixin, by way of another of its classes
    return changed


def _label(enum_: Enum, member: enum.Enum) -> str:
    return str(enum_._db_value_for_elem(member))  # type: ignore[no-untyped-call]


def _make_string(models: Models, group: Group, found: FoundEnum, length: int | None) -> None:
    """Puts a String or Text in the place of the Enum."""
    origin = group.origin
    assert origin is not None
    for column in [*group.columns, *group.followers]:
        place = models.column(column.table, column.column)
        named = enum_in_annotation(place)
        if named is not None:
            raise place.statement.unclear(
                f"it is annotated as {calls.code_of(named)}, and would be a plain text; say so "
                "there first"
            )
        _make_labels(place, column_of(models, column.table, column.column), found.enum)
    file = origin.statement.file
    if length is None:
        code = name_for(file, Text, "sqlalchemy", "Text")
    else:
        code = f"{name_for(file, String, 'sqlalchemy', 'String')}({length})"
    if origin.is_annotation:
        _write_type(origin.place, code)
    else:
        origin.replace(origin.call(), calls.expression(code))


def _make_labels(place: ColumnPlace, column: Any, enum_: Enum) -> None:
    """Has the defaults that are members be labels."""
    written = _write_members(place, enum_, _DEFAULTS)
    defaults = (column.default, column.onupdate, column.server_default)
    if not written and any(isinstance(getattr(one, "arg", None), enum.Enum) for one in defaults):
        raise place.statement.unclear("a default is a member of its enum, and not written here")
    if any(getattr(one, "is_callable", False) for one in (column.default, column.onupdate)):
        raise place.statement.unclear(
            "a default is a function, which may give a member of its enum; have it give a label"
        )


# CHECKs


def _constrain(models: Models, group: Group, settings: EnumCheckSettings) -> None:
    """Gives a CHECK to columns whose enum is none to the database already."""
    for column in group.followers:
        _add_check(models, column)
    if group.origin is None or not _can_bind(models, group):
        name = None
    else:
        name = _bound_name(models, group, settings)
    if name is None or group.origin is None:
        for column in group.columns:
            _add_check(models, column)
        return
    origin: Origin = group.origin
    found = found_in(models, group.columns[0])
    origin.replace(origin.call(), rewritten_call(origin, found, found.enum.length, name))


def _can_bind(models: Models, group: Group) -> bool:
    """Whether the Enum is of these columns alone, is written out and could make their CHECKs."""
    assert group.origin is not None
    return (
        not group.outsiders
        and not group.origin.is_annotation
        and all(_written(models, one) is None for one in group.columns)
    )


def _written(models: Models, column: EnumColumn) -> str | None:
    """What the CHECK says that the models write for a column."""
    original = column_of(models, column.table, column.column)
    known = check_beside(original, found_in(models, column))
    return None if known is None else expression_sql(known.sqltext)


def _add_check(models: Models, column: EnumColumn) -> None:
    known = _written(models, column)
    if known is not None:
        replace_text(models, column.table, known, column.condition)
        return
    table = models.table(column.table)
    table.extend([check_code(models, column, table.file)])
