"""Labels that the models call otherwise now: whose rows are moved, and whose are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from tests.laws import snapshot
from tests.projects import Project

pytestmark = pytest.mark.postgres(16)

SETTINGS = """
[tool.alembic-fixups.enum-check]
strategy = "rewrite"
"""
RENAMES = SETTINGS + "[tool.alembic-fixups.enum-check.renames.status]\npayed = 'paid'\n"


def models(*labels: str, more: str = "", native: str = "") -> str:
    """A table with an enum column."""
    listed = ", ".join(map(repr, labels))
    return f"""
    metadata = MetaData()
    status = Enum({listed}, name="status"{native})
    orders = Table("orders", metadata, Column("id", Integer, primary_key=True),
                   Column("status", status, unique=True), Column("note", Text))
    {more}
    """


Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path, database_url: URL) -> Make:
    """Makes the project of models, with SQL that is run."""

    def make(source: str, setup: str = "", toml: str = SETTINGS) -> Project:
        project = Project.make(tmp_path / "project", database_url, source, toml)
        project.create_all()
        execute(project, setup)
        return project

    return make


def execute(project: Project, sql: str) -> None:
    """Runs SQL on the project's database."""
    with scratch.connect(project.url) as connection:
        connection.execute(sql)  # type: ignore[call-overload]


def generate(project: Project) -> set[str]:
    """Writes a revision; gives the codes of what was refused."""
    with collect_runs() as runs:
        project.autogenerate()
    return {found.code for run in runs for found in run.findings if found.severity == "refused"}


ROWS = "INSERT INTO orders (status) VALUES ('payed'), ('new')"


def test_a_label_that_is_there_already_is_not_merged_at_the_conversion(
    make: Make, pg_version: int
) -> None:
    project = make(models("new", "payed", "paid"), ROWS + ", ('paid')", RENAMES)
    project.models(models("new", "paid"))
    assert generate(project) == {"renames"}
    project.upgrade()
    assert project.is_converged()
    with scratch.connect(project.url) as connection:
        found = connection.execute("SELECT status::text FROM orders ORDER BY id").fetchall()
    assert found == [("payed",), ("new",), ("paid",)]


def converted(make: Make, source: str, setup: str) -> Project:
    """A project whose enum has become a CHECK."""
    project = make(source, setup)
    project.autogenerate()
    project.upgrade()
    project.settings(RENAMES)
    return project


LATER = {
    "merge": (models("new", "payed", "paid"), ROWS + ", ('paid')", ""),
    "view": (
        models("new", "payed"),
        ROWS,
        "CREATE VIEW v AS SELECT 1 FROM orders WHERE status = 'payed'",
    ),
    "policy": (
        models("new", "payed"),
        ROWS,
        "CREATE POLICY p ON orders USING (status <> 'payed')",
    ),
    "index": (
        models("new", "payed"),
        ROWS,
        "CREATE UNIQUE INDEX i ON orders (id) WHERE status = 'payed'",
    ),
    "no-inherit": (
        models("new", "payed"),
        ROWS,
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_status,"
        " ADD CONSTRAINT ck_orders_status CHECK (status IN ('new', 'payed')) NO INHERIT",
    ),
    "foreign-key": (
        models("new", "payed"),
        ROWS,
        "CREATE TABLE uses (s varchar(63) REFERENCES orders (status) ON UPDATE CASCADE);"
        "INSERT INTO uses VALUES ('payed')",
    ),
    "inherited": (models("new", "payed"), ROWS, "CREATE TABLE more () INHERITS (orders)"),
}


@pytest.mark.parametrize("name", LATER)
def test_rows_that_could_not_be_moved_for_good_are_not_moved(
    make: Make, name: str, server: scratch.Server
) -> None:
    source, rows, setup = LATER[name]
    project = converted(make, source, rows)
    execute(project, setup)
    labels = ("new", "paid")
    project.models(models(*labels))
    before = snapshot.both(server, project.url)
    assert generate(project) == {"renames"}
    with pytest.raises(SQLAlchemyError, match="'payed' in 1 row"):
        project.upgrade()
    assert snapshot.both(server, project.url) == before


def test_a_check_of_somebodys_own_is_left_alone(make: Make) -> None:
    project = converted(make, models("new", "payed"), ROWS)
    own = 'orders.append_constraint(CheckConstraint("status <> \'x\' OR id > 0", name="aaa"))'
    execute(project, "ALTER TABLE orders ADD CONSTRAINT aaa CHECK (status <> 'x' OR id > 0)")
    project.models(models("new", "paid", more=own))
    assert generate(project) == set()
    project.upgrade()
    assert project.is_converged()
    with scratch.connect(project.url) as connection:
        names = connection.execute("SELECT conname FROM pg_constraint WHERE contype = 'c'")
        assert {name for (name,) in names} >= {"aaa", "ck_orders_status"}
        found = connection.execute("SELECT status FROM orders ORDER BY id").fetchall()
    assert found == [("paid",), ("new",)]
    project.downgrade()
    with scratch.connect(project.url) as connection:
        found = connection.execute("SELECT status FROM orders ORDER BY id").fetchall()
    assert found == [("payed",), ("new",)]


def test_a_shorter_label_comes_before_the_shorter_type(make: Make) -> None:
    native = ", native_enum=False"
    project = converted(
        make, models("n", "payed", native=native), "INSERT INTO orders (status) VALUES ('payed')"
    )
    project.settings(
        RENAMES.replace("renames.status", "renames.'orders.status'").replace("paid", "p")
    )
    project.models(models("n", "p", native=native))
    assert generate(project) == set()
    project.upgrade()
    assert project.is_converged()
    project.downgrade()
    project.upgrade()
    with scratch.connect(project.url) as connection:
        assert connection.execute("SELECT status FROM orders").fetchall() == [("p",)]
