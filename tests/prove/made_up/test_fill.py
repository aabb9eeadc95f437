"""The whole: what is left alone, the same rows from the same seed, names, roles, a real schema."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.prove.made_up.rows import Connection, complete, contents, filled, number, revalidated
from tests.prove.made_up.test_keys import CIRCLES, TENANTS

SAMPLE = Path(__file__).parents[3] / "sample_project"

pytestmark = pytest.mark.postgres(16)


def test_what_is_left_alone(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
        CREATE SCHEMA s;
        CREATE TABLE s.my_versions (version_num text PRIMARY KEY);
        CREATE TABLE has_one (id int PRIMARY KEY, x text);
        INSERT INTO has_one VALUES (7);
        CREATE TABLE child (id int PRIMARY KEY, one int NOT NULL REFERENCES has_one);
        CREATE TEMP TABLE passing (id int);
        CREATE FOREIGN DATA WRAPPER w;
        CREATE SERVER far FOREIGN DATA WRAPPER w;
        CREATE FOREIGN TABLE elsewhere (id int) SERVER far;
        CREATE VIEW seen AS SELECT * FROM has_one;
        CREATE TABLE empty ();
        """
    )
    outcomes = filled(connection, rows=5)
    assert {name: one.rows for name, one in outcomes.items()} == {
        "public.child": 5,
        "public.empty": 5,
    }
    assert number(connection, "SELECT count(*) FROM has_one") == 1
    assert number(connection, "SELECT count(*) FROM child WHERE one = 7") == 5
    assert filled(connection) == {}, "now all have rows"


def test_the_seed_decides(
    connection: Connection, database_url: URL, server: scratch.Server
) -> None:
    script = (
        TENANTS
        + CIRCLES["nullable"]
        + """;
        CREATE TABLE things (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            at timestamptz DEFAULT now(), n numeric CHECK (n > 0 AND n < 5), kind text DEFAULT 'x',
            tags text[], during daterange, EXCLUDE USING gist (during WITH &&))
        """
    )
    found = []
    for seed in (5, 5, 6):
        with scratch.database(server) as url, scratch.connect(url) as other:
            # Other OIDs, and another order of what is in the catalogs.
            for count in range(len(found) * 7):
                other.execute(f"CREATE TABLE x{count} (id serial PRIMARY KEY)")
                other.execute(f"DROP TABLE x{count}")
            other.execute(script)
            complete(other, seed=seed)
            found.append(contents(other))
    assert found[0] == found[1]
    assert all(found[0][table] != found[2][table] for table in ("things", "clients"))


def test_hostile_names(connection: Connection) -> None:
    connection.execute(
        """
        CREATE SCHEMA "a""b'c";
        CREATE TYPE "a""b'c"."t y%pe" AS ENUM ('''); DROP TABLE x; --', '%s', '{}', E'\\\\');
        CREATE DOMAIN "a""b'c"."Do""main" AS int CHECK (VALUE > 0);
        CREATE TABLE "a""b'c"."ta%s {} ""ble" (
            "id""%" serial PRIMARY KEY, "select" "a""b'c"."t y%pe" NOT NULL,
            "d'" "a""b'c"."Do""main", "x:y" "a""b'c"."t y%pe"[],
            "c\\" text CONSTRAINT "c'h""%" CHECK ("c\\" IN ('%s', '{0}', 'a''b"c')));
        CREATE TABLE "a""b'c"."$1" ("%s" int REFERENCES "a""b'c"."ta%s {} ""ble", "" int);
        """.replace('"" int', '"\u00e4 $$" int')
    )
    complete(connection)
    assert revalidated(connection) == 2


def test_the_owner_can_do_it_too(connection: Connection, database_url: URL, owner: str) -> None:
    connection.execute(
        f"CREATE SCHEMA own AUTHORIZATION {owner}; CREATE TABLE others (id serial PRIMARY KEY)"
    )
    with scratch.connect(database_url) as theirs:
        theirs.execute(f"SET ROLE {owner}; SET search_path TO own")
        theirs.execute(TENANTS + CIRCLES["deferrable"])
        theirs.execute(
            "CREATE TABLE own.guarded (id serial PRIMARY KEY, x text);"
            "ALTER TABLE own.guarded ENABLE ROW LEVEL SECURITY;"
            "ALTER TABLE own.guarded FORCE ROW LEVEL SECURITY"
        )
        outcomes = filled(theirs)
        assert theirs.execute("SHOW search_path").fetchone() == ("own",)
    guarded = outcomes.pop("own.guarded")
    assert (guarded.rows, "row-level security" in guarded.problem) == (0, True)
    assert "permission denied" in outcomes.pop("public.others").problem
    assert {one.rows for one in outcomes.values()} == {20}
    assert len(outcomes) == 8


def test_the_sample_project(connection: Connection, database_url: URL, tmp_path: Path) -> None:
    folder = tmp_path / "fleetshift"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    address = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=folder,
        env={**os.environ, "DATABASE_URL": address},
        check=True,
        capture_output=True,
    )
    outcomes = filled(connection)
    assert [one for one in outcomes.values() if one.problem or one.rows != 20] == []
    assert len(outcomes) > 25
    connection.execute("SET search_path TO migration, public")
    children = connection.execute(
        """
        SELECT conrelid::regclass::text FROM pg_constraint JOIN pg_attribute
            ON attrelid = conrelid AND attname = 'client_account_id'
         WHERE contype = 'f' AND confrelid = 'engagements'::regclass AND conrelid <> confrelid
        """
    ).fetchall()
    names = [name for (name,) in children if f"migration.{name}" in outcomes]
    assert len(names) > 20
    for table in names:
        query = (
            f"SELECT count(*) FROM {table} x JOIN engagements e ON e.id = x.engagement_id WHERE "
        )
        assert number(connection, query + "x.client_account_id <> e.client_account_id") == 0
        assert number(connection, query + "x.client_account_id = e.client_account_id") > 5, table
    assert revalidated(connection) > 50


@pytest.mark.slow
def test_many_tables(connection: Connection) -> None:
    connection.execute(
        ";".join(
            f"CREATE TABLE t{count} (id serial PRIMARY KEY, a text, b int NOT NULL, c timestamptz,"
            f" d numeric(8,2) CHECK (d >= 0), parent int REFERENCES t{max(0, count - 7)})"
            for count in range(300)
        )
    )
    began = time.monotonic()
    complete(connection)
    assert time.monotonic() - began < 30, "seconds; a quarter of that on an idle machine"
