"""Whatever a project is configured to connect to, a replay reaches the scratch database only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.squash import replay
from tests.squash.replays import ASYNC, PRODUCTION, SYNC, env_py, load, write

pytestmark = [pytest.mark.postgres(16), pytest.mark.slow]
PATH = "op.execute('CREATE TABLE t AS SELECT current_setting($$search_path$$) AS path')"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def real(server: scratch.Server) -> Iterator[URL]:
    """A database that exists and could be reached."""
    with scratch.database(server) as url:
        yield url


def _tables(url: URL) -> set[str]:
    with scratch.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {str(name) for (name,) in found}


def _driver(url: URL, driver: str) -> str:
    shown = url.set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)
    return repr(shown)


SOURCES = {
    "alembic.ini": 'config.get_main_option("sqlalchemy.url")',
    "the environment": '__import__("os").environ["DATABASE_URL"]',
    "a settings object": '__import__("settings_of_app").settings.url',
    "config.attributes": f'config.attributes.get("url", "{PRODUCTION}")',
    "a program's URL object": 'sa.engine.make_url(config.get_main_option("sqlalchemy.url"))',
}


@pytest.mark.parametrize("source", SOURCES)
def test_wherever_the_url_comes_from(
    tmp_path: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "settings_of_app.py").write_text(
        f"class settings:\n    url = {PRODUCTION.replace('psycopg', 'psycopg2')!r}\n"
    )
    env = env_py(url=SOURCES[source], imports="import sqlalchemy as sa")
    write(tmp_path, env, PATH, ini=f"sqlalchemy.url = {PRODUCTION}\n")

    with monkeypatch.context() as environment:
        environment.setenv("DATABASE_URL", PRODUCTION)
        environment.setenv("PGHOST", "production.invalid")
        environment.setenv("PGHOSTADDR", "192.0.2.1")
        assert replay.upgrade(load(tmp_path), database_url, "head") == ()
    assert "t" in _tables(database_url)


@pytest.mark.parametrize(
    ("driver", "template", "arguments"),
    [
        ("psycopg", SYNC, 'connect_args={"options": "-csearch_path=public,kept"}'),
        ("psycopg2", SYNC, 'connect_args={"options": "-csearch_path=public,kept"}'),
        ("psycopg", ASYNC, 'connect_args={"options": "-csearch_path=public,kept"}'),
        ("asyncpg", ASYNC, 'connect_args={"server_settings": {"search_path": "public,kept"}}'),
    ],
)
def test_every_driver_with_what_changes_its_session(
    tmp_path: Path, database_url: URL, real: URL, driver: str, template: str, arguments: str
) -> None:
    write(tmp_path, env_py(template, url=_driver(real, driver), arguments=arguments), PATH)

    replay.upgrade(load(tmp_path), database_url, "head")
    with scratch.connect(database_url) as connection:
        assert connection.execute("SELECT path FROM t").fetchall() == [("public,kept",)]
    assert _tables(real) == set()


def test_a_listener_that_asks_for_a_password_sees_the_real_host_and_is_led_too(
    tmp_path: Path, database_url: URL
) -> None:
    before = """
import sqlalchemy as sa
@sa.event.listens_for(sa.Engine, "do_connect")
def token(dialect, record, arguments, named):
    assert named["host"] == "production.invalid"
    named["password"] = "a token"
    named["sslmode"] = "verify-full"
