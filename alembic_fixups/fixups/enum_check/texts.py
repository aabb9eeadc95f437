"""SQL that the models have as texts."""

from __future__ import annotations

import libcst as cst
from sqlalchemy import Index

from alembic_fixups.codemods import calls, table_args
from alembic_fixups.codemods.files import Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import Names
from alembic_fixups.target import TableKey


def replace_text(models: Models, key: TableKey, old: str, new: str) -> None:
    """Puts one text in the place of another wherever a table's statements have it.

    Raises:
        Unclear: none has it as a text.
    """
    found = False
    for statement, names in _statements(models, key):
        for node in _texts(statement, names, old):
            found = True
            if isinstance(node, cst.SimpleString):
                made: cst.BaseExpression = calls.with_text(node, new)
            else:
                made = calls.expression(calls.literal(new))
            statement.tree = calls.replaced(statement.tree, node, made)
        # A mixin's may have been changed by way of another of its classes.
        found = found or bool(_texts(statement, names, new))
    if not found:
        place = models.table(key)
        raise Unclear(
            f"{old!r} is not written here as a text; it has to be {new!r}", place.file, place.line
        )


def _statements(models: Models, key: TableKey) -> list[tuple[Statement, Names]]:
    """The statements that a table is made of, and the indexes beside it."""
    place = models.table(key)
    found: dict[int, tuple[Statement, Names]] = {}

    def add(statement: Statement | None, names: Names) -> None:
        if statement is not None:
            found.setdefault(id(statement), (statement, names))

    add(place.statement, place.names)
    for mapper in models.mappers_of(key):
        given = models.attribute(mapper.class_, table_args.NAME)
        if given is not None:
            add(given[2], Names(given[1].file.module))
    for column in models.original(key).c:
        try:
            written = models.column(key, column.name)
        except Unclear:
            continue  # whatever is in it is not found, and said then
        add(written.statement, written.names)
    for statement in place.file.module_block.statements:
        if b"Index" in statement.source.encode() and calls.calls_of(
            statement.tree, place.names, Index
        ):
            is_table = "Table" in statement.source
            if not is_table:
                add(statement, place.names)
    return list(found.values())


def _texts(statement: Statement, names: Names, wanted: str) -> list[cst.BaseExpression]:
    found: list[cst.BaseExpression] = []

    class Finder(cst.CSTVisitor):
        def visit_SimpleString(self, node: cst.SimpleString) -> None:
            if names.text(node) == wanted:
                found.append(node)

        def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
            if names.text(node) == wanted:
                found.append(node)
                return False
            return True

    statement.tree.visit(Finder())
    return found
