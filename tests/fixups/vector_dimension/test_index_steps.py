"""The steps that build and drop vector indexes, in revisions as autogenerate writes them."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from alembic_fixups import scratch
from alembic_fixups.rendering.steps import _EXECUTE_EACH
from alembic_fixups.rendering.templates import Templates
from tests.fixups.vector_dimension.indexing import RENDERED, Indexing, index_steps, indexing
from tests.fixups.vector_dimension.test_indexes import BUILT, HNSW, TABLE, items
from tests.projects import Project

__all__ = ["indexing"]

pytestmark = pytest.mark.postgres(16)

SCHEMAS: dict[str, Any] = {"configure": {"include_schemas": True}}
ROWS = "INSERT INTO items SELECT n, 'a', ARRAY[n, 1, 2]::vector FROM generate_series(1, 50) AS n"

HOSTILE = r"""
t = Table('i"t :x %s', metadata, Column("id", Integer, primary_key=True),
          Column("kind %s", String(99)), Column('e :"m', V()), schema="S :p %s")
Index("i'x %(y)s :z $fixup$ \\", t.c['e :"m'], postgresql_using="hnsw",
      postgresql_ops={'e :"m': "vector_l2_ops"}, postgresql_with={"m": 5},
      postgresql_where=t.c["kind %s"] != r"it's :a %s %(b)s \:c $fixup$ \\ ")
"""
HOSTILE_TABLE = (
    'CREATE TABLE "S :p %s"."i""t :x %s" (id int PRIMARY KEY, "kind %s" varchar,'
    ' "e :""m" vector(3))'
)
HOSTILE_INDEX = (
    r"""CREATE INDEX "i'x %(y)s :z $fixup$ \" ON "S :p %s"."i""t :x %s" USING hnsw ("e :""m" """
    r"""vector_l2_ops) WITH (ef_construction = 40) WHERE "kind %s" <> 'old :a \:b %s \\ $fixup$'"""
)


def replaced(indexing: Indexing) -> Project:
    """A project whose index changes in everything, with a revision; it has a comment."""
    project = indexing.make(
        items(HNSW + ', postgresql_with={"m": 9}'),
        TABLE,
        ROWS,
        "CREATE INDEX ix ON items USING ivfflat (embedding vector_ip_ops) WITH (lists = 7)"
        " WHERE kind IN ('a', 'b')",
        "COMMENT ON INDEX ix IS 'it''s :a %s comment'",
    )
    project.autogenerate()
    return project


def runs_twice_and_goes_back(indexing: Indexing, project: Project, **attributes: Any) -> list[str]:
    """Gives the indexes after the upgrade."""
    before = indexing.definitions()
    project.upgrade()
    after, oids = indexing.definitions(), indexing.oids()
    head = project.head()
    assert Project(project.folder, indexing.url).is_converged(**attributes)
    project.stamp("base")
    project.upgrade()
    assert indexing.oids() == oids
    project.downgrade("base")
    assert indexing.definitions() == before
    oids = indexing.oids()
    project.stamp(head)
    project.downgrade("base")
    assert indexing.oids() == oids
    assert indexing.definitions() == before
    project.upgrade()
    assert indexing.definitions() == after
    return after


NEW = (
    "CREATE INDEX ix ON public.items USING hnsw (embedding vector_cosine_ops) WITH (m='9')"
    " COMMENT it's :a %s comment"
)


@pytest.mark.postgres(16, 18)
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_another_index_takes_the_place(indexing: Indexing, driver: str) -> None:
    project = replaced(indexing)
    project.url = project.url.set(drivername=f"postgresql+{driver}")
    assert runs_twice_and_goes_back(indexing, project) == [NEW]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg", "psql"])
def test_hostile_names_and_values(indexing: Indexing, driver: str, server: scratch.Server) -> None:
    schema = 'CREATE SCHEMA "S :p %s"'
    project = indexing.make(HOSTILE, schema, HOSTILE_TABLE, HOSTILE_INDEX)
    project.autogenerate(**SCHEMAS)
    if driver == "psql":
        before = indexing.definitions()
        indexing.sql("DROP TABLE alembic_version")
        project.psql(project.offline("head"), server)
        assert project.is_converged(**SCHEMAS)
        project.psql(project.offline(f"{project.head()}:base", downgrade=True), server)
        assert indexing.definitions() == before
    else:
        project.url = project.url.set(drivername=f"postgresql+{driver}")
        [after] = runs_twice_and_goes_back(indexing, project, **SCHEMAS)
        assert "ef_construction='40', m='5'" in after or "m='5', ef_construction='40'" in after
        assert r"it''s :a %s %(b)s \:c $fixup$ \\ '" in after


