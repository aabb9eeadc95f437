"""Runs that are killed, and run again."""

import json
import subprocess
import time
from typing import Any

import psycopg
import pytest

from alembic_fixups.reembed import finish
from alembic_fixups.reembed.rows import Writer
from tests.reembed.test_reembed import HNSW, IVFFLAT, indexes, is_job_left
from tests.reembed.waiting import Waiting

pytestmark = pytest.mark.postgres(16)

BACKENDS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE application_name = 'alembic-fixups' AND datname = current_database()"
)


def written(waiting: Waiting) -> set[str]:
    return {text for (text,) in waiting.rows("SELECT body FROM app.docs WHERE embedding NOTNULL")}


@pytest.mark.parametrize("at", ["lock", "write", "commit", "embed"])
def test_backend_killed(waiting: Waiting, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    waiting.docs(20)
    waiting.job(not_null=True)
    write, turns = Writer.write, iter(range(100))

    def kill() -> None:
        if next(turns) == 2:
            waiting.execute(BACKENDS)

    def killed(self: Writer, connection: Any, batch: Any) -> int:
        if at == "commit":
            with connection.transaction():  # so that its own is a savepoint
                done = write(self, connection, batch)
                kill()
            return done
        if at == "lock":
            kill()
        if at == "write":
            with connection.transaction():
                connection.execute("SELECT FROM app.docs FOR UPDATE")
                kill()
                return write(self, connection, batch)
        return write(self, connection, batch)

    monkeypatch.setattr(Writer, "write", killed)
    if at == "embed":
        waiting.embeddings.hook = lambda texts: kill()
    code, found = waiting.json()
    assert (code, found["complete"]) == (1, False)
    assert "Run it again: it goes on from there." in found["message"]
    monkeypatch.undo()
    waiting.embeddings.hook = None
    before = written(waiting)
    assert len(before) == 8
    waiting.embeddings.calls.clear()
    assert waiting.json()[1]["complete"]
    assert waiting.wrong() == 0
    assert sorted(waiting.embeddings.calls) == sorted({f"text {i}" for i in range(1, 21)} - before)


@pytest.mark.parametrize(
    "step", ["require", "make_not_null", "build_indexes", "analyze", "drop_job", "_rename_not_null"]
)
@pytest.mark.parametrize("after", [False, True])
def test_killed_while_it_is_finished(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    waiting.docs(4)
    waiting.job(not_null=True, indexes=[HNSW, IVFFLAT])
    real = getattr(finish, step)

    def killed(*given: Any) -> None:
        if after:
            real(*given)
        waiting.execute(BACKENDS)
        real(*given)

    monkeypatch.setattr(finish, step, killed)
    code, found = waiting.json()
    assert (code, found["complete"]) == (1, False)
    monkeypatch.undo()
    code, printed = waiting.run()
    assert code == 0, printed
    assert not is_job_left(waiting)
    assert set(indexes(waiting)) == {"docs_hnsw", "docs_ivf"}
    assert waiting.value("SELECT count(*) FROM pg_constraint WHERE conname ~ '^fixup'") == 0
    assert sorted(waiting.embeddings.calls) == ["text 1", "text 2", "text 3", "text 4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "how, code",
    [
        ("os._exit(9)", 9),
        ("raise KeyboardInterrupt", 130),
        ("os.kill(os.getpid(), 2); time.sleep(0.3)", 130),
    ],
)
def test_process_that_ends(waiting: Waiting, how: str, code: int) -> None:
    waiting.docs(20)
    waiting.job(not_null=True, embedder="ending")
    log = waiting.folder / "log"
    waiting.rewrite(
        f"""
        def ending(texts):
            if len(batches) == 3 and not os.path.exists({str(log)!r} + ".again"):
                {how}
            with open({str(log)!r}, "a") as file:
                file.writelines(text + "\\n" for text in texts)
            return embed(texts)
        """
    )
    done = waiting.process("reembed")
    assert done.returncode == code, done.stderr
    if code == 130:
        assert "Stopped. Run it again to go on" in done.stdout
    before = written(waiting)
    assert len(before) >= 8
    (waiting.folder / "log.again").touch()
    log.write_text("")
    done = waiting.process("reembed", "--json")
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["columns"]
    assert found["complete"]
    assert waiting.wrong() == 0
    assert not before & set(log.read_text().splitlines())


def test_an_index_that_a_dead_run_still_builds(waiting: Waiting) -> None:
    """Its backend goes on when the client is gone: nobody may begin anew meanwhile."""
    waiting.docs(4)
    waiting.job(indexes=[IVFFLAT])
    with psycopg.connect(waiting.database_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE app.docs IN ROW EXCLUSIVE MODE")
        run = subprocess.Popen(
            waiting.command("reembed", "--database-url", waiting.database_url),
            cwd=waiting.folder,
            stdout=subprocess.DEVNULL,
        )
        building = "SELECT count(*) FROM pg_stat_progress_create_index"
        for _ in range(200):
            if waiting.value(building):
                break
            time.sleep(0.05)
        run.kill()
        run.wait()
        code, found = waiting.json()
        assert code == 2
        assert "another `alembic-fixups reembed`" in found["message"]
        other.rollback()
    for _ in range(200):
        code, found = waiting.json()
        if code == 0:
            break
        time.sleep(0.05)
    assert found["complete"]
    assert set(indexes(waiting)) == {"docs_ivf"}
