"""Calls in a statement: finding them, and changing their arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from alembic_fixups.codemods import brackets
from alembic_fixups.codemods.names import Names


def expression(code: str) -> cst.BaseExpression:
    """An expression from its source."""
    return cst.parse_expression(code)


def code_of(node: cst.CSTNode) -> str:
    """The source of a node."""
    return cst.Module([]).code_for_node(node)


class _Finder(cst.CSTVisitor):
    def __init__(self, wanted: Callable[[cst.Call], bool]) -> None:
        self._wanted = wanted
        self.found: list[cst.Call] = []

    def visit_Call(self, node: cst.Call) -> None:
        if self._wanted(node):
            self.found.append(node)


def calls(tree: cst.CSTNode, wanted: Callable[[cst.Call], bool]) -> list[cst.Call]:
    """The calls in a statement that *wanted* is true for, in the order of the source."""
    finder = _Finder(wanted)
    tree.visit(finder)
    return finder.found


def calls_of(tree: cst.CSTNode, names: Names, *functions: object) -> list[cst.Call]:
    """The calls of some functions or classes, or of classes below them, whatever they are called.

    Takes where to look, the names that hold there, and the functions and classes themselves.
    """
    classes = tuple(one for one in functions if isinstance(one, type))

    def wanted(call: cst.Call) -> bool:
        value = names.value(call.func)
        if any(value is one for one in functions):
            return True
        return isinstance(value, type) and bool(classes) and issubclass(value, classes)

    return calls(tree, wanted)


class _Replacement(cst.CSTTransformer):
    """libcst makes every node anew that it visits: here those alone that the change is in."""

    def __init__(self, above: set[int], old: cst.CSTNode, new: cst.CSTNode) -> None:
        super().__init__()
        self._above = above
        self._old = old
        self._new = new

    def on_visit(self, node: cst.CSTNode) -> bool:
        return id(node) in self._above

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:
        return self._new if original_node is self._old else updated_node


def replaced(tree: cst.Module, old: cst.CSTNode, new: cst.CSTNode) -> cst.Module:
    """The statement with one node in the place of another; all others are the same objects.

    Raises:
        LookupError: the statement has no such node.
    """
    changed = tree.visit(_Replacement(set(map(id, _above(tree, old))), old, new))
    assert isinstance(changed, cst.Module)
    return changed


def _above(node: cst.CSTNode, wanted: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes that *wanted* is in, from the innermost out."""
    pending = [(node, [node])]
    while pending:
        one, path = pending.pop()
        for child in one.children:
            if child is wanted:
                return path[::-1]
            pending.append((child, [*path, child]))
    raise LookupError("the statement has no such node")


def keyword(call: cst.Call, name: str) -> cst.Arg | None:
    """The argument with that keyword, None where there is none."""
    return next((one for one in call.args if one.keyword and one.keyword.value == name), None)


def positional(call: cst.Call) -> list[cst.Arg]:
    """The arguments without a keyword, up to the first ``*``."""
    found: list[cst.Arg] = []
    for one in call.args:
        if one.keyword is not None or one.star:
            break
        found.append(one)
    return found


def has_stars(call: cst.Call) -> bool:
    """Whether there are ``*`` or ``**`` arguments; the source does not say what these are."""
    return any(one.star for one in call.args)


def with_keyword(call: cst.Call, name: str, code: str) -> cst.Call:
    """The call with a keyword argument: put at the end, or with another value where it is there."""
    known = keyword(call, name)
    if known is not None:
        return call.with_changes(
            args=[
                one.with_changes(value=expression(code)) if one is known else one
                for one in call.args
            ]
        )
    made = cst.Arg(
        expression(code),
        keyword=cst.Name(name),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
    )
    place = next((n for n, one in enumerate(call.args) if one.star == "**"), len(call.args))
    return brackets.inserted(call, made, place)


def with_positional(call: cst.Call, code: str, place: int) -> cst.Call:
    """The call with another argument without a keyword at a place among its arguments."""
    return brackets.inserted(call, cst.Arg(expression(code)), place)


def with_argument(call: cst.Call, old: cst.Arg, code: str) -> cst.Call:
    """The call with another value for one of its arguments."""
    return call.with_changes(
        args=[one.with_changes(value=expression(code)) if one is old else one for one in call.args]
    )


def without(call: cst.Call, doomed: cst.Arg) -> cst.Call:
    """The call without one of its arguments."""
    return brackets.without(call, doomed)


def strings(node: cst.CSTNode) -> Iterator[cst.SimpleString]:
    """The string literals in an expression."""

    class Finder(cst.CSTVisitor):
        def visit_SimpleString(self, found: cst.SimpleString) -> None:
            strings_.append(found)

    strings_: list[cst.SimpleString] = []
    node.visit(Finder())
    yield from strings_


def with_text(node: cst.SimpleString, text: str) -> cst.SimpleString:
    """The literal with another text, in the same quotes."""
    quote = node.quote
    prefix = node.prefix
    body = text.replace("\\", "\\\\").replace(quote[0], "\\" + quote[0]).replace("\n", "\\n")
    if "r" in prefix.lower() and body != text:
        return cst.SimpleString(literal(text))
    return node.with_changes(value=f"{prefix}{quote}{body}{quote}")


def literal(value: Any) -> str:
    """A text or a list of texts as source, in the quotes that need fewer backslashes."""
    if isinstance(value, str):
        shown = repr(value)
        if shown[0] == "'" and value.count('"') <= value.count("'"):
            inner = shown[1:-1].replace("\\'", "'").replace('"', '\\"')
            return f'"{inner}"'
        return shown
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)