@pytest.mark.postgres(16, 18)
def test_offline_by_psql(indexing: Indexing, server: scratch.Server) -> None:
    project = replaced(indexing)
    before = indexing.definitions()
    script = project.offline("head")
    back = project.offline(f"{project.head()}:base", downgrade=True)
    indexing.sql("DROP TABLE alembic_version")
    project.psql(script, server)
    assert indexing.definitions() == [NEW]
    oids = indexing.oids()
    indexing.sql("DROP TABLE alembic_version")
    project.psql(script, server)
    assert indexing.oids() == oids
    project.psql(back, server)
    assert indexing.definitions() == before
    indexing.sql("DROP TABLE alembic_version")
    project.psql(script, server)
    assert indexing.definitions() == [NEW]


def test_stopped_at_any_statement_it_ends_the_same(indexing: Indexing) -> None:
    project = replaced(indexing)
    before = indexing.definitions()
    number, stop_at = 0, 0

    def count(*_: Any) -> None:
        nonlocal number
        number += 1
        if number == stop_at:
            raise SQLAlchemyError("stopped")

    event.listen(Engine, "before_cursor_execute", count)
    try:
        for run, there in ((project.upgrade, [NEW]), (lambda: project.downgrade("base"), before)):
            stopped = True
            stop_at = 0
            while stopped:
                stop_at, number, stopped = stop_at + 1, 0, False
                try:
                    run()
                except SQLAlchemyError as error:
                    assert "stopped" in str(error)
                    stopped = True
            assert indexing.definitions() == there
            assert stop_at >= 10
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def test_what_a_run_before_left_behind(indexing: Indexing) -> None:
    project = replaced(indexing)
    shadow = NEW.split(" COMMENT")[0].replace("INDEX ix", "INDEX fixup_new_ix")
    # INVALID, another one, and the right one already.
    invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'fixup_new_ix'::regclass"
    for left in ([shadow, invalid], [shadow.replace("m='9'", "m='8'")], [shadow]):
        indexing.sql(*left)
        oid = indexing.oids()["fixup_new_ix"]
        project.upgrade()
        assert indexing.definitions() == [NEW]
        assert (indexing.oids()["ix"] == oid) is (left == [shadow])
        project.downgrade("base")
    project.upgrade()
    indexing.sql(shadow, invalid)
    project.stamp("base")
    project.upgrade()
    assert indexing.definitions() == [NEW]


def test_what_is_tuned_in_another_database_stays(indexing: Indexing) -> None:
    project = indexing.make(
        items(HNSW + ', postgresql_with={"m": 9}'), TABLE, BUILT + " WITH (ef_construction = 40)"
    )
    project.autogenerate()
    indexing.sql(
        "DROP INDEX ix",
        BUILT.replace("cosine", "l2") + " WITH (m = 4, ef_construction = 77)",
        "COMMENT ON INDEX ix IS 'theirs'",
    )
    project.upgrade()
    [after] = indexing.definitions()
    assert "cosine" in after
    assert "m='9', ef_construction='77'" in after
    assert after.endswith("COMMENT theirs")


def test_created_and_dropped(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE, ROWS)
    project.autogenerate()
    [after] = runs_twice_and_goes_back(indexing, project)
    assert after == BUILT.replace("items", "public.items")
    indexing.models(project, items())
    project.autogenerate("drop it")
    indexing.sql("COMMENT ON INDEX ix IS 'x'")
    project.upgrade()
    assert indexing.definitions() == []
    project.downgrade()
    assert indexing.definitions() == [after]


def test_a_name_that_something_else_has(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE)
    project.autogenerate()
    indexing.sql("CREATE TABLE ix ()")
    with pytest.raises(SQLAlchemyError, match="the name ix is taken by something else"):
        project.upgrade()


def test_with_a_column_that_goes(indexing: Indexing) -> None:
    project = indexing.make(
        items().replace(',\n          Column("embedding", V())', ""), TABLE, BUILT
    )
    indexing.compare(project)
    assert indexing.changes[0].early
    before = indexing.definitions()
    project.autogenerate(configure=RENDERED)
    project.upgrade()
    assert indexing.definitions() == []
    project.downgrade("base")
    assert indexing.definitions() == before


