"""``alembic-fixups check``: what the next ``alembic revision --autogenerate`` would write."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Index, Table
from sqlalchemy.schema import ColumnCollectionConstraint

from alembic_fixups import settings
from alembic_fixups.fixups import all_fixups
from alembic_fixups.project import Project, ProjectError, compare, quiet
from alembic_fixups.report import Finding
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from rich.console import Console

ALEMBIC = "alembic"
"""Stands in the place of a fixup's name for the differences that Alembic itself found."""

_STYLES = {"refused": "bold red", "warning": "yellow", "info": "cyan"}
_NOUNS = {"refused": "refusal", "warning": "warning"}


@dataclass(frozen=True)
class Difference:
    """One thing that the models and the database do not agree on.

    Attributes:
        fixup: name of the fixup that found it, "alembic" for Alembic itself.
        title: what would have to be done, in a few words.
    """

    fixup: str
    title: str


@dataclass(frozen=True)
class Report:
    """The outcome of a check.

    Attributes:
        differences: those of the fixups first, in the order in which a migration has them.
        findings: what the fixups have to say besides, the gravest first.
    """

    differences: list[Difference]
    findings: list[Finding]

    def failed(self, strict: bool) -> bool:
        """Whether there are differences; with *strict*, also warnings and refusals."""
        grave = any(finding.severity != "info" for finding in self.findings)
        return bool(self.differences) or (strict and grave)


def run(project: Project, console: Console, *, as_json: bool, strict: bool, verbose: bool) -> int:
    """Compares and prints; gives the exit code, 1 where the check failed.

    Raises:
        ProjectError: the project cannot be compared, or the plugin is not switched on.
    """
    with nullcontext() if verbose else _silenced():
        report = check(project)
    if as_json:
        console.out(json.dumps(asdict(report), indent=2), highlight=False)
    else:
        _print(report, console)
    return int(report.failed(strict))


def check(project: Project) -> Report:
    """Compares the models with the database, fixups included.

    Raises:
        ProjectError: no fixup is on, env.py does not name the plugin, or it cannot be compared.
        SettingsError: the settings are no good.
    """
    if not settings.load(settings.path_for(project.config)).active:
        tables = " or ".join(f"[tool.{settings.TABLE}.{fixup.name}]" for fixup in all_fixups())
        raise ProjectError(
            f"No fixup is on. Add a table such as {tables} to {shown(project.settings_path)}; "
            "`alembic-fixups init` proposes what it can infer."
        )
    comparison = compare(project)
    if not comparison.runs:
        raise ProjectError(
            f'{shown(project.env_py)}: "alembic_fixups" is not among the autogenerate_plugins of '
            "context.configure(). Run `alembic-fixups init`."
        )
    differences = [found for diff in comparison.diffs for found in _differences(diff)]
    findings = {finding for run in comparison.runs for finding in run.findings}
    return Report(
        sorted(differences, key=lambda difference: difference.fixup == ALEMBIC),
        sorted(findings, key=lambda finding: (list(_STYLES).index(finding.severity), finding)),
    )


@contextmanager
def _silenced() -> Iterator[None]:
    """Keeps back the log messages that say what the report says."""
    log = logging.getLogger("alembic.fixups")
    log.addFilter(_nothing)
    try:
        with quiet():
            yield
    finally:
        log.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


def _differences(diff: tuple[Any, ...]) -> list[Difference]:
    """The differences in a tuple that ``alembic check`` shows: a fixup's holds several."""
    kind, *rest = diff
    if kind in {ALEMBIC, *(fixup.name for fixup in all_fixups())}:
        return [Difference(kind, change) for change in rest]
    return [Difference(ALEMBIC, describe(diff))]


def describe(diff: tuple[Any, ...]) -> str:
    """One of Alembic's own operations in a line, from the tuple that ``alembic check`` shows."""
    kind = str(diff[0]).replace("_fk", "_foreign_key").replace("_", " ")
    match diff[1:]:
        case (Table() as table, *_):
            return f"{kind} {table.fullname}"
        case ((ColumnCollectionConstraint() | Index()) as item,) if item.table is not None:
            what = item.name or f"({', '.join(item.columns.keys())})"
            return f"{kind} {what} on {item.table.fullname}"
        case (schema, str(table), Column() as column):
            return f"{kind} {_dotted(schema, table, column.name)}"
        case (schema, str(table), str(column), dict(), old, new) if kind in (
            "modify type",
            "modify nullable",
        ):
            return f"{kind} of {_dotted(schema, table, column)}: {old!r} to {new!r}"
        case (schema, str(table), str(column), dict(), _, _):
            return f"{kind} of {_dotted(schema, table, column)}"
        case rest:
            return " ".join([kind, *(" ".join(str(part).split()) for part in rest)])


def _dotted(*names: str | None) -> str:
    return ".".join(name for name in names if name is not None)


def _print(report: Report, console: Console) -> None:
    from rich.text import Text

    bullet = _bullet(console.encoding)
    for fixup, differences in groupby(report.differences, lambda difference: difference.fixup):
        console.print(Text(fixup, style="bold"))
        for difference in differences:
            _print_indented(difference.title, console, mark=f"  {bullet}")
        console.print()
    for finding in report.findings:
        head = Text.assemble((finding.severity, _STYLES[finding.severity]), f"  {finding.fixup}  ")
        console.print(head.append(finding.table, style="bold"))
        _print_indented(finding.message, console)
        console.print()
    console.print(Text(_summary(report), style="yellow" if report.differences else "green"))


def _print_indented(text: str, console: Console, mark: str = " ") -> None:
    """Wraps on a terminal; in a pipe a line stays one, so that it can be searched for."""
    from rich import table
    from rich.text import Text

    if console.is_terminal:
        grid = table.Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")  # a name without spaces may be longer than a line
        grid.add_row(mark, Text(text))
        console.print(grid)
    else:
        console.print(Text(f"{mark} {text}"))


def _bullet(encoding: str) -> str:
    try:
        "•".encode(encoding)
    except UnicodeEncodeError:
        return "-"
    return "•"


def _summary(report: Report) -> str:
    counts = Counter[str](finding.severity for finding in report.findings)
    parts = [
        _count(len(report.differences), "difference"),
        *(_count(counts[severity], noun) for severity, noun in _NOUNS.items() if counts[severity]),
    ]
    return ", ".join(parts).capitalize() + "."


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
