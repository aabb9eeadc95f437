"""The named texts that ``lazy`` is given, and what else uses them."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import libcst as cst

from alembic_fixups.codemods.files import File, Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import Names, dotted

_DEPTH = 8
"""How many modules may hand a name on."""


@dataclass(frozen=True)
class Constant:
    """A name of a module with a text.

    Attributes:
        statement: the statement that gives it.
        name: the name.
    """

    statement: Statement
    name: str

    def literal(self) -> cst.SimpleString:
        """The text as it is written now.

        Raises:
            Unclear: it is written in another way than as one text.
        """
        match self.statement.tree.body:
            case [
                cst.SimpleStatementLine(
                    body=[
                        cst.Assign(targets=[_], value=cst.SimpleString() as value)
                        | cst.AnnAssign(value=cst.SimpleString() as value)
                    ]
                )
            ]:
                return value
        raise self.statement.unclear(f"{self.name} is not given a plain text; change it by hand")


def constant_of(models: Models, file: File, code: str) -> Constant | None:
    """Where the text comes from that a name has in a module, None where that is not known.

    Raises:
        Unclear: it is assigned twice, or in a file that is no Python.
    """
    before, _, name = code.rpartition(".")
    if not before:
        return _in_module(models, file, name, _DEPTH)
    owner = Names(file.module).value(before)
    other = _file(models, owner) if isinstance(owner, ModuleType) else None
    return None if other is None else _in_module(models, other, name, _DEPTH)


def uses(models: Models, constant: Constant) -> Iterator[tuple[File, int, int]]:
    """Every place where a constant is read in the modules that are loaded: file, offset, line."""
    for path in models.modules:
        if constant.name.encode() not in path.read_bytes():
            continue
        try:
            file = models.file(path)
        except Unclear:
            continue
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            code = dotted(node)
            if code is None or not _may_be(file, code, constant):
                continue
            found = constant_of(models, file, code)
            if found is not None and found.statement is constant.statement:
                yield file, file.offset(node.lineno, node.col_offset), node.lineno


def _may_be(file: File, code: str, constant: Constant) -> bool:
    """Whether a name can be that of the constant, which an import may have changed."""
    last = code.rpartition(".")[2]
    if last == constant.name:
        return True
    return "." not in code and any(
        alias.asname == code and alias.name == constant.name
        for node in file.tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def _in_module(models: Models, file: File, name: str, depth: int) -> Constant | None:
    statement = file.module_block.assigned(name)
    if statement is not None:
        return Constant(statement, name)
    for node in file.tree.body if depth else ():
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if alias.name != "*" and (alias.asname or alias.name) != name:
                continue
            other = _file(models, _imported(file, node))
            known = name if alias.name == "*" else alias.name
            found = None if other is None else _in_module(models, other, known, depth - 1)
            if found is not None:
                return found
    return None


def _imported(file: File, node: ast.ImportFrom) -> ModuleType | None:
    name = "." * node.level + (node.module or "")
    package = getattr(file.module, "__package__", None)
    try:
        return sys.modules.get(importlib.util.resolve_name(name, package))
    except ImportError:
        return None


def _file(models: Models, module: ModuleType | None) -> File | None:
    name = getattr(module, "__file__", None)
    path = Path(name).resolve() if isinstance(name, str) else None
    return models.file(path) if path in models.modules else None
