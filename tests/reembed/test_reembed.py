"""What a run does with the rows, and where it ends."""

import json
from typing import Any

import pytest

from alembic_fixups.project import ProjectError
from tests.reembed.waiting import Waiting

pytestmark = pytest.mark.postgres(16)

HNSW = {
    "name": "docs_hnsw",
    "using": "hnsw (embedding public.vector_cosine_ops)",
    "options": {"m": "8", "ef_construction": "32"},
    "where": "(id > 2)",
    "tablespace": None,
    "comment": "it's 100% :fine",
}
IVFFLAT = {"name": "docs_ivf", "using": "ivfflat (embedding public.vector_l2_ops)"}


def indexes(waiting: Waiting) -> dict[str, str]:
    return dict(
        waiting.rows(
            "SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_class c JOIN pg_index i"
            " ON i.indexrelid = c.oid WHERE c.relnamespace = 'app'::regnamespace"
            " AND i.indisvalid AND NOT i.indisprimary"
        )
    )


def is_job_left(waiting: Waiting) -> bool:
    return bool(waiting.value("SELECT to_regclass('app.fixup_reembed_docs_embedding') IS NOT NULL"))


def test_nothing_waits(waiting: Waiting) -> None:
    waiting.settings()
    code, printed = waiting.run()
    assert (code, printed) == (0, "No column waits for vectors.\n")
    assert waiting.run(dry_run=True)[0] == 0
    assert json.loads(waiting.run(as_json=True)[1]) == {"columns": []}


@pytest.mark.postgres(16, 18)
def test_to_the_end(waiting: Waiting) -> None:
    waiting.docs(10)
    waiting.job(not_null=True, not_null_name='has a "vector"', indexes=[HNSW, IVFFLAT])
    # What an earlier build that was cut short leaves.
    waiting.execute(
        "CREATE INDEX docs_hnsw ON app.docs (body)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.docs_hnsw'::regclass",
    )
    code, printed = waiting.run()
    assert code == 0, printed
    assert "app.docs.embedding: 10 rows embedded, complete." in printed
    assert waiting.wrong() == 0
    assert sorted(waiting.embeddings.batches) == [2, 4, 4]
    found = indexes(waiting)
    assert (
        "USING hnsw (embedding vector_cosine_ops) WITH (ef_construction='32', m='8')"
        in (found["docs_hnsw"])
    )
    assert found["docs_hnsw"].endswith("WHERE (id > 2)")
    assert "WITH (lists='1')" in found["docs_ivf"]
    comment = "SELECT obj_description('app.docs_hnsw'::regclass, 'pg_class')"
    assert waiting.value(comment) == HNSW["comment"]
    assert not is_job_left(waiting)
    not_null = "SELECT attnotnull FROM pg_attribute WHERE attname = 'embedding' AND attrelid = "
    assert waiting.value(not_null + "'app.docs'::regclass")
    constraints = waiting.rows(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'app.docs'::regclass"
        " AND (contype = 'c' OR contype = 'n' AND conname <> 'docs_id_not_null')"
    )
    version = waiting.connection.info.server_version // 10_000
    assert constraints == ([('has a "vector"',)] if version == 18 else [])
    assert waiting.value("SELECT count(*) FROM pg_stats WHERE attname = 'embedding'") == 1
    assert waiting.run()[0] == 0
    assert waiting.run("app.docs.embedding")[0] == 0


def test_lists_by_the_rule(waiting: Waiting) -> None:
    from alembic_fixups.reembed.finish import lists

    assert [lists(rows) for rows in (0, 999, 5_000, 1_000_000, 4_000_000, 10**10)] == [
        *(1, 1, 5, 1000, 2000, 32_768)
    ]
    waiting.docs(2100)
    waiting.job(
        indexes=[IVFFLAT, {**IVFFLAT, "name": "tuned", "options": {"lists": "7"}}], batch=500
    )
    assert waiting.run()[0] == 0
    found = indexes(waiting)
    assert "lists='2'" in found["docs_ivf"]
    assert "lists='7'" in found["tuned"]


def test_limit_and_then_the_rest(waiting: Waiting) -> None:
    waiting.docs(10)
    waiting.job(not_null=True)
    code, found = waiting.json(limit=6)
    assert (code, found["done"], found["left"], found["complete"]) == (0, 6, 4, False)
    assert found["message"] is None
    code, printed = waiting.run(limit=1)
    assert "1 rows embedded, 3 left." in printed
    code, found = waiting.json(limit=3)
    assert (code, found["done"], found["left"], found["complete"]) == (0, 3, 0, True)
    assert sorted(waiting.embeddings.calls) == sorted(f"text {i}" for i in range(1, 11))


