"""Indexes of the models that the database refuses to build, and those that wait for vectors."""

from __future__ import annotations

import pytest

from alembic_fixups.comparator import collect_runs
from tests.fixups.vector_dimension.converting import Database, Make, docs, make
from tests.fixups.vector_dimension.converting import settings as archive
from tests.fixups.vector_dimension.indexing import Indexing, indexing
from tests.fixups.vector_dimension.test_indexes import BUILT, HNSW, TABLE, items

__all__ = ["indexing", "make"]

pytestmark = pytest.mark.postgres(16)

ROWS = "INSERT INTO docs SELECT i, 't' || i, ARRAY[i,1,2,3]::vector FROM generate_series(1, 9) i"

REEMBED = (
    "data = 'reembed'\nsource = 'SELECT id, body FROM docs'\nembedder = 'app.embeddings:embed'"
)

MIXED = "m = 64, ef_construction = 200"


def hnsw(options: str = "", ops: str = "vector_l2_ops") -> str:
    """The index of the models; takes what is in ``postgresql_with``."""
    return (
        'Index("x", docs.c.embedding, postgresql_using="hnsw", '
        f'postgresql_ops={{"embedding": "{ops}"}}, postgresql_with={{{options}}})\n'
    )


def indexes(database: Database) -> list[str]:
    """The vector indexes of the database."""
    return database.values(
        "SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' INVALID' END"
        "  FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am m ON m.oid = relam"
        " WHERE amname IN ('hnsw', 'ivfflat')"
    )


def found_again(database: Database) -> dict[str, str]:
    """The findings of a further autogenerate, which is empty, by code."""
    with collect_runs() as runs:
        assert database.is_converged()
    return {finding.code: finding.message for finding in runs[0].findings}


