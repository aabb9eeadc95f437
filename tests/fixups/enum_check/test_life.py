"""What autogenerate makes of an enum of the models once its column is plain."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from alembic_fixups import scratch
from tests.projects import Project

pytestmark = pytest.mark.postgres(16)

SETTINGS = "[tool.alembic-fixups.enum-check]\nstrategy = 'rewrite'\n"


def models(status: str = '"new", "old"', tags: str = '"hot", "cold"') -> str:
    """A table with an enum and an array of one."""
    return f"""
    metadata = MetaData()
    Table("orders", metadata, Column("id", Integer, primary_key=True),
          Column("status", Enum({status}, name="status"), nullable=False, server_default="new"),
          Column("tags", ARRAY(Enum({tags}, name="tag"))))
    """


@pytest.fixture
def project(tmp_path: Path, database_url: URL) -> Project:
    """A project whose columns have been converted, with a row."""
    project = Project.make(tmp_path / "project", database_url, models(), SETTINGS)
    project.create_all()
    with scratch.connect(database_url) as connection:
        connection.execute("INSERT INTO orders (status, tags) VALUES ('old', '{cold,NULL}')")
    project.autogenerate()
    project.upgrade()
    assert project.is_converged()
    return project


@pytest.mark.parametrize(
    "changed",
    [models('"new", "old", "sent"'), models(tags='"hot", "cold", "warm"')],
    ids=["single", "array"],
)
def test_a_value_that_is_added_swaps_the_check(project: Project, changed: str) -> None:
    project.models(changed)
    source = project.autogenerate()
    assert "op.alter_column" not in source
    assert "VALIDATE" in source
    project.upgrade()
    assert project.is_converged()
    with scratch.connect(project.url) as connection:
        value = "('sent', NULL)" if "sent" in changed else "('new', '{warm}')"
        connection.execute(f"INSERT INTO orders (status, tags) VALUES {value}")
        with pytest.raises(Exception, match="violates check constraint"):
            connection.execute("INSERT INTO orders (status) VALUES ('other')")
    with pytest.raises(SQLAlchemyError, match=r"'(sent|warm)' in 1 row\(s\)"):
        project.downgrade()


@pytest.mark.parametrize(
    ("changed", "held"),
    [(models('"new"'), "'old'"), (models(tags='"hot"'), "'cold'")],
    ids=["single", "array"],
)
def test_a_value_that_rows_still_hold_is_not_taken_away(
    project: Project, changed: str, held: str
) -> None:
    project.models(changed)
    project.autogenerate()
    with pytest.raises(SQLAlchemyError, match=rf"{held} in 1 row\(s\)"):
        project.upgrade()
    with scratch.connect(project.url) as connection:
        connection.execute("UPDATE orders SET status = 'new', tags = '{hot}'")
    project.upgrade()
    assert project.is_converged()


def test_the_order_of_the_labels_is_no_difference(project: Project) -> None:
    project.models(models('"old", "new"', '"cold", "hot"'))
    assert project.is_converged()


def test_a_check_that_somebody_dropped_comes_back(project: Project) -> None:
    with scratch.connect(project.url) as connection:
        connection.execute("ALTER TABLE orders DROP CONSTRAINT ck_orders_status")
    project.autogenerate()
    project.upgrade()
    assert project.is_converged()


def test_a_rename_that_moves_no_rows_any_more_does_nothing(project: Project) -> None:
    project.models(models('"new", "gone"'))
    project.settings(SETTINGS + "[tool.alembic-fixups.enum-check.renames.status]\nold = 'gone'\n")
    project.autogenerate()
    project.upgrade()
    with scratch.connect(project.url) as connection:
        assert connection.execute("SELECT status FROM orders").fetchall() == [("gone",)]
    assert project.is_converged()
