"""A replay does what ``alembic upgrade`` does, and tells what is worth telling."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.squash import replay
from alembic_fixups.squash.chain import Chain
from tests.squash.replays import env_py, load, revision, write

pytestmark = [pytest.mark.postgres(16), pytest.mark.slow]
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_env_py_sees_what_it_sees_under_alembic(
    tmp_path: Path, database_url: URL, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its -x, -n and revision, a schema that it makes, modules of the project, an ./alembic."""
    before = """
import sys
assert context.get_x_argument(as_dictionary=True) == {"tenant": "one"}, context.get_x_argument()
assert config.config_ini_section == "other"
assert config.cmd_opts.revision == context.get_revision_argument() == "r2"
assert config.get_main_option("here_only") == "yes"
assert sys.stdin.read() == ""
print("env.py speaks")
"""
    env = env_py(
        before=before,
        options='version_table="versions", version_table_schema="kept"',
        after="",
    ).replace(
        "    context.configure(",
        '    connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS kept")\n'
        "    connection.commit()\n    context.configure(",
    )
    ini = "here_only = no\n[other]\nscript_location = %(here)s/migrations\nhere_only = yes\n"
    ini += "prepend_sys_path = %(here)s\npath_separator = os\n"
    bodies = ["import texts\nop.execute(texts.MAKE)", "op.create_index('i', 't', ['a'])", "1 / 0"]
    write(tmp_path, env, *bodies, ini=ini)
    (tmp_path / "texts.py").write_text("MAKE = 'CREATE TABLE t (a integer)'\n")
    (tmp_path / "alembic").mkdir()
    (tmp_path / "alembic" / "__init__.py").write_text("raise ImportError('shadows Alembic')\n")

    applied: list[str] = []
    notes = replay.upgrade(
        load(tmp_path, "other", ("tenant=one",)),
        database_url,
        "r2",
        applied=applied.append,
        verbose=True,
    )
    assert (notes, applied) == ((), ["r1", "r2"])
    assert _rows(connection, "SELECT version_num FROM kept.versions") == [("r2",)]
    assert capsys.readouterr().err == "env.py speaks\n"


def test_transactions_are_alembics(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    """With one for each revision, autocommit blocks, and the use of a new enum value."""
    bodies = [
        "op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")",
        "with op.get_context().autocommit_block():\n"
        "    op.execute(\"ALTER TYPE mood ADD VALUE 'ok'\")\n"
        "op.execute(\"CREATE TABLE t AS SELECT 'ok'::mood AS m\")",
        "op.execute('CREATE INDEX i ON t (m)')\n1 / 0",
    ]
    write(tmp_path, env_py(options="transaction_per_migration=True"), *bodies)
    applied: list[str] = []
    with pytest.raises(
        ProjectError, match=r"^revision r3: migrations/versions/r3.py:9: ZeroDivisionError"
    ):
        replay.upgrade(load(tmp_path), database_url, "heads", applied=applied.append)
    assert applied == ["r1", "r2"]
    assert _rows(connection, "SELECT version_num, m FROM alembic_version, t") == [("r2", "ok")]
    assert _rows(connection, "SELECT FROM pg_indexes WHERE indexname = 'i'") == []


def test_another_chain_with_long_ids_on_two_databases_at_once(
    tmp_path: Path, database_url: URL, server: scratch.Server, connection: Connection
) -> None:
    """Modules are imported afresh each time, which shows in what differs between the two."""
    write(tmp_path, env_py(), "raise Exception('left out')")
    staged = tmp_path / "staged"
    staged.mkdir()
    (tmp_path / "ids.py").write_text("import uuid\nID = uuid.uuid4()\n")
    name = "a_revision_with_an_id_of_53_characters_" + "x" * 14
    revision(
        staged,
        "first",
        None,
        "import ids\nop.execute(f\"CREATE TABLE t AS SELECT '{ids.ID}' AS a\")",
    )
    revision(staged, name, "first", "pass")
    revision(staged, "passed_over", "first", "pass")
    chain = Chain((staged,), frozenset({staged / "passed_over.py"}))
    project = load(tmp_path)

    with scratch.database(server) as other_url, scratch.connect(other_url) as other:
        with ThreadPoolExecutor() as threads:
            runs = [
                threads.submit(replay.upgrade, project, url, "head", chain=chain)
                for url in (database_url, other_url)
            ]
        assert [run.result() for run in runs] == [(), ()]
        query = "SELECT version_num, a FROM alembic_version, t"
        [[(id_1, a_1)], [(id_2, a_2)]] = [_rows(one, query) for one in (connection, other)]
        assert id_1 == id_2 == name
        assert a_1 != a_2

        other.execute("DROP TABLE t, alembic_version")
        with pytest.raises(ProjectError, match="too long for type character varying"):
            replay.upgrade(project, other_url, "head", chain=chain, widen=False)


