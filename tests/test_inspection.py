"""The database as Alembic is shown it: nothing twice, nothing hidden, whatever the search_path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, create_engine
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM

from alembic_fixups import catalog
from alembic_fixups.catalog import Move
from alembic_fixups.inspection import Inspection
from tests.fixups.schema_prefix.differences import differences
from tests.projects import Project

Connection = psycopg.Connection[tuple[Any, ...]]

LEVELS = """
[tool.alembic-fixups]
idempotent = "fixups"

[tool.alembic-fixups.tenant-keys]
levels = [
  { table = "clients", column = "client_id" },
  { table = "projects", column = "project_id" },
]
"""

MODELS = """
metadata = MetaData(schema="app")
Table("clients", metadata, Column("id", Integer, primary_key=True))
Table("projects", metadata, Column("id", Integer, primary_key=True),
      Column("client_id", ForeignKey("app.clients.id"), nullable=False))
Table("live", metadata, Column("id", Integer, primary_key=True),
      Column("client_id", ForeignKey("app.clients.id"), nullable=False),
      Column("project_id", ForeignKey("app.projects.id"), nullable=False),
      Column("mood", Enum("ok", "sad", name="mood", schema="app")),
      Column("n", Integer, index=True))
"""
BARE_MODELS = MODELS.replace('schema="app"', "").replace("app.", "")

ROWS = """
INSERT INTO app.clients VALUES (1);
INSERT INTO app.projects VALUES (1, 1);
INSERT INTO app.live VALUES (1, 1, 1, 'ok', 5);
"""

DEAD = """
CREATE TABLE app.dead (id int PRIMARY KEY, n int);
CREATE INDEX ix_dead ON app.dead (n);
CREATE TABLE public.buried (id int PRIMARY KEY, project_id int REFERENCES app.projects);
"""

THERE = """
SELECT schemaname || '.' || tablename FROM pg_tables
 WHERE schemaname IN ('app', 'public') AND tablename <> 'alembic_version' ORDER BY 1
