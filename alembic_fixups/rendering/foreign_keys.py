"""Steps that add, validate and drop a foreign key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast, get_args

from alembic_fixups.catalog import ForeignKey
from alembic_fixups.catalog.model import Action
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import TableName, Templates


def add(
    templates: Templates,
    table: TableName,
    key: ForeignKey,
    parent: TableName,
    what: str,
    *,
    replaced: Sequence[ForeignKey] = (),
    invalidated: bool = False,
    partitioned: bool = False,
) -> Step:
    """Adds *key* NOT VALID, so that only new rows are checked.

    Where a constraint of its name is there it has to be this one, or one of *replaced*, which is
    dropped in the same statement; with *invalidated* also this one if it is valid. A partitioned
    table cannot have it NOT VALID before PostgreSQL 18 and then gets it with its rows checked.
    """
    duration = (
        "; on this partitioned table, before PostgreSQL 18, while the rows are checked"
        if partitioned
        else " for a catalog change"
    )
    if invalidated:
        replaced = (key,)
    return templates.step(
        "common/add_foreign_key.sql.j2",
        what,
        f"SHARE ROW EXCLUSIVE on {table} and {parent}{duration}: writes wait.",
        table=table,
        name=key.name,
        definition=definition(key, parent),
        deparsed=deparsed(key, parent),
        columns=deparsed_columns(key, parent),
        constraint_comment=key.comment,
        not_valid=key.enforced,
        replaced=[deparsed(other, parent) for other in replaced],
        invalidated=invalidated,
        partitioned=partitioned,
    )


def validate(templates: Templates, table: TableName, key: ForeignKey, parent: TableName) -> Step:
    """Checks the rows that are there against a foreign key that is NOT VALID."""
    return templates.step(
        "common/validate_constraint.sql.j2",
        f"{table}: check the present rows against {key.name}.",
        f"SHARE UPDATE EXCLUSIVE on {table} and ROW SHARE on {parent} while the rows are read; "
        "reads and writes go on.",
        table=table,
        name=key.name,
        deparsed=deparsed(key, parent),
    )


def drop(
    templates: Templates, table: TableName, key: ForeignKey, parent: TableName, what: str
) -> Step:
    """Drops *key* where it is there with this very definition."""
    return templates.step(
        "common/drop_foreign_key.sql.j2",
        what,
        exclusive(table, parent),
        table=table,
        name=key.name,
        deparsed=deparsed(key, parent),
    )


def exclusive(table: TableName, parent: TableName) -> str:
    """What dropping a foreign key locks."""
    return f"ACCESS EXCLUSIVE on {table} and {parent} for a catalog change: reads and writes wait."


def referential_action(written: str | None) -> tuple[Action, tuple[str, ...]]:
    """An action as the models write it, with the columns in parentheses that it is limited to.

    Raises:
        ValueError: it is no referential action.
    """
    action, _, columns = (written or "NO ACTION").partition("(")
    action = " ".join(action.upper().split())
    if action not in get_args(Action):
        raise ValueError(f"no referential action: {written!r}")
    return cast(Action, action), tuple(
        quoted.replace('""', '"') if quoted else bare.lower()
        for quoted, bare in re.findall(r'"((?:[^"]|"")*)"|([^\s,()"]+)', columns)
    )


def definition(key: ForeignKey, parent: TableName) -> str:
    """What stands behind ``ADD CONSTRAINT name``, a line a clause."""
    lines = [
        f"FOREIGN KEY ({quoting.identifiers(key.columns)})",
        f"REFERENCES {parent.sql} ({quoting.identifiers(key.referred_columns)})",
    ]
    options = _actions(key)
    if key.set_columns:
        options += f" ({quoting.identifiers(key.set_columns)})"
    options += _timing(key)
    return "\n".join([*lines, options.strip()] if options else lines)


def deparsed(key: ForeignKey, parent: TableName) -> str:
    """An SQL expression for what ``pg_get_constraintdef()`` gives for it once it is valid.

    It leaves out the parent's schema where the search_path finds it without, exactly as the output
    of a ``regclass`` does; and it quotes as ``quote_ident()`` does, by the server's key words.
    """
    pieces = [*_columns(key, parent), _actions(key)]
    if key.set_columns:
        pieces += [" (", *_names(key.set_columns), ")"]
    return _concatenated([*pieces, _timing(key)])


def deparsed_columns(key: ForeignKey, parent: TableName) -> str:
    """The same without the options: every foreign key on these columns begins with it."""
    return _concatenated(_columns(key, parent))


class _Expression(str):
    """A part of the text that the server computes."""


def _columns(key: ForeignKey, parent: TableName) -> list[str | _Expression]:
    return [
        "FOREIGN KEY (",
        *_names(key.columns),
        ") REFERENCES ",
        _Expression(parent.oid),
        "(",
        *_names(key.referred_columns),
        ")",
    ]


def _concatenated(pieces: Sequence[str | _Expression]) -> str:
    terms: list[str] = []
    text = ""
    for piece in pieces:
        if isinstance(piece, _Expression):
            terms += [quoting.literal(text), piece]
            text = ""
        else:
            text += piece
    return "\n    || ".join([*terms, quoting.literal(text)])


def _names(names: tuple[str, ...]) -> list[str | _Expression]:
    pieces: list[str | _Expression] = []
    for name in names:
        pieces.append(", " if pieces else "")
        plain = quoting.is_plain(name)
        pieces.append(name if plain else _Expression(f"quote_ident({quoting.literal(name)})"))
    return pieces


def _actions(key: ForeignKey) -> str:
    text = " MATCH FULL" if key.match == "FULL" else ""
    if key.on_update != "NO ACTION":
        text += f" ON UPDATE {key.on_update}"
    if key.on_delete != "NO ACTION":
        text += f" ON DELETE {key.on_delete}"
    return text


def _timing(key: ForeignKey) -> str:
    text = " DEFERRABLE" if key.deferrable else ""
    if key.initially_deferred:
        text += " INITIALLY DEFERRED"
    return text if key.enforced else text + " NOT ENFORCED"
