"""Revisions that hold to the laws, and for each law one that breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_fixups import scratch
from alembic_fixups.prove.verdict import LAWS
from tests.prove.proving import ITEMS, outcomes, prove, verdict, written

pytestmark = pytest.mark.postgres(16)

SAFE = (
    """
    op.execute("ALTER TABLE item ADD COLUMN IF NOT EXISTS weight int NOT NULL DEFAULT 1")
    with op.get_context().autocommit_block():
        op.execute('''
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_index WHERE NOT indisvalid
                              AND indexrelid = to_regclass('ix_weight')) THEN
                    DROP INDEX ix_weight;
                END IF;
            END $$
        ''')
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_weight ON item (weight)")
    """,
    """
    op.execute("DROP INDEX IF EXISTS ix_weight")
    op.execute("ALTER TABLE item DROP COLUMN IF EXISTS weight")
    """,
)


def test_a_safe_revision_holds_to_all(server: scratch.Server, tmp_path: Path) -> None:
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "safe": SAFE})
    [proven] = prove(project, server)
    assert outcomes(proven) == dict.fromkeys(LAWS, "held"), proven.verdicts
    assert [(one.table, one.rows, one.problem) for one in proven.rows] == [
        ("public.item", 20, ""),
        ("public.owner", 20, ""),
    ]
    assert proven.trace is not None
    assert any("CREATE INDEX CONCURRENTLY" in one.text for one in proven.trace.statements)


@pytest.mark.slow
def test_what_autogenerate_writes_cannot_run_again(server: scratch.Server, tmp_path: Path) -> None:
    stock = (
        'op.create_table("note", sa.Column("id", sa.Integer, primary_key=True))\n'
        'op.add_column("item", sa.Column("seen", sa.Boolean))',
        'op.drop_column("item", "seen")\nop.drop_table("note")',
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "stock": stock})
    [proven] = prove(project, server)
    expected = dict.fromkeys(LAWS, "held") | dict.fromkeys(("again", "downgrade-again"), "broken")
    assert outcomes(proven) == expected
    again = verdict(proven, "again")
    assert 'relation "note" already exists' in again.reason
    assert "versions/stock.py:10" in again.reason
    assert again.differences == (), "it was rolled back"
    assert 'column "seen" of relation "item" does not exist' in (
        verdict(proven, "downgrade-again").reason
    )


@pytest.mark.slow
def test_concurrently_leaves_something_behind(server: scratch.Server, tmp_path: Path) -> None:
    careless = (
        """
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_label ON item (label)")
            op.execute("CREATE INDEX CONCURRENTLY ix_price ON item (price)")
        """,
        """
        op.execute("DROP INDEX ix_price")
        op.execute("DROP INDEX ix_label")
        """,
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "careless": careless})
    [proven] = prove(project, server, laws=("restart",))
    assert outcomes(proven) == {"runs": "held", "restart": "broken"}
    restart = verdict(proven, "restart")
    assert "Stopped inside of statement 1 of 3, CREATE INDEX CONCURRENTLY" in restart.reason
    assert "ends otherwise" in restart.reason
    assert any("ix_label" in line for line in restart.differences)


@pytest.mark.slow
def test_what_a_stopped_run_left_behind_is_shown(server: scratch.Server, tmp_path: Path) -> None:
    in_two = (
        """
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE item ADD COLUMN one int")
            op.execute("ALTER TABLE item ADD COLUMN two int")
        """,
        "op.execute('ALTER TABLE item DROP COLUMN one, DROP COLUMN two')",
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "in_two": in_two})
    [proven] = prove(project, server, laws=("restart",))
    restart = verdict(proven, "restart")
    assert "before statement 2 of 3, ALTER TABLE item ADD COLUMN two int" in restart.reason
    assert 'column "one" of relation "item" already exists' in restart.reason
    assert [line for line in restart.differences if line.startswith("+ ")] == ["+    one integer,"]


def test_a_downgrade_that_does_not_give_back(server: scratch.Server, tmp_path: Path) -> None:
    project = written(
        tmp_path / "project",
        {
            "start": (ITEMS, ""),
            "nothing": ('op.add_column("item", sa.Column("seen", sa.Boolean))', "pass"),
            "refuses": ("pass", "raise NotImplementedError('there is no way back')"),
            "loses": (
                "op.execute('ALTER TABLE owner DROP COLUMN IF EXISTS note')",
                "op.execute('ALTER TABLE owner ADD COLUMN IF NOT EXISTS note text')",
            ),
        },
    )
    laws = ("downgrade", "downgrade-restart", "upgrade-after-downgrade")
    nothing, refuses, loses = prove(project, server, "nothing:", laws=laws)
    assert any("+    seen boolean" in line for line in verdict(nothing, "downgrade").differences)
    assert "already exists" in verdict(nothing, "upgrade-after-downgrade").reason
    assert "there is no way back" in verdict(refuses, "downgrade").reason
    assert outcomes(refuses)["downgrade-restart"] == "not tried"
    lost = verdict(loses, "downgrade").differences
    assert any(line.startswith("--- rows of public.owner") for line in lost)
    assert any(line.startswith("-") and "note=''" in line for line in lost)


@pytest.mark.slow
def test_a_column_that_comes_again_stands_last(server: scratch.Server, tmp_path: Path) -> None:
    moves = (
        "op.execute('ALTER TABLE empty DROP COLUMN IF EXISTS a')",
        "op.execute('ALTER TABLE empty ADD COLUMN IF NOT EXISTS a int')",
    )
    base = "op.execute('CREATE TABLE empty (a int, b int)')"
    project = written(tmp_path / "project", {"start": (base, ""), "moves": moves})
    [proven] = prove(project, server, laws=("downgrade",), rows=0)
    assert outcomes(proven)["downgrade"] == "held"
    assert verdict(proven, "downgrade").notes == ("Columns stand in another order.",)


@pytest.mark.slow
def test_offline_is_not_what_it_is_online(server: scratch.Server, tmp_path: Path) -> None:
    asks = (
        """
        if op.get_bind().scalar(sa.text("SELECT count(*) FROM item")):
            op.execute("COMMENT ON TABLE item IS 'has rows'")
        """,
        "op.execute('COMMENT ON TABLE item IS NULL')",
    )
    silent = (
        """
        if not op.get_context().as_sql:
            op.execute("COMMENT ON TABLE owner IS 'online'")
        """,
        "op.execute('COMMENT ON TABLE owner IS NULL')",
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "silent": silent, "asks": asks})
    quiet, asking = prove(project, server, "silent:", laws=("offline",))
    assert any("online" in line for line in verdict(quiet, "offline").differences)
    assert verdict(asking, "offline").reason.startswith("upgrade --sql: revision asks")


@pytest.mark.slow
def test_rows_stop_a_revision_that_did_not_think_of_them(
    server: scratch.Server, tmp_path: Path
) -> None:
    project = written(
        tmp_path / "project",
        {
            "start": (ITEMS, "op.execute('DROP TABLE item, owner')"),
            "rash": ("op.execute('ALTER TABLE item ADD COLUMN kind text NOT NULL')", "pass"),
            "later": ("pass", "pass"),
        },
    )
    base, rash = prove(project, server, ":rash")
    assert outcomes(base)["downgrade"] == "held", "to an empty database, but for Alembic's table"
    assert outcomes(base)["offline"] == "held"
    assert outcomes(rash) == {"runs": "broken"} | {
        law: "not tried" for law in LAWS if law != "runs"
    }
    assert 'column "kind" of relation "item" contains null values' in (verdict(rash, "runs").reason)
    [empty] = prove(project, server, "rash", rows=0, laws=())
    assert outcomes(empty) == {"runs": "held"}


def test_rows_fit_what_a_revision_adds(server: scratch.Server, tmp_path: Path) -> None:
    adds = (
        """
        op.execute('''
            ALTER TABLE owner ADD CONSTRAINT one_name UNIQUE (name);
            ALTER TABLE item ADD CONSTRAINT few CHECK (label IN ('a', 'b')) NOT VALID,
                ALTER label SET NOT NULL;
            CREATE UNIQUE INDEX ON item (price, owner_id) WHERE price > 1;
            ALTER TABLE item VALIDATE CONSTRAINT few;
            ALTER TABLE item ADD also text REFERENCES owner (name)
        ''')
        """,
        """
        op.execute('''
            ALTER TABLE item DROP also, DROP CONSTRAINT few, ALTER label DROP NOT NULL;
            DROP INDEX item_price_owner_id_idx;
            ALTER TABLE owner DROP CONSTRAINT one_name
        ''')
        """,
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "adds": adds})
    [proven] = prove(project, server, laws=("downgrade",))
    assert outcomes(proven) == {"runs": "held", "downgrade": "held"}, proven.verdicts
    assert set(proven.fits) == {
        "NOT NULL on label of public.item",
        "the constraint few of public.item",
        "the constraint one_name of public.owner",
        "the index item_price_owner_id_idx of public.item",
    }
    assert all(one.rows == 20 for one in proven.rows)


@pytest.mark.slow
def test_rows_fit_narrower_types(server: scratch.Server, tmp_path: Path) -> None:
    wide = (
        "CREATE TABLE wide (a text, b varchar(80), c numeric, d numeric(20, 4), e bigint, f int, "
    )
    wide += "g varchar(9), h int)"
    columns = {
        "a": ("varchar(10)", "text"),
        "b": ("varchar(20)", "varchar(80)"),
        "c": ("numeric(6, 2)", "numeric"),
        "d": ("numeric(5, -2)", "numeric(20, 4)"),
        "e": ("integer", "bigint"),
        "f": ("smallint", "integer"),
        "g": ("varchar(30)", "varchar(9)"),  # wider
        "h": ("bigint", "integer"),
    }
    change = [
        f"""op.execute("ALTER TABLE wide {
            ", ".join(f"ALTER {column} TYPE {types[which]}" for column, types in columns.items())
        }")"""
        for which in (0, 1)
    ]
    start = (f'op.execute("{wide}")', "")
    project = written(tmp_path / "project", {"start": start, "narrow": (change[0], change[1])})
    [proven] = prove(project, server, laws=("again",))
    assert outcomes(proven) == {"runs": "held", "again": "held"}, proven.verdicts
    assert set(proven.fits) == {
        "the type character varying(10) of a of public.wide",
        "the type character varying(20) of b of public.wide",
        "the type numeric(6,2) of c of public.wide",
        "the type numeric(5,-2) of d of public.wide",
        "the type integer of e of public.wide",
        "the type smallint of f of public.wide",
    }
    assert [one.rows for one in proven.rows] == [20]
    assert "fixups_fits" not in str(proven)


