"""``__table_args__`` in a class, and the arguments of ``Table()``."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from alembic_fixups.codemods import brackets, calls
from alembic_fixups.codemods.files import Block, Statement, Unclear
from alembic_fixups.codemods.names import Names

NAME = "__table_args__"


def extend(
    block: Block,
    elements: Sequence[str],
    options: dict[str, str] | None = None,
    names: Names | None = None,
    *,
    is_whole: bool = False,
) -> None:
    """Adds constraints and indexes to the ``__table_args__`` of a class, and keys to its dict.

    Takes the source of the elements, and of the values by their keys; what names mean there; and
    whether the one element is all there is to be, a dict.

    Raises:
        Unclear: the statement is none that can be added to.
    """
    statement = block.assigned(NAME)
    if statement is None:
        code = elements[0] if is_whole else _new(elements, options or {})
        block.insert(f"{NAME} = {code}", after=_anchor(block))
        return
    value = _value(statement)
    statement.tree = calls.replaced(
        statement.tree, value, _extended(statement, value, elements, options or {}, names)
    )


def extend_call(
    statement: Statement,
    call: cst.Call,
    elements: Sequence[str],
    options: dict[str, str] | None = None,
) -> None:
    """Adds constraints and indexes to a call of ``Table()``, and keyword arguments."""
    made = call
    for element in elements:
        place = next((n for n, one in enumerate(made.args) if one.keyword), len(made.args))
        place = next((n for n, one in enumerate(made.args) if one.star == "**"), place)
        made = calls.with_positional(made, element, min(place, len(made.args)))
    for key, code in (options or {}).items():
        made = calls.with_keyword(made, key, code)
    statement.tree = calls.replaced(statement.tree, call, made)


def _new(elements: Sequence[str], options: dict[str, str]) -> str:
    if not elements:
        return _dict(options)
    parts = [*elements, *([_dict(options)] if options else [])]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _dict(options: dict[str, str]) -> str:
    return "{" + ", ".join(f"{calls.literal(key)}: {code}" for key, code in options.items()) + "}"


def _anchor(block: Block) -> Statement | None:
    """What a new ``__table_args__`` stands behind: the name of the table, or the docstring."""
    for name in ("__tablename__", "__table_args__"):
        found = block.assigned(name)
        if found is not None and found.node is not None:
            return found
    first = next((one for one in block.statements if one.node is not None), None)
    if first is not None and first.code.lstrip().startswith(('"', "'", 'r"')):
        return first
    return None


def _value(statement: Statement) -> cst.BaseExpression:
    """The expression that is the ``__table_args__``: of an assignment or of a function's return."""
    body = statement.tree.body[0]
    match body:
        case cst.SimpleStatementLine(body=[cst.Assign(targets=[_], value=value)]):
            return value
        case cst.SimpleStatementLine(body=[cst.AnnAssign(value=value)]) if value is not None:
            return value
        case cst.FunctionDef(body=cst.IndentedBlock()):
            returns = _returns(body)
            if len(returns) == 1 and returns[0].value is not None:
                return returns[0].value
            raise statement.unclear(f"{NAME} is a function with more than one return")
    raise statement.unclear(f"{NAME} is given in an unusual way")


def _returns(function: cst.FunctionDef) -> list[cst.Return]:
    found: list[cst.Return] = []

    class Finder(cst.CSTVisitor):
        def visit_Return(self, node: cst.Return) -> None:
            found.append(node)

    function.body.visit(Finder())
    return found


def _extended(
    statement: Statement,
    value: cst.BaseExpression,
    elements: Sequence[str],
    options: dict[str, str],
    names: Names | None,
) -> cst.BaseExpression:
    match value:
        case cst.Dict():
            made = _with_options(statement, value, options)
            if not elements:
                return made
            parts = [*elements, calls.code_of(made)]
            return calls.expression(f"({', '.join(parts)})")
        case cst.Tuple():
            return _extended_tuple(statement, value, elements, options, names)
        case cst.Call() if not value.args and calls.code_of(value.func) in ("tuple", "dict"):
            return calls.expression(_new(elements, options))
        case cst.Name() | cst.Attribute() if _names_dict(value, names):
            given = _widened(value, options)
            return calls.expression(f"({', '.join([*elements, given])})" if elements else given)
    raise statement.unclear(
        f"{NAME} is {_kind(value)}, so what is in it is not written here; add "
        f"{', '.join([*elements, *options])} where it comes from"
    )


def _names_dict(value: cst.BaseExpression | None, names: Names | None) -> bool:
    """Whether an expression is the name of a dict, as that of a base is."""
    is_name = isinstance(value, cst.Name | cst.Attribute)
    return is_name and names is not None and isinstance(names.value(value), dict)


def _widened(value: cst.BaseExpression, options: dict[str, str]) -> str:
    """A dict with all that a named one has, and more."""
    keys = "".join(f", {calls.literal(key)}: {code}" for key, code in options.items())
    return f"{{**{calls.code_of(value)}{keys}}}"


def _kind(value: cst.BaseExpression) -> str:
    match value:
        case cst.Call():
            return f"what {calls.code_of(value.func)}() gives"
        case cst.Name() | cst.Attribute():
            return calls.code_of(value)
        case cst.List():
            return "a list, which SQLAlchemy does not take"
    return "put together from several things"


def _extended_tuple(
    statement: Statement,
    value: cst.Tuple,
    elements: Sequence[str],
    options: dict[str, str],
    names: Names | None,
) -> cst.Tuple:
    made = value
    last = value.elements[-1] if value.elements else None
    if options:
        if last is not None and isinstance(last.value, cst.Dict):
            given = last.with_changes(value=_with_options(statement, last.value, options))
            made = made.with_changes(elements=[*made.elements[:-1], given])
        elif last is not None and _names_dict(last.value, names):
            given = last.with_changes(value=calls.expression(_widened(last.value, options)))
            made = made.with_changes(elements=[*made.elements[:-1], given])
        else:
            element = cst.Element(calls.expression(_dict(options)))
            made = brackets.inserted(made, element, len(made.elements))
    for code in elements:
        end = made.elements[-1].value if made.elements else None
        has_dict = isinstance(end, cst.Dict) or _names_dict(end, names)
        element = cst.Element(calls.expression(code))
        made = brackets.inserted(made, element, len(made.elements) - has_dict)
    return made


def _with_options(statement: Statement, value: cst.Dict, options: dict[str, str]) -> cst.Dict:
    made = value
    for key, code in options.items():
        known = [
            one
            for one in made.elements
            if isinstance(one, cst.DictElement)
            and isinstance(one.key, cst.SimpleString)
            and one.key.evaluated_value == key
        ]
        if known and isinstance(made.elements[-1], cst.StarredDictElement):
            raise statement.unclear(f"the dict in {NAME} ends with ** of something")
        if known:
            made = made.with_changes(
                elements=[
                    one.with_changes(value=calls.expression(code)) if one is known[0] else one
                    for one in made.elements
                ]
            )
            continue
        made = with_entry(made, key, code)
    return made


def with_entry(value: cst.Dict, key: str, code: str) -> cst.Dict:
    """The dict with another entry before those that it has, behind all where it takes others."""
    made = cst.DictElement(calls.expression(calls.literal(key)), calls.expression(code))
    # First: "schema" is what a reader looks for. But what ** gives may have the key as well.
    has_stars = any(isinstance(one, cst.StarredDictElement) for one in value.elements)
    return brackets.inserted(value, made, len(value.elements) if has_stars else 0)


__all__ = ["NAME", "Unclear", "extend", "extend_call", "with_entry"]
