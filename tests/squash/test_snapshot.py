"""A snapshot makes a database again: all of it, or what is missing, and takes it away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from psycopg.errors import UndefinedObject, UndefinedTable
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import dump, proof, rows, surroundings
from alembic_fixups.squash.proof import State
from tests.conftest import DEBIAN_15, MEMORY
from tests.projects import Project
from tests.squash import rich, snapshots
from tests.squash.snapshots import Source

pytestmark = pytest.mark.postgres(15, 16, 18)

VERSION_TABLE = """
CREATE TABLE alembic_version (
  version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)
"""


@dataclass(frozen=True)
class Rich:
    """A rich database, its snapshot, and what that has made on another server.

    Attributes:
        source: the rich database.
        folder: the project whose one revision is the snapshot.
        server: the other server.
        made: the database there.
        state: what is in it.
    """

    source: Source
    folder: Path
    server: Server
    made: URL
    state: State

    @contextmanager
    def copy(self) -> Iterator[Project]:
        """The project with a copy of what the snapshot has made, before that has run."""
        with scratch.database(self.server, template=self.made.database) as url:
            project = Project(self.folder, url)
            project.stamp("base")
            yield project


@pytest.fixture(scope="module")
def rich_(pg_version: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rich]:
    """On servers of its own, since roles belong to a server."""
    parent = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 << 30 else None
    with ExitStack() as stack:

        def start() -> Server:
            if pg_version == 15:
                return stack.enter_context(scratch.installed(DEBIAN_15, parent=parent))
            return stack.enter_context(scratch.embedded(pg_version, parent=parent))

        here, there = start(), start()
        url = stack.enter_context(scratch.database(here))
        with scratch.connect(url) as connection:
            before = frozenset(surroundings.roles(connection))
            rich.fill(connection, pg_version)
            connection.execute(VERSION_TABLE)
        source = Source(here, url, before)
        folder = tmp_path_factory.mktemp("rich")
        project, _ = snapshots.write(source, folder)
        project.url = stack.enter_context(scratch.database(there))
        project.upgrade()
        yield Rich(source, folder, there, project.url, _state(there, project.url))


def _state(server: Server, url: URL) -> State:
    with scratch.connect(url) as connection:
        tables = {str(table): table for table in rows.read(connection)}
        positions = {str(position): position for position in rows.positions(connection)}
        roles = sorted(str(said) for said in surroundings.said_of_roles(connection))
    return State(dump.schema(url, dump.tools(server)), tables, positions, roles)


def _difference(rich_: Rich, url: URL) -> list[str]:
    """What is not as the snapshot makes it where nothing is there before."""
    return proof.differences(rich_.state, _state(rich_.server, url))


def _execute(url: URL, *statements: str) -> None:
    with scratch.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _rows(url: URL, query: str) -> list[tuple[Any, ...]]:
    with scratch.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_what_it_makes_on_another_server_is_the_same(rich_: Rich) -> None:
    assert snapshots.differences(rich_.source, rich_.server, rich_.made) == []


AROUND = """
SELECT 'role', rolname, concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb,
           rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolpassword, rolvaliduntil,
           shobj_description(oid, 'pg_authid'))
  FROM pg_authid
 UNION ALL
SELECT 'member', roleid::regrole::text, member::regrole || ' ' || (to_jsonb(one)
           - ARRAY['oid', 'roleid', 'member', 'grantor'])::text
  FROM pg_auth_members AS one
 UNION ALL
SELECT 'setting', setrole::regrole::text, setconfig::text FROM pg_db_role_setting
 UNION ALL
SELECT 'database', acl::text, shobj_description(oid, 'pg_database')
  FROM pg_database, unnest(datacl) AS acl
 WHERE datname = current_database()
 ORDER BY 1, 2, 3
