"""Revisions are proven one after the other, each on a scratch database at its parents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script
from psycopg import sql
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.prove import data as dumps
from alembic_fixups.prove import made_up
from alembic_fixups.prove.bench import Bench
from alembic_fixups.prove.data import Dump
from alembic_fixups.prove.fitting import fitting
from alembic_fixups.prove.job import Job
from alembic_fixups.prove.laws import tried
from alembic_fixups.prove.made_up import Filled
from alembic_fixups.prove.runner import Runner, runner
from alembic_fixups.prove.trace import Trace, install
from alembic_fixups.prove.verdict import Verdict
from alembic_fixups.settings import Prove, shown
from alembic_fixups.squash import replay, surroundings
from alembic_fixups.squash.servers import Site
from alembic_fixups.squash.version_table import revisions, version_tables

_REASON = 500
"""Characters of an error; a context may repeat itself a thousand times."""


def _ignore(what: str, tries: int) -> None:
    pass


@dataclass(frozen=True)
class Proven:
    """What came out for a revision.

    Attributes:
        revision: its id.
        message: the first line of what it says of itself.
        path: its file.
        rows: what was made up in tables that had no rows; nothing with rows from a dump.
        fits: what the revision adds that these rows fit; others might stop it.
        verdicts: one for each law.
        trace: what its statements lock and touch; None where it does not run.
        notes: what it does besides.
    """

    revision: str
    message: str
    path: Path
    rows: tuple[Filled, ...]
    fits: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    trace: Trace | None
    notes: tuple[str, ...]

    @property
    def broken(self) -> list[Verdict]:
        """The laws that it does not hold to."""
        return [verdict for verdict in self.verdicts if verdict.outcome == "broken"]


class Session:
    """Proves revisions, in the order of the history or not.

    Args:
        project: a project of :func:`alembic_fixups.project.load`.
        site: where databases are made.
        runner: runs revisions.
        wanted: the settings.
        dump: where the rows come from; None to make some up.
        trying: is called with what is done next and how many tries it takes, and with 0 tries
            after each of them.
        verbose: whether to show what env.py and the revisions print.
    """

    def __init__(
        self,
        project: Project,
        site: Site,
        runner: Runner,
        wanted: Prove,
        *,
        dump: Dump | None,
        trying: Callable[[str, int], None],
        verbose: bool,
    ) -> None:
        self._project = project
        self._server = site.server
        self._runner = runner
        self._wanted = wanted
        self._dump = dump
        self._trying = trying
        self._verbose = verbose
        self._database = ExitStack()
        self._at: URL | None = None

    def close(self) -> None:
        """Drops its database."""
        self._at = None
        self._database.close()

    def prove(self, script: Script) -> Proven:
        """Holds a revision to the laws, and traces it.

        Raises:
            ProjectError: the revisions before it cannot be applied, or rows not be loaded.
            ScratchError: no database can be made.
        """
        before = self._at_parents(script)
        bench = self._bench(before)
        filled, fits = self._fill(bench, before, script.revision)
        message = (script.doc or "").partition("\n")[0]
        with tried(bench, script.revision, self._wanted.laws, before) as found:
            trace: Trace | None = None
            notes: tuple[str, ...] = ()
            if found.after is not None:
                trace, notes = self._trace(bench, script.revision, before)
                self._go_on_with(found.after)
        return Proven(
            script.revision,
            message,
            Path(script.path),
            filled,
            fits,
            found.verdicts,
            trace,
            notes,
        )

    def _at_parents(self, script: Script) -> URL:
        """A database at a revision's parents: that of the one before it, or a new one."""
        parents = [*script._versioned_down_revisions, *script._resolved_dependencies]
        if self._at is not None and set(self._heads(self._at)) == set(parents):
            return self._at
        self.close()
        url = self._database.enter_context(scratch.database(self._server))
        before = self._ancestors(parents)
        self._trying("replay", len(before))
        if self._dump is not None:
            self._require_before(self._dump, script, before)
            dumps.load(self._dump, self._server, url, lambda to: self._upgrade(url, to))
        for parent in parents:
            self._upgrade(url, parent)
        # Makes Alembic's own table, as any upgrade does, where no revision has run.
        done = self._runner.do(Job("", True, url.render_as_string(hide_password=False)))
        if done.error:
            raise ProjectError(done.error)
        self._at = url
        return url

    def _ancestors(self, parents: Sequence[str]) -> list[Script]:
        """The revisions that a database at these has had."""
        if not parents:
            return []
        return list(self._project.script.iterate_revisions(tuple(parents), "base"))

    def _upgrade(self, url: URL, to: str) -> None:
        replay.upgrade(
            self._project,
            url,
            to,
            applied=lambda _: self._trying("replay", 0),
            verbose=self._verbose,
        )

    def _require_before(self, dump: Dump, script: Script, before: list[Script]) -> None:
        later = set(dump.revisions) - {one.revision for one in before}
        if later:
            raise ProjectError(
                f"{shown(dump.given)} was taken at {', '.join(sorted(later))}, which is not "
                f"before {script.revision}. Take a dump of a database that does not have "
                f"{script.revision} yet, or prove a later revision."
            )

    def _heads(self, url: URL) -> list[str]:
        with scratch.connect(url) as connection:
            return revisions(connection, version_tables(connection)[0])

    def _fill(
        self, bench: Bench, url: URL, revision: str
    ) -> tuple[tuple[Filled, ...], tuple[str, ...]]:
        """Makes rows up; gives which, and what the revision adds that they fit."""
        if self._dump is not None or not self._wanted.rows:
            return (), ()
        self._trying("rows", 1)
        with ExitStack() as stack:
            after = stack.enter_context(_without_new_roles(bench, bench.copy(url)))
            fits: tuple[str, ...] = ()
            if not bench.run(after, revision, upgrade=True).error:
                fits = stack.enter_context(fitting(url, after))
            with scratch.connect(url) as connection:
                filled = made_up.fill(connection, rows=self._wanted.rows, seed=self._wanted.seed)
                connection.execute("ANALYZE")
        self._trying("rows", 0)
        return tuple(filled), fits

    def _bench(self, url: URL) -> Bench:
        with scratch.connect(url) as connection:
            table = version_tables(connection)[0]
        return Bench(self._server, self._runner, table, self._wanted.stops, self._trying)

    def _trace(self, bench: Bench, revision: str, before: URL) -> tuple[Trace, tuple[str, ...]]:
        self._trying("trace", 1)
        with bench.copy(before) as url:
            with scratch.connect(url) as connection:
                install(connection)
            database = url.render_as_string(hide_password=False)
            done = self._runner.do(Job(revision, True, database, trace=True, table=bench.table[1]))
        self._trying("trace", 0)
        if done.trace is None or done.error:
            reason = f"with its statements traced it does not run: {done.error[:_REASON]}"
            return Trace((), complete=False, why_not=reason), done.notes
        return Trace.of(done.trace), done.notes

    def _go_on_with(self, after: URL) -> None:
        """Keeps a database after a revision, for the next one."""
        with ExitStack() as stack:
            at = stack.enter_context(scratch.database(self._server, template=after.database))
            self.close()
            self._database = stack.pop_all()
        self._at = at


@contextmanager
def _without_new_roles(bench: Bench, database: AbstractContextManager[URL]) -> Iterator[URL]:
    """The database for a ``with`` block; with it go the roles that were made meanwhile."""
    with scratch.connect(bench.server.url) as connection:
        before = surroundings.roles(connection)
        with database as url:
            yield url
        for role in sorted(set(surroundings.roles(connection)) - set(before)):
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@contextmanager
def session(
    project: Project,
    site: Site,
    wanted: Prove,
    *,
    dump: Dump | None = None,
    trying: Callable[[str, int], None] = _ignore,
    verbose: bool = False,
) -> Iterator[Session]:
    """What proves revisions, for a ``with`` block; takes what :class:`Session` does.

    Raises:
        ProjectError: the project cannot be loaded; the message says why.
        ScratchError: no database can be made.
    """
    with (
        scratch.database(site.server) as empty,
        runner(project, empty, verbose=verbose) as running,
    ):
        found = Session(project, site, running, wanted, dump=dump, trying=trying, verbose=verbose)
        try:
            yield found
        finally:
            found.close()
