"""``__table_args__`` in a class, and the arguments of ``Table()``."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Block, Statement, Unclear

NAME = "__table_args__"


def extend(block: Block, elements: Sequence[str], options: dict[str, str] | None = None) -> None:
    """Adds constraints and indexes to the ``__table_args__`` of a class, and keys to its dict.

    Takes the source of the elements, and of the values by their keys.

    Raises:
        Unclear: the statement is none that can be added to.
    """
    statement = block.assigned(NAME)
    if statement is None:
        code = _new(elements, options or {})
        block.insert(f"{NAME} = {code}", after=_anchor(block))
        return
    value = _value(statement)
    statement.tree = calls.replaced(
        statement.tree, value, _extended(statement, value, elements, options or {})
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
) -> cst.BaseExpression:
    match value:
        case cst.Dict():
            made = _with_options(statement, value, options)
            if not elements:
                return made
            parts = [*elements, calls.code_of(made)]
            return calls.expression(f"({', '.join(parts)})")
        case cst.Tuple():
            return _extended_tuple(statement, value, elements, options)
        case cst.Call() if not value.args and calls.code_of(value.func) in ("tuple", "dict"):
            return calls.expression(_new(elements, options))
    raise statement.unclear(
        f"{NAME} is {_kind(value)}, so what is in it is not written here; add "
        f"{', '.join([*elements, *options])} where it comes from"
    )


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
    statement: Statement, value: cst.Tuple, elements: Sequence[str], options: dict[str, str]
) -> cst.Tuple:
    items = list(value.elements)
    last = items[-1].value if items else None
    if options:
        if isinstance(last, cst.Dict):
            items[-1] = items[-1].with_changes(value=_with_options(statement, last, options))
        elif items and isinstance(items[-1], cst.StarredElement):
            raise statement.unclear(f"{NAME} ends with a * of something")
        else:
            items = _with_element(value, items, len(items), _dict(options))
    has_dict = bool(items) and isinstance(items[-1].value, cst.Dict)
    for element in elements:
        items = _with_element(value, items, len(items) - has_dict, element)
    return value.with_changes(
        elements=items,
        lpar=value.lpar or [cst.LeftParen()],
        rpar=value.rpar or [cst.RightParen()],
    )


def _with_element(
    value: cst.Tuple, items: list[cst.BaseElement], place: int, code: str
) -> list[cst.BaseElement]:
    between: cst.Comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if len(items) > 1 and isinstance(items[0].comma, cst.Comma):
        between = items[0].comma
    elif value.lpar and isinstance(value.lpar[0].whitespace_after, cst.ParenthesizedWhitespace):
        between = cst.Comma(whitespace_after=value.lpar[0].whitespace_after)
    made = cst.Element(calls.expression(code), comma=between)
    if place < len(items):
        return [*items[:place], made, *items[place:]]
    if not items:
        return [made.with_changes(comma=cst.Comma())]
    last = items[-1]
    # What follows the last one, a comma or none and a line break, follows the new one. The comma
    # that makes a tuple of one element would ask black for a line for each.
    end: cst.Comma | cst.MaybeSentinel = last.comma
    if len(items) == 1 and isinstance(end, cst.Comma) and _is_empty(end.whitespace_after):
        end = cst.MaybeSentinel.DEFAULT
    return [*items[:-1], last.with_changes(comma=between), made.with_changes(comma=end)]


def _is_empty(whitespace: cst.BaseParenthesizableWhitespace) -> bool:
    return isinstance(whitespace, cst.SimpleWhitespace) and not whitespace.value


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
        if any(isinstance(one, cst.StarredDictElement) for one in made.elements):
            raise statement.unclear(f"the dict in {NAME} takes ** of something")
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
    """The dict with another entry before those that it has."""
    made = cst.DictElement(calls.expression(calls.literal(key)), calls.expression(code))
    items = list(value.elements)
    if not items:
        return value.with_changes(elements=[made])
    # First: "schema" is what a reader looks for.
    between: cst.Comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if len(items) > 1 and isinstance(items[0].comma, cst.Comma):
        between = items[0].comma
    elif isinstance(value.lbrace.whitespace_after, cst.ParenthesizedWhitespace):
        between = cst.Comma(whitespace_after=value.lbrace.whitespace_after)
    return value.with_changes(elements=[made.with_changes(comma=between), *items])


__all__ = ["NAME", "Unclear", "extend", "extend_call", "with_entry"]
