"""Revisions that look as if they held to the laws, or as if they did not; odd projects."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.prove import data, terminal
from alembic_fixups.prove.report import Report
from alembic_fixups.squash import dump
from tests.prove.proving import ITEMS, outcomes, prove, verdict, written

pytestmark = pytest.mark.postgres(16)

GUARDED = (
    """
    there = op.get_bind().scalar(sa.text(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'owner'::regclass AND attname = 'token'"
    ))
    if not there:
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE owner ADD COLUMN token uuid")
        op.execute("UPDATE owner SET token = gen_random_uuid()")
    """,
    "op.execute('ALTER TABLE owner DROP COLUMN IF EXISTS token')",
)
ANEW = (
    """
    op.execute("ALTER TABLE item ADD COLUMN IF NOT EXISTS token uuid")
    op.execute("UPDATE item SET token = gen_random_uuid()")
    """,
    "op.execute('ALTER TABLE item DROP COLUMN IF EXISTS token')",
)


@pytest.mark.slow
def test_random_values_are_values_all_the_same(server: scratch.Server, tmp_path: Path) -> None:
    revisions = {"start": (ITEMS, ""), "guarded": GUARDED, "anew": ANEW}
    project = written(tmp_path / "project", revisions)
    guarded, anew = prove(project, server, "guarded:", laws=("again", "restart"))
    assert outcomes(guarded) == {"runs": "held", "again": "held", "restart": "broken"}
    assert any(line.startswith("+") and "NULL" in line for line in _restart(guarded))
    assert outcomes(anew) == {"runs": "held", "again": "broken", "restart": "held"}


def _restart(proven: object) -> tuple[str, ...]:
    return verdict(proven, "restart").differences  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("upgrade", "said"),
    [
        ("ALTER TABLE item DISABLE TRIGGER ALL", "its triggers are disabled"),
        ("REFRESH MATERIALIZED VIEW seen WITH NO DATA", "is not populated"),
        ("SELECT lo_create(0)", "1 large objects"),
        ("SELECT setval('item_id_seq', 1)", "positions of sequences"),
    ],
    ids=["triggers", "materialized view", "large object", "sequence"],
)
def test_what_a_dump_of_the_schema_does_not_say(
    server: scratch.Server, tmp_path: Path, upgrade: str, said: str
) -> None:
    start = ITEMS + "op.execute('CREATE MATERIALIZED VIEW seen AS SELECT id FROM item')"
    project = written(
        tmp_path / "project", {"start": (start, ""), "odd": (f"op.execute({upgrade!r})", "pass")}
    )
    [proven] = prove(project, server, laws=("downgrade",))
    assert outcomes(proven) == {"runs": "held", "downgrade": "broken"}
    assert any(said in line for line in verdict(proven, "downgrade").differences)


@pytest.mark.slow
def test_an_invalid_index_that_was_there(server: scratch.Server, tmp_path: Path) -> None:
    start = ITEMS + "op.execute('CREATE INDEX ix ON item (price)')"
    again = """
    with op.get_context().autocommit_block():
        op.execute("REINDEX INDEX CONCURRENTLY ix")
    """
    project = written(tmp_path / "project", {"start": (start, ""), "again": (again, "pass")})
    [proven] = prove(project, server, laws=("restart",))
    assert outcomes(proven)["restart"] == "broken"
    assert any("ix_ccnew is INVALID" in line for line in verdict(proven, "restart").differences)


@pytest.mark.slow
def test_rows_with_numbers_that_sequences_give(server: scratch.Server, tmp_path: Path) -> None:
    """What a rolled-back run has used up is not given again."""
    seeds = (
        """
        op.execute("INSERT INTO owner VALUES (-77, 'lookup')")
        op.execute("INSERT INTO item (owner_id, price) VALUES (-77, 7)")
        op.execute("ALTER TABLE item ADD COLUMN weight int")
        """,
        """
        op.execute("ALTER TABLE item DROP COLUMN weight")
        op.execute("DELETE FROM item WHERE owner_id = -77")
        op.execute("DELETE FROM owner WHERE id = -77")
        """,
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "seeds": seeds})
    laws = ("restart", "downgrade", "upgrade-after-downgrade")
    [proven] = prove(project, server, laws=laws)
    assert set(outcomes(proven).values()) == {"held"}, proven.verdicts
    assert "Rows have other numbers, since sequences have gone on." in (
        verdict(proven, "restart").notes
    )


@pytest.mark.slow
def test_columns_in_another_order_with_all_they_have(
    server: scratch.Server, tmp_path: Path
) -> None:
    start = """
    op.execute('''
        CREATE TABLE t (a int, b int, c int);
        COMMENT ON COLUMN t.b IS 'b'; COMMENT ON COLUMN t.c IS 'c';
        ALTER TABLE t ALTER b SET STATISTICS 5, ALTER c SET STATISTICS 6
    ''')
    """
    moves = (
        "op.execute('ALTER TABLE t DROP COLUMN b')",
        """
        op.execute('''
            ALTER TABLE t ADD b int;
            COMMENT ON COLUMN t.b IS 'b';
            ALTER TABLE t ALTER b SET STATISTICS 5
        ''')
        """,
    )
    project = written(tmp_path / "project", {"start": (start, ""), "moves": moves})
    [proven] = prove(project, server, laws=("downgrade",), rows=0)
    assert outcomes(proven)["downgrade"] == "held", verdict(proven, "downgrade")


def test_a_revision_that_ends_alembics_transaction(server: scratch.Server, tmp_path: Path) -> None:
    commits = (
        """
        op.execute("CREATE TABLE one (id int)")
        op.get_bind().commit()
        op.execute("CREATE TABLE two (id int)")
        """,
        "pass",
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "commits": commits})
    [proven] = prove(project, server)
    assert outcomes(proven)["runs"] == "broken"
    assert "version table does not say so" in verdict(proven, "runs").reason


@pytest.mark.slow
def test_a_revision_without_upgrade(server: scratch.Server, tmp_path: Path) -> None:
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "lacks": ("pass", "pass")})
    path = project.folder / "migrations" / "versions" / "lacks.py"
    path.write_text(path.read_text().replace("def upgrade", "def upgrades"))
    [proven] = prove(project, server)
    assert "'upgrade'" in verdict(proven, "runs").reason


@pytest.mark.slow
def test_a_revision_that_alters_every_table(server: scratch.Server, tmp_path: Path) -> None:
    every = (
        """
        op.execute('''
            DO $$
            DECLARE one record;
            BEGIN
              FOR one IN SELECT schemaname, tablename FROM pg_tables
                          WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LOOP
                EXECUTE format('ALTER TABLE %I.%I ADD COLUMN IF NOT EXISTS made timestamptz',
                               one.schemaname, one.tablename);
              END LOOP;
            END $$
        ''')
        """,
        "pass",
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "every": every})
    [proven] = prove(project, server, laws=())
    assert proven.trace is not None
    assert proven.trace.complete, proven.trace.why_not
    assert {one.relation for one in proven.trace.tables()} >= {"public.item", "public.owner"}


@pytest.mark.slow
def test_an_env_py_with_threads_and_another_version_table(
    server: scratch.Server, tmp_path: Path
) -> None:
    """Threads are not there in a fork; platform.architecture() starts a program."""
    adds = ("op.execute('ALTER TABLE item ADD COLUMN IF NOT EXISTS a int')", "pass")
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "adds": adds})
    env = project.folder / "migrations" / "env.py"
    head = """
