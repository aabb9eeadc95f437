"""Checks of a table that others inherit: swapped everywhere, or refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.fixups.check_constraints.comparing import compare, project, run
from tests.laws import snapshot

MODELS = """
metadata = MetaData()
Table("parent", metadata, Column("s", String(9)), Column("n", Integer),
      CheckConstraint("s IN ('a', 'b', 'c')", name="c"))
"""
CHILDREN = (
    MODELS
    + """
Table("child", metadata, Column("s", String(9)), Column("n", Integer),
      CheckConstraint("s IN ('a', 'b', 'c')", name="c"))
"""
)
OWN = """
CREATE TABLE parent (s varchar(9), n int, CONSTRAINT c CHECK (s IN ('a', 'b')));
CREATE TABLE child (CONSTRAINT c CHECK (s IN ('a', 'b'))) INHERITS (parent);
CREATE TABLE "Grand child" (CONSTRAINT c CHECK (s IN ('a', 'b'))) INHERITS (child);
CREATE TABLE plain () INHERITS (parent);
CREATE TABLE both_ways () INHERITS (child, plain);
COMMENT ON CONSTRAINT c ON child IS 'it''s: 100%';
INSERT INTO child VALUES ('a', 1);
"""
LOCAL = """
SELECT conrelid::regclass::text, conname, conislocal, coninhcount, convalidated FROM pg_constraint
 WHERE contype = 'c' ORDER BY 1, 2
"""


@pytest.mark.parametrize("models", [MODELS, CHILDREN], ids=["unknown", "mapped"])
def test_children_that_have_the_check_as_their_own_have_the_new_one_so_too(
    tmp_path: Path, database_url: URL, server: scratch.Server, models: str
) -> None:
    made = project(tmp_path, database_url, models, OWN)
    options = {
        "configure": {
            "include_name": lambda name, kind, _: kind != "table" or f'"{name}"' in models
        }
    }
    before = snapshot.both(server, database_url)
    found = compare(made, **options)
    assert (found.changes, found.codes) == (["parent: change the check c (s may be 'c' too)"], [])
    made.autogenerate(**options)
    with scratch.connect(database_url) as connection:
        was = connection.execute(LOCAL).fetchall()
        head = made.head()
        for _ in range(2):
            made.upgrade()
            assert connection.execute(LOCAL).fetchall() == was
            made.stamp("base")
        found = compare(made, **options)
        assert (found.changes, found.codes) == ([], [])
        connection.execute("INSERT INTO \"Grand child\" VALUES ('c', 1)")
        connection.execute('DELETE FROM "Grand child"')
    for _ in range(2):
        made.stamp(head)
        made.downgrade("base")
        assert snapshot.both(server, database_url) == before


@pytest.mark.postgres(16)
@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (
            "CREATE TABLE parent (s varchar(9), n int);"
            "CREATE TABLE child (CONSTRAINT c CHECK (n > 0)) INHERITS (parent)",
            "c is not added: public.child inherits the table and has another check of that name",
        ),
        (
            "CREATE TABLE parent (s varchar(9), n int, CONSTRAINT c CHECK (s IN ('a', 'b')));"
            "CREATE TABLE other (s varchar(9), CONSTRAINT c CHECK (s IN ('a', 'b')));"
            "CREATE TABLE child () INHERITS (parent, other)",
            "c stays as it is: public.child inherits it from public.other too",
        ),
        (
            "CREATE TABLE parent (s int, n int, CONSTRAINT c CHECK ((s & 1) = 0));"
            "CREATE TABLE child (CONSTRAINT c CHECK ((s & 1) = 0)) INHERITS (parent)",
            "c stays as it is: public.child inherits it and has it as its own too",
        ),
    ],
)
def test_what_could_not_be_finished_is_not_begun(
    tmp_path: Path, database_url: URL, sql: str, why: str
) -> None:
    made = project(tmp_path, database_url, MODELS, sql)
    found = compare(made)
    assert (found.changes, found.codes) == ([], ["inherited"])
    assert found.findings[0].message.startswith(why)


@pytest.mark.postgres(15, 18)
def test_a_child_that_has_it_already_takes_part(
    tmp_path: Path, database_url: URL, server: scratch.Server
) -> None:
    made = project(
        tmp_path,
        database_url,
        MODELS,
        "CREATE TABLE parent (s varchar(9), n int);"
        "CREATE TABLE child (CONSTRAINT c CHECK (s IN ('a', 'b', 'c'))) INHERITS (parent)",
    )
    options = {
        "configure": {"include_name": lambda name, kind, _: kind != "table" or name == "parent"}
    }
    before = snapshot.both(server, database_url)
    made.autogenerate(**options)
    made.upgrade()
    assert made.is_converged(**options)
    made.downgrade("base")
    run(database_url, "DROP TABLE IF EXISTS alembic_version")
    after = snapshot.both(server, database_url)
    assert after == before