def law(database: Database) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Upgrade and downgrade, each twice, back to what there was.

    Gives the findings before and after the upgrade, and the indexes after it.
    """
    before = database.snapshot()
    findings = {finding.code: finding.message for finding in database.revise()}
    head = database.project.head()
    database.project.upgrade()
    again, after, there = found_again(database), database.snapshot(), indexes(database)
    database.project.stamp("base")
    database.project.upgrade()
    assert database.snapshot() == after
    for _ in range(2):
        database.project.downgrade("base")
        assert database.snapshot() == before
        database.project.stamp(head)
    return findings, again, there


@pytest.mark.parametrize(
    ("options", "method", "present", "said"),
    [
        ('"m": 40', "hnsw", None, "2 * m, with m = 40. Write into postgresql_with"),
        ('"m": 2000', "hnsw", "m = 8", 'option "m" (Valid values are between "2" and "100")'),
        ('"efconstruction": 100', "hnsw", "m = 8", '"efconstruction"'),
        ('"lists": 40000', "ivfflat", None, '"lists"'),
        ('"ef_construction": 100', "hnsw", MIXED, "and m = 64 that the database has"),
    ],
)
def test_options_that_cannot_be_had_are_found_when_comparing(
    indexing: Indexing, options: str, method: str, present: str | None, said: str
) -> None:
    wanted = HNSW.replace("hnsw", method) + f", postgresql_with={{{options}}}"
    built = [] if present is None else [f"{BUILT} WITH ({present})"]
    project = indexing.make(items(wanted), TABLE, *built)
    fate = "The table is without it" if present is None else "It stays as it is"
    for _ in range(2):
        assert indexing.compare(project) == []
        [finding] = indexing.findings
        assert (finding.code, finding.severity) == ("index-refused", "refused")
        assert said in finding.message
        assert finding.message.endswith(fate)
        assert "op." not in indexing.source
    # What the same column can have is built.
    indexing.models(project, items(HNSW + ', postgresql_with={"m": 40, "ef_construction": 100}'))
    assert len(indexing.compare(project)) == 1
    assert indexing.codes == []


def test_a_column_changes_and_its_index_keeps_the_options_that_work(make: Make) -> None:
    mixed = '"ef_construction": 200, "m": 64'
    database = make(
        docs("VECTOR(4)", then=hnsw(mixed)),
        docs("VECTOR(5)", then=hnsw('"ef_construction": 100')),
        ROWS,
    )
    was = indexes(database)
    findings, again, there = law(database)
    assert "It stays as the database has it" in findings["index-refused"]
    assert "m = 64 that the database has" in again["index-refused"]
    assert there == was


CAST = (
    'Index("x", cast(docs.c.embedding, HALFVEC(4)).label("x"), postgresql_using="hnsw",'
    ' postgresql_ops={"x": "halfvec_l2_ops"}, postgresql_where=docs.c.id > 0)\n'
)


@pytest.mark.parametrize("data", ["archive", "reembed"])
def test_an_index_that_no_vector_could_go_into_is_found_when_comparing(
    make: Make, data: str
) -> None:
    """A cast in it still says the number of dimensions that the column had."""
    chosen = {"docs.embedding": REEMBED} if data == "reembed" else {}
    database = make(
        docs("VECTOR(4)", then=CAST), docs("VECTOR(3)", then=CAST), ROWS, archive(**chosen)
    )
    findings, again, there = law(database)
    for found in (findings, again):
        assert "expected 4 dimensions, not 3" in found["index-refused"]
    assert there == []
    database.execute("INSERT INTO docs (id) VALUES (100)")


def test_what_waits_for_vectors_waits_with_options_that_work(make: Make) -> None:
    database = make(
        docs("VECTOR(4)", then=hnsw()),
        docs("VECTOR(5)", then=hnsw('"m": 40')),
        ROWS,
        archive(**{"docs.embedding": REEMBED}),
    )
    findings, again, there = law(database)
    assert "It stays as the database has it" in findings["index-refused"]
    assert "It is built as the job says" in again["index-refused"]
    assert there == []
    assert "m=40" not in database.source


@pytest.mark.parametrize(
    "index", [hnsw(), 'Index("x", docs.c.embedding, postgresql_using="ivfflat")\n']
)
def test_an_index_that_the_new_type_cannot_have_is_refused_every_time(
    make: Make, index: str
) -> None:
    database = make(docs("VECTOR(4)", then=index), docs("HALFVEC(4)", then=index), ROWS)
    findings, again, there = law(database)
    assert "It goes, since its column changes" in findings["index-refused"]
    assert "The table is without it" in again["index-refused"]
    assert there == []


def test_an_index_over_what_alembic_changes_too_is_alembics(indexing: Indexing) -> None:
    """The table cannot have it now, but once the migration has run."""
    where = ", postgresql_where=t.c.kind > 5"
    project = indexing.make(items(HNSW + where).replace("String(9)", "Integer"), TABLE)
    assert indexing.compare(project) == []
    assert indexing.codes == ["index-untried"]
    assert "op.create_index" in indexing.source
    indexing.sql("ALTER TABLE items ALTER kind TYPE int USING 1")
    assert len(indexing.compare(project)) == 1


def test_what_a_stopped_reembed_left_of_an_index_is_the_jobs(make: Make) -> None:
    database = make(
        docs("VECTOR(4)", then=hnsw()),
        docs("VECTOR(5)", then=hnsw()),
        ROWS,
        archive(**{"docs.embedding": REEMBED}),
    )
    before = database.snapshot()
    database.revise()
    database.project.upgrade()
    database.execute(
        "CREATE INDEX x ON docs USING hnsw (embedding vector_l2_ops);"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'x'::regclass"
    )
    assert found_again(database) == {}
    after = database.snapshot()
    database.project.stamp("base")
    database.project.upgrade()
    assert database.snapshot() == after
    database.project.downgrade("base")
    assert database.snapshot() == before


def test_what_the_models_change_while_vectors_are_waited_for_is_said(make: Make) -> None:
    def models(options: str = "", ops: str = "vector_l2_ops") -> str:
        return docs("VECTOR(5)", then=hnsw(options, ops))

    database = make(
        docs("VECTOR(4)", then=hnsw()),
        models('"m": 8'),
        ROWS,
        archive(**{"docs.embedding": REEMBED}),
    )
    database.revise()
    database.project.upgrade()
    assert found_again(database) == {}
    for changed in (models('"m": 9'), models('"m": 8', "vector_cosine_ops")):
        database.project.models(changed)
        said = found_again(database)
        assert said.keys() == {"index-waiting"}
        assert "vector_l2_ops) with m = 8); the next revision after" in said["index-waiting"]


def test_the_index_of_a_column_that_stays_stays(make: Make) -> None:
    database = make(
        docs("VECTOR(4)", then=hnsw()).replace(", primary_key=True", ""),
        docs("HALFVEC(4)", then=hnsw(ops="halfvec_l2_ops")).replace(", primary_key=True", ""),
        ROWS,
    )
    was = indexes(database)
    for _ in range(2):
        assert found_again(database).keys() == {"no-primary-key"}
    findings, again, there = law(database)
    assert findings == again
    assert findings.keys() == {"no-primary-key"}
    assert there == was
