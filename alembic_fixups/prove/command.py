"""``alembic-fixups prove``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from alembic.script import Script

from alembic_fixups import settings
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.prove import data, lint, markdown, report, revisions, terminal
from alembic_fixups.prove.progress import Progress
from alembic_fixups.prove.report import Linted, Report
from alembic_fixups.prove.session import Session, session
from alembic_fixups.prove.verdict import LAWS
from alembic_fixups.reembed.output import set_aside
from alembic_fixups.settings import Prove, shown
from alembic_fixups.squash import history
from alembic_fixups.squash.servers import Site, sites

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Request:
    """What the command line asks for; None where the settings say it.

    Attributes:
        revisions: which, as :func:`revisions.choose` reads it.
        data: a dump with the rows, in the place of made-up ones.
        postgres: the major version of the embedded server.
        scratch_url: a server to work on, in place of the embedded one.
        laws: those that are tried.
        rows, seed, stops: as in the settings.
        lint: whether to show the statements by themselves, and what squawk says of them.
        sql: a folder to write them into.
        as_json: whether to print one JSON document.
        as_markdown: whether to print Markdown, for a pull request.
        verbose: whether to show what env.py and the revisions print.
    """

    revisions: str | None = None
    data: Path | None = None
    postgres: int | None = None
    scratch_url: str | None = None
    laws: Sequence[str] = ()
    rows: int | None = None
    seed: int | None = None
    stops: int | None = None
    lint: bool = False
    sql: Path | None = None
    as_json: bool = False
    as_markdown: bool = False
    verbose: bool = False


def run(project: Project, console: Console, errors: Console, request: Request) -> int:
    """Holds revisions to the laws and says what each of their statements locks.

    Returns:
        The exit code: 0 where no law is broken, 1 where one is.

    Raises:
        ProjectError: nothing can be proven; the message says why.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
        ScratchError: a server does not answer, or no database can be made there.
    """
    found: Report | None = None
    try:
        # What a revision prints where it is loaded must not get into the document.
        with set_aside() if request.as_json or request.as_markdown else nullcontext():
            history.load(project.script)  # says what is wrong with a broken one
            for so_far in _reports(project, console, errors, request):
                found = so_far
    except psycopg.Error as error:
        raise ProjectError(str(error).strip()) from error
    finally:  # what has been found before an error, too
        if found is not None:
            _print(found, console, request)
    return int(found is not None and found.is_broken)


def _print(found: Report, console: Console, request: Request) -> None:
    if request.as_json:
        console.out(report.document(found), highlight=False)
    elif request.as_markdown:
        console.out(markdown.render(found), highlight=False)
    else:
        terminal.print_summary(console, found)


def _reports(
    project: Project, console: Console, errors: Console, request: Request
) -> Iterator[Report]:
    """What has been found, after each revision."""
    chosen = revisions.choose(project.script, request.revisions)
    found = settings.load(settings.path_for(project.config))
    wanted = _wanted(found.prove, request)
    version = request.postgres or found.squash.postgres
    with (
        sites(1, url=request.scratch_url, version=version, roles=found.squash.roles) as [site],
        _dump(request.data, site) as dump,
        Progress(errors) as progress,
        session(
            project, site, wanted, dump=dump, trying=progress.trying, verbose=request.verbose
        ) as proving,
    ):
        report = Report(
            site.server.version, str(request.data or ""), wanted.rows, wanted.seed, (), {}, ()
        )
        for number, script in enumerate(chosen):
            progress.begin(script.revision)
            rest = tuple(later.revision for later in chosen[number + 1 :])
            report = replace(_with(report, proving, script, request), not_reached=rest)
            if not (request.as_json or request.as_markdown):
                terminal.print_proven(console, report.proven[-1], report)
            yield report
            if report.proven[-1].trace is None:
                return


def _wanted(found: Prove, request: Request) -> Prove:
    """The settings, with what the command line has to say over them."""
    over = {name: getattr(request, name) for name in ("rows", "seed", "stops")}
    over = {name: value for name, value in over.items() if value is not None}
    if request.laws:
        unknown = sorted(set(request.laws) - set(LAWS))
        if unknown:
            raise ProjectError(f"--law {unknown[0]}: there are {', '.join(LAWS)}.")
        over["laws"] = tuple(request.laws)
    return found.model_copy(update=over)


@contextmanager
def _dump(path: Path | None, site: Site) -> Iterator[data.Dump | None]:
    if path is None:
        yield None
        return
    with data.opened(path, site.server) as dump:
        yield dump


def _with(report: Report, proving: Session, script: Script, request: Request) -> Report:
    """The report with one more revision."""
    proven = proving.prove(script)
    linted = dict(report.linted)
    if proven.trace is not None and (request.lint or request.sql):
        sql = lint.opened(proven.trace)
        if request.sql is not None:
            _write(request.sql, f"{proven.revision}.sql", sql)
        if request.lint:
            findings = lint.squawk(sql, f"{proven.revision}.sql")
            linted[proven.revision] = Linted(sql, None if findings is None else tuple(findings))
    return replace(report, proven=(*report.proven, proven), linted=linted)


def _write(folder: Path, name: str, sql: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(sql)
    except OSError as error:
        raise ProjectError(f"{shown(folder / name)} cannot be written: {error.strerror}") from error
