"""The two hooks as a whole: what else they must keep in mind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from tests.fixups.tenant_keys.cases import BASIC, BASIC_ROWS, settings
from tests.laws import snapshot
from tests.projects import Project

OPTIONS = {"configure": {"include_schemas": True}}
pytestmark = pytest.mark.postgres(16)

WITH_MORE = BASIC.replace(
    'Column("name", String(80)),',
    'Column("name", String(80)),\n    Column("size", Integer),\n    CheckConstraint("size > 0"),\n'
    '    UniqueConstraint("name", name="one_name"),',
)


@pytest.fixture
def project(tmp_path: Path, database_url: URL) -> Project:
    """The basic models with rows in the database, and a column and a key more in the models."""
    made = Project.make(tmp_path / "project", database_url, BASIC, settings())
    made.create_all("migration")
    with scratch.connect(database_url) as connection:
        connection.execute(BASIC_ROWS)  # type: ignore[arg-type]
    made.models(WITH_MORE)
    return made


def test_idempotent_fixups_leaves_alembics_operations_as_they_are(project: Project) -> None:
    guarded = project.autogenerate_source(**OPTIONS)
    assert "op.create_unique_constraint" not in guarded
    assert "if_not_exists=True" in guarded
    project.settings('[tool.alembic-fixups]\nidempotent = "fixups"\n' + settings())
    plain = project.autogenerate_source(**OPTIONS)
    assert "op.create_unique_constraint('one_name'" in plain
    assert "if_not_exists" not in plain.replace("IF NOT EXISTS", "")
    project.autogenerate(**OPTIONS)
    project.upgrade()
    assert project.is_converged(**OPTIONS)


def test_alembic_check_names_the_differences(project: Project) -> None:
    with pytest.raises(CommandError, match=r"tenant-keys.*migration\.assets \(client_account_id"):
        command.check(project.config(**OPTIONS))
    project.autogenerate(**OPTIONS)
    project.upgrade()
    command.check(project.config(**OPTIONS))


def test_batch_mode_works_too(project: Project) -> None:
    options = {"configure": {"include_schemas": True, "render_as_batch": True}}
    project.autogenerate(**options)
    project.upgrade()
    assert project.is_converged(**options)
    project.downgrade("base")


def test_a_transaction_for_each_migration(project: Project) -> None:
    options = {"configure": {"include_schemas": True, "transaction_per_migration": True}}
    project.autogenerate(**options)
    project.upgrade(**options)
    project.downgrade("base", **options)


def test_the_log_says_what_was_found(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "alembic.fixups"):
        project.autogenerate(**OPTIONS)
    assert (
        "Detected tenant-keys: migration.assets (client_account_id, engagement_id)" in caplog.text
    )


def test_settings_that_are_no_good_stop_alembic_with_their_place(project: Project) -> None:
    project.settings("[tool.alembic-fixups.tenant-keys]\nscope = 'most'\n")
    with pytest.raises(CommandError, match=r"pyproject\.toml:2: tenant-keys\.scope"):
        project.autogenerate(**OPTIONS)


def test_levels_that_are_not_there_stop_it_too(project: Project) -> None:
    project.settings(settings().replace("engagements", "engagement"))
    with pytest.raises(CommandError, match=r"pyproject\.toml.*no table 'engagement'"):
        project.autogenerate(**OPTIONS)


def test_a_project_for_another_database_is_left_alone(tmp_path: Path) -> None:
    project = Project.make(
        tmp_path / "project",
        URL.create("sqlite", database=str(tmp_path / "db")),
        "metadata = MetaData()\nTable('t', metadata, Column('id', Integer, primary_key=True))\n",
        settings(),
    )
    source = project.autogenerate()
    assert "op.create_table('t'" in source
    assert "if_not_exists" not in source


def test_an_upgrade_in_steps_over_several_revisions(project: Project) -> None:
    project.autogenerate(**OPTIONS)
    project.upgrade()
    project.models(WITH_MORE + 'Table("more", metadata, Column("id", Integer, primary_key=True))\n')
    project.autogenerate(**OPTIONS)
    project.downgrade("base")
    project.upgrade()
    assert project.is_converged(**OPTIONS)
    project.downgrade("base")


def test_an_upgrade_that_is_refused_has_changed_nothing(
    project: Project, servers: Callable[[int], scratch.Server]
) -> None:
    """Also nothing of what else the revision holds; generated again it would be missing there."""
    project.autogenerate(**OPTIONS)
    with scratch.connect(project.url) as connection:
        connection.execute("INSERT INTO migration.notes VALUES (9, 1, 20, 'wrong')")
    before = snapshot.schema(servers(16), project.url)
    with pytest.raises(DBAPIError, match=r"1 row\(s\)"):
        project.upgrade()
    assert snapshot.schema(servers(16), project.url) == before


def test_columns_of_the_same_revision_are_looked_at_after_they_are_there(
    project: Project, servers: Callable[[int], scratch.Server]
) -> None:
    with scratch.connect(project.url) as connection:
        connection.execute("ALTER TABLE migration.notes DROP COLUMN engagement_id")
    before = snapshot.both(servers(16), project.url)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    assert project.is_converged(**OPTIONS)
    project.downgrade("base")
    assert snapshot.both(servers(16), project.url) == before


def test_a_schema_translate_map_is_refused(project: Project) -> None:
    env = project.folder / "migrations" / "env.py"
    env.write_text(
        env.read_text().replace(
            "create_engine(url)",
            'create_engine(url).execution_options(schema_translate_map={"migration": "other"})',
        )
    )
    with pytest.raises(CommandError, match="schema_translate_map"):
        project.autogenerate(**OPTIONS)


def test_a_foreign_transaction_is_no_matter_where_nothing_is_to_do(project: Project) -> None:
    project.autogenerate(**OPTIONS)
    project.upgrade()
    env = project.folder / "migrations" / "env.py"
    begun = '    connection.execute(text("SELECT 1"))\n'
    env.write_text(env.read_text().replace("    connection.commit()\n", begun))
    command.check(project.config(**OPTIONS))
