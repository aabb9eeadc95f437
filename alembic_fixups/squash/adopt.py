"""``alembic-fixups adopt``: brings a database that is inside a squashed range to its end.

The database gets the rest of the archived revisions. Only where it is then what the snapshot
says, it counts as being there: until then its version table names the revisions that it was at,
which Alembic does not know any more, and a comment on that table says how far it really is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.reembed.command import urls_of
from alembic_fixups.reembed.database import plain
from alembic_fixups.scratch import ScratchError
from alembic_fixups.squash import manifest, replay
from alembic_fixups.squash.fingerprint import Fingerprint
from alembic_fixups.squash.manifest import Manifest
from alembic_fixups.squash.output import Progress, print_differences
from alembic_fixups.squash.replay import Note
from alembic_fixups.squash.undo import archived_chain
from alembic_fixups.squash.version_table import VersionTable, revisions, stamp

if TYPE_CHECKING:
    from rich.console import Console

_MARK = "alembic-fixups adopt: all revisions up to this one have run, but it is not as expected: "
"""What the comment of the version table begins with where a database has drifted."""

_LOCK = 0x616C656D  # "alem": one adoption of a database at a time
_COMMENT = "SELECT pg_catalog.obj_description(pg_catalog.to_regclass(%s), 'pg_class')"


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        database_url: the database; the one that env.py connects to where it is None.
        accept_drift: whether a database that is not as expected counts as being there.
        dry_run: whether to say only what would be done.
        as_json: whether to print one JSON document.
        verbose: whether to show what env.py and the revisions print.
    """

    database_url: str | None = None
    accept_drift: bool = False
    dry_run: bool = False
    as_json: bool = False
    verbose: bool = False


@dataclass
class _Adoption:
    """What is done to one database."""

    database: str
    at: list[str]
    target: str = ""
    applied: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    stamped: bool = False


def run(project: Project, console: Console, errors: Console, request: Request) -> int:
    """Brings a database to the end of the range that its revision was folded into.

    Returns:
        The exit code: 0 where it is there, 1 where it has drifted.

    Raises:
        ProjectError: there is nothing squashed, the database is at no revision of the project, or
            an archived revision fails.
        CommandError: Alembic finds something wrong.
    """
    found = manifest.manifests(project.script)
    if not found:
        raise ProjectError(
            "Nothing here is squashed: no archive has its snapshot among the revisions. Databases "
            "are brought on by alembic upgrade."
        )
    try:
        done = [
            _adopt(project, errors, request, plain(url), found)
            for url in urls_of(project, request.database_url)
        ]
    except ScratchError as error:
        raise ProjectError(str(error)) from error
    if request.as_json:
        console.out(json.dumps([asdict(one) for one in done], indent=2), highlight=False)
    else:
        for one in done:
            _print(console, one, request)
    return int(any(one.drift and not one.stamped for one in done))


def _adopt(
    project: Project,
    errors: Console,
    request: Request,
    url: URL,
    found: Sequence[tuple[Path, Manifest]],
) -> _Adoption:
    with _alone(url) as connection:
        # From the oldest squash on: the end of one may lie within the next.
        for folder, stored in reversed(found):
            fingerprint = Fingerprint.from_json(stored.catalog)
            table = fingerprint.version_table
            rows = _rows(connection, table)
            inside = {one.id for one in stored.revisions} - {stored.target}
            if inside.isdisjoint(rows):
                continue
            adoption = _Adoption(repr(url), rows, stored.target)
            if request.dry_run:
                return adoption
            if _comment(connection, table) != _MARK + stored.target:
                _bring_on(project, errors, request, url, (folder, stored), adoption)
            adoption.drift = fingerprint.drift(url)
            adoption.stamped = not adoption.drift or request.accept_drift
            rest = sorted(set(rows) - inside)
            if not adoption.stamped:
                _stamp(connection, table, rows, _MARK + stored.target)
                return adoption
            _stamp(connection, table, [*rest, stored.target], None)
            if found[0][1] is stored:
                return adoption
        return _Adoption(repr(url), rows)


def _bring_on(
    project: Project,
    errors: Console,
    request: Request,
    url: URL,
    archive: tuple[Path, Manifest],
    adoption: _Adoption,
) -> None:
    _, stored = archive
    with archived_chain(project.script, archive) as chain, Progress(errors) as progress:
        progress.expect({stored.target: len(stored.revisions)})

        def applied(revision: str) -> None:
            progress.applied(stored.target, revision)
            adoption.applied.append(revision)

        adoption.notes += replay.upgrade(
            project,
            url,
            stored.target,
            chain=chain,
            applied=applied,
            widen=False,
            verbose=request.verbose,
        )


@contextmanager
def _alone(url: URL) -> Iterator[psycopg.Connection[Any]]:
    """A connection that holds an advisory lock (manual, 13.3.5): no second adoption meanwhile."""
    with scratch.connect(url) as connection:
        [(alone,)] = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", [_LOCK])
        if not alone:
            raise ProjectError(f"{url!r}: another adopt is at work there. Wait for its end.")
        yield connection


def _rows(connection: psycopg.Connection[Any], table: VersionTable) -> list[str]:
    try:
        return revisions(connection, table)
    except psycopg.errors.UndefinedTable as error:
        raise ProjectError(
            f"The database has no table {'.'.join(table)}, so it is at no revision. "
            "alembic upgrade head makes an empty database."
        ) from error


def _comment(connection: psycopg.Connection[Any], table: VersionTable) -> str | None:
    name = sql.Identifier(*table).as_string(connection)
    [(comment,)] = connection.execute(_COMMENT, [name])
    return str(comment) if comment is not None else None


def _stamp(
    connection: psycopg.Connection[Any],
    table: VersionTable,
    rows: Sequence[str],
    comment: str | None,
) -> None:
    before = _comment(connection, table) or ""
    with connection.transaction():
        stamp(connection, table, rows)
        # A comment of somebody else's stays where there is nothing to say.
        if comment is not None or before.startswith(_MARK):
            set_it = sql.SQL("COMMENT ON TABLE {} IS {}")
            connection.execute(set_it.format(sql.Identifier(*table), sql.Literal(comment)))


def _print(console: Console, done: _Adoption, request: Request) -> None:
    if not done.target:
        console.print(
            f"{done.database} is at {', '.join(done.at) or 'no revision'}: nothing to adopt.",
            style="green",
        )
        return
    if request.dry_run:
        console.print(
            f"{done.database} is at {', '.join(done.at)}; it would get the rest of the archived "
            f"revisions up to {done.target}. Nothing done (--dry-run)."
        )
        return
    for note in done.notes:
        console.print(f"{note.revision or 'env.py'}: {note.text}", style="yellow")
    if done.drift:
        print_differences(console, done.drift)
    if done.stamped:
        console.print(
            f"{done.database}: {len(done.applied)} revisions applied; it is at {done.target}.",
            style="green",
        )
    else:
        console.print(
            f"{done.database} has had all revisions up to {done.target}, but is not as they make "
            "it. Mend what the diff shows (minus: expected, plus: found) and run this again, or "
            "take --accept-drift. Until then alembic upgrade does nothing to it.",
            style="bold red",
        )
