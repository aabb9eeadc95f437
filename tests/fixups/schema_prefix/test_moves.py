"""What moves and what is refused, on the database of the revision and on others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from tests.fixups.schema_prefix.cases import NAMES, settings
from tests.fixups.schema_prefix.differences import compare, differences
from tests.laws import snapshot
from tests.projects import Project

Connection = psycopg.Connection[tuple[Any, ...]]

ONE_VERSION = pytest.mark.postgres(16)
ALL: dict[str, Any] = {"configure": {"include_schemas": True}}

MODELS = """
metadata = MetaData()
number_seq = Sequence("number_seq", metadata=metadata)
Table("clients", metadata, Column("id", Integer, primary_key=True),
      Column("mood", Enum("ok", "sad", name="mood")),
      Column("number", BigInteger, server_default=number_seq.next_value()))
Table("notes", metadata, Column("id", Integer, primary_key=True),
      Column("client_id", ForeignKey("clients.id")), Column("text", String(80)),
      Index("ix_notes_client_id", "client_id"))
"""

WITHOUT_SEQUENCE = MODELS.replace(
    'Column("number", BigInteger, server_default=number_seq.next_value())', ""
).replace('number_seq = Sequence("number_seq", metadata=metadata)', "")

DATABASE = """
CREATE TYPE public.mood AS ENUM ('ok', 'sad');
CREATE SEQUENCE public.number_seq;
CREATE TABLE public.clients (
  id serial PRIMARY KEY, mood public.mood, number bigint DEFAULT nextval('public.number_seq')
);
CREATE TABLE public.notes (
  id serial PRIMARY KEY, client_id int REFERENCES public.clients, text varchar(80)
);
CREATE INDEX ix_notes_client_id ON public.notes (client_id);
INSERT INTO public.clients (mood) VALUES ('ok'), ('sad');
INSERT INTO public.notes (client_id, text) VALUES (1, 'a'), (2, 'b'), (2, 'c');
"""

TABLES_BY_HAND = """
CREATE SCHEMA migration;
ALTER TYPE public.mood SET SCHEMA migration;
ALTER TABLE public.clients SET SCHEMA migration;
ALTER TABLE public.notes SET SCHEMA migration;
"""
SEQUENCE_BY_HAND = "ALTER SEQUENCE public.number_seq SET SCHEMA migration;"
BY_HAND = TABLES_BY_HAND + SEQUENCE_BY_HAND

WHERE = """
SELECT n.nspname || '.' || c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'S', 'v') AND c.relname NOT LIKE 'alembic%'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
UNION ALL
SELECT n.nspname || '.' || t.typname
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typtype IN ('e', 'd') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY 1
"""
THINGS = ["clients", "clients_id_seq", "mood", "notes", "notes_id_seq", "number_seq"]
IN_PUBLIC = [f"public.{name}" for name in THINGS]
MOVED = [f"migration.{name}" for name in THINGS]


def execute(connection: Connection, script: str) -> None:
    """Runs statements."""
    connection.execute(script)  # type: ignore[call-overload]


def column(connection: Connection, query: str) -> list[Any]:
    """What a query gives, which is one column."""
    return [row[0] for row in connection.execute(query)]  # type: ignore[call-overload]


@pytest.fixture
def project(tmp_path: Path, database_url: URL, connection: Connection) -> Project:
    """Models that are to be in ``migration`` and a database that has them in ``public``."""
    execute(connection, DATABASE)
    return Project.make(tmp_path / "project", database_url, MODELS, settings())


@dataclass
class Other:
    """The project on another database than the one that its revision was generated on."""

    project: Project
    connection: Connection


@pytest.fixture
def other(project: Project, server: Server) -> Iterator[Other]:
    """A revision, and a second database like the one that it was generated on."""
    project.autogenerate(**ALL)
    with scratch.database(server) as url, scratch.connect(url) as connection:
        execute(connection, DATABASE)
        yield Other(replace(project, url=url), connection)


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A role that may do nothing yet."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    with scratch.connect(server.url) as connection:
        execute(connection, f"CREATE ROLE {name} LOGIN")
        yield name
        execute(connection, f"DROP ROLE {name}")


def revisions(project: Project) -> list[Path]:
    """The revision files that there are."""
    return list((project.folder / "migrations" / "versions").glob("*.py"))


def refusal(project: Project, **options: Any) -> str:
    """The message with which autogenerate stops; asserts that it writes nothing."""
    before = revisions(project)
    with pytest.raises(CommandError) as refused:
        project.autogenerate(**(options or ALL))
    assert revisions(project) == before
    return str(refused.value)


def refused_upgrade(other: Other, server: Server) -> str:
    """The message with which the upgrade stops; asserts that it changes nothing."""
    before = snapshot.both(server, other.project.url)
    with pytest.raises(DBAPIError) as refused:
        other.project.upgrade()
    assert snapshot.both(server, other.project.url) == before
    assert other.project.current() is None
    return str(refused.value.orig)


def findings(project: Project) -> dict[tuple[str, str], str]:
    """What there is to say, by code and table."""
    _, run = compare(project, **ALL)
    assert run is not None
    return {(one.code, one.table): one.message for one in run.findings}


def test_everything_moves_and_comes_back(
    project: Project, connection: Connection, server: Server
) -> None:
    before = snapshot.both(server, project.url)
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, WHERE) == MOVED
    assert column(connection, "SELECT text FROM migration.notes ORDER BY id") == ["a", "b", "c"]
    assert column(connection, "INSERT INTO migration.clients DEFAULT VALUES RETURNING number") == [
        3
    ]
    execute(connection, "DELETE FROM migration.clients WHERE id = 3")
    execute(
        connection,
        "SELECT setval('migration.number_seq', 2), setval('migration.clients_id_seq', 2)",
    )
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@ONE_VERSION
@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
def test_names_that_need_quoting_move_with_every_driver(
    tmp_path: Path, database_url: URL, server: Server, driver: str
) -> None:
    project = Project.make(
        tmp_path / "project", database_url, NAMES, settings(schema='The "new" %s: $fixup$ :schema')
    )
    project.create_all()
    before = snapshot.both(server, database_url)
    as_driver = Project(project.folder, database_url.set(drivername=f"postgresql+{driver}"))
    as_driver.autogenerate(**ALL)
    as_driver.upgrade()
    assert differences(as_driver, **ALL) == []
    as_driver.downgrade("base")
    assert snapshot.both(server, database_url) == before


# What is refused before a revision is written


def test_a_table_in_both_schemas_stops_the_run_with_both_counts(
    project: Project, connection: Connection
) -> None:
    execute(connection, "CREATE SCHEMA migration; CREATE TABLE migration.notes (id int)")
    execute(connection, "INSERT INTO migration.notes VALUES (7)")
    message = refusal(project)
    assert "public.notes and migration.notes are both there, with 3 row(s) and 1 row(s)" in message
    assert 'list "public.notes" under keep' in message


@ONE_VERSION
def test_every_table_that_is_in_both_is_named_at_once(
    project: Project, connection: Connection
) -> None:
    execute(
        connection,
        "CREATE SCHEMA migration;"
        "CREATE TABLE migration.notes (); CREATE TABLE migration.clients ()",
    )
    message = refusal(project)
    assert "public.notes and migration.notes" in message
    assert "public.clients and migration.clients" in message


@ONE_VERSION
def test_what_is_kept_stays_and_is_not_dropped(
    project: Project, connection: Connection, server: Server
) -> None:
    execute(connection, "CREATE SCHEMA migration; CREATE TABLE migration.notes (id serial)")
    project.settings(settings('keep = ["public.notes"]'))
    project.autogenerate(**ALL)
    project.upgrade()
    assert {"public.notes", "migration.notes", "migration.clients"} <= set(
        column(connection, WHERE)
    )
    assert column(connection, "SELECT count(*) FROM public.notes") == [3]
    assert ("lookalike", "public.notes") in findings(project)
    assert differences(project, **ALL) == []


@ONE_VERSION
def test_a_table_that_is_kept_leaves_room_for_a_new_one(
    project: Project, connection: Connection
) -> None:
    project.settings(settings('keep = ["public.notes"]'))
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, "SELECT count(*) FROM public.notes") == [3]
    assert column(connection, "SELECT count(*) FROM migration.notes") == [0]


@ONE_VERSION
def test_rows_that_the_role_may_not_read_are_not_counted(
    role: str, project: Project, connection: Connection
) -> None:
    execute(
        connection,
        "CREATE SCHEMA migration; CREATE TABLE migration.notes (id int);"
        f"GRANT USAGE ON SCHEMA migration TO {role}; GRANT SELECT ON migration.notes TO {role}",
    )
    execute(connection, f"GRANT CREATE ON SCHEMA public TO {role}")
    as_role = Project(project.folder, project.url.set(username=role))
    assert "with rows that this role may not read and 0 row(s)" in refusal(as_role)


@ONE_VERSION
def test_a_table_in_two_schemas_to_move_from_is_for_a_person_to_decide(
    project: Project, connection: Connection
) -> None:
    execute(connection, "CREATE SCHEMA old; CREATE TABLE old.notes (id int)")
    project.settings(settings(move_from='["public", "old"]'))
    assert "migration.notes of the models is in public.notes and old.notes" in refusal(project)
    project.settings(settings('keep = ["old.notes"]', move_from='["public", "old"]'))
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, "SELECT count(*) FROM migration.notes") == [3]
    assert "old.notes" in column(connection, WHERE)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("CREATE VIEW public.notes AS SELECT id, client_id, text FROM public.really", "view"),
        ("CREATE MATERIALIZED VIEW public.notes AS SELECT 1 AS id", "materialised view"),
        (
            "CREATE FOREIGN DATA WRAPPER away; CREATE SERVER away FOREIGN DATA WRAPPER away;"
            "CREATE FOREIGN TABLE public.notes (id int) SERVER away",
            "foreign table",
        ),
    ],
)
def test_what_is_no_table_stops_the_run(
    project: Project, connection: Connection, made: str, kind: str
) -> None:
    execute(connection, "ALTER TABLE public.notes RENAME TO really")
    execute(connection, made)
    assert f"public.notes is a {kind}, not a table" in refusal(project)


def test_a_table_of_an_extension_stays_and_stops_the_run(
    project: Project, connection: Connection
) -> None:
    execute(connection, "ALTER EXTENSION plpgsql ADD TABLE public.notes")
    assert "public.notes belongs to an extension" in refusal(project)


def test_no_empty_twin_is_made_of_a_table_that_may_not_be_moved(
    project: Project, connection: Connection
) -> None:
    project.settings(settings(move_from="[]"))
    message = refusal(project)
    assert "public.notes has the columns of the model migration.notes" in message
    assert "public.clients has the columns of the model migration.clients" in message
    assert "add 'public' to move-from" in message
    assert column(connection, WHERE) == IN_PUBLIC


@ONE_VERSION
@pytest.mark.parametrize(
    ("there", "session", "default", "include_schemas"),
    [
        ("public", "migration", None, True),
        ("public", "migration", None, False),
        ("public", None, "migration", False),
        pytest.param("public", None, "migration", True),
        ("archive", None, None, False),
        pytest.param("archive", None, None, True),
    ],
)
def test_a_table_that_may_not_be_moved_is_not_dropped_off_the_search_path_either(
    project: Project,
    connection: Connection,
    there: str,
    session: str | None,
    default: str | None,
    include_schemas: bool,
) -> None:
    """Create and drop, where Alembic sees it in one schema and wants it in another."""
    execute(
        connection,
        "CREATE SCHEMA migration; CREATE SCHEMA archive;"
        "ALTER TABLE public.clients DROP number; DROP SEQUENCE public.number_seq",
    )
    if there != "public":
        execute(connection, f"ALTER TABLE public.notes SET SCHEMA {there}")
        execute(connection, "ALTER TABLE public.clients SET SCHEMA migration")
        execute(connection, "ALTER TYPE public.mood SET SCHEMA migration")
    if default is not None:
        url = project.url.update_query_dict({"options": f"-csearch_path={default}"})
        project = replace(project, url=url)
    project.models(WITHOUT_SEQUENCE)
    project.settings(settings(move_from="[]"))
    options = {
        "session": [] if session is None else [f"SET search_path TO {session}"],
        "configure": {"include_schemas": include_schemas},
    }
    try:
        project.autogenerate(**options)
    except CommandError as refused:
        assert f"{there}.notes" in str(refused)
        return
    project.upgrade(**options)
    assert column(connection, f"SELECT count(*) FROM {there}.notes") == [3]


@ONE_VERSION
@pytest.mark.parametrize(
    ("change", "is_twin"),
    [
        ("ALTER TABLE public.notes DROP text", True),
        ("ALTER TABLE public.notes ADD more int", True),
        ("ALTER TABLE public.notes DROP text, ADD more int", True),
        ("ALTER TABLE public.notes DROP text, DROP client_id, ADD more int", False),
    ],
)
def test_a_twin_has_the_columns_of_the_model(
    project: Project, connection: Connection, change: str, is_twin: bool
) -> None:
    """A table with other columns is another one: it stays, and the new one is made."""
    execute(connection, f"{change}; CREATE SCHEMA migration")
    execute(connection, "ALTER TABLE public.clients SET SCHEMA migration")
    project.settings(settings(move_from="[]"))
    if is_twin:
        assert "public.notes has the columns" in refusal(project)
        return
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, "SELECT count(*) FROM public.notes") == [3]
    assert column(connection, "SELECT count(*) FROM migration.notes") == [0]


def test_a_column_of_a_type_that_is_in_both_schemas_stops_the_run(
    project: Project, connection: Connection
) -> None:
    execute(connection, "CREATE SCHEMA migration; CREATE TYPE migration.mood AS ENUM ('ok', 'sad')")
    assert "public.clients.mood: of the type public.mood, while migration.mood" in refusal(project)


@ONE_VERSION
def test_a_type_in_both_that_no_column_is_of_is_left_where_it_is(
    project: Project, connection: Connection
) -> None:
    execute(
        connection,
        "CREATE SCHEMA migration; CREATE TYPE migration.mood AS ENUM ('ok', 'sad');"
        "ALTER TABLE public.clients ALTER mood TYPE migration.mood USING NULL",
    )
    project.autogenerate(**ALL)
    project.upgrade()
    assert {"public.mood", "migration.mood"} <= set(column(connection, WHERE))
    assert project.is_converged(**ALL)


@ONE_VERSION
def test_a_type_whose_model_names_its_schema_stays(
    project: Project, connection: Connection
) -> None:
    project.models(
        MODELS
        + """