"""
    write(tmp_path, env_py(before=before), PATH)
    replay.upgrade(load(tmp_path), database_url, "head")
    assert "t" in _tables(database_url)


def test_an_environment_that_is_changed_meanwhile_leads_nowhere_else(
    tmp_path: Path, database_url: URL
) -> None:
    before = "import os\nos.environ.update(PGHOSTADDR='192.0.2.1', PGSERVICE='production')"
    write(tmp_path, env_py(before=before, url='"postgresql+psycopg2://"'), PATH)
    replay.upgrade(load(tmp_path), database_url, "head")
    assert "t" in _tables(database_url)


@pytest.mark.parametrize(
    ("driver", "connect"),
    [
        ("psycopg", "import psycopg\npsycopg.connect(URL)"),
        ("psycopg", "import psycopg, asyncio\nasyncio.run(psycopg.AsyncConnection.connect(URL))"),
        ("psycopg2", "import psycopg2\npsycopg2.connect(URL)"),
        ("asyncpg", "import asyncpg, asyncio\nasyncio.run(asyncpg.connect(URL))"),
    ],
)
def test_a_driver_s_own_connection_is_stopped_also_where_the_error_is_swallowed(
    tmp_path: Path, database_url: URL, real: URL, driver: str, connect: str
) -> None:
    """To a database that could be reached, so that only the guard can have stopped it."""
    url = real.set(drivername="postgresql").render_as_string(hide_password=False)
    swallowed = "\n".join(f"    {line}" for line in connect.replace("URL", repr(url)).split("\n"))
    body = f"try:\n{swallowed}\nexcept:\n    pass\nop.execute('CREATE TABLE t ()')"
    write(tmp_path, env_py(), body)
    with pytest.raises(
        ProjectError,
        match=rf"revision r1: migrations/versions/r1.py:\d+: connects to .*{real.database} "
        rf"directly by {driver}\. It was stopped before it was made",
    ):
        replay.upgrade(load(tmp_path), database_url, "head")


@pytest.mark.parametrize(
    ("template", "arguments", "imports"),
    [
        (SYNC, 'creator=lambda: psycopg2.connect("host=production.invalid")', "psycopg2"),
        (SYNC, 'creator=lambda: psycopg.connect("host=production.invalid")', "psycopg"),
        (
            ASYNC,
            'async_creator=lambda: asyncpg.connect("postgres://production.invalid")',
            "asyncpg",
        ),
    ],
)
def test_an_engine_with_a_creator_of_its_own_is_stopped(
    tmp_path: Path, database_url: URL, template: str, arguments: str, imports: str
) -> None:
    env = env_py(
        template,
        url=f'"postgresql+{imports}://"',
        arguments=arguments,
        imports=f"import {imports}",
    )
    write(tmp_path, env, PATH)
    with pytest.raises(ProjectError, match=r"env.py:\d+: connects to production.invalid.*creator="):
        replay.upgrade(load(tmp_path), database_url, "head")


def test_a_connection_by_the_environment_goes_to_the_scratch_database(
    tmp_path: Path, database_url: URL, server: scratch.Server
) -> None:
    assert server.bindir
    body = f"""
    import psycopg, subprocess
    with psycopg.connect() as connection:
        connection.execute("CREATE TABLE by_psycopg ()")
    subprocess.run(["{server.bindir}/psql", "-qc", "CREATE TABLE by_psql ()"], check=True)
    """
    write(tmp_path, env_py(), body)
    [note] = replay.upgrade(load(tmp_path), database_url, "head")
    assert (note.revision, note.text.split()[0]) == ("r1", "starts")
    assert {"by_psycopg", "by_psql"} <= _tables(database_url)


STOPPED = {
    "another database system": (
        "import sqlalchemy as sa\nsa.create_engine('sqlite://').connect()",
        "connects to a database by sqlite",
    ),
    "a second database": (
        "import sqlalchemy as sa\n"
        "sa.create_engine('postgresql+psycopg://production.invalid/postgres').connect()",
        r"there are connections to several databases \(production.invalid:6000/app and "
        r"production.invalid:5432/postgres\).*only serves to create",
    ),
    "CREATE DATABASE": (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('/* x */ create  database other')",
        "executes create database, which reaches beyond",
    ),
    "a setting of another database": (
        "op.execute('ALTER DATABASE app SET search_path = x')",
        "executes ALTER DATABASE app, which reaches beyond",
    ),
    "psql with a connection": (
        "import subprocess\nsubprocess.run('echo | psql -h production.invalid app', shell=True)",
        "starts a program with a database connection of its own",
    ),
    "a program with a URL": (
        f"import subprocess\nsubprocess.run(['true', {PRODUCTION!r}])",
        "starts a program with a database connection of its own",
    ),
    "a socket": (
        "import socket\nsocket.create_connection(('192.0.2.1', 5432))",
        "connects to 192.0.2.1:5432, a PostgreSQL server's",
    ),
}


@pytest.mark.parametrize("what", STOPPED)
def test_what_reaches_beyond_the_scratch_database_is_stopped(
    tmp_path: Path, database_url: URL, what: str
) -> None:
    body, reason = STOPPED[what]
    write(
        tmp_path,
        env_py(),
        f"try:\n    {body.replace(chr(10), chr(10) + '    ')}\nexcept Exception:\n    pass",
    )
    with pytest.raises(
        ProjectError, match=rf"revision r1: migrations/versions/r1.py:\d+: {reason}"
    ):
        replay.upgrade(load(tmp_path), database_url, "head")


PROGRAMS = {
    "python": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'pass'])",
    "spawned": "import os, sys\nos.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})",
    "multiprocessing": (
        "import multiprocessing\nmultiprocessing.get_context('spawn').Process(target=print).start()"
    ),
    "to program": "op.execute(\"COPY (SELECT 1) TO PROGRAM 'cat'\")",
    "subscription": "op.execute(\"CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p\")",
    "dblink": "op.execute(\"SELECT dblink_exec('host=x', 'SELECT 1')\")",
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_that_would_connect_by_itself_is_stopped(
    tmp_path: Path, database_url: URL, what: str
) -> None:
    write(tmp_path, env_py(), PROGRAMS[what])
    with pytest.raises(ProjectError, match=r"Python program|begins afresh|beyond the scratch"):
        replay.upgrade(load(tmp_path), database_url, "heads")


def test_a_program_gets_the_scratch_database_in_its_environment(
    tmp_path: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_URL", PRODUCTION)
    said = tmp_path / "said"
    body = f"import subprocess\nsubprocess.run(['sh', '-c', 'echo $SOME_URL > {said}'])"
    write(tmp_path, env_py(), body)
    replay.upgrade(load(tmp_path), database_url, "heads")
    assert "invalid" not in said.read_text()
    assert str(database_url.database) in said.read_text()
