"""Law 8: with no fixup switched on, Alembic's output is what it is without the plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import URL

from alembic_fixups import comparator, scratch
from tests.projects import ENV, Project

SUITE = Path(__file__).with_name("alembic_suite")
NOT_ON = {
    "no file": "",
    "no table": '[project]\nname = "shop"\n',
    "general keys": '[tool.alembic-fixups]\nlock-timeout = "3s"\nidempotent = "all"\n',
}


# --- Alembic's own tests --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.postgres(15, 18)
def test_alembics_own_suite_passes(database_url: URL, tmp_path: Path) -> None:
    with scratch.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA test_schema")
    (tmp_path / "pyproject.toml").write_text(NOT_ON["general keys"])
    outcome = tmp_path / "outcome.json"
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", SUITE / "suite.py"),
            *("-c", SUITE / "setup.cfg", "--confcutdir", SUITE, "-p", "no:cacheprovider"),
            *("-p", "sqlalchemy.testing.plugin.pytestplugin", "-p", "recorder"),
            *("--dburi", database_url.render_as_string(hide_password=False)),
            *("--outcome", outcome),
        ],
        cwd=tmp_path,  # where settings are looked for
        env=os.environ | {"PYTHONPATH": str(SUITE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

    recorded = json.loads(outcome.read_text())
    counts = Counter(recorded["outcomes"].values())
    assert counts["failed"] == 0
    assert counts["skipped"] <= 5, "what PostgreSQL has is to be tested"
    assert counts["passed"] >= 100
    calls = recorded["calls"]
    assert calls["contexts"] >= 70, "most of these tests compare"
    assert calls["rewrite_target"] == calls["replace_operations"] == calls["contexts"]


# --- the text of a revision -----------------------------------------------------------------------

# Each part of a schema in several forms; two schemas differ in the forms of some parts.
ACCOUNT = (
    'Table("account", metadata, Column("id", Integer, primary_key=True), Column("name", Text))',
    """
    Table("account", metadata, Column("id", Integer, primary_key=True),
          Column("name", String(40), nullable=False, server_default="100%", comment="it's: it"),
          Column("made", DateTime(timezone=True), server_default=func.now()),
          UniqueConstraint("name", name="uq_account_name"), CheckConstraint("id > 0", name="ck"),
          comment="Who pays")
    """,
)
PROJECT = (
    "",
    """
    Table("project", metadata, Column("id", Uuid, primary_key=True),
          Column("account_id", ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
          UniqueConstraint("account_id", "id"))
    """,
    """
    Table("project", metadata, Column("id", Uuid, primary_key=True),
          Column("account_id", ForeignKey("account.id", ondelete="RESTRICT"), index=True),
          Column("doubled", Integer, Computed("account_id * 2", persisted=True)),
          UniqueConstraint("account_id", "id"))
    """,
)
TASK = (
    "",
    """
    Table("task", metadata, Column("id", BigInteger, Identity(), primary_key=True),
          Column("account_id", ForeignKey("account.id"), nullable=False),
          Column("project_id", Uuid), Column("title", Text), Index("ix_task_title", "title"))
    """,
    """
    Table("task", metadata, Column("id", BigInteger, primary_key=True),
          Column("account_id", Integer, nullable=False), Column("project_id", Uuid),
          Column("title", Text),
          Index("ix_task_lower", text("lower(title)"), postgresql_where=text("title <> ''")),
          Index("ix_task_title", "title", unique=True))
    """,
)
STATUS = (
    "",
    'Table("flow", metadata, Column("id", Integer, primary_key=True), '
    'Column("status", Enum("on", "off", name="status")))',
    'Table("flow", metadata, Column("id", Integer, primary_key=True), '
    'Column("status", Enum("on", "off", "it\'s", name="status"), server_default="on"))',
    'Table("flow", metadata, Column("id", Integer, primary_key=True), Column("status", String(9)))',
)
OTHER_SCHEMA = (
    "",
    'Table("event", metadata, Column("id", Integer, primary_key=True), '
    'Column("account_id", ForeignKey("account.id")), schema="side")',
    'Table("event", metadata, Column("id", Integer, primary_key=True), '
    'Column("account_id", Integer), Column("seen", Boolean, server_default=true()), schema="side")',
)
PARTS = (ACCOUNT, PROJECT, TASK, STATUS, OTHER_SCHEMA)
SEARCH_PATH = ["SET search_path TO side, public"]

Forms = tuple[int, ...]
forms = st.tuples(*(st.integers(0, len(part) - 1) for part in PARTS))


def models(chosen: Forms) -> str:
    """A model file with these forms of the parts."""
    parts = (part[form] for part, form in zip(PARTS, chosen, strict=True))
    return "\n".join(["metadata = MetaData()", *(part.strip() for part in parts)])


def counted(hook: str, calls: Counter[str]) -> Callable[..., None]:
    """The hook, counting its calls."""
    function = getattr(comparator, hook)

    def count(*arguments: Any) -> None:
        calls[hook] += 1
        function(*arguments)

    return count


def revision(project: Project, session: list[str]) -> bytes:
    """The file that ``alembic revision --autogenerate`` writes; it is removed again."""
    config = project.config(
        session=session, configure={"include_schemas": True, "compare_server_default": True}
    )
    script = command.revision(config, "change", autogenerate=True, rev_id="change")
    assert script is not None and not isinstance(script, list)
    path = Path(script.path)
    source = path.read_bytes()
    path.unlink()
    return source


@pytest.mark.postgres(16)
@pytest.mark.filterwarnings("ignore:Autogenerate rendered a drop_constraint")  # of no name
@hypothesis_settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    # The database is emptied for each example, the calls are counted over all.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=forms, after=forms, session=st.sampled_from([[], SEARCH_PATH]))
@example(before=(0, 0, 0, 0, 0), after=(1, 2, 2, 2, 2), session=[])
@example(before=(1, 2, 2, 2, 2), after=(0, 0, 0, 0, 0), session=[])
@example(before=(0, 1, 1, 1, 1), after=(1, 2, 2, 3, 2), session=[])
@example(before=(1, 2, 2, 2, 2), after=(1, 2, 2, 2, 2), session=SEARCH_PATH)
def test_a_revision_is_the_same_byte_for_byte(
    database_url: URL,
    tmp_path_factory: pytest.TempPathFactory,
    before: Forms,
    after: Forms,
    session: list[str],
) -> None:
    with scratch.connect(database_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS side CASCADE")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    project = Project.make(tmp_path_factory.mktemp("project"), database_url, models(before))
    project.create_all("side")
    project.models(models(after))

    env_py = project.folder / "migrations" / "env.py"
    without = ENV.replace(', "alembic_fixups"', "")
    assert without != ENV
    env_py.write_text(without)
    stock = revision(project, session)

    env_py.write_text(ENV)
    calls = Counter[str]()
    with pytest.MonkeyPatch.context() as patched:
        for hook in ("rewrite_target", "replace_operations"):
            patched.setattr(comparator, hook, counted(hook, calls))
        for name, settings in NOT_ON.items():
            project.settings(settings)
            if not settings:
                (project.folder / "pyproject.toml").unlink()
            assert revision(project, session) == stock, name
    assert calls == dict.fromkeys(["rewrite_target", "replace_operations"], len(NOT_ON))


# --- what an import costs -------------------------------------------------------------------------


# Alembic as it is where the entry points of one package are not there.
WITHOUT = """
import sys
from importlib import metadata
found = metadata.entry_points
metadata.entry_points = lambda **chosen: [
    one for one in found(**chosen) if one.module.partition(".")[0] != sys.argv[1]
]
import alembic.command
print(*sys.modules)
"""


def test_importing_alembic_imports_nothing_but_the_plugin() -> None:
    without, with_it = (
        subprocess.check_output([sys.executable, "-c", WITHOUT, package], text=True).split()
        for package in ("alembic_fixups", "nothing")
    )
    assert set(with_it) - set(without) == {"alembic_fixups", "alembic_fixups.plugin"}
