"""``alembic-fixups reembed``: fills the columns that wait for vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from alembic_fixups import settings
from alembic_fixups.fixups.vector_dimension.side_tables import Job
from alembic_fixups.project import Project, ProjectError, database_urls
from alembic_fixups.reembed import column, embedder, source
from alembic_fixups.reembed.database import Connection, Unavailable, connect, named, url_of
from alembic_fixups.reembed.embedder import Retries
from alembic_fixups.reembed.fill import Options, Outcome, Plan, fill
from alembic_fixups.reembed.output import set_aside
from alembic_fixups.reembed.progress import Progress
from alembic_fixups.reembed.rows import Row
from alembic_fixups.reembed.work import closing
from alembic_fixups.settings import Settings, SettingsError

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy.engine import URL

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

_FAILURES = 20
"""How many rows that failed are listed; --json has them all."""

_TEXT = 60
"""Characters of a text that --dry-run shows."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        names: the columns, all of them where it is empty.
        workers: how many threads embed and write.
        limit: the most rows of each column, None for all.
        dry_run: whether it is only shown what would be done.
        database_url: the database, None for what env.py connects to.
        as_json: whether one JSON document is printed.
    """

    names: Sequence[str] = ()
    workers: int = 1
    limit: int | None = None
    dry_run: bool = False
    database_url: str | None = None
    as_json: bool = False


@dataclass(frozen=True)
class _Preview:
    """What --dry-run says of a column: how many rows and batches, and the first texts."""

    column: str
    rows: int
    batches: int
    texts: list[str]


def run(
    project: Project,
    console: Console,
    errors: Console,
    request: Request,
    retries: Retries | None = None,
) -> int:
    """Fills the columns, or shows what would be done.

    Takes where to print, where to print what is no result, and how often the embedder is tried.
    Gives the exit code: 0 done, or nothing to do; 1 rows failed, it could not be completed, or the
    database was not to be had; 2 a mistake; 130 stopped by Ctrl-C.

    Raises:
        ProjectError: it cannot be begun.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
    """
    from rich.text import Text

    aside = errors if request.as_json else console
    # What an embedder or env.py prints must not get into the document.
    with set_aside() if request.as_json else nullcontext():
        loaded = settings.load(settings.path_for(project.config))
        try:
            plans = list(_plans(project, loaded, request))
        except SettingsError as error:
            raise ProjectError(settings.located(error, loaded.path)) from error
        except Unavailable as error:
            errors.print(Text.assemble(("Error: ", "bold red"), str(error)))
            return 1
    if request.dry_run:
        _print_plans(plans, console, request)
        return 0
    options = Options(
        request.workers, request.limit, loaded.general.lock_timeout, retries or Retries()
    )
    outcomes: list[Outcome] = []
    interrupted = False
    with set_aside() if request.as_json else nullcontext():
        try:
            for plan, _ in plans:
                outcomes.append(Outcome(plan.column.job.name, left=plan.left))
                _fill(plan, options, aside, outcomes[-1])
        except KeyboardInterrupt:
            interrupted = True
    if request.as_json:
        shown = [_document(outcome) for outcome in outcomes]
        console.out(json.dumps({"columns": shown}, indent=2), highlight=False)
    else:
        for outcome in outcomes:
            _print(outcome, console)
        if not plans:
            console.print("No column waits for vectors.")
    if interrupted:
        aside.print("Stopped. Run it again to go on: what is done is kept.", style="yellow")
        return INTERRUPTED
    return max((outcome.code for outcome in outcomes), default=0)


def urls_of(project: Project, database_url: str | None) -> list[URL]:
    """The databases that a command works on.

    Raises:
        ProjectError: the URL is no good, or env.py does not connect to PostgreSQL.
        CommandError: Alembic finds something wrong.
    """
    return database_urls(project) if database_url is None else [url_of(database_url)]


def _plans(
    project: Project, loaded: Settings, request: Request
) -> Iterator[tuple[Plan, list[Row]]]:
    """What is to be done in each column, with its first rows; all is checked that can be."""
    waiting: list[tuple[URL, Job]] = []
    connections: dict[URL, Connection] = {}
    with _all_closed(connections):
        for url in urls_of(project, request.database_url):
            with named(url):
                connections[url] = connect(url, loaded.general.lock_timeout)
                # Of transactions only: a pool that keeps the session would hand it on.
                connections[url].read_only = True
                waiting += [(url, job) for job in column.jobs(connections[url])]
        for url, job in _wanted(waiting, loaded, request.names):
            connection = connections[url]
            with named(url):
                chosen = source.chosen(project, loaded, connection, job)
                found = column.read(connection, job)
                left, first = source.check(connection, found, chosen)
            embed = embedder.load(project, chosen.embedder)
            yield Plan(url, found, chosen, embed, left), first


@contextmanager
def _all_closed(connections: dict[URL, Connection]) -> Iterator[None]:
    try:
        yield
    finally:
        with closing(list(connections.values())):
            pass


def _wanted(
    waiting: list[tuple[URL, Job]], loaded: Settings, names: Sequence[str]
) -> list[tuple[URL, Job]]:
    """Those that the command line names, or all.

    Raises:
        ProjectError: a name is that of no column.
    """
    if not names:
        return waiting
    # The name without the schema does where it is that of one column only.
    short = [f"{job.table.name}.{job.column}" for _, job in waiting]
    found: list[tuple[URL, Job]] = []
    for name in names:
        one = [
            (url, job)
            for url, job in waiting
            if name == job.name
            or (name == f"{job.table.name}.{job.column}" and short.count(name) == 1)
        ]
        # A job that is at its end is no longer there; only the settings know the column then.
        if not one and name not in source.table_of(loaded).columns:
            there = ", ".join(job.name for _, job in waiting) or "none"
            raise ProjectError(
                f"{name}: no column of this name waits for vectors; those that do: {there}"
            )
        found += [pair for pair in one if pair not in found]
    return found


def _fill(plan: Plan, options: Options, console: Console, outcome: Outcome) -> None:
    total = plan.left if options.limit is None else min(plan.left, options.limit)
    progress = Progress(console, plan.column.job.name, total)
    try:
        fill(plan, options, progress, outcome)
    except ProjectError as error:
        outcome.message, outcome.code = str(error), 2


def _document(outcome: Outcome) -> dict[str, object]:
    return {name: said for name, said in asdict(outcome).items() if name != "code"}


def _print(outcome: Outcome, console: Console) -> None:
    from rich.text import Text

    line = f"{outcome.column}: {outcome.done:,} rows embedded"
    if outcome.failed:
        line += f", {len(outcome.failed):,} failed"
    if outcome.left:
        line += f", {outcome.left:,} left"
    line += ", complete." if outcome.complete else "."
    style = "red" if outcome.code else "green" if outcome.complete else "yellow"
    console.print(Text(line, style=style))
    for failure in outcome.failed[:_FAILURES]:
        shown = ", ".join(f"{name} {value}" for name, value in failure.key.items())
        console.print(Text(f"  {shown}: {failure.error}"))
    if len(outcome.failed) > _FAILURES:
        more = len(outcome.failed) - _FAILURES
        console.print(Text(f"  and {more:,} more; --json lists them all"))
    if outcome.message:
        console.print(Text(f"  {outcome.message}"))
    if outcome.changed:
        console.print(
            Text(
                f"  The texts of {outcome.changed:,} rows changed while the last pass ran: their "
                "vectors are those of the texts before. From now on it is up to the application to "
                "embed what it changes."
            )
        )


def _print_plans(
    plans: Sequence[tuple[Plan, list[Row]]], console: Console, request: Request
) -> None:
    from rich.text import Text

    previews = [_preview(plan, first, request.limit) for plan, first in plans]
    if request.as_json:
        shown = [asdict(one) for one in previews]
        console.out(json.dumps({"columns": shown}, indent=2), highlight=False)
        return
    for one in previews:
        console.print(Text(f"{one.column}: {one.rows:,} rows in {one.batches:,} batches"))
        for text in one.texts:
            console.print(Text(f"  {text}"))
    console.print("Nothing done (--dry-run)." if plans else "No column waits for vectors.")


def _preview(plan: Plan, first: Sequence[Row], limit: int | None) -> _Preview:
    rows = plan.left if limit is None else min(plan.left, limit)
    return _Preview(
        plan.column.job.name,
        rows,
        -(-rows // plan.chosen.batch),
        [_shortened(row.text) for row in first[:rows]],
    )


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else line[: _TEXT - 3] + "..."
