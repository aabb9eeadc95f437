"""What is said of settings, sources and databases that are no good, before anything is done."""

import sys
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from alembic_fixups import project, scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.reembed.database import arguments
from alembic_fixups.settings import SettingsError
from tests.reembed.waiting import Waiting
from tests.test_cli import AlembicProject

pytestmark = pytest.mark.postgres(16)


def refused(waiting: Waiting, **request: bool) -> str:
    with pytest.raises((ProjectError, SettingsError)) as raised:
        waiting.run(**request)
    assert waiting.value("SELECT count(embedding) FROM app.docs") == 0
    return str(raised.value)


@pytest.mark.parametrize(
    "source, message",
    [
        ("SELECT body FROM app.docs", "it gives 1 column, and has to give 2: id, a text"),
        ("SELECT id, body, body FROM app.docs", "it gives 3 columns, and has to give 2"),
        ("SELECT id, body || $1 FROM app.docs", "supplies 0 parameters"),
        ("SELECT id + 0.5, body FROM app.docs", "gives numeric, which may be another key once it"),
        ("SELECT id, app.written(body) FROM app.docs", "cannot execute UPDATE in a read-only tr"),
        (
            "SELECT 1) q; UPDATE app.docs SET embedding = '[0,0,0]'; SELECT * FROM (SELECT 1",
            "cannot insert multiple commands into a prepared statement",
        ),
        ("SELECT body, body FROM app.docs", "where the primary key's id (bigint) has to be, it "),
        ("SELECT id, id FROM app.docs", "its last column is bigint and has to be a text"),
        ("SELECT id, bdoy FROM app.docs", 'column "bdoy" does not exist'),
        ("SELECT id, body FORM app.docs", "syntax error"),
        ("SELECT id, body FROM app.docs, generate_series(1, 2)", "more than one row for a primary"),
        ("SELECT id, body || random() FROM app.docs", "others each time that it is run"),
        ("SELECT id, (1 / (id - 3))::text FROM app.docs", "division by zero"),
    ],
)
def test_source(waiting: Waiting, source: str, message: str) -> None:
    waiting.docs()
    waiting.execute(
        "CREATE FUNCTION app.written(text) RETURNS text LANGUAGE sql AS"
        " 'UPDATE app.docs SET embedding = ''[0,0,0]'' RETURNING $1'"
    )
    waiting.job(source=source)
    said = refused(waiting)
    assert message in said
    assert 'vector-dimension.columns."app.docs.embedding".source: ' in said
    assert str(waiting.folder / "pyproject.toml") + ":" in said
    assert message in refused(waiting, dry_run=True)