"""


def test_roles_and_what_is_set_on_the_database_are_made_again(rich_: Rich) -> None:
    found = _rows(rich_.made, AROUND)
    assert found == _rows(rich_.source.url, AROUND)
    assert [row for row in found if row[0] == "role" and "SCRAM-SHA-256" in row[2]]


def test_a_second_time_it_changes_nothing(rich_: Rich) -> None:
    with rich_.copy() as project:
        project.upgrade()
        assert project.current() == "r1"
        assert _difference(rich_, project.url) == []
        # A copy comes without what is set on its database.
        assert _rows(project.url, AROUND) == _rows(rich_.made, AROUND)


# What is taken out of the finished database, one by one, and comes back.
MISSING = [
    "DELETE FROM app.log_1; DELETE FROM app.parent WHERE id = 7",
    'DROP POLICY "own: rows" ON app.parent',
    "DROP TRIGGER touch ON app.parent",
    "DROP TRIGGER log_touch ON app.log",
    "DROP TRIGGER constrain ON more.ruled",
    "DROP RULE elsewhere ON more.ruled",
    'DROP VIEW app."View: all"',
    "DROP VIEW more.keyed CASCADE",
    "DROP MATERIALIZED VIEW app.counted",
    "DROP EVENT TRIGGER rich_hears; REFRESH MATERIALIZED VIEW more.fuller WITH NO DATA",
    "DROP INDEX app.parent_code",
    "DROP INDEX more.full_n",
    "DROP INDEX more.tree_note",
    "ALTER TABLE more.odd_types DROP CONSTRAINT odd_types_pkey",
    "ALTER TABLE more.logged DROP CONSTRAINT logged_pkey",
    "ALTER TABLE more.left_side DROP CONSTRAINT later",
    "ALTER TABLE more.left_side DROP CONSTRAINT cycle",
    "ALTER TABLE more.right_side DROP CONSTRAINT right_side_other_fkey",
    f'ALTER TABLE app.{rich.ODD_SQL} DROP CONSTRAINT "{rich.LONG}"',
    "ALTER DOMAIN more.late DROP CONSTRAINT small",
    "DROP STATISTICS app.parent_stats",
    "DROP FUNCTION app.whole()",
    "DROP FUNCTION more.of_row(more.computed) CASCADE",
    "DROP PROCEDURE more.proceed",
    "DROP AGGREGATE more.moving(double precision)",
    "DROP OPERATOR app.=== (app.pair, app.pair)",
    "DROP OPERATOR FAMILY app.backwards USING btree CASCADE",
    "DROP OPERATOR FAMILY more.family USING btree",
    "DROP CAST (app.mood AS integer)",
    "DROP CONVERSION more.conversion",
    "DROP COLLATION more.posix",
    "DROP TYPE more.shell",
    "DROP TYPE more.base CASCADE; DROP TABLE more.odd_types",
    "DROP TEXT SEARCH CONFIGURATION app.english",
    "DROP SERVER far CASCADE",
    "DROP USER MAPPING FOR rich_reader SERVER far",
    "DROP PUBLICATION rich_some",
    "DROP EVENT TRIGGER rich_hears",
    "DROP SEQUENCE more.down",
    "SELECT setval('more.down', 50, false), setval('app.numbers', 1)",
    "DROP TABLE more.to_tree",
    "DROP TABLE more.left_side CASCADE",
    "DROP TABLE more.tree CASCADE",
    "DROP TABLE more.tree_eu_2 CASCADE",
    "DROP TABLE app.log_1",
    "DROP TABLE more.father CASCADE",
    "DROP ACCESS METHOD more_heap CASCADE",
    "DELETE FROM more.odd_types WHERE id = 2",
    "DELETE FROM more.right_side WHERE id = 2",
    "DELETE FROM app.log_2",
    "DROP PUBLICATION rich_some; DROP TABLE more.ruled CASCADE",
    "DROP PUBLICATION rich_all, rich_some; DELETE FROM ONLY more.mother",
    "TRUNCATE more.dropped, more.nothing, more.nullable",
    "REVOKE SELECT ON more.logged FROM rich_reader",
    "GRANT EXECUTE ON FUNCTION more.body TO PUBLIC",
    "COMMENT ON TABLE app.parent IS NULL",
    "COMMENT ON CONSTRAINT no_overlap ON app.parent IS NULL",
    "ALTER TABLE more.computed OWNER TO postgres",
    "DROP PUBLICATION rich_some; DROP SCHEMA more CASCADE",
]

# They would hold for what is made again, and hear of it, as for all that is made there by now.
NOTHING_AROUND = (
    "DROP EVENT TRIGGER IF EXISTS rich_hears",
    "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE ALL ON TABLES FROM description_reader",
)


def _without(rich_: Rich, *statements: str) -> list[str]:
    """What is not the same after they have run in a copy, and then the snapshot."""
    with rich_.copy() as project:
        before = _difference(rich_, project.url)
        with scratch.connect(project.url) as connection:
            for statement in statements:
                # What has gone with something else is gone.
                with suppress(UndefinedObject, UndefinedTable):
                    connection.execute(statement.encode())
        assert _difference(rich_, project.url) != before
        _execute(project.url, *NOTHING_AROUND)
        project.upgrade()
        return _difference(rich_, project.url)


@pytest.mark.postgres(16)
def test_what_is_missing_comes_back(rich_: Rich) -> None:
    assert _without(rich_, *MISSING[:-1]) == []


@pytest.mark.slow
@pytest.mark.postgres(16)
@pytest.mark.parametrize("statement", MISSING)
def test_each_thing_that_is_missing_comes_back(rich_: Rich, statement: str) -> None:
    assert _without(rich_, statement) == []


# What is changed in the finished database, and what the error names.
DIFFERENT = {
    "ALTER TABLE more.dropped ALTER a TYPE bigint": "table more.dropped is TABLE",
    "ALTER TABLE app.base ADD extra text": "table app.base is TABLE",
    "ALTER TABLE app.parent ALTER mood SET DEFAULT 'sad'": "default app.parent.mood is",
    "ALTER TABLE app.parent ALTER mood DROP DEFAULT": "default app.parent.mood",
    "ALTER TABLE app.base DROP CONSTRAINT base_b_check;"
    "ALTER TABLE app.base ADD CONSTRAINT base_b_check CHECK (b > 1)": "constraint base_b_check on",
    "ALTER TABLE app.parent DROP CONSTRAINT parent_code_check": (
        "constraint parent_code_check on app.parent"
    ),
    "ALTER DOMAIN app.amount DROP CONSTRAINT positive": "constraint positive on app.amount",
    "CREATE OR REPLACE VIEW more.checked AS SELECT * FROM more.ruled": "view more.checked is",
    "CREATE OR REPLACE FUNCTION app.twice(integer) RETURNS integer IMMUTABLE LANGUAGE sql "
    "AS 'SELECT 3 * $1'": "function app.twice(integer) is",
    "ALTER TYPE app.mood ADD VALUE 'glad'": "type app.mood is ENUM",
    "COMMENT ON TABLE app.parent IS 'other'": "comment on table app.parent is other",
    "DROP INDEX app.parent_code; CREATE INDEX parent_code ON app.parent (room)": (
        "index app.parent_code is"
    ),
}


@pytest.mark.postgres(16)
def test_what_differs_is_named_and_nothing_changes(rich_: Rich) -> None:
    for statement, name in DIFFERENT.items():
        with rich_.copy() as project:
            _execute(project.url, statement)
            _execute(project.url, "DROP TABLE more.nothing; SELECT setval('more.down', 50)")
            with pytest.raises(DBAPIError) as raised:
                project.upgrade()
            assert name in str(raised.value.orig)
            assert project.current() is None
            # What is missing has not come back, nor what is set on the database.
            assert _rows(
                project.url,
                "SELECT to_regclass('more.nothing'), last_value, datacl "
                "FROM more.down, pg_database WHERE datname = current_database()",
            ) == [(None, 50, None)]


@pytest.mark.postgres(16)
def test_what_is_there_besides_stays(rich_: Rich) -> None:
    with rich_.copy() as project:
        _execute(
            project.url,
            "CREATE TABLE more.other AS SELECT 1 AS a",
            "CREATE INDEX other_index ON app.parent (label)",
            "GRANT UPDATE ON more.logged TO rich_group",
            "UPDATE more.left_side SET parent = 2 WHERE id = 3",
            "INSERT INTO more.left_side VALUES (9, NULL, 3)",
            "TRUNCATE more.dropped; INSERT INTO more.dropped VALUES (7, 7)",
            "SELECT setval('more.back', 900), setval('more.down', 2)",
        )
        before = _state(rich_.server, project.url)
        project.upgrade()
        after = _state(rich_.server, project.url)
        versions = {"public.alembic_version": after.tables["public.alembic_version"]}
        assert after == replace(before, tables={**before.tables, **versions})


# All that is neither PostgreSQL's own nor part of something else.
LEFT = """
SELECT relname::text, objid::text
  FROM pg_depend AS one
  JOIN pg_class ON pg_class.oid = classid
 WHERE objid >= 16384 AND NOT EXISTS (
       SELECT FROM pg_depend AS other
        WHERE other.objid = one.objid AND other.classid = one.classid
          AND other.deptype IN ('e', 'i', 'a'))
 UNION
