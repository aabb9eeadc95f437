"""The sample project from its old head to the fixups and back, by the commands of a user.

Its env.py sets the search_path, so that stock Alembic would drop all of its tables, and two of them
are in public, where the models do not have them.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.laws import snapshot

SAMPLE = Path(__file__).parents[1] / "sample_project"
OLD_HEAD = "e4db4e566ae8"
TENANT = "(client_account_id, engagement_id)"

FIXUPS = [("schema-prefix", "tenant-keys"), ("schema-prefix",)]
"""Together, and one alone."""

MOVED = {"integration_kind", "integration_events", "integrations"}
ALONG = {
    *("integrations_id_seq", "integrations_pkey", "uq_integrations_name"),
    *("ix_migration_integrations_engagement_id", "ix_integration_events_time"),
    *("integration_events_id_seq", "integration_events_pkey"),
}
"""What goes with them by itself."""

MOVES = {
    "public.integration_kind: the type moves to migration",
    "public.integration_events: the table moves to migration",
    "public.integrations: the table moves to migration",
}

TRUE_DIFFERENCES = {
    # Beside the tables that stock Alembic would drop since it sees them twice.
    """CREATE TABLE migration.leftovers (id int PRIMARY KEY, flow_id uuid);
       CREATE INDEX ix_leftovers ON migration.leftovers (flow_id)""": {
        "remove table migration.leftovers",
        "remove index ix_leftovers on migration.leftovers",
    },
    "CREATE TABLE public.scratch_pad (id int PRIMARY KEY)": {"remove table public.scratch_pad"},
    # Beside the empty twins that it would make.
    "DROP TABLE migration.report_snapshots": {
        "add table migration.report_snapshots",
        "add index ix_migration_report_snapshots_engagement_id on migration.report_snapshots",
    },
    "ALTER TABLE public.integrations ADD COLUMN secret text": {
        "remove column migration.integrations.secret"
    },
    "ALTER TABLE public.integration_events DROP COLUMN payload": {
        "add column migration.integration_events.payload"
    },
    "ALTER TABLE public.integrations ALTER settings DROP NOT NULL": {
        "modify nullable of migration.integrations.settings: True to False"
    },
    "COMMENT ON TABLE public.integrations IS 'something else'": {
        "add table comment migration.integrations"
    },
    # Beside the indexes that would go with the tables.
    "DROP INDEX public.ix_integration_events_time": {
        "add index ix_integration_events_time on migration.integration_events"
    },
    "CREATE INDEX ix_by_message ON public.integration_events (message)": {
        "remove index ix_by_message on migration.integration_events"
    },
    "DROP INDEX migration.ix_flow_events_flow_time": {
        "add index ix_flow_events_flow_time on migration.flow_events"
    },
    "ALTER TABLE public.integrations DROP CONSTRAINT uq_integrations_name": {
        "migration.integrations: add the unique constraint uq_integrations_name"
    },
    # Beside the foreign keys that would be dropped and made again.
    """ALTER TABLE migration.data_imports DROP CONSTRAINT data_imports_integration_id_fkey,
         ADD CONSTRAINT import_of FOREIGN KEY (integration_id) REFERENCES public.integrations""": {
        "migration.data_imports: drop the foreign key constraint import_of",
        "migration.data_imports: add the foreign key constraint",
    },
    """ALTER TABLE public.integration_events
         DROP CONSTRAINT integration_events_integration_id_fkey""": {
        "migration.integration_events: add the foreign key constraint"
    },
    "ALTER TABLE migration.wave_assets DROP CONSTRAINT wave_assets_asset_id_fkey": {
        "migration.wave_assets: add the foreign key constraint"
    },
    # Beside the enum columns whose type would be changed into itself.
    "ALTER TABLE migration.assets ALTER operating_system TYPE text": {
        "modify type of migration.assets.operating_system: TEXT() to String(length=120)"
    },
}
"""SQL that makes the database differ from the models, and what has to be found."""

TRUE_TYPES = {
    "ALTER TABLE migration.assessment_findings ALTER severity TYPE varchar(20)": {
        "modify type of migration.assessment_findings.severity: VARCHAR(length=20) to "
        "Enum('low', 'medium', 'high', 'critical', name='risk_level', schema='migration')"
    },
    """ALTER TABLE public.integrations ADD COLUMN old_kind public.integration_kind,
         ALTER kind DROP DEFAULT, ALTER kind TYPE text""": {
        "remove column migration.integrations.old_kind",
        "modify type of migration.integrations.kind: TEXT() to "
        "Enum('cmdb', 'ticketing', 'monitoring', name='integration_kind', schema='migration')",
    },
}
"""More of them, for which Alembic writes no USING, so that the upgrade would fail."""

pytestmark = pytest.mark.postgres(16, 18)


@dataclass(frozen=True)
class Sample:
    """The sample project on a database.

    Attributes:
        folder: a copy of the project.
        url: its database.
        fixups: those that are on; none as long as the settings are those that init wrote.
        revision: the revision with all that they change.
        before: schema and rows at the old head.
    """

    folder: Path
    url: URL
    fixups: tuple[str, ...] = ()
    revision: Path | None = None
    before: tuple[str, list[str]] = ("", [])

    @property
    def versions(self) -> Path:
        """The folder of the revisions."""
        return self.folder / "alembic" / "versions"

    def switch_on(self, *fixups: str) -> None:
        """Has only these on, and tables moved from public."""
        path = self.folder / "pyproject.toml"
        head, *tables = re.split(r"^(?=\[tool\.alembic-fixups\.)", path.read_text(), flags=re.M)
        chosen = [table for table in tables if table[1:].split("]")[0].split(".")[2] in fixups]
        schema = 'schema = "migration"\n'
        text = "".join([head, *chosen]).replace(schema, schema + 'move-from = ["public"]\n')
        path.write_text(text)

    def run(self, module: str, *arguments: str, exit_code: int = 0) -> str:
        """Runs ``python -m module`` with the arguments, in the project; gives its output."""
        output, _ = self._run(module, *arguments, exit_code=exit_code)
        return output

    def fails(self, exit_code: int, module: str, *arguments: str) -> str:
        """Runs what has to fail; gives all that it says."""
        return "".join(self._run(module, *arguments, exit_code=exit_code))

    def _run(self, module: str, *arguments: str, exit_code: int) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=os.environ | {"DATABASE_URL": self.url.render_as_string(hide_password=False)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout, done.stderr

    def alembic(self, *arguments: str) -> str:
        """The command ``alembic``."""
        return self.run("alembic", *arguments)

    def autogenerate(self, message: str) -> Path:
        """The revision that ``--autogenerate`` writes."""
        self.alembic("revision", "--autogenerate", "-m", message)
        [path] = self.versions.glob(f"*_{message}.py")
        return path

    def check(self, *, differs: bool = True) -> tuple[dict[str, set[str]], list[dict[str, str]]]:
        """What ``alembic-fixups check`` says: the differences by fixup, and the findings."""
        output = self.run("alembic_fixups.cli", "check", "--json", exit_code=int(differs))
        report = json.loads(output)
        differences: dict[str, set[str]] = {}
        for one in report["differences"]:
            differences.setdefault(one["fixup"], set()).add(one["title"])
        assert sum(map(len, differences.values())) == len(report["differences"]), "none twice"
        return differences, report["findings"]

    def execute(self, statements: Iterable[str]) -> None:
        """Runs SQL on the database."""
        with scratch.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def definitions(self) -> set[tuple[str, str, bool]]:
        """Table, definition and validity of every constraint and bare index, without schemas."""
        query = """
            WITH tables AS (
              SELECT oid, relname FROM pg_class
               WHERE relkind = 'r' AND relname <> 'alembic_version'
                 AND relnamespace IN ('migration'::regnamespace, 'public'::regnamespace)
            )
            SELECT relname, pg_get_constraintdef(c.oid), convalidated
              FROM tables t JOIN pg_constraint c ON conrelid = t.oid
            UNION ALL
            SELECT relname, pg_get_indexdef(indexrelid, 0, true), indisvalid
              FROM tables t JOIN pg_index ON indrelid = t.oid
             WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """
        with scratch.connect(self.url) as connection:
            connection.execute("SET search_path TO migration, public")
            return set(connection.execute(query).fetchall())  # type: ignore[arg-type]

    def places(self) -> dict[tuple[int, str], str]:
        """The schema of every relation and enum type that was made by now, by OID and name."""
        query = """
            SELECT oid, relname, relnamespace::regnamespace::text FROM pg_class
             WHERE relnamespace IN ('migration'::regnamespace, 'public'::regnamespace)
            UNION ALL
            SELECT oid, typname, typnamespace::regnamespace::text FROM pg_type WHERE typtype = 'e'
        """
        with scratch.connect(self.url) as connection:
            found = connection.execute(query).fetchall()
        return {(oid, name): schema for oid, name, schema in found}


@pytest.fixture(scope="module")
def seeded(server: scratch.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The project at its old head, with rows, the plugin switched on."""
    folder = tmp_path_factory.mktemp("sample") / "fleetshift"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with scratch.database(server) as url:
        sample = Sample(folder, url)
        sample.alembic("upgrade", "head")
        sample.run("seed", "--rows", "1000", "--clean")
        sample.run("alembic_fixups.cli", "init", "--yes")
        yield sample


