"""What the migration of a CHECK says, refuses and leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.fixups.check_constraints.comparing import compare, project, run
from tests.laws import snapshot
from tests.projects import Project

TABLE = """
metadata = MetaData()
Table("t", metadata, Column("id", Integer, primary_key=True), Column("s", String(20)),
      Column("tags", postgresql.ARRAY(Text)), Column("n", Integer){checks})
"""
TABLE_SQL = "CREATE TABLE t (id int PRIMARY KEY, s varchar(20), tags text[], n int{checks});"


def table(*checks: str) -> str:
    return TABLE.format(checks="".join(f", {check}" for check in checks))


def table_sql(*checks: str) -> str:
    return TABLE_SQL.format(checks="".join(f", {check}" for check in checks))


def checks_of(url: URL, name: str = "t") -> list[str]:
    with scratch.connect(url) as connection:
        rows = connection.execute(
            "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'c' ORDER BY 1",
            [name],
        ).fetchall()
    return [row[0] for row in rows]


def refused(made: Project, direction: str = "upgrade") -> str:
    with pytest.raises(Exception) as caught:
        made.upgrade() if direction == "upgrade" else made.downgrade("base")
    return str(getattr(caught.value, "orig", caught.value))


@pytest.mark.postgres(16)
def test_rows_that_hold_a_removed_value_stop_it_before_anything_is_changed(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(
        tmp_path,
        database_url,
        table(
            "Column('more', Integer)",
            "CheckConstraint(\"s IN ('new', 'sent')\", name='s')",
            "CheckConstraint(\"tags <@ ARRAY['a']\", name='tags')",
            "CheckConstraint('n > 0', name='n')",
        ),
        table_sql(
            "CONSTRAINT s CHECK (s IN ('new', 'old', 'it''s'))",
            "CONSTRAINT tags CHECK (tags <@ ARRAY['a', 'b', 'c'])",
        )
        + "INSERT INTO t"
        " SELECT i, CASE WHEN i < 4 THEN 'it''s' WHEN i < 9 THEN 'old' ELSE 'new' END,"
        " CASE WHEN i = 1 THEN ARRAY['a', 'b', 'b'] END, i - 3 FROM generate_series(1, 20) AS i",
    )
    assert compare(made).changes == [
        "t: add the check n (n > 0)",
        "t: change the check s (s may be 'sent' too, s may not be \"it's\" or 'old' any more)",
        "t: change the check tags (tags may not be 'b' or 'c' any more)",
    ]
    made.autogenerate()
    before = checks_of(database_url)
    message = refused(made)
    assert "t: 8 row(s) violate s, CHECK (s IN ('new', 'sent'))" in message
    assert "  not allowed: s: 'old' in 5 row(s), 'it''s' in 3 row(s)" in message
    assert "  the first of them, by (id): (1), (2), (3), (4), (5)" in message
    assert "t: 1 row(s) violate tags" in message
    assert "  not allowed: tags: 'b' in 1 row(s)" in message
    assert "t: 3 row(s) violate n, CHECK (n > 0)" in message
    assert "to see them all: SELECT * FROM t WHERE NOT (n > 0)" in message
    assert "Nothing has been changed" in message
    assert checks_of(database_url) == before
    with scratch.connect(database_url) as connection:
        assert connection.execute("SELECT * FROM t").description is not None
        assert "more" not in {
            column.name for column in connection.execute("SELECT * FROM t").description or ()
        }
    run(database_url, "UPDATE t SET s = 'new', tags = NULL, n = 1")
    made.upgrade()
    assert made.is_converged()


@pytest.mark.postgres(16)
def test_the_downgrade_stops_at_rows_that_the_old_check_refuses(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(
        tmp_path,
        database_url,
        table("CheckConstraint(\"s IN ('a', 'b', 'c')\", name='s')"),
        table_sql("CONSTRAINT s CHECK (s IN ('a', 'b'))", "CONSTRAINT gone CHECK (n > 0)"),
    )
    made.autogenerate()
    made.upgrade()
    run(database_url, "INSERT INTO t VALUES (1, 'c', NULL, -1)")
    after = checks_of(database_url)
    message = refused(made, "downgrade")
    assert "not allowed: s: 'c' in 1 row(s)" in message
    assert "t: 1 row(s) violate gone" in message
    assert "The downgrade brings back" in message
    assert checks_of(database_url) == after


@pytest.mark.postgres(16)
def test_values_of_a_domain(tmp_path: Path, database_url: URL) -> None:
    made = project(
        tmp_path,
        database_url,
        """
        metadata = MetaData()
        code = postgresql.DOMAIN("code", Text, check="VALUE IN ('a')", constraint_name="c")
        Table("t", metadata, Column("Code", code))
        """,
        "CREATE DOMAIN code AS text CONSTRAINT c CHECK (VALUE IN ('a', 'b'));"
        "CREATE TABLE t (\"Code\" code); INSERT INTO t VALUES ('a'), ('b'), (NULL)",
    )
    made.autogenerate()
    message = refused(made)
    assert 't."Code": 1 row(s) violate the check of the domain code' in message
    run(database_url, "UPDATE t SET \"Code\" = 'a'")
    made.upgrade()
    assert made.is_converged()


@pytest.mark.postgres(16)
def test_row_security_that_hides_rows_stops_it(tmp_path: Path, database_url: URL) -> None:
    made = project(
        tmp_path,
        database_url,
        table("CheckConstraint('n > 0', name='n')"),
        "CREATE ROLE hidden_from; GRANT CREATE ON SCHEMA public TO hidden_from;"
        + table_sql()
        + "ALTER TABLE t OWNER TO hidden_from; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE t FORCE ROW LEVEL SECURITY;",
    )
    try:
        made.autogenerate()
        run(database_url, "GRANT ALL ON alembic_version TO hidden_from")
        with pytest.raises(Exception, match="row level security hides rows of t"):
            made.upgrade(session=["SET ROLE hidden_from"])
    finally:
        run(database_url, "DROP OWNED BY hidden_from; DROP ROLE hidden_from")


@pytest.mark.postgres(16)
def test_another_check_of_that_name_is_not_taken_for_ours(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(
        tmp_path,
        database_url,
        table("CheckConstraint('n > 0', name='n')"),
        table_sql("CONSTRAINT gone CHECK (n < 9)"),
    )
    made.autogenerate()
    run(database_url, "ALTER TABLE t ADD CONSTRAINT n CHECK (n > 5)")
    assert "t has another check n than where this revision was generated" in refused(made)
    run(database_url, "ALTER TABLE t DROP CONSTRAINT n, DROP CONSTRAINT gone")
    run(database_url, "ALTER TABLE t ADD CONSTRAINT gone CHECK (n < 10)")
    assert "t has another check gone than where this revision was generated" in refused(made)
    assert "gone CHECK ((n < 10))" in checks_of(database_url)


@pytest.mark.postgres(16)
def test_the_same_list_spelled_otherwise_elsewhere_is_taken_for_ours(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(
        tmp_path,
        database_url,
        table("CheckConstraint(\"s IN ('a', 'b', 'c')\", name='s')"),
        table_sql("CONSTRAINT s CHECK (s IN ('a', 'b'))"),
    )
    made.autogenerate()
    run(
        database_url,
        "ALTER TABLE t DROP CONSTRAINT s, ADD CONSTRAINT s CHECK (s::text = ANY (ARRAY['b', 'a']))",
    )
    made.upgrade()
    assert made.is_converged()


@pytest.mark.postgres(16)
def test_rows_written_after_the_look_are_said_by_validate(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(tmp_path, database_url, table("CheckConstraint('n > 0', name='n')"), table_sql())
    source = made.autogenerate()
    [path] = (made.folder / "migrations" / "versions").glob("*.py")
    marker = "    # check-constraints makes these changes:"
    assert source.count(marker) == 1
    path.write_text(
        source.replace(marker, '    op.execute("INSERT INTO t (id, n) VALUES (1, -1)")\n' + marker)
    )
    assert "have been written since they were looked for" in refused(made)
    assert checks_of(database_url) == ["n CHECK ((n > 0)) NOT VALID"]


TYPE_CHANGE = """
metadata = MetaData()
Table("t", metadata, Column("id", Integer, primary_key=True), Column("s", Text),
      CheckConstraint("s ~ '^[0-9]+$'", name="c"))
