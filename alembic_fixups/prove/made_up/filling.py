"""Fills one table after the other, by trying."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import psycopg

from alembic_fixups.prove.made_up.drawing import Disagreement, Draft, Drawing
from alembic_fixups.prove.made_up.model import Database, Rule, Table, Take
from alembic_fixups.prove.made_up.session import Session

_TRIES = 400
"""How often a row is drawn anew for the same reason before the table is given up."""

_TRIES_IN_ALL = 2000
"""The same for any reasons: a row has to fit many rules, and some of them pull both ways."""

_TRIES_WITH_EDGE = 20
"""How often the rest of a row is drawn anew before its one value at the edge has to go."""

_TRIES_IN_VAIN = 10
"""The same where the database says that it is not the values (SQLSTATE classes 0A, 42, 55)."""


@dataclass(frozen=True)
class Blame:
    """Why a row was refused.

    Attributes:
        rule: what refused it; None where that is not known.
        columns: which columns that is about; none where that is not known.
        said: the same for people.
        in_vain: whether other values will hardly help.
    """

    rule: Rule | None
    columns: tuple[str, ...]
    said: str
    in_vain: bool = False


def fill(
    session: Session,
    database: Database,
    drawing: Drawing,
    rows: int,
    went_in: Callable[[], object],
) -> tuple[int, str]:
    """Puts rows into a table, and calls *went_in* after each.

    Returns:
        How many, and why not as many as there should be.
    """
    if problem := drawing.hindrance():
        return 0, problem
    for number in range(rows):
        try:
            problem = _one(session, database, drawing, number)
        except Disagreement:
            problem = "no rows of the tables that it refers to belong together"
        if problem:
            return number, problem
        went_in()
    return rows, ""


def _one(session: Session, database: Database, drawing: Drawing, number: int) -> str:
    """Puts a row in; gives the reason where that cannot be done."""
    table = drawing.table
    draft = drawing.first(number)
    problem = ""
    refusals: Counter[str] = Counter()
    for attempt in range(_TRIES_IN_ALL):
        try:
            _number(session, table, draft)
            if session.insert(table, draft.row):
                drawing.went_in(draft)
                return ""
            blame = Blame(None, (), "a trigger or a rule lets its rows vanish")
        except psycopg.Error as error:
            if not error.sqlstate:
                raise  # not from the server: the connection is gone
            blame = _blame(database, table, draft, error, attempt)
        problem = blame.said
        refusals[blame.said] += 1
        if refusals[blame.said] == (_TRIES_IN_VAIN if blame.in_vain else _TRIES):
            break
        draft = drawing.again(draft, blame.rule, blame.columns)
    return problem


def _number(session: Session, table: Table, draft: Draft) -> None:
    """Gives a row that points to itself its number, which else the sequence gives."""
    for key in draft.own:
        for name, other in zip(key.columns, key.keys, strict=True):
            if draft.row[other] is Take.DEFAULT and table.column(other).numbered:
                draft.row[other] = session.next_value(table, table.column(other))
            draft.row[name] = draft.row[other]


def _blame(
    database: Database, table: Table, draft: Draft, error: psycopg.Error, attempt: int
) -> Blame:
    """What a refusal is about, by the fields that PostgreSQL gives with it (manual, 55.8)."""
    about = error.diag
    said = about.message_primary or str(error)
    whose = (about.schema_name or "", about.table_name or "")
    rule = _rule(table, whose, about.constraint_name, error.sqlstate or "")
    if rule is not None and rule.columns:
        named = f" ({rule.text})" if rule.kind == "check" else ""
        return Blame(rule, rule.columns, said + named)
    key = next((key for key in table.foreign_keys if key.name == about.constraint_name), None)
    if key is not None and whose[0] == key.schema:
        return Blame(None, key.columns, said)
    if about.column_name and whose == (table.schema, table.name):
        return Blame(None, (about.column_name,), said)
    if about.datatype_name:
        names = _columns_of_type(database, table, (about.schema_name, about.datatype_name))
        return Blame(None, tuple(names), said)
    in_vain = (error.sqlstate or "")[:2] in ("0A", "42", "55")
    suspects = {
        name: None
        for rule in table.rules
        if rule.kind in ("trigger", "generated")
        for name in rule.columns
        if name not in draft.edges
    }
    # Nobody knows: what is unusual goes first, but for a single value that has its turn.
    unusual = len(draft.edges) > 1 or (draft.edges and attempt >= _TRIES_WITH_EDGE)
    return Blame(None, () if unusual else tuple(suspects), said, in_vain)


def _rule(table: Table, whose: tuple[str, str], name: str | None, sqlstate: str) -> Rule | None:
    if not name and sqlstate != psycopg.errors.CheckViolation.sqlstate:
        return None
    # A row that no partition takes: the constraint has no name.
    return next(
        (rule for rule in table.rules if rule.table == whose and rule.name == (name or "")), None
    )


def _columns_of_type(
    database: Database, table: Table, wanted: tuple[str | None, str]
) -> Iterable[str]:
    """The columns whose values have a part of a type."""
    wanted_oids = {
        kind.oid for kind in database.types.values() if (kind.schema, kind.name) == wanted
    }
    return [
        column.name
        for column in table.columns
        if not wanted_oids.isdisjoint(_parts(database, column.type))
    ]


def _parts(database: Database, oid: int) -> Collection[int]:
    kind = database.types.get(oid)
    if kind is None:
        return ()
    inner = [kind.element, kind.base, kind.subtype, kind.range, *(one for one, _ in kind.fields)]
    return {oid, *(part for one in inner if one for part in _parts(database, one))}
