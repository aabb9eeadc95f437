"""Embedders that fail, and what they give."""

from contextlib import suppress
from typing import Any

import psycopg
import pytest

from alembic_fixups import scratch
from alembic_fixups.reembed.embedder import Retries
from tests.reembed.test_reembed import IVFFLAT
from tests.reembed.waiting import Waiting

pytestmark = pytest.mark.postgres(16)


def refuse(*bad: str) -> Any:
    def hook(texts: list[str]) -> None:
        found = [text for text in texts if text in bad]
        if found:
            raise RuntimeError(f"cannot embed {found[0]!r}")

    return hook


def test_rows_that_fail_are_listed_and_the_rest_goes_on(waiting: Waiting) -> None:
    waiting.docs(20)
    waiting.job(not_null=True, batch=8)
    waiting.embeddings.hook = refuse("text 3", "text 17", "text 18", "text 19", "text 20")
    code, found = waiting.json()
    assert (code, found["done"], found["left"], found["complete"]) == (1, 15, 5, False)
    assert found["failed"][0] == {
        "key": {"id": "3"},
        "error": "RuntimeError: cannot embed 'text 3'",
    }
    assert [one["key"]["id"] for one in found["failed"]] == ["3", "17", "18", "19", "20"]
    # A batch five times, then its halves: not once again in the next pass.
    assert waiting.embeddings.batches[:8] == [8, 8, 8, 8, 8, 4, 2, 2]
    assert waiting.embeddings.calls.count("text 3") == 5 + 3
    code, printed = waiting.run()
    assert code == 1
    assert "0 rows embedded, 5 failed, 5 left." in printed
    assert "  id 17: RuntimeError: cannot embed 'text 17'" in printed
    waiting.embeddings.hook = None
    assert waiting.json()[1]["complete"]
    assert waiting.embeddings.calls.count("text 1") == 5 + 1 + 1


def test_row_that_fails_and_is_put_right_meanwhile(waiting: Waiting) -> None:
    waiting.docs(4)
    waiting.job()

    def hook(texts: list[str]) -> None:
        if "text 3" in texts:
            if len(texts) == 1:
                waiting.execute("UPDATE app.docs SET body = 'right' WHERE id = 3")
            raise RuntimeError

    waiting.embeddings.hook = hook
    code, found = waiting.json()
    assert (code, found["failed"], found["complete"]) == (0, [], True)
    assert waiting.wrong() == 0


def test_errors_that_pass(waiting: Waiting) -> None:
    waiting.docs(4)
    waiting.job()
    turns = iter(range(100))

    def hook(texts: list[str]) -> None:
        if next(turns) < 4:
            raise TimeoutError

    waiting.embeddings.hook = hook
    assert waiting.json()[1]["complete"]
    assert waiting.embeddings.batches == [4] * 5


def test_waits_grow_and_differ() -> None:
    waits = list(Retries(tries=8).waits())
    assert len(waits) == 7
    for wait, about in zip(waits, (1, 2, 4, 8, 16, 30, 30), strict=True):
        assert 0.75 * about <= wait <= 1.25 * about
    assert waits != list(Retries(tries=8).waits())


@pytest.mark.parametrize("workers", [1, 3])
def test_outage(waiting: Waiting, workers: int) -> None:
    waiting.docs(1200)
    waiting.job(batch=20)
    good = iter(range(3))

    def hook(texts: list[str]) -> None:
        if next(good, None) is None:
            raise ConnectionError("nobody there")

    waiting.embeddings.hook = hook
    code, found = waiting.json(workers=workers)
    assert (code, found["done"], found["left"]) == (1, 60, 1140)
    assert "5 batches in a row failed entirely" in found["message"]
    assert "ConnectionError: nobody there" in found["message"]
    assert len(waiting.embeddings.batches) < 3 + 30 * (5 + 4 * workers)
    waiting.embeddings.hook = None
    assert waiting.json()[1]["complete"]
    assert waiting.wrong() == 0