def test_dry_run_does_nothing(waiting: Waiting) -> None:
    waiting.docs(10)
    waiting.execute("UPDATE app.docs SET body = repeat('long ', 40) WHERE id = 1")
    waiting.job(not_null=True, indexes=[HNSW])
    code, printed = waiting.run(dry_run=True)
    assert code == 0
    assert "app.docs.embedding: 10 rows in 3 batches" in printed
    assert "long long" in printed and "..." in printed and "text 2" in printed
    code, found = waiting.json(dry_run=True, limit=5)
    assert (found["rows"], found["batches"], len(found["texts"])) == (5, 2, 5)
    assert waiting.embeddings.calls == []
    assert waiting.value("SELECT count(embedding) FROM app.docs") == 0
    assert waiting.value("SELECT count(*) FROM app.fixup_reembed_docs_embedding") == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_rows_that_change_meanwhile(waiting: Waiting, workers: int) -> None:
    """Texts that change are embedded again, new rows too; the application's vectors stay."""
    waiting.docs(40)
    waiting.job(not_null=True, indexes=[IVFFLAT])
    turns = iter(range(1000))

    def hook(texts: list[str]) -> None:
        turn = next(turns)
        if turn == 3:
            waiting.execute(
                "UPDATE app.docs SET body = 'changed ' || id WHERE id IN (1, 2, 39)",
                "INSERT INTO app.docs VALUES (-5, 'early'), (99, 'late')",
                "DELETE FROM app.docs WHERE id = 38",
                # The application's own: one that we have not done, one that we have.
                "UPDATE app.docs SET embedding = '[7,7,7]', body = NULL WHERE id IN (3, 37)",
            )
        if turn == 10:
            waiting.execute(
                "UPDATE app.docs SET body = 'changed twice' WHERE id = 1",
                "UPDATE app.docs SET embedding = '[8,8,8]' WHERE id = 4",
                "UPDATE app.docs SET body = 'its own' WHERE id = 4",
            )

    waiting.embeddings.hook = hook
    code, found = waiting.json(workers=workers)
    assert (code, found["complete"], found["left"]) == (0, True, 0)
    own = waiting.rows(
        "SELECT id, embedding::text FROM app.docs WHERE id IN (3, 4, 37) ORDER BY id"
    )
    assert own == [(3, "[7,7,7]"), (4, "[8,8,8]"), (37, "[7,7,7]")]
    waiting.execute("DELETE FROM app.docs WHERE id = 4")
    assert waiting.wrong() == 0
    calls = waiting.embeddings.calls
    assert calls.count("early") == calls.count("late") == calls.count("changed twice") == 1
    assert calls.count("text 20") == 1
    assert "its own" not in calls


def test_rows_that_get_another_key_are_known_by_their_vectors(waiting: Waiting) -> None:
    """Otherwise a vector of ours would be taken for one of the application's, and never renewed."""
    waiting.docs(8)
    waiting.job()
    assert waiting.json(limit=6)[1]["done"] == 6
    waiting.execute(
        "UPDATE app.docs SET id = 101 WHERE id = 1",
        "UPDATE app.docs SET body = 'moved, then changed' WHERE id = 101",
        "UPDATE app.docs SET id = 102 WHERE id = 2",
        "UPDATE app.docs SET id = -id WHERE id IN (3, 4)",
        "UPDATE app.docs SET id = 7 + id WHERE id IN (-3, -4)",
        "UPDATE app.docs SET body = 'changed places' WHERE id = 3",
        "UPDATE app.docs SET embedding = '[9,9,9]', body = 'its own' WHERE id = 5",
    )
    waiting.embeddings.calls.clear()
    assert waiting.json()[1]["complete"]
    expected = ["changed places", "moved, then changed", "text 7", "text 8"]
    assert sorted(waiting.embeddings.calls) == expected
    waiting.execute("DELETE FROM app.docs WHERE id = 5")
    assert waiting.wrong() == 0


def test_vectors_that_are_there_are_left_alone(waiting: Waiting) -> None:
    waiting.docs(6)
    waiting.execute("UPDATE app.docs SET embedding = '[9,9,9]' WHERE id = 2")
    waiting.job()
    assert waiting.json()[1]["done"] == 5
    assert waiting.value("SELECT embedding::text FROM app.docs WHERE id = 2") == "[9,9,9]"


def test_an_application_that_writes_first(waiting: Waiting) -> None:
    """Between the embedding of a batch and its writing."""
    waiting.docs(4)
    waiting.job()
    waiting.embeddings.hook = lambda texts: waiting.execute(
        "UPDATE app.docs SET embedding = '[9,9,9]' WHERE id = 2"
    )
    code, found = waiting.json()
    assert (code, found["done"], found["complete"]) == (0, 3, True)
    assert waiting.value("SELECT embedding::text FROM app.docs WHERE id = 2") == "[9,9,9]"


def test_rows_that_are_locked(waiting: Waiting) -> None:
    from threading import Timer

    from alembic_fixups import scratch

    waiting.docs(4)
    waiting.job()
    with scratch.connect(waiting.url) as other:
        other.execute("BEGIN")
        other.execute("UPDATE app.docs SET body = 'changed' WHERE id = 3")
        timer = Timer(1.5, lambda: other.execute("COMMIT"))
        timer.start()
        code, found = waiting.json()
        timer.join()
    assert (code, found["complete"]) == (0, True)
    assert waiting.wrong() == 0


