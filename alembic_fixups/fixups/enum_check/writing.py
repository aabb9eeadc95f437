"""The source of an enum that is none to the database, and of its CHECK."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import libcst as cst
from sqlalchemy import CheckConstraint, Column, Enum, MetaData, String, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import conv
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import File
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.places import ColumnPlace
from alembic_fixups.fixups.enum_check.checks import bound_check, final_name
from alembic_fixups.fixups.enum_check.inference import FoundEnum, find_enum
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn
from alembic_fixups.fixups.enum_check.source import Origin, annotation, column_of
from alembic_fixups.stock.constraints import expression_sql, is_emitted

_NATIVE_ONLY = ("schema", "metadata", "inherit_schema", "create_type", "checkfirst", "quote")
"""Keywords that only mean something for a type of the database."""


def found_in(models: Models, column: EnumColumn) -> FoundEnum:
    """The enum that the running models give a column."""
    found = find_enum(column_of(models, column.table, column.column).type)
    assert found is not None
    return found


def length_of(models: Models, column: EnumColumn) -> int | None:
    """The length of the VARCHAR that a column is to be, None for a TEXT."""
    type_: Any = next(
        one.type for one in models.target.table(column.table).c if one.name == column.column
    )
    type_ = getattr(type_, "item_type", type_)
    assert isinstance(type_, String)
    return type_.length


def bound_names(models: Models, column: EnumColumn) -> Iterator[str]:
    """The names for an Enum with which SQLAlchemy makes the very CHECK that is wanted."""
    original = column_of(models, column.table, column.column)
    found = find_enum(original.type)
    assert found is not None
    for name in _candidates(column, found.enum.name):
        plain = Enum(
            *found.enum._enums_argument,
            values_callable=found.enum.values_callable,
            omit_aliases=found.enum._omit_aliases,
            native_enum=False,
            create_constraint=True,
            length=length_of(models, column),
            name=name,
        )
        table = _twin(models, column, original, _with_enum(original.type, plain))
        check = bound_check(table, original.key)
        if check is not None and is_emitted(check) and _is_wanted(check, column):
            yield name


def _candidates(column: EnumColumn, name: str | None) -> Iterable[str]:
    check = str(column.check)
    number = check[len(check.rstrip("0123456789")) :]
    own = [] if name is None else [str(name)]
    # A naming convention makes a whole name of part of it, as it is that of the column.
    return dict.fromkeys([*own, check, column.column, column.column + number])


def _twin(
    models: Models, column: EnumColumn, original: Column[Any], type_: TypeEngine[Any]
) -> Table:
    """A table with this column only, under the naming convention of the models."""
    table = models.target.table(column.table)
    return Table(
        table.name,
        MetaData(naming_convention=table.metadata.naming_convention),
        Column(original.name, type_, key=original.key),
        schema=table.schema,
    )


def _with_enum(type_: TypeEngine[Any], plain: Enum) -> TypeEngine[Any]:
    """The type with another enum in it, which has the variants that the one there has."""
    made: TypeEngine[Any] = plain
    variants = type_._variant_mapping
    if "postgresql" in variants:
        made = copy.copy(type_)
        made._variant_mapping = variants.union({"postgresql": plain})
    elif variants:
        plain._variant_mapping = variants
    return made


def _is_wanted(check: CheckConstraint, column: EnumColumn) -> bool:
    return final_name(check) == column.check and expression_sql(check.sqltext) == column.condition


def check_code(models: Models, column: EnumColumn, file: File) -> str:
    """The source of a CHECK that the models write for a column."""
    function = name_for(file, CheckConstraint, "sqlalchemy", "CheckConstraint")
    original = column_of(models, column.table, column.column)
    for name in _candidates(column, None):
        table = _twin(models, column, original, String())
        made = CheckConstraint(text(column.condition), name=name)
        table.append_constraint(made)
        if _is_wanted(made, column):
            return f"{function}({calls.literal(column.condition)}, name={calls.literal(name)})"
    whole = name_for(file, conv, "sqlalchemy.schema", "conv")
    name = f"{whole}({calls.literal(column.check)})"
    return f"{function}({calls.literal(column.condition)}, name={name})"


def rewritten_call(
    origin: Origin, found: FoundEnum, length: int | None, name: str | None
) -> cst.Call:
    """The call of an Enum that is none to the database.

    Takes where it is, the enum that it makes, its length, and the name with which it makes its
    CHECK; None for one without a CHECK, which keeps its name.

    Raises:
        Unclear: what it is given cannot be told.
    """
    call = origin.call()
    if any(one.star == "**" for one in call.args):
        raise origin.statement.unclear(f"{calls.code_of(call.func)}() is given ** of something")
    if found.native:
        for doomed in _NATIVE_ONLY:
            given = calls.keyword(call, doomed)
            if given is not None:
                call = calls.without(call, given)
        if isinstance(found.enum, postgresql.ENUM):
            function = name_for(origin.statement.file, Enum, "sqlalchemy", "Enum")
            call = call.with_changes(func=calls.expression(function))
        call = calls.with_keyword(call, "native_enum", "False")
    if name is not None:
        call = calls.with_keyword(call, "create_constraint", "True")
    elif (given := calls.keyword(call, "create_constraint")) is not None:
        call = calls.without(call, given)
    if found.native:
        call = calls.with_keyword(call, "length", str(length))
    return call if name is None else calls.with_keyword(call, "name", calls.literal(name))


def enum_code(place: ColumnPlace, found: FoundEnum, length: int | None, name: str | None) -> str:
    """The source of the same Enum for a column that has only an annotation so far.

    Raises:
        Unclear: what it is made of has no name.
    """
    file, enum_ = place.statement.file, found.enum
    if enum_.enum_class is None:
        raise place.statement.unclear(
            f"the type of {place.attribute} comes from type_annotation_map; give that an Enum with "
            "native_enum=False and a length"
        )
    options = {"native_enum": "False"}
    if name is not None:
        options["create_constraint"] = "True"
    options["length"] = str(length)
    written = name if name is not None else enum_.name
    if written is not None:
        options["name"] = calls.literal(str(written))
    if enum_.values_callable is not None:
        options["values_callable"] = _function_code(place, enum_.values_callable)
    if callable(enum_._sort_key_function):
        options["sort_key_function"] = _function_code(place, enum_._sort_key_function)
    if not enum_._omit_aliases:
        options["omit_aliases"] = "False"
    if enum_.validate_strings:
        options["validate_strings"] = "True"
    function = name_for(file, Enum, "sqlalchemy", "Enum")
    arguments = [_class_code(place, enum_.enum_class)]
    arguments += [f"{key}={code}" for key, code in options.items()]
    return f"{function}({', '.join(arguments)})"


def _class_code(place: ColumnPlace, class_: type) -> str:
    """The name of a Python enum where a column is written."""
    module = place.statement.file.module
    if module is not None and class_.__module__ == module.__name__:
        blocks = place.statement.file.blocks.get(class_.__qualname__, [])
        if blocks and getattr(blocks[0].node, "lineno", 0) > place.statement.line:
            raise place.statement.unclear(
                f"{class_.__qualname__} is defined below; move it up, or give the column an Enum"
            )
    for node in annotation(place):
        if place.names.value(node) is class_:
            return calls.code_of(node)
    if "." in class_.__qualname__:
        raise place.statement.unclear(f"{class_.__qualname__} has no name here")
    return name_for(place.statement.file, class_, class_.__module__, class_.__name__)


def _function_code(place: ColumnPlace, function: Any) -> str:
    """The name of a function that a type is given."""
    name = getattr(function, "__name__", "")
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is None or getattr(module, name, None) is not function:
        raise place.statement.unclear(
            f"the type of {place.attribute} comes from type_annotation_map, with a function that "
            "has no name; give that Enum native_enum=False and a length, or the function a name"
        )
    lines = inspect.getsourcelines(function)[1] if inspect.isfunction(function) else 0
    if module is place.statement.file.module and lines > place.statement.line:
        raise place.statement.unclear(f"{name} is defined below; move it up")
    return name_for(place.statement.file, function, module.__name__, name)
