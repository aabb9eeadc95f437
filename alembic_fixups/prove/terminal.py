"""What ``prove`` has found, on a terminal or in a pipe."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from alembic_fixups.prove import wording
from alembic_fixups.prove.report import Linted, Report
from alembic_fixups.prove.session import Proven
from alembic_fixups.prove.trace import Trace
from alembic_fixups.prove.verdict import LAWS, Verdict
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_LINES = 40
"""Lines of a diff that are shown; all are in the JSON."""

_STYLES = {"held": "green", "broken": "bold red", "not tried": "yellow"}
_SIGNS = {"held": "held", "broken": "BROKEN"}
_DIFF = {"+": "green", "-": "red", "@": "cyan"}
_BLOCKING = {"reads and writes": "bold red", "writes and row locks": "red", "writes": "red"}


def print_proven(console: Console, proven: Proven, report: Report) -> None:
    """Prints what came out for a revision."""

    console.print(_text(f"{proven.revision} {proven.message}", style="bold"))
    rows = f"rows of {report.data}" if report.data else wording.filled(proven.rows)
    about = [shown(proven.path), f"PostgreSQL {report.postgres}", rows]
    console.print(_text(", ".join(filter(None, about)), style="dim"))
    for remark in wording.remarks(proven):
        console.print(_text(f"  {remark}", style="yellow"))
    console.print()
    width = max(len(verdict.law) for verdict in proven.verdicts)
    for verdict in proven.verdicts:
        if verdict.outcome != "not tried":
            _print_verdict(console, verdict, width)
    not_tried = [verdict for verdict in proven.verdicts if verdict.outcome == "not tried"]
    for reason, verdicts in groupby(not_tried, key=lambda verdict: verdict.reason):
        laws = ", ".join(verdict.law for verdict in verdicts)
        console.print(_text(f"  not tried {laws}: {reason}", style=_STYLES["not tried"]))
    if proven.trace is not None:
        _print_trace(console, proven.trace)
    if proven.revision in report.linted:
        _print_linted(console, report.linted[proven.revision])
    console.print()


def print_summary(console: Console, report: Report) -> None:
    """Prints what came out in all."""

    if report.not_reached:
        said = f"Not reached: {', '.join(report.not_reached)}"
        console.print(_text(said, style="yellow"))
    broken = {
        proven.revision: ", ".join(verdict.law for verdict in proven.broken)
        for proven in report.proven
        if proven.broken
    }
    for revision, laws in broken.items():
        console.print(_text(f"{revision} breaks: {laws}", style="bold red"))
    if not broken:
        count = wording.counted(len(report.proven), "revision")
        console.print(_text(f"No law is broken by {count}.", style="green"))


def _print_verdict(console: Console, verdict: Verdict, width: int) -> None:

    sign = _text(f"  {_SIGNS[verdict.outcome]:<10}", style=_STYLES[verdict.outcome])
    console.print(sign + _text(f"{verdict.law:<{width}}  ") + _text(LAWS[verdict.law], style="dim"))
    for line in verdict.reason.splitlines():
        console.print(_text(f"            {line}", style=_STYLES[verdict.outcome]))
    for note in verdict.notes:
        console.print(_text(f"            {note}", style="yellow"))
    lines = verdict.differences
    for line in lines[:_LINES]:
        console.print(_text(f"            {line}", style=_DIFF.get(line[:1], "dim")))
    if len(lines) > _LINES:
        console.print(_text(f"            ... and {len(lines) - _LINES} lines more (--json)"))


def _print_trace(console: Console, trace: Trace) -> None:

    console.print()
    if not trace.complete:
        console.print(_text(f"Not all is traced: {trace.why_not}", style="yellow"))
    locks = wording.lock_rows(trace)
    if not locks:
        console.print("Locks nothing that was there before.")
    else:
        table = _table("Strongest lock on", "Mode", "Blocks", "Longest", "In all", "By")
        for lock in locks:
            table.add_row(
                *map(_text, (lock.relation, lock.mode, lock.blocks, lock.longest, lock.held)),
                _text(lock.statement),
                style=_BLOCKING.get(lock.blocks, ""),
            )
        _print_table(console, table)
    console.print()
    table = _table("#", "Statement", "Lock", "Does", "Takes")
    for row in wording.statement_rows(trace):
        table.add_row(
            _text(row.number),
            _text(row.text),
            _text("\n".join(row.locks), style=_BLOCKING.get(row.blocks, "")),
            _text("\n".join(row.does)),
            _text(row.time),
        )
    if table.row_count:
        _print_table(console, table)


def _text(said: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(wording.plain(said), style=style)


def _table(*columns: str) -> Table:
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _print_table(console: Console, table: Table) -> None:
    if console.is_terminal:
        console.print(table)
        return
    # In a pipe there is no width that lines would have to be broken at.
    before = console.width
    console.width = 100_000
    console.width = console.measure(table).maximum
    with console.capture() as captured:
        console.print(table)
    console.width = before
    for line in captured.get().splitlines():
        console.out(line.rstrip(), highlight=False)


def _print_linted(console: Console, linted: Linted) -> None:

    console.print(_text(linted.sql))
    if linted.findings is None:
        console.print(
            "squawk is not installed, so nothing is said of them: pip install squawk-cli",
            style="yellow",
        )
        return
    for finding in linted.findings:
        said = f"{finding.line}: {finding.level}: {finding.rule}: {finding.message}"
        console.print(_text(said, style="yellow"))
        if finding.help:
            console.print(_text(f"  {finding.help}", style="dim"))
    if not linted.findings:
        console.print("squawk has nothing to say.", style="green")
