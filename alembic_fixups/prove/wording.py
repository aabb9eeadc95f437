"""A trace in words, as the rows of the two tables that people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alembic_fixups.prove.made_up import Filled
from alembic_fixups.prove.session import Proven
from alembic_fixups.prove.trace import QUERIES, Effect, Lock, Statement, Trace, blocks

_TEXT = 90
"""Characters of a statement that are shown."""


_LISTED = 3


@dataclass(frozen=True)
class LockRow:
    """The strongest lock on a relation; all as text."""

    relation: str
    mode: str
    blocks: str
    longest: str
    held: str
    statement: str


@dataclass(frozen=True)
class StatementRow:
    """A statement; all as text.

    Attributes:
        number: "3", and "3.1" for the first inside of it.
        text: its beginning, in one line.
        locks, does: a line for each.
        time: how long it took.
        blocks: the worst that it blocks, as :func:`trace.blocks` has it; "" where nothing.
    """

    number: str
    text: str
    locks: tuple[str, ...]
    does: tuple[str, ...]
    time: str
    blocks: str


def lock_rows(trace: Trace) -> list[LockRow]:
    """What is locked that was there before, the worst first."""
    numbers = _numbers(trace)
    return [
        LockRow(
            one.relation if one.kind == "table" else f"{one.relation} ({one.kind})",
            one.mode,
            one.blocks,
            duration(one.longest),
            duration(one.held),
            numbers[one.statement],
        )
        for one in trace.tables()
    ]


def statement_rows(trace: Trace) -> list[StatementRow]:
    """All statements that lock or change something, and those that they stand in."""
    return [
        _statement_row(trace.statements[place], number) for place, number in _numbers(trace).items()
    ]


def _around(trace: Trace, place: int) -> Iterable[int]:
    parent = trace.statements[place].parent
    while parent is not None:
        yield parent
        parent = trace.statements[parent].parent


def _numbers(trace: Trace) -> dict[int, str]:
    """A number for each of these statements, those inside of others with theirs before it."""
    needed = {
        place
        for place, statement in enumerate(trace.statements)
        if statement.locks or statement.effects
    }
    needed |= {parent for place in needed for parent in _around(trace, place)}
    numbers: dict[int, str] = {}
    inside: Counter[int | None] = Counter()
    for place in sorted(needed):
        parent = trace.statements[place].parent
        inside[parent] += 1
        before = "" if parent is None else f"{numbers[parent]}."
        numbers[place] = f"{before}{inside[parent]}"
    return numbers


def _statement_row(statement: Statement, number: str) -> StatementRow:
    text = "its queries" if statement.text == QUERIES else shortened(statement.text)
    if statement.times > 1:
        text = f"{statement.times} times: {text}"
    strongest = [lock for lock in statement.locks if not lock.new]
    return StatementRow(
        number,
        text,
        tuple(_lock(lock) for lock in statement.locks),
        tuple(said for effect in statement.effects if (said := _effect(effect))),
        duration(statement.milliseconds),
        min((blocks(lock.mode) for lock in strongest), key=_WORST.index, default=""),
    )


_WORST = ["reads and writes", "writes and row locks", "writes", "only DDL"]


def _lock(lock: Lock) -> str:
    kind = "" if lock.kind == "table" else f" ({lock.kind})"
    rest = ", new" if lock.new else ", held already" if lock.already else ""
    return f"{lock.mode}: {lock.relation}{kind}{rest}"


def _effect(effect: Effect) -> str:
    words = []
    if effect.rewritten:
        words.append("rewritten")
    if effect.scanned:
        words.append(f"scanned ({counted(effect.read, 'row')})")
    for word in ("inserted", "updated", "deleted"):
        number = getattr(effect, word)
        if number:
            words.append(f"{counted(number, 'row')} {word}")
    return f"{effect.relation}: {', '.join(words)}" if words else ""


def plain(text: str) -> str:
    """The text with what a terminal would obey, or a reader not see, written out."""
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode()
        for sign in text
    )


def shortened(sql: str) -> str:
    """The beginning of a statement in one line, without the comments before it."""
    lines = [line.strip() for line in sql.splitlines()]
    text = " ".join(line for line in lines if line and not line.startswith("--"))
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}..."


def duration(milliseconds: float) -> str:
    """A duration with its unit, three digits at most."""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 10_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.0f} s"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``1,200 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def filled(tables: Sequence[Filled]) -> str:
    """What was made up."""
    rows = sum(one.rows for one in tables)
    return f"{counted(rows, 'row')} made up in {counted(len(tables), 'table')}" if tables else ""


def remarks(proven: Proven) -> list[str]:
    """What is worth knowing of its rows, and of what it does besides."""
    found = [f"{one.table}: {one.problem}" for one in proven.rows if one.problem]
    if proven.fits:
        shown = [*proven.fits[:_LISTED]]
        if len(proven.fits) > _LISTED:
            shown.append(f"and {len(proven.fits) - _LISTED} more (--json)")
        found.append(f"The rows fit what it adds; others may stop it: {', '.join(shown)}")
    if proven.rows and proven.trace is None:
        found.append(
            "The rows that it stops at are made up: --data takes real ones, --rows 0 none."
        )
    found += [f"Besides what it does to the database: {note}" for note in proven.notes]
    return found
