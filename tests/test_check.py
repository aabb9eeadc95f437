"""``alembic-fixups check``: what it prints, and when it fails."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.engine import URL

from alembic_fixups import check, scratch
from alembic_fixups.report import Finding
from tests.test_cli import MODELS, AlembicProject, mistake, run_into

# Reported and left as it is: an engagement without its client.
LOOSE = 'table("notes", engagement())\n'


@pytest.fixture(scope="module")
def migrated(
    server: scratch.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AlembicProject]:
    """A migrated project with the plugin on: only what the fixup wants is still missing."""
    with scratch.database(server) as url:
        project = AlembicProject(tmp_path_factory.mktemp("migrated"), url)
        project.migrate()
        assert project.run("init", "--yes").returncode == 0
        yield project


@pytest.fixture
def project(
    migrated: AlembicProject, server: scratch.Server, tmp_path: Path
) -> Iterator[AlembicProject]:
    """A copy of it, with a database of its own."""
    with scratch.database(server, template=migrated.url.database) as url:
        yield migrated.copied(tmp_path, url)


def found(project: AlembicProject, *arguments: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    done = project.run("check", "--json", *arguments)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.postgres(16)
class TestCheck:
    def test_differences_until_they_are_migrated(self, project: AlembicProject) -> None:
        done = project.run("check")
        assert done.returncode == 1
        assert done.stdout.startswith("tenant-keys\n  • ")
        assert done.stdout.rstrip().splitlines()[-1].endswith(" differences.")
        assert done.stderr == ""

        project.migrate()

        done = project.run("check")
        assert (done.returncode, done.stdout, done.stderr) == (0, "No differences.\n", "")

    def test_json(self, project: AlembicProject) -> None:
        code, document = found(project)

        assert code == 1
        assert document.keys() == {"differences", "findings"}
        assert document["findings"] == []
        for difference in document["differences"]:
            assert difference.keys() == {"fixup", "title"}
            assert difference["fixup"] == "tenant-keys"
        assert project.run("check").stdout.count("•") == len(document["differences"])

    @pytest.mark.slow
    def test_output_that_is_full_closed_or_ascii(self, project: AlembicProject) -> None:
        for option in ([], ["--json"]):
            assert run_into(project, "> /dev/full", "check", *option) == (
                2,
                "Error: No space left on device\n",
            )
            assert run_into(project, "| exec 0<&-", "check", *option) == (2, "")
        done = project.run("check", PYTHONIOENCODING="ascii")
        assert done.returncode == 1
        assert done.stdout.startswith("tenant-keys\n  - ")
        assert done.stderr == ""

    def test_only_json_is_on_stdout(self, project: AlembicProject) -> None:
        project.replace(project.ini, "args = (sys.stderr,)", "args = (sys.stdout,)")
        project.models.write_text('print("loading")\n' + MODELS)

        assert found(project)[0] == 1
        assert json.loads(project.run("--verbose", "check", "--json").stdout)

    def test_alembic_s_own_differences_come_last(self, project: AlembicProject) -> None:
        project.models.write_text(
            MODELS.replace('"flows", client()', '"flows", Column("name", Integer), client()')
        )

        _, document = found(project)

        assert document["differences"][-1] == {"fixup": "alembic", "title": "add column flows.name"}
        assert "\nalembic\n  • add column flows.name\n\n" in project.run("check").stdout

    def test_findings_fail_only_where_they_have_to(self, project: AlembicProject) -> None:
        project.models.write_text(MODELS + LOOSE)
        project.migrate()

        code, document = found(project)

        assert code == 0
        assert document["differences"] == []
        [finding] = document["findings"]
        assert finding.keys() == {"fixup", "code", "table", "message", "severity"}
        assert (finding["fixup"], finding["table"]) == ("tenant-keys", "notes")
        assert finding["severity"] in ("warning", "refused")
        done = project.run("check")
        assert finding["message"] in done.stdout
        assert done.stderr == "", "the log says it again"
        assert found(project, "--strict") == (1, document)

    def test_nothing_is_written(self, project: AlembicProject) -> None:
        files = project.contents()
        with scratch.connect(project.url) as connection:
            connection.execute("DROP TABLE alembic_version")

            assert project.run("check").returncode == 2

            assert connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)
        assert project.contents() == files


@pytest.mark.postgres(16)
class TestMistakes:
    def test_database_not_at_the_head(self, project: AlembicProject) -> None:
        first = next((project.folder / "migrations" / "versions").glob("*.py")).name[:12]
        project.alembic("revision", "-m", "second", "--rev-id", "second")
        assert mistake(project, "check") == (
            f"The database is at {first}, the revisions go on to second. Run `alembic upgrade "
            "heads` first: only a database at the head can be compared with the models."
        )

    def test_database_at_an_unknown_revision(self, project: AlembicProject) -> None:
        with scratch.connect(project.url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = 'gone'")
        assert mistake(project, "check") == "Can't locate revision identified by 'gone'"

    def test_no_fixup_on(self, project: AlembicProject) -> None:
        project.pyproject.write_text('[tool.alembic-fixups]\nlock-timeout = "5s"\n')
        assert mistake(project, "check") == (
            "No fixup is on. Add a table such as [tool.alembic-fixups.relationship-loading] or "
            "[tool.alembic-fixups.schema-prefix] or [tool.alembic-fixups.enum-check] or "
            "[tool.alembic-fixups.tenant-keys] or [tool.alembic-fixups.vector-dimension] or "
            "[tool.alembic-fixups.redundant-index] or [tool.alembic-fixups.check-constraints] "
            "to pyproject.toml; `alembic-fixups init` proposes what it can infer."
        )

    def test_plugin_not_in_env_py(self, project: AlembicProject) -> None:
        project.replace(project.env_py, ', "alembic_fixups"]', "]")
        assert mistake(project, "check") == (
            'migrations/env.py: "alembic_fixups" is not among the autogenerate_plugins of '
            "context.configure(). Run `alembic-fixups init`."
        )

    def test_transaction_begun_by_env_py(self, project: AlembicProject) -> None:
        project.replace(project.env_py, "connectable.connect()", "connectable.begin()")
        assert (
            mistake(project, "check")
            .partition(" hands ")[2]
            .startswith("Alembic a connection with a")
        )

    def test_database_that_refuses(self, project: AlembicProject) -> None:
        project.replace(
            project.env_py,
            "        context.configure(\n            connection",
            '        connection.exec_driver_sql("SELECT 1 / 0")\n'
            "        context.configure(\n            connection",
        )
        assert mistake(project, "check").endswith(": DataError: division by zero\nin: SELECT 1 / 0")


@pytest.mark.slow
@pytest.mark.postgres(16)
def test_async_project(tmp_path: Path, database_url: URL) -> None:
    project = AlembicProject(tmp_path, database_url.set(drivername="postgresql+asyncpg"), "async")
    project.migrate()
    assert project.run("init", "--yes").returncode == 0
    assert found(project)[0] == 1


@pytest.mark.slow
@pytest.mark.postgres(16)
def test_project_in_pyproject_toml_only(tmp_path: Path, database_url: URL) -> None:
    project = AlembicProject(tmp_path, database_url, "pyproject")
    project.migrate()
    assert project.run("init", "--yes").returncode == 0
    assert found(project)[0] == 1


@pytest.mark.postgres(16)
def test_hook_that_empties_the_directives(project: AlembicProject) -> None:
    """Alembic's cookbook has it, against empty revisions."""
    project.replace(
        project.env_py,
        "target_metadata=target_metadata,\n            autogenerate",
        "target_metadata=target_metadata,\n"
        "            process_revision_directives=lambda context, revision, directives: "
        "directives.clear(),\n            autogenerate",
    )
    assert found(project) == (0, {"differences": [], "findings": []})


