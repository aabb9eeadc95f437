"""Vector indexes in the source of the models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from typing import cast as cast_to

import libcst as cst
from sqlalchemy import Column, Index, Table, cast
from sqlalchemy.sql.elements import ColumnClause, ColumnElement, TextClause
from sqlalchemy.sql.visitors import iterate

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Statement, Unclear
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import Names
from alembic_fixups.fixups.vector_dimension.dimensions import casts
from alembic_fixups.fixups.vector_dimension.index_rewrite import METHODS, method_of
from alembic_fixups.fixups.vector_dimension.numbers import Number, Wish, literals, value_of
from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.types import of_model
from alembic_fixups.target import TableKey

_BREAK = re.compile(r"\s*\n\s*")
_TYPE = r'(?:[\w"]+\.)?"?(?:vector|halfvec|sparsevec|bit)"?\s*\(\s*(\d+)\s*\)'


@dataclass(frozen=True)
class IndexPlace:
    """Where an index is written.

    Attributes:
        statement: the statement.
        names: what names mean there.
        call: the call of ``Index()``.
    """

    statement: Statement
    names: Names
    call: cst.Call


def place_of(models: Models, key: TableKey, name: str) -> IndexPlace:
    """Where an index of a table is written: in its class, its ``Table()``, or behind these.

    Raises:
        Unclear: it is not written there under its name.
    """
    table = models.table(key)
    statements = [] if table.block is None else list(table.block.statements)
    for statement in [*statements, *table.file.module_block.statements]:
        if statement.node is None or name.encode() not in statement.source.encode():
            continue
        for call in calls.calls_of(statement.tree, table.names, Index):
            if call.args and table.names.text(call.args[0].value) == name:
                return IndexPlace(statement, table.names, call)
    raise Unclear(f"the index {name} is not written here under its name", table.file, table.line)


def numbers_of(models: Models, wish: Wish) -> Iterator[tuple[str, int, Number]]:
    """The dimensions that casts of a column in indexes say, with the index and the how-manieth.

    Raises:
        Unclear: they are not written as such.
    """
    table = models.original(wish.key)
    column = next(one for one in table.c if one.name == wish.column)
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        count = len(list(casts(index, column, wish.old)))
        if count:
            found = numbers_in(models, wish, str(index.name))
            if len(found) != count:
                place = place_of(models, wish.key, str(index.name))
                raise place.statement.unclear(
                    f"the index {index.name} casts {wish.column} to {wish.old} dimensions, which "
                    f"are not written here as such; make it {wish.new} together with the column"
                )
            yield from ((str(index.name), n, one) for n, one in enumerate(found))


def numbers_in(models: Models, wish: Wish, index: str) -> list[Number]:
    """Those of one index; also those that have been changed already."""
    place = place_of(models, wish.key, index)
    return [
        one
        for one in literals(place.statement, place.names, None, place.call)
        if one.value is not None and value_of(one.value, place.names) in (wish.old, wish.new)
    ]


def refuse_texts(models: Models, wishes: Iterable[Wish]) -> None:
    """Notes indexes that say the dimensions that a column had, or others than it has, in a text."""
    old = {(one.key, one.column): one.old for one in wishes}
    for key, table in models.target.tables.items():
        for index in sorted(models.original(key).indexes, key=lambda one: str(one.name)):
            texts = list(_texts(index))
            for column in table.c if texts else ():
                type_ = of_model(column.type)
                new = None if type_ is None else type_.dimensions
                before = old.get((key, column.name))
                said = {one for text in texts for one in _said(text, column.name)}
                said |= {before for text in texts if before and _says(text, column.name, before)}
                if new is not None and said - {new}:
                    with models.change(NAME, f"index {index.name} on {key}.{column.name}"):
                        raise place_of(models, key, str(index.name)).statement.unclear(
                            f"it says {min(said - {new})} dimensions in a text: make them {new} "
                            "there"
                        )


def _said(text: str, column: str) -> Iterator[int]:
    """The dimensions that a text casts a column to."""
    name = rf'(?<![\w$])"?{re.escape(column)}"?'
    name = rf"(?:(?<![\w$])\(\s*{name}\s*\)|{name})"
    for pattern in (rf"{name}\s*::\s*{_TYPE}", rf"cast\s*\(\s*{name}\s+as\s+{_TYPE}"):
        yield from map(int, re.findall(pattern, text, re.IGNORECASE))


def _says(text: str, column: str, dimensions: int) -> bool:
    """Whether a text is about a column and has its dimensions somewhere."""
    named = re.search(rf"(?<![\w$]){re.escape(column)}(?![\w$])", text)
    return bool(named and re.search(rf"\(\s*{dimensions}\s*\)", text))


def _texts(index: Index) -> Iterator[str]:
    for expression in index.expressions:
        for element in iterate(cast_to(ColumnElement[Any], expression)):
            if isinstance(element, TextClause):
                yield element.text
            elif isinstance(element, ColumnClause) and element.is_literal:
                yield str(element.name)


def refuse_long(models: Models) -> None:
    """Notes the indexes that cannot be built as they are written, with what to write instead."""
    for key, table in models.target.tables.items():
        after = {one.name: one for one in table.indexes}
        for index in sorted(models.original(key).indexes, key=lambda one: str(one.name)):
            if method_of(index) not in METHODS or not _is_plain(index):
                continue
            now = after.get(index.name)
            if now is not None and _is_plain(now):
                continue
            with models.change(NAME, f"index {index.name} on {key}"):
                place = place_of(models, key, str(index.name))
                if now is None:
                    raise place.statement.unclear(_why(models, key, index))
                code = _over_halves(models, key, table, now, place)
                raise place.statement.unclear(
                    f"a vector of so many dimensions is indexed as halfvec; take it out here and "
                    f"write behind the table: {code}"
                )


def _is_plain(index: Index) -> bool:
    return len(index.expressions) == 1 and isinstance(index.expressions[0], Column)


def _why(models: Models, key: TableKey, index: Index) -> str:
    said = f"the index {index.name} on "
    return next(
        (
            one.message
            for one in models.target.findings
            if one.fixup == NAME and one.table == key and one.message.startswith(said)
        ),
        "it cannot be built; take it out",
    )


def _over_halves(models: Models, key: TableKey, table: Table, now: Index, place: IndexPlace) -> str:
    """The source of the index as it is in the desired schema."""
    from pgvector.sqlalchemy import HALFVEC

    file = place.statement.file
    [expression] = now.expressions
    elements = iterate(cast_to(ColumnElement[Any], expression))
    column = next(one for one in elements if isinstance(one, Column))
    type_ = of_model(column.type)
    assert type_ is not None
    cast_, halves = (
        name_for(file, cast, "sqlalchemy", "cast"),
        name_for(file, HALFVEC, "pgvector.sqlalchemy", "HALFVEC"),
    )
    value = f"{_column(models, key, column)}, {halves}({type_.dimensions})"
    label = calls.literal(str(column.name))
    given = [_BREAK.sub(" ", calls.code_of(place.call.args[0].value))]
    given.append(f"{cast_}({value}).label({label})")
    classes = now.dialect_options["postgresql"]["ops"] or {}
    for one in place.call.args:
        if one.keyword is not None and one.keyword.value != "postgresql_ops":
            given.append(f"{one.keyword.value}={_BREAK.sub(' ', calls.code_of(one.value))}")
    if classes:
        said = ", ".join(
            f"{calls.literal(name)}: {calls.literal(class_)}" for name, class_ in classes.items()
        )
        given.append(f"postgresql_ops={{{said}}}")
    return f"{calls.code_of(place.call.func)}({', '.join(given)})"


def _column(models: Models, key: TableKey, column: Column[Any]) -> str:
    """What the column is called behind its class or table."""
    original = models.original(key)
    own = next(one for one in original.c if one.name == column.name)
    place = models.table(key)
    if place.block is not None:
        for mapper in models.mappers_of(key):
            if own in mapper._columntoproperty:
                return f"{mapper.class_.__qualname__}.{mapper._columntoproperty[own].key}"
    name = next(iter(place.statement.names if place.statement else ()), original.name)
    return f"{name}.c.{own.key}"
