"""Where the name of a module is assigned: in it, or in one that it is imported from."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from alembic_fixups.codemods.files import File, Statement
from alembic_fixups.codemods.models import Models

_DEPTH = 8
"""How many modules may hand a name on."""


def assigned(
    models: Models, file: File, name: str, depth: int = _DEPTH
) -> tuple[Statement, str] | None:
    """The statement that gives a name its value, and its name there; None where none is known.

    Raises:
        Unclear: it is assigned twice, or in a file that is no Python.
    """
    statement = file.module_block.assigned(name)
    if statement is not None:
        return statement, name
    for node in file.tree.body if depth else ():
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if alias.name != "*" and (alias.asname or alias.name) != name:
                continue
            other = file_of(models, _imported(file, node))
            known = name if alias.name == "*" else alias.name
            found = None if other is None else assigned(models, other, known, depth - 1)
            if found is not None:
                return found
    return None


def file_of(models: Models, module: ModuleType | None) -> File | None:
    """The file of a module of the project's, None for another one."""
    name = getattr(module, "__file__", None)
    path = Path(name).resolve() if isinstance(name, str) else None
    return models.file(path) if path in models.modules else None


def _imported(file: File, node: ast.ImportFrom) -> ModuleType | None:
    name = "." * node.level + (node.module or "")
    package = getattr(file.module, "__package__", None)
    try:
        return sys.modules.get(importlib.util.resolve_name(name, package))
    except ImportError:
        return None
