"""``alembic-fixups adopt``: a database inside the folded range is brought to its end, or stays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import CommandLine
from alembic.util import CommandError
from sqlalchemy import URL

from alembic_fixups.scratch import Server
from alembic_fixups.squash.fingerprint import Fingerprint
from tests.squash.commands import Commands, Done, histories, text
from tests.squash.replays import ASYNC, PRODUCTION, env_py

pytestmark = [pytest.mark.postgres(16), pytest.mark.slow]
Connection = psycopg.Connection[tuple[Any, ...]]


class Adopting(Commands):
    """A project whose revisions r1 to r3 are folded, and a database that r1 and r2 have made."""

    url: URL
    connection: Connection

    def adopt(self, *arguments: str) -> Done:
        """``alembic-fixups adopt`` of the database."""
        return self.run("adopt", "--database-url", text(self.url), *arguments)

    def at(self) -> list[str]:
        """The revisions that the database names."""
        query = "SELECT version_num FROM alembic_version ORDER BY 1"
        return [str(revision) for (revision,) in self.connection.execute(query)]

    def comment(self) -> Any:
        """What the comment of the version table is."""
        [(comment,)] = self.connection.execute(
            "SELECT obj_description('alembic_version'::regclass)"
        )
        return comment


@pytest.fixture
def project(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    database_url: URL,
    connection: Connection,
) -> Adopting:
    project = Adopting(tmp_path, server, capsys, monkeypatch)
    original, once = histories(tmp_path_factory.getbasetemp().parent, server)
    project.url, project.connection = database_url, connection
    with monkeypatch.context() as patched:
        patched.setenv("DATABASE_URL", text(database_url))
        CommandLine("alembic").main(["-c", str(original / "alembic.ini"), "upgrade", "r2"])
    project.copy(once)
    return project


def test_the_rest_is_applied_and_the_database_is_there(project: Adopting) -> None:
    """With another head in the version table, and with a comment of somebody's on it."""
    project.connection.execute("CREATE TABLE apart (id integer)")
    project.connection.execute("INSERT INTO alembic_version VALUES ('x1')")
    project.connection.execute("COMMENT ON TABLE alembic_version IS 'mine'")

    tried = project.adopt("--dry-run", "--json")
    [only] = tried.document
    assert (tried.code, only["at"], only["target"]) == (0, ["r2", "x1"], "r3")
    assert (project.at(), project.comment()) == (["r2", "x1"], "mine")

    done = project.adopt()
    assert (done.code, done.err) == (0, "")
    told, last = done.out.splitlines()
    assert "is at x1 too, so what it has in addition was passed over" in told
    assert last.endswith(": 1 revisions applied; it is at r3.")
    assert (project.at(), project.comment()) == (["r3", "x1"], "mine")
    project.alembic(project.url)
    assert project.at() == ["r6", "x1"]

    again = project.adopt()
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith(" is at r6, x1: nothing to adopt.\n")


def test_the_database_that_an_async_env_py_names(
    project: Adopting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a document, whatever is printed."""
    url = f'os.environ.get("DATABASE_URL", "{PRODUCTION}")'
    env = env_py(ASYNC, imports="import os\nprint('env.py speaks')", url=url)
    (project.folder / "migrations" / "env.py").write_text(env)
    monkeypatch.setenv("DATABASE_URL", text(project.url.set(drivername="postgresql+asyncpg")))
    done = project.run("adopt", "--json")
    assert done.code == 0, done.err
    [only] = done.document
    assert (only["applied"], only["drift"], only["stamped"]) == (["r3"], [], True)
    assert (project.at(), project.comment()) == (["r3"], None)


def test_a_database_that_has_drifted_stays_behind(project: Adopting) -> None:
    """Until it is mended; no revision runs a second time."""
    project.connection.execute("ALTER TABLE a ADD surprise text")
    for _ in range(2):
        done = project.adopt()
        assert (done.code, done.err) == (1, "")
        assert any(line.startswith("+") and "surprise" in line for line in done.out.splitlines())
        assert project.at() == ["r2"]
        assert project.comment().endswith("all revisions have run up to r3")
        with pytest.raises(CommandError, match="Can't locate revision identified by 'r2'"):
            project.alembic(project.url)
    project.connection.execute("ALTER TABLE a DROP surprise")
    done = project.adopt()
    assert (done.code, done.err) == (0, "")
    assert (project.at(), project.comment()) == (["r3"], None)
    project.alembic(project.url)


def test_it_is_not_there_before_it_was_compared(
    project: Adopting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this ends between the last revision and the comparison, the next one goes on there."""

    def end(*_: Any, **__: Any) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Fingerprint, "drift", end)
        assert project.adopt().code == 130
    assert [*project.connection.execute("SELECT to_regclass('b') IS NOT NULL")] == [(True,)]
    with pytest.raises(CommandError, match="Can't locate revision identified by 'r2'"):
        project.alembic(project.url)
    done = project.adopt("--json")
    [only] = done.document
    assert (done.code, only["applied"], only["stamped"]) == (0, [], True)
    assert project.at() == ["r3"]


