"""``pytest --alembic-fixups`` in a project of a user's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from alembic_fixups import scratch
from tests.projects import Project
from tests.prove.proving import ITEMS, written

pytestmark = pytest.mark.postgres(16)

GOOD = (
    "op.execute('ALTER TABLE item ADD COLUMN IF NOT EXISTS weight int')",
    "op.execute('ALTER TABLE item DROP COLUMN IF EXISTS weight')",
)
STOCK = (
    'op.add_column("item", sa.Column("seen", sa.Boolean))',
    'op.drop_column("item", "seen")',
)
MODELS = """
metadata = MetaData()
Table("owner", metadata, Column("id", Integer, primary_key=True),
      Column("name", Text, nullable=False), Column("note", Text))
Table("item", metadata, Column("id", Integer, primary_key=True),
      Column("owner_id", ForeignKey("owner.id"), nullable=False), Column("price", Numeric(8, 2)),
      Column("label", String(20)), Column("weight", Integer), Column("seen", Boolean))
"""
CONFTEST = """
import pytest
from alembic_fixups import scratch


@pytest.fixture(scope="session")
def alembic_fixups_server():
    return scratch.at({url!r})

"""


@pytest.fixture
def project(server: scratch.Server, tmp_path: Path) -> Project:
    """A project whose tests work on the server of this test, by an override of the fixture."""
    project = written(tmp_path / "project", {"start": (ITEMS, ""), "good": GOOD, "stock": STOCK})
    project.models(MODELS)
    project.settings('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    ini = project.folder / "alembic.ini"
    ini.write_text(f"{ini.read_text()}prepend_sys_path = .\n")
    tests = project.folder / "tests"
    tests.mkdir()
    url = server.url.render_as_string(hide_password=False)
    (tests / "conftest.py").write_text(CONFTEST.format(url=url))
    (tests / "test_own.py").write_text("def test_own():\n    pass\n")
    return project


def run(project: Project, *options: str) -> tuple[int, str]:
    """pytest's exit code and what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *options],
        cwd=project.folder,
        env=kept,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def results(output: str, outcome: str) -> Sequence[str]:
    """The tests of that outcome, by the names that pytest shows."""
    found = re.findall(rf"^{outcome} (\S+)", output, re.MULTILINE)
    return sorted(one.removeprefix("tests/alembic_fixups::") for one in found)


def test_without_the_option_nothing_is_added(project: Project) -> None:
    code, output = run(project)
    assert code == 0, output
    assert results(output, "PASSED") == ["tests/test_own.py::test_own"]


def test_the_newest_revision(project: Project) -> None:
    code, output = run(project, "--alembic-fixups")
    assert code == 1, output
    assert results(output, "FAILED") == [
        "test_downgrade_idempotent[stock]",
        "test_idempotent[stock]",
    ]
    assert results(output, "PASSED") == [
        "test_downgrade_restart[stock]",
        "test_models_match",
        "test_offline[stock]",
        "test_restart[stock]",
        "test_round_trip[stock]",
        "test_runs[stock]",
        "test_upgrade_after_downgrade[stock]",
        "tests/test_own.py::test_own",
    ]
    assert "no fixup is switched on" in output
    assert "nothing is squashed" in output
    assert "stock: upgrade() run over itself changes nothing: broken." in output
    assert 'column "seen" of relation "item" already exists' in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_several_revisions_and_a_choice(project: Project) -> None:
    code, output = run(project, "--alembic-fixups-since=good", "-k", "test_idempotent")
    assert code == 1, output
    assert results(output, "PASSED") == ["test_idempotent[good]"]
    assert results(output, "FAILED") == ["test_idempotent[stock]"]


@pytest.mark.slow
def test_models_that_do_not_match(project: Project) -> None:
    project.models(MODELS.replace('Column("note", Text)', 'Column("notes", Text)'))
    code, output = run(project, "--alembic-fixups", "-k", "test_models_match")
    assert code == 1, output
    assert "op.add_column('owner', sa.Column('notes'" in output


@pytest.mark.slow
def test_models_that_the_codemod_would_change(project: Project) -> None:
    settings = """
        [tool.pytest.ini_options]
        testpaths = ["tests"]
        [tool.alembic-fixups.redundant-index]
    """
    project.settings(settings)
    env = project.folder / "migrations" / "env.py"
    loads = 'runpy.run_path(str(models))["metadata"]'
    imported = '__import__("models").metadata'  # a module, as a user's models are
    env.write_text(env.read_text().replace(loads, imported))
    project.models(MODELS.replace('Column("id", Integer,', 'Column("id", Integer, index=True,'))
    code, output = run(project, "--alembic-fixups", "-k", "test_codemod_clean")
    assert code == 1, output
    assert "index=True" in output


@pytest.mark.slow
def test_a_process_of_pytest_postgresql(project: Project, server: scratch.Server) -> None:
    query = server.url.query
    conftest = f"""
        from pytest_postgresql import factories

        running = factories.postgresql_noproc(
            host={str(query["host"])!r}, port={str(query["port"])!r}, user="postgres"
        )
    """
    (project.folder / "tests" / "conftest.py").write_text(textwrap.dedent(conftest))
    code, output = run(
        project,
        *("--alembic-fixups", "-k", "test_restart", "-o", "alembic_fixups_postgresql=running"),
    )
    assert code == 0, output
    assert results(output, "PASSED") == ["test_restart[stock]"]


def test_a_wrong_revision_is_no_traceback(project: Project) -> None:
    code, output = run(project, "--alembic-fixups-since=nosuch")
    assert code == 4, output
    assert "Can't locate revision identified by 'nosuch'" in output
    assert "Traceback" not in output


def test_a_revision_that_cannot_be_loaded_is_no_traceback(project: Project) -> None:
    good = project.folder / "migrations" / "versions" / "good.py"
    good.write_text(f"import no_such_module\n{good.read_text()}")
    code, output = run(project, "--alembic-fixups")
    assert code == 4, output
    assert "migrations/versions/good.py:1: ModuleNotFoundError" in output
    assert "Traceback" not in output


def test_what_env_py_wants_is_no_traceback(project: Project) -> None:
    env = project.folder / "migrations" / "env.py"
    env.write_text(f"raise RuntimeError('set DATABASE_URL')\n{env.read_text()}")
    code, output = run(project, "--alembic-fixups", "-k", "test_runs or test_models")
    assert code == 1, output
    said = r"(?m)^migrations/env\.py:1: RuntimeError: set DATABASE_URL$"
    assert len(re.findall(said, output)) == 2, output
    assert "pytest_tests" not in output
