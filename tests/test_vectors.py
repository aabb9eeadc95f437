"""``alembic-fixups vectors``: the list, and dropping archives."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql
from sqlalchemy.engine import URL

from tests.reembed.waiting import Waiting

pytestmark = pytest.mark.postgres(16)


@pytest.fixture
def kept(
    connection: Connection[tuple[Any, ...]], database_url: URL, tmp_path: Path
) -> Iterator[Waiting]:
    """Archives of two columns, and a job for a third one."""
    made = Waiting(connection, database_url, tmp_path)
    made.docs(10)
    made.execute("UPDATE app.docs SET embedding = '[1,2,3]' WHERE id < 4")
    made.job()
    for column in ("old", 'ol"d:x %s'):
        archive(made, column)
    yield made


def archive(waiting: Waiting, column: str, of: str | None = None) -> None:
    """Leaves an archive of a column; one that is named after something else where *of* is."""
    said = {"schema": "app", "table": "docs", "column": of or column, "type": "public.vector(5)"}
    store = sql.Identifier("app", f"fixup_archive_docs_{column}")
    for statement, values in (
        ("CREATE TABLE {} (id int PRIMARY KEY, {} vector(5))", (store, sql.Identifier(column))),
        ("INSERT INTO {} SELECT i, '[1,2,3,4,5]' FROM generate_series(1, 7) AS i", (store,)),
        (
            "COMMENT ON TABLE {} IS {}",
            (store, sql.Literal("alembic-fixups: archive " + json.dumps(said))),
        ),
    ):
        waiting.connection.execute(sql.SQL(statement).format(*values))


def archives(waiting: Waiting) -> set[str]:
    return {
        name
        for (name,) in waiting.rows("SELECT relname FROM pg_class WHERE relname ~ '^fixup_archive'")
        if not name.endswith("_pkey")
    }


BOTH = {"fixup_archive_docs_old", 'fixup_archive_docs_ol"d:x %s'}


def test_list(kept: Waiting) -> None:
    done = kept.process("vectors")
    assert done.returncode == 0, done.stderr
    assert "app.docs.embedding waits for public.vector(3): 3 rows ready, 7 left\n" in done.stdout
    assert "app.docs.old: 7 vectors public.vector(5) in app.fixup_archive_docs_old, " in done.stdout
    found = json.loads(kept.cli("vectors", "list", "--json").stdout)
    assert json.loads(kept.cli("vectors", "--json").stdout) == found
    assert json.loads(kept.cli("vectors", "--json", "list").stdout) == found
    assert [one["column"] for one in found["archives"]] == ['app.docs.ol"d:x %s', "app.docs.old"]
    assert found["archives"][0]["rows"] == 7
    assert found["archives"][0]["bytes"] > 0
    assert found["jobs"] == [
        {
            "column": "app.docs.embedding",
            "table": "app.fixup_reembed_docs_embedding",
            "type": "public.vector(3)",
            "ready": 3,
            "left": 7,
        }
    ]
    kept.execute("ALTER TABLE app.docs RENAME embedding TO other")
    assert "? rows ready, ? left" in kept.cli("vectors").stdout


def test_nothing_there(kept: Waiting) -> None:
    kept.execute("DROP SCHEMA app CASCADE")
    assert kept.cli("vectors").stdout == (
        "No archives of vectors, and no column that waits for vectors.\n"
    )
    done = kept.cli("vectors", "drop-archive", "--yes")
    assert (done.returncode, done.stdout) == (0, "No archives of vectors.\n")


def test_drop_some_and_then_all(kept: Waiting) -> None:
    done = kept.cli("vectors", "drop-archive", "app.docs.nothing", "--yes")
    assert done.returncode == 2
    assert (
        'no archive of that name; there is app.fixup_archive_docs_ol"d:x %s of app.docs.ol"d:x %s,'
        " app.fixup_archive_docs_old of app.docs.old\n"
    ) in done.stderr
    done = kept.cli("vectors", "drop-archive", "--dry-run")
    assert done.returncode == 0
    assert "7 vectors" in done.stdout
    done = kept.cli("vectors", "drop-archive")
    assert done.returncode == 2
    assert "no terminal to ask on" in done.stderr
    assert archives(kept) == BOTH
    done = kept.cli("vectors", "drop-archive", 'app.docs.ol"d:x %s', "--yes")
    assert done.returncode == 0, done.stderr
    assert archives(kept) == {"fixup_archive_docs_old"}
    assert kept.cli("vectors", "drop-archive", "-y").returncode == 0
    assert archives(kept) == set()
    assert kept.value("SELECT to_regclass('app.fixup_reembed_docs_embedding') IS NOT NULL")


@pytest.mark.parametrize(
    "name", ["docs.old", "app.fixup_archive_docs_old", "fixup_archive_docs_old"]
)
def test_drop_by_other_names(kept: Waiting, name: str) -> None:
    assert kept.cli("vectors", "drop-archive", name, "--yes").returncode == 0
    assert archives(kept) == {'fixup_archive_docs_ol"d:x %s'}


def test_drop_two_of_one_column_one_by_one(kept: Waiting) -> None:
    archive(kept, "old_2", of="old")
    archive(kept, "old_3", of="old")
    done = kept.cli("vectors", "drop-archive", "fixup_archive_docs_old_2", "-y")
    assert "Dropped app.fixup_archive_docs_old_2." in done.stdout
    assert archives(kept) == {*BOTH, "fixup_archive_docs_old_3"}
    assert kept.cli("vectors", "drop-archive", "app.fixup_archive_docs_old", "-y").returncode == 0
    assert archives(kept) == {'fixup_archive_docs_ol"d:x %s', "fixup_archive_docs_old_3"}
    archive(kept, "old")
    assert kept.cli("vectors", "drop-archive", "docs.old", "-y").returncode == 0
    assert archives(kept) == {'fixup_archive_docs_ol"d:x %s'}


def test_options_before_the_subcommand(kept: Waiting) -> None:
    done = kept.cli("vectors", "--json", "drop-archive", "-y")
    assert done.returncode == 2
    assert archives(kept) == BOTH
    done = subprocess.run(
        kept.command("vectors", "--database-url", kept.database_url, "drop-archive", "-y"),
        cwd=kept.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert archives(kept) == set()


def test_not_while_the_new_ones_are_incomplete(kept: Waiting) -> None:
    archive(kept, "embedding")
    done = kept.cli("vectors", "drop-archive", "--yes")
    assert done.returncode == 2
    assert "app.docs.embedding: the new vectors are not complete" in done.stderr
    assert len(archives(kept)) == 3
    assert kept.cli("reembed").returncode == 0
    assert kept.cli("vectors", "drop-archive", "--yes").returncode == 0
    assert archives(kept) == set()


def test_one_that_something_depends_on(kept: Waiting) -> None:
    kept.execute("CREATE VIEW app.seen AS SELECT * FROM app.fixup_archive_docs_old")
    done = kept.cli("vectors", "drop-archive", "--yes")
    assert done.returncode == 1
    assert "not dropped: cannot drop table app.fixup_archive_docs_old because" in done.stdout
    assert archives(kept) == {"fixup_archive_docs_old"}


@pytest.mark.parametrize("answer, left", [(b"n\n", BOTH), (b"y\n", set())])
def test_asked_on_a_terminal(kept: Waiting, answer: bytes, left: set[str]) -> None:
    master, terminal = pty.openpty()
    run = subprocess.Popen(
        kept.command("vectors", "drop-archive", "--database-url", kept.database_url),
        cwd=kept.folder,
        stdin=terminal,
        stdout=subprocess.PIPE,
    )
    os.close(terminal)
    os.write(master, answer)
    printed, _ = run.communicate()
    os.close(master)
    assert b"A downgrade cannot bring them back" in printed
    assert run.returncode == int(answer == b"n\n")
    assert archives(kept) == left
