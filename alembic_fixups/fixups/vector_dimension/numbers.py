"""The dimensions of a column of vectors as they are written in the source."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Block, Statement
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import MISSING, Names, dotted
from alembic_fixups.codemods.places import ColumnPlace
from alembic_fixups.fixups.vector_dimension.types import is_pgvectors, of_model
from alembic_fixups.target import TableKey

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


@dataclass(frozen=True)
class Wish:
    """A column that is to have other dimensions.

    Attributes:
        key, column: its table, and its name.
        was: its type as the running models have it.
        old, new: its dimensions as these have them, and as they are to be.
    """

    key: TableKey
    column: str
    was: TypeEngine[Any]
    old: int | None
    new: int

    def __str__(self) -> str:
        return f"{self.key}.{self.column}"

    @property
    def class_(self) -> type:
        """The class of the type that PostgreSQL is told."""
        return type(self.was._variant_mapping.get("postgresql", self.was))


@dataclass(frozen=True)
class Number:
    """Where the dimensions of a type are written.

    Attributes:
        statement: the statement.
        names: what names mean there.
        block: the class whose names are seen there, None where none are.
        type: the call that makes the type, or the name of its class alone.
        value: the argument with the dimensions, None where there is none.
        shared: what stands for the type in the columns, where they do not make it themselves.
    """

    statement: Statement
    names: Names
    block: Block | None
    type: cst.BaseExpression
    value: cst.BaseExpression | None
    shared: object = None

    @property
    def name(self) -> str | None:
        """The name that the dimensions come from, None where they are written out."""
        if isinstance(self.value, cst.Name) and self.value.value == "None":
            return None
        return dotted(self.value)

    def write(self, dimensions: int) -> None:
        """Writes the dimensions out; those that are there already stay as they are."""
        if self.value is not None:
            if written(self.value) != dimensions:
                self.put(integer(dimensions, self.value))
        elif isinstance(self.type, cst.Call):
            self._replace(self.type, calls.with_positional(self.type, str(dimensions), 0))
        else:
            self._replace(self.type, cst.Call(self.type, [cst.Arg(integer(dimensions))]))

    def put(self, value: cst.BaseExpression) -> None:
        """Puts another expression in the place of the dimensions."""
        assert self.value is not None
        self._replace(self.value, value)

    def _replace(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        self.statement.tree = calls.replaced(self.statement.tree, old, new)


def integer(value: int, before: cst.BaseExpression | None = None) -> cst.Integer:
    """A number as source, with underscores where the one that was there has them."""
    if isinstance(before, cst.Integer) and "_" in before.value:
        return cst.Integer(f"{value:_}")
    return cst.Integer(str(value))


def written(node: cst.BaseExpression) -> int | None:
    """The number that an expression of nothing but numbers gives, None for any other."""
    try:
        return _calculated(ast.parse(calls.code_of(node), mode="eval").body)
    except (SyntaxError, ZeroDivisionError):
        return None


def _calculated(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            first, second = _calculated(left), _calculated(right)
            if first is not None and second is not None:
                return _OPERATORS[type(op)](first, second)
    return None


def value_of(node: cst.BaseExpression, names: Names) -> Any:
    """The number that an expression gives, None for ``None``, MISSING where that is not known."""
    number = written(node)
    if number is not None:
        return number
    if isinstance(node, cst.Name) and node.value == "None":
        return None
    value = names.value(node)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else MISSING


def number_of(models: Models, wish: Wish) -> tuple[Number, ColumnPlace]:
    """Where a column has its dimensions from, and where the column itself is written.

    Raises:
        Unclear: that is not written in the project's files as such.
    """
    place = models.column(wish.key, wish.column)
    expression = _type_expression(place)
    if expression is None:
        shared: Any = _annotated(place)
        what = "something else than an argument"
    else:
        block = None if place.is_function else place.block  # which does not see the class's names
        found = _in(place.statement, place.names, block, expression, wish)
        if found is not None:
            return found, place
        shared = place.names.value(expression)
        what = calls.code_of(expression)
    assigned = None if shared is MISSING else models.assignment(shared)
    if assigned is None:
        raise place.statement.unclear(
            f"{what} gives {wish} its type; make it have {wish.new} dimensions where it comes from"
        )
    statement, names = assigned
    found = _in(statement, names, None, statement.tree, wish, shared)
    if found is None:
        raise statement.unclear(
            f"the type of {wish} is not made here; make it have {wish.new} dimensions where it "
            "comes from"
        )
    return found, place


def _type_expression(place: ColumnPlace) -> cst.BaseExpression | None:
    """The argument of a column that gives its type, None where there is none."""
    call = place.call()
    if call is None:
        return None
    given = calls.keyword(call, "sa_column")
    if given is not None:
        if not isinstance(given.value, cst.Call):
            raise place.statement.unclear(
                f"sa_column is {calls.code_of(given.value)}, so its type is not written here"
            )
        call = given.value
    for name in ("type_", "sa_type"):
        found = calls.keyword(call, name)
        if found is not None:
            return found.value
    for one in calls.positional(call):
        if _is_type(one.value, place.names):
            return one.value
    if calls.has_stars(call):
        raise place.statement.unclear(f"{place.attribute} is given * of something")
    return None


def _is_type(node: cst.BaseExpression, names: Names) -> bool:
    value = names.value(node)
    if isinstance(value, TypeEngine) or _is_type_class(value):
        return True
    return bool(calls.calls(node, lambda call: _is_type_class(names.value(call.func))))


def _is_type_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, TypeEngine)


def _annotated(place: ColumnPlace) -> object:
    """The ``Annotated[...]`` with a ``mapped_column()`` that a column is annotated with."""
    node = place.statement.node
    if isinstance(node, ast.AnnAssign):
        for one in ast.walk(node.annotation):
            value = place.names.value(one) if isinstance(one, ast.Name | ast.Attribute) else None
            if hasattr(value, "__metadata__"):
                return value
    return MISSING


def _in(
    statement: Statement,
    names: Names,
    block: Block | None,
    node: cst.CSTNode,
    wish: Wish,
    shared: object = None,
) -> Number | None:
    """The dimensions in the type that is made in an expression, None where none is made there."""
    found = calls.calls(node, lambda call: names.value(call.func) is wish.class_)
    if not found:
        if isinstance(node, cst.BaseExpression) and names.value(node) is wish.class_:
            return _checked(Number(statement, names, block, node, None, shared), None, wish)
        return None
    if len(found) > 1:
        raise statement.unclear(f"which of these is the type of {wish} is not clear")
    [call] = found
    if calls.has_stars(call):
        raise statement.unclear(f"{calls.code_of(call.func)} is given * of something")
    wanted = [one for one in call.args if value_of(one.value, names) in (wish.old, wish.new)]
    if len(wanted) == 1:
        number = Number(statement, names, block, call, wanted[0].value, shared)
        return _checked(number, wanted[0], wish)
    if not call.args:
        return _checked(Number(statement, names, block, call, None, shared), None, wish)
    raise statement.unclear(
        f"the dimensions of {wish} are those of {calls.code_of(call)}, which does not write them "
        f"out; write {wish.new} there, or change what it is made of"
    )


def _checked(number: Number, argument: cst.Arg | None, wish: Wish) -> Number:
    """The number, if another one in its place gives the type those dimensions."""
    class_ = wish.class_
    if class_.__module__.partition(".")[0] in ("pgvector", "sqlalchemy"):
        return number
    named = {argument.keyword.value: wish.new} if argument and argument.keyword else {}
    try:
        made = of_model(class_(**named) if named else class_(wish.new))
    except Exception:  # code of the user's
        made = None
    others = isinstance(number.type, cst.Call) and len(number.type.args) > 1
    if made is None or made.dimensions != wish.new or others:
        raise number.statement.unclear(
            f"{class_.__name__}, the type of {wish}, says its dimensions itself; change them "
            f"there to {wish.new}"
        )
    return number


def literals(
    statement: Statement, names: Names, block: Block | None, node: cst.CSTNode
) -> Iterator[Number]:
    """The dimensions that calls in an expression give to types of vectors."""
    for call in calls.calls(node, lambda one: _is_type_class(names.value(one.func))):
        class_ = names.value(call.func)
        if len(call.args) != 1 or call.args[0].star:
            continue
        value = value_of(call.args[0].value, names)
        if isinstance(value, int) and _holds_vectors(class_, value):
            yield Number(statement, names, block, call, call.args[0].value)


def _holds_vectors(class_: Any, dimensions: int) -> bool:
    try:
        made = class_(dimensions)
        found = of_model(made)
    except Exception:  # code of the user's
        return False
    return (
        found is not None
        and found.dimensions == dimensions
        and (found.kind != "bit" or is_pgvectors(made))
    )
