"""Types of columns as source."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any

from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods.files import File, Unclear
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.stock.constraints import DIALECT

_PUBLIC = ("sqlalchemy", "sqlalchemy.dialects.postgresql")


def type_code(type_: TypeEngine[Any], file: File) -> str:
    """The source of a type in a file, where its class is imported if need be.

    Raises:
        Unclear: what it was made of cannot be told from it.
    """
    class_ = type(type_)
    try:
        call = ast.parse(repr(type_), mode="eval").body
        assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        positional = [ast.literal_eval(one) for one in call.args]
        keywords = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
        again = class_(*positional, **keywords)
        same = again.compile(dialect=DIALECT) == type_.compile(dialect=DIALECT)
    except (SyntaxError, ValueError, AssertionError, TypeError, CompileError):
        same = False
    if not same or "<locals>" in class_.__qualname__:
        raise Unclear(f"the type {type_!r} cannot be written out; write it there yourself", file)
    for parameter in _leading(class_, len(positional)):
        if parameter not in keywords:
            break
        positional.append(keywords.pop(parameter))
    module = next(
        (
            one
            for one in _PUBLIC
            if getattr(importlib.import_module(one), class_.__name__, None) is class_
        ),
        class_.__module__,
    )
    written = [*map(repr, positional), *(f"{key}={value!r}" for key, value in keywords.items())]
    name = name_for(file, class_, module, class_.__name__)
    if not type_._variant_mapping:
        return f"{name}({', '.join(written)})" if written else name
    made = f"{name}({', '.join(written)})"
    for dialect, variant in type_._variant_mapping.items():
        made += f'.with_variant({type_code(variant, file)}, "{dialect}")'
    return made


def _leading(class_: type, given: int) -> list[str]:
    """The names of the parameters that may be given by their place."""
    parameters = list(inspect.signature(class_).parameters.values())[given:]
    found: list[str] = []
    for one in parameters:
        if one.kind not in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            break
        found.append(one.name)
    return found
