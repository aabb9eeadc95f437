"""``alembic-fixups verify``: whether a squash still holds, and whether a database has drifted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from alembic_fixups.scratch import Server
from tests.squash.commands import Commands, histories, text

pytestmark = [pytest.mark.postgres(16), pytest.mark.slow]
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def project(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Commands:
    """A project whose revisions r1 to r3 are folded."""
    project = Commands(tmp_path, server, capsys, monkeypatch)
    _, once = histories(tmp_path_factory.getbasetemp().parent, server)
    project.copy(once)
    return project


@pytest.mark.slow
def test_further_revisions_do_not_matter(project: Commands) -> None:
    project.add("r7", "r6", "op.execute('DROP TABLE b')")
    r7 = project.versions / "r7.py"
    r7.write_text("print('a revision speaks')\n" + r7.read_text())
    before = project.files()
    done = project.verify("--json")
    assert done.code == 0
    assert done.document == {
        "target": "r3",
        "equal": True,
        "differences": [],
        "volatile": [],
        "notes": [],
    }
    assert project.files() == before


def test_an_edited_snapshot_is_not_equal(project: Commands) -> None:
    snapshot = project.versions / "r3.py"
    source = snapshot.read_text()
    edited = source.replace("'one'", "'ONE'")
    assert edited != source
    snapshot.write_text(edited)
    done = project.verify()
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "--- rows of public.a, the revisions",
        "+++ rows of public.a, with the snapshot",
        "@@ -1,2 +1,2 @@",
        "-id='1', name='one'",
        "+id='1', name='ONE'",
        " id='2', name='two'",
        "r3: not equal to its archive.",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("files/r2.py", "files/r2.py: changed since the squash"),
        ("catalog.json", "catalog.json: changed since the squash"),
        ("manifest.json", "manifest.json: no manifest that this version"),
    ],
)
def test_an_edited_archive_is_named(project: Commands, name: str, reason: str) -> None:
    path = project.archives / "r3" / name
    path.write_text(path.read_text() + "# formatted\n")
    done = project.verify()
    assert (done.code, done.out) == (2, "")
    assert f"migrations/versions_squashed/r3/{reason}" in done.err


BROKEN = {
    "a missing file": ("r5.py", None, "r6 has down_revision r5, which is in no revision file"),
    "a syntax error": ("r5.py", "revision =", "r5.py:1: SyntaxError"),
    "an error": ("r5.py", "\n1 / 0", "r5.py:2: ZeroDivisionError"),
}


@pytest.mark.parametrize("command", ["verify", "adopt", "squash --undo"])
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_history_is_named(project: Commands, command: str, what: str) -> None:
    name, source, reason = BROKEN[what]
    path = project.versions / name
    if source is None:
        path.unlink()
    else:
        path.write_text(source)
    done = project.run(*command.split())
    assert (done.code, done.out) == (2, "")
    assert reason in done.err


def test_without_a_squash(project: Commands) -> None:
    assert project.run("squash", "--undo").code == 0
    for command in ("verify", "adopt"):
        done = project.run(command)
        assert (done.code, done.out) == (2, "")
        assert "Nothing here is squashed" in done.err


def test_a_database_is_compared_with_its_revisions(
    project: Commands, database_url: URL, connection: Connection
) -> None:
    project.alembic(database_url, "r4")
    project.alembic(database_url, "x1")
    done = project.verify("--database-url", text(database_url))
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(" is as the revisions up to r4, x1 make it.\n")

    connection.execute("ALTER TABLE a ADD surprise text; DROP TABLE apart")
    done = project.verify("--database-url", text(database_url), "--json")
    assert done.code == 1
    assert (done.document["revisions"], done.document["equal"]) == (["r4", "x1"], False)
    changed = [line for line in done.document["differences"] if line[:3] in ("---", "+++")]
    assert any("apart (not there)" in line for line in changed)
    assert any("surprise" in line for line in done.document["differences"])


PLACES = {
    "inside the range": ("r2", r"is at r2, which is folded into the snapshot r3.*adopt"),
    "elsewhere": ("zzz", "is at no revision of this project"),
    "nowhere": (None, "is at no revision of this project"),
}


@pytest.mark.parametrize("what", PLACES)
def test_a_database_that_is_at_no_revision_is_refused(
    project: Commands, database_url: URL, connection: Connection, what: str
) -> None:
    revision, reason = PLACES[what]
    connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
    if revision:
        connection.execute("INSERT INTO alembic_version VALUES (%s)", [revision])
    done = project.verify("--database-url", text(database_url))
    assert (done.code, done.out) == (2, "")
    assert re.search(reason, done.err), done.err


def test_a_database_that_is_not_to_be_had(project: Commands) -> None:
    done = project.verify("--database-url", "postgresql://someone:secret@localhost:1/x")
    assert (done.code, done.out) == (2, "")
    assert "No connection to" in done.err and "secret" not in done.err