@pytest.fixture
def fresh(seeded: Sample, server: scratch.Server, tmp_path: Path) -> Iterator[Sample]:
    """A copy of all that, on a database of its own."""
    folder = tmp_path / "fleetshift"
    shutil.copytree(seeded.folder, folder)
    with scratch.database(server, template=seeded.url.database) as url:
        yield Sample(folder, url)


@pytest.fixture(scope="module", params=FIXUPS, ids="+".join)
def generated(
    request: pytest.FixtureRequest,
    seeded: Sample,
    server: scratch.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Sample:
    """The project with fixups on and the revision written."""
    folder = tmp_path_factory.mktemp("generated") / "fleetshift"
    shutil.copytree(seeded.folder, folder)
    sample = Sample(folder, seeded.url, request.param)
    sample.switch_on(*sample.fixups)
    before = snapshot.both(server, seeded.url)
    return replace(sample, revision=sample.autogenerate("all_of_it"), before=before)


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


def calls_of(path: Path) -> list[ast.Call]:
    """The calls in it, in no order."""
    return [node for node in ast.walk(upgrade_of(path)) if isinstance(node, ast.Call)]


def test_stock_alembic_would_drop_the_live_tables(seeded: Sample, tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "stock")
    stock = replace(seeded, folder=tmp_path / "stock")
    source = ast.unparse(upgrade_of(path := stock.autogenerate("stock")))
    counts = Counter(ast.unparse(call.func) for call in calls_of(path))
    del counts["op.f"]
    assert {name: counts[name] for name in counts if name.startswith("op.")} == {
        "op.drop_table": 36,
        "op.drop_index": 45,
        "op.alter_column": 18,
        "op.create_table": 2,
        "op.create_index": 2,
        "op.drop_constraint": 1,
        "op.create_foreign_key": 1,
    }
    for table in ("integrations", "integration_events"):
        assert f"op.create_table('{table}'" in source
        assert f"op.drop_table('{table}')" in source


def test_without_move_from_nothing_is_written(fresh: Sample) -> None:
    before = set(fresh.versions.iterdir())
    said = fresh.fails(255, "alembic", "revision", "--autogenerate", "-m", "twins")
    for table in ("integrations", "integration_events"):
        assert f"public.{table} has the columns of the model migration.{table}" in said
    assert "Traceback" not in said
    assert set(fresh.versions.iterdir()) == before
    assert "empty twin" in fresh.fails(2, "alembic_fixups.cli", "check")


def test_the_revision_holds_what_the_fixups_want_and_nothing_else(generated: Sample) -> None:
    assert generated.revision is not None
    calls = calls_of(generated.revision)
    assert {ast.unparse(call.func).split("(")[0] for call in calls} == {
        "op.execute",
        "op.get_context",
    }, "none of Alembic's own operations, under SET search_path all wrong"

    statements = [
        ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "op.execute"
    ]
    sql = "\n".join(statements)
    upgrade, _, _ = generated.revision.read_text().partition("def downgrade")
    assert set(re.findall(r"# - (public\..*)", upgrade)) == MOVES
    assert set(re.findall(r"'public', '(\w+)'", sql)) == MOVED
    for statement in ("DROP TABLE", "DROP COLUMN", "DROP TYPE", "CREATE TABLE", "CREATE TYPE"):
        assert statement not in sql
    if "tenant-keys" not in generated.fixups:
        assert len(statements) == 2, "a look, then the move"
        assert "DROP" not in sql
        assert "INDEX" not in sql
    schema, _ = generated.before
    for name in re.findall(r"DROP INDEX (?:CONCURRENTLY )?(?:IF EXISTS )?\w+\.(\w+)", sql):
        assert not re.search(rf"INDEX {name} ON", schema), f"{name} is a live index"


@pytest.mark.slow
def test_there_and_back(sample: Sample, server: scratch.Server) -> None:
    old, places = sample.definitions(), sample.places()
    sample.alembic("upgrade", "head")
    new = sample.definitions()
    check_changes(new - old, old - new, 25 if "tenant-keys" in sample.fixups else 0)
    check_moved(places, sample.places())
    after = snapshot.both(server, sample.url)
    assert after[1] == sorted(moved(row) for row in sample.before[1]), "no row is touched"

    differences, findings = sample.check(differs=False)
    assert differences == {}
    assert {one["fixup"] for one in findings} == set(sample.fixups) - {"schema-prefix"}
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
    sample.alembic("stamp", "head")
    sample.alembic("downgrade", "-1")
    assert snapshot.both(server, sample.url) == sample.before, "nor does the downgrade, run again"


def moved(row: str) -> str:
    """A row of a dump as it is after the move."""
    return re.sub(r"^(INSERT INTO |SELECT .*')public\.integration", r"\1migration.integration", row)


def check_moved(before: dict[tuple[int, str], str], after: dict[tuple[int, str], str]) -> None:
    """The same objects are there as before, all in one schema."""
    assert before.keys() <= after.keys(), "nothing was dropped and made again"
    assert {name for (_, name), schema in before.items() if schema == "public"} == MOVED | ALONG
    assert set(after.values()) == {"migration"}


def check_changes(
    added: set[tuple[str, str, bool]], gone: set[tuple[str, str, bool]], number: int
) -> None:
    """Only foreign keys to engagements with what they need came, only their forerunners went."""
    assert all(valid for _, _, valid in added)
    keys = {table for table, text, _ in added if text.startswith(f"FOREIGN KEY {TENANT} REF")}
    assert len(keys) == number
    assert not {"users", "report_snapshots", "integration_events"} & keys
    for table, text, _ in added:
        if text.startswith("FOREIGN KEY"):
            assert "REFERENCES engagements(client_account_id, id)" in text
        elif text.startswith("UNIQUE"):
            assert (table, text) == ("engagements", "UNIQUE (client_account_id, id)")
        else:
            assert text.endswith(f"USING btree {TENANT}")
            assert table in keys

    # Where the client may be NULL the old key stays; llm_usage_logs never had one.
    kept = {"audit_log", "feature_flags", "llm_usage_logs"}
    assert not keys or {"assets", "integrations", *kept} <= keys
    assert {table for table, _, _ in gone} == keys - kept
    for _, text, _ in gone:
        assert text.startswith("FOREIGN KEY (engagement_id) REFERENCES engagements(id)")


@pytest.mark.parametrize("fixups", FIXUPS, ids="+".join)
def test_no_true_difference_is_hidden(fresh: Sample, fixups: tuple[str, ...]) -> None:
    fresh.switch_on(*fixups)
    fresh.execute(TRUE_DIFFERENCES | TRUE_TYPES)
    found, _ = fresh.check()
    wanted = (TRUE_DIFFERENCES | TRUE_TYPES).values()
    assert found["alembic"] == set().union(*wanted)
    assert found["schema-prefix"] == MOVES
    assert found.keys() == {"alembic", *fixups}
    assert len(found.get("tenant-keys", ())) == (25 if "tenant-keys" in fixups else 0)


@pytest.mark.slow
@pytest.mark.parametrize("fixups", FIXUPS, ids="+".join)
def test_true_differences_are_brought_in_line_along_with_the_moves(
    fresh: Sample, server: scratch.Server, fixups: tuple[str, ...]
) -> None:
    fresh.switch_on(*fixups)
    fresh.execute(TRUE_DIFFERENCES)
    before = snapshot.schema(server, fresh.url)
    fresh.autogenerate("all_of_it")
    fresh.alembic("upgrade", "head")
    assert fresh.check(differs=False)[0] == {}
    fresh.alembic("downgrade", "-1")
    assert snapshot.schema(server, fresh.url) == before


@pytest.mark.slow
def test_an_upgrade_that_tenant_keys_refuse_has_moved_nothing(
    fresh: Sample, server: scratch.Server
) -> None:
    fresh.switch_on("schema-prefix", "tenant-keys")
    fresh.execute(["UPDATE migration.llm_usage_logs SET engagement_id = gen_random_uuid()"])
    before = snapshot.both(server, fresh.url)
    refused = fresh.autogenerate("refused")
    said = fresh.fails(1, "alembic", "upgrade", "head")
    assert "migration.llm_usage_logs: " in said
    assert fresh.alembic("current").strip() == OLD_HEAD
    assert snapshot.both(server, fresh.url) == before
    refused.unlink()

    settings = fresh.folder / "pyproject.toml"
    settings.write_text(settings.read_text().replace('"abort"', '"quarantine"'))
    assert fresh.check()[0]["schema-prefix"] == MOVES
    fresh.autogenerate("quarantine")
    fresh.alembic("upgrade", "head")
    assert fresh.check(differs=False)[0] == {}
    fresh.alembic("downgrade", "-1")
    assert snapshot.both(server, fresh.url) == before


def test_what_hangs_on_a_table_by_name_is_reported(fresh: Sample) -> None:
    fresh.switch_on("schema-prefix")
    fresh.execute(
        [
            "CREATE FUNCTION migration.count_integrations() RETURNS bigint LANGUAGE sql"
            " AS 'SELECT count(*) FROM public.integrations'"
        ]
    )
    differences, findings = fresh.check()
    assert differences == {"schema-prefix": MOVES}
    assert {(one["code"], one["severity"], one["table"]) for one in findings} == {
        ("name-breaks", "warning", "public.integrations"),
        ("view-stays", "info", "public.integrations"),
        ("view-stays", "info", "public.integration_events"),
    }
    assert any("count_integrations()" in one["message"] for one in findings)
    assert any("v_integration_activity" in one["message"] for one in findings)


@pytest.mark.slow
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
