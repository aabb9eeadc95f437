"""Migrations of needless indexes that the laws do not try."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from tests.projects import Project

SETTINGS = "[tool.alembic-fixups.redundant-index]\n"

MODELS = """
metadata = MetaData()
Table(
    "assets", metadata,
    Column("a", Integer, primary_key=True, index=True),
    Column("b", Integer, primary_key=True),
)
"""

pytestmark = pytest.mark.postgres(16)


@pytest.fixture
def project(tmp_path: Path, database_url: URL) -> Project:
    made = Project.make(tmp_path / "project", database_url, MODELS, SETTINGS)
    made.create_all()
    return made


def indexes(connection: psycopg.Connection) -> dict[str, str]:
    """The definitions of the indexes of the table, with their tablespaces."""
    return dict(
        connection.execute(
            "SELECT indexname, indexdef || coalesce(' in ' || tablespace, '') FROM pg_indexes"
            " WHERE tablename = 'assets'"
        ).fetchall()
    )


def test_the_table_can_be_read_and_written_meanwhile(project: Project) -> None:
    source = project.autogenerate()
    upgrade, downgrade = source.split("def downgrade")
    assert "DROP INDEX CONCURRENTLY IF EXISTS ix_assets_a" in upgrade
    assert "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_assets_a\n  " in downgrade
    assert "op.drop_index" not in source
    assert "since the primary key on (a, b) serves as well" in source


def test_storage_and_tablespace_come_back(project: Project, connection: psycopg.Connection) -> None:
    name = f"space_{project.url.database}"
    connection.execute("SET allow_in_place_tablespaces = on")
    connection.execute(f"CREATE TABLESPACE {name} LOCATION ''")
    try:
        connection.execute(
            f"DROP INDEX ix_assets_a;"
            f"CREATE INDEX ix_assets_a ON assets (a) WITH (fillfactor=60) TABLESPACE {name}"
        )
        before = indexes(connection)
        project.autogenerate()
        project.upgrade()
        assert "ix_assets_a" not in indexes(connection)
        project.downgrade("base")
        assert indexes(connection) == before
        assert name in before["ix_assets_a"]
        assert "fillfactor='60'" in before["ix_assets_a"]
    finally:
        connection.execute("DROP TABLE assets")
        connection.execute(f"DROP TABLESPACE {name}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            "DROP INDEX ix_assets_a; CREATE INDEX ix_assets_a ON assets (a) WHERE a > 1",
            "it is another index than the plain one",
        ),
        (
            "DROP INDEX ix_assets_a; CREATE INDEX ix_assets_a ON assets (b)",
            "it is another index than the plain one",
        ),
        (
            "DROP INDEX ix_assets_a; CREATE TABLE other (a int); "
            "CREATE INDEX ix_assets_a ON other (a)",
            "it is another index than the plain one",
        ),
        ("CLUSTER assets USING ix_assets_a", "a table is clustered by it"),
        (
            "ALTER TABLE assets DROP CONSTRAINT assets_pkey",
            "no other valid index of assets begins with a",
        ),
        (
            "ALTER TABLE assets DROP CONSTRAINT assets_pkey, ADD PRIMARY KEY (b, a)",
            "no other valid index of assets begins with a",
        ),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'assets_pkey'::regclass",
            "no other valid index of assets begins with a",
        ),
    ],
)
def test_another_database_may_not_be_alike(
    project: Project, connection: psycopg.Connection, change: str, reason: str
) -> None:
    project.autogenerate()
    for statement in change.split("; "):
        connection.execute(statement)  # type: ignore[arg-type]
    with pytest.raises(DBAPIError, match=reason):
        project.upgrade()
    assert connection.execute("SELECT to_regclass('ix_assets_a') IS NOT NULL").fetchone() == (True,)


def test_what_the_settings_keep_is_not_dropped(project: Project) -> None:
    project.settings(SETTINGS + 'keep = ["assets.a"]\n')
    assert project.is_converged()


def test_an_index_that_somebody_else_drops_is_theirs(
    project: Project, connection: psycopg.Connection
) -> None:
    """An index by another name that is no plain one is dropped as Alembic drops it."""
    connection.execute("CREATE INDEX big_ones ON assets (a) WHERE a > 5")
    source = project.autogenerate()
    assert "op.drop_index(op.f('big_ones')" in source
    assert "DROP INDEX CONCURRENTLY IF EXISTS ix_assets_a" in source
