"""What ``prove`` has found, as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alembic_fixups.prove import wording
from alembic_fixups.prove.report import Linted, Report
from alembic_fixups.prove.session import Proven
from alembic_fixups.prove.trace import Trace
from alembic_fixups.prove.verdict import LAWS, Verdict
from alembic_fixups.settings import shown

_LINES = 100
"""Lines of a diff; a comment on GitHub holds 65,536 characters."""

_SIGNS = {"held": "✅", "broken": "❌", "not tried": "❔"}


def render(report: Report) -> str:
    """The report as GitHub's Markdown."""
    return wording.plain(_rendered(report))


def _rendered(report: Report) -> str:
    lines: list[str] = []
    for proven in report.proven:
        lines += [*_proven(proven, report), ""]
    if report.not_reached:
        lines += [f"Not reached: {', '.join(map(_code, report.not_reached))}.", ""]
    return "\n".join(lines)


def _proven(proven: Proven, report: Report) -> Iterator[str]:
    yield f"### {_code(proven.revision)} {_text(proven.message)}"
    yield ""
    rows = f"rows of {_code(report.data)}" if report.data else wording.filled(proven.rows)
    yield ", ".join(
        filter(None, [_code(shown(proven.path)), f"PostgreSQL {report.postgres}", rows])
    )
    yield ""
    yield from _table(
        ["", "Law", ""],
        [[_SIGNS[verdict.outcome], verdict.law, LAWS[verdict.law]] for verdict in proven.verdicts],
    )
    for verdict in proven.verdicts:
        yield from _verdict(verdict)
    if remarks := wording.remarks(proven):
        yield ""
        yield from (f"- {_text(remark)}" for remark in remarks)
    if proven.trace is not None:
        yield from _trace(proven.trace)
    if proven.revision in report.linted:
        yield from _linted(report.linted[proven.revision])


def _verdict(verdict: Verdict) -> Iterator[str]:
    if verdict.reason:
        yield ""
        yield f"**{verdict.law}**: {verdict.outcome}."
        yield from _block(verdict.reason.splitlines())
    if verdict.differences:
        lines = list(verdict.differences[:_LINES])
        if len(verdict.differences) > _LINES:
            lines.append(f"... and {len(verdict.differences) - _LINES} lines more (--json)")
        yield from _block(lines, "diff")
    for note in verdict.notes:
        yield ""
        yield f"**{verdict.law}**: {_text(note)}"


def _trace(trace: Trace) -> Iterator[str]:
    yield ""
    if not trace.complete:
        yield f"Not all is traced: {_text(trace.why_not)}"
        yield ""
    locks = wording.lock_rows(trace)
    if locks:
        yield from _table(
            ["Strongest lock on", "Mode", "Blocks", "Longest", "In all", "By"],
            [
                [_code(one.relation), one.mode, one.blocks, one.longest, one.held, one.statement]
                for one in locks
            ],
        )
    else:
        yield "Locks nothing that was there before."
    rows = wording.statement_rows(trace)
    if rows:
        yield ""
        yield f"<details><summary>{wording.counted(len(rows), 'statement')}</summary>"
        yield ""
        yield from _table(
            ["#", "Statement", "Lock", "Does", "Takes"],
            [
                [row.number, _code(row.text), _lines(row.locks), _lines(row.does), row.time]
                for row in rows
            ],
        )
        yield ""
        yield "</details>"


def _linted(linted: Linted) -> Iterator[str]:
    yield ""
    if linted.findings is None:
        yield "squawk is not installed, so nothing is said of the statements."
    elif not linted.findings:
        yield "squawk has nothing to say of the statements."
    else:
        yield from (
            f"- squawk, line {one.line}: **{_text(one.rule)}**: {_text(one.message)}"
            for one in linted.findings
        )
    yield ""
    yield "<details><summary>The statements by themselves</summary>"
    yield from _block(linted.sql.splitlines(), "sql")
    yield ""
    yield "</details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _block(lines: Sequence[str], language: str = "") -> Iterator[str]:
    """A block of code, with a fence that is in none of its lines."""
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    yield ""
    yield f"{fence}{language}"
    yield from lines
    yield fence


def _lines(cells: Sequence[str]) -> str:
    return "<br>".join(map(_text, cells))


def _code(text: str) -> str:
    """As code in a line, which may stand in a table."""
    ticks = "`"
    while ticks in text:
        ticks += "`"
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}".replace("|", "\\|").replace("\n", " ")


_MEANT = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]<>#|~@&"})


def _text(text: str) -> str:
    """As text in a line: nothing in it is Markdown, HTML or the name of a user."""
    return text.translate(_MEANT).replace("\n", " ")
