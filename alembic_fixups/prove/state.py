"""A database as it was at one moment, and what has become different since."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import dump, proof, rows
from alembic_fixups.squash.proof import State, Volatile
from alembic_fixups.squash.rows import TableRows

_TABLE = re.compile(r"(CREATE TABLE [^\n]* \(\n)(.*?)(\n\)[^\n]*;\n)", re.DOTALL)
_STATISTICS = re.compile(r"(CREATE STATISTICS \S+ (?:\([^)]*\) )?ON )(.*)( FROM)")


@dataclass(frozen=True)
class Moment:
    """A database at one moment.

    Attributes:
        url: the database; it has to stay as it is for as long as anything is compared with it.
        state: its schema in the words of ``pg_dump``, its rows, its sequences.
    """

    url: URL
    state: State


@dataclass(frozen=True)
class Comparison:
    """What differs between two moments.

    Attributes:
        differences: lines of a diff; none where they are equal.
        notes: what differs and does no harm.
    """

    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def take(server: Server, url: URL) -> Moment:
    """Reads a scratch database.

    Raises:
        ProjectError: it cannot be dumped.
    """
    schema = dump.schema(url, dump.tools(server))
    with scratch.connect(url) as connection:
        tables = {str(table): table for table in rows.read(connection)}
        positions = {f"{at.schema}.{at.name}": at for at in rows.positions(connection)}
    return Moment(url, State(schema, tables, positions, ()))


def compare(
    server: Server,
    expected: Moment,
    found: Moment,
    names: tuple[str, str],
    volatile: Sequence[Volatile] = (),
) -> Comparison:
    """What differs between two moments.

    Args:
        server: where the two databases are.
        expected: how it ought to be.
        found: how it is.
        names: what the two are called in the diff.
        volatile: values that are not compared.

    Raises:
        ProjectError: a database cannot be dumped, or its dump not restored.
    """
    one, other = _with_common_columns(expected.state, found.state)
    if one.schema != other.schema:
        # The same CHECK may stand there in two spellings; that of a copy is always one.
        bindir = dump.tools(server)
        one, other = (
            replace(state, schema=dump.canonical(server, moment.url, bindir))
            for state, moment in ((one, expected), (other, found))
        )
    differences = proof.differences(one, other, volatile, names)
    if not differences:
        return Comparison()
    notes = []
    one, other = _in_one_order(one), _in_one_order(other)
    if len(found_now := proof.differences(one, other, volatile, names)) < len(differences):
        notes.append("Columns stand in another order.")
        differences = found_now
    moved = sorted(
        name
        for name in one.positions.keys() & other.positions.keys()
        if one.positions[name] != other.positions[name]
    )
    if moved:
        notes.append(f"Sequences stand elsewhere: {', '.join(moved)}.")
        other = replace(other, positions={**other.positions, **_of(one, moved)})
        differences = proof.differences(one, other, volatile, names)
    return Comparison(tuple(differences), tuple(notes))


def _with_common_columns(one: State, other: State) -> tuple[State, State]:
    """The states with the columns that both have: the schemas say it where one is missing."""
    common = {
        name: frozenset(one.tables[name].columns) & frozenset(other.tables[name].columns)
        for name in one.tables.keys() & other.tables.keys()
    }

    def kept(state: State) -> State:
        tables = {
            name: _only(table, common[name]) if name in common else table
            for name, table in state.tables.items()
        }
        return replace(state, tables=tables)

    return kept(one), kept(other)


def _only(table: TableRows, columns: frozenset[str]) -> TableRows:
    if len(table.columns) == len(columns):
        return table
    order = [number for number, column in enumerate(table.columns) if column in columns]
    return _in_order(table, order)


def _of(state: State, names: Sequence[str]) -> dict[str, rows.Position]:
    return {name: state.positions[name] for name in names}


def _in_one_order(state: State) -> State:
    """The state with the columns of each table sorted: a column that comes again comes last."""
    return replace(
        state,
        schema=sorted_columns(state.schema),
        tables={name: _sorted_values(table) for name, table in state.tables.items()},
    )


def sorted_columns(schema: str) -> str:
    """What ``pg_dump`` says, with the columns of each table in the order of their names."""

    def table(found: re.Match[str]) -> str:
        # A column's definition may have several lines: those inside parentheses.
        parts = re.split(r",\n(?=    \S)", found[2])
        return found[1] + ",\n".join(sorted(parts)) + found[3]

    def statistics(found: re.Match[str]) -> str:
        return found[1] + ", ".join(sorted(found[2].split(", "))) + found[3]

    return _STATISTICS.sub(statistics, _TABLE.sub(table, schema))


def _sorted_values(table: TableRows) -> TableRows:
    order = sorted(range(len(table.columns)), key=lambda number: table.columns[number])
    return _in_order(table, order)


def _in_order(table: TableRows, order: Sequence[int]) -> TableRows:
    return replace(
        table,
        columns=tuple(table.columns[number] for number in order),
        rows=tuple(tuple(row[number] for number in order) for row in table.rows),
    )
