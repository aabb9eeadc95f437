"""A database as it was at one moment, and what has become different since."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import dump, proof, rows
from alembic_fixups.squash.proof import State, Volatile
from alembic_fixups.squash.rows import TableRows

_TABLE = re.compile(r"(CREATE TABLE [^\n]* \(\n)(.*?)(\n\)[^\n]*;\n)", re.DOTALL)
_BESIDES = Path(__file__).with_name("besides.sql").read_text(encoding="utf-8")
_NUMBERED = Path(__file__).with_name("numbered.sql").read_text(encoding="utf-8")
_STATISTICS = re.compile(r"(CREATE STATISTICS \S+ (?:\([^)]*\) )?ON )(.*)( FROM)")


@dataclass(frozen=True)
class Moment:
    """A database at one moment.

    Attributes:
        url: the database; it has to stay as it is for as long as anything is compared with it.
        state: its schema in the words of ``pg_dump``, its rows, its sequences.
        besides: what ``pg_dump`` does not say of the schema.
        numbered: by table, the columns that a sequence numbers, or that refer to such ones.
    """

    url: URL
    state: State
    besides: str
    numbered: Mapping[str, frozenset[str]]


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
        besides = "\n".join(said for (said,) in connection.execute(_BESIDES.encode()))
        numbered: dict[str, frozenset[str]] = {}
        for table, column in connection.execute(_NUMBERED.encode()):
            numbered[table] = numbered.get(table, frozenset()) | {column}
    return Moment(url, State(schema, tables, positions, ()), besides, numbered)


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
    one, other = (_masked(moment.state, volatile) for moment in (expected, found))
    one, other = _with_common_columns(one, other)
    if one.schema != other.schema:
        # The same CHECK may stand there in two spellings; that of a copy is always one.
        bindir = dump.tools(server)
        one, other = (
            replace(state, schema=dump.canonical(server, moment.url, bindir))
            for state, moment in ((one, expected), (other, found))
        )
    one, other = (
        replace(state, schema=f"{state.schema}\n{moment.besides}")
        for state, moment in ((one, expected), (other, found))
    )
    # Positions of sequences by themselves: the same values are not compared for two reasons.
    ignored = [each for each in volatile if not each.columns]
    differences = proof.differences(one, other, ignored, names)
    if not differences:
        return Comparison()
    notes = []
    one, other = _in_one_order(one), _in_one_order(other)
    if len(found_now := proof.differences(one, other, ignored, names)) < len(differences):
        notes.append("Columns stand in another order.")
        differences = found_now
    moved = sorted(
        name
        for name in one.positions.keys() & other.positions.keys()
        if _has_gone_on(one.positions[name], other.positions[name])
    )
    if moved:
        notes.append(f"Sequences have gone on: {', '.join(moved)}.")
        other = replace(other, positions={**other.positions, **_of(one, moved)})
        differences = proof.differences(one, other, ignored, names)
    if moved and differences:
        # A run that was rolled back has used up numbers, which PostgreSQL does not take back.
        alike = (_unnumbered(one, expected.numbered), _unnumbered(other, expected.numbered))
        if not proof.differences(*alike, ignored, names):
            notes.append("Rows have other numbers, since sequences have gone on.")
            differences = []
    return Comparison(tuple(differences), tuple(notes))


def _has_gone_on(one: rows.Position, other: rows.Position) -> bool:
    """Whether a sequence stands further on than it did; not whether it has gone back."""
    before, after = ((at.value, at.called) for at in (one, other))
    if one.descending:
        before, after = (-before[0], before[1]), (-after[0], after[1])
    return before < after


def _masked(state: State, volatile: Sequence[Volatile]) -> State:
    """The state without values that differ by themselves; that there is one, or NULL, stays."""
    columns = {each.table: frozenset(each.columns) for each in volatile}
    return _without_values(state, columns)


def _unnumbered(state: State, numbered: Mapping[str, frozenset[str]]) -> State:
    return _without_values(state, numbered)


def _without_values(state: State, columns: Mapping[str, frozenset[str]]) -> State:
    def masked(table: TableRows) -> TableRows:
        hidden = columns.get(str(table), frozenset())
        if hidden.isdisjoint(table.columns):
            return table
        kept = tuple(
            tuple(
                "..." if value is not None and column in hidden else value
                for column, value in zip(table.columns, row, strict=True)
            )
            for row in table.rows
        )
        return replace(table, rows=kept)

    return replace(state, tables={name: masked(table) for name, table in state.tables.items()})


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
    """What ``pg_dump`` says, whatever the order of columns, and of what is said of each."""

    def table(found: re.Match[str]) -> str:
        # A column's definition may have several lines: those inside parentheses.
        parts = re.split(r",\n(?=    \S)", found[2])
        return found[1] + ",\n".join(sorted(parts)) + found[3]

    def statistics(found: re.Match[str]) -> str:
        return found[1] + ", ".join(sorted(found[2].split(", "))) + found[3]

    text = _STATISTICS.sub(statistics, _TABLE.sub(table, schema))
    return "\n\n".join(sorted(map(_sorted_lines, text.split("\n\n"))))


def _sorted_lines(paragraph: str) -> str:
    """What is set on the columns of a table stands in lines of their own, below it."""
    lines = paragraph.strip("\n").split("\n")
    sorted_: list[str] = []
    for is_of_columns, group in groupby(lines, key=lambda line: line.startswith("ALTER TABLE ")):
        found = list(group)
        sorted_ += sorted(found) if is_of_columns else found
    return "\n".join(sorted_)


def _sorted_values(table: TableRows) -> TableRows:
    order = sorted(range(len(table.columns)), key=lambda number: table.columns[number])
    return _in_order(table, order)


def _in_order(table: TableRows, order: Sequence[int]) -> TableRows:
    return replace(
        table,
        columns=tuple(table.columns[number] for number in order),
        rows=tuple(tuple(row[number] for number in order) for row in table.rows),
    )
