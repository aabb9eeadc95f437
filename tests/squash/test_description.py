"""The description of a database, on one that has some of everything."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash.description import (
    VIEWS,
    Drift,
    Object,
    as_diff,
    describe,
    drift,
    look,
)

ODD = "weird \"table\": 100% of 'it' \\ $fixup$"
ODD_SQL = '"' + ODD.replace('"', '""') + '"'
LONG = "ä" * 31 + "x"  # 63 bytes
VERSION_TABLE = ("app", 'Alembic "own" version')

ROLES = """
DO $$ BEGIN CREATE ROLE description_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE "Description: 100%"; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
"""

SCRIPT = f"""
CREATE SCHEMA app;
CREATE SCHEMA "odd: %s";
COMMENT ON SCHEMA app IS 'of the application';
CREATE TABLE app."Alembic ""own"" version" (
  version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY);
COMMENT ON TABLE app."Alembic ""own"" version" IS 'where we are';
GRANT SELECT ON app."Alembic ""own"" version" TO description_reader;
CREATE TYPE app.mood AS ENUM ('sad', 'it''s 100%: "ok"', 'happy');
COMMENT ON TYPE app.mood IS 'how it goes';
CREATE TYPE app.pair AS (first integer, "Second: one" text COLLATE "C");
CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE COLLATION app.plain (locale = 'C');
CREATE DOMAIN app.amount AS numeric(10, 2) DEFAULT 0 NOT NULL
  CONSTRAINT positive CHECK (VALUE >= 0);
