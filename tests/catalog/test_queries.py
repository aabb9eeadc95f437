"""The catalog as it is read: everything there, by a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Connection, create_engine, event

from alembic_fixups import catalog

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
    assert found.relations[found.find("public", "parts_1").oid].partition  # type: ignore[union-attr]
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
    assert count() == few == 6