def test_a_model_of_another_dimension_is_an_outage(waiting: Waiting) -> None:
    waiting.docs(400)
    waiting.job(embedder="wide", batch=10)
    waiting.rewrite(
        "def wide(texts): return [[0.5] * 4 for text in texts if not embed(texts) or 1]"
    )
    code, found = waiting.json()
    assert code == 1
    assert "the last error: 4 dimensions, where vector(3) has to be" in found["message"]
    assert found["left"] == 400
    assert len(set(waiting.embeddings.calls)) <= 70


def test_wrong_vectors_are_failures_of_their_rows(waiting: Waiting) -> None:
    waiting.docs(9)
    waiting.job(embedder="odd", batch=9)
    waiting.rewrite(
        """
        def odd(texts):
            embed(texts)
            given = [[1.0, float("nan"), 0.0], [1e39, 0, 0], [1, 2], None, ["a", 1, 2], "123"]
            given += [(1, 2, True), b"123"]
            return given + [vector(text) for text in texts[len(given):]]
        """
    )
    code, found = waiting.json()
    assert (code, found["done"]) == (1, 2)
    errors = [one["error"] for one in found["failed"]]
    assert len(errors) == 7
    assert errors[0] == "element 1 is not finite, or too large for single precision"
    assert errors[1] == "element 0 is not finite, or too large for single precision"
    assert errors[2] == "2 dimensions, where vector(3) has to be"
    assert all(error.startswith("no vector of numbers:") for error in errors[3:])
    assert waiting.embeddings.batches == [9]


@pytest.mark.parametrize(
    "answer, error",
    [
        ("[[1, 2, 3]] * (len(texts) + 1)", "it gives 5 vectors for 4 texts"),
        ("None", "it gives a NoneType, not a sequence of vectors"),
    ],
)
def test_no_answer(waiting: Waiting, answer: str, error: str) -> None:
    waiting.docs(4)
    waiting.job(embedder="odd")
    waiting.rewrite(f"def odd(texts): return {answer} if len(texts) == 4 else {answer[:0] or None}")
    code, found = waiting.json()
    assert code == 1
    assert len(found["failed"]) == 4


def test_rows_that_the_database_does_not_take(waiting: Waiting) -> None:
    waiting.docs(10)
    waiting.execute("ALTER TABLE app.docs ADD CHECK (id <> 7 OR embedding IS NULL)")
    waiting.job(batch=10)
    code, found = waiting.json()
    assert (code, found["done"]) == (1, 9)
    [failed] = found["failed"]
    assert failed["key"] == {"id": "7"}
    assert "violates check constraint" in failed["error"]
    assert waiting.embeddings.batches == [10]


def test_a_row_that_somebody_holds_fails_alone(waiting: Waiting) -> None:
    waiting.docs(10)
    waiting.lock_timeout = "10ms"
    waiting.job(batch=10)
    with scratch.connect(waiting.url) as other:
        other.execute("BEGIN")
        other.execute("UPDATE app.docs SET body = 'changed' WHERE id = 4")
        code, found = waiting.json()
        other.execute("ROLLBACK")
    assert (code, found["done"], found["left"]) == (1, 9, 1)
    [failed] = found["failed"]
    assert failed["key"] == {"id": "4"}
    assert "another transaction holds the row" in failed["error"]
    assert waiting.json()[1]["complete"]
    assert waiting.wrong() == 0


@pytest.mark.parametrize(
    "how, error",
    [("sys.exit(0)", "SystemExit: 0"), ("raise GeneratorExit", "GeneratorExit")],
)
@pytest.mark.parametrize("later", [False, True])
def test_embedder_that_ends_the_process(
    waiting: Waiting, how: str, error: str, later: bool
) -> None:
    """The others go on, also where all wait in one loop, which such an error ends."""
    waiting.docs(6)
    waiting.job(embedder="ending", batch=3)
    waiting.rewrite(
        f"""
        import asyncio, sys

        def end(texts):
            if "text 2" in texts:
                {how}

        async def task(texts):
            end(texts)

        {"async " if later else ""}def ending(texts):
            {"await asyncio.gather(task(texts))" if later else "end(texts)"}
            return embed(texts)
        """
    )
    code, found = waiting.json(workers=2)
    assert (code, found["done"], found["left"]) == (1, 5, 1)
    assert found["failed"] == [{"key": {"id": "2"}, "error": error}]


