"""How a CHECK has to be written so that the downgrade brings it back to the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from alembic_fixups.catalog import Check
from alembic_fixups.fixups.check_constraints.holders import Holder
from alembic_fixups.fixups.check_constraints.meaning import Reader
from alembic_fixups.inspection import Inspection
from alembic_fixups.run import Run

_TOKEN = re.compile(r"E?'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^'\"]+?(?=E?['\"]|$)", re.DOTALL)
_CAST_ARRAY = re.compile(r"::([a-z][a-z ]*)((?:\(\d+(?:,\d+)?\))?)\]\)::([a-z][a-z ]*)\[\]")


@dataclass(frozen=True)
class Source:
    """An expression of the database that can be put into a CHECK again.

    Attributes:
        original: for columns of the types that they have.
        retyped: for columns of the types that the models give them.
        survives: whether the CHECK can stay while the columns change their types.
    """

    original: str
    retyped: str
    survives: bool


def sources(asked: Sequence[tuple[Holder, Check]], reader: Reader, run: Run) -> dict[int, Source]:
    """What to write for each check, by its OID; names have their schemas."""
    qualified = reader.qualified(check.oid for _, check in asked)
    # What PostgreSQL writes may read otherwise when it is parsed again. Of the ways to write it
    # the first is taken that comes out as it is.
    found = reader.meanings(
        [
            (holder.present, [qualified[check.oid], with_array_type(qualified[check.oid])])
            for holder, check in asked
        ]
    )
    planned = reader.meanings(
        [(holder.planned, [run.retyped(qualified[check.oid])]) for holder, check in asked]
    )
    result: dict[int, Source] = {}
    for (_, check), tried, [after] in zip(asked, found, planned, strict=True):
        text = qualified[check.oid]
        exact = next((way.source for way in tried if way.first == text), text)
        retyped = run.retyped(exact)
        result[check.oid] = Source(
            _after_moves(exact, run), _after_moves(retyped, run), after.fixed is not None
        )
    return result


def with_array_type(expression: str) -> str:
    """The same with the type of every array that is cast written out.

    A list on a varchar column reads ``(ARRAY['a'::character varying])::text[]``. Parsed again the
    cast goes to the elements, unless there is another one between.
    """
    return "".join(
        token
        if token[0] in "'\"" or token.startswith("E'")
        else _CAST_ARRAY.sub(r"::\1\2]::\1[])::\3[]", token)
        for token in _TOKEN.findall(expression)
    )


def _after_moves(expression: str, run: Run) -> str:
    """With the types that the migration moves where the downgrade will find them."""
    inspector = run.context.inspector
    if isinstance(inspector, Inspection):
        return inspector.after_moves(expression, expression)
    return expression
