"""A snapshot in the middle of a history (``--from``): what it adds, and what is refused."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import dump, rows
from tests.squash.commands import Commands, text

pytestmark = [pytest.mark.postgres(16), pytest.mark.slow]

OLDER = (
    """
op.execute('CREATE TABLE a (id serial PRIMARY KEY, name text NOT NULL)')
op.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
op.execute("CREATE VIEW v AS SELECT id FROM a")
op.execute("COMMENT ON TABLE a IS 'first'")
""",
    "op.execute(\"INSERT INTO a (name) VALUES ('one'), ('two')\")",
)
RANGE = (
    """
op.execute("ALTER TABLE a ADD note text DEFAULT 'none', ADD CHECK (note <> '')")
op.execute("CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a)")
op.execute("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'")
op.execute("CREATE OR REPLACE VIEW v AS SELECT id, name FROM a")
op.execute("COMMENT ON TABLE a IS 'second'")
""",
    """
op.execute("INSERT INTO a (name, note) VALUES ('three', 'new')")
op.execute("INSERT INTO b VALUES (7, 3)")
op.execute("CREATE INDEX a_name ON a (name)")
""",
)
LATER = "op.execute('ALTER TABLE b ADD late date')"


def contents(server: Server, url: URL) -> tuple[str, list[rows.TableRows]]:
    """The schema and the rows, without Alembic's table, which says where the database is."""
    with scratch.connect(url) as connection:
        connection.execute("SET search_path TO public")
        found = [table for table in rows.read(connection) if table.name != "alembic_version"]
    return dump.canonical(server, url, dump.tools(server)), found


def test_it_adds_to_what_is_there_and_takes_that_away_again(
    project: Commands, server: Server, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(*OLDER, *RANGE, LATER)
    project.alembic(database_url, "r2")
    before = contents(server, database_url)
    with scratch.database(server) as other:
        project.alembic(other, "r4")
        expected = contents(server, other)
    project.squashed("--from", "r3", "--to", "r4")
    source = (project.versions / "r4.py").read_text()
    assert 'down_revision = "r2"' in source
    assert "CREATE TABLE IF NOT EXISTS public.a" not in source
    assert sorted(path.name for path in project.versions.glob("*.py")) == [
        "r1.py",
        "r2.py",
        "r4.py",
        "r5.py",
    ]
    project.alembic(database_url, "r4")
    assert contents(server, database_url) == expected
    project.alembic(database_url)
    monkeypatch.setenv("DATABASE_URL", text(database_url))
    command.downgrade(Config("alembic.ini"), "r4")
    command.downgrade(Config("alembic.ini"), "r2")
    schema, found = contents(server, database_url)
    assert schema == before[0]
    [table] = found
    assert [row[1] for row in table.rows] == ["one", "two", "three"]  # its docstring says so
    assert project.verify().code == 0


REFUSED = {
    "a dropped table": ("op.execute('DROP TABLE a CASCADE')", "table public.a is dropped"),
    "a changed type": (
        "op.execute('ALTER TABLE a ALTER name TYPE varchar(9)')",
        "table public.a is changed",
    ),
    "a dropped column": ("op.execute('ALTER TABLE a DROP name')", "table public.a is changed"),
    "a changed row": (
        "op.execute(\"UPDATE a SET name = 'other' WHERE id = 1\")",
        "public.a: 1 rows that are older than the range are changed or deleted",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_it_cannot_add_is_refused(project: Commands, what: str) -> None:
    body, reason = REFUSED[what]
    project.write(*OLDER, body, "op.execute('CREATE TABLE b (id int)')")
    before = project.files()
    done = project.squash("--from", "r3", "--to", "r4")
    assert done.code == 2
    assert reason in done.err
    assert "no --from" in done.err
    assert project.files() == before