SELECT 'schema', nspname FROM pg_namespace WHERE oid >= 16384
 UNION
SELECT 'default privileges', oid::text FROM pg_default_acl
 ORDER BY 1
"""


def test_its_downgrade_takes_all_of_it_away_and_then_it_makes_the_same_again(rich_: Rich) -> None:
    with rich_.copy() as project:
        project.upgrade()
        _execute(project.url, "CREATE TABLE more.mine AS SELECT 1 AS a")
        project.downgrade("base")
        assert project.current() is None
        assert [kind for kind, _ in _rows(project.url, LEFT)] == [
            "pg_class",
            "pg_class",
            "pg_extension",
            "schema",
            "schema",
        ]
        _execute(project.url, "DROP TABLE more.mine")
        project.upgrade()
        assert snapshots.differences(rich_.source, rich_.server, project.url) == []


@pytest.fixture
def deployer(rich_: Rich) -> Iterator[str]:
    """Another superuser of the other server."""
    _execute(rich_.server.url, "CREATE ROLE deployer SUPERUSER LOGIN")
    yield "deployer"
    _execute(rich_.server.url, "DROP ROLE deployer")


@pytest.mark.postgres(16)
def test_who_made_the_source_is_not_named(rich_: Rich, deployer: str) -> None:
    with scratch.database(rich_.server) as url:
        project = Project(rich_.folder, url.set(username=deployer))
        project.upgrade()
        text = dump.schema(project.url, dump.tools(rich_.server))
        named = {line for line in text.splitlines() if "postgres" in line}
        assert named == {
            "-- Name: ruled to postgres; Type: POLICY; Schema: more; Owner: deployer",
            'CREATE POLICY "to postgres" ON more.ruled FOR SELECT TO rich_reader, deployer '
            "USING (true);",
            "  WHERE (logged.what = ', postgres TO postgres'::text))));",
        }
        project.downgrade("base")
        assert _rows(url, "SELECT FROM pg_user_mapping") == []


@pytest.mark.postgres(16)
@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg", "psql"])
def test_every_way_of_running_it_makes_the_same(rich_: Rich, driver: str) -> None:
    with scratch.database(rich_.server) as url:
        project = Project(rich_.folder, url)
        if driver == "psql":
            project.psql(project.offline("head"), rich_.server)
        else:
            project.url = url.set(drivername=f"postgresql+{driver}")
            project.upgrade()
        assert snapshots.differences(rich_.source, rich_.server, url) == []
        if driver == "psql":
            project.psql(project.offline("r1:base", downgrade=True), rich_.server)
        else:
            project.downgrade("base")
        assert _rows(url, "SELECT FROM pg_class WHERE relnamespace = to_regnamespace('more')") == []