@pytest.mark.parametrize(
    "what, message",
    [
        ("lock", "canceling statement due to lock timeout"),
        ("pg_cancel_backend", "canceling statement due to user request"),
        ("pg_terminate_backend", "terminating connection due to administrator command"),
    ],
)
def test_database_that_gets_in_the_way(waiting: Waiting, what: str, message: str) -> None:
    """Is not the fault of the source."""
    waiting.lock_timeout = "50ms"
    waiting.docs()
    source = "SELECT id, body FROM app.docs"
    waiting.job(
        source=source if what == "lock" else f"{source} WHERE {what}(pg_backend_pid()) IS NOT NULL"
    )
    with scratch.connect(waiting.url) as other:
        if what == "lock":
            other.execute("BEGIN; LOCK TABLE app.docs")
        done = waiting.cli("reembed", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the database postgresql")
    assert f"{message}. Nothing has been done; run it again." in done.stderr


def test_no_settings(waiting: Waiting) -> None:
    waiting.docs()
    waiting.job()
    waiting.columns.clear()
    waiting.settings()
    said = refused(waiting)
    assert "app.docs.embedding waits for vectors, and the settings say nothing of it" in said
    assert '[tool.alembic-fixups.vector-dimension.columns."app.docs.embedding"]' in said


@pytest.mark.parametrize(
    "embedder, message",
    [
        ("no.such.module:embed", "ModuleNotFoundError: No module named 'no'"),
        ("json:embed", "has no attribute 'embed'"),
        ("json:__all__", "is a list, not a function"),
        ("ends:embed", "SystemExit: 0"),
    ],
)
def test_embedder(waiting: Waiting, embedder: str, message: str) -> None:
    waiting.docs()
    (waiting.folder / "ends.py").write_text("raise SystemExit(0)")
    waiting.job(embedder=embedder)
    assert message in refused(waiting)


def test_migration_that_is_not_at_its_end(waiting: Waiting) -> None:
    waiting.docs(type="vector(5)")
    waiting.job()
    assert "its type is public.vector(5), not yet public.vector(3)" in refused(waiting)


def test_key_that_changed(waiting: Waiting) -> None:
    waiting.docs()
    waiting.job()
    waiting.execute("ALTER TABLE app.docs RENAME id TO number")
    assert "the primary key of app.docs is no longer that of" in refused(waiting)


def test_row_level_security(waiting: Waiting) -> None:
    """Of the table, and of another one that the source reads."""
    role = f"role_{waiting.url.database}"
    waiting.docs()
    waiting.job(source="SELECT id, n.body FROM app.docs JOIN app.notes n USING (id)")
    for statement in (
        "CREATE ROLE {} LOGIN",
        "GRANT USAGE ON SCHEMA app TO {}",
        "CREATE TABLE app.notes AS SELECT id, body FROM app.docs",
        "GRANT ALL ON ALL TABLES IN SCHEMA app TO {}",
        "ALTER TABLE app.docs ENABLE ROW LEVEL SECURITY",
    ):
        waiting.connection.execute(sql.SQL(statement).format(sql.Identifier(role)))
    superuser, waiting.url = waiting.url, waiting.url.set(username=role)
    try:
        assert "row level security hides rows of app.docs from the role" in refused(waiting)
        waiting.execute(
            "ALTER TABLE app.docs DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY",
        )
        assert 'row-level security policy for table "notes"' in refused(waiting)
    finally:
        waiting.url = superuser
        waiting.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "url, message",
    [
        ("mysql://x/y", "not a PostgreSQL URL"),
        ("nonsense", "not a database URL"),
        (
            "postgresql+asyncpg://x:secret@127.0.0.1:1/y",
            "No connection to postgresql+asyncpg://x:*",
        ),
    ],
)
def test_database_url(waiting: Waiting, url: str, message: str) -> None:
    waiting.settings()
    with pytest.raises(ProjectError) as raised:
        waiting.run(database_url=url)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "driver, template",
    [("psycopg2", "generic"), ("asyncpg", "async")],
)
def test_database_of_env_py(
    waiting: Waiting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, template: str
) -> None:
    folder = tmp_path / "user's project"
    folder.mkdir()
    url = waiting.url.set(drivername=f"postgresql+{driver}", password="it's a %secret")
    made = AlembicProject(folder, url, template)
    waiting.docs(3)
    waiting.job()
    settings = (waiting.folder / "pyproject.toml").read_text()
    made.pyproject.write_text(settings)
    (folder / f"{waiting.module}.py").write_text(
        (waiting.folder / f"{waiting.module}.py").read_text()
    )
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "models", raising=False)
    [found] = project.database_urls(project.load([str(made.ini)]))
    monkeypatch.delitem(sys.modules, "models")
    assert found.password == "it's a %secret"
    done = made.run("reembed")
    assert done.returncode == 0, done.stderr
    assert "app.docs.embedding: 3 rows embedded, complete." in done.stdout
    assert waiting.wrong() == 0


def test_url_of_another_driver() -> None:
    given = (
        "postgresql+asyncpg://me:p%40ss@/db?host=a:1&host=b&ssl=require&timeout=5&options=-cx%3D1"
    )
    assert arguments(make_url(given)) == {
        "host": "a,b",
        "port": "1,",
        "user": "me",
        "password": "p@ss",
        "dbname": "db",
        "sslmode": "require",
        "options": "-cx=1",
    }


def test_env_py_that_connects_to_nothing(waiting: Waiting) -> None:
    waiting.settings()
    with pytest.raises(ProjectError, match="does not connect to a database"):
        waiting.run(database_url=None)


def test_command_line(waiting: Waiting) -> None:
    waiting.docs()
    waiting.job(source="SELECT id, nothing FROM app.docs")
    done = waiting.process("reembed")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: pyproject.toml:")
    assert 'column "nothing" does not exist' in done.stderr
    assert waiting.cli("reembed", "--workers", "0").returncode == 2
