"""One constant for the dimensions that a model writes out several times."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import count

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import File, Statement, Unclear, parsed
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import MISSING, Names
from alembic_fixups.codemods.places import TablePlace
from alembic_fixups.fixups.vector_dimension.constants import origin
from alembic_fixups.fixups.vector_dimension.index_source import place_of
from alembic_fixups.fixups.vector_dimension.numbers import Number, literals, written
from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.types import of_model
from alembic_fixups.target import TableKey

_NAME = "EMBEDDING_DIMENSIONS"


def introduce(models: Models) -> None:
    """Puts a constant in the place of numbers that a model writes out more than once.

    These are the dimensions of its vector columns, and of what is cast in its class and its
    indexes. A constant of that number that the model uses already is taken for the others too.
    """
    for key in models.target.tables:
        columns = _columns(models, key)
        if not columns or not _may_change(models, key):
            continue
        place = models.table(key)
        statements = _statements(models, key, place)
        for number in _repeated(place, statements):
            if number in columns:
                with models.change(NAME, f"one constant for the {number} dimensions of {key}"):
                    name = _known(models, place, statements, number)
                    if name is None:
                        name = _free(place, columns, number)
                        _insert(place, f"{name} = {number}")
                    _gather(place, statements, number, name)


def _columns(models: Models, key: TableKey) -> dict[int, str]:
    """The dimensions of a table's vector columns, with the first column that has them."""
    found: dict[int, str] = {}
    for column in models.target.table(key).c:
        type_ = of_model(column.type)
        if type_ is not None and type_.dimensions is not None:
            found.setdefault(type_.dimensions, column.name)
    return found


def _may_change(models: Models, key: TableKey) -> bool:
    """Whether the table is written in a file of the project's that may be changed."""
    try:
        return models.table(key).file.locked is None
    except Unclear:
        return False


def _statements(models: Models, key: TableKey, place: TablePlace) -> list[Statement]:
    """The statements that a model is written in, with those of its indexes behind it."""
    found = [place.statement] if place.block is None else place.block.statements
    statements = [one for one in found if one is not None]
    for index in sorted(models.original(key).indexes, key=lambda one: str(one.name)):
        try:
            statement = place_of(models, key, str(index.name)).statement
        except Unclear:
            continue
        if statement not in statements:
            statements.append(statement)
    return [one for one in statements if not one.is_gone]


def _numbers(place: TablePlace, statements: list[Statement]) -> Iterator[tuple[Number, int]]:
    """The dimensions that are written out."""
    for statement in statements:
        for one in literals(statement, place.names, place.block, statement.tree):
            number = None if one.value is None else written(one.value)
            if number is not None:
                yield one, number


def _repeated(place: TablePlace, statements: list[Statement]) -> list[int]:
    counts: dict[int, int] = defaultdict(int)
    for _, number in _numbers(place, statements):
        counts[number] += 1
    return sorted(number for number, times in counts.items() if times > 1)


def _known(
    models: Models, place: TablePlace, statements: list[Statement], number: int
) -> str | None:
    """The name that the model has for a number, None where it has none that can be seen all over.

    One in a class is not seen in its functions.
    """
    for statement in statements:
        for one in literals(statement, place.names, place.block, statement.tree):
            found = None if one.name is None else origin(models, one.name, place.file, place.block)
            if found is None or found.value is None or found.block is place.block:
                continue
            if written(found.value) == number:
                return one.name
    return None


def _gather(place: TablePlace, statements: list[Statement], number: int, name: str) -> None:
    for _ in range(len(list(_numbers(place, statements)))):
        found = [one for one, known in _numbers(place, statements) if known == number]
        if found:  # one after the other: a change makes the nodes around it anew
            found[0].put(calls.expression(name))


def _free(place: TablePlace, columns: dict[int, str], number: int) -> str:
    """A name that the file has not."""
    own = place.block.name if place.block is not None else place.table.name
    names = [f"{_upper(columns[number])}_DIMENSIONS"] if len(columns) > 1 else []
    names += [_NAME, f"{_upper(own)}_{_NAME}"]
    names += [] if len(columns) > 1 else [f"{_upper(own)}_{_upper(columns[number])}_DIMENSIONS"]
    text = place.file.text
    numbered = (f"{names[-1]}_{n}" for n in count(2))
    return next(
        name
        for source in (names, numbered)
        for name in source
        if Names(place.file.module).value(name) is MISSING and not re.search(rf"\b{name}\b", text)
    )


def _upper(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+", "_", words).upper().strip("_")


def _insert(place: TablePlace, code: str) -> None:
    """A new statement above the model.

    Raises:
        Unclear: the model is not written in the module's body.
    """
    file = place.file
    top = next((one for one in file.tree.body if one.lineno <= place.line <= _last(one)), None)
    if top is None or (place.block is not None and not isinstance(top, ast.ClassDef)):
        raise Unclear("the model is inside of something, so no constant is put above it", file)
    first = min([top.lineno, *(one.lineno for one in getattr(top, "decorator_list", ()))])
    while first > 1 and _line(file, first - 1).startswith(b"#"):
        first -= 1
    above = first - 1
    while above > 1 and not _line(file, above).strip():
        above -= 1
    if above < 1:
        raise Unclear("nothing stands above the model", file)
    offset = file.lines[above - 1] + len(_line(file, above).rstrip(b"\r\n"))
    before = [one for one in file.tree.body if _last(one) <= above]
    is_definition = bool(before) and isinstance(before[-1], ast.ClassDef | ast.FunctionDef)
    lead = "\n\n\n" if is_definition else "\n\n"  # as black has it
    if any(one.start == offset and one.node is None for one in file.touched.values()):
        lead = "\n"  # another constant of the same model
    tree = parsed(code, file.newline)
    made = Statement(file, offset, offset, None, first, "", tree, gap=lead)
    file.note(made, lambda: file.touched.__delitem__(id(made)))


def _line(file: File, number: int) -> bytes:
    """A line with its end, counted from 1."""
    return file.data[slice(*(file.lines[number - 1 : number + 1]))]


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
