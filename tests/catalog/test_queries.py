"""The catalog as it is read: everything there, by a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Connection, create_engine, event

from alembic_fixups import catalog
from alembic_fixups.catalog import Catalog, Column, Move, Relation, Sequence

SCHEMA = """
CREATE SCHEMA other;
CREATE TYPE other.mood AS ENUM ('sad', 'ok');
CREATE TABLE public.parent (id int PRIMARY KEY, tenant int NOT NULL, spare int);
ALTER TABLE public.parent DROP COLUMN spare;
CREATE TABLE other.child (
  id int, tenant int, parent_id int,
  CONSTRAINT late UNIQUE (id) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT single FOREIGN KEY (parent_id) REFERENCES public.parent
    ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON CONSTRAINT single ON other.child IS 'why';
CREATE UNIQUE INDEX wide ON public.parent (id, tenant) INCLUDE (id);
CREATE INDEX partial ON public.parent (tenant) WHERE id > 0;
CREATE INDEX expression ON public.parent ((tenant + 1), id);
ALTER TABLE other.child
  ADD CONSTRAINT composite FOREIGN KEY (tenant, parent_id) REFERENCES public.parent (tenant, id)
    ON DELETE SET NULL (parent_id) NOT VALID;
CREATE TABLE public.parts (a int, b int) PARTITION BY LIST (b);
CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES IN (1);
CREATE VIEW public.seen AS SELECT 1 AS one;
CREATE TABLE other.parent (id int);
"""

NAMED = """
CREATE SCHEMA other;
CREATE SCHEMA empty;
CREATE TYPE other.mood AS ENUM ('ok', 'sad');
ALTER TYPE other.mood ADD VALUE 'middling' BEFORE 'sad';
CREATE TYPE public.nothing AS ENUM ();
CREATE DOMAIN public.size AS int CHECK (VALUE > 0);
CREATE DOMAIN other.big AS public.size;
CREATE SEQUENCE other.lone;
CREATE SEQUENCE public.default_only;
CREATE TABLE public.things (
  id serial PRIMARY KEY,
  made int GENERATED ALWAYS AS IDENTITY,
  lone bigint DEFAULT nextval('other.lone'),
  doubled bigint DEFAULT 2 * nextval('public.default_only'),
  constant int DEFAULT 5,
  plain int,
  one other.mood,
  several other.mood[],
  wide other.big,
  sizes public.size[]
);
CREATE TABLE other.things (id serial PRIMARY KEY);
CREATE TABLE other.lender (id int DEFAULT nextval('public.things_id_seq'));
"""
"""Sequences, enum types and domains."""


@pytest.fixture
def named(
    database_url: URL, connection: psycopg.Connection[tuple[Any, ...]]
) -> Iterator[Connection]:
    """A connection to a database with sequences and types."""
    connection.execute(NAMED)  # type: ignore[arg-type]
    engine = create_engine(database_url)
    with engine.connect() as made:
        yield made
    engine.dispose()


def relation(found: Catalog, schema: str | None, name: str) -> Relation:
    """The relation, which is there."""
    it = found.find(schema, name)
    assert it is not None
    return it


def sequence(found: Catalog, schema: str, name: str) -> Sequence:
    """The sequence, which is there."""
    it = found.find_sequence(schema, name)
    assert it is not None
    return it


@pytest.fixture
def reading(
    database_url: URL, connection: psycopg.Connection[tuple[Any, ...]]
) -> Iterator[Connection]:
    """A connection to a database with a bit of everything."""
    connection.execute(SCHEMA)  # type: ignore[arg-type]
    engine = create_engine(database_url)
    with engine.connect() as made:
        yield made
    engine.dispose()


def test_what_is_there_is_found(reading: Connection) -> None:
    found = catalog.read(reading)
    parent, child = found.find("public", "parent"), found.find("other", "child")
    assert parent is not None
    assert child is not None
    assert list(parent.columns) == ["id", "tenant"]
    assert parent.primary_key == ("id",)
    by_name = {index.name: index for index in parent.indexes}
    assert by_name["wide"].columns == ("id", "tenant")
    assert by_name["wide"].is_key_of(("tenant", "id"))
    assert by_name["partial"].partial
    assert not by_name["partial"].covers(("tenant",))
    assert by_name["expression"].columns == (None, "id")
    assert by_name["wide"].covers(("id",))
    assert not by_name["wide"].covers(("tenant",))

    composite, single = child.foreign_keys
    assert composite.referred == single.referred == parent.oid
    assert composite.pairs == {("tenant", "tenant"), ("parent_id", "id")}
    assert composite.set_columns == ("parent_id",)
    assert not composite.validated
    assert (single.on_delete, single.on_update) == ("SET NULL", "CASCADE")
    assert single.deferrable and single.initially_deferred and single.validated
    assert single.comment == "why"
    [late] = [index for index in child.indexes if index.name == "late"]
    assert not late.immediate
    assert not late.is_key_of(("id",))
    assert found.enums == {("other", "mood"): ("sad", "ok")}
    parts = found.find("public", "parts")
    assert parts is not None
    assert (parts.kind, parts.partition_key) == ("p", ("b",))
    assert found.find("public", "parts_1").partition_of == parts.oid  # type: ignore[union-attr]
    assert parent.partition_of is None
    assert found.find("public", "seen").kind == "v"  # type: ignore[union-attr]


def test_a_bare_name_is_what_the_search_path_finds(reading: Connection) -> None:
    assert catalog.read(reading).find(None, "parent").schema == "public"  # type: ignore[union-attr]
    reading.exec_driver_sql("SET search_path = other, public")
    found = catalog.read(reading)
    assert found.find(None, "parent").schema == "other"  # type: ignore[union-attr]
    assert found.find("public", "parent").name == "parent"  # type: ignore[union-attr]
    assert found.find(None, "nothing") is None


def test_the_number_of_queries_is_fixed(reading: Connection) -> None:
    def count() -> int:
        seen: list[str] = []

        def note(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(reading, "before_cursor_execute", note)
        catalog.read(reading)
        event.remove(reading, "before_cursor_execute", note)
        return len(seen)

    few = count()
    for number in range(30):
        reading.exec_driver_sql(f"CREATE TABLE t{number} (id int PRIMARY KEY, b int UNIQUE)")
    assert count() == few == 8


def test_the_schemas_are_all_but_the_systems(named: Connection) -> None:
    named.exec_driver_sql("CREATE TEMPORARY TABLE mine ()")
    named.exec_driver_sql("SET search_path = nowhere, other, pg_catalog, public")
    found = catalog.read(named)
    assert set(found.schemas) == {"public", "other", "empty"}
    assert [name for name in found.schemas_on_path if name != "pg_catalog"] == ["other", "public"]


def test_a_sequence_knows_the_table_that_it_belongs_to(named: Connection) -> None:
    found = catalog.read(named)
    things = relation(found, "public", "things")
    assert sequence(found, "public", "things_id_seq").owner == things.oid
    assert sequence(found, "public", "things_made_seq").owner == things.oid
    assert sequence(found, "other", "things_id_seq").owner == relation(found, "other", "things").oid
    assert sequence(found, "other", "lone").owner is None
    assert sequence(found, "public", "default_only").owner is None
    assert found.find_sequence("public", "lone") is None
    assert len(found.sequences) == 5


def test_an_owner_that_was_given_later_and_one_that_was_taken_away(named: Connection) -> None:
    named.exec_driver_sql("ALTER SEQUENCE public.default_only OWNED BY public.things.plain")
    named.exec_driver_sql("ALTER SEQUENCE public.things_id_seq OWNED BY NONE")
    found = catalog.read(named)
    things = relation(found, "public", "things")
    assert sequence(found, "public", "default_only").owner == things.oid
    assert sequence(found, "public", "things_id_seq").owner is None
    assert things.columns["id"].sequence == sequence(found, "public", "things_id_seq").oid
    assert things.columns["plain"].sequence is None


def test_a_column_knows_the_sequence_of_its_default(named: Connection) -> None:
    found = catalog.read(named)
    columns = relation(found, "public", "things").columns
    assert columns["id"].sequence == sequence(found, "public", "things_id_seq").oid
    assert columns["lone"].sequence == sequence(found, "other", "lone").oid
    assert columns["doubled"].sequence == sequence(found, "public", "default_only").oid
    assert columns["made"].sequence is columns["constant"].sequence is None
    [lent] = relation(found, "other", "lender").columns.values()
    assert lent.sequence == columns["id"].sequence


def test_a_column_knows_the_enum_type_or_domain_that_it_is_of(named: Connection) -> None:
    found = catalog.read(named)
    columns = relation(found, "public", "things").columns
    assert {name: column.named for name, column in columns.items() if column.named} == {
        "one": ("other", "mood"),
        "several": ("other", "mood"),
        "wide": ("other", "big"),
        "sizes": ("public", "size"),
    }


@pytest.mark.postgres(15)
def test_a_column_knows_the_schema_of_operators_that_an_extension_brings(
    named: Connection,
) -> None:
    named.exec_driver_sql("CREATE EXTENSION citext WITH SCHEMA other")
    named.exec_driver_sql("CREATE TABLE odd (one other.citext)")
    columns = relation(catalog.read(named), "public", "odd").columns
    assert columns["one"] == Column(False, "citext", "other", ("pg_catalog", "default"))


def test_enum_types_have_their_labels_in_order_and_domains_are_beside_them(
    named: Connection,
) -> None:
    found = catalog.read(named)
    assert found.enums == {("other", "mood"): ("ok", "middling", "sad"), ("public", "nothing"): ()}
    assert found.domains == {("public", "size"), ("other", "big")}
    assert found.types == set(found.enums) | found.domains


def test_what_belongs_to_an_extension_is_marked(named: Connection) -> None:
    named.exec_driver_sql("ALTER EXTENSION plpgsql ADD TABLE public.things")
    found = catalog.read(named)
    assert relation(found, "public", "things").extension
    assert not relation(found, "other", "things").extension


def test_a_moved_table_takes_its_own_sequences_along_and_no_other(named: Connection) -> None:
    """What the catalog foretells is what PostgreSQL does."""
    found = catalog.read(named)
    things = relation(found, "public", "things")
    found.move(Move("table", "public", "things", "empty"))
    assert found.find("public", "things") is None
    assert found.find("empty", "things") is things
    assert relation(found, "other", "things") is not things
    named.exec_driver_sql("ALTER TABLE public.things SET SCHEMA empty")
    assert_foretold(named, found)


def test_a_moved_type_or_sequence_is_where_its_columns_find_it(named: Connection) -> None:
    found = catalog.read(named)
    found.move(Move("type", "other", "mood", "empty"))
    found.move(Move("type", "public", "size", "empty"))
    found.move(Move("sequence", "public", "default_only", "empty"))
    named.exec_driver_sql("ALTER TYPE other.mood SET SCHEMA empty")
    named.exec_driver_sql("ALTER DOMAIN public.size SET SCHEMA empty")
    named.exec_driver_sql("ALTER SEQUENCE public.default_only SET SCHEMA empty")
    assert_foretold(named, found)


def assert_foretold(connection: Connection, foretold: Catalog) -> None:
    """Asserts that the catalog, read again, has every name where *foretold* has it."""
    now = catalog.read(connection)
    assert {oid: (one.schema, one.name) for oid, one in now.relations.items()} == {
        oid: (one.schema, one.name) for oid, one in foretold.relations.items()
    }
    assert now.sequences == foretold.sequences
    assert now.enums == foretold.enums
    assert now.domains == foretold.domains
    for oid, one in now.relations.items():
        assert foretold.find(one.schema, one.name) is foretold.relations[oid]


CHECKED = """
CREATE TABLE t (a int, b int, "C d" text,
  CONSTRAINT pair CHECK (a < b) NO INHERIT,
  CONSTRAINT listed CHECK ("C d" IN ('x', 'y')));
CREATE TABLE whole (a int, CHECK (whole IS NOT NULL));
ALTER TABLE t ADD CONSTRAINT late CHECK (a > 0) NOT VALID;
COMMENT ON CONSTRAINT pair ON t IS 'why';
CREATE TABLE child () INHERITS (t);
CREATE TABLE parts (n int CONSTRAINT own CHECK (n > 0)) PARTITION BY LIST (n);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
CREATE DOMAIN count AS int CONSTRAINT count_ok CHECK (VALUE > 1);
ALTER DOMAIN count ADD CONSTRAINT count_late CHECK (VALUE < 9) NOT VALID;
COMMENT ON CONSTRAINT count_ok ON DOMAIN count IS 'domain';
CREATE DOMAIN free AS text;
"""


def test_checks_are_as_postgresql_shows_them(named: Connection) -> None:
    named.exec_driver_sql(CHECKED)
    found = catalog.read(named)
    checks = {check.name: check for check in relation(found, "public", "t").checks}
    assert list(checks) == ["late", "listed", "pair"]
    pair = checks["pair"]
    assert (pair.columns, pair.no_inherit, pair.validated, pair.comment) == (
        ("a", "b"),
        True,
        True,
        "why",
    )
    assert not checks["late"].validated
    assert checks["listed"].columns == ("C d",)
    shown = named.exec_driver_sql("SELECT oid, pg_get_constraintdef(oid) FROM pg_constraint")
    definitions = {row[0]: row[1] for row in shown}
    everywhere = [check for one in found.relations.values() for check in one.checks]
    everywhere += [check for domain in found.domain_checks.values() for check in domain.checks]
    assert len(everywhere) == 3 + 1 + 2 + 2 + 3
    assert all(check.definition == definitions[check.oid] for check in everywhere)
    assert not any(check.inherited for check in checks.values())
    assert all(check.inherited for check in relation(found, "public", "child").checks)
    assert [check.inherited for check in relation(found, "public", "part").checks] == [True]

    count = found.domain_checks["public", "count"]
    assert [(check.name, check.validated, check.comment) for check in count.checks] == [
        ("count_late", False, None),
        ("count_ok", True, "domain"),
    ]
    assert found.domain_checks["public", "free"].checks == []
    found.move(Move("type", "public", "free", "other"))
    assert ("other", "free") in found.domain_checks


@pytest.mark.postgres(18)
def test_a_check_that_is_not_enforced(named: Connection) -> None:
    named.exec_driver_sql("CREATE TABLE t (a int CONSTRAINT off CHECK (a > 0) NOT ENFORCED)")
    [check] = relation(catalog.read(named), "public", "t").checks
    assert not check.enforced
    assert check.definition == "CHECK ((a > 0)) NOT ENFORCED"
