"""SQL expressions whose casts to one type become casts to another, and those of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import CheckConstraint, Column, Computed, DefaultClause, Table, TextClause
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.exc import CompileError

from alembic_fixups.catalog import Name
from alembic_fixups.rendering.quoting import is_plain
from alembic_fixups.stock.constraints import DIALECT

_PART = r'(?:[uU]&"(?:[^"]|"")*"|"(?:[^"]|"")*"|[^\W\d][\w$]*)'
_TOKEN = re.compile(
    rf"""
    (?P<space> \s+ | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<constant>
        [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
        | (?:[uU]&)?'(?:[^']|'')*(?:'|\Z)
        | (?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=tag)|\Z)
        | \d[\w.]*
      )
    | (?P<name> {_PART}(?:\s*\.\s*{_PART})* )
    | (?P<cast> ::|\\:\\: )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
"""The words of SQL (manual, 4.1), as far as a cast can be told from what only looks like one."""

_COMMENT_MARK = re.compile(r"/\*|\*/")
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")
_ESCAPED = re.compile(r"\\(?:([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6})|(\\))")


def retyped(expression: str, names: Mapping[Name, bool], to: str = "text") -> str:
    """*expression* with every cast to one of the types *names* made a cast to *to*.

    Takes schema and name of the types, each with whether its name without the schema means it too.
    ``'a'::mood``, ``CAST(a AS public."Mood")`` and arrays of them (``'{a}'::mood[]``, which stays
    an array) are casts; what stands in a constant, a comment or an identifier is none. As
    SQLAlchemy's ``text()`` has it, a cast may be written ``\\:\\:``.
    """
    result: list[str] = []
    parens: list[bool] = []  # for each that is open, whether CAST stands before it
    word, type_follows, place = "", False, 0
    while place < len(expression):
        token = _TOKEN.match(expression, place)
        assert token is not None  # every character is a token at least
        text, end = token[0], token.end()
        if token["comment"] is not None:
            end = _end_of_comment(expression, place)
            text = expression[place:end]
        elif token["space"] is None:
            name = token["name"]
            if name is not None and type_follows and _means(name, names):
                text = to
            if text == "(":
                parens.append(word == "cast")
            elif text == ")" and parens:
                parens.pop()
            word = name.lower() if name is not None else ""
            within_cast = bool(parens) and parens[-1]
            type_follows = token["cast"] is not None or (within_cast and word == "as")
        result.append(text)
        place = end
    return "".join(result)


def may_cast(expression: str) -> bool:
    """Whether there can be a cast in an expression at all, as `retyped` has it."""
    return "::" in expression or r"\:\:" in expression or "cast" in expression.lower()


def _end_of_comment(expression: str, start: int) -> int:
    """Where the comment that begins at *start* ends; comments can hold comments."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(expression, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(expression)


def _means(written: str, names: Mapping[Name, bool]) -> bool:
    """Whether a name, as it is written, is that of one of the types."""
    parts = re.findall(_PART, written)
    if len(parts) == 1:
        # An unquoted key word is a type of PostgreSQL's own, such as "character varying".
        if parts[0][-1] != '"' and not is_plain(parts[0].lower()):
            return False
        return any(bare and name == _plain(parts[0]) for (_, name), bare in names.items())
    return len(parts) == 2 and (_plain(parts[0]), _plain(parts[1])) in names


def _plain(part: str) -> str:
    """An identifier as the catalog has it."""
    if part[-1] != '"':
        return part.lower()
    if part[0] == '"':
        return part[1:-1].replace('""', '"')
    return _ESCAPED.sub(
        lambda found: found[3] or chr(int(found[1] or found[2], 16)),
        part[3:-1].replace('""', '"'),
    )


Place = tuple[Any, str | None, Callable[[TextClause], None]]
"""An expression of the models, the key of the column whose default it is, and what puts another."""


def expressions(table: Table) -> Iterator[Place]:
    """The SQL in a table that can be edited: defaults, generated columns, checks, indexes."""
    for column in table.c:
        default = column.server_default
        if isinstance(default, Computed):
            yield default.sqltext, None, partial(setattr, default, "sqltext")
        elif isinstance(default, DefaultClause) and not isinstance(default.arg, str):
            yield default.arg, column.key, partial(_put_default, column)
    columns = (constraint for column in table.c for constraint in column.constraints)
    for constraint in [*table.constraints, *columns]:
        if isinstance(constraint, CheckConstraint) and not constraint._type_bound:
            yield constraint.sqltext, None, partial(setattr, constraint, "sqltext")
        elif isinstance(constraint, ExcludeConstraint):
            if constraint.where is not None:
                yield constraint.where, None, partial(setattr, constraint, "where")
            elements: Any = constraint._render_exprs
            for number, element in enumerate(elements):
                yield element[0], None, partial(_put_element, elements, number)
    for index in table.indexes:
        options = index.dialect_options["postgresql"]
        if options["where"] is not None:
            yield options["where"], None, partial(options.__setitem__, "where")
        parts: Any = index.expressions
        for number, part in enumerate(parts):
            yield part, None, partial(parts.__setitem__, number)


def sql_of(expression: Any) -> str | None:
    """An expression as ``text()`` takes it, None for what is a column or cannot be written."""
    if isinstance(expression, Column):
        return None
    if isinstance(expression, str):
        return expression
    if isinstance(expression, TextClause):
        return expression.text
    try:
        compiled = expression.compile(
            dialect=DIALECT, compile_kwargs={"literal_binds": True, "include_table": False}
        )
    except CompileError:
        return None
    return _PARAMETER.sub(r"\:", str(compiled))


def _put_default(column: Column[Any], expression: TextClause) -> None:
    column.server_default = DefaultClause(expression)


def _put_element(elements: Any, number: int, expression: TextClause) -> None:
    elements[number] = (expression, *elements[number][1:])