"""


def test_a_check_that_does_not_fit_the_new_type_makes_way(
    tmp_path: Path, database_url: URL, server: scratch.Server
) -> None:
    made = project(
        tmp_path,
        database_url,
        TYPE_CHANGE,
        "CREATE TABLE t (id int PRIMARY KEY, s int, CONSTRAINT c CHECK ((s & 1) = 0),"
        " CONSTRAINT gone CHECK (s % 3 <> 1)); INSERT INTO t VALUES (1, 2)",
    )
    before = snapshot.both(server, database_url)
    made.autogenerate()
    [path] = (made.folder / "migrations" / "versions").glob("*.py")
    path.write_text(
        path.read_text().replace(
            "type_=sa.INTEGER(),", 'type_=sa.INTEGER(), postgresql_using="s::integer",'
        )
    )
    head = made.head()
    for _ in range(2):
        made.stamp("base")
        made.upgrade()
        assert made.is_converged()
    for _ in range(2):
        made.stamp(head)
        made.downgrade("base")
        assert snapshot.both(server, database_url) == before


@pytest.mark.postgres(18)
def test_not_enforced_comes_back_as_it_was(
    tmp_path: Path, database_url: URL, server: scratch.Server
) -> None:
    made = project(
        tmp_path,
        database_url,
        table("CheckConstraint('n > 1', name='n')"),
        table_sql(
            "CONSTRAINT n CHECK (n > 0) NOT ENFORCED", "CONSTRAINT gone CHECK (n > 2) NOT ENFORCED"
        )
        + "INSERT INTO t VALUES (1, NULL, NULL, 2)",
    )
    before = snapshot.both(server, database_url)
    made.autogenerate()
    made.upgrade()
    assert made.is_converged()
    run(database_url, "INSERT INTO t VALUES (2, NULL, NULL, 3)")
    made.downgrade("base")
    run(database_url, "DELETE FROM t WHERE id = 2")
    assert snapshot.both(server, database_url) == before


@pytest.mark.postgres(16)
def test_no_inherit_and_comments_are_kept(tmp_path: Path, database_url: URL) -> None:
    made = project(
        tmp_path,
        database_url,
        table(
            "CheckConstraint('n > 1', name='n')",
            "CheckConstraint('n < 9', name='said', comment=\"it's 100%: so\")",
        ),
        table_sql("CONSTRAINT n CHECK (n > 0) NO INHERIT")
        + "COMMENT ON CONSTRAINT n ON t IS 'kept'; CREATE TABLE child () INHERITS (t);"
        "INSERT INTO child VALUES (1, NULL, NULL, 0)",
    )
    made.autogenerate()
    made.upgrade()
    assert checks_of(database_url) == [
        "n CHECK ((n > 1)) NO INHERIT",
        "said CHECK ((n < 9))",
    ]
    with scratch.connect(database_url) as connection:
        assert connection.execute(
            "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint"
            " WHERE conrelid = 't'::regclass AND contype = 'c' ORDER BY conname"
        ).fetchall() == [("kept",), ("it's 100%: so",)]
    assert made.is_converged()


@pytest.mark.postgres(16)
def test_a_writer_is_not_kept_waiting(tmp_path: Path, database_url: URL) -> None:
    """While VALIDATE reads, and between the steps, a second session writes."""
    made = project(
        tmp_path,
        database_url,
        table("CheckConstraint('n > 1', name='n')"),
        table_sql("CONSTRAINT n CHECK (n > 0)"),
    )
    source = made.autogenerate()
    [path] = (made.folder / "migrations" / "versions").glob("*.py")
    writes = (
        "        import psycopg\n"
        f"        with psycopg.connect({_dsn(database_url)!r}, autocommit=True) as other:\n"
        "            other.execute(\"SET lock_timeout = '1s'\")\n"
        '            other.execute("UPDATE t SET n = 5")\n'
        "            try:\n"
        '                other.execute("UPDATE t SET n = 0")\n'
        "            except psycopg.errors.CheckViolation:\n"
        "                pass\n"
        "            else:\n"
        '                raise AssertionError("unchecked")\n'
    )
    place = source.index("def downgrade")
    upgrade = (
        source[:place]
        .replace(
            "        # t: check the present rows", writes + "        # t: check the present rows"
        )
        .replace("        # t: the new check takes", writes + "        # t: the new check takes")
    )
    assert upgrade.count("import psycopg") == 2
    path.write_text(upgrade + source[place:])
    run(database_url, "INSERT INTO t VALUES (1, NULL, NULL, 2)")
    made.upgrade()


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


labels = st.lists(
    st.text(
        st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20
    ).filter(lambda text: len(text.encode()) <= 63),
    min_size=1,
    max_size=4,
    unique=True,
)
HOSTILE = ["it's", "a:b :c", "100% %s", "back\\slash", "$$", "$fixup$", "\U0001f600", "x" * 63]


@pytest.mark.postgres(16)
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=labels, after=labels)
@pytest.mark.slow
def test_any_labels_online_and_offline(
    database_url: URL,
    server: scratch.Server,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    after: list[str],
) -> None:
    def models(values: list[str]) -> str:
        return f"""