@pytest.mark.postgres(16)
def test_comparison_leaves_the_database_usable(
    project: AlembicProject, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    before = connection.execute("SELECT count(*) FROM pg_class").fetchone()
    found(project)
    assert connection.execute("SELECT count(*) FROM pg_class").fetchone() == before


def test_nothing_is_cut_off_on_a_narrow_terminal() -> None:
    name = "a_name_of_a_constraint_that_is_longer_than_the_terminal"
    report = check.Report([check.Difference("f", f"add {name}")], [Finding("f", "c", "t", name)])
    console = Console(file=io.StringIO(), force_terminal=True, width=40, color_system=None)

    check._print(report, console)

    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert "…" not in output
    assert "".join(output.split()).count(name) == 2
    assert max(map(len, output.splitlines())) <= 40


METADATA = MetaData()
TABLE = Table("t", METADATA, Column("a", Integer), Column("b", Integer), schema="s")
KEY = UniqueConstraint(TABLE.c.a, TABLE.c.b)
OTHER = Table("o", METADATA, Column("a", ForeignKey("s.t.a", name="fk")))
[FK] = OTHER.foreign_key_constraints
CHECK = CheckConstraint("a > 0", name="positive", table=TABLE)


@pytest.mark.parametrize(
    "diff, line",
    [
        (("add_table", TABLE), "add table s.t"),
        (("remove_table", TABLE), "remove table s.t"),
        (("add_column", "s", "t", Column("c")), "add column s.t.c"),
        (("remove_column", None, "t", Column("c")), "remove column t.c"),
        (("add_index", Index("ix", TABLE.c.a)), "add index ix on s.t"),
        (("add_constraint", KEY), "add constraint (a, b) on s.t"),
        (("remove_constraint", CHECK), "remove constraint positive on s.t"),
        (("remove_fk", FK), "remove foreign key fk on o"),
        (
            ("modify_nullable", None, "t", "a", {}, True, False),
            "modify nullable of t.a: True to False",
        ),
        (
            ("modify_type", None, "t", "a", {}, String(5), Integer()),
            "modify type of t.a: String(length=5) to Integer()",
        ),
        (("modify_default", "s", "t", "a", {}, None, object()), "modify default of s.t.a"),
        (("modify_comment", "s", "t", "a", {}, None, "new"), "modify comment of s.t.a"),
        (("add_table_comment", TABLE, None), "add table comment s.t"),
        (("execute", "SELECT 1;\nSELECT 2"), "execute SELECT 1; SELECT 2"),
        (("of_another_plugin", 1, None), "of another plugin 1 None"),
    ],
)
def test_alembic_s_operations_in_a_line(diff: tuple[object, ...], line: str) -> None:
    assert check.describe(diff) == line


@pytest.mark.parametrize(
    "severity, failed, failed_strictly",
    [("info", False, False), ("warning", False, True), ("refused", False, True)],
)
def test_strict(severity: str, failed: bool, failed_strictly: bool) -> None:
    report = check.Report([], [Finding("f", "c", "t", "m", severity)])  # type: ignore[arg-type]
    assert (report.failed(strict=False), report.failed(strict=True)) == (failed, failed_strictly)
