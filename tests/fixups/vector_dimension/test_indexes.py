"""Which vector indexes differ between the models and the database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Column, Index, Integer, MetaData, Table, event
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateIndex
from sqlalchemy.types import TypeDecorator, UserDefinedType

from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import Target
from tests.fixups.vector_dimension.indexing import (
    RENDERED,
    Indexing,
    index_rewrite,
    indexing,
    side_tables,
)

__all__ = ["indexing"]

pytestmark = pytest.mark.postgres(16)

TABLE = "CREATE TABLE items (id int PRIMARY KEY, kind varchar(9), embedding vector(3))"
HNSW = 'postgresql_using="hnsw", postgresql_ops={"embedding": "vector_cosine_ops"}'
BUILT = "CREATE INDEX ix ON items USING hnsw (embedding vector_cosine_ops)"


def items(index: str = "", column: str = 't.c["embedding"]') -> str:
    """A table with an index on a column: what follows it in ``Index()``."""
    made = f'\nIndex("ix", {column}, {index})' if index else ""
    return f"""
t = Table("items", metadata, Column("id", Integer, primary_key=True), Column("kind", String(9)),
          Column("embedding", V())){made}
"""


def test_what_is_the_same_and_what_is_not(indexing: Indexing) -> None:
    """By method, operator class, predicate and options, each in other words than the database."""
    project = indexing.make("", TABLE)
    same = [
        (items(HNSW), BUILT),
        (items(HNSW.replace("hnsw", "HNSW")), BUILT),
        (items(HNSW.replace("vector_c", "public.vector_c")), BUILT),
        (items('postgresql_using="ivfflat"'), "CREATE INDEX ix ON items USING ivfflat (embedding)"),
        (
            items(
                HNSW + ', postgresql_with={"m": 8, "EF_construction": "32"}'
                ', postgresql_where=t.c.kind.in_(["a", "b"])'
            ),
            BUILT + " WITH (ef_construction = 32, m = '8') WHERE kind IN ('a', 'b')",
        ),
        (
            items(
                'postgresql_using="hnsw", _table=t',
                'text("(embedding::halfvec(3)) halfvec_l2_ops")',
            ),
            "CREATE INDEX ix ON items USING hnsw (CAST(embedding AS halfvec(3)) halfvec_l2_ops)",
        ),
        ("", ""),
        (items(), "CREATE INDEX other ON items (id)"),
    ]
    for models, sql in same:
        indexing.models(project, models)
        indexing.sql("DROP INDEX IF EXISTS ix", *([sql] if sql else []))
        assert indexing.compare(project) == [], models
        assert not indexing.findings
    different = [
        (items('postgresql_using="ivfflat"'), BUILT),
        (items(HNSW.replace("cosine", "l2")), BUILT),
        (items(HNSW + ", postgresql_where=text(\"kind = 'a'\")"), BUILT),
        (items(HNSW), BUILT + " WHERE kind = 'a'"),
        (items(HNSW + ', postgresql_with={"m": 16}'), BUILT),
        (items(HNSW + ', postgresql_with={"m": 8}'), BUILT + " WITH (m = 9)"),
        (
            items(
                HNSW.replace("vector", "halfvec"),
                'cast(t.c.embedding, V("halfvec(3)")).label("embedding")',
            ),
            BUILT,
        ),
        (
            items('postgresql_using="ivfflat", postgresql_with={"lists": 7}'),
            "CREATE INDEX ix ON items USING ivfflat (embedding) WITH (lists = 8)",
        ),
        (items(HNSW), "CREATE INDEX ix ON items (embedding)"),
    ]
    for models, sql in different:
        indexing.models(project, models)
        indexing.sql("DROP INDEX IF EXISTS ix, other", sql)
        [change] = indexing.compare(project)
        assert change.startswith("items: build the index ix anew ("), models
        assert "op.create_index" not in indexing.source
        assert "op.drop_index" not in indexing.source


def test_only_one_side_has_it(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE)
    assert indexing.compare(project) == [
        "items: create the index ix (hnsw (embedding public.vector_cosine_ops))"
    ]
    indexing.models(project, items())
    indexing.sql(BUILT)
    assert indexing.compare(project) == ["items: drop the index ix"]
    assert "op." not in indexing.source.replace("op.get_context", "").replace("op.execute", "")


def test_an_option_that_the_models_do_not_mention_is_kept(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE, BUILT + " WITH (m = 8, ef_construction = 32)")
    assert indexing.compare(project) == []
    [finding] = indexing.findings
    assert (finding.code, finding.severity) == ("index-option", "info")
    assert "m = 8, ef_construction = 32" in finding.message
    indexing.models(project, items(HNSW.replace("cosine", "l2") + ', postgresql_with={"m": 9}'))
    assert "vector_l2_ops) with m = 9, ef_construction = 32" in indexing.compare(project)[0]


def test_no_query_without_a_vector_index(indexing: Indexing) -> None:
    project = indexing.make(items(), TABLE, "CREATE INDEX ix ON items (kind)")
    asked: list[str] = []

    def listen(*args: Any) -> None:
        asked.append(args[2])

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        indexing.compare(project)
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    assert asked
    assert not [one for one in asked if "fixup_" in one or "alembic-fixups: reembed" in one]


def test_comparing_leaves_nothing_behind(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE)
    counted = "SELECT count(*) FROM pg_proc WHERE proname ~ 'fixup'"
    indexing.compare(project, session=["SET search_path = ''; SET search_path = public"])
    assert indexing.sql(counted) == [(0,)]
    assert indexing.sql("SELECT count(*) FROM pg_class WHERE relname ~ 'fixup'") == [(0,)]


def test_the_extension_off_the_search_path(indexing: Indexing) -> None:
    indexing.schema = "Off % it"
    table = TABLE.replace("vector", '"Off % it".vector')
    project = indexing.make(items(HNSW), table)
    [change] = indexing.compare(project)
    assert 'hnsw (embedding "Off % it".vector_cosine_ops)' in change
    project.autogenerate()
    project.upgrade()
    assert indexing.definitions() == [
        'CREATE INDEX ix ON public.items USING hnsw (embedding "Off % it".vector_cosine_ops)'
    ]
    assert indexing.compare(project) == []


@pytest.mark.parametrize("filtered", ["include_object", "include_name"])
def test_what_env_py_hides_stays(indexing: Indexing, filtered: str) -> None:
    project = indexing.make(items(), TABLE, BUILT)
    env = project.folder / "migrations" / "env.py"
    parameters = {
        "include_object": "item, name, type_, reflected, other",
        "include_name": "name, type_, parents",
    }
    env.write_text(
        env.read_text().replace(
            "options = dict(",
            f"options = dict({filtered}=lambda {parameters[filtered]}: "
            'not (type_ == "index" and name == "ix"),',
        )
    )
    assert indexing.compare(project) == []
    assert "op." not in indexing.source
    indexing.converted[("items", "embedding")] = "vector(4)"
    [change] = indexing.compare(project)
    assert change == "items: build the index ix anew (hnsw (embedding public.vector_cosine_ops))"
    indexing.converted[("items", "embedding")] = "bit(4)"
    assert indexing.compare(project) == ["items: drop the index ix"]
    assert indexing.codes == ["index-refused"]
    assert indexing.changes[0].problem


def test_on_a_column_that_changes_it_is_built_again(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW).replace("V()", 'V("vector(4)")'), TABLE, BUILT)
    indexing.converted[("items", "embedding")] = "vector(4)"
    assert len(indexing.compare(project)) == 1
    assert indexing.changes[0].converted == {"embedding"}
    indexing.models(project, items(HNSW).replace("V()", 'V("halfvec(4)")'))
    indexing.converted[("items", "embedding")] = "halfvec(4)"
    assert indexing.compare(project) == ["items: drop the index ix"]
    assert indexing.codes == ["index-refused"]
    assert "vector_cosine_ops" in indexing.findings[0].message


def test_an_index_that_a_job_waits_with_is_not_missing(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE, "CREATE TABLE job (id int)")
    assert len(indexing.compare(project)) == 1
    steps = indexing_steps()
    said = {"schema": "public", "table": "items", "column": "embedding", "type": "vector(3)"}
    said |= {"not_null": False, "indexes": [steps.as_json(indexing.changes[0].new)]}
    comment = "alembic-fixups: reembed " + json.dumps(said)
    indexing.sql(f"COMMENT ON TABLE job IS '{comment}'")
    [job], _ = side_tables.parsed(indexing.sql(side_tables.SIDE_TABLES))
    assert job.indexes == (indexing.changes[0].new,)
    assert "fixup_build_index" in indexing.source
    indexing.compare(project)
    assert indexing.changes == []
    indexing.converted[("items", "embedding")] = "vector(4)"
    indexing.compare(project)
    assert len(indexing.changes) == 1


def indexing_steps() -> Any:
    """The module of the steps."""
    from tests.fixups.vector_dimension.indexing import index_steps

    return index_steps


def test_an_invalid_one_counts_as_not_there(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW), TABLE, BUILT)
    indexing.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass")
    assert indexing.compare(project)[0].startswith("items: create the index ix")
    project.autogenerate()
    project.upgrade()
    assert indexing.definitions() == [f"{BUILT.replace('items', 'public.items')}"]
    indexing.models(project, items())
    indexing.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass")
    assert indexing.compare(project) == ["items: drop the index ix"]


def test_one_that_cannot_be_built_is_refused(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW.replace("cosine_ops", "opz")), TABLE, BUILT)
    assert indexing.compare(project) == []
    assert indexing.codes == ["index-refused"]
    assert "op." not in indexing.source


def test_new_tables_and_what_cannot_be_tried_are_alembics(indexing: Indexing) -> None:
    project = indexing.make(items(HNSW))
    assert indexing.compare(project) == []
    assert "op.create_index" in indexing.source
    table = TABLE.replace("vector(3)", "real[]")
    indexing.sql("DROP EXTENSION vector", table)
    assert indexing.compare(project) == []
    assert indexing.codes == ["index-untried"]
    assert "op.create_index" in indexing.source


class _Type(UserDefinedType[Any]):
    cache_ok = True

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def get_col_spec(self, **_: Any) -> str:
        return self.spec


class _Decorated(TypeDecorator[Any]):
    impl = _Type
    cache_ok = True


def _built(type_: Any, schema: str | None = None, **options: Any) -> tuple[str, list[str]]:
    """The index after the rewrite, and the codes of the findings."""
    metadata = MetaData()
    column = Column("E", type_, key="e")
    table = Table("items", metadata, Column("id", Integer, primary_key=True), column)
    options.setdefault("ops", {"e": "vector_ip_ops"})
    arguments = {f"postgresql_{name}": value for name, value in options.items()}
    Index("ix", column, postgresql_using="hnsw", **arguments)
    target = Target(metadata)
    for _ in range(2):  # the second time changes nothing
        index_rewrite.rewrite_indexes(target, schema)
    assert str(next(iter(table.indexes)).expressions[0]) == "items.E", "the user's own"
    indexes = target.tables["items"].indexes
    made = [str(CreateIndex(index).compile(dialect=DIALECT)) for index in indexes]
    return "".join(made), [finding.code for finding in target.findings]


def test_above_2000_dimensions_as_halfvec() -> None:
    plain = 'CREATE INDEX ix ON items USING hnsw ("E" vector_ip_ops)'
    halves = 'CREATE INDEX ix ON items USING hnsw (CAST("E" AS {0}halfvec(3000)) {0}halfvec_ip_ops)'
    assert _built(_Type("VECTOR(2000)")) == (plain, [])
    assert _built(_Type("Vector(3000)")) == (halves.format(""), [])
    assert _built(_Decorated("vector(3000)")) == (halves.format(""), [])
    assert _built(_Type("public.vector(3000)")) == (halves.format("public."), [])
    assert _built(_Type("vector(3000)"), 'o"x')[0] == halves.format('U&"o\\0022x".')
    ops = {"e": "x.vector_ip_ops"}
    assert (
        'CAST("E" AS halfvec(3000)) x.halfvec_ip_ops' in _built(_Type("vector(3000)"), ops=ops)[0]
    )
    kept = _built(_Type("vector(3000)"), **{"with": {"m": 4}, "where": Column("id") > 1})[0]
    assert kept.endswith(") WITH (m = 4) WHERE id > 1")


@pytest.mark.parametrize(
    ("type_", "code"),
    [
        ("vector(4001)", "too-many-dimensions"),
        ("halfvec(4001)", "too-many-dimensions"),
        ("bit(64001)", "too-many-dimensions"),
        ("vector", "no-dimensions"),
        ("halfvec", "no-dimensions"),
    ],
)
def test_what_cannot_be_indexed_is_refused_and_taken_out(type_: str, code: str) -> None:
    assert _built(_Type(type_)) == ("", [code])


def test_an_index_of_halves_compares_equal(indexing: Indexing) -> None:
    project = indexing.make(
        items(HNSW).replace("V()", 'V("vector(3000)")'), TABLE.replace("vector(3)", "vector(3000)")
    )
    project.autogenerate()
    project.upgrade()
    assert "halfvec(3000)) halfvec_cosine_ops)" in indexing.definitions()[0]
    assert project.is_converged()
    project.downgrade("base")
    indexing.sql("DROP TABLE items")
    project.upgrade()
    project.autogenerate("the table", configure=RENDERED)
    project.upgrade()
    assert "halfvec(3000)) halfvec_cosine_ops)" in indexing.definitions()[0]
    assert project.is_converged()