Table("others", metadata, Column("id", Integer, primary_key=True),
      Column("mood", Enum("good", "bad", name="mood", schema="old")), schema="old")
"""
    )
    project.settings(settings(move_from='["public", "old"]'))
    execute(
        connection,
        "CREATE SCHEMA old; CREATE TYPE old.mood AS ENUM ('good', 'bad');"
        "CREATE TABLE old.others (id serial PRIMARY KEY, mood old.mood)",
    )
    project.autogenerate(**ALL)
    project.upgrade()
    assert {"old.mood", "migration.mood"} <= set(column(connection, WHERE))
    assert project.is_converged(**ALL)


def test_a_type_that_may_not_be_moved_is_reported_and_counts_as_theirs(
    project: Project, connection: Connection
) -> None:
    execute(connection, "CREATE SCHEMA migration")
    execute(connection, "ALTER TABLE public.clients SET SCHEMA migration")
    execute(connection, "ALTER TABLE public.notes SET SCHEMA migration")
    project.settings(settings(move_from="[]"))
    said = findings(project)
    assert "Add 'public' to move-from" in said["type-elsewhere", "public.mood"]
    assert "Add 'public' to move-from" in said["sequence-elsewhere", "public.number_seq"]
    assert differences(project, **ALL) == []


@ONE_VERSION
@pytest.mark.parametrize("new", ["column", "table"])
def test_what_is_new_is_of_the_type_that_counts_as_theirs(
    project: Project, connection: Connection, new: str
) -> None:
    execute(connection, "CREATE SCHEMA migration")
    execute(connection, "ALTER TABLE public.clients SET SCHEMA migration")
    execute(connection, "ALTER TABLE public.notes SET SCHEMA migration")
    project.settings(settings(move_from="[]"))
    of_type = 'Column("mood", Enum("ok", "sad", name="mood"))'
    project.models(
        MODELS.replace('Column("text"', f'{of_type}, Column("text"')
        if new == "column"
        else MODELS + f'Table("new", metadata, Column("id", Integer, primary_key=True), {of_type})'
    )
    project.autogenerate(**ALL)
    project.upgrade()
    assert "migration.mood" not in column(connection, WHERE)
    assert differences(project, **ALL) == []


@ONE_VERSION
def test_what_is_new_takes_the_sequence_that_counts_as_theirs(
    project: Project, connection: Connection
) -> None:
    execute(connection, "CREATE SCHEMA migration")
    execute(connection, "ALTER TABLE public.clients SET SCHEMA migration")
    execute(connection, "ALTER TABLE public.notes SET SCHEMA migration")
    project.settings(settings(move_from="[]"))
    project.models(
        MODELS + 'Table("new", metadata, Column("id", Integer, primary_key=True),'
        '      Column("number", BigInteger, server_default=number_seq.next_value()))'
    )
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, "INSERT INTO migration.new DEFAULT VALUES RETURNING number") == [3]


# What is refused at the upgrade, on a database that differs


def test_both_are_there_at_the_upgrade(other: Other, server: Server) -> None:
    execute(
        other.connection,
        "CREATE SCHEMA migration; CREATE TABLE migration.notes (id int);"
        "INSERT INTO migration.notes VALUES (1), (2)",
    )
    message = refused_upgrade(other, server)
    assert "public.notes and migration.notes are both there, with 3 row(s) and 2 row(s)" in message
    assert "nothing has been changed" in message


@ONE_VERSION
def test_both_types_or_sequences_are_there_at_the_upgrade(other: Other, server: Server) -> None:
    execute(
        other.connection,
        "CREATE SCHEMA migration; CREATE TYPE migration.mood AS ENUM ();"
        "CREATE SEQUENCE migration.number_seq",
    )
    message = refused_upgrade(other, server)
    assert "public.mood and migration.mood are both there" in message
    assert "public.number_seq and migration.number_seq are both there" in message


@ONE_VERSION
def test_neither_is_there_at_the_upgrade(other: Other, server: Server) -> None:
    execute(other.connection, "DROP TABLE public.notes; DROP TABLE public.clients")
    execute(other.connection, "DROP TYPE public.mood")
    message = refused_upgrade(other, server)
    for name in ("public.notes nor migration.notes", "public.mood nor migration.mood"):
        assert f"neither {name} is there" in message


@ONE_VERSION
@pytest.mark.parametrize(
    "made",
    [
        "CREATE VIEW public.notes AS SELECT 1 AS id",
        "CREATE MATERIALIZED VIEW public.notes AS SELECT 1 AS id",
        "CREATE FOREIGN DATA WRAPPER away; CREATE SERVER away FOREIGN DATA WRAPPER away;"
        "CREATE FOREIGN TABLE public.notes (id int) SERVER away",
        "CREATE TYPE public.notes AS (id int)",
        "CREATE SEQUENCE public.notes",
    ],
    ids=["view", "materialised view", "foreign table", "composite type", "sequence"],
)
def test_what_is_no_table_at_the_upgrade(other: Other, server: Server, made: str) -> None:
    execute(other.connection, "DROP TABLE public.notes")
    execute(other.connection, made)
    message = refused_upgrade(other, server)
    assert "public.notes is no table" in message or "neither public.notes nor" in message


@ONE_VERSION
def test_a_view_that_stands_in_for_a_moved_table_is_no_obstacle(
    other: Other, server: Server
) -> None:
    execute(other.connection, BY_HAND)
    execute(other.connection, "CREATE VIEW public.notes AS SELECT * FROM migration.notes")
    before = snapshot.both(server, other.project.url)
    other.project.upgrade()
    assert column(other.connection, WHERE) == sorted([*MOVED, "public.notes"])
    other.project.downgrade("base")
    assert snapshot.both(server, other.project.url) == before


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ("CREATE TABLE migration.ix_notes_client_id (id int)", "ix_notes_client_id"),
        (
            "CREATE TABLE migration.x (id int); CREATE INDEX notes_pkey ON migration.x (id)",
            "notes_pkey",
        ),
        ("CREATE SEQUENCE migration.notes_id_seq", "notes_id_seq"),
    ],
    ids=["index", "index of a key", "sequence"],
)
def test_a_name_that_is_taken_stops_the_upgrade(
    other: Other, server: Server, taken: str, name: str
) -> None:
    execute(other.connection, f"CREATE SCHEMA migration; {taken}")
    assert name in refused_upgrade(other, server)


STATISTICS = """
CREATE TABLE migration.x (id int, b int);
CREATE STATISTICS migration.notes_statistics ON id, b FROM migration.x;
CREATE STATISTICS public.notes_statistics ON id, client_id FROM public.notes;
"""


@ONE_VERSION
@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ("CREATE SEQUENCE migration.notes", "migration.notes"),
        ("CREATE VIEW migration.notes AS SELECT 1 AS id", "migration.notes"),
        ("CREATE TABLE migration.x (id int); CREATE INDEX notes ON migration.x (id)", "notes"),
        ("CREATE TYPE migration.notes AS ENUM ()", '"notes"'),
        ("CREATE DOMAIN migration.notes AS int", '"notes"'),
        ("CREATE TABLE migration.mood (id int)", "migration.mood"),
        ("CREATE TABLE migration.number_seq (id int)", "migration.number_seq"),
        (STATISTICS, "notes_statistics"),
    ],
    ids=[
        *("sequence", "view", "index", "enum", "domain"),
        *("table for a type", "table for a sequence", "statistics"),
    ],
)
def test_the_name_of_what_moves_is_taken_by_something_else(
    other: Other, server: Server, taken: str, name: str
) -> None:
    execute(other.connection, f"CREATE SCHEMA migration; {taken}")
    assert name in refused_upgrade(other, server)


@ONE_VERSION
def test_two_tables_that_would_take_each_others_index_name(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server
) -> None:
    """They come from two schemas, in which each has it."""
    execute(
        connection,
        """
        CREATE SCHEMA old;
        CREATE TABLE public.a (id int PRIMARY KEY, n int);
        CREATE TABLE old.b (id int PRIMARY KEY, n int);
        CREATE INDEX by_n ON public.a (n);
        CREATE INDEX by_n ON old.b (n);
        """,
    )
    models = """
    metadata = MetaData()
    for name in "ab":
        Table(name, metadata, Column("id", Integer, primary_key=True, autoincrement=False),
              Column("n", Integer))
    """
    project = Project.make(
        tmp_path / "project", database_url, models, settings(move_from='["public", "old"]')
    )
    project.autogenerate(**ALL)
    assert "by_n" in refused_upgrade(Other(project, connection), server)


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT SELECT ON public.notes TO {role}",
        "GRANT SELECT (id) ON public.notes TO {role}",
        "GRANT SELECT ON public.notes TO PUBLIC",
    ],
    ids=["role", "column", "public"],
)
def test_who_may_use_a_table_has_to_have_the_schema(
    role: str, other: Other, server: Server, grant: str
) -> None:
    execute(other.connection, f"CREATE SCHEMA migration; {grant.format(role=role)}")
    grantee = "PUBLIC" if "PUBLIC" in grant else role
    message = refused_upgrade(other, server)
    grants = message.split("public.notes may not use the schema it goes to: ")[1].splitlines()[0]
    assert grants == f"GRANT USAGE ON SCHEMA migration TO {grantee}"
    execute(other.connection, grants)
    other.project.upgrade()
    execute(other.connection, f"SET ROLE {role}; SELECT id FROM migration.notes; RESET ROLE")


@ONE_VERSION
def test_usage_by_way_of_another_role_is_enough(role: str, other: Other) -> None:
    execute(
        other.connection,
        f"CREATE SCHEMA migration; GRANT SELECT ON public.notes TO {role};"
        "GRANT USAGE ON SCHEMA migration TO PUBLIC",
    )
    other.project.upgrade()
    assert column(other.connection, WHERE) == MOVED


def as_owner(other: Other, role: str, *owned: str) -> Other:
    """The other project, run by a role that owns some of its things."""
    execute(
        other.connection,
        f"GRANT CREATE ON DATABASE {other.project.url.database} TO {role};"
        f"GRANT CREATE, USAGE ON SCHEMA public TO {role};"
        + "".join(f"ALTER {thing} OWNER TO {role};" for thing in owned),
    )
    url = other.project.url.set(username=role)
    return Other(replace(other.project, url=url), other.connection)


OWNED = (
    "TABLE public.clients",
    "TABLE public.notes",
    "TYPE public.mood",
    "SEQUENCE public.number_seq",
)


@ONE_VERSION
def test_the_owner_of_everything_can_move_it(role: str, other: Other) -> None:
    as_role = as_owner(other, role, *OWNED)
    as_role.project.upgrade()
    assert column(other.connection, WHERE) == MOVED
    as_role.project.downgrade("base")
    assert column(other.connection, WHERE) == IN_PUBLIC


@ONE_VERSION
@pytest.mark.parametrize("missing", OWNED)
def test_what_belongs_to_another_role_stops_the_upgrade(
    role: str, other: Other, server: Server, missing: str
) -> None:
    as_role = as_owner(other, role, *(thing for thing in OWNED if thing != missing))
    name = missing.split()[1]
    with pytest.raises(DBAPIError, match=f"{name} belongs to another role"):
        as_role.project.upgrade()
    assert column(other.connection, WHERE) == IN_PUBLIC
    assert "migration" not in column(other.connection, "SELECT nspname FROM pg_namespace")


@ONE_VERSION
def test_a_schema_in_which_the_role_may_not_create_stops_the_upgrade(
    role: str, other: Other, server: Server
) -> None:
    as_role = as_owner(other, role, *OWNED)
    execute(other.connection, f"CREATE SCHEMA migration; GRANT USAGE ON SCHEMA migration TO {role}")
    with pytest.raises(DBAPIError, match="migration"):
        as_role.project.upgrade()
    assert column(other.connection, WHERE) == IN_PUBLIC


# Databases on which some of it is done


@pytest.mark.parametrize(
    "by_hand",
    [
        pytest.param(TABLES_BY_HAND, id="tables and types"),
        pytest.param(
            TABLES_BY_HAND + SEQUENCE_BY_HAND,
            id="sequences too",
        ),
    ],
)
def test_what_was_moved_by_hand_stays_after_the_downgrade(
    other: Other, server: Server, by_hand: str
) -> None:
    execute(other.connection, by_hand)
    before = snapshot.both(server, other.project.url)
    other.project.upgrade()
    assert column(other.connection, WHERE) == MOVED
    other.project.downgrade("base")
    assert snapshot.both(server, other.project.url) == before


@ONE_VERSION
def test_only_what_the_upgrade_moved_goes_back(other: Other) -> None:
    execute(
        other.connection, "CREATE SCHEMA migration; ALTER TABLE public.notes SET SCHEMA migration"
    )
    other.project.upgrade()
    assert column(other.connection, WHERE) == MOVED
    other.project.downgrade("base")
    moved = {"migration.notes", "migration.notes_id_seq"}
    stays = {name.replace("migration", "public") for name in moved}
    assert set(column(other.connection, WHERE)) == (set(IN_PUBLIC) - stays) | moved


@ONE_VERSION
def test_the_comment_of_a_row_type_is_as_it_was(other: Other) -> None:
    """The upgrade puts its note there."""
    comments = """
    SELECT obj_description(reltype, 'pg_type') FROM pg_class WHERE relname = 'notes'
    UNION ALL SELECT obj_description(typarray, 'pg_type') FROM pg_type WHERE typname = 'mood'
    """
    execute(other.connection, "COMMENT ON TYPE public.notes IS E'it''s\n ours'")
    execute(other.connection, "COMMENT ON TYPE public.mood[] IS 'Moved from'")
    before = column(other.connection, comments)
    assert before == ["it's\n ours", "Moved from"]
    other.project.upgrade()
    other.project.downgrade("base")
    assert column(other.connection, comments) == before


@pytest.mark.parametrize(
    "models",
    [
        pytest.param(WITHOUT_SEQUENCE, id="tables and types"),
        pytest.param(
            MODELS,
            id="sequences too",
        ),
    ],
)
def test_what_an_upgrade_moved_that_was_never_stamped_moves_with_the_next_revision(
    project: Project, connection: Connection, server: Server, models: str
) -> None:
    """Other databases have it yet to move, and the downgrade gives everything back."""
    if models == WITHOUT_SEQUENCE:
        execute(connection, "ALTER TABLE public.clients DROP number; DROP SEQUENCE number_seq")
        project.models(models)
    before = snapshot.both(server, project.url)
    project.autogenerate(**ALL)
    project.upgrade()
    project.stamp("base")
    [revision] = revisions(project)
    revision.unlink()
    project.autogenerate(**ALL)
    project.upgrade()
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before
    project.upgrade()
    assert "migration.notes" in column(connection, WHERE)


def test_a_second_revision_moves_what_is_left_and_takes_only_that_back(
    project: Project, connection: Connection, server: Server
) -> None:
    project.models(MODELS.split('Table("notes"')[0])
    not_notes = {"include_name": lambda name, type_, _: (type_, name) != ("table", "notes")}
    before = snapshot.both(server, project.url)
    project.autogenerate(configure=not_notes)
    project.upgrade()
    between = snapshot.both(server, project.url)
    assert {"migration.clients", "public.notes"} <= set(column(connection, WHERE))
    project.models(MODELS)
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, WHERE) == MOVED
    project.downgrade("-1")
    assert snapshot.both(server, project.url) == between
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


def test_what_moves_twice_comes_back_by_the_same_ways(
    project: Project, connection: Connection, server: Server
) -> None:
    before = snapshot.both(server, project.url)
    project.autogenerate(**ALL)
    project.upgrade()
    between = snapshot.both(server, project.url)
    project.settings(settings(schema="app", move_from='["migration"]'))
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, WHERE) == [f"app.{name}" for name in THINGS]
    project.downgrade("-1")
    assert snapshot.both(server, project.url) == between
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@ONE_VERSION
def test_public_can_be_the_schema_of_the_models(
    project: Project, connection: Connection, server: Server
) -> None:
    execute(connection, BY_HAND)
    before = snapshot.both(server, project.url)
    project.settings(settings(schema="public", move_from='["migration"]'))
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, WHERE) == IN_PUBLIC
    off_path = {
        "session": ["SET search_path TO migration"],
        "configure": {"version_table_schema": "public"},
    }
    assert differences(project) == differences(project, **off_path) == []
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@ONE_VERSION
def test_a_downgrade_to_a_name_that_is_taken_by_now_is_refused_and_can_go_on(
    other: Other, server: Server
) -> None:
    before = snapshot.both(server, other.project.url)
    other.project.upgrade()
    execute(other.connection, "CREATE TABLE public.clients (id int)")
    with pytest.raises(
        DBAPIError, match=r"migration\.clients cannot go back: there is public\.clients"
    ):
        other.project.downgrade("base")
    assert column(other.connection, "SELECT count(*) FROM migration.clients") == [2]
    execute(other.connection, "DROP TABLE public.clients")
    other.project.downgrade("base")
    assert snapshot.both(server, other.project.url) == before


@pytest.mark.parametrize("new", ["column", "table"])
def test_what_is_new_in_the_same_revision_goes_with_the_downgrade(
    project: Project, connection: Connection, server: Server, new: str
) -> None:
    """With its enum type, so that the schema is empty in the end."""
    before = snapshot.both(server, project.url)
    of_type = 'Column("colour", Enum("red", "blue", name="colour"))'
    project.models(
        MODELS.replace('Column("text"', f'{of_type}, Column("text"')
        if new == "column"
        else MODELS + f'Table("new", metadata, Column("id", Integer, primary_key=True), {of_type})'
    )
    project.autogenerate(**ALL)
    project.upgrade()
    assert "migration.colour" in column(connection, WHERE)
    assert differences(project, **ALL) == []
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@ONE_VERSION
def test_a_default_that_casts_to_a_type_that_moved_can_be_compared(
    project: Project, connection: Connection
) -> None:
    execute(connection, "ALTER TABLE public.clients ALTER mood SET DEFAULT 'ok'::mood")
    project.models(
        MODELS.replace('name="mood"))', """name="mood"), server_default=text("'ok'::mood"))""")
    )
    options = {"configure": {"compare_server_default": True}}
    project.autogenerate(**options)
    project.upgrade()
    assert differences(project, **options) == []


def schemas(connection: Connection) -> dict[str, str]:
    """The schemas with their privileges."""
    query = "SELECT nspname, coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname !~ '^pg_'"
    return dict(connection.execute(query).fetchall())  # type: ignore[call-overload]


def test_who_has_a_privilege_on_a_table_may_use_the_schema_that_is_made(
    role: str, other: Other
) -> None:
    execute(other.connection, f"GRANT SELECT (text) ON public.notes TO {role}")
    other.project.upgrade()
    assert f"{role}=U/" in schemas(other.connection)["migration"]
    execute(other.connection, f"SET ROLE {role}; SELECT text FROM migration.notes; RESET ROLE")
    other.project.downgrade("base")
    assert "migration" not in schemas(other.connection)


@ONE_VERSION
def test_nobody_else_may_use_it(role: str, other: Other) -> None:
    other.project.upgrade()
    execute(other.connection, f"SET ROLE {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(other.connection, "SELECT text FROM migration.notes")
    execute(other.connection, "RESET ROLE")


@ONE_VERSION
def test_public_may_use_it_where_public_may_use_a_table(role: str, other: Other) -> None:
    execute(other.connection, "GRANT SELECT ON public.notes TO PUBLIC")
    other.project.upgrade()
    execute(other.connection, f"SET ROLE {role}; SELECT text FROM migration.notes; RESET ROLE")


def test_a_schema_with_something_in_it_stays_after_the_downgrade(
    other: Other, heard: list[str]
) -> None:
    other.project.upgrade()
    execute(other.connection, "CREATE TABLE migration.later (id int)")
    other.project.downgrade("base")
    assert column(other.connection, WHERE) == sorted(["migration.later", *IN_PUBLIC])
    assert "NOTICE: the schema migration is not empty and stays" in heard


@ONE_VERSION
def test_a_schema_that_was_there_stays_though_it_is_empty(other: Other) -> None:
    execute(other.connection, "CREATE SCHEMA migration; COMMENT ON SCHEMA migration IS 'ours'")
    other.project.upgrade()
    other.project.downgrade("base")
    assert column(other.connection, WHERE) == IN_PUBLIC
    comment = "SELECT obj_description('migration'::regnamespace, 'pg_namespace')"
    assert column(other.connection, comment) == ["ours"]


@pytest.mark.parametrize("held", ["clients", "notes"])
def test_a_table_that_is_in_use_leaves_nothing_half_done(
    other: Other, server: Server, held: str
) -> None:
    """The upgrade gives up soon, and goes on later from where it was."""
    project = other.project
    before = snapshot.both(server, project.url)
    [revision] = revisions(project)
    revision.write_text(
        revision.read_text().replace("lock_timeout = '5s'", "lock_timeout = '50ms'")
    )
    with scratch.connect(project.url) as holder, holder.transaction():
        holder.execute(f"SELECT * FROM public.{held} LIMIT 1")  # type: ignore[call-overload]
        with pytest.raises(DBAPIError, match="lock timeout"):
            project.upgrade()
        where = column(other.connection, WHERE)
        assert {f"public.{held}", f"public.{held}_id_seq"} <= set(where)
        assert len(where) == len(THINGS)
    assert project.current() is None
    project.upgrade()
    assert column(other.connection, WHERE) == MOVED
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@pytest.mark.parametrize("held", ["clients", "notes"])
def test_nor_does_one_that_is_in_use_at_the_downgrade(
    other: Other, server: Server, held: str
) -> None:
    project = other.project
    before = snapshot.both(server, project.url)
    [revision] = revisions(project)
    revision.write_text(
        revision.read_text().replace("lock_timeout = '5s'", "lock_timeout = '50ms'")
    )
    project.upgrade()
    with scratch.connect(project.url) as holder, holder.transaction():
        holder.execute(f"SELECT * FROM migration.{held} LIMIT 1")  # type: ignore[call-overload]
        with pytest.raises(DBAPIError, match="lock timeout"):
            project.downgrade("base")
        assert f"migration.{held}" in column(other.connection, WHERE)
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


# What goes along, and what stays


def test_partitions_and_statistics_go_along_where_they_were_in_the_same_schema(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server
) -> None:
    execute(
        connection,
        """
        CREATE SCHEMA archive;
        CREATE TABLE public.events (id int, n int) PARTITION BY RANGE (id);
        CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM (0) TO (10)
          PARTITION BY RANGE (id);
        CREATE TABLE public.events_1_1 PARTITION OF public.events_1 FOR VALUES FROM (0) TO (5);
        CREATE TABLE archive.events_2 PARTITION OF public.events FOR VALUES FROM (10) TO (20);
        CREATE INDEX by_n ON public.events (n);
        CREATE STATISTICS public.both ON id, n FROM public.events_1_1;
        CREATE STATISTICS archive.away ON id, n FROM public.events_1_1;
        INSERT INTO public.events VALUES (1, 1), (11, 1);
        """,
    )
    before = snapshot.both(server, database_url)
    project = Project.make(
        tmp_path / "project",
        database_url,
        """
        metadata = MetaData()
        Table("events", metadata, Column("id", Integer), Column("n", Integer),
              Index("by_n", "n"), postgresql_partition_by="RANGE (id)")
        """,
        settings(),
    )
    project.autogenerate(**ALL)
    project.upgrade()
    names = ["archive.events_2", "migration.events", "migration.events_1", "migration.events_1_1"]
    assert column(connection, WHERE) == names
    statistics = (
        "SELECT stxnamespace::regnamespace || '.' || stxname FROM pg_statistic_ext ORDER BY 1"
    )
    assert column(connection, statistics) == ["archive.away", "migration.both"]
    assert project.is_converged(**ALL)
    project.downgrade("base")
    assert snapshot.both(server, database_url) == before


@ONE_VERSION
@pytest.mark.parametrize(
    ("elsewhere", "path", "include_schemas"),
    [
        ("public", "public", True),
        ("public", "public", False),
        ("public", "migration, public", True),
        ("archive", "public, archive", True),
        ("archive", "public, archive", False),
        ("archive", "public", False),
        ("public", "migration", True),
        ("public", "migration", False),
    ],
)
def test_what_has_the_name_of_a_models_table_is_not_dropped(
    project: Project, connection: Connection, elsewhere: str, path: str, include_schemas: bool
) -> None:
    """It may hold the rows that the other one lacks."""
    execute(connection, BY_HAND)
    execute(
        connection,
        "CREATE SCHEMA archive;"
        f"CREATE TABLE {elsewhere}.notes (id int, other int, one int);"
        f"CREATE INDEX ON {elsewhere}.notes (other)",
    )
    project.settings(settings(move_from="[]"))
    options = {
        "session": [f"SET search_path TO {path}"],
        "configure": {"include_schemas": include_schemas},
    }
    assert differences(project, **options) == []


# What is reported


def test_views_go_on_working_and_are_named(project: Project, connection: Connection) -> None:
    execute(
        connection,
        'CREATE SCHEMA "Reports";'
        'CREATE VIEW "Reports"."all notes" AS SELECT text FROM public.notes;'
        "CREATE MATERIALIZED VIEW public.counted AS SELECT count(*) AS n FROM public.notes",
    )
    message = findings(project)["view-stays", "public.notes"]
    assert "counted" in message and "all notes" in message
    assert ("view-stays", "public.clients") not in findings(project)
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, 'SELECT text FROM "Reports"."all notes" ORDER BY 1') == [
        "a",
        "b",
        "c",
    ]
    execute(connection, "REFRESH MATERIALIZED VIEW public.counted")
    assert {"public.counted", "Reports.all notes"} & set(column(connection, WHERE))


FUNCTION = "CREATE FUNCTION public.{name}() RETURNS bigint LANGUAGE {language} {more} AS $${body}$$"


@pytest.mark.parametrize(
    ("body", "more", "code"),
    [
        ("SELECT count(*) FROM notes", "", "name-depends-on-path"),
        ('SELECT count(*) FROM "notes" AS n', "", "name-depends-on-path"),
        ("SELECT count(*) FROM public.notes", "", "name-breaks"),
        ('SELECT count(*) FROM "public" . "notes"', "", "name-breaks"),
        ("SELECT count(*) FROM PUBLIC.Notes", "", "name-breaks"),
        ("SELECT count(*) FROM notes", "SET search_path = public", "name-breaks"),
        ("SELECT count(*) FROM notes", "SET search_path = migration, public", None),
        ("SELECT count(*) FROM public.notes_of_others", "", None),
        ("SELECT count(*) FROM migration.notes", "", None),
        ("SELECT count(*) FROM my_notes", "", None),
    ],
)
def test_a_function_that_names_a_table_is_reported_as_what_becomes_of_it(
    project: Project, connection: Connection, body: str, more: str, code: str | None
) -> None:
    """It is called before the move and after it, under the search_path that there was."""
    execute(connection, "SET check_function_bodies = off")
    execute(connection, FUNCTION.format(name="f", language="sql", body=body, more=more))
    said = findings(project)
    assert {key for key in said if key[0].startswith("name-")} == (
        {(code, "public.notes")} if code else set()
    )
    if code is None:
        return
    assert "f()" in said[code, "public.notes"]
    project.autogenerate(**ALL)
    project.upgrade()
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute(connection, "SELECT public.f()")
    if code == "name-depends-on-path":
        execute(connection, "SET search_path = migration, public; SELECT public.f()")


@ONE_VERSION
def test_a_function_whose_body_is_parsed_follows(project: Project, connection: Connection) -> None:
    execute(
        connection,
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql"
        "  BEGIN ATOMIC SELECT count(*) FROM public.notes; END",
    )
    assert not {key for key in findings(project) if key[0].startswith("name-")}
    project.autogenerate(**ALL)
    project.upgrade()
    assert column(connection, "SELECT f()") == [3]


@ONE_VERSION
@pytest.mark.parametrize(
    "before", ["CREATE SCHEMA migration;", ""], ids=["schema there", "schema made"]
)
def test_the_upgrade_warns_of_functions_of_its_own_database(
    other: Other, heard: list[str], before: str
) -> None:
    execute(
        other.connection,
        before
        + FUNCTION.format(
            name="only_here",
            language="plpgsql",
            more="",
            body="BEGIN DELETE FROM public.notes; END",
        ),
    )
    other.project.upgrade()
    assert "WARNING: public.notes is named by its old schema in only_here()" in heard


@ONE_VERSION
@pytest.mark.parametrize(
    ("what", "who"),
    [
        ("CREATE TABLE logs (id int, t text DEFAULT 'public.notes')", "default of logs.t"),
        ("CREATE TABLE logs (id int, t text DEFAULT 'notes')", "default of logs.t"),
        ("CREATE VIEW v AS SELECT query_to_xml('public.notes', true, true, '')", "view v"),
        ("CREATE TABLE logs (t text CONSTRAINT c CHECK (t <> 'notes'))", "constraint c on logs"),
        (
            "CREATE TABLE logs (t text); ALTER TABLE logs ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY p ON logs USING (t = 'public.notes')",
            "policy p on logs",
        ),
    ],
)
def test_a_name_in_a_text_constant_is_reported(
    project: Project, connection: Connection, what: str, who: str
) -> None:
    execute(connection, what)
    assert who in findings(project)["name-breaks", "public.notes"]


@ONE_VERSION
def test_what_holds_the_table_itself_is_not_reported(
    project: Project, connection: Connection
) -> None:
    execute(
        connection,
        "CREATE SCHEMA more; CREATE TABLE more.logs (t regclass DEFAULT 'public.notes'::regclass)",
    )
    assert not {key for key in findings(project) if key[0].startswith("name-")}
    project.autogenerate()
    project.upgrade()
    assert column(connection, "INSERT INTO more.logs DEFAULT VALUES RETURNING t::text") == [
        "migration.notes"
    ]


@ONE_VERSION
@pytest.mark.parametrize(
    ("body", "about"),
    [
        ("SELECT count(*) FROM clients WHERE mood = 'ok'::public.mood", "public.mood"),
        ("SELECT nextval('public.number_seq')", "public.number_seq"),
    ],
)
def test_a_function_that_names_a_type_or_a_sequence_is_reported(
    project: Project, connection: Connection, body: str, about: str
) -> None:
    execute(connection, FUNCTION.format(name="f", language="sql", more="", body=body))
    assert "f()" in findings(project)["name-breaks", about]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE PUBLICATION p FOR TABLE public.notes", "p publishes it under its new name"),
        ("CREATE PUBLICATION p FOR ALL TABLES", "p publishes it under its new name"),
        ("CREATE PUBLICATION p FOR TABLES IN SCHEMA public", "it leaves p"),
        (
            "CREATE SCHEMA migration; CREATE PUBLICATION p FOR TABLES IN SCHEMA migration",
            "it joins p",
        ),
    ],
)
def test_publications_are_reported(
    project: Project, connection: Connection, made: str, said: str
) -> None:
    execute(connection, made)
    assert said in findings(project)["published", "public.notes"]
    project.autogenerate(**ALL)
    project.upgrade()
    published = "SELECT schemaname || '.' || tablename FROM pg_publication_tables"
    is_published = "migration.notes" in column(connection, published)
    assert is_published is ("leaves" not in said)


# Alembic's own table

PATH = {"session": ["SET search_path TO migration, public"], **ALL}
VERSIONS = """
SELECT schemaname::text FROM pg_tables WHERE tablename = 'alembic_version' ORDER BY 1
"""
MOVE_VERSIONS = settings("move-version-table = true")


@pytest.fixture
def stamped(project: Project, connection: Connection) -> Project:
    """The project with a version table in ``public``, and a setting that moves it."""
    project.stamp("base")
    execute(connection, "CREATE SCHEMA migration")
    project.settings(MOVE_VERSIONS)
    return project


def versions(connection: Connection, schema: str) -> list[Any]:
    """The revisions in the version table of a schema."""
    return column(connection, f"SELECT version_num FROM {schema}.alembic_version")


def test_the_version_table_moves_and_is_stamped(stamped: Project, connection: Connection) -> None:
    stamped.autogenerate(**PATH)
    stamped.upgrade(**PATH)
    assert column(connection, VERSIONS) == ["migration"]
    assert versions(connection, "migration") == [stamped.head()]
    assert column(connection, WHERE) == MOVED
    assert differences(stamped, **PATH) == []
    in_schema = {"configure": {"include_schemas": True, "version_table_schema": "migration"}}
    assert differences(stamped, **in_schema) == []


def test_and_comes_back(stamped: Project, connection: Connection, server: Server) -> None:
    before = snapshot.both(server, stamped.url)
    stamped.autogenerate(**PATH)
    stamped.upgrade(**PATH)
    stamped.downgrade("base", **PATH)
    assert column(connection, VERSIONS) == ["public"]
    assert versions(connection, "public") == []
    assert snapshot.both(server, stamped.url) == before


@ONE_VERSION
def test_it_stays_where_the_downgrade_is_told_its_schema(
    stamped: Project, connection: Connection
) -> None:
    stamped.autogenerate(**PATH)
    stamped.upgrade(**PATH)
    stamped.downgrade("base", configure={"version_table_schema": "migration"})
    assert column(connection, VERSIONS) == ["migration"]
    assert versions(connection, "migration") == []
    assert set(IN_PUBLIC) <= set(column(connection, WHERE))


@ONE_VERSION
def test_it_stays_where_the_upgrade_is_told_its_schema(
    stamped: Project, connection: Connection
) -> None:
    stamped.autogenerate(**PATH)
    stamped.upgrade(configure={"version_table_schema": "public"})
    assert versions(connection, "public") == [stamped.head()]
    assert column(connection, WHERE) == MOVED


@ONE_VERSION
def test_moving_it_is_refused_where_env_py_gives_its_schema(
    stamped: Project, connection: Connection
) -> None:
    options = {
        **PATH,
        "configure": {"include_schemas": True, "version_table_schema": "public"},
    }
    _, run = compare(stamped, **options)
    assert run is not None
    [finding] = [one for one in run.findings if one.code == "version-table"]
    assert finding.severity == "refused"
    assert "version_table_schema" in finding.message
    assert "alembic_version" not in stamped.autogenerate(**options)


@ONE_VERSION
def test_moving_it_is_refused_where_the_search_path_lacks_the_schema(
    stamped: Project, connection: Connection
) -> None:
    message = findings(stamped)["version-table", "public.alembic_version"]
    assert "the search_path lacks 'migration'" in message
    assert "alembic_version" not in stamped.autogenerate(**ALL)


@ONE_VERSION
def test_an_upgrade_that_would_not_find_it_again_changes_nothing_of_it(
    stamped: Project, connection: Connection
) -> None:
    """Its search_path is another than that of the session that wrote the revision."""
    stamped.autogenerate(**PATH)
    with pytest.raises(DBAPIError, match="the search_path lacks migration"):
        stamped.upgrade()
    assert column(connection, VERSIONS) == ["public"]
    assert versions(connection, "public") == []
    stamped.upgrade(**PATH)
    assert versions(connection, "migration") == [stamped.head()]


@ONE_VERSION
def test_moving_it_is_refused_from_a_schema_that_is_not_moved_from(
    stamped: Project, connection: Connection
) -> None:
    execute(connection, "CREATE SCHEMA old; ALTER TABLE public.alembic_version SET SCHEMA old")
    options = {**PATH, "session": ["SET search_path TO old, migration, public"]}
    _, run = compare(stamped, **options)
    assert run is not None
    [finding] = [one for one in run.findings if one.code == "version-table"]
    assert "is in no schema of move-from" in finding.message


@ONE_VERSION
def test_it_moves_though_the_schema_is_made_in_the_same_revision(
    project: Project, connection: Connection
) -> None:
    project.stamp("base")
    project.settings(MOVE_VERSIONS)
    project.autogenerate(**PATH)
    project.upgrade(**PATH)
    assert column(connection, VERSIONS) == ["migration"]
    assert versions(connection, "migration") == [project.head()]


@pytest.mark.parametrize("options", [ALL, PATH], ids=["default path", "path"])
def test_it_never_moves_without_the_setting(
    project: Project, connection: Connection, options: dict[str, Any]
) -> None:
    project.stamp("base")
    project.autogenerate(**options)
    project.upgrade(**options)
    assert column(connection, VERSIONS) == ["public"]
    assert versions(connection, "public") == [project.head()]
    assert differences(project, **options) == []
    project.downgrade("base", **options)
    assert column(connection, VERSIONS) == ["public"]


# Extensions

VECTORS = """
from pgvector.sqlalchemy import Vector
metadata = MetaData()
Table("items", metadata, Column("id", Integer, primary_key=True), Column("at", Vector(2)),
      Index("ix_items_at", "at", postgresql_using="hnsw",
            postgresql_ops={"at": "vector_l2_ops"}))
