"""What the tests of a user's revisions are made of."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import URL

from alembic_fixups import project as projects
from alembic_fixups import scratch, settings
from alembic_fixups.project import Project
from alembic_fixups.prove import revisions
from alembic_fixups.prove.session import Proven, Session, session
from alembic_fixups.prove.verdict import LAWS, Verdict
from alembic_fixups.pytest_plugin import SINCE
from alembic_fixups.scratch import Server
from alembic_fixups.settings import Law
from alembic_fixups.squash import history
from alembic_fixups.squash.replaying import FAILURES
from alembic_fixups.squash.servers import Site

MISTAKES = (*FAILURES, scratch.ScratchError, psycopg.OperationalError)
"""What is the user's to put right, or the server's, and says by itself what it is."""


def load(config: pytest.Config) -> Project:
    """The Alembic project of pytest's configuration.

    Raises:
        ProjectError: there is none, or its configuration is no good.
    """
    return projects.load(
        list(map(str, config.getini("alembic_fixups_config"))),
        config.getini("alembic_fixups_name") or "alembic",
        config.getini("alembic_fixups_x"),
    )


def options(config: pytest.Config) -> list[str]:
    """The same, as options of the command line."""
    configs = [f"--config={path}" for path in config.getini("alembic_fixups_config")]
    name = config.getini("alembic_fixups_name")
    arguments = [word for one in config.getini("alembic_fixups_x") for word in ("-x", one)]
    return [*configs, *([f"--name={name}"] if name else []), *arguments]


def wanted(config: pytest.Config) -> list[str]:
    """The ids of the revisions that are tested, in the order of the history.

    Raises:
        UsageError: there are none, or the configuration is no good.
    """
    since = config.getoption(SINCE)
    try:
        script = load(config).script
        history.load(script)  # says what is wrong with a broken one
        chosen = revisions.choose(script, f"{since}:" if since else None)
    except FAILURES as error:
        raise pytest.UsageError(f"alembic-fixups: {error}") from error
    return [one.revision for one in chosen]


@contextmanager
def server(config: pytest.Config, process: Any) -> Iterator[Server]:
    """The server of a process fixture of pytest-postgresql; an embedded one where there is none.

    Raises:
        ScratchError: it does not answer, or does not start.
    """
    if process is None:
        chosen = settings.load(settings.path_for(load(config).config)).squash
        with scratch.embedded(chosen.postgres) as found:
            yield found
        return
    url = URL.create(
        scratch.DRIVER,
        username=process.user,
        password=process.password,
        database="postgres",
        # Where a host is the folder of a socket, it cannot stand before the port.
        query={"host": str(process.host), "port": str(process.port)},
    )
    yield scratch.at(url)


@contextmanager
def database(server: Server) -> Iterator[URL]:
    """A fresh empty database of pytest-postgresql's, for a ``with`` block."""
    name = f"fixups_{uuid.uuid4().hex[:12]}"
    _, arguments = server.url.get_dialect()().create_connect_args(server.url)
    with DatabaseJanitor(
        user=arguments.get("user", ""),
        host=arguments.get("host", ""),
        port=arguments.get("port", scratch.PORT),
        password=arguments.get("password"),
        dbname=name,
    ):
        yield server.url.set(database=name)


class Proofs:
    """What comes out for each revision, tried out when it is first asked for.

    Args:
        project: the project.
        session: proves its revisions.
    """

    def __init__(self, project: Project, session: Session) -> None:
        self._project = project
        self._session = session
        self.of = cache(self._of)

    def _of(self, revision: str) -> Proven:
        return self._session.prove(self._project.script.get_revision(revision))

    def require(self, revision: str, law: Law) -> None:
        """Lets the test fail where a revision breaks a law, and skips it where it was not tried."""
        found = {verdict.law: verdict for verdict in self.of(revision).verdicts}
        verdict = found.get(law, Verdict(law, "not tried", "the settings leave it out"))
        if verdict.outcome == "not tried":
            pytest.skip(verdict.reason)
        if verdict.outcome == "broken":
            lines = [f"{revision}: {LAWS[law]}: broken.", verdict.reason, *verdict.differences]
            pytest.fail("\n".join(lines), pytrace=False)


@contextmanager
def proofs(session_: pytest.Session, project: Project, server: Server) -> Iterator[Proofs]:
    """Proofs of the laws that the tests of this run are about, for a ``with`` block."""
    chosen = settings.load(settings.path_for(project.config)).prove
    marks = [item.get_closest_marker("alembic_fixups_law") for item in session_.items]
    laws = {mark.args[0] for mark in marks if mark is not None}
    kept = tuple(law for law in chosen.laws if law in laws)
    site = Site(server, frozenset(), frozenset())
    with session(project, site, chosen.model_copy(update={"laws": kept})) as proving:
        yield Proofs(project, proving)
