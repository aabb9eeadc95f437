"""``alembic-fixups adopt``: brings a database that is inside a squashed range to its end.

The database gets the rest of the archived revisions. Only where it is then what the snapshot
says, it counts as being there. Until then, also where this is killed, its version table names the
revisions before the last, which Alembic does not know any more: the last one writes a comment on
that table in the place of its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
from alembic_fixups.reembed.output import set_aside
from alembic_fixups.squash import history, manifest, replay
from alembic_fixups.squash.chain import script_directory
from alembic_fixups.squash.fingerprint import Fingerprint
from alembic_fixups.squash.manifest import Manifest
from alembic_fixups.squash.output import Progress, print_differences
from alembic_fixups.squash.replay import Note
from alembic_fixups.squash.undo import archived_chain
from alembic_fixups.squash.version_table import VersionTable, revisions, stamp

if TYPE_CHECKING:
    from rich.console import Console

_MARK = "alembic-fixups adopt: not adopted yet, though all revisions have run up to "
"""What the comment of the version table begins with; the target follows, and in lines of its own
the comment that was there."""

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
    """What is done to one database.

    Attributes:
        database: its URL.
        at: the revisions that it is at before.
        target: the snapshot that it is brought to, empty where there is nothing to do.
        applied: the revisions that it gets.
        drift: what it has otherwise than expected, as a diff.
        notes: what the revisions do besides.
        other_heads: what it is at besides; where there are any, what it has in addition is not
            drift.
        stamped: whether it counts as being at the target.
    """

    database: str
    at: list[str]
    target: str = ""
    applied: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    other_heads: list[str] = field(default_factory=list)
    stamped: bool = False


def run(project: Project, console: Console, errors: Console, request: Request) -> int:
    """Brings a database to the end of the range that its revision was folded into.

    Returns:
        The exit code: 0 where it is there, 1 where it has drifted.

    Raises:
        ProjectError: there is nothing squashed, the database is at no revision of the project, or
            an archived revision fails.
        CommandError: Alembic finds something wrong.
        ScratchError: the database does not answer.
    """
    with set_aside() if request.as_json else nullcontext():
        done = _adopt_all(project, errors, request)
    if request.as_json:
        console.out(json.dumps([asdict(one) for one in done], indent=2), highlight=False)
    else:
        for one in done:
            _print(console, one, request)
    return int(any(one.drift and not one.stamped for one in done))


def _adopt_all(project: Project, errors: Console, request: Request) -> list[_Adoption]:
    history.load(project.script)  # says what is wrong with a broken one
    found = manifest.manifests(project.script)
    if not found:
        raise ProjectError(
            "Nothing here is squashed: no archive has its snapshot among the revisions. Databases "
            "are brought on by alembic upgrade."
        )
    done = []
    for url in map(plain, urls_of(project, request.database_url)):
        try:
            done.append(_adopt(project, errors, request, url, found))
        except psycopg.Error as error:
            raise ProjectError(f"{url!r}: {str(error).strip()}") from error
    return done


def _adopt(
    project: Project,
    errors: Console,
    request: Request,
    url: URL,
    found: Sequence[tuple[Path, Manifest]],
) -> _Adoption:
    with _alone(url) as connection:
        adoption = _Adoption(repr(url), [])
        # From the oldest squash on: the end of one may lie within the next.
        for folder, stored in reversed(found):
            fingerprint = Fingerprint.from_json(stored.catalog)
            table = fingerprint.version_table
            inside = {one.id for one in stored.revisions} - {stored.target}
            if request.dry_run and adoption.target:
                rows = [adoption.target]
            else:
                rows = _rows(connection, table)
            adoption.at = adoption.at or rows
            if inside.isdisjoint(rows):
                continue
            adoption.target = stored.target
            if request.dry_run:
                continue
            mark = _MARK + stored.target
            before, _, kept = _comment(connection, table).partition("\n")
            if before != mark or not _is_held(project, (folder, stored), rows):
                # A mark of an adoption that something else has overtaken means nothing any more.
                said = [before] if before and not before.startswith(_MARK) else []
                kept = "\n".join(filter(None, (*said, kept)))
                comment = "\n".join(filter(None, (mark, kept)))
                _bring_on(project, errors, request, url, (folder, stored), adoption, comment)
            adoption.other_heads = sorted(set(_rows(connection, table)) - inside)
            # What those have made is not known here.
            adoption.drift = fingerprint.drift(url, besides=not adoption.other_heads)
            adoption.stamped = not adoption.drift or request.accept_drift
            if not adoption.stamped:
                break
            _stamp(connection, table, [*adoption.other_heads, stored.target], kept)
        if not adoption.target:
            _require_known(project, adoption)
        return adoption


def _is_held(project: Project, archive: tuple[Path, Manifest], rows: Sequence[str]) -> bool:
    """Whether the version table names what it does where all revisions but the id are there."""
    with archived_chain(project.script, archive) as chain:
        target = script_directory(project.config, chain).get_revision(archive[1].target)
    assert target is not None
    return set(target._versioned_down_revisions) <= set(rows)


def _require_known(project: Project, adoption: _Adoption) -> None:
    if not adoption.at:
        raise ProjectError(
            f"{adoption.database} is at no revision. alembic upgrade head makes an empty database."
        )
    known = {one.revision for one in project.script.walk_revisions()}
    if unknown := sorted(set(adoption.at) - known):
        raise ProjectError(
            f"{adoption.database} is at {', '.join(unknown)}, which is neither a revision of this "
            "project nor in one of its archives. Is it the right database?"
        )


def _bring_on(
    project: Project,
    errors: Console,
    request: Request,
    url: URL,
    archive: tuple[Path, Manifest],
    adoption: _Adoption,
    comment: str,
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
            hold=comment,
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


def _comment(connection: psycopg.Connection[Any], table: VersionTable) -> str:
    [(comment,)] = connection.execute(_COMMENT, [sql.Identifier(*table).as_string(connection)])
    return comment or ""


def _stamp(
    connection: psycopg.Connection[Any], table: VersionTable, rows: Sequence[str], comment: str
) -> None:
    name, text = sql.Identifier(*table), sql.Literal(comment or None)
    with connection.transaction():
        stamp(connection, table, rows)
        connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, text))


def _print(console: Console, done: _Adoption, request: Request) -> None:
    if not done.target:
        console.print(
            f"{done.database} is at {', '.join(done.at)}: nothing to adopt.", style="green"
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
    if done.other_heads:
        console.print(
            f"{done.database} is at {', '.join(done.other_heads)} too, so what it has in addition "
            "was passed over. alembic-fixups verify --database-url compares that.",
            style="yellow",
        )
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
