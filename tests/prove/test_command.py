"""``alembic-fixups prove`` on the command line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from psycopg import sql

from alembic_fixups import scratch
from tests.projects import Project
from tests.prove.proving import ITEMS, written

pytestmark = pytest.mark.postgres(16)

STOCK = (
    'op.add_column("item", sa.Column("seen|`*<b>", sa.Boolean))',
    'op.drop_column("item", "seen|`*<b>")',
)
FINE = (
    """
    op.execute("DO $$ BEGIN ALTER TABLE item ADD COLUMN IF NOT EXISTS weight int; END $$")
    """,
    "op.execute('ALTER TABLE item DROP COLUMN IF EXISTS weight')",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without any fixup."""
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "fine": FINE, "stock": STOCK})
    env = project.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace(', "alembic_fixups"', ""))
    (project.folder / "pyproject.toml").unlink()
    return project


def run(project: Project, server: scratch.Server | None, *options: str) -> tuple[int, str, str]:
    """The exit code, and what is printed to standard output and to standard error."""
    where = []
    if server is not None:
        where = ["--scratch-url", server.url.render_as_string(hide_password=False)]
    done = subprocess.run(
        [sys.executable, "-m", "alembic_fixups", "prove", *options, *where],
        cwd=project.folder,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def databases(server: scratch.Server) -> set[str]:
    """The databases that a server has."""
    with scratch.connect(server.url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_the_document(project: Project, server: scratch.Server, tmp_path: Path) -> None:
    before = databases(server)
    folder = tmp_path / "sql"
    code, output, errors = run(
        project, server, "fine:", "--json", "--lint", "--sql", str(folder), "--rows", "3"
    )
    assert (code, errors) == (1, "")
    document = json.loads(output)
    assert document["postgres"] == 16
    assert (document["rows"], document["seed"], document["broken"]) == (3, 0, True)
    fine, stock = document["revisions"]
    assert (fine["revision"], fine["broken"]) == ("fine", False)
    assert {verdict["outcome"] for verdict in fine["verdicts"]} == {"held"}
    broken = [one["law"] for one in stock["verdicts"] if one["outcome"] == "broken"]
    assert broken == ["again", "downgrade-again"]

    [inside] = [one for one in fine["trace"]["statements"] if one["parent"] is not None]
    assert inside["text"] == "ALTER TABLE item ADD COLUMN IF NOT EXISTS weight int"
    assert inside["locks"][0]["mode"] == "ACCESS EXCLUSIVE"
    sql = (folder / "fine.sql").read_text()
    assert inside["text"] in sql
    assert "DO $$" not in re.sub(r"--.*", "", sql)
    assert stock["lint"]["sql"] == (folder / "stock.sql").read_text()
    assert databases(server) == before


@pytest.mark.slow
def test_markdown_holds_what_names_have_in_them(project: Project, server: scratch.Server) -> None:
    code, output, errors = run(project, server, "--markdown", "--law", "again", "--rows", "1")
    assert (code, errors) == (1, "")
    assert "### `stock` stock" in output
    assert "| ❌ | again |" in output
    rows = [line for line in output.splitlines() if line.startswith("| 1 |")]
    assert len(rows) == 1
    assert "seen\\|" in rows[0]
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 6, "five cells"


@pytest.mark.slow
def test_on_an_embedded_server_of_its_own(project: Project) -> None:
    code, output, errors = run(project, None, "fine", "--postgres", "18", "--law", "runs")
    assert (code, errors) == (0, "")
    assert "PostgreSQL 18" in output
    assert "No law is broken by 1 revision." in output
    assert "\x1b[" not in output


@pytest.mark.slow
def test_mistakes(project: Project, server: scratch.Server) -> None:
    code, _, errors = run(project, server, "nosuch")
    assert (code, "Can't locate revision identified by 'nosuch'" in errors) == (2, True)
    code, _, errors = run(project, server, "--law", "nosuch")
    assert (code, "--law nosuch: there are runs, again" in errors) == (2, True)
    code, _, errors = run(project, server, "--data", "nosuch.sql")
    assert (code, "nosuch.sql cannot be read" in errors) == (2, True)
    code, _, errors = run(project, None, "--postgres", "9")
    assert (code, "No embedded PostgreSQL 9" in errors) == (2, True)
    code, _, errors = run(project, None, "--scratch-url", "postgresql://nobody@127.0.0.1:1/x")
    assert (code, "No connection to" in errors) == (2, True)
    versions = project.folder / "migrations" / "versions"
    other = (versions / "stock.py").read_text().replace("revision = 'stock'", "revision = 'two'")
    (versions / "two.py").write_text(other)
    code, _, errors = run(project, server)
    assert (code, "several newest revisions (stock, two)" in errors) == (2, True)
    (versions / "two.py").write_text("def (")
    code, _, errors = run(project, server)
    assert (code, "two.py" in errors) == (2, True)
    project.settings('[tool.alembic-fixups.prove]\nlaws = ["never"]\n')
    (versions / "two.py").unlink()
    code, _, errors = run(project, server)
    assert (code, "pyproject.toml:2: " in errors) == (2, True)


@pytest.mark.slow
def test_the_rest_is_not_reached_after_one_that_does_not_run(
    project: Project, server: scratch.Server
) -> None:
    fine = project.folder / "migrations" / "versions" / "fine.py"
    fine.write_text(fine.read_text().replace("int;", "int NOT NULL;"))
    code, output, _ = run(project, server, "fine:", "--json")
    document = json.loads(output)
    assert (code, document["not_reached"]) == (1, ["stock"])
    code, output, _ = run(project, server, "fine:")
    assert "Not reached: stock" in output
    assert "fine breaks: runs" in output


@pytest.mark.slow
def test_what_was_found_before_an_error_is_told(project: Project, server: scratch.Server) -> None:
    statements = project.folder / "statements"
    (statements / "stock.sql").mkdir(parents=True)
    options = ("fine:", "--law", "runs", "--sql", str(statements))
    code, output, errors = run(project, server, *options, "--json")
    document = json.loads(output)
    assert (code, document["not_reached"]) == (2, ["stock"])
    assert [revision["revision"] for revision in document["revisions"]] == ["fine"]
    assert "stock.sql cannot be written: Is a directory" in errors
    code, output, _ = run(project, server, *options)
    assert (code, "Not reached: stock" in output) == (2, True)


@pytest.mark.slow
def test_interrupted_it_leaves_nothing(project: Project, server: scratch.Server) -> None:
    """Neither databases nor processes, however it ends."""
    before = databases(server)
    url = server.url.render_as_string(hide_password=False)
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        command = [sys.executable, "-m", "alembic_fixups", "prove", "start:", "--scratch-url", url]
        running = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL)
        _wait_until(lambda: len(databases(server) - before) >= 2)
        children = _descendants(running.pid)
        assert children
        running.send_signal(how)
        running.wait(30)
        for child in children:
            _wait_until(partial(_is_gone, child))
        if how != signal.SIGKILL:
            assert databases(server) == before
    with scratch.connect(server.url) as connection:
        for left in databases(server) - before:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(left))
            )


def _wait_until(there: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < limit
        time.sleep(0.05)


def _descendants(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            child = int(path.parent.name)
            found += [child, *_descendants(child)]
    return found


def _is_gone(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
