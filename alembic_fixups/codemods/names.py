"""What a name in a file stands for: the object that the running module has under it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import libcst as cst


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()
"""Stands for a name that the running module does not have, or an expression without a value."""


def dotted(node: cst.CSTNode | ast.AST | None) -> str | None:
    """``a.b.c`` of an expression that is nothing but names and dots, None for any other."""
    match node:
        case cst.Name(value=name) | ast.Name(id=name):
            return name
        case (
            cst.Attribute(value=of, attr=cst.Name(value=name))
            | ast.Attribute(value=of, attr=str(name))
        ):
            before = dotted(of)
            return None if before is None else f"{before}.{name}"
    return None


class Names:
    """The names of a module, and of a class in it.

    Takes the module as it was loaded (None for a file that was not), the class whose body the
    expressions are in, and the names that mean something else there: those of a function.
    """

    def __init__(
        self, module: ModuleType | None, class_: type | None = None, local: Iterable[str] = ()
    ) -> None:
        self._module = vars(module) if module is not None else {}
        self._class = vars(class_) if class_ is not None else {}
        self._local = frozenset(local)

    def value(self, node: cst.CSTNode | ast.AST | str | None) -> Any:
        """What an expression of names and dots stands for, MISSING where that is not known."""
        name = node if isinstance(node, str) else dotted(node)
        if name is None:
            return MISSING
        first, *rest = name.split(".")
        if first in self._local:
            return MISSING
        found = self._class.get(first, self._module.get(first, MISSING))
        for part in rest:
            if found is MISSING:
                return MISSING
            try:
                found = getattr(found, part, MISSING)
            except Exception:  # whatever a property of the user's raises
                return MISSING
        return found

    def text(self, node: cst.BaseExpression | None) -> str | _Missing:
        """What an expression that makes a text gives: a literal, a name, their sum, an f-string."""
        match node:
            case cst.SimpleString():
                value = node.evaluated_value
                return value if isinstance(value, str) else MISSING
            case cst.ConcatenatedString(left=left, right=right):
                return _joined([self.text(left), self.text(right)])
            case cst.BinaryOperation(left=left, operator=cst.Add(), right=right):
                return _joined([self.text(left), self.text(right)])
            case cst.FormattedString():
                return _joined(self._parts(node))
        value = self.value(node)
        return str(value) if isinstance(value, str) else MISSING

    def _parts(self, node: cst.FormattedString) -> Iterator[str | _Missing]:
        parsed = ast.parse(cst.Module([]).code_for_node(node), mode="eval").body
        assert isinstance(parsed, ast.JoinedStr)
        given = (one for one in node.parts if isinstance(one, cst.FormattedStringExpression))
        for part in parsed.values:
            if isinstance(part, ast.Constant):
                yield str(part.value)
                continue
            assert isinstance(part, ast.FormattedValue)
            value = self.value(next(given).expression)
            is_plain = part.conversion == -1 and part.format_spec is None
            yield str(value) if is_plain and isinstance(value, str | int) else MISSING

    def named(self, wanted: object) -> list[str]:
        """The names that the module has for an object itself."""
        return [name for name, value in self._module.items() if value is wanted]


def _joined(parts: Iterable[str | _Missing]) -> str | _Missing:
    found = list(parts)
    if any(isinstance(part, _Missing) for part in found):
        return MISSING
    return "".join(map(str, found))
