"""``alembic-fixups verify``: whether a squash still holds, and whether a database has drifted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import URL

from alembic_fixups import scratch, settings
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.reembed.command import urls_of
from alembic_fixups.reembed.database import plain
from alembic_fixups.reembed.output import set_aside
from alembic_fixups.squash import dump, history, manifest, replay
from alembic_fixups.squash.fingerprint import Fingerprint
from alembic_fixups.squash.manifest import Manifest
from alembic_fixups.squash.output import Progress, print_differences, print_outcome
from alembic_fixups.squash.proof import AGAIN, NEW, OLD
from alembic_fixups.squash.servers import sites
from alembic_fixups.squash.trial import Trial, sides
from alembic_fixups.squash.undo import archived_chain
from alembic_fixups.squash.version_table import VersionTable, revisions, version_tables

if TYPE_CHECKING:
    from rich.console import Console

_Result = tuple[dict[str, Any], Callable[["Console"], None]]
"""What there is to tell: as a document, and as what prints it."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        database_url: a database to compare, in place of the archive.
        scratch_url: a server to replay on, in place of the embedded one.
        as_json: whether to print one JSON document.
        verbose: whether to show what env.py and the revisions print.
    """

    database_url: str | None = None
    scratch_url: str | None = None
    as_json: bool = False
    verbose: bool = False


def run(project: Project, console: Console, errors: Console, request: Request) -> int:
    """Replays the archived history and the one with the snapshot, and compares them.

    With a database: compares it with what the revisions that it is at make.

    Returns:
        The exit code: 0 where they are equal, 1 where they are not.

    Raises:
        ProjectError: there is nothing to compare, or it cannot be replayed.
        ScratchError: a server does not answer, or no database can be made there.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
    """
    compare = _compare_archive if request.database_url is None else _compare_database
    try:
        # What a revision prints where it is loaded must not get into the document.
        with set_aside() if request.as_json else nullcontext():
            history.load(project.script)  # says what is wrong with a broken one
            document, report = compare(project, errors, request)
    except psycopg.Error as error:
        raise ProjectError(str(error).strip()) from error
    if request.as_json:
        console.out(json.dumps(document, indent=2), highlight=False)
    else:
        report(console)
    return 0 if document["equal"] else 1


def _compare_archive(project: Project, errors: Console, request: Request) -> _Result:
    found = manifest.manifests(project.script)
    if not found:
        raise ProjectError(
            "Nothing here is squashed: no archive has its snapshot among the revisions. To "
            "compare a database with the revisions take --database-url."
        )
    folder, stored = found[0]
    wanted = settings.load(settings.path_for(project.config)).squash
    with ExitStack() as stack:
        chain = stack.enter_context(archived_chain(project.script, (folder, stored)))
        progress = stack.enter_context(Progress(errors))
        three = stack.enter_context(
            sites(3, url=request.scratch_url, version=wanted.postgres, roles=wanted.roles)
        )
        chains = {OLD: chain, AGAIN: chain, NEW: None}
        old, again, new = stack.enter_context(sides(three, chains))
        total = len(list(project.script.walk_revisions()))
        before = total + len(stored.revisions) - 1
        progress.expect({OLD: before, AGAIN: before, NEW: total})
        trial = Trial(project, old, again, new, progress.applied, request.verbose)
        outcome = trial.run(stored.target, lambda: None)

    def report(console: Console) -> None:
        print_outcome(console, outcome)
        if outcome.differences:
            print_differences(console, outcome.differences)
            console.print(f"{stored.target}: not equal to its archive.", style="bold red")
        else:
            console.print(f"{stored.target}: equal to its archive.", style="green")

    document = {
        "target": stored.target,
        "equal": not outcome.differences,
        "differences": list(outcome.differences),
        "volatile": [asdict(one) for one in outcome.volatile],
        "notes": [asdict(note) for note in outcome.notes],
    }
    return document, report


def _compare_database(project: Project, errors: Console, request: Request) -> _Result:
    [url] = map(plain, urls_of(project, request.database_url))
    table, rows = at(url, project)
    wanted = settings.load(settings.path_for(project.config)).squash
    version = _version(url, wanted.postgres)
    squashed = manifest.manifests(project.script)
    with ExitStack() as stack:
        # The old history, where there is one: what the database was made by has to be among the
        # spellings, and the other one is that of its copy.
        chain = (
            stack.enter_context(archived_chain(project.script, squashed[0])) if squashed else None
        )
        progress = stack.enter_context(Progress(errors))
        [site] = stack.enter_context(
            sites(1, url=request.scratch_url, version=version, roles=wanted.roles)
        )
        [side] = stack.enter_context(sides([site], {OLD: chain}))
        folded = len(squashed[0][1].revisions) - 1 if squashed else 0
        progress.expect({OLD: len(list(project.script.walk_revisions())) + folded})
        for revision in rows:
            replay.upgrade(
                project,
                side.url,
                revision,
                chain=chain,
                applied=lambda applied: progress.applied(OLD, applied),
                verbose=request.verbose,
            )
        bindir = dump.tools(site.server)
        drift = Fingerprint.take(site.server, side.url, bindir, table).drift(url)

    def report(console: Console) -> None:
        there = ", ".join(rows)
        if drift:
            print_differences(console, drift)
            console.print(
                f"{url!r} is at {there} and not as these revisions make it.", style="bold red"
            )
        else:
            console.print(f"{url!r} is as the revisions up to {there} make it.", style="green")

    return {"revisions": rows, "equal": not drift, "differences": drift}, report


def _version(url: URL, otherwise: int) -> int:
    """The major version of a server where an embedded one of it is to be had."""
    with scratch.connect(url) as connection:
        version = connection.info.server_version // 10_000
    return version if version in scratch.embedded_bindirs() else otherwise


def at(url: URL, project: Project) -> tuple[VersionTable, list[str]]:
    """Alembic's own table in a database, and the revisions that it names.

    Raises:
        ProjectError: there is none, it is empty, or a revision is one that the project has not.
        ScratchError: nothing answers there.
    """
    known = {one.revision for one in project.script.walk_revisions()}
    folded = folded_into(manifest.manifests(project.script))
    with scratch.connect(url) as connection:
        for table in version_tables(connection):
            rows = revisions(connection, table)
            if not rows or not {*known, *folded}.issuperset(rows):
                continue
            between = [one for one in rows if one not in known]
            if between:
                raise ProjectError(
                    f"{url!r} is at {', '.join(between)}, which is folded into the snapshot "
                    f"{folded[between[0]].target}. Bring it there: alembic-fixups adopt"
                )
            return table, rows
    raise ProjectError(
        f"{url!r} is at no revision of this project: it has no version table with one. "
        "alembic upgrade head makes an empty database."
    )


def folded_into(found: Sequence[tuple[object, Manifest]]) -> dict[str, Manifest]:
    """The revisions that are in archives only, with the squash that each went into."""
    return {
        one.id: stored
        for _, stored in reversed(found)
        for one in stored.revisions
        if one.id != stored.target
    }
