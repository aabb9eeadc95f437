"""Snapshots of small databases: odd texts, other roles, other version tables."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.scratch import Server
from alembic_fixups.squash import description, guards, surroundings
from alembic_fixups.squash.dump import Entry
from tests.projects import Project
from tests.squash import snapshots
from tests.squash.snapshots import Source

pytestmark = pytest.mark.postgres(16)
Connection = psycopg.Connection[tuple[Any, ...]]

BODIES = [
    "carriage\r\nreturns\rand\n\rthe like\r",
    "\ttabs\t\n\t\n  and blanks \n \n\n  ",
    '"""',
    'a raw """ string \\"""',
    "\\ \\\\ \\n \\' ends with \\",
    "100% %s %(a)s %% %1$s",
    ":name ::text \\:x 'a':b a[1:n] :'q' :\"Q\"",
    "$$ $_$ $1 $a $ä$ $",
    "$fixup$ $fixup_$ $fixup__$ $fixup",
    "ünï 🐘 e\u0301 \u00a0 \u200b \ufeff \u2028 \u2029 \u202e",
    "\x01\x07\x08\x0b\x0c\x1b[2J\x1c\x1d\x1e\x7f\x85",
    "it's '' ''' \" \"\" ; -- no comment\n/* none */ ;",
    "{{ jinja }} {% raw %} {# #} \\N{BULLET} \\u0041 \\x41",
    "    END IF;\nEND\n$fixup$;\nCOMMIT;\n\\q\n\\.\nGO\n",
    "BEGIN\n\n\n    deep\n        deeper\nEND",
    "",
]
"""What a function may have for a body; with check_function_bodies = off all of it is SQL."""


def _texts(connection: Connection) -> tuple[Any, ...]:
    queries = (
        "SELECT proname, prosrc, obj_description(oid, 'pg_proc') FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT * FROM texts ORDER BY id",
        "SELECT adnum, pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY 1",
        "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
        "SELECT tgname, tgargs FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder",
    )
    return tuple(connection.execute(query.encode()).fetchall() for query in queries)


@pytest.fixture(scope="module")
def texts(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, tuple[Any, ...]]]:
    """The snapshot of a database full of odd texts, and these."""
    with scratch.database(server) as url:
        with scratch.connect(url) as connection:
            connection.execute("SET check_function_bodies = off")
            connection.execute("CREATE TABLE texts (id integer PRIMARY KEY, body text)")
            connection.execute(
                "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql "
                "AS 'BEGIN RETURN new; END'"
            )
            for number, body in enumerate(BODIES):
                connection.execute("INSERT INTO texts VALUES (%s, %s)", (number, body))
                for statement in (
                    "CREATE FUNCTION f{0}() RETURNS text LANGUAGE sql AS {1}",
                    "COMMENT ON FUNCTION f{0}() IS {1}",
                    "ALTER TABLE texts ADD d{0} text DEFAULT {1}",
                    "CREATE VIEW v{0} AS SELECT {1}::text AS a, body FROM texts WHERE body <> {1}",
                    "CREATE TRIGGER t{0} BEFORE UPDATE ON texts FOR EACH ROW "
                    "EXECUTE FUNCTION touch({1})",
                ):
                    connection.execute(
                        sql.SQL(statement).format(sql.SQL(str(number)), sql.Literal(body))
                    )
            connection.execute('CREATE TABLE "no\u00a0blank\u200b" (a text DEFAULT 1)')
            labels = sql.SQL(", ").join(sql.Literal(body[:15]) for body in BODIES)
            connection.execute(sql.SQL("CREATE TYPE labels AS ENUM ({})").format(labels))
            connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
            found = _texts(connection)
            before = frozenset(surroundings.roles(connection))
        folder = tmp_path_factory.mktemp("texts")
        snapshots.write(Source(server, url, before), folder)
    yield folder, found


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg", "psql"])
def test_texts_arrive_byte_for_byte(
    texts: tuple[Path, tuple[Any, ...]],
    database_url: URL,
    connection: Connection,
    server: Server,
    driver: str,
) -> None:
    folder, wanted = texts
    project = Project(folder, database_url)
    if driver == "psql":
        project.psql(project.offline("head"), server)
    else:
        project.url = database_url.set(drivername=f"postgresql+{driver}")
        project.upgrade()
    assert _texts(connection) == wanted
    # A second time, with all in its place.
    project.stamp("base")
    project.upgrade()
    assert _texts(connection) == wanted


def _snapshot(
    server: Server, folder: Path, script: str, revision: str = "r1", **source: Any
) -> Project:
    """A project with the snapshot of a database that *script* makes."""
    with scratch.database(server) as url:
        with scratch.connect(url) as connection:
            before = frozenset(surroundings.roles(connection))
            if "table" not in source:
                connection.execute("CREATE TABLE alembic_version (version_num varchar(64))")
            connection.execute(script.encode())
        project, _ = snapshots.write(Source(server, url, before, **source), folder, revision)
    return project


