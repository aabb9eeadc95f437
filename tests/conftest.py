"""PostgreSQL 15, 16 and 18 for the tests.

Each pytest-xdist worker starts a server of its own the first time a test asks for that
version, and pytest-postgresql makes and drops a database in it for each test.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL

from alembic_fixups import scratch

VERSIONS = (15, 16, 18)
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
WITHOUT_15 = f"PostgreSQL 15 is not in {DEBIAN_15}"
MEMORY = Path("/dev/shm")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pg_version" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("postgres")
    without_15 = pytest.mark.skipif(not DEBIAN_15.exists(), reason=WITHOUT_15)
    metafunc.parametrize(
        "pg_version",
        [
            pytest.param(version, id=f"pg{version}", marks=without_15 if version == 15 else ())
            for version in (marker.args if marker else VERSIONS)
        ],
        indirect=True,
        scope="session",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has tests that run on 16 too have their turn on 15 and 18 with the slow ones.

    But those of the catalogs and of the servers, where the versions differ; the laws see to
    themselves.
    """
    here = Path(__file__).parent
    elsewhere = {here / "laws", here / "catalog", here / "test_scratch.py"}
    on_16 = {item.nodeid.replace("pg16", "pg") for item in items if "pg16" in item.nodeid}
    for item in items:
        if not elsewhere.isdisjoint((item.path, item.path.parent)):
            continue
        for version in ("pg15", "pg18"):
            if version in item.nodeid and item.nodeid.replace(version, "pg") in on_16:
                item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    left_out = sum(WITHOUT_15 in str(report.longrepr) for report in skipped)
    if left_out:
        terminalreporter.section("LEFT OUT", red=True, bold=True)
        terminalreporter.line(
            f"{left_out} TESTS ON POSTGRESQL 15 WERE NOT RUN: {WITHOUT_15.upper()}.", red=True
        )
        terminalreporter.line("On Debian 12, as root: apt-get install postgresql-15")


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[int], scratch.Server]]:
    """A function that gives the server of a major version, starting it the first time."""
    # In memory a database is made ten times as fast; a container's small /dev/shm is no use.
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 << 30
    parent = MEMORY if roomy else None
    with ExitStack() as stack:

        @cache
        def start(version: int) -> scratch.Server:
            if version == 15:
                return stack.enter_context(scratch.installed(DEBIAN_15, parent=parent))
            return stack.enter_context(scratch.embedded(version, parent=parent))

        yield start


@pytest.fixture(scope="session")
def pg_version(request: pytest.FixtureRequest) -> int:
    """Each major version in turn: those of ``@pytest.mark.postgres(...)``, or all."""
    version: int = request.param
    return version


@pytest.fixture(scope="session")
def server(pg_version: int, servers: Callable[[int], scratch.Server]) -> scratch.Server:
    """The worker's own server of that version."""
    return servers(pg_version)


@pytest.fixture
def database_url(server: scratch.Server) -> Iterator[URL]:
    """A fresh empty database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    query = server.url.query
    with DatabaseJanitor(
        user="postgres", host=str(query["host"]), port=str(query["port"]), dbname=name
    ):
        yield server.url.set(database=name)


@pytest.fixture
def connection(database_url: URL) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """An autocommit psycopg connection to the fresh database."""
    with scratch.connect(database_url) as connection:
        yield connection


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What PostgreSQL says while a migration runs."""
    said: list[str] = []

    def listen(connection: Any, _: Any) -> None:
        connection.add_notice_handler(
            lambda notice: said.append(f"{notice.severity}: {notice.message_primary}")
        )

    event.listen(Engine, "connect", listen)
    yield said
    event.remove(Engine, "connect", listen)