def test_not_null_with_rows_that_the_source_leaves_out(waiting: Waiting) -> None:
    waiting.docs(6)
    waiting.execute("UPDATE app.docs SET body = NULL WHERE id = 2")
    waiting.job(not_null=True, source="SELECT id, body FROM app.docs WHERE id <> 5")
    code, found = waiting.json()
    assert (code, found["done"], found["left"], found["complete"]) == (1, 4, 0, False)
    assert "2 rows of app.docs have no vector" in found["message"]
    assert "(primary keys 2; 5)" in found["message"]
    # Nothing stands in the way of the rows that are left.
    waiting.execute("UPDATE app.docs SET body = 'text 2' WHERE id = 2")
    assert waiting.json()[0] == 1
    waiting.execute("DELETE FROM app.docs WHERE id = 5")
    assert waiting.json()[1]["complete"]


def test_nullable_with_rows_that_have_no_text(waiting: Waiting) -> None:
    waiting.docs(6)
    waiting.execute("UPDATE app.docs SET body = NULL WHERE id = 2")
    waiting.job(source="SELECT id, body FROM app.docs -- and no more")
    assert waiting.json()[1]["complete"]
    assert waiting.rows("SELECT id FROM app.docs WHERE embedding IS NULL") == [(2,)]


def test_row_that_comes_while_it_is_finished(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the CHECK is there, and while the index is built."""
    from alembic_fixups.reembed import finish

    waiting.docs(4)
    waiting.job(not_null=True, indexes=[IVFFLAT])
    require, analyze = finish.require, finish.analyze
    late = iter(["INSERT INTO app.docs VALUES (50, 'late')", "SELECT 1", "SELECT 1"])
    later = iter(["UPDATE app.docs SET body = 'changed' WHERE id = 1", "SELECT 1", "SELECT 1"])

    def require_late(*given: Any) -> None:
        waiting.execute(next(late))
        require(*given)

    def analyze_late(*given: Any) -> None:
        analyze(*given)
        waiting.execute(next(later))

    monkeypatch.setattr(finish, "require", require_late)
    monkeypatch.setattr(finish, "analyze", analyze_late)
    code, found = waiting.json()
    assert (code, found["complete"], found["done"]) == (0, True, 6)
    assert waiting.wrong() == 0


def test_two_runs_at_once(waiting: Waiting) -> None:
    waiting.docs(4)
    waiting.job()
    other: list[Any] = []
    waiting.embeddings.hook = lambda texts: other.append(waiting.json())
    assert waiting.json()[1]["complete"]
    [(code, found)] = other
    assert code == 2
    assert "another `alembic-fixups reembed` is going on" in found["message"]


def test_another_run_that_has_just_ended(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the look at what is to be done, before the lock."""
    from alembic_fixups.reembed import embedder

    load = embedder.load

    def load_late(*given: Any) -> Any:
        waiting.execute("DROP TABLE app.fixup_reembed_docs_embedding")
        return load(*given)

    waiting.docs(4)
    waiting.job()
    monkeypatch.setattr(embedder, "load", load_late)
    code, found = waiting.json()
    assert (code, found["done"], found["complete"], found["message"]) == (0, 0, True, None)


def test_index_that_waits_for_a_long_transaction(waiting: Waiting) -> None:
    from threading import Timer

    from alembic_fixups import scratch

    waiting.docs(4)
    waiting.lock_timeout = "50ms"
    waiting.job(indexes=[IVFFLAT])
    with scratch.connect(waiting.url) as other:
        other.execute("BEGIN; LOCK TABLE app.docs IN ROW EXCLUSIVE MODE")
        timer = Timer(0.7, lambda: other.execute("COMMIT"))
        timer.start()
        code, printed = waiting.run()
        timer.join()
    assert code == 0
    assert printed.count("building the index app.docs_ivf") == 1


def test_several_columns(waiting: Waiting) -> None:
    waiting.docs(4)
    waiting.execute(
        "CREATE TABLE app.pages (id int PRIMARY KEY, body text, v vector(3), w halfvec(3))",
        "INSERT INTO app.pages VALUES (1, 'a')",
    )
    waiting.job()
    source = "SELECT id, body FROM app.pages"
    waiting.job(table="pages", column="v", source=source)
    waiting.job(table="pages", column="w", type="public.halfvec(3)", source=source)
    assert waiting.run("pages.v")[0] == 0
    assert waiting.value("SELECT count(embedding) FROM app.docs") == 0
    with pytest.raises(ProjectError, match="nothing: no column of this name waits"):
        waiting.run("app.pages.nothing")
    code, printed = waiting.run(workers=2)
    assert code == 0
    assert printed.count("complete.") == 2