def test_triggers_that_keep_a_vector_away(waiting: Waiting) -> None:
    waiting.docs(9)
    waiting.execute(
        "CREATE FUNCTION app.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.id = 7 THEN RETURN NULL; END IF;"
        " IF NEW.id = 8 THEN NEW.embedding = NULL; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER keep BEFORE UPDATE ON app.docs FOR EACH ROW EXECUTE FUNCTION app.keep()",
        # One that is put right by somebody else meanwhile has not failed.
        "ALTER TABLE app.docs DISABLE TRIGGER keep",
    )
    waiting.job(not_null=True)
    waiting.embeddings.hook = lambda texts: waiting.execute(
        "UPDATE app.docs SET embedding = '[9,9,9]' WHERE id = 6",
        "ALTER TABLE app.docs ENABLE TRIGGER keep",
    )
    code, found = waiting.json()
    assert (code, found["done"], found["left"]) == (1, 6, 2)
    error = "the UPDATE took no row: a trigger or rule keeps it away"
    assert found["failed"] == [{"key": {"id": id}, "error": error} for id in ("7", "8")]
    assert sorted(waiting.embeddings.calls) == [f"text {i}" for i in range(1, 10)]
    waiting.execute("DROP TRIGGER keep ON app.docs")
    waiting.embeddings.hook = None
    assert waiting.json()[1]["complete"]


def test_texts_that_never_stay_the_same_while_it_runs(waiting: Waiting) -> None:
    """They do not keep it from its end; how many have the vector of another text is said."""
    waiting.docs(3)
    waiting.job(not_null=True, indexes=[IVFFLAT])

    def hook(texts: list[str]) -> None:
        waiting.execute("UPDATE app.docs SET body = body || '.' WHERE id < 3")
        with suppress(psycopg.errors.IntegrityError):
            waiting.execute("INSERT INTO app.docs SELECT max(id) + 1, 'new' FROM app.docs")

    waiting.embeddings.hook = hook
    code, printed = waiting.run()
    assert (code, waiting.wrong()) == (0, 2)
    assert "left" not in printed and "complete." in printed
    assert "The texts of 2 rows changed while the last pass ran" in printed
    assert waiting.value("SELECT count(*) FROM app.docs WHERE embedding IS NULL") == 0
    # The three, those that came before the CHECK, and few more passes than that.
    assert len(waiting.embeddings.calls) < 30


def test_rows_that_never_cease_to_come(waiting: Waiting) -> None:
    waiting.docs(3)
    waiting.job(indexes=[IVFFLAT])
    waiting.embeddings.hook = lambda texts: waiting.execute(
        "INSERT INTO app.docs SELECT max(id) + 1, 'new' FROM app.docs"
    )
    code, found = waiting.json()
    assert (code, found["complete"], found["left"]) == (1, False, 1)
    assert "rows without a vector keep coming (1 since the last pass began)" in found["message"]
    waiting.embeddings.hook = None
    assert waiting.json()[1]["complete"]


@pytest.mark.parametrize("workers", [1, 3])
def test_async_embedder_in_one_loop(waiting: Waiting, workers: int) -> None:
    waiting.docs(40)
    waiting.job(embedder="one_loop")
    waiting.rewrite(
        """
        import asyncio
        loops = set()

        async def one_loop(texts):
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0.001)
            return await embed_later(texts)
        """
    )
    assert waiting.json(workers=workers)[1]["complete"]
    assert waiting.wrong() == 0
    assert len(waiting.embeddings.loops) == 1
