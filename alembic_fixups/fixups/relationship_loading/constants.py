"""The named texts that ``lazy`` is given, and what else uses them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import libcst as cst

from alembic_fixups.codemods.bindings import assigned, file_of
from alembic_fixups.codemods.files import File, Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import Names, dotted


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
    if before:
        owner = Names(file.module).value(before)
        other = file_of(models, owner) if isinstance(owner, ModuleType) else None
    else:
        other = file
    found = None if other is None else assigned(models, other, name)
    return None if found is None else Constant(*found)


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
