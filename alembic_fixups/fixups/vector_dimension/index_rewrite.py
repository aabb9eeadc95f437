"""Indexes of the models that pgvector cannot build as they are written.

HNSW and IVFFlat index 2,000 dimensions of a vector and 4,000 of a halfvec: in between an index on
``vector`` becomes one on the same values as ``halfvec``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Index, Table, cast
from sqlalchemy.types import UserDefinedType

from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.types import VectorType, of_model
from alembic_fixups.rendering import quoting
from alembic_fixups.report import Finding
from alembic_fixups.target import Target

METHODS = frozenset({"hnsw", "ivfflat"})
"""The access methods of pgvector."""

_MOST = {"vector": 2_000, "halfvec": 4_000, "bit": 64_000}
"""Dimensions that they index (pgvector's README, "HNSW" and "IVFFlat")."""

_VECTOR_CLASS = re.compile(r"\bvector_(?=\w+_ops\b)", re.IGNORECASE)


class _Typed(UserDefinedType[Any]):
    """A type of pgvector's, so that the models need no package of that name."""

    cache_ok = True

    def __init__(self, type_: VectorType) -> None:
        self.type = type_

    def get_col_spec(self, **_: Any) -> str:
        return self.type.sql


def method_of(index: Index) -> str:
    """Its access method in lower case, "" where it says none."""
    return str(index.dialect_options["postgresql"]["using"] or "").lower()


def rewrite_indexes(target: Target, schema: str | None) -> None:
    """Has every vector index one that can be built; one that cannot is taken out, with a finding.

    Takes the schema of the extension where it is not on the search_path, None where it is.
    """
    for key, table in target.tables.items():
        for index, column, type_ in list(_on_columns(table)):
            problem = _problem(type_)
            if problem is None and not _is_too_long(type_):
                continue
            editable = target.editable(key)
            original = next(one for one in editable.indexes if one.name == index.name)
            editable.indexes.discard(original)
            if problem is None:
                _add_over_halves(editable, original, editable.c[column.key], type_, schema)
                continue
            code, why = problem
            message = f"the index {index.name} on {column.name} cannot be built: {why}"
            target.findings.append(Finding(NAME, code, key, message, "refused"))


def _on_columns(table: Table) -> Iterator[tuple[Index, Column[Any], VectorType]]:
    """The vector indexes that are on a column itself."""
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if method_of(index) not in METHODS or len(index.expressions) != 1:
            continue
        [column] = index.expressions
        type_ = of_model(column.type) if isinstance(column, Column) else None
        if type_ is not None and isinstance(column, Column):
            yield index, column, type_


def _is_too_long(type_: VectorType) -> bool:
    most = _MOST.get(type_.kind)
    return most is not None and type_.dimensions is not None and type_.dimensions > most


def _problem(type_: VectorType) -> tuple[str, str] | None:
    """Code and text of why there is no way to index it, None where there is one."""
    if type_.dimensions is None:
        return "no-dimensions", (
            f"the models say no dimensions for its {type_.kind}, and HNSW and IVFFlat need them. "
            "Give the column its dimensions, as in Vector(1024), or index an expression that casts "
            "the rows of one model to theirs"
        )
    if not _is_too_long(type_) or (type_.kind == "vector" and type_.dimensions <= 4_000):
        return None
    said = f"it has {type_.dimensions:,} dimensions, and {_MOST[type_.kind]:,} of a {type_.kind}"
    said += " (4,000 by way of halfvec)" if type_.kind == "vector" else ""
    said += " can be indexed"
    if type_.kind == "bit":
        return "too-many-dimensions", f"{said}. Keep fewer bits"
    return "too-many-dimensions", (
        f"{said}. Keep fewer dimensions, or index an expression: binary_quantize() of all of them "
        "with bit_hamming_ops, or subvector() of the first ones, and order what it finds by the "
        "whole vector"
    )


def _add_over_halves(
    table: Table, index: Index, column: Column[Any], type_: VectorType, schema: str | None
) -> None:
    """The same index over the values as halfvec."""
    schema = type_.schema if schema is None else schema
    options = dict(index.dialect_kwargs)
    known = (index.dialect_options["postgresql"]["ops"] or {}).get(column.key)
    if known is not None:
        known = _VECTOR_CLASS.sub("halfvec_", known)
        if "." not in known and schema is not None:
            known = f"{quoting.identifier(schema)}.{known}"
        options["postgresql_ops"] = {column.name: known}
    # A label is what SQLAlchemy finds the operator class of an expression by, and Alembic writes
    # those down that are plain strings.
    halves = cast(column, _Typed(VectorType("halfvec", type_.dimensions, schema)))
    Index(
        index.name,
        halves.label(str(column.name)),
        unique=index.unique,
        info=index.info,
        _table=table,
        **options,
    )
