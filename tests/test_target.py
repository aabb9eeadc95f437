"""The copy of the models that fixups change: what is copied, where to, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    Uuid,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from alembic_fixups.target import Target
from tests.laws.describe import describe


def ident() -> Column[int]:
    """A primary key."""
    return Column("id", Integer, primary_key=True)


def shown(column: Column[Any]) -> str:
    """The type of a column as a CREATE TABLE has it."""
    return str(column.type.compile(dialect=postgresql.dialect()))


def as_written(_: ForeignKeyConstraint) -> None:
    """Leaves a foreign key as the models write it."""


def leads_to(table: Table, column: str = "other_id") -> Table:
    """The table that a column refers to, by way of its one foreign key."""
    [foreign_key] = table.c[column].foreign_keys
    assert foreign_key.constraint in table.foreign_key_constraints
    return foreign_key.column.table


def test_only_a_table_that_is_edited_is_copied_and_only_once() -> None:
    metadata = MetaData()
    Table("a", metadata, ident())
    Table("b", metadata, ident())
    target = Target(metadata)
    copied = target.editable("a")
    assert copied is not metadata.tables["a"]
    assert target.editable("a") is target.table("a") is copied
    assert target.table("b") is metadata.tables["b"]
    assert target.original(copied) is metadata.tables["a"]
    copied.append_column(Column("more", Integer))
    assert "more" not in metadata.tables["a"].c
    assert metadata.tables.keys() == target.tables.keys() == {"a", "b"}


TYPES: dict[str, Callable[[], TypeEngine[Any]]] = {
    "without a schema": lambda: Enum("x", name="mood"),
    "with another": lambda: Enum("x", name="mood", schema="other"),
    "with the table's": lambda: Enum("x", name="mood", schema="app"),
    "ENUM": lambda: postgresql.ENUM("x", name="mood", schema="other"),
    "domain": lambda: postgresql.DOMAIN("size", Integer, schema="other"),
    "array": lambda: ARRAY(Enum("x", name="mood", schema="other")),
    "array without": lambda: ARRAY(Enum("x", name="mood")),
    "not native": lambda: Enum("x", name="mood", native_enum=False, length=5),
    "plain": lambda: String(5),
}


@pytest.mark.parametrize("schema", [None, "app"])
@pytest.mark.parametrize("kind", TYPES)
def test_a_copied_table_has_its_types_where_they_were(kind: str, schema: str | None) -> None:
    """SQLAlchemy puts the types of a copied table into the schema of the table."""
    metadata = MetaData()
    Table("t", metadata, ident(), Column("mood", TYPES[kind]()), schema=schema)
    [key] = metadata.tables
    before = shown(metadata.tables[key].c.mood)
    assert shown(Target(metadata).editable(key).c.mood) == before
    assert shown(Target(metadata).place(key, "elsewhere", as_written).c.mood) == before
    assert shown(metadata.tables[key].c.mood) == before


def test_a_copied_column_has_the_type_that_it_got_from_its_foreign_key() -> None:
    metadata = MetaData()
    Table("a", metadata, Column("id", Uuid, primary_key=True))
    Table("b", metadata, ident(), Column("other_id", ForeignKey("a.id")))
    Table("c", metadata, ident(), Column("other_id", ForeignKey("b.other_id")))
    target = Target(metadata)
    for key in ("c", "b", "a"):
        target.editable(key)
    assert shown(target.table("c").c.other_id) == shown(target.table("b").c.other_id) == "UUID"
    assert leads_to(target.table("c")) is target.table("b")
    assert leads_to(target.table("b")) is target.table("a")


def test_a_table_that_is_edited_can_be_placed_and_edited_again() -> None:
    metadata = MetaData()
    Table("a", metadata, ident())
    target = Target(metadata)
    target.editable("a").append_column(Column("more", Integer))
    placed = target.place("a", "app", as_written)
    assert placed.key == "app.a" and "more" in placed.c
    assert target.editable("app.a") is placed
    assert target.original(placed) is metadata.tables["a"]
    assert "a" not in target and "app.a" in target
    assert list(target.tables) == ["app.a"]


def test_what_is_placed_is_found_by_its_new_name() -> None:
    metadata = MetaData()
    Table("a", metadata, ident(), Column("n", Integer), Index("ix", "n"))
    target = Target(metadata)
    assert target.find(None, "a") == target.find("public", "a") == "a"
    assert target.index_owners == {(None, "ix"): "a"}
    target.place("a", "app", as_written)
    assert target.find("app", "a") == "app.a"
    assert target.find("public", "a") is None
    assert target.index_owners == {("app", "ix"): "app.a"}


def test_a_table_is_placed_with_its_references_as_they_are_told() -> None:
    metadata = MetaData()
    Table("a", metadata, ident())
    Table("b", metadata, ident(), schema="other")
    Table(
        "t",
        metadata,
        ident(),
        Column("a_id", ForeignKey("a.id")),
        Column("b_id", ForeignKey("other.b.id")),
        Column("own_id", ForeignKey("t.id")),
    )
    target = Target(metadata)
    target.place("a", "app", as_written)

    def referred(constraint: ForeignKeyConstraint) -> str | None:
        return None if constraint.column_keys == ["b_id"] else "app"

    placed = target.place("t", "app", referred)
    assert leads_to(placed, "a_id") is target.table("app.a")
    assert leads_to(placed, "b_id") is target.table("other.b")
    assert leads_to(placed, "own_id") is placed


def test_a_table_can_be_placed_in_its_own_schema_for_its_references() -> None:
    metadata = MetaData()
    Table("a", metadata, ident(), schema="app")
    Table("t", metadata, ident(), Column("other_id", ForeignKey("a.id")), schema="app")
    target = Target(metadata)
    placed = target.place("app.t", "app", lambda _: "app")
    assert leads_to(placed) is target.table("app.a")


@pytest.mark.parametrize("schema", [None, "app"])
def test_the_user_s_own_metadata_is_not_touched(schema: str | None) -> None:
    metadata = MetaData(schema="models")
    number = Sequence("number", metadata=metadata)
    mood = Enum("x", name="mood", metadata=metadata)
    Table("a", metadata, ident(), Column("mood", mood), schema="app")
    Table("b", metadata, ident(), Column("other_id", ForeignKey("app.a.id")))
    Table(
        "c", metadata, ident(), Column("other_id", ForeignKey("b.id")), Column("n", Integer, number)
    )
    before = describe(metadata)
    tables = dict(metadata.tables)
    target = Target(metadata)
    for key in list(target.tables):
        target.place(key, schema or "elsewhere", lambda _: schema or "elsewhere")
    target.follow()
    assert describe(metadata) == before
    assert dict(metadata.tables) == tables
    assert all(table.metadata is metadata for table in metadata.tables.values())
    assert mood.schema in (None, "models")
    assert leads_to(metadata.tables["models.b"]) is metadata.tables["app.a"]
    assert [(one.name, one.schema) for one in target.sequences] == [("number", number.schema)]


def several() -> tuple[list[MetaData], Target]:
    """Two MetaData that refer to each other."""
    one, two = MetaData(), MetaData()
    a = Table("a", one, ident(), Column("n", Integer, unique=True))
    b = Table(
        "b", two, ident(), Column("other_id", ForeignKey(a.c.id, ondelete="CASCADE", name="f"))
    )
    Table("c", one, ident(), Column("other_id", ForeignKey(b.c.id)))
    Table("d", two, ident(), Column("other_id", ForeignKey("b.id")))
    return [one, two], Target([one, two])


def test_references_into_another_metadata_follow_what_is_placed() -> None:
    given, target = several()
    target.place("a", "app", as_written)
    target.place("b", "app", as_written)
    target.follow()
    assert leads_to(target.table("app.b")) is target.table("app.a")
    assert leads_to(target.table("c")) is target.table("app.b")
    [constraint] = target.table("app.b").foreign_key_constraints
    assert (constraint.name, constraint.ondelete) == ("f", "CASCADE")
    assert leads_to(given[1].tables["b"]) is given[0].tables["a"], "the user's own is as it was"


def test_nothing_is_copied_that_has_nothing_to_follow() -> None:
    given, target = several()
    target.place("d", "app", as_written)
    target.follow()
    assert target.table("a") is given[0].tables["a"]
    assert target.table("b") is given[1].tables["b"]
    assert target.table("c") is given[0].tables["c"]


@pytest.mark.parametrize(
    "last",
    [
        "l",
        "n",
    ],
)
def test_what_follows_is_followed_whatever_the_names(last: str) -> None:
    """The copy of one table, made for its reference, is a copy for those that refer to it."""
    one, two = MetaData(), MetaData()
    a = Table("a", one, ident())
    m = Table("m", two, ident(), Column("other_id", ForeignKey(a.c.id)))
    Table(last, one, ident(), Column("other_id", ForeignKey(m.c.id)))
    target = Target([one, two])
    target.place("a", "app", as_written)
    target.follow()
    assert leads_to(target.table("m")) is target.table("app.a")
    assert leads_to(target.table(last)) is target.table("m")


def test_a_table_that_is_only_edited_still_refers_into_the_other_metadata() -> None:
    given, target = several()
    edited = target.editable("b")
    assert leads_to(edited) is target.table("a") is given[0].tables["a"]
    target.editable("a")
    target.follow()
    assert leads_to(target.table("b")) is target.table("a")


def test_what_is_given_as_several_metadata_comes_back_as_several() -> None:
    given, target = several()
    target.place("a", "app", as_written)
    assert isinstance(target.metadata, list)
    assert [sorted(one.tables) for one in target.metadata] == [["app.a", "c"], ["b", "d"]]
    assert target.together("app.a", "c") and not target.together("app.a", "b")
    assert isinstance(Target(given[0]).metadata, MetaData)


def test_a_composite_reference_into_another_metadata_follows_whole() -> None:
    one, two = MetaData(), MetaData()
    a = Table("a", one, ident(), Column("the n", Integer, key="n", primary_key=True))
    Table(
        "t",
        two,
        ident(),
        Column("a id", Integer, key="a_id"),
        Column("a_n", Integer),
        ForeignKeyConstraint(["a_id", "a_n"], [a.c.id, a.c.n], name="both", onupdate="CASCADE"),
    )
    target = Target([one, two])
    target.place("a", "app", as_written)
    target.follow()
    [constraint] = target.table("t").foreign_key_constraints
    assert (constraint.name, constraint.onupdate) == ("both", "CASCADE")
    assert constraint.column_keys == ["a_id", "a_n"]
    assert [element.column for element in constraint.elements] == list(target.table("app.a").c)
