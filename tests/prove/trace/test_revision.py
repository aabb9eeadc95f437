"""A revision that the plugin writes, run as Alembic runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alembic_fixups import scratch
from alembic_fixups.prove import lint
from alembic_fixups.prove.trace import Recorder, Trace, blocks, install
from tests.laws.conftest import OPTIONS, all_cases
from tests.projects import Project
from tests.prove.trace.tracing import effects, locks


@pytest.fixture
def trace(server: scratch.Server, tmp_path: Path) -> Trace:
    """The upgrade of tenant-keys' basic case, on a copy of its database."""
    [case] = [case for case in all_cases() if case.name == "tenant_keys-basic"]
    with scratch.database(server) as url:
        project = Project.make(tmp_path / "project", url, case.models, case.settings)
        project.create_all(*case.schemas)
        with scratch.connect(url) as connection:
            connection.execute(case.setup.encode())
        project.autogenerate(**OPTIONS)
        with scratch.database(server, template=url.database) as copy:
            with scratch.connect(copy) as connection:
                assert install(connection)
            recorder = Recorder(copy)
            recorder.listen()
            try:
                replace(project, url=copy).upgrade(**OPTIONS)
            finally:
                recorder.stop()
    return Trace.of(recorder.trace().document())


@pytest.mark.postgres(16)
def test_a_generated_revision(trace: Trace) -> None:
    assert trace.complete, trace.why_not
    inner = [one for one in trace.statements if one.parent is not None]
    tops = [one for one in trace.statements if one.parent is None]
    assert not any("alembic_version" in one.text for one in tops)

    # What the comments in the revision promise is what is seen.
    built = [one for one in tops if one.text.startswith("CREATE")]
    assert len(built) == 3
    for one in built:
        assert list(locks(one).values()) == ["SHARE UPDATE EXCLUSIVE"], one.text
    added = [one for one in inner if "NOT VALID" in one.text]
    assert len(added) == 2
    for one in added:
        assert set(locks(one).values()) == {"SHARE ROW EXCLUSIVE"} and len(locks(one)) == 2
        assert not any("scan" in done for done in effects(one).values())
    validated = [one for one in inner if "VALIDATE CONSTRAINT" in one.text]
    assert len(validated) == 2
    for one in validated:
        assert sorted(locks(one).values()) == ["ROW SHARE", "SHARE UPDATE EXCLUSIVE"]
    dropped = [one for one in inner if "DROP CONSTRAINT" in one.text]
    assert len(dropped) == 2 and all(one.line for one in dropped)
    # No strong lock outlives its statement by more than the rest of its block.
    for one in (*added, *dropped):
        assert all(lock.held < 200 for lock in one.locks)
    assert not any(effect.rewritten for one in trace.statements for effect in one.effects)
    assert {table.relation for table in trace.tables()} == {
        "migration.assets", "migration.engagements", "migration.notes",
    }  # fmt: skip
    assert all(table.blocks == blocks(table.mode) for table in trace.tables())

    sql = lint.opened(trace)
    assert "DO $" not in sql and "alembic_version" not in sql
    assert sql.count("VALIDATE CONSTRAINT") == 2
    assert sql.count("CREATE UNIQUE INDEX CONCURRENTLY") == 1
