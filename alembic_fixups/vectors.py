"""``alembic-fixups vectors``: archives of old vectors, and columns that wait for new ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import psycopg
import typer

from alembic_fixups import settings
from alembic_fixups.fixups.vector_dimension.side_tables import (
    ARCHIVE_MARK,
    SIDE_TABLES,
    Archive,
    Job,
    parsed,
)
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.reembed.command import urls_of
from alembic_fixups.reembed.database import (
    Connection,
    again_if_locked,
    connect,
    execute,
    rows,
    said,
    value,
)
from alembic_fixups.reembed.output import set_aside
from alembic_fixups.rendering.quoting import identifier

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy.engine import URL


@dataclass(frozen=True)
class KeptVectors:
    """An archive as the list shows it.

    Attributes:
        column: the column that had the vectors, ``schema.table.column``.
        table: the archive itself.
        type: the type that they have.
        rows: how many there are.
        bytes: what they take on disk, indexes included.
    """

    column: str
    table: str
    type: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class WaitingColumn:
    """A job as the list shows it.

    Attributes:
        column: the column, ``schema.table.column``.
        table: the table of the job.
        type: the column's new type.
        ready: rows that have a vector, None where the database does not say.
        left: rows that have none.
    """

    column: str
    table: str
    type: str
    ready: int | None
    left: int | None


@dataclass(frozen=True)
class _Found:
    """The side tables of one database."""

    url: URL
    jobs: list[Job]
    archives: list[tuple[Archive, KeptVectors]]
    waiting: list[WaitingColumn]


def run_list(project: Project, console: Console, database_url: str | None, *, as_json: bool) -> int:
    """Lists both; gives the exit code, 0.

    Raises:
        ProjectError: the database cannot be reached, or the URL is no good.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
    """
    found = list(_read(project, database_url))
    kept = [shown for one in found for _, shown in one.archives]
    waiting = [shown for one in found for shown in one.waiting]
    if as_json:
        document = {
            "archives": [asdict(one) for one in kept],
            "jobs": [asdict(one) for one in waiting],
        }
        console.out(json.dumps(document, indent=2), highlight=False)
        return 0
    for one in waiting:
        ready, left = ("?" if count is None else f"{count:,}" for count in (one.ready, one.left))
        console.print(f"{one.column} waits for {one.type}: {ready} rows ready, {left} left")
    _print_archives(kept, console)
    if not kept and not waiting:
        console.print("No archives of vectors, and no column that waits for vectors.")
    return 0


def run_drop(
    project: Project,
    console: Console,
    names: Sequence[str],
    database_url: str | None,
    *,
    assume_yes: bool,
    dry_run: bool,
) -> int:
    """Drops the archives that are named, or all.

    Gives the exit code: 0 where they are gone or there is none, 1 where somebody said no or one
    could not be dropped.

    Raises:
        ProjectError: a name is that of no archive, a column still waits for its new vectors, or
            there is no terminal to ask on.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
    """
    found = list(_read(project, database_url))
    wanted = [
        (one.url, archive, shown)
        for one in found
        for archive, shown in one.archives
        if not names or not _names_of(archive).isdisjoint(names)
    ]
    known = {name for _, archive, _ in wanted for name in _names_of(archive)}
    unknown = [name for name in names if name not in known]
    if unknown:
        there = ", ".join(
            f"{shown.table} of {shown.column}" for one in found for _, shown in one.archives
        )
        there = there or "none"
        raise ProjectError(f"{', '.join(unknown)}: no archive of that name; there is {there}")
    _require_complete(found, wanted)
    if not wanted:
        console.print("No archives of vectors.")
        return 0
    _print_archives([shown for *_, shown in wanted], console)
    if dry_run:
        console.print("Nothing dropped (--dry-run).")
        return 0
    if not assume_yes:
        if not sys.stdin.isatty():
            raise ProjectError(
                "Nothing dropped: no terminal to ask on. Run again with --yes; the old vectors "
                "are gone for good then, and a downgrade cannot bring them back."
            )
        if not typer.confirm("Drop them? A downgrade cannot bring them back then."):
            return 1
    return max([_drop(url, archive, project, console) for url, archive, _ in wanted])


def _names_of(archive: Archive) -> set[str]:
    """What an archive may be called: as its column, or by its own name, when there are several."""
    return {
        archive.name,
        f"{archive.table.name}.{archive.column}",
        str(archive.store),
        archive.store.name,
    }


def _require_complete(
    found: Sequence[_Found], wanted: Sequence[tuple[URL, Archive, KeptVectors]]
) -> None:
    waiting = {(one.url, job.table, job.column) for one in found for job in one.jobs}
    blocked = [
        archive.name
        for url, archive, _ in wanted
        if (url, archive.table, archive.column) in waiting
    ]
    if blocked:
        raise ProjectError(
            f"{', '.join(blocked)}: the new vectors are not complete, so the old ones stay. Run "
            "`alembic-fixups reembed` to its end first, or name the other archives."
        )


def _read(project: Project, database_url: str | None) -> Iterator[_Found]:
    with set_aside():
        urls = urls_of(project, database_url)
    for url in urls:
        with connect(url, _lock_timeout(project)) as connection:
            jobs, archives = parsed(rows(connection, SIDE_TABLES))
            yield _Found(
                url,
                jobs,
                [(archive, _kept(connection, archive)) for archive in archives],
                [_waiting(connection, job) for job in jobs],
            )


def _lock_timeout(project: Project) -> str:
    return settings.load(settings.path_for(project.config)).general.lock_timeout


def _kept(connection: Connection, archive: Archive) -> KeptVectors:
    try:
        [(count, size)] = rows(
            connection,
            f"SELECT count(*), pg_catalog.pg_total_relation_size({archive.store.oid})"
            f" FROM {archive.store.sql}",
        )
    except psycopg.Error as error:
        raise ProjectError(f"{archive.store}: {said(error)}") from error
    return KeptVectors(archive.name, str(archive.store), archive.type, count, size)


def _waiting(connection: Connection, job: Job) -> WaitingColumn:
    column = identifier(job.column)
    query = (
        f"SELECT count(fixup_row.{column}), count(*) - count(fixup_row.{column})"
        f" FROM {job.table.sql} AS fixup_row"
    )
    try:
        [(ready, left)] = rows(connection, query)
    except psycopg.Error:  # not migrated to its end, or hidden from the role
        ready = left = None
    return WaitingColumn(job.name, str(job.store), job.type, ready, left)


def _print_archives(archives: Sequence[KeptVectors], console: Console) -> None:
    from rich import filesize
    from rich.text import Text

    for one in archives:
        console.print(
            Text(
                f"{one.column}: {one.rows:,} vectors {one.type} in {one.table}, "
                f"{filesize.decimal(one.bytes)}"
            )
        )


def _drop(url: URL, archive: Archive, project: Project, console: Console) -> int:
    """Drops an archive that is still one; gives 1 where that cannot be done."""
    with connect(url, _lock_timeout(project)) as connection:
        name = archive.store

        def drop() -> None:
            with connection.transaction():
                execute(connection, f"LOCK TABLE {name.sql} IN ACCESS EXCLUSIVE MODE")
                query = f"SELECT pg_catalog.obj_description({name.oid}, 'pg_class')"
                if not str(value(connection, query)).startswith(ARCHIVE_MARK):
                    raise ProjectError(f"{name}: is no archive any more; nothing done to it.")
                execute(connection, f"DROP TABLE {name.sql}")

        try:
            again_if_locked(drop)
        except psycopg.errors.UndefinedTable:
            console.print(f"{name}: is gone already.")
        except psycopg.Error as error:
            console.print(f"{name}: not dropped: {said(error)}", style="red")
            return 1
        else:
            console.print(f"Dropped {name}.", style="green")
    return 0
