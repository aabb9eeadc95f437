"""Foreign keys that go in a circle: rows without them first, then these are filled in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from alembic_fixups.prove.made_up.model import Database, ForeignKey
from alembic_fixups.prove.made_up.parents import Parents
from alembic_fixups.prove.made_up.session import Session

_TRIES = 20


class Unlinked(Exception):
    """Rows cannot get the parents that they need; the message says why."""


@contextmanager
def unchecked(session: Session, keys: Sequence[ForeignKey]) -> Iterator[None]:
    """Lets rows in that break some foreign keys of a table.

    Where all of them are deferrable they stay unchecked until `checked`; else no trigger of any
    kind fires meanwhile.

    Raises:
        Unlinked: the role is not allowed to do that.
    """
    if all(key.deferrable for key in keys):
        for key in keys:
            name = sql.Identifier(key.schema, key.name)
            session.run(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(name))
        yield
        return
    setting = sql.SQL("SET LOCAL session_replication_role = {}")
    _, [(before,)] = session.run(sql.SQL("SHOW session_replication_role"))
    try:
        session.run(setting.format(sql.Literal("replica")))
    except psycopg.errors.InsufficientPrivilege as error:
        names = ", ".join(key.name for key in keys)
        raise Unlinked(
            f"foreign keys go in a circle without one that can be NULL or deferred ({names}); "
            "only a superuser can put rows in"
        ) from error
    yield
    session.run(setting.format(sql.Literal(before)))


def checked(session: Session) -> None:
    """Has the database check what was deferred.

    Raises:
        Unlinked: something is wrong.
    """
    try:
        session.run(sql.SQL("SET CONSTRAINTS ALL IMMEDIATE"))
    except psycopg.Error as error:
        raise Unlinked(error.diag.message_primary or str(error)) from error


def link(
    session: Session,
    database: Database,
    key: ForeignKey,
    parents: Parents,
    chance: random.Random,
    *,
    needed: bool,
) -> None:
    """Gives the rows of a table their parents by one foreign key, but for a few if it can be NULL.

    Raises:
        Unlinked: a row that needs a parent cannot get one.
    """
    table = database.tables[key.table]
    others = {name for other in table.foreign_keys if other != key for name in other.columns}
    columns = list(
        dict.fromkeys(
            [
                *(name for one in table.foreign_keys for name in one.columns),
                *parents.shared(table.sql),
            ]
        )
    )
    for number, (within, place, row) in enumerate(session.places(table, columns)):
        if not needed and (number == 0 or chance.random() < 0.1):
            continue
        fixed = [name for name in key.columns if name in others and row[name] is not None]
        settled = parents.about(table.sql, row, fixed)
        why = "no row agrees"
        for _ in range(_TRIES):
            choice = parents.choose(table.sql, [key], spread=1, settled=settled)
            if choice is None:
                continue
            try:
                if session.update(table, within, place, choice.columns):
                    break
                why = "the row was moved or kept by a trigger"
            except psycopg.Error as error:
                if not error.sqlstate:
                    raise
                why = error.diag.message_primary or str(error)
        else:
            if needed:
                raise Unlinked(f"{key.name}: {why}")
