"""Rows are made to fit what refuses them, and where none fits the table says so."""

from __future__ import annotations

import pytest

from tests.prove.made_up.rows import (
    Connection,
    complete,
    filled,
    number,
    revalidated,
    without_null_or_value,
)

pytestmark = pytest.mark.postgres(16)


def test_checks(connection: Connection) -> None:
    connection.execute(
        r"""
        CREATE TABLE orders (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            status text NOT NULL CHECK (status IN ('new', 'it''s paid', 'sent')),
            begins date NOT NULL, ends date, CHECK (ends > begins),
            amount numeric(12,2) CHECK (amount > 0 AND amount < 100),
            email varchar(60) CHECK (email LIKE '%@%.__'),
            sku text NOT NULL UNIQUE CHECK (sku ~ '^[A-Z]{3}-\d{4}(-[[:alpha:]]+)?$'),
            country char(2) NOT NULL CHECK (country = upper(country) AND length(country) = 2),
            pin text CHECK (char_length(pin) BETWEEN 4 AND 6),
            percent real CHECK (percent >= 0 AND percent <= 1),
            a int, b int, c int, CHECK (num_nonnulls(a, b, c) = 1),
            net int NOT NULL, tax int NOT NULL, total int NOT NULL, CHECK (total = net + tax),
            since timestamptz CHECK (since >= '2024-01-01' AND since < '2024-02-01'),
            tags text[] CHECK (tags <@ ARRAY['red', 'green'] AND cardinality(tags) > 0),
            settings jsonb CHECK (jsonb_typeof(settings) = 'object' AND settings ? 'plan'),
            during tstzrange CHECK (NOT isempty(during) AND NOT lower_inf(during)),
            far int NOT NULL CHECK (far BETWEEN 1000000 AND 1000100), double_far int NOT NULL,
            CHECK (double_far = far * 2),
            kind text NOT NULL CHECK (kind IN ('a', 'b')), CHECK ((kind = 'a') = (pin IS NOT NULL)),
            digest text NOT NULL CHECK (length(digest) = 64),
            url text CHECK (url ~* '^https?://[^/]+(/.*)?$'),
            port int NOT NULL,
            twice int GENERATED ALWAYS AS (port * 2) STORED,
            share numeric GENERATED ALWAYS AS (1000 / nullif(port - 80, 1)) STORED
        );
        ALTER TABLE orders ADD CONSTRAINT later CHECK (port BETWEEN 1 AND 65535) NOT VALID;
        """
    )
    complete(connection)
    assert revalidated(connection) == 21
    assert without_null_or_value(connection, "orders") == []
    assert number(connection, "SELECT count(DISTINCT status) FROM orders") == 3
    assert number(connection, "SELECT max(id) FROM orders") <= number(
        connection, "SELECT last_value FROM orders_id_seq"
    )


def test_unique_keys_and_exclusion(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE one (a bool NOT NULL, b smallint NOT NULL, c text, d int, PRIMARY KEY (a, b),
                          UNIQUE NULLS NOT DISTINCT (c));
        CREATE UNIQUE INDEX ON one (lower(c), d);
        CREATE UNIQUE INDEX ON one (d) WHERE a;
        CREATE TABLE bookings (id serial PRIMARY KEY, room int4range NOT NULL, during daterange,
            EXCLUDE USING gist (room WITH &&, during WITH &&));
        CREATE TABLE parents (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
        CREATE TABLE profiles (parent uuid NOT NULL UNIQUE REFERENCES parents, x text);
        """
    )
    complete(connection)
    assert number(connection, "SELECT count(*) FROM bookings") == 20


def test_partitions(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE events (at timestamptz NOT NULL, kind text, x int) PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')
            PARTITION BY LIST (kind);
        CREATE TABLE events_2a PARTITION OF events_2 FOR VALUES IN ('a', 'b''c');
        ALTER TABLE events_2a ADD CHECK (x > 5);
        CREATE TABLE hashed (id int PRIMARY KEY) PARTITION BY HASH (id);
        CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE nowhere (id int) PARTITION BY LIST (id);
        CREATE TABLE child (id serial PRIMARY KEY, hashed int REFERENCES hashed,
                            part int REFERENCES hashed_0);
        """
    )
    outcomes = filled(connection)
    assert {name: one.rows for name, one in outcomes.items()} == {
        "public.events": 20,
        "public.hashed": 20,
        "public.child": 20,
        "public.nowhere": 0,
    }
    assert "no partition" in outcomes["public.nowhere"].problem
    assert revalidated(connection) == 3


def test_what_cannot_be(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE never (id serial PRIMARY KEY, a int NOT NULL, b int NOT NULL,
                            CONSTRAINT "no way" CHECK (a > b AND b > a));
        CREATE TABLE few (flag bool NOT NULL CONSTRAINT few_flags UNIQUE);
        CREATE TABLE below (id serial PRIMARY KEY, never int NOT NULL REFERENCES never);
        CREATE TABLE beside (id serial PRIMARY KEY, never int REFERENCES never);
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''not today''; END';
        CREATE TABLE refused (id serial PRIMARY KEY, a int);
        CREATE TRIGGER refuse BEFORE INSERT ON refused FOR EACH ROW EXECUTE FUNCTION refuse();
        CREATE FUNCTION vanish() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TABLE vanished (id serial PRIMARY KEY, a int);
        CREATE TRIGGER vanish BEFORE INSERT ON vanished FOR EACH ROW EXECUTE FUNCTION vanish();
        """
    )
    outcomes = filled(connection)
    assert {name.removeprefix("public."): one.rows for name, one in outcomes.items()} == {
        "never": 0,
        "few": 2,
        "below": 0,
        "beside": 20,
        "refused": 0,
        "vanished": 0,
    }
    for name, part in {
        "never": "no way",
        "few": "few_flags",
        "below": "public.never",
        "beside": "",
        "refused": "not today",
        "vanished": "vanish",
    }.items():
        assert part in outcomes[f"public.{name}"].problem


def test_triggers(connection: Connection) -> None:
    connection.execute(
        """
        CREATE TABLE audit (id serial PRIMARY KEY, said text, at int);
        CREATE TABLE things (id serial PRIMARY KEY, kind text, size int, note text, more text);
        CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.kind IS NOT NULL AND NEW.kind NOT IN ('big', 'small') THEN
                RAISE EXCEPTION 'unknown kind';
            END IF;
            IF NEW.note = '' THEN RAISE EXCEPTION 'no note'; END IF;
            INSERT INTO audit (said) VALUES (NEW.kind);
            RETURN NEW;
        END $$;
        CREATE TRIGGER look BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION look();
        """
    )
    complete(connection)
    assert number(connection, "SELECT count(*) FROM audit") == 40
    assert without_null_or_value(connection, "things") == []
    assert number(connection, "SELECT count(DISTINCT kind) FROM things") == 2