"""
LIVE = ["app.clients", "app.live", "app.projects"]


@pytest.fixture
def project(tmp_path: Path, database_url: URL, connection: Connection) -> Project:
    """Models in a schema with rows, and tenant keys to add."""
    made = Project.make(tmp_path / "project", database_url, MODELS, LEVELS)
    made.create_all("app")
    connection.execute(ROWS)  # type: ignore[arg-type]
    return made


def session(path: str) -> dict[str, Any]:
    """An env.py that sets the search_path and looks at all schemas."""
    return {"session": [f"SET search_path TO {path}"], "configure": {"include_schemas": True}}


def column(connection: Connection, query: str) -> list[Any]:
    """What a query gives, which is one column."""
    return [row[0] for row in connection.execute(query)]  # type: ignore[arg-type]


def test_a_live_table_is_not_dropped_and_a_dead_one_is(
    project: Project, connection: Connection
) -> None:
    connection.execute(DEAD)  # type: ignore[arg-type]
    options = session("app, public")
    project.autogenerate(**options)
    project.upgrade(**options)
    assert column(connection, THERE) == LIVE
    assert connection.execute("SELECT * FROM app.live").fetchall() == [(1, 1, 1, "ok", 5)]
    tenant_keys = "SELECT conkey::text FROM pg_constraint WHERE conrelid = 'app.live'::regclass"
    assert "{2,3}" in column(connection, tenant_keys), "it is made in the same revision"
    assert differences(project, **options) == []


def test_what_drops_a_table_does_not_drop_its_namesake_of_the_models(
    project: Project, connection: Connection
) -> None:
    connection.execute("CREATE TABLE public.live (id int PRIMARY KEY)")
    options = session("app, public")
    project.autogenerate(**options)
    project.upgrade(**options)
    assert set(LIVE) <= set(column(connection, THERE))
    assert connection.execute("SELECT * FROM app.live").fetchall() == [(1, 1, 1, "ok", 5)]


@pytest.mark.parametrize("path", ["app, public", "public, app", "app", "public", "nowhere", "''"])
def test_the_differences_are_the_same_under_every_search_path(
    project: Project, connection: Connection, path: str
) -> None:
    connection.execute(DEAD)  # type: ignore[arg-type]
    connection.execute("ALTER TABLE app.live ALTER n TYPE bigint, ALTER mood SET NOT NULL")
    found = [found for found in differences(project, **session(path)) if found[0] != "tenant-keys"]
    assert found == [
        ("modify_nullable", "app.live.mood", "False", "True"),
        ("modify_type", "app.live.n", "BIGINT()", "Integer()"),
        ("remove_index", "app.ix_dead"),
        ("remove_table", "None.buried"),
        ("remove_table", "app.dead"),
    ]


def test_models_without_a_schema_are_what_the_search_path_finds(
    project: Project, connection: Connection
) -> None:
    """The other table of the name is not theirs, whatever it has."""
    project.models(BARE_MODELS)
    connection.execute("CREATE TABLE public.live (id int PRIMARY KEY, other text)")
    connection.execute("ALTER TABLE app.live DROP n")
    options = session("app, public")
    found = [found for found in differences(project, **options) if found[0] != "tenant-keys"]
    assert ("add_column", "None.live.n") in found
    assert {item for item in found if "other" in item[1]} == set()
    project.autogenerate(**options)
    project.upgrade(**options)
    assert "n" in column(
        connection,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'app.live'::regclass AND attnum > 0",
    )


def test_foreign_keys_into_another_schema_are_compared_by_their_table(
    project: Project, connection: Connection
) -> None:
    """One that leads to a namesake is a difference, one that leads to the table itself is none."""
    assert [
        found for found in differences(project, **session("public, app")) if "_fk" in found[0]
    ] == []
    connection.execute(
        "CREATE TABLE public.clients (id int PRIMARY KEY);"
        "INSERT INTO public.clients VALUES (1);"
        "ALTER TABLE app.live DROP CONSTRAINT live_client_id_fkey,"
        "  ADD FOREIGN KEY (client_id) REFERENCES public.clients"
    )
    found = differences(project, **session("public, app"))
    assert [item for item in found if item[0].endswith("_fk")] == [
        ("add_fk", "app.live (client_id)", "app.clients.id"),
        ("remove_fk", "app.live (client_id)", "clients.id"),
    ]


@pytest.mark.parametrize("path", ["public", "app, public"])
def test_every_type_is_known_in_whichever_order_the_schemas_are_read(
    database_url: URL, connection: Connection, path: str
) -> None:
    """Alembic reads the schemas in the order of a set, which differs from run to run."""
    connection.execute(
        "CREATE SCHEMA app; CREATE SCHEMA other;"
        "CREATE TYPE public.mood AS ENUM ('ok'); CREATE DOMAIN public.size AS int;"
        "CREATE TABLE other.t (mood public.mood);"
        "CREATE TABLE app.t (mood public.mood, size public.size)"
    )
    engine = create_engine(database_url)
    try:
        for order in (("app", "other"), ("other", "app")):
            with engine.connect() as reading:
                reading.exec_driver_sql(f"SET search_path TO {path}")
                move = Move("type", "public", "mood", "app")
                inspection = Inspection(reading, catalog.read(reading), [move])
                inspection.hides = lambda _: False
                columns = [
                    found
                    for schema in order
                    for tables in inspection.get_multi_columns(schema=schema).values()
                    for found in tables
                ]
            types = {found["name"]: found["type"] for found in columns}
            assert isinstance(types["mood"], ENUM), order
            assert isinstance(types["size"], DOMAIN), order
            assert (types["mood"].schema, types["size"].schema) == ("app", "public")
    finally:
        engine.dispose()


def test_types_that_move_are_named_by_their_new_schema_on_an_autocommit_connection(
    database_url: URL, connection: Connection
) -> None:
    """SQLAlchemy says READ COMMITTED of the connections of such an engine."""
    connection.execute(
        "CREATE SCHEMA app; CREATE TYPE public.mood AS ENUM ('ok');"
        "CREATE TABLE public.t (mood public.mood DEFAULT 'ok'::public.mood)"
    )
    engine = create_engine(
        database_url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as reading:
            move = Move("type", "public", "mood", "app")
            inspection = Inspection(reading, catalog.read(reading), [move])
            inspection.hides = lambda _: False
            [columns] = inspection.get_multi_columns(schema="public").values()
            assert columns[0]["default"] == "'ok'::app.mood"
            path = reading.exec_driver_sql("SHOW search_path").scalar()
            assert path == '"$user", public', "it is as it was"
    finally:
        engine.dispose()


PARTITIONED = """
metadata = MetaData()
Table("events", metadata, Column("id", Integer, primary_key=True),
      Column("at", Date, primary_key=True), postgresql_partition_by="RANGE (at)")
Table("notes", metadata, Column("id", Integer, primary_key=True), Column("event_id", Integer),
      Column("event_at", Date),
      {key})
"""
TO_EVENTS = (
    'ForeignKeyConstraint(["event_id", "event_at"], ["events.id", "events.at"], name="at_event")'
)


def test_a_foreign_key_to_a_partitioned_table_is_one(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    """PostgreSQL has one more for each partition, which nobody can drop."""
    there, gone = PARTITIONED.replace("{key}", TO_EVENTS), PARTITIONED.replace("{key}", "")
    settings = "[tool.alembic-fixups.check-constraints]"
    project = Project.make(tmp_path / "project", database_url, there, settings)
    project.create_all()
    connection.execute("""
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        INSERT INTO events VALUES (1, '2025-05-05');
        INSERT INTO notes VALUES (1, 1, '2025-05-05')
    """)
    assert project.is_converged()
    project.models(gone)
    project.autogenerate()
    project.upgrade()
    assert project.is_converged()
    project.downgrade("base")
    project.models(there)
    assert project.is_converged()
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute("INSERT INTO notes VALUES (2, 2, '2026-05-05')")