import platform
import sys
import types
from concurrent.futures import ThreadPoolExecutor

platform.architecture()
if "kept" not in sys.modules:  # as a module of the application's own, loaded once
    sys.modules["kept"] = types.ModuleType("kept")
    sys.modules["kept"].pool = ThreadPoolExecutor(1)
assert sys.modules["kept"].pool.submit(lambda: 1).result() == 1
"""
    text = env.read_text().replace("options = dict(", 'options = dict(version_table="my_versions",')
    env.write_text(head + text)
    [proven] = prove(project, server, laws=("again",))
    assert outcomes(proven) == {"runs": "held", "again": "held"}
    assert proven.trace is not None
    assert not any("my_versions" in one.text for one in proven.trace.statements)


def test_what_a_terminal_would_obey_is_written_out(server: scratch.Server, tmp_path: Path) -> None:
    from rich.console import Console

    name = "a\x1b]0;title\x07\u202eb"
    sql = f'ALTER TABLE item ADD COLUMN IF NOT EXISTS "{name}" int'
    project = written(
        tmp_path / "project", {"start": (ITEMS, ""), "odd": (f"op.execute({sql!r})", "pass")}
    )
    [proven] = prove(project, server, laws=())
    console = Console(record=True, width=200)
    report = Report(16, "", 20, 0, (proven,), {}, ())
    terminal.print_proven(console, proven, report)
    printed = console.export_text()
    assert "\\x1b]0;title\\x07\\u202eb" in printed
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


@pytest.mark.parametrize("options", [["--create"], ["--clean", "--create"]], ids=" ".join)
def test_a_dump_that_would_reach_another_database(
    server: scratch.Server, database_url: URL, tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "dump.sql"
    subprocess.run(
        [dump.tools(server) / "pg_dump", "-f", path, *options],
        env=dump.environment(database_url),
        check=True,
    )
    with (
        pytest.raises(ProjectError, match="DATABASE, which reaches beyond one database"),
        data.opened(path, server),
    ):
        pass
    path.write_text("\\! touch /tmp/never\n")
    with pytest.raises(ProjectError, match="reaches beyond"), data.opened(path, server):
        pass


def test_texts_of_rows_are_no_commands(server: scratch.Server, tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(
        "COPY public.note (text) FROM stdin;\nDROP DATABASE x;\n\\N\n\\.\r\n"
        "INSERT INTO public.alembic_version VALUES\r\n\t('one'),\r\n\t('two');\r\n"
        "INSERT INTO public.kind VALUES ('other');\r\n"
    )
    with data.opened(path, server) as found:
        assert (found.schema, found.revisions) == (False, ("one", "two"))