def test_with_another_column_under_the_same_name(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW).replace("embedding", "other"), TABLE, BUILT)
    before = indexing.definitions()
    project.autogenerate(configure=RENDERED)
    assert indexing.changes[0].early
    project.upgrade()
    assert indexing.definitions() == [
        BUILT.replace("items", "public.items").replace("embedding", "other")
    ]
    assert project.is_converged()
    project.downgrade("base")
    assert indexing.definitions() == before


def test_a_predicate_over_an_enum_that_another_fixup_changes(indexing: Indexing) -> None:
    indexing.others = ("enum-check",)
    mood = 'Enum("a", "b", name="mood", native_enum=False, length=9)'
    models = items(HNSW + ", postgresql_where=t.c.kind == 'a'").replace("String(9)", mood)
    project = indexing.make(
        models,
        "CREATE TYPE mood AS ENUM ('a', 'b')",
        TABLE.replace("varchar(9)", "mood"),
        BUILT.replace("cosine", "l2") + " WHERE kind = 'a'",
    )
    project.settings(
        "[tool.alembic-fixups.vector-dimension]\n"
        "[tool.alembic-fixups.enum-check]\nstrategy = 'rewrite'\n"
    )
    before = indexing.definitions()
    project.autogenerate()
    project.upgrade()
    assert "cosine_ops) WHERE ((kind)::text = 'a'::text)" in indexing.definitions()[0]
    assert project.is_converged()
    project.downgrade("base")
    assert indexing.definitions() == before


def test_a_predicate_over_a_type_that_moves(indexing: Indexing) -> None:
    indexing.others = ("schema-prefix",)
    models = items(HNSW + ", postgresql_where=t.c.kind == 'a'")
    models = models.replace("String(9)", 'Enum("a", "b", name="mood", metadata=metadata)')
    project = indexing.make(
        models,
        "CREATE TYPE mood AS ENUM ('a', 'b')",
        TABLE.replace("varchar(9)", "mood"),
        BUILT.replace("cosine", "l2") + " WHERE kind = 'a'",
    )
    project.settings(
        "[tool.alembic-fixups.vector-dimension]\n"
        "[tool.alembic-fixups.schema-prefix]\nschema = 'app'\nmove-from = ['public']\n"
    )
    before = indexing.definitions()
    project.autogenerate(**SCHEMAS)
    project.upgrade()
    assert indexing.definitions()[0].endswith("cosine_ops) WHERE (kind = 'a'::app.mood)")
    assert project.is_converged(**SCHEMAS)
    project.downgrade("base")
    assert indexing.definitions() == before


def test_a_conversion(indexing: Indexing) -> None:
    """Dropped before, built after; not while there is something to wait for."""
    indexing.converted[("items", "embedding")] = "vector(4)"
    indexing.waits = "to_regclass('job') IS NULL"
    project = indexing.make(items(HNSW).replace("V()", 'V("vector(4)")'), TABLE, ROWS, BUILT)
    before = indexing.definitions()
    project.autogenerate(configure=RENDERED)
    indexing.sql("CREATE TABLE job ()")
    project.upgrade()
    assert indexing.definitions() == []
    project.downgrade("base")
    assert indexing.definitions() == before
    indexing.sql("DROP TABLE job")
    project.upgrade()
    oids = indexing.oids()
    assert list(oids) == ["ix"]
    project.stamp("base")
    project.upgrade()
    assert indexing.oids() == oids
    project.downgrade("base")
    assert indexing.definitions() == before


@pytest.mark.postgres(16, 18)
def test_a_partitioned_table(indexing: Indexing, server: scratch.Server) -> None:
    project = indexing.make(
        items(HNSW + ', postgresql_with={"m": 9}'),
        TABLE + " PARTITION BY RANGE (id)",
        "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (30)",
        "CREATE TABLE items_2 PARTITION OF items FOR VALUES FROM (30) TO (99)",
        ROWS,
        BUILT,
        "COMMENT ON INDEX ix IS 'x'",
    )
    source = project.autogenerate()
    assert "CONCURRENTLY is not allowed on a partitioned" in source.replace("\n        # ", " ")
    after = runs_twice_and_goes_back(indexing, project)
    assert len(after) == 3
    assert all("WITH (m='9')" in one and "INVALID" not in one for one in after)
    back = project.offline(f"{project.head()}:base", downgrade=True)
    project.psql(back, server)
    assert "WITH" not in "".join(indexing.definitions())


