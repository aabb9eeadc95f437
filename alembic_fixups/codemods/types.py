"""Types of columns as source."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import Enum
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import File
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.names import MISSING, Names
from alembic_fixups.codemods.places import ColumnPlace
from alembic_fixups.stock.constraints import DIALECT

_PUBLIC = ("sqlalchemy", "sqlalchemy.dialects.postgresql")

_OF_ITS_PLACE = ("dispatch", "_variant_mapping")
"""What a type has from the column that it is given to, or is written behind it."""


class _Untold(Exception):
    """What a type was made of cannot be told from it."""


def type_code(type_: TypeEngine[Any], place: ColumnPlace) -> str:
    """The source of a type for a column, where its class is imported if need be.

    Raises:
        Unclear: what it was made of cannot be told from it.
    """
    try:
        type_.compile(dialect=DIALECT)
        return _code(type_, place.statement.file)
    except Exception as error:  # whatever a type of the user's raises
        raise place.statement.unclear(
            f"the type {type_!r} cannot be written out from what is known of it; write the type "
            f"into the column {place.attribute}"
        ) from error


def _code(type_: TypeEngine[Any], file: File) -> str:
    positional, keywords = _arguments(type_)
    written = [_value(one, file) for one in positional]
    written += [f"{key}={_value(value, file)}" for key, value in keywords.items()]
    made = _class_code(type(type_), file)
    if written or type_._variant_mapping:
        made += f"({', '.join(written)})"
    for dialect, variant in type_._variant_mapping.items():
        made += f".with_variant({_code(variant, file)}, {calls.literal(dialect)})"
    return made


def _value(value: object, file: File) -> str:
    if isinstance(value, type):
        return _class_code(value, file)
    match value:
        case list():
            return f"[{', '.join(_value(one, file) for one in value)}]"
        case tuple():
            return f"({''.join(f'{_value(one, file)}, ' for one in value).rstrip()})"
        case dict():
            items = (f"{_value(key, file)}: {_value(one, file)}" for key, one in value.items())
            return f"{{{', '.join(items)}}}"
    return calls.literal(value)


def _class_code(class_: type, file: File) -> str:
    """What a class is called in the file."""
    name = class_.__qualname__
    known = Names(file.module).named(class_)
    if known:
        return name if name in known else known[0]
    for module in _PUBLIC:
        if getattr(importlib.import_module(module), name, None) is class_:
            return name_for(file, class_, module, name)
    module = class_.__module__
    there = Names(sys.modules.get(module))
    first, dot, rest = name.partition(".")
    outer = there.value(first)
    if there.value(name) is not class_ or outer is MISSING:
        raise _Untold(f"{module} has no {name}")
    return f"{name_for(file, outer, module, first)}{dot}{rest}"


# What it was made of


def _arguments(type_: TypeEngine[Any]) -> tuple[list[object], dict[str, object]]:
    """The arguments that make the same type again.

    Raises:
        _Untold: those that are known do not.
    """
    class_: type[TypeEngine[Any]] = type(type_)
    if _is_made_by(type_, [], {}):
        return [], {}
    call = ast.parse(repr(type_), mode="eval").body
    if not isinstance(call, ast.Call):
        raise _Untold("its repr() is no call")
    given = [ast.literal_eval(one) for one in call.args]
    keywords = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    if isinstance(type_, Enum) and type_.enum_class is not None:
        given = [type_.enum_class]
    if _schema(type_) is None:
        keywords.pop("schema", None)
    positional, keywords = _placed(class_, given, keywords)
    if not _is_made_by(type_, positional, keywords):
        raise _Untold("what these arguments make is another one")
    return positional, keywords


def _placed(
    class_: type, given: list[Any], keywords: dict[str, Any]
) -> tuple[list[object], dict[str, object]]:
    """The arguments with lengths alone by their place, as in ``Numeric(10, 2)``."""
    parameters = list(inspect.signature(class_).parameters.values())
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return given, keywords
    named = {one.name: value for one, value in zip(parameters, given, strict=False)} | keywords
    positional: list[object] = []
    for one in parameters:
        is_length = type(named.get(one.name)) is int
        if one.name not in named or not (is_length or one.kind is one.POSITIONAL_ONLY):
            break
        positional.append(named.pop(one.name))
    return positional, named


def _is_made_by(type_: TypeEngine[Any], given: list[Any], keywords: dict[str, Any]) -> bool:
    try:
        again = type(type_)(*given, **keywords)
    except Exception:  # whatever a type of the user's raises
        return False
    return type(again) is type(type_) and _same(_state(type_), _state(again))


# Whether two are the same


def _same(one: object, other: object) -> bool:
    """Whether two values are known to be the same: types by their class and all that is in them."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, TypeEngine) and isinstance(other, TypeEngine):
        variants = one._variant_mapping, other._variant_mapping
        return _same(*variants) and _same(_state(one), _state(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _state(type_: TypeEngine[Any]) -> dict[str, object]:
    """What is in a type, without what comes of it or of the column that it was given to."""
    found = {
        key: value
        for key, value in vars(type_).items()
        if key not in _OF_ITS_PLACE and not _is_memoized(type(type_), key)
    }
    if "_schema_provided" in found:  # since SQLAlchemy 2.1 it has these from its first table
        found |= {"metadata": None, "schema": _schema(type_)}
    return found


def _is_memoized(class_: type, key: str) -> bool:
    found = inspect.getattr_static(class_, key, None)
    # SQLAlchemy has several descriptors that do it, under different names from version to version.
    return isinstance(found, cached_property) or hasattr(found, "fget")


def _schema(type_: TypeEngine[Any]) -> str | None:
    """The schema that it was given, None where it has that of its MetaData."""
    schema: str | None = getattr(type_, "schema", None)
    metadata = getattr(type_, "metadata", None)
    is_given = getattr(type_, "_schema_provided", True)
    return None if not is_given and metadata is not None and metadata.schema == schema else schema
