"""Expressions of many tables, tried on twins that these can share.

An expression can be about no column whose name is not in it, and means the same on every table
where the others have the same types: one twin with these alone does for all. A twin for each
of a thousand tables takes the server seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from alembic_fixups.rendering.quoting import identifier

Columns = tuple[tuple[str, str], ...]
"""Names of columns, in an order of their own, each with its type."""

Question = tuple[Columns, str]
"""An expression, after the columns that it can be about."""

_ROUNDS = 5
_TOGETHER = 100  # where one of them cannot be read, not too many are tried once more


def columns_named(columns: Iterable[tuple[str, str | None]], expression: str) -> Columns | None:
    """The columns that an expression can be about, and perhaps some more.

    Takes names and types; gives None where it may be about one whose type is not given, or names
    may be in it that are not spelled out (manual, 4.1.2.3).
    """
    folded = expression.casefold()
    if "u&" in folded:
        return None
    named = [
        (name, type_) for name, type_ in columns if name.replace('"', '""').casefold() in folded
    ]
    known = tuple(sorted((name, type_) for name, type_ in named if type_ is not None))
    return known if len(known) == len(named) else None


def meanings(
    connection: Connection, questions: Iterable[Question]
) -> dict[Question, tuple[str, str]]:
    """What the database writes for each at first, and what always from there on.

    Those that cannot be read so are not in it. Takes a connection on which
    ``alembic_fixups_written`` is defined, and sends it as many statements as the longest way from
    a question to its answer.
    """
    questions = list(questions)
    written: dict[Question, str | None] = {}
    asked = set(questions)
    for _ in range(_ROUNDS):
        written.update(_written(connection, sorted(asked)))
        asked = {
            (columns, answer) for (columns, _), answer in written.items() if answer is not None
        } - written.keys()
        if not asked:
            break
    found = {}
    for question in questions:
        columns, first = question[0], written[question]
        fixed, again = None, first
        while again is not None and again != fixed:
            fixed, again = again, written.get((columns, again))
        if first is not None and fixed is not None and again is not None:
            found[question] = first, fixed
    return found


def _written(
    connection: Connection, questions: Sequence[Question]
) -> Iterable[tuple[Question, str | None]]:
    batches: list[tuple[Columns, list[str]]] = []
    for columns, expression in questions:
        if not batches or batches[-1][0] != columns or len(batches[-1][1]) == _TOGETHER:
            batches.append((columns, []))
        batches[-1][1].append(expression)
    asked = [
        {
            "columns": ", ".join(f"{identifier(name)} {type_}" for name, type_ in columns),
            "expressions": expressions,
        }
        for columns, expressions in batches
    ]
    statement = text(
        "SELECT pg_temp.alembic_fixups_written(value ->> 'columns',"
        " ARRAY(SELECT jsonb_array_elements_text(value -> 'expressions')))"
        " FROM jsonb_array_elements(CAST(:asked AS jsonb)) WITH ORDINALITY ORDER BY ordinality"
    )
    answers = connection.execute(statement, {"asked": json.dumps(asked)}).scalars()
    for (columns, expressions), answer in zip(batches, answers, strict=True):
        for expression, one in zip(expressions, answer, strict=True):
            yield (columns, expression), one
