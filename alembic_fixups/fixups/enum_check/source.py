"""Where in the source the enum of a column is made."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst
from sqlalchemy import ARRAY, Column, Enum
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import MappedColumn
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Statement
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import MISSING, Names
from alembic_fixups.codemods.places import ColumnPlace, column_makers, is_field
from alembic_fixups.fixups.enum_check.inference import find_enum
from alembic_fixups.target import TableKey


@dataclass(frozen=True)
class Origin:
    """Where the enum of a column is made.

    Attributes:
        statement: the statement with the call of ``Enum()``; that of the column where there is
            none, since its annotation says it all.
        names: what names mean there.
        place: where the column is written.
        is_shared: whether it is an object of its own, which other columns may have too.
        is_annotation: whether there is no call.
    """

    statement: Statement
    names: Names
    place: ColumnPlace
    is_shared: bool = False
    is_annotation: bool = False

    @property
    def key(self) -> tuple[int, str]:
        """What two columns have in common whose enum is made at one place."""
        return id(self.statement), "" if self.is_shared else self.place.attribute

    def call(self) -> cst.Call:
        """The call of ``Enum()`` as it is now.

        Raises:
            Unclear: there is none, or more than one.
        """
        tree: cst.CSTNode | None = self.statement.tree
        if not self.is_shared:
            tree = _type_expression(self.place)
        found = [] if tree is None else calls.calls_of(tree, self.names, Enum)
        if len(found) != 1:
            raise self.statement.unclear("which call makes the enum is not clear")
        return found[0]

    def replace(self, old: cst.Call, new: cst.BaseExpression) -> None:
        """Puts another expression in the place of the call."""
        self.statement.tree = calls.replaced(self.statement.tree, old, new)


def column_of(models: Models, key: TableKey, name: str) -> Column[Any]:
    """A column as the running models have it, by the key of its table now and its own name."""
    return next(one for one in models.original(key).c if one.name == name)


def followed(models: Models, key: TableKey, name: str) -> tuple[TableKey, str] | None:
    """The column that another one has its type from by way of a foreign key."""
    column = column_of(models, key, name)
    for reference in column.foreign_keys:
        try:
            other = reference.column
        except InvalidRequestError:
            continue  # a reference that leads nowhere is not this fixup's to report
        if other.type is not column.type:
            continue
        if _has_type(models, key, name):
            continue  # both are given one object
        for other_key in models.target.tables:
            if models.original(other_key) is other.table:
                return other_key, other.name
    return None


def _has_type(models: Models, key: TableKey, name: str) -> bool:
    place = models.column(key, name)
    return _type_expression(place) is not None


def origin_of(models: Models, key: TableKey, name: str) -> Origin:
    """Where the enum of a column is made that has a type of its own.

    Raises:
        Unclear: it is not made where that could be changed.
    """
    place = models.column(key, name)
    found = find_enum(column_of(models, key, name).type)
    assert found is not None
    if found.domain is not None:
        raise place.statement.unclear(
            f"{name} is of the domain {found.domain.name}; make that a DOMAIN over a String, with "
            "the values in its check"
        )
    decorator = _decorator(column_of(models, key, name).type)
    if decorator is not None:
        raise place.statement.unclear(
            f"{name} is of {type(decorator).__name__}, a type of the project's own; have that be "
            "over an Enum with native_enum=False and length=63"
        )
    made = _made(models, place)
    if not made.is_annotation:
        call = made.call()
        class_ = made.names.value(call.func)
        given = calls.keyword(call, "name")
        says = MISSING if given is None else made.names.text(given.value)
        if class_ not in (Enum, postgresql.ENUM):
            raise made.statement.unclear(
                f"{calls.code_of(call.func)} is a class of the project's own; give it "
                "native_enum=False and a length there"
            )
        if class_ is not type(found.enum) or (isinstance(says, str) and says != found.enum.name):
            raise made.statement.unclear(f"{calls.code_of(call.func)}() is not the type of {name}")
    return made


def _decorator(type_: TypeEngine[Any]) -> TypeDecorator[Any] | None:
    type_ = type_._variant_mapping.get("postgresql", type_)
    if isinstance(type_, ARRAY):
        return _decorator(type_.item_type)
    return type_ if isinstance(type_, TypeDecorator) else None


def _made(models: Models, place: ColumnPlace) -> Origin:
    expression = _type_expression(place)
    if expression is not None:
        return _resolved(models, place, place.statement, place.names, expression)
    for node in annotation(place):
        value = place.names.value(node)
        metadata = getattr(value, "__metadata__", ())
        if any(isinstance(one, MappedColumn) and not _is_null(one) for one in metadata):
            written = models.assignment(value)
            if written is None:
                break
            return Origin(*written, place, is_shared=True)
    return Origin(place.statement, place.names, place, is_annotation=True)


def _is_null(given: MappedColumn[Any]) -> bool:
    return bool(given.column.type._isnull)


def _resolved(
    models: Models,
    place: ColumnPlace,
    statement: Statement,
    names: Names,
    expression: cst.BaseExpression,
) -> Origin:
    """Follows names to where the call is."""
    found = calls.calls_of(expression, names, Enum)
    if found:
        return Origin(statement, names, place, is_shared=statement is not place.statement)
    named = [
        node
        for node in _dotted(expression)
        if isinstance(value := names.value(node), TypeEngine)
        if find_enum(value) is not None
    ]
    if len(named) == 1:
        written = models.assignment(names.value(named[0]))
        if written is not None:
            value = _assigned(written[0])
            if value is not None:
                return _resolved(models, place, *written, value)
    code = calls.code_of(expression)
    raise statement.unclear(
        f"the type {code} is not written out where it could be changed; have it be an Enum with "
        "native_enum=False and a length"
    )


def _assigned(statement: Statement) -> cst.BaseExpression | None:
    match statement.tree.body[0]:
        case cst.SimpleStatementLine(body=[cst.Assign(value=value)]):
            return value
        case cst.SimpleStatementLine(body=[cst.AnnAssign(value=value)]):
            return value
    return None


def _type_expression(place: ColumnPlace) -> cst.BaseExpression | None:
    """The expression that gives a column its type, None where there is none.

    Raises:
        Unclear: something else makes the column.
    """
    if field_default(place) is not None:
        return None
    call = place.call()
    if call is not None and is_field(place.names.value(call.func)):
        given = calls.keyword(call, "sa_type")
        column = calls.keyword(call, "sa_column")
        if column is None:
            return None if given is None else given.value
        if not isinstance(column.value, cst.Call):
            raise place.statement.unclear(f"{place.attribute} is given a column made elsewhere")
        call = column.value
    if call is None:
        return None
    given = calls.keyword(call, "type_")
    if given is not None:
        return given.value
    arguments = calls.positional(call)
    if arguments and isinstance(place.names.text(arguments[0].value), str):
        arguments = arguments[1:]
    if not arguments:
        if any(one.star for one in call.args):
            raise place.statement.unclear(f"{place.attribute} is given * of something")
        return None
    first = arguments[0].value
    if isinstance(first, cst.Call):
        class_ = place.names.value(first.func)
        if isinstance(class_, type) and issubclass(class_, SchemaItem):
            return None  # a ForeignKey or the like
    return first


def field_default(place: ColumnPlace) -> cst.BaseExpression | None:
    """What a field of SQLModel is given by itself, ``status: Status = Status.new``."""
    match place.statement.tree.body[0]:
        case cst.SimpleStatementLine(body=[cst.AnnAssign(value=value)]) if value is not None:
            if is_sqlmodel(place) and not calls.calls_of(value, place.names, *column_makers()):
                return value
    return None


def is_sqlmodel(place: ColumnPlace) -> bool:
    """Whether the column is a field of SQLModel."""
    sqlmodel = sys.modules.get("sqlmodel")
    if sqlmodel is None or place.block is None:
        return False
    class_ = Names(place.block.file.module).value(place.block.name)
    return isinstance(class_, type) and issubclass(class_, sqlmodel.SQLModel)


def annotation(place: ColumnPlace) -> list[cst.BaseExpression]:
    """The names in the annotation of a column, those in texts too."""
    match place.statement.tree.body[0]:
        case cst.SimpleStatementLine(body=[cst.AnnAssign(annotation=given)]):
            nodes = list(_dotted(given.annotation))
            for text in calls.strings(given.annotation):
                try:
                    nodes += _dotted(calls.expression(str(text.evaluated_value)))
                except cst.ParserSyntaxError:
                    continue
            return nodes
        case cst.FunctionDef(returns=cst.Annotation(annotation=returned)):
            return list(_dotted(returned))
    return []


def enum_in_annotation(place: ColumnPlace) -> cst.BaseExpression | None:
    """The name of a Python enum in the annotation of a column."""
    for node in annotation(place):
        value = place.names.value(node)
        if isinstance(value, type) and issubclass(value, enum.Enum):
            return node
    return None


def _dotted(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """The names in an expression, each with all its dots, but those of keywords."""
    found: list[cst.BaseExpression] = []

    class Finder(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            found.append(node)

        def visit_Attribute(self, node: cst.Attribute) -> bool:
            found.append(node)
            node.value.visit(self)
            return False

        def visit_Arg(self, node: cst.Arg) -> bool:
            node.value.visit(self)
            return False

    node.visit(Finder())
    yield from found
