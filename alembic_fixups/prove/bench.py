"""What revisions are tried out with: a server, and a process that runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.prove import state
from alembic_fixups.prove.job import Done, Job, Stop
from alembic_fixups.prove.runner import Runner
from alembic_fixups.prove.state import Moment
from alembic_fixups.scratch import Server
from alembic_fixups.squash import dump, surroundings
from alembic_fixups.squash.version_table import VersionTable, revisions, stamp


def _ignore(law: str, tries: int) -> None:
    pass


@dataclass(frozen=True)
class Bench:
    """What revisions are tried out with.

    Attributes:
        server: where the databases are.
        runner: runs revisions.
        table: Alembic's own table.
        stops: at how many statements a run is stopped at most.
        trying: is called with a law and how many tries it takes, and with 0 after each of them.
    """

    server: Server
    runner: Runner
    table: VersionTable
    stops: int = 200
    trying: Callable[[str, int], None] = _ignore

    def copy(self, url: URL) -> AbstractContextManager[URL]:
        """A copy of a database that nobody is connected to, for a ``with`` block."""
        return scratch.database(self.server, template=url.database)

    def take(self, url: URL) -> Moment:
        """A database as it is now."""
        return state.take(self.server, url)

    def heads(self, url: URL) -> list[str]:
        """The revisions that a database is at."""
        with scratch.connect(url) as connection:
            return revisions(connection, self.table)

    def stamp(self, url: URL, heads: Iterable[str]) -> None:
        """Writes the revisions that a database is to be at."""
        with scratch.connect(url) as connection:
            stamp(connection, self.table, heads)

    def roles(self) -> frozenset[str]:
        """The roles of the server, with what is said of each."""
        with scratch.connect(self.server.url) as connection:
            said = map(str, surroundings.said_of_roles(connection))
            return frozenset(surroundings.roles(connection)) | frozenset(said)

    def run(self, url: URL, revision: str, *, upgrade: bool, stop: Stop | None = None) -> Done:
        """Runs a revision on a database."""
        job = Job(revision, upgrade, url.render_as_string(hide_password=False), stop=stop)
        return self.do(job)

    def do(self, job: Job) -> Done:
        """Does a job; where the process ends before it is done, that is what failed."""
        try:
            return self.runner.do(job)
        except ProjectError as error:
            return Done(error=str(error))

    def psql(self, url: URL, script: str) -> str:
        """Runs a script as ``psql -f`` does, and gives what is wrong, "" where nothing is."""
        done = subprocess.run(
            [dump.tools(self.server) / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"],
            input=script.encode(),
            capture_output=True,
            env=dump.environment(url),
        )
        return done.stderr.decode(errors="replace").strip() if done.returncode else ""