def test_the_index_of_a_partition_is_that_of_its_table(indexing: Indexing) -> None:
    one = items().replace("items", "items_1").replace("t = ", "")
    project = indexing.make(
        items(HNSW) + one,
        TABLE + " PARTITION BY RANGE (id)",
        "CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (30)",
        BUILT,
    )
    assert indexing.compare(project) == []
    assert "op." not in indexing.source


@pytest.mark.parametrize(
    ("options", "present", "lists"),
    [
        ("", None, "3"),
        (', postgresql_with={"lists": 5}', None, "5"),
        ("", "lists = 6", "6"),
        (', postgresql_where=text("id <= 2000")', None, "2"),
    ],
)
def test_the_lists_of_an_ivfflat_index(
    indexing: Indexing, options: str, present: str | None, lists: str
) -> None:
    project = indexing.make(items('postgresql_using="ivfflat"' + options), TABLE)
    if present:
        indexing.sql(
            f"CREATE INDEX ix ON items USING ivfflat (embedding vector_ip_ops) WITH ({present})"
        )
    project.autogenerate()
    # Where it runs there are rows; those without a value do not count.
    indexing.sql(
        ROWS.replace("50)", "3500)"),
        "INSERT INTO items (id) SELECT -n FROM generate_series(1, 3000) AS n",
    )
    project.upgrade()
    [after] = indexing.definitions()
    assert f"WITH (lists='{lists}')" in after
    assert project.is_converged()


def test_lists_that_a_migration_computed_are_computed_again(indexing: Indexing) -> None:
    indexing.converted[("items", "embedding")] = "vector(4)"
    ivfflat = items('postgresql_using="ivfflat"').replace("V()", 'V("vector(4)")')
    index = "CREATE INDEX ix ON items USING ivfflat (embedding) WITH (lists = {})"
    project = indexing.make(ivfflat, TABLE, index.format(2), ROWS.replace("50)", "2000)"))
    indexing.sql("ANALYZE items")
    indexing.compare(project)
    assert indexing.changes[0].new.options == ()
    indexing.sql("DROP INDEX ix", index.format(50))
    indexing.compare(project)
    assert indexing.changes[0].new.options == (("lists", "50"),)


@pytest.mark.slow
def test_above_a_million_rows_the_lists_are_the_square_root(indexing: Indexing) -> None:
    indexing.sql(
        "CREATE EXTENSION vector",
        "CREATE UNLOGGED TABLE items (embedding vector(1))",
        "INSERT INTO items SELECT '[1]' FROM generate_series(1, 1500000)",
    )
    with scratch.connect(indexing.url) as connection:
        for function in index_steps.functions(Templates("5s")):
            connection.execute(function)
        rows = connection.execute(
            "SELECT pg_temp.fixup_build_index('items', 'ix', 'x', 'ivfflat (embedding)', NULL,"
            " '{}', '{}', NULL, NULL, false, false)"
        ).fetchall()
    assert rows == [
        ("CREATE INDEX CONCURRENTLY x ON items USING ivfflat (embedding) WITH (lists = '1225')",)
    ]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_each_statement_that_a_query_gives_is_executed(indexing: Indexing, driver: str) -> None:
    """What has no statement is passed over; the characters of a statement stay what they are."""
    query = r"""
    SELECT CASE n WHEN 2 THEN
             E'CREATE TABLE "a\u003ab \u0025(x)s \\\u003ac" (n int DEFAULT 1\u003a\u003aint)'
           END
      FROM generate_series(1, {0}) AS n WHERE n\:\:text <> 'x'
    """
    engine = create_engine(indexing.url.set(drivername=f"postgresql+{driver}"))
    with engine.connect() as connection:
        names = {"op": Operations(MigrationContext.configure(connection))}
        exec(_EXECUTE_EACH.replace("{prefix}", "op."), names)
        for rows in (0, 2):
            names["execute_each"](query.format(rows))  # type: ignore[operator]
        connection.commit()
    engine.dispose()
    assert indexing.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^a'") == [
        (r"a:b %(x)s \:c",)
    ]


def test_under_another_name_of_op(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE)
    mako = project.folder / "migrations" / "script.py.mako"
    mako.write_text(mako.read_text().replace("import op", "import op as does"))
    project.autogenerate(configure={"alembic_module_prefix": "does."})
    project.upgrade()
    assert len(indexing.definitions()) == 1
    project.downgrade("base")
    assert indexing.definitions() == []