COMMENT ON CONSTRAINT positive ON DOMAIN app.amount IS 'never less';
CREATE FUNCTION app.twice(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 2 * $1';
COMMENT ON FUNCTION app.twice(integer) IS 'as much again';
CREATE FUNCTION app.whole() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
CREATE PROCEDURE app.nothing(INOUT a integer) LANGUAGE plpgsql AS $b$ BEGIN a := a; END $b$;
CREATE AGGREGATE app.total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql
  AS $b$ BEGIN RETURN new; END $b$;
CREATE FUNCTION app.hear() RETURNS event_trigger LANGUAGE plpgsql AS $b$ BEGIN NULL; END $b$;
CREATE FUNCTION app.same(app.pair, app.pair) RETURNS boolean IMMUTABLE LANGUAGE sql
  AS 'SELECT ($1).first = ($2).first';
CREATE OPERATOR app.=== (leftarg = app.pair, rightarg = app.pair, function = app.same,
  commutator = OPERATOR(app.===));
CREATE FUNCTION app.as_text(app.pair) RETURNS text LANGUAGE sql AS 'SELECT ($1).first::text';
CREATE CAST (app.pair AS text) WITH FUNCTION app.as_text(app.pair) AS ASSIGNMENT;
CREATE TEXT SEARCH DICTIONARY app.words (TEMPLATE = simple, stopwords = english);
CREATE TEXT SEARCH CONFIGURATION app.english (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION app.english ALTER MAPPING FOR word WITH app.words, simple;
CREATE OPERATOR FAMILY app.backwards USING btree;
CREATE OPERATOR CLASS app.backwards_int FOR TYPE integer USING btree FAMILY app.backwards AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <,
  FUNCTION 1 btint4cmp(integer, integer);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere OPTIONS (host 'far away');
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (password 'secret');
CREATE FOREIGN TABLE app.distant (id integer OPTIONS (n 'm')) SERVER far OPTIONS (o 'p');

CREATE TABLE app.parent (
  id integer GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY,
  serial serial,
  code varchar(10) NOT NULL CHECK (code IN ('a', 'b')),
  mood app.mood DEFAULT 'happy',
  amount app.amount,
  label text COLLATE app.plain,
  double integer GENERATED ALWAYS AS (app.twice(serial)) STORED,
  at timestamptz DEFAULT '2020-01-01 12:00+00',
  during tsrange,
  room integer,
  CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) WHERE (code <> 'b')
) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
COMMENT ON TABLE app.parent IS 'it''s 100%: a "parent" \\ $fixup$';
COMMENT ON COLUMN app.parent.mood IS ':how %s';
COMMENT ON CONSTRAINT no_overlap ON app.parent IS 'one at a time';
ALTER TABLE app.parent ALTER label SET STORAGE external, ALTER label SET STATISTICS 50;
CREATE INDEX parent_code ON app.parent (code) WHERE code IN ('a', 'b');
CREATE INDEX parent_room ON app.parent ((room + 1)) INCLUDE (code) WITH (fillfactor = 80);
ALTER TABLE app.parent CLUSTER ON parent_room;
COMMENT ON INDEX app.parent_code IS 'often asked';
COMMENT ON INDEX app.parent_pkey IS 'its key';
CREATE UNIQUE INDEX parent_identity ON app.parent (serial);
ALTER TABLE app.parent ALTER serial SET NOT NULL, REPLICA IDENTITY USING INDEX parent_identity;
CREATE STATISTICS app.parent_stats (dependencies) ON code, room FROM app.parent;
ALTER STATISTICS app.parent_stats SET STATISTICS 77;
COMMENT ON STATISTICS app.parent_stats IS 'they go together';

CREATE TABLE app.{ODD_SQL} (
  "id: %s" bigint PRIMARY KEY,
  "{LONG}" integer DEFAULT 1,
  parent_id integer CONSTRAINT later REFERENCES app.parent DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE app.{ODD_SQL} ADD CONSTRAINT "{LONG}" CHECK ("{LONG}" > 0) NOT VALID;
COMMENT ON COLUMN app.{ODD_SQL}."id: %s" IS 'odd';
CREATE UNLOGGED TABLE "odd: %s".quick (a integer, b integer);
CREATE TABLE app.base (a integer NOT NULL, b integer CHECK (b > 0));
CREATE TABLE app.child (c integer, a integer NOT NULL) INHERITS (app.base);

CREATE TABLE app.log (id bigint, at timestamptz NOT NULL, what text, PRIMARY KEY (id, at),
  parent_id integer REFERENCES app.parent) PARTITION BY RANGE (at);
CREATE TABLE app.log_1 PARTITION OF app.log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.log_2 PARTITION OF app.log DEFAULT;
ALTER TABLE app.log_2 ALTER what SET DEFAULT 'late';
CREATE INDEX log_what ON app.log (what);
CREATE TRIGGER log_touch BEFORE INSERT ON app.log FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.log_2 DISABLE TRIGGER log_touch;

CREATE VIEW app."View: all" WITH (security_barrier) AS
  SELECT p.id, p.code AS "Code %", l.what FROM app.parent p JOIN app.log l ON l.id = p.id;
COMMENT ON VIEW app."View: all" IS 'all of it';
CREATE MATERIALIZED VIEW app.counted AS SELECT code, count(*) AS n FROM app.parent GROUP BY code;
CREATE UNIQUE INDEX counted_code ON app.counted (code);
CREATE RULE "no: more" AS ON DELETE TO app.base DO INSTEAD NOTHING;
COMMENT ON RULE "no: more" ON app.base IS 'it stays';
CREATE TRIGGER touch BEFORE UPDATE OF code ON app.parent FOR EACH ROW
  WHEN (old.code IS DISTINCT FROM new.code) EXECUTE FUNCTION app.touch();
COMMENT ON TRIGGER touch ON app.parent IS 'each time';
ALTER TABLE app.parent DISABLE TRIGGER touch;
CREATE EVENT TRIGGER description_hears ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
  EXECUTE FUNCTION app.hear();
ALTER TABLE app.parent ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY "own: rows" ON app.parent FOR UPDATE TO description_reader, "Description: 100%"
  USING (code = 'a') WITH CHECK (room IN (SELECT b FROM app.base));
COMMENT ON POLICY "own: rows" ON app.parent IS 'theirs';
CREATE SEQUENCE app.numbers AS smallint INCREMENT 5 MAXVALUE 500 CACHE 3 CYCLE;
CREATE SEQUENCE app.owned OWNED BY app.base.b;
COMMENT ON SEQUENCE app.numbers IS 'five by five';
CREATE PUBLICATION description_news FOR TABLE app.parent, app.base WITH (publish = 'insert');

GRANT SELECT, UPDATE ON app.parent TO description_reader;
GRANT INSERT ON app.parent TO "Description: 100%" WITH GRANT OPTION;
GRANT ALL ON app.base TO description_reader;
GRANT UPDATE (code) ON app.parent TO PUBLIC;
GRANT USAGE ON SEQUENCE app.numbers TO description_reader;
GRANT USAGE ON SCHEMA app TO description_reader;
REVOKE EXECUTE ON FUNCTION app.twice(integer) FROM PUBLIC;
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO description_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
"""

# What is changed, and the objects that then differ.
CHANGES: list[tuple[LiteralString, list[str]]] = [
    ("ALTER TABLE app.base ADD extra text", ["table app.base", "table app.child"]),
    ("ALTER TABLE app.parent ALTER label TYPE varchar(9)", ["table app.parent"]),
    ("ALTER TABLE app.parent ALTER label SET NOT NULL", ["table app.parent"]),
    ("ALTER TABLE app.parent ALTER label SET STORAGE main", ["table app.parent"]),
    ("ALTER TABLE app.parent ALTER id SET GENERATED BY DEFAULT", ["table app.parent"]),
    ("ALTER TABLE app.parent SET (fillfactor = 60)", ["table app.parent"]),
    ("ALTER TABLE app.parent SET (toast.autovacuum_enabled = true)", ["table app.parent"]),
    ("ALTER TABLE app.parent NO FORCE ROW LEVEL SECURITY", ["table app.parent"]),
    ("ALTER TABLE app.parent REPLICA IDENTITY FULL", ["table app.parent"]),
    ('ALTER TABLE "odd: %s".quick SET LOGGED', ['table "odd: %s".quick']),
    (
        "CREATE TABLE app.log_3 PARTITION OF app.log "
        "FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')",
        [
            "constraint log_3_pkey on app.log_3",
            "grant table app.log_3 to description_reader",  # by the default privileges
            "index app.log_3_what_idx",
            "table app.log_3",
        ],
    ),
    ("ALTER TABLE app.parent ALTER mood SET DEFAULT 'sad'", ["default app.parent.mood"]),
    ("ALTER TABLE app.parent ALTER at DROP DEFAULT", ["default app.parent.at"]),
    ("ALTER TABLE app.log_2 ALTER what DROP DEFAULT", ["default app.log_2.what"]),
    (
        "ALTER TABLE app.parent DROP CONSTRAINT no_overlap",
        [
            "comment on table constraint no_overlap on app.parent",
            "constraint no_overlap on app.parent",
        ],
    ),
    ("ALTER DOMAIN app.amount DROP NOT NULL", ["domain app.amount"]),
    (
        "ALTER DOMAIN app.amount ADD CONSTRAINT small CHECK (VALUE < 9)",
        ["constraint small on app.amount"],
    ),
    ("ALTER TYPE app.mood RENAME VALUE 'sad' TO 'low'", ["type app.mood"]),
    ("ALTER TYPE app.pair ADD ATTRIBUTE third date", ["type app.pair"]),
    ("ALTER INDEX app.parent_code SET (fillfactor = 60)", ["index app.parent_code"]),
    ("ALTER INDEX app.parent_pkey SET (fillfactor = 60)", ["constraint parent_pkey on app.parent"]),
    ("ALTER TABLE app.parent SET WITHOUT CLUSTER", ["index app.parent_room"]),
    (
        "CREATE OR REPLACE FUNCTION app.twice(integer) RETURNS integer IMMUTABLE LANGUAGE sql "
        "AS 'SELECT 3 * $1'",
        ["function app.twice(integer)"],
    ),
    ("ALTER FUNCTION app.touch() SECURITY DEFINER", ["function app.touch()"]),
    ('ALTER VIEW app."View: all" SET (security_barrier = false)', ['view app."View: all"']),
    (
        "DROP MATERIALIZED VIEW app.counted",
        ["index app.counted_code", "materialized view app.counted"],
    ),
    ("ALTER TABLE app.parent ENABLE TRIGGER touch", ["trigger touch on app.parent"]),
    ("ALTER TABLE app.log_2 ENABLE TRIGGER log_touch", ["trigger log_touch on app.log_2"]),
    ("ALTER EVENT TRIGGER description_hears DISABLE", ["event trigger description_hears"]),
    ('ALTER POLICY "own: rows" ON app.parent USING (true)', ['policy "own: rows" on app.parent']),
    ("ALTER SEQUENCE app.numbers INCREMENT 6", ["sequence app.numbers"]),
    ("ALTER SEQUENCE app.owned OWNED BY NONE", ["sequence app.owned"]),
    ("SELECT setval('app.numbers', 7)", []),
    ("ALTER STATISTICS app.parent_stats SET STATISTICS 9", ["statistics app.parent_stats"]),
    (
        'ALTER RULE "no: more" ON app.base RENAME TO less',
        [
            'comment on rule "no: more" on app.base',
            "comment on rule less on app.base",
            'rule "no: more" on app.base',
            "rule less on app.base",
        ],
    ),
    (
        "ALTER TEXT SEARCH CONFIGURATION app.english DROP MAPPING FOR word",
        ["text search configuration app.english"],
    ),
    ("ALTER SERVER far OPTIONS (SET host 'near')", ["server far"]),
    ("ALTER PUBLICATION description_news DROP TABLE app.base", ["publication description_news"]),
    ("COMMENT ON COLUMN app.parent.mood IS NULL", ["comment on table column app.parent.mood"]),
    ("COMMENT ON SCHEMA app IS 'new'", ["comment on schema app"]),
    (
        "REVOKE UPDATE ON app.parent FROM description_reader",
        ["grant table app.parent to description_reader"],
    ),
    (
        "GRANT EXECUTE ON FUNCTION app.twice(integer) TO PUBLIC",
        ["grant function app.twice(integer) to PUBLIC"],
    ),
    ("REVOKE ALL ON SCHEMA public FROM PUBLIC", ["grant schema public to PUBLIC"]),
    (
        "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        ["default privileges owner on functions to PUBLIC"],
    ),
    ('ALTER TABLE app."Alembic ""own"" version" ALTER version_num TYPE varchar(64)', []),
]


@pytest.fixture
def database(connection: psycopg.Connection[Any], pg_version: int) -> psycopg.Connection[Any]:
    """A connection to a database with some of everything."""
    _fill(connection, pg_version)
    return connection


def _fill(connection: psycopg.Connection[Any], version: int) -> None:
    connection.execute(ROLES)
    connection.execute(SCRIPT.encode())
    extension, type_ = ("citext", "citext") if version == 15 else ("vector", "vector(3)")
    connection.execute(f'CREATE EXTENSION {extension} SCHEMA "odd: %s"'.encode())
    connection.execute(f'CREATE TABLE app.extended (value "odd: %s".{type_})'.encode())


@pytest.fixture
def restored(
    database: psycopg.Connection[Any], database_url: URL, server: Server
) -> Iterator[psycopg.Connection[Any]]:
    """A connection to what a dump of that database makes."""
    assert server.bindir is not None
    with scratch.database(server) as url:
        old, new = (
            each.set(drivername="postgresql").render_as_string(hide_password=False)
            for each in (database_url, url)
        )
        script = subprocess.run(
            [server.bindir / "pg_dump", old], capture_output=True, check=True
        ).stdout
        subprocess.run(
            [server.bindir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", new],
            input=script,
            capture_output=True,
            check=True,
        )
        with scratch.connect(url) as connection:
            yield connection


def _titles(drifts: list[Drift]) -> list[str]:
    return [f"{each.kind} {each.name}" for each in drifts]


def test_description_holds_some_of_everything(database: psycopg.Connection[Any]) -> None:
    described = describe(database, VERSION_TABLE)
    assert {each.kind for each in described} == set(
        "aggregate,cast,collation,comment,constraint,default,default privileges,domain,"
        "event trigger,extension,foreign data wrapper,function,grant,index,materialized view,"
        "operator,operator class,operator family,policy,procedure,publication,rule,schema,"
        "sequence,server,statistics,table,text search configuration,text search dictionary,"
        "trigger,type,user mapping,view".split(",")
    )
    assert len({(each.kind, each.name) for each in described}) == len(described)
    assert not [each for each in described if "own" in each.name and "version" in each.name]
    assert not [each for each in described if "secret" in each.definition]
    text = "\n".join(f"{each.name} {each.definition}" for each in described)
    assert "16384" not in text
    left_in = _titles(drift(described, describe(database, None)))
    assert left_in == [
        'comment on table app."Alembic ""own"" version"',
        'constraint alembic_version_pkc on app."Alembic ""own"" version"',
        'grant table app."Alembic ""own"" version" to description_reader',
        'table app."Alembic ""own"" version"',
    ]


@pytest.mark.postgres(16)
def test_description_does_not_depend_on_the_session(database: psycopg.Connection[Any]) -> None:
    before = describe(database, VERSION_TABLE)
    settings = {
        "search_path": '"odd: %s", app',
        "TimeZone": "Asia/Tokyo",
        "DateStyle": "SQL, DMY",
        "IntervalStyle": "sql_standard",
        "quote_all_identifiers": "on",
    }
    for name, value in settings.items():
        database.execute("SELECT set_config(%s, %s, false)", (name, value))
    assert describe(database, VERSION_TABLE) == before
    with database.transaction():
        database.execute("CREATE TEMPORARY TABLE log (id integer PRIMARY KEY)")
        assert describe(database, VERSION_TABLE) == before
    with database.transaction(force_rollback=True):
        database.execute("SET LOCAL ROLE description_reader")
        assert describe(database, VERSION_TABLE) == before
    now = {name: database.execute(f"SHOW {name}".encode()).fetchone() for name in settings}
    assert now == {name: (value,) for name, value in settings.items()}
    assert database.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_restored_dump_is_no_drift(
    database: psycopg.Connection[Any],
    restored: psycopg.Connection[Any],
    server: Server,
    pg_version: int,
) -> None:
    chain, trip = describe(database, VERSION_TABLE), describe(restored, VERSION_TABLE)
    assert _titles(drift(chain, trip)) == [
        "constraint parent_code_check on app.parent",
        "index app.parent_code",
    ]
    assert drift(chain, trip, also=trip) == []
    assert drift(chain, chain, also=trip) == []
    with scratch.database(server) as url, scratch.connect(url) as again:
        _fill(again, pg_version)
        assert describe(again, VERSION_TABLE) == chain
    statement = look(chain, trip, pg_version, VERSION_TABLE)
    for connection in (database, restored):
        connection.execute(statement.encode())


def test_each_change_is_a_drift_of_its_own(database: psycopg.Connection[Any]) -> None:
    before = describe(database, VERSION_TABLE)
    found = []
    for change, _ in CHANGES:
        with database.transaction(force_rollback=True):
            database.execute(change)
            found.append((change, _titles(drift(before, describe(database, VERSION_TABLE)))))
    assert found == CHANGES


@pytest.mark.postgres(16)
def test_look_names_what_is_there_in_another_form(
    database: psycopg.Connection[Any], pg_version: int
) -> None:
    described = describe(database, VERSION_TABLE)
    known = _titles(drift([], described))
    statement = look(described, (), pg_version, VERSION_TABLE).encode()
    database.execute("SET search_path = app; SET TimeZone = 'Asia/Tokyo'")
    database.execute(statement)
    assert database.execute("SHOW search_path").fetchone() == ("app",)
    assert database.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
    for change, names in CHANGES[::3]:
        with database.transaction(force_rollback=True):
            database.execute(change)
            there = _titles(drift([], describe(database, VERSION_TABLE)))
            wanted = [name for name in there if name in names and name in known]
            if not wanted:
                database.execute(statement)
                continue
            with pytest.raises(psycopg.errors.RaiseException) as raised:
                database.execute(statement)
            message = raised.value.diag.message_primary
            assert message is not None
            first, *rest = message.split("\n")
            assert first.startswith(f"{len(wanted)} of what this revision makes is there already")
            assert [line.split(" is ")[0] for line in rest] == wanted


@pytest.mark.postgres(16)
def test_look_passes_over_what_is_missing_or_nobody_expects(
    database: psycopg.Connection[Any], server: Server
) -> None:
    described = describe(database, VERSION_TABLE)
    statement = look(described, (), 16, VERSION_TABLE)
    with scratch.database(server) as url, scratch.connect(url) as empty:
        empty.execute(statement.encode())
        empty.execute("CREATE TABLE other (id integer); COMMENT ON TABLE other IS 'mine'")
        empty.execute(statement.encode())
        empty.execute(look([], [], 16, None).encode())
    # It goes into a revision as a raw string, through drivers and offline mode.
    assert "%" not in statement and '"""' not in statement


@pytest.mark.postgres(16)
def test_look_lists_twenty(connection: psycopg.Connection[Any]) -> None:
    for number in range(25):
        connection.execute(f"CREATE TABLE t{number:02} (a integer)".encode())
    wanted = [Object("table", f"public.t{number:02}", "TABLE") for number in range(25)]
    with pytest.raises(psycopg.errors.RaiseException) as raised:
        connection.execute(look(wanted, [], 16, None).encode())
    message = raised.value.diag.message_primary
    assert message is not None
    first, *rest = message.split("\n")
    assert first.startswith("25 of what")
    assert rest == [f"table public.t{number:02} is TABLE   a integer" for number in range(20)]


@pytest.mark.postgres(16)
def test_views_of_another_major_version_are_known_by_their_columns(
    database: psycopg.Connection[Any],
) -> None:
    described = describe(database, VERSION_TABLE)
    reworded = [
        Object(each.kind, each.name, each.definition + " -- in other words")
        if each.kind in VIEWS
        else each
        for each in described
    ]
    views = _titles(drift(described, reworded))
    assert views == [
        "materialized view app.counted",
        'rule "no: more" on app.base',
        'view app."View: all"',
    ]
    assert drift(described, reworded, same_major=False) == []
    database.execute(look(reworded, [], 15, VERSION_TABLE).encode())
    with pytest.raises(psycopg.errors.RaiseException, match=r"^3 of what"):
        database.execute(look(reworded, [], 16, VERSION_TABLE).encode())
    database.execute('ALTER VIEW app."View: all" RENAME what TO "what: else"')
    with pytest.raises(psycopg.errors.RaiseException, match=r"^1 of what"):
        database.execute(look(reworded, [], 15, VERSION_TABLE).encode())


@pytest.mark.postgres(18)
def test_major_versions_agree_but_for_what_only_one_of_them_keeps(
    connection: psycopg.Connection[Any], servers: Callable[[int], Server]
) -> None:
    script = ROLES + SCRIPT + "ALTER TABLE app.base RENAME a TO renamed"
    connection.execute(script.encode())
    new = describe(connection, VERSION_TABLE)
    with scratch.database(servers(16)) as url, scratch.connect(url) as older:
        older.execute(script.encode())
        old = describe(older, VERSION_TABLE)
        older.execute(look(new, [], 18, VERSION_TABLE).encode())
    assert "constraint base_a_not_null on app.base" in _titles(drift(old, new))
    assert drift(old, new, same_major=False) == drift(new, old, same_major=False) == []
    connection.execute(look(old, [], 16, VERSION_TABLE).encode())


def test_diff_shows_both_sides() -> None:
    expected = [Object("table", "a", "TABLE\n  x\n  y"), Object("view", "gone", "(b)\n\x1b[2J")]
    found = [Object("schema", "new\n", "exists"), Object("table", "a", "TABLE\n  x\n  z")]
    assert as_diff(drift(expected, found)) == [
        "--- schema new\\n (not expected)",
        "+++ schema new\\n",
        "@@ -0,0 +1 @@",
        "+exists",
        "--- table a",
        "+++ table a",
        "@@ -1,3 +1,3 @@",
        " TABLE",
        "   x",
        "-  y",
        "+  z",
        "--- view gone",
        "+++ view gone (not there)",
        "@@ -1,2 +0,0 @@",
        "-(b)",
        "-\\x1b[2J",
    ]


def test_nothing_expected_is_not_what_is_as_good() -> None:
    one = Object("schema", "one", "exists")
    assert drift([], [one]) == [Drift("schema", "one", None, "exists")]
    assert drift([], [one], also=[one]) == []
    assert drift([one], [], also=[one]) == [Drift("schema", "one", "exists", None)]
