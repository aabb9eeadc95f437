"""The sample project from its old head to the tenant keys and back, by the commands of a user.

Its env.py sets the search_path, so that stock Alembic would drop all of its tables.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.laws import snapshot

SAMPLE = Path(__file__).parents[1] / "sample_project"
OLD_HEAD = "cf0f4fc4d801"
TENANT = "(client_account_id, engagement_id)"

pytestmark = pytest.mark.postgres(16, 18)


@dataclass(frozen=True)
class Sample:
    """The sample project on a database.

    Attributes:
        folder: a copy of the project.
        url: its database.
        revision: the revision with the tenant keys.
        before: schema and rows at the old head.
    """

    folder: Path
    url: URL
    revision: Path | None = None
    before: tuple[str, list[str]] = ("", [])

    @property
    def versions(self) -> Path:
        """The folder of the revisions."""
        return self.folder / "alembic" / "versions"

    def run(self, module: str, *arguments: str) -> str:
        """Runs ``python -m module`` with the arguments, in the project; gives its output."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=os.environ | {"DATABASE_URL": self.url.render_as_string(hide_password=False)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def alembic(self, *arguments: str) -> str:
        """The command ``alembic``."""
        return self.run("alembic", *arguments)

    def autogenerate(self, message: str) -> Path:
        """The revision that ``--autogenerate`` writes."""
        self.alembic("revision", "--autogenerate", "-m", message)
        [path] = self.versions.glob(f"*_{message}.py")
        return path

    def definitions(self) -> set[tuple[str, str, bool]]:
        """Table, definition and validity of every constraint and every bare index."""
        query = """
            SELECT conrelid::regclass::text, pg_get_constraintdef(oid), convalidated
              FROM pg_constraint WHERE connamespace = 'migration'::regnamespace AND conrelid <> 0
            UNION ALL
            SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid
              FROM pg_index
             WHERE indrelid IN (SELECT oid FROM pg_class
                                 WHERE relnamespace = 'migration'::regnamespace)
               AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """
        with scratch.connect(self.url) as connection:
            return set(connection.execute(query).fetchall())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def generated(server: scratch.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The project at its old head, with rows, the plugin switched on and the revision written."""
    folder = tmp_path_factory.mktemp("sample") / "fleetshift"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with scratch.database(server) as url:
        sample = Sample(folder, url)
        sample.alembic("upgrade", "head")
        sample.run("seed", "--rows", "1000", "--clean")
        sample.run("alembic_fixups.cli", "init", "--yes")
        yield replace(
            sample,
            revision=sample.autogenerate("tenant_keys"),
            before=snapshot.both(server, url),
        )


@pytest.fixture
def sample(generated: Sample, server: scratch.Server) -> Iterator[Sample]:
    """The project on a database of its own."""
    with scratch.database(server, template=generated.url.database) as url:
        yield replace(generated, url=url)


def upgrade_of(path: Path) -> ast.FunctionDef:
    """The function ``upgrade()`` of a revision."""
    [found] = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    return found


def test_the_revision_holds_the_tenant_keys_and_nothing_else(generated: Sample) -> None:
    assert generated.revision is not None
    upgrade = upgrade_of(generated.revision)
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call)]
    assert {ast.unparse(call.func).split("(")[0] for call in calls} == {
        "op.execute",
        "op.get_context",
    }, "none of Alembic's own operations, under SET search_path all wrong"

    sql = "\n".join(
        ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "op.execute"
    )
    for statement in ("DROP TABLE", "DROP COLUMN", "DROP TYPE", "ALTER TYPE", "CREATE TABLE"):
        assert statement not in sql
    schema, _ = generated.before
    for name in re.findall(r"DROP INDEX (?:CONCURRENTLY )?(?:IF EXISTS )?\w+\.(\w+)", sql):
        assert not re.search(rf"INDEX {name} ON", schema), f"{name} is a live index"


def test_there_and_back(sample: Sample, server: scratch.Server) -> None:
    old = sample.definitions()
    sample.alembic("upgrade", "head")
    new = sample.definitions()
    check_changes(new - old, old - new)
    after = snapshot.both(server, sample.url)
    assert after[1] == sample.before[1], "no row is touched"

    empty = sample.autogenerate("nothing_left")
    try:
        assert ast.unparse(upgrade_of(empty).body[-1]) == "pass"
        assert "op." not in ast.unparse(upgrade_of(empty))
    finally:
        empty.unlink()

    sample.alembic("stamp", OLD_HEAD)
    sample.alembic("upgrade", "head")
    assert snapshot.both(server, sample.url) == after, "run again it changes nothing"

    sample.alembic("downgrade", "-1")
    assert snapshot.both(server, sample.url) == sample.before


def check_changes(added: set[tuple[str, str, bool]], gone: set[tuple[str, str, bool]]) -> None:
    """Only foreign keys to engagements with what they need came, only their forerunners went."""
    assert all(valid for _, _, valid in added)
    keys = {table for table, text, _ in added if text.startswith(f"FOREIGN KEY {TENANT} REF")}
    assert len(keys) == 24
    assert {"migration.assets", "migration.llm_usage_logs", "migration.audit_log"} <= keys
    assert not {"migration.users", "migration.report_snapshots"} & keys
    for table, text, _ in added:
        if text.startswith("FOREIGN KEY"):
            assert "REFERENCES migration.engagements(client_account_id, id)" in text
        elif text.startswith("UNIQUE"):
            assert (table, text) == ("migration.engagements", "UNIQUE (client_account_id, id)")
        else:
            assert text.endswith(f"USING btree {TENANT}")
            assert table in keys

    # Where the client may be NULL the old key stays; llm_usage_logs never had one.
    kept = {"migration.audit_log", "migration.feature_flags", "migration.llm_usage_logs"}
    assert {table for table, _, _ in gone} == keys - kept
    for _, text, _ in gone:
        assert text.startswith("FOREIGN KEY (engagement_id) REFERENCES migration.engagements(id)")


def test_offline_gives_the_same(sample: Sample, server: scratch.Server) -> None:
    upgrade = sample.alembic("upgrade", f"{OLD_HEAD}:head", "--sql")
    downgrade = sample.alembic("downgrade", f"head:{OLD_HEAD}", "--sql")
    with scratch.database(server, template=sample.url.database) as url:
        online = replace(sample, url=url)
        online.alembic("upgrade", "head")
        there = snapshot.both(server, url)
        head = online.alembic("current")

    psql(server, sample.url, upgrade)
    assert snapshot.both(server, sample.url) == there
    assert sample.alembic("current") == head
    psql(server, sample.url, downgrade)
    assert snapshot.both(server, sample.url) == sample.before


def psql(server: scratch.Server, url: URL, script: str) -> None:
    """Runs a script as ``psql -f`` does."""
    assert server.bindir is not None
    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [server.bindir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", target],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
