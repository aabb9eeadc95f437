"""Every type gets its edges, and the rest plausible values."""

from __future__ import annotations

import psycopg
import pytest

from tests.prove.made_up.rows import (
    Connection,
    complete,
    filled,
    number,
    without_null_or_value,
)

BASE = (
    "bool int2 int4 int8 float4 float8 numeric numeric(5,2) numeric(3,-2) numeric(2,4) money text"
    ' varchar varchar(3) varchar(300) char char(5) name "char" bytea date timestamp timestamp(0)'
    " timestamptz time timetz interval uuid json jsonb jsonpath inet cidr macaddr macaddr8 point"
    " line lseg box path polygon circle bit bit(5) varbit varbit(4) tsvector tsquery oid xid xid8"
    " cid tid pg_lsn pg_snapshot int2vector oidvector regclass regtype regproc regrole regnamespace"
    " regconfig refcursor int4range int8range numrange daterange tsrange tstzrange int4multirange"
    " datemultirange mood positive pair wrapped"
).split()

TYPES = """
CREATE TYPE mood AS ENUM ('', 'it''s "fine"', 'zwölf, {x}');
CREATE DOMAIN positive AS numeric(6,2) CHECK (VALUE > 0 AND VALUE <= 50);
CREATE DOMAIN code AS text NOT NULL CHECK (VALUE ~ '^[A-Z]{2}-[0-9]{3,4}$');
CREATE TYPE pair AS (a int, "b ""c" text, d mood[]);
CREATE DOMAIN wrapped AS pair CHECK ((VALUE).a IS NULL OR (VALUE).a < 1000000);
CREATE TYPE span AS RANGE (subtype = float8);
"""


@pytest.fixture
def database(connection: Connection) -> Connection:
    """With types of its own."""
    connection.execute(TYPES)
    return connection


def test_every_type(database: Connection, pg_version: int) -> None:
    types = [*BASE, "span", *(f"{name}[]" for name in BASE if "vector" not in name)]
    if pg_version != 15:
        database.execute("CREATE EXTENSION vector")
        types += ["vector(3)", "vector", "halfvec(4)", "sparsevec(5)", "vector(2)[]"]
    else:
        types += ["xml", "xml[]"]
        for extension in ("hstore", "citext", "ltree"):
            database.execute(f"CREATE EXTENSION {extension}")
            types += [extension, f"{extension}[]"]
    columns = ", ".join(f"c{position} {name}" for position, name in enumerate(types))
    needed = ", ".join(f"c{position} {name} NOT NULL" for position, name in enumerate(types))
    database.execute(f"CREATE TABLE loose (id serial PRIMARY KEY, {columns})")
    database.execute(f"CREATE TABLE tight (id serial PRIMARY KEY, {needed}, k code)")
    complete(database)
    assert without_null_or_value(database, "loose") == []
    for position, name in enumerate(types):
        if name not in ("bool", "char", "bit", "mood"):
            query = f"SELECT count(DISTINCT concat(c{position})) FROM tight"
            assert number(database, query) >= 2, name


@pytest.mark.postgres(16)
def test_the_edges_are_there(database: Connection) -> None:
    database.execute(
        "CREATE EXTENSION vector;"
        "CREATE TABLE t (i int, n numeric(4,1), f float8, s varchar(7), s2 text, b bytea, d date,"
        " ts timestamptz, j jsonb, a int[], r int4range, v vector(3), h halfvec(2), m mood)"
    )
    complete(database, rows=40)
    for condition in (
        "i = 0",
        "i = -1",
        "i = 2147483647",
        "i = -2147483648",
        "n = 999.9",
        "n = -999.9",
        "n = 0.1",
        "n = 'NaN'",
        "f = 'NaN'",
        "f = '-Infinity'",
        "s = ''",
        "length(s) = 7 AND s = repeat('x', 7)",
        "length(s2) > 50000",
        "s2 LIKE '%''%'",
        "position('\\' in s2) > 0",
        "position('%' in s2) > 0",
        "octet_length(s2) > length(s2)",
        "position('\\x00'::bytea in b) > 0",
        "d = '2024-02-29'",
        "d < '0001-01-01 BC'",
        "d = 'infinity'",
        "ts = 'infinity'",
        "j = 'null'",
        "j = '{}'",
        "j ->> 'a' LIKE '{%'",
        "a = '{}'",
        "array_ndims(a) = 2",
        "array_lower(a, 1) = 0",
        "a = '{NULL}'",
        "isempty(r)",
        "lower_inf(r) AND NOT isempty(r)",
        "m = ''",
    ):
        assert number(database, f"SELECT count(*) FROM t WHERE {condition}") > 0, condition
    assert number(database, "SELECT count(*) FROM t WHERE v = '[0,0,0]' OR h = '[0,0]'") == 0


@pytest.mark.postgres(16)
def test_a_type_that_nobody_knows(connection: Connection) -> None:
    # Another's base type, by its own name; its functions are those of text.
    connection.execute(
        """
        CREATE TYPE riddle;
        CREATE FUNCTION riddle_in(cstring) RETURNS riddle LANGUAGE internal IMMUTABLE STRICT
            AS 'textin';
        CREATE FUNCTION riddle_out(riddle) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT
            AS 'textout';
        CREATE TYPE riddle (INPUT = riddle_in, OUTPUT = riddle_out, LIKE = text);
        CREATE TABLE a (id int PRIMARY KEY, x riddle);
        CREATE TABLE b (id int PRIMARY KEY, x riddle NOT NULL DEFAULT 'y');
        CREATE TABLE c (id int PRIMARY KEY, x riddle NOT NULL);
        """
    )
    outcomes = filled(connection)
    assert [outcomes[f"public.{name}"].rows for name in "abc"] == [20, 20, 0]
    assert "riddle" in outcomes["public.c"].problem


@pytest.mark.postgres(16)
def test_a_domain_that_takes_nothing(connection: Connection) -> None:
    connection.execute(
        "CREATE DOMAIN nothing AS int CHECK (VALUE > 3 AND VALUE < 2);"
        "CREATE TABLE t (id serial, x nothing NOT NULL); CREATE TABLE u (id serial, x nothing)"
    )
    outcomes = filled(connection)
    assert outcomes["public.t"].rows == 0
    assert "nothing" in outcomes["public.t"].problem
    assert outcomes["public.u"].rows == 20
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO u (x) VALUES (1)")
