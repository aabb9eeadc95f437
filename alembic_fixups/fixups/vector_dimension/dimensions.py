"""The change of the desired schema: columns of vectors have the dimensions of the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from sqlalchemy import Cast, Column, Index, Table, cast
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.visitors import iterate, replacement_traverse
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.vector_dimension.settings import (
    NAME,
    VectorDimensionSettings,
    given_settings,
)
from alembic_fixups.fixups.vector_dimension.types import VectorType, of_model
from alembic_fixups.settings import SettingsError
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import Target

_MOST = {
    "vector": 16_000,
    "halfvec": 16_000,
    "sparsevec": 1_000_000_000,
    "bit": 83_886_080,
}
"""Dimensions that a column can have (VECTOR_MAX_DIM, HALFVEC_MAX_DIM and SPARSEVEC_MAX_DIM of
pgvector; MaxAttrSize of PostgreSQL in bits)."""


def rewrite_dimensions(target: Target, settings: VectorDimensionSettings) -> None:
    """Gives columns the dimensions that the settings say, and the casts of them in indexes.

    Raises:
        SettingsError: a column cannot have so many dimensions.
    """
    default = target.home or target.default_schema
    for key, table in target.tables.items():
        for column in table.c:
            name, given = given_settings(settings, table.schema, table.name, column.name, default)
            if given.dimensions is None:
                continue
            keys = (NAME, "columns", name, "dimensions")
            old = of_model(column.type)
            assert old is not None  # or the settings would have been refused
            problem = None
            if given.dimensions > _MOST[old.kind]:
                problem = f"a {old.kind} has {_MOST[old.kind]:,} dimensions at most"
            elif old.dimensions != given.dimensions:
                type_ = with_dimensions(column.type, given.dimensions)
                if type_ is not None:
                    _change(target.editable(key), column.key, old, type_)
                    continue
                problem = (
                    f"its type {column.type!r} does not say where its dimensions come from. Change "
                    "them in the models"
                )
            if problem is not None:
                what = f'{NAME}.columns."{name}": dimensions = {given.dimensions}'
                raise SettingsError(f"{what}: {problem}", keys=keys)


def with_dimensions(type_: TypeEngine[Any], dimensions: int) -> TypeEngine[Any] | None:
    """A type with other dimensions, None where there is no telling what it has them from.

    Whatever attribute it has them in, what counts is what PostgreSQL is told.
    """
    old = of_model(type_)
    assert old is not None
    return next(
        (
            one
            for one in _attempts(type_, old, dimensions)
            if of_model(one) == VectorType(old.kind, dimensions, old.schema)
        ),
        None,
    )


def _attempts(
    type_: TypeEngine[Any], old: VectorType, dimensions: int
) -> Iterator[TypeEngine[Any]]:
    variant = type_._variant_mapping.get("postgresql")
    if variant is not None:
        changed = with_dimensions(variant, dimensions)
        if changed is not None:
            mapping = type_._variant_mapping.union({"postgresql": changed})
            yield _with(type_, "_variant_mapping", mapping)
        return
    if isinstance(type_, TypeDecorator):
        inner = of_model(type_.impl_instance)
        if inner is not None and inner.kind == old.kind:
            changed = with_dimensions(type_.impl_instance, dimensions)
            if changed is not None:
                yield _with(type_, "impl", changed)
    said = old.dimensions
    for name, value in vars(type_).items():
        # BIT() is BIT(1) to PostgreSQL.
        if (value is None and (said is None or old.kind == "bit")) or (
            type(value) is int and value == said
        ):
            yield _with(type_, name, dimensions)
    if isinstance(type_, TypeDecorator):
        yield _with(type_, "load_dialect_impl", _loading(type_, dimensions))


def _loading(type_: TypeDecorator[Any], dimensions: int) -> Callable[[Dialect], TypeEngine[Any]]:
    """What loads the type that a decorator makes up for each database."""

    def load(dialect: Dialect) -> TypeEngine[Any]:
        loaded = type_.load_dialect_impl(dialect)
        changed = with_dimensions(loaded, dimensions) if of_model(loaded) is not None else None
        return loaded if dialect.name != DIALECT.name or changed is None else changed

    return load


def _with(type_: TypeEngine[Any], name: str, value: object) -> TypeEngine[Any]:
    changed = copy(type_)
    for memoized in ("_static_cache_key", "impl_instance"):
        changed.__dict__.pop(memoized, None)
    setattr(changed, name, value)
    return changed


def _change(table: Table, key: str, old: VectorType, type_: TypeEngine[Any]) -> None:
    column = table.c[key]
    column.type = type_
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if list(casts(index, column, old.dimensions)):
            _recast(table, index, column, old)


def casts(index: Index, column: Column[Any], dimensions: int | None) -> Iterator[Cast[Any]]:
    """The casts in an index that say the dimensions of a column of its table."""
    if dimensions is None:
        return
    expressions: list[Any] = list(index.expressions)
    for expression in expressions:
        for element in iterate(expression):
            if not isinstance(element, Cast):
                continue
            if not any(one is column for one in iterate(element.clause)):
                continue
            type_ = of_model(element.type)
            if type_ is not None and type_.dimensions == dimensions:
                yield element


def _recast(table: Table, index: Index, column: Column[Any], old: VectorType) -> None:
    """The same index with casts to as many dimensions as its column has now."""
    new = of_model(column.type)
    assert new is not None and new.dimensions is not None
    dimensions = new.dimensions
    doomed = {id(one): one for one in casts(index, column, old.dimensions)}

    def replace(element: Any, **_: Any) -> Any:
        if id(element) not in doomed:
            return None
        changed = with_dimensions(element.type, dimensions)
        return None if changed is None else cast(element.clause, changed)

    expressions: list[Any] = list(index.expressions)
    expressions = [replacement_traverse(one, {}, replace) for one in expressions]
    table.indexes.discard(index)
    Index(
        index.name,
        *expressions,
        unique=index.unique,
        info=index.info,
        _table=table,
        **dict(index.dialect_kwargs),
    )
