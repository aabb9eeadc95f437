"""``pytest --alembic-fixups``: what ``prove`` holds a revision to, as tests of a user's own.

pytest loads this module wherever the package is installed, so nothing heavy is imported before
the option is given.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sqlalchemy import URL

    from alembic_fixups.project import Project
    from alembic_fixups.pytest_tests.proofs import Proofs
    from alembic_fixups.scratch import Server

OPTION = "alembic_fixups"
SINCE = "alembic_fixups_since"
REVISIONS = pytest.StashKey[list[str]]()
"""The ids of the revisions that are tested."""

_TESTS = Path(__file__).with_name("pytest_tests") / "revisions.py"
_FOLDERS = pytest.StashKey[dict[Path, pytest.Directory]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line, and the keys of pytest's configuration."""
    group = parser.getgroup("alembic-fixups", "Alembic revisions, tried out")
    group.addoption(
        "--alembic-fixups",
        action="store_true",
        dest=OPTION,
        help="Test the newest revision, the models and the newest squash of the Alembic project.",
    )
    group.addoption(
        "--alembic-fixups-since",
        metavar="REV",
        dest=SINCE,
        help="Test all revisions from this one on, not the newest alone.",
    )
    parser.addini(
        "alembic_fixups_config",
        "Alembic's configuration, as `alembic -c`: relative to the root folder.",
        type="paths",
        default=[],
    )
    parser.addini("alembic_fixups_name", "Section of the ini file, as `alembic -n`.", default="")
    parser.addini(
        "alembic_fixups_x", "Arguments for env.py, as `alembic -x`.", type="args", default=[]
    )
    parser.addini(
        "alembic_fixups_postgresql",
        "A process fixture of pytest-postgresql to work on, as postgresql_proc; the embedded "
        "server where left out.",
        default="",
    )
    parser.addini(
        "alembic_fixups_folder",
        "The folder whose conftest.py has a say; the first of testpaths where left out.",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known that says which law a test is about."""
    config.addinivalue_line("markers", "alembic_fixups_law(name): what a revision is held to")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Keeps the folders that are collected: what their conftest.py has is theirs."""
    if isinstance(collector, pytest.Directory):
        folders = collector.config.stash.setdefault(_FOLDERS, {})
        folders.setdefault(collector.path, collector)


@pytest.hookimpl(tryfirst=True)  # so that -k and -m choose among them as well
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Adds the tests where they are asked for."""
    config = session.config
    if not (config.getoption(OPTION) or config.getoption(SINCE)):
        return
    from alembic_fixups.pytest_tests.proofs import wanted

    config.stash[REVISIONS] = wanted(config)
    folder = config.getini("alembic_fixups_folder") or next(iter(config.getini("testpaths")), "")
    folders = config.stash.get(_FOLDERS, {})
    module = pytest.Module.from_parent(
        folders.get(config.rootpath / folder, session),
        path=_TESTS,
        nodeid="/".join(filter(None, [folder, "alembic_fixups"])),
    )
    items.extend(session.genitems(module))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Has a mistake of the user's told without a traceback."""
    with _told(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Has a mistake of the user's told without a traceback."""
    with _told(item):
        return (yield)


@contextmanager
def _told(item: pytest.Item) -> Iterator[None]:
    if item.path != _TESTS:
        yield
        return
    from alembic_fixups.pytest_tests.proofs import MISTAKES

    try:
        yield
    except MISTAKES as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="session")
def alembic_fixups_project(pytestconfig: pytest.Config) -> Project:
    """The Alembic project that the tests are about."""
    from alembic_fixups.pytest_tests.proofs import load

    return load(pytestconfig)


@pytest.fixture(scope="session")
def alembic_fixups_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server that scratch databases are made on.

    That of the process fixture that ``alembic_fixups_postgresql`` names, else an embedded one.
    Override it to name another: ``alembic_fixups.scratch.at(url)``.
    """
    from alembic_fixups.pytest_tests.proofs import server

    name = request.config.getini("alembic_fixups_postgresql")
    process = request.getfixturevalue(name) if name else None
    with server(request.config, process) as found:
        yield found


@pytest.fixture
def alembic_fixups_database(alembic_fixups_server: Server) -> Iterator[URL]:
    """A fresh empty database for a test, by pytest-postgresql; its SQLAlchemy URL."""
    from alembic_fixups.pytest_tests.proofs import database

    with database(alembic_fixups_server) as url:
        yield url


@pytest.fixture(scope="session")
def alembic_fixups_proofs(
    request: pytest.FixtureRequest, alembic_fixups_project: Project, alembic_fixups_server: Server
) -> Iterator[Proofs]:
    """What comes out for each revision, which is tried out when it is first asked for."""
    from alembic_fixups.pytest_tests.proofs import proofs

    with proofs(request.session, alembic_fixups_project, alembic_fixups_server) as found:
        yield found