metadata = MetaData()
values = {values!r}
t = Table("t", metadata, Column("id", Integer, primary_key=True), Column("s", String(63)),
          Column("tags", postgresql.ARRAY(Text)))
t.append_constraint(CheckConstraint(t.c.s.in_(values), name="s"))
t.append_constraint(CheckConstraint(t.c.tags.contained_by(values), name="tags"))
"""

    run(database_url, "DROP TABLE IF EXISTS t, alembic_version")
    made = project(tmp_path_factory.mktemp("labels"), database_url, models(before + HOSTILE), "")
    made.create_all()
    assert compare(made).changes == []
    run(database_url, "DROP TABLE alembic_version")
    first = snapshot.both(server, database_url)
    made.models(models([*HOSTILE, *after]))
    same = set(before) == set(after)
    made.autogenerate()
    made.upgrade()
    assert made.is_converged()
    online = snapshot.schema(server, database_url)
    made.downgrade("base")
    assert snapshot.both(server, database_url) == first
    if same:
        return
    run(database_url, "DROP TABLE alembic_version")
    made.psql(made.offline("head"), server)
    assert snapshot.schema(server, database_url) == online
    made.psql(made.offline(f"{made.head()}:base", downgrade=True), server)
    assert snapshot.both(server, database_url) == first