"""


@pytest.mark.postgres(16, 18)
@pytest.mark.parametrize("extension", ["public", "elsewhere"])
def test_a_vector_goes_on_working_and_its_extension_stays(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server, extension: str
) -> None:
    execute(
        connection,
        f"""
        CREATE SCHEMA elsewhere;
        CREATE EXTENSION vector WITH SCHEMA {extension};
        CREATE TABLE public.items (id serial PRIMARY KEY, at {extension}.vector(2));
        CREATE INDEX ix_items_at ON public.items USING hnsw (at {extension}.vector_l2_ops);
        INSERT INTO public.items (at) VALUES ('[1,1]'), ('[5,5]'), (NULL);
        """,
    )
    before = snapshot.both(server, database_url)
    project = Project.make(tmp_path / "project", database_url, VECTORS, settings())
    project.autogenerate(**ALL)
    project.upgrade()
    where = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
    assert column(connection, where) == [extension]
    execute(connection, "INSERT INTO migration.items (at) VALUES ('[2,2]')")
    near = f"SELECT id FROM migration.items ORDER BY at OPERATOR({extension}.<->) '[3,3]' LIMIT 1"
    assert column(connection, near) == [4]
    assert project.is_converged(**ALL)
    execute(connection, "DELETE FROM migration.items WHERE id = 4")
    execute(connection, "SELECT setval('migration.items_id_seq', 3)")
    project.downgrade("base")
    assert snapshot.both(server, database_url) == before