def test_what_happens_outside_of_the_database_is_told(
    tmp_path: Path, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    bodies = [
        "import subprocess, tempfile\n"
        "tempfile.TemporaryFile().close()\n"
        "for _ in range(2): open('out.csv', 'w').close()\n"
        "open('out.csv').close()\n"
        "subprocess.run(['true', 'a b'])",
        "for n in range(9): open(f'{n}.csv', 'w').close()",
        "import socket\n"
        "with socket.socket() as s:\n"
        "    s.bind(('127.0.0.1', 0)); s.listen()\n"
        "    socket.create_connection(s.getsockname()).close()",
        "try:\n"
        "    with op.get_bind().begin_nested():\n"
        "        op.execute('ALTER TABLE missing\\n  ADD a integer')\n"
        "except Exception:\n"
        "    pass",
    ]
    write(tmp_path, env_py(before="open('env.log', 'a').close()"), *bodies)
    notes = replay.upgrade(load(tmp_path), database_url, "head")
    assert [(note.revision, note.text) for note in notes if note.revision in {"", "r1", "r4"}] == [
        ("", "writes env.log"),
        ("r1", "writes out.csv"),
        ("r1", "starts true 'a b'"),
        (
            "r4",
            "a statement failed and the revision went on: ALTER TABLE missing: "
            'relation "missing" does not exist',
        ),
    ]
    assert [note.text for note in notes if note.revision == "r2"] == [
        *(f"writes {n}.csv" for n in range(5)),
        "writes more than that",
    ]
    [note] = [note for note in notes if note.revision == "r3"]
    assert note.text.startswith("connects to 127.0.0.1:")


ABORTED = """
try:
    op.execute('DROP TABLE missing_one')
except Exception:
    pass
op.execute('CREATE TABLE t ()')
"""
FAILURES = {
    "a swallowed error": (
        ABORTED,
        r"revision r1: .*r1.py:12: InternalError: current transaction is aborted.*"
        r"An error before that one was swallowed, in revision r1: DROP TABLE missing_one: "
        r'table "missing_one" does not exist.*savepoint',
    ),
    "a base that is not empty": (
        "op.execute('ALTER TABLE accounts ADD a integer')",
        r'relation "accounts" does not exist\nin: ALTER TABLE.*does not start from an empty',
    ),
    "an extension": (
        "op.execute('CREATE EXTENSION citext')",
        'extension "citext" is not available.*--scratch-url',
    ),
    "a role": ("op.execute('CREATE TABLE t (); GRANT SELECT ON t TO app')", "roles in .tool"),
    "a type": ("op.execute('CREATE TABLE t (a vector(3))')", "CREATE EXTENSION IF NOT EXISTS"),
    "a long statement": (
        "op.execute('SELECT ' + '1, ' * 1000 + 'missing')",
        r'column "missing" does not exist\n.*in: SELECT [1, ]{493}\.\.\.$',
    ),
    "sys.exit": ("import sys\nsys.exit(3)", r"revision r1: .*r1.py:9: SystemExit: 3"),
    "SIGKILL": (
        "import os\nprint('last words', flush=True)\nos.kill(os.getpid(), 9)",
        "was killed by SIGKILL, in revision r1, .*words:\nlast words",
    ),
    "os._exit": ("import os\nos._exit(0)", "ended with 0, in revision r1"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_revision_that_fails_is_named_with_the_reason(
    tmp_path: Path, database_url: URL, what: str
) -> None:
    body, reason = FAILURES[what]
    write(tmp_path, env_py(), body)
    with pytest.raises(ProjectError, match=f"(?s){reason}"):
        replay.upgrade(load(tmp_path), database_url, "head")


BAD = {
    "no migrations": ("from alembic import context\n", "without context.run_migrations"),
    "several runs": (
        env_py(before="import itertools").replace(
            "    with context.begin", "    context.run_migrations()\n    with context.begin"
        ),
        "more than once",
    ),
    "attributes": (
        env_py(before='connection = config.attributes["connection"]'),
        r"env.py:\d+: KeyError: 'connection'\nconfig.attributes is empty",
    ),
    "a swallowed end": (
        env_py().replace(
            "        context.run_migrations()",
            "        try:\n            context.run_migrations()\n"
            "        except Exception:\n            pass",
        ),
        "(?s)catches the error that ended the migrations.*DROP TABLE missing: ",
    ),
    "another database system": (env_py(url='"sqlite://"'), "by sqlite\\+pysqlite"),
    "an import": (env_py(imports="import nowhere"), "ModuleNotFoundError: .*nowhere"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_env_py_that_cannot_be_replayed_is_named_with_the_reason(
    tmp_path: Path, database_url: URL, what: str
) -> None:
    env, reason = BAD[what]
    write(tmp_path, env, "op.execute('DROP TABLE missing')" if "swallowed" in what else "pass")
    with pytest.raises(ProjectError, match=reason):
        replay.upgrade(load(tmp_path), database_url, "head")


def test_autogenerate_says_what_it_would_write(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    before = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("t", metadata, sa.Column("a", sa.Integer), sa.Column("b", sa.Text))
def types(kind, thing, context):
    return "own.Text()" if isinstance(thing, sa.Text) else False
"""
    options = "target_metadata=metadata, render_item=types"
    write(tmp_path, env_py(before=before, options=options), "op.execute('CREATE TABLE t (a int)')")
    project = load(tmp_path)
    with pytest.raises(ProjectError, match="not up to date"):
        replay.autogenerate(project, database_url)
    replay.upgrade(project, database_url, "head")

    source = replay.autogenerate(project, database_url)
    assert "op.add_column('t', sa.Column('b', own.Text(), nullable=True))" in source
    assert "op.drop_column('t', 'b')" in source
    connection.execute("ALTER TABLE t ADD b text")
    assert replay.autogenerate(project, database_url).count("pass") == 2
    (tmp_path / "migrations" / "env.py").write_text(env_py())
    assert replay.autogenerate(project, database_url) == ""
    assert len(list((tmp_path / "migrations" / "versions").glob("*.py"))) == 1


def test_nothing_outlives_the_replay(tmp_path: Path, database_url: URL) -> None:
    """An interrupted one, and one whose parent is killed; with the programs they started."""
    body = "import os, subprocess\nopen('began', 'w').close()\nsubprocess.run(['sleep', '600'])"
    write(tmp_path, env_py(), body)
    began = tmp_path / "began"

    def descendants(process: psutil.Process) -> list[psutil.Process]:
        """The replaying process below that one, and the program that the revision starts."""
        found: list[psutil.Process] = []
        while not began.exists() or len(found) < 2:
            time.sleep(0.05)
            children = [one for one in process.children() if "-P" in one.cmdline()]
            found = [*children, *(below for one in children for below in one.children())]
        began.unlink()
        return found

    def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
        return [one for one in processes if one.is_running() and one.status() != "zombie"]

    def interrupt() -> None:
        started.extend(descendants(psutil.Process()))
        os.kill(os.getpid(), signal.SIGINT)

    started: list[psutil.Process] = []
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        replay.upgrade(load(tmp_path), database_url, "head")
    thread.join()

    program = (
        "import sys\nfrom sqlalchemy import make_url\n"
        "from alembic_fixups import project\nfrom alembic_fixups.squash import replay\n"
        "replay.upgrade(project.load(['alembic.ini']), make_url(sys.argv[1]), 'head')"
    )
    url = database_url.render_as_string(hide_password=False)
    parent = subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.DEVNULL)
    started.extend(descendants(psutil.Process(parent.pid)))
    parent.kill()
    parent.wait()

    assert len(started) == 4
    limit = time.monotonic() + 10
    while alive(started) and time.monotonic() < limit:
        time.sleep(0.05)
    assert alive(started) == []