@pytest.mark.slow
def test_what_differs_from_run_to_run_is_not_compared(
    server: scratch.Server, tmp_path: Path
) -> None:
    timed = (
        """
        op.execute("ALTER TABLE owner ADD COLUMN IF NOT EXISTS at timestamptz")
        op.execute("UPDATE owner SET at = clock_timestamp() WHERE at IS NULL")
        """,
        "op.execute('ALTER TABLE owner DROP COLUMN IF EXISTS at')",
    )
    chance = (
        """
        import uuid
        op.execute(f"COMMENT ON TABLE item IS '{uuid.uuid4()}'")
        """,
        "op.execute('COMMENT ON TABLE item IS NULL')",
    )
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "timed": timed, "by": chance})
    [proven, other] = prove(project, server, "timed:")
    assert outcomes(proven) == dict.fromkeys(LAWS, "held"), proven.verdicts
    [note] = verdict(proven, "runs").notes
    assert "public.owner: at (20 rows)" in note
    assert "do not end the same" in verdict(other, "runs").reason


@pytest.mark.slow
def test_a_revision_that_makes_a_role(server: scratch.Server, tmp_path: Path) -> None:
    name = "prove_made_this_role"
    makes = (f"op.execute('CREATE ROLE {name}')", f"op.execute('DROP ROLE {name}')")
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "makes": makes})
    try:
        [proven] = prove(project, server, laws=("again", "offline"))
    finally:
        with scratch.connect(server.url) as connection:
            connection.execute(f"DROP ROLE IF EXISTS {name}")
    assert set(outcomes(proven).values()) == {"held", "not tried"}
    assert "roles" in verdict(proven, "again").reason


def test_a_revision_that_ends_its_process(server: scratch.Server, tmp_path: Path) -> None:
    ends = ("import os\nos._exit(3)", "pass")
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "ends": ends})
    [proven] = prove(project, server)
    assert "ended with 3, in revision ends" in verdict(proven, "runs").reason