APPLICATION = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA app;
CREATE TABLE app.noted (what text);
CREATE TABLE app.parent (id integer PRIMARY KEY, name text UNIQUE);
CREATE TABLE app.child (id integer PRIMARY KEY, parent_id integer
  REFERENCES app.parent DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.parent VALUES (1, 'one'), (2, 'two');
INSERT INTO app.child VALUES (1, 1), (2, 2);
SET CONSTRAINTS ALL IMMEDIATE;
CREATE TABLE app.ruled (id integer PRIMARY KEY);
INSERT INTO app.ruled VALUES (1), (2);
CREATE RULE instead AS ON INSERT TO app.ruled DO INSTEAD NOTHING;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN INSERT INTO app.noted VALUES (tg_name); RETURN new; END $$;
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'read only'; END $$;
CREATE TRIGGER each_row BEFORE INSERT ON app.parent FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE TRIGGER each_statement AFTER INSERT ON app.parent EXECUTE FUNCTION app.note();
CREATE TRIGGER no_more BEFORE INSERT ON app.child FOR EACH ROW EXECUTE FUNCTION app.refuse();
ALTER TABLE app.child ENABLE ALWAYS TRIGGER no_more;
ALTER TABLE app.child ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON app.child USING (false);
CREATE MATERIALIZED VIEW app.counted AS SELECT count(*) FROM app.parent;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
GRANT SELECT ON app.parent TO CURRENT_USER;
"""


@pytest.fixture
def deployer(server: Server) -> Iterator[URL]:
    """A database whose owner is not a superuser, as its owner sees it.

    An extension is there, which a superuser has made.
    """
    with scratch.connect(server.url) as admin:
        admin.execute("CREATE ROLE deployer LOGIN")
        with scratch.database(server) as url:
            database = sql.Identifier(url.database or "")
            admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO deployer").format(database))
            with scratch.connect(url) as connection:
                connection.execute("CREATE EXTENSION vector")
            yield url.set(username="deployer")
        admin.execute("DROP OWNED BY deployer")
        admin.execute("DROP ROLE deployer")


def _described(url: URL) -> list[description.Object]:
    with scratch.connect(url) as connection:
        return description.describe(connection, ("public", "alembic_version"))


def test_who_runs_it_owns_what_it_makes_and_need_not_be_a_superuser(
    server: Server, tmp_path: Path, deployer: URL, database_url: URL
) -> None:
    project = _snapshot(server, tmp_path, APPLICATION)
    for url in (database_url, deployer):
        project.url = url
        project.upgrade()
    assert _described(deployer) == _described(database_url)
    superuser = deployer.set(username="postgres")
    query = "SELECT id, parent_id FROM app.child ORDER BY 1"
    with scratch.connect(superuser) as connection:
        owners = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class "
            "WHERE relnamespace = 'app'::regnamespace"
        ).fetchall()
        assert owners == [("deployer",)]

        # Rows come again past triggers, rules and policies, which are then as they were.
        connection.execute("DELETE FROM app.child; DELETE FROM app.parent WHERE id = 1")
        connection.execute("DELETE FROM app.ruled")
        connection.execute("DELETE FROM alembic_version")
        project.upgrade()
        assert connection.execute(query).fetchall() == [(1, 1), (2, 2)]
        assert connection.execute("SELECT id FROM app.ruled").fetchall() == [(1,), (2,)]
        noted = connection.execute("SELECT count(*) FROM app.noted").fetchall()
    assert noted == [(0,)]
    assert _described(deployer) == _described(database_url)
    project.downgrade("base")
    with scratch.connect(deployer) as connection:
        assert connection.execute("SELECT to_regnamespace('app')").fetchall() == [(None,)]


def test_a_row_that_refers_to_one_that_stays_away_is_an_error(
    server: Server, tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    project = _snapshot(server, tmp_path, APPLICATION)
    project.url = database_url
    project.upgrade()
    connection.execute("DELETE FROM app.child; DELETE FROM app.parent WHERE id = 1")
    connection.execute("INSERT INTO app.parent VALUES (9, 'one'); DELETE FROM alembic_version")
    with pytest.raises(DBAPIError, match="child_parent_id_fkey"):
        project.upgrade()
    assert connection.execute("SELECT count(*) FROM app.child").fetchall() == [(0,)]


def test_event_triggers_hear_nothing_of_it(
    server: Server, tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    script = """
    CREATE TABLE heard (what text);
    COMMENT ON TABLE heard IS 'all of it';
    GRANT SELECT ON heard TO PUBLIC;
    CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one;
    CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql
      AS $$ BEGIN INSERT INTO heard VALUES (tg_tag); END $$;
    CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'nothing is dropped'; END $$;
    CREATE EVENT TRIGGER dropping ON sql_drop EXECUTE FUNCTION refuse();
    CREATE EVENT TRIGGER hearing ON ddl_command_start EXECUTE FUNCTION hear();
    """
    project = _snapshot(server, tmp_path, script)
    project.url = database_url
    project.upgrade()
    assert connection.execute("SELECT * FROM heard").fetchall() == []
    project.downgrade("base")
    assert connection.execute("SELECT FROM pg_event_trigger").fetchall() == []


LONG_ID = "a_revision_with_an_id_of_53_characters_" + "x" * 14


@pytest.fixture
def version_roles(connection: Connection) -> Iterator[None]:
    """Roles that a version table belongs to and is granted to."""
    connection.execute("CREATE ROLE looks; CREATE ROLE owns")
    yield
    connection.execute("DROP OWNED BY looks, owns CASCADE; DROP ROLE looks, owns")


ODD_TABLE = 'Versions: 1 "own" $name$ \\'


@pytest.mark.usefixtures("version_roles")
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg", "psql"])
def test_long_ids_in_a_version_table_with_a_name_of_its_own(
    server: Server, tmp_path: Path, database_url: URL, connection: Connection, driver: str
) -> None:
    name = sql.Identifier("odd: s", ODD_TABLE).as_string(connection)
    project = _snapshot(
        server,
        tmp_path,
        f"""
        CREATE SCHEMA "odd: s";
        CREATE TABLE {name} (version_num varchar(99) CONSTRAINT pkc PRIMARY KEY);
        CREATE TABLE "odd: s".other (a integer);
        GRANT SELECT ON ALL TABLES IN SCHEMA "odd: s" TO looks;
        ALTER TABLE {name} OWNER TO owns;
        COMMENT ON TABLE {name} IS 'where it is';
        """,
        LONG_ID,
        table=("odd: s", ODD_TABLE),
    )
    attributes = {
        "configure": {"version_table": ODD_TABLE, "version_table_schema": "odd: s"},
        "session": ['CREATE SCHEMA IF NOT EXISTS "odd\\: s"'],
    }
    project.url = database_url.set(drivername=f"postgresql+{driver.replace('psql', 'psycopg')}")
    if driver == "psql":
        connection.execute('CREATE SCHEMA "odd: s"')
        config = project.config(**attributes)
        command.upgrade(config, "head", sql=True)
        assert isinstance(config.output_buffer, io.StringIO)
        project.psql(config.output_buffer.getvalue(), server)
    else:
        project.upgrade(**attributes)
    found = connection.execute(
        f"""
        SELECT version_num, format_type(atttypid, atttypmod), relacl::text, relowner::regrole::text,
               obj_description(pg_class.oid, 'pg_class')
          FROM {name}, pg_attribute JOIN pg_class ON pg_class.oid = attrelid
         WHERE relname = $${ODD_TABLE}$$ AND attname = 'version_num'
        """.encode()
    ).fetchall()
    acl = "{owns=arwdDxt/owns,looks=r/owns}"
    assert found == [(LONG_ID, "character varying(99)", acl, "owns", "where it is")]
    if driver != "psql":
        project.downgrade("base", **attributes)
        assert connection.execute(f"SELECT FROM {name}".encode()).fetchall() == []


def test_a_schema_public_that_is_not_as_usual(
    server: Server, tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    changes = """
    ALTER SCHEMA public OWNER TO postgres; REVOKE ALL ON SCHEMA public FROM PUBLIC;
    COMMENT ON SCHEMA public IS NULL;
    """
    project = _snapshot(server, tmp_path, changes)
    project.url = database_url
    project.upgrade()
    query = (
        "SELECT nspowner::regrole::text, nspacl::text FROM pg_namespace WHERE nspname = 'public'"
    )
    assert connection.execute(query).fetchall() == [("postgres", "{postgres=UC/postgres}")]
    project.downgrade("base")
    project.upgrade()


def test_no_schema_public(
    server: Server, tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    script = "DROP SCHEMA public CASCADE; CREATE SCHEMA own; "
    script += "CREATE TABLE own.alembic_version (version_num varchar(32))"
    project = _snapshot(server, tmp_path, script, table=("own", "alembic_version"))
    project.url = database_url
    connection.execute("CREATE SCHEMA own")
    project.upgrade(configure={"version_table_schema": "own"})
    query = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_)'"
    assert connection.execute(query).fetchall() == [("own",)]


def test_large_objects_and_subscriptions_are_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="make 1 large objects"):
        _snapshot(server, tmp_path, "SELECT lo_create(0)")
    # A database with a subscription is not dropped by those who only want it to be gone.
    far = Entry("SUBSCRIPTION", "", "far", "", (6100, 1), "CREATE", "", 1, (), "", "")
    with pytest.raises(ProjectError, match="SUBSCRIPTION far: cannot be put into a snapshot"):
        guards.statements([far], {}, "", ())
