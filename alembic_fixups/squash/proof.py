"""Whether two databases are the same: schema, rows, positions of sequences.

Two replays of one chain tell what changes from run to run by itself, such as now() and random
ids. That is left out where the snapshot is compared, and reported.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import dump, rows, surroundings
from alembic_fixups.squash.rows import Position, Row, TableRows
from alembic_fixups.squash.servers import REPLAYER, SECOND_REPLAYER

_NO_TABLE = TableRows("", "", (), ())
_SHOWN = 20
"""Rows of a table that a difference shows at most."""


@dataclass(frozen=True)
class State:
    """A database as it is compared.

    Attributes:
        schema: ``pg_dump --schema-only`` of its copy.
        tables: the rows, by table.
        positions: the sequences, by name.
        roles: what is said of the server's roles.
    """

    schema: str
    tables: Mapping[str, TableRows]
    positions: Mapping[str, Position]
    roles: Sequence[str]


@dataclass(frozen=True, order=True)
class Volatile:
    """Values that differ between two replays of the same revisions.

    Attributes:
        table: the table, or the sequence.
        columns: the columns; none for a sequence.
        rows: how many rows the table has.
    """

    table: str
    columns: tuple[str, ...]
    rows: int

    def __str__(self) -> str:
        if not self.columns:
            return f"{self.table}: the position of the sequence"
        rows = f"{self.rows} row{'s' if self.rows != 1 else ''}"
        return f"{self.table}: {', '.join(self.columns)} ({rows})"


def state(server: Server, url: URL) -> State:
    """Reads a scratch database.

    Raises:
        ProjectError: it cannot be dumped, or its dump not restored.
    """
    schema = dump.canonical(server, url, dump.tools(server))
    with scratch.connect(url) as connection:
        tables = {str(table): table for table in rows.read(connection)}
        positions = {f"{at.schema}.{at.name}": at for at in rows.positions(connection)}
        roles = [str(said) for said in surroundings.said_of_roles(connection)]
    # Whoever replays a second time has another name, which means nothing but in a row.
    return State(
        schema.replace(SECOND_REPLAYER, REPLAYER),
        tables,
        positions,
        sorted(said.replace(SECOND_REPLAYER, REPLAYER) for said in roles),
    )


def volatile(one: State, other: State) -> list[Volatile]:
    """What differs in the rows of two replays of the same chain, column by column.

    Tables with different numbers of rows are not among it: that no column explains.
    """
    found = [
        Volatile(name, columns, len(table.rows))
        for name, table in one.tables.items()
        if name in other.tables and (columns := _volatile_columns(table, other.tables[name]))
    ]
    found += [
        Volatile(name, (), 0)
        for name, position in one.positions.items()
        if name in other.positions and position != other.positions[name]
    ]
    return sorted(found)


def _volatile_columns(one: TableRows, other: TableRows) -> tuple[str, ...]:
    if one.columns != other.columns or len(one.rows) != len(other.rows):
        return ()
    by_itself = tuple(
        column
        for number, column in enumerate(one.columns)
        if Counter(row[number] for row in one.rows) != Counter(row[number] for row in other.rows)
    )
    rest = [number for number, column in enumerate(one.columns) if column not in by_itself]
    if _masked(one, rest) == _masked(other, rest):
        return by_itself
    # The values are the same, but in other rows, as where a shuffled list is numbered.
    moved = {
        number
        for mine, theirs in zip(_sorted_rows(one, rest), _sorted_rows(other, rest), strict=True)
        for number, (left, right) in zip(rest, zip(mine, theirs, strict=True), strict=True)
        if left != right
    }
    return tuple(
        column
        for number, column in enumerate(one.columns)
        if number in moved or column in by_itself
    )


def _sorted_rows(table: TableRows, columns: Sequence[int]) -> list[Row]:
    """The values of some columns, row by row, NULL before all else."""
    kept = (tuple(row[number] for number in columns) for row in table.rows)
    return sorted(kept, key=lambda row: [(value is not None, value or "") for value in row])


def _masked(table: TableRows, columns: Sequence[int]) -> Counter[Row]:
    return Counter(tuple(row[number] for number in columns) for row in table.rows)


OLD, AGAIN, NEW = "the revisions", "the revisions, again", "with the snapshot"
NAMES = (OLD, NEW)
"""What the two sides of a difference are called."""


def differences(
    old: State, new: State, ignored: Sequence[Volatile] = (), names: tuple[str, str] = NAMES
) -> list[str]:
    """A unified diff of all that is not the same; empty where everything is.

    Takes the values that are not compared, and what the two are called.
    """
    found = _diff("schema", names, old.schema.splitlines(), new.schema.splitlines())
    columns = {one.table: one.columns for one in ignored}
    for name in sorted({*old.tables, *new.tables}):
        mine, theirs = (
            _shown(side.tables.get(name, _NO_TABLE), columns.get(name, ())) for side in (old, new)
        )
        found += _diff(f"rows of {name}", names, mine, theirs)
    found += _diff("roles", names, list(old.roles), list(new.roles))
    mine, theirs = (_positions(side, columns) for side in (old, new))
    return found + _diff("positions of sequences", names, mine, theirs)


def autogenerate_differences(old: str, new: str) -> list[str]:
    """A unified diff of what autogenerate writes for each; empty where it is the same.

    In any order: Alembic keeps names in sets, whose order changes from one process to the next.
    """
    return _diff("autogenerate", NAMES, sorted(old.splitlines()), sorted(new.splitlines()))


def _positions(side: State, without: Container[str]) -> list[str]:
    return [
        f"{name}: {position.value}, {'called' if position.called else 'not called'}"
        for name, position in sorted(side.positions.items())
        if name not in without
    ]


def _shown(table: TableRows, without: Sequence[str]) -> list[str]:
    kept = [number for number, column in enumerate(table.columns) if column not in without]
    return [
        ", ".join(
            f"{table.columns[number]}={'NULL' if value is None else value!r}"
            for number, value in zip(kept, row, strict=True)
        )
        for row in _sorted_rows(table, kept)
    ]


def _diff(what: str, names: tuple[str, str], old: list[str], new: list[str]) -> list[str]:
    if old == new:
        return []
    one, other = (f"{what}, {name}" for name in names)
    lines = list(difflib.unified_diff(old, new, one, other, lineterm=""))
    limit = 2 * _SHOWN if what.startswith("rows of") else len(lines)
    more = [f"... and {len(lines) - limit} lines more"] if len(lines) > limit else []
    return [*lines[:limit], *more]