def test_killed_in_the_middle_and_run_again(project: Adopting) -> None:
    """A second one at the same time is refused."""
    arguments = ["adopt", "--database-url", text(project.url)]
    process = subprocess.Popen(
        [sys.executable, "-m", "alembic_fixups.cli", *arguments],
        env={**os.environ, "SLEEP": "600"},
        stdin=subprocess.DEVNULL,
    )
    try:
        _wait(project, "query ~ 'pg_sleep'")
        second = project.adopt()
        assert (second.code, second.out) == (2, "")
        assert "another adopt is at work there" in second.err
    finally:
        process.kill()
        process.wait()
    # The server does not see that a client is gone before the statement has ended.
    project.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'"
    )
    _wait(project, "query ~ 'pg_sleep'", there=False)
    assert (project.at(), project.comment()) == (["r2"], None)
    done = project.adopt()
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(": 1 revisions applied; it is at r3.\n")


def _wait(project: Adopting, condition: str, *, there: bool = True) -> None:
    limit = time.monotonic() + 30
    query = f"""
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}
    """
    while time.monotonic() < limit:
        [(count,)] = project.connection.execute(query)
        if bool(count) == there:
            return
        time.sleep(0.05)
    raise AssertionError(condition)


def test_drift_can_be_accepted(project: Adopting) -> None:
    """That of a database with another head too; what it only has in addition is none."""
    project.connection.execute("INSERT INTO alembic_version VALUES ('x1')")
    project.connection.execute("CREATE TABLE apart (); ALTER TABLE a ALTER name SET NOT NULL")
    refused = project.adopt()
    assert refused.code == 1
    assert "NOT NULL" in refused.out and "apart" not in refused.out
    done = project.adopt("--accept-drift", "--json")
    [only] = done.document
    assert (done.code, only["applied"], only["stamped"]) == (0, [], True)
    assert any("NOT NULL" in line for line in only["drift"])
    assert project.at() == ["r3", "x1"]


def test_a_revision_that_fails_is_named(project: Adopting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "1")
    done = project.adopt()
    assert (done.code, done.out) == (2, "")
    assert re.match(r"Error: revision r3: migrations/versions/r3.py:\d+: AssertionError", done.err)
    assert (project.at(), project.comment()) == (["r2"], None)


PLACES = {
    "elsewhere": ("'zzz'", "is at zzz, which is neither a revision of this project nor in"),
    "nowhere": (None, "is at no revision. alembic upgrade"),
}


@pytest.mark.parametrize("what", PLACES)
def test_a_database_that_is_at_no_revision_is_refused(project: Adopting, what: str) -> None:
    revision, reason = PLACES[what]
    project.connection.execute("DELETE FROM alembic_version")
    if revision:
        project.connection.execute(f"INSERT INTO alembic_version VALUES ({revision})")
    done = project.adopt()
    assert (done.code, done.out) == (2, "")
    assert reason in done.err


def test_an_empty_database_is_refused(project: Adopting) -> None:
    project.connection.execute("DROP TABLE alembic_version")
    done = project.adopt()
    assert (done.code, done.out) == (2, "")
    assert "has no table public.alembic_version" in done.err


@pytest.mark.slow
def test_a_database_inside_the_older_of_two_squashes(
    project: Adopting, tmp_path_factory: pytest.TempPathFactory, server: Server
) -> None:
    """It gets through both; and both are taken back, one after the other."""
    original, _ = histories(tmp_path_factory.getbasetemp().parent, server)
    before = project.files()
    project.squashed("--to", "r5")
    done = project.verify()
    assert (done.code, done.out, done.err) == (0, "r5: equal to its archive.\n", "")

    done = project.adopt("--json")
    [only] = done.document
    assert (done.code, only["at"], only["target"]) == (0, ["r2"], "r5")
    assert only["applied"] == ["r3", "r4", "r5"]
    assert project.at() == ["r5"]

    assert project.run("squash", "--undo").code == 0
    assert project.files() == before
    assert project.run("squash", "--undo").code == 0
    assert project.files() == {
        str(path.relative_to(original)): path.read_bytes()
        for path in original.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert project.run("squash", "--undo").code == 2


def test_what_a_broken_off_adoption_has_left_is_of_no_account_elsewhere(project: Adopting) -> None:
    """The database has been brought back to an earlier revision since, with its table as it was."""
    project.connection.execute("ALTER TABLE a ADD stray integer")
    assert project.adopt().code == 1
    assert "r3" in project.comment()
    project.connection.execute("ALTER TABLE a DROP stray")
    project.connection.execute("DROP TABLE b")
    project.connection.execute("DELETE FROM a")
    project.connection.execute("UPDATE alembic_version SET version_num = 'r1'")
    done = project.adopt()
    assert done.code == 0, done
    assert "2 revisions applied" in done.out
    assert project.connection.execute("SELECT count(*) FROM a").fetchone() == (2,)
    assert (project.at(), project.comment()) == (["r3"], None)
