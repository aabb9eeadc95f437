"""What the rewrite does with models of all kinds; no database is needed to see it."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Callable
from inspect import getsourcelines
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SADeprecationWarning
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.schema_prefix.rewrite import Placement, rewrite
from alembic_fixups.fixups.schema_prefix.settings import SchemaPrefixSettings
from alembic_fixups.report import Refused
from alembic_fixups.settings import shown
from alembic_fixups.target import Target
from tests.laws.describe import describe

HOME = "migration"


def rewritten(
    metadata: MetaData | list[MetaData], *move_from: str, home: str = HOME
) -> tuple[Target, Placement]:
    """The target after the rewrite, and what is in the schema; asserts the models untouched."""
    several = metadata if isinstance(metadata, list) else [metadata]
    before = [describe(one, complete=False) for one in several]
    settings = SchemaPrefixSettings.model_validate({"schema": home, "move-from": move_from})
    target = Target(metadata)
    placement = rewrite(target, settings, 16)
    assert [describe(one, complete=False) for one in several] == before
    return target, placement


def ident(*more: Any) -> Column[int]:
    """A primary key."""
    return Column("id", Integer, *more, primary_key=True)


def referred(target: Target, key: str, column: str = "other_id") -> list[str]:
    """The tables and columns that a column refers to; asserts each one resolves in the target."""
    table = target.table(key)
    found = []
    for foreign_key in table.c[column].foreign_keys:
        assert foreign_key.column.table is target.table(foreign_key.column.table.key)
        assert foreign_key.constraint in table.foreign_key_constraints
        found.append(f"{foreign_key.column.table.key}.{foreign_key.column.name}")
    return sorted(found)


def test_tables_without_a_schema_are_in_it_and_others_stay() -> None:
    metadata = MetaData()
    Table("bare", metadata, ident())
    Table("full", metadata, ident(), schema=HOME)
    Table("away", metadata, ident(), schema="audit")
    Table("public", metadata, ident(), schema="public")
    target, placement = rewritten(metadata, "public")
    assert list(target.tables) == [
        "audit.away",
        "migration.bare",
        "migration.full",
        "public.public",
    ]
    assert placement.tables == {"bare", "full"}
    assert target.home == HOME
    for key, table in target.tables.items():
        assert target.table(key) is table and table.key == key


def test_a_schema_of_the_metadata_is_one_that_the_models_name() -> None:
    metadata = MetaData(schema="audit")
    Table("logs", metadata, ident())
    Table("lines", metadata, ident(), Column("other_id", ForeignKey("logs.id")))
    target, placement = rewritten(metadata)
    assert list(target.tables) == ["audit.lines", "audit.logs"]
    assert referred(target, "audit.lines") == ["audit.logs.id"]
    assert placement.tables == set()


# References

FORMS: dict[str, tuple[str | None, str]] = {
    "bare to bare": (None, "others.id"),
    "full to bare": (None, "migration.others.id"),
    "bare to full": (HOME, "others.id"),
    "full to full": (HOME, "migration.others.id"),
    "by a schema to move from, to bare": (None, "public.others.id"),
    "by a schema to move from, to full": (HOME, "public.others.id"),
}


@pytest.mark.parametrize("own", [None, HOME], ids=["from bare", "from full"])
@pytest.mark.parametrize("form", FORMS)
def test_a_reference_in_every_form(form: str, own: str | None) -> None:
    schema, written = FORMS[form]
    metadata = MetaData()
    Table("others", metadata, ident(), schema=schema)
    Table("t", metadata, ident(), Column("other_id", ForeignKey(written)), schema=own)
    target, _ = rewritten(metadata, "public")
    assert referred(target, "migration.t") == ["migration.others.id"]


def test_a_reference_from_a_schema_of_its_own() -> None:
    metadata = MetaData()
    Table("others", metadata, ident())
    Table("logs", metadata, ident(), Column("other_id", ForeignKey("others.id")), schema="audit")
    Table("more", metadata, ident(), Column("other_id", ForeignKey("audit.logs.id")))
    target, _ = rewritten(metadata)
    assert referred(target, "audit.logs") == ["migration.others.id"]
    assert referred(target, "migration.more") == ["audit.logs.id"]


def test_a_reference_to_a_table_whose_name_is_in_two_schemas() -> None:
    """Each means what it means to SQLAlchemy."""
    metadata = MetaData()
    Table("others", metadata, ident())
    Table("others", metadata, ident(), schema="audit")
    Table("a", metadata, ident(), Column("other_id", ForeignKey("others.id")))
    Table("b", metadata, ident(), Column("other_id", ForeignKey("audit.others.id")))
    Table("c", metadata, ident(), Column("other_id", ForeignKey("others.id")), schema="audit")
    target, _ = rewritten(metadata)
    assert referred(target, "migration.a") == ["migration.others.id"]
    assert referred(target, "migration.b") == ["audit.others.id"]
    assert referred(target, "audit.c") == ["migration.others.id"]


def test_a_bare_reference_in_a_metadata_with_a_schema() -> None:
    """Its schema is meant first; the schema of the settings where that has no such table."""
    metadata = MetaData(schema="audit")
    Table("others", metadata, ident())
    Table("others", metadata, ident(), schema=HOME)
    Table("users", metadata, ident(), schema=HOME)
    Table("a", metadata, ident(), Column("other_id", ForeignKey("others.id")))
    Table("b", metadata, ident(), Column("other_id", ForeignKey("users.id")))
    target, _ = rewritten(metadata)
    assert referred(target, "audit.a") == ["audit.others.id"]
    assert referred(target, "audit.b") == ["migration.users.id"]


def test_a_reference_given_as_a_column() -> None:
    metadata = MetaData()
    others = Table("others", metadata, ident())
    Table("t", metadata, ident(), Column("other_id", ForeignKey(others.c.id)))
    Table("full", metadata, ident(), Column("other_id", ForeignKey(others.c.id)), schema=HOME)
    target, _ = rewritten(metadata)
    assert referred(target, "migration.t") == ["migration.others.id"]
    assert referred(target, "migration.full") == ["migration.others.id"]


@pytest.mark.parametrize("written", ["t.id", "migration.t.id"])
@pytest.mark.parametrize("schema", [None, HOME])
def test_a_reference_to_itself(written: str, schema: str | None) -> None:
    metadata = MetaData()
    Table("t", metadata, ident(), Column("other_id", ForeignKey(written)), schema=schema)
    target, _ = rewritten(metadata)
    assert referred(target, "migration.t") == ["migration.t.id"]


def test_references_in_a_cycle() -> None:
    metadata = MetaData()
    Table("a", metadata, ident(), Column("other_id", ForeignKey("b.id", use_alter=True, name="f")))
    Table("b", metadata, ident(), Column("other_id", ForeignKey("migration.c.id")))
    Table("c", metadata, ident(), Column("other_id", ForeignKey("a.id")), schema=HOME)
    target, _ = rewritten(metadata)
    assert referred(target, "migration.a") == ["migration.b.id"]
    assert referred(target, "migration.b") == ["migration.c.id"]
    assert referred(target, "migration.c") == ["migration.a.id"]
    [constraint] = target.table("migration.a").foreign_key_constraints
    assert (constraint.use_alter, constraint.name) == (True, "f")


@pytest.mark.parametrize("written", ["others", "migration.others"])
@pytest.mark.parametrize("schema", [None, HOME])
def test_a_composite_reference_keeps_all_it_says(written: str, schema: str | None) -> None:
    metadata = MetaData()
    Table("others", metadata, ident(), Column("n", Integer, primary_key=True), schema=schema)
    options = {
        "name": "both",
        "ondelete": "SET NULL",
        "onupdate": "CASCADE",
        "deferrable": True,
        "initially": "DEFERRED",
        "match": "FULL",
        "comment": "why",
        "info": {"ours": 1},
        "use_alter": True,
    }
    Table(
        "t",
        metadata,
        ident(),
        Column("other_id", Integer),
        Column("other_n", Integer),
        ForeignKeyConstraint(
            ["other_id", "other_n"],
            [f"{written}.id", f"{written}.n"],
            **options,  # type: ignore[arg-type]
        ),
    )
    target, _ = rewritten(metadata)
    [constraint] = target.table("migration.t").foreign_key_constraints
    assert constraint.column_keys == ["other_id", "other_n"]
    assert [element.target_fullname for element in constraint.elements] == [
        "migration.others.id",
        "migration.others.n",
    ]
    assert constraint.referred_table is target.table("migration.others")
    assert {name: getattr(constraint, name) for name in options} == options


def test_a_column_that_refers_to_two_tables() -> None:
    metadata = MetaData()
    Table("a", metadata, ident())
    Table("b", metadata, ident(), schema=HOME)
    Table("t", metadata, ident(), Column("other_id", ForeignKey("a.id"), ForeignKey("b.id")))
    target, _ = rewritten(metadata)
    assert referred(target, "migration.t") == ["migration.a.id", "migration.b.id"]


def test_columns_whose_keys_are_not_their_names() -> None:
    metadata = MetaData()
    Table("others", metadata, Column("the id", Integer, key="ident", primary_key=True))
    Table("a", metadata, ident(), Column("other id", ForeignKey("others.ident"), key="other_id"))
    Table("b", metadata, ident(), Column("x", Integer, key="other_id"))
    metadata.tables["b"].append_constraint(
        ForeignKeyConstraint(["other_id"], ["migration.others.ident"])
    )
    target, _ = rewritten(metadata)
    for key in ("migration.a", "migration.b"):
        [foreign_key] = target.table(key).c.other_id.foreign_keys
        assert foreign_key.column is target.table("migration.others").c.ident
    assert target.table("migration.a").c.other_id.name == "other id"


@pytest.mark.parametrize("whole", [False, True], ids=["column", "constraint"])
@pytest.mark.parametrize("written", ["others.the id", "migration.others.the id"])
def test_a_reference_linked_to_the_name_of_a_column(written: str, whole: bool) -> None:
    metadata = MetaData()
    Table("others", metadata, Column("the id", Integer, key="ident", primary_key=True))
    if whole:
        Table("t", metadata, ident(), Column("other_id", Integer))
        metadata.tables["t"].append_constraint(
            ForeignKeyConstraint(["other_id"], [written], link_to_name=True)
        )
    else:
        Table("t", metadata, ident(), Column("other_id", ForeignKey(written, link_to_name=True)))
    target, _ = rewritten(metadata)
    [foreign_key] = target.table("migration.t").c.other_id.foreign_keys
    assert foreign_key.column is target.table("migration.others").c.ident


def test_a_reference_that_names_the_table_alone() -> None:
    """It means the column of the same key."""
    metadata = MetaData()
    Table("others", metadata, ident())
    Table("t", metadata, Column("id", ForeignKey("others"), primary_key=True))
    target, _ = rewritten(metadata)
    assert referred(target, "migration.t", "id") == ["migration.others.id"]


def test_names_with_dots_and_quotes() -> None:
    home = 'The "new".schema'
    metadata = MetaData()
    Table('oth"ers', metadata, ident())
    Table("t", metadata, ident(), Column("other_id", ForeignKey('oth"ers.id')))
    target, placement = rewritten(metadata, home=home)
    [foreign_key] = target.table(f"{home}.t").c.other_id.foreign_keys
    assert foreign_key.column.table is target.table(f'{home}.oth"ers')
    assert placement.tables == {'oth"ers', "t"}


def test_references_between_several_metadata() -> None:
    """They are given as columns; a name means a table of the same MetaData."""
    one, two = MetaData(), MetaData(schema=HOME)
    others = Table("others", one, ident(), Column("n", Integer))
    audited = Table("audited", one, ident(), schema="audit")
    Table(
        "t",
        two,
        ident(),
        Column("other_id", ForeignKey(others.c.id, ondelete="CASCADE", name="f")),
        Column("audited_id", ForeignKey(audited.c.id)),
        Column("own_id", ForeignKey("migration.u.id")),
    )
    Table("u", two, ident())
    Table("back", one, ident(), Column("other_id", ForeignKey(two.tables["migration.u"].c.id)))
    target, placement = rewritten([one, two])
    assert referred(target, "migration.t") == ["migration.others.id"]
    assert referred(target, "migration.t", "audited_id") == ["audit.audited.id"]
    assert referred(target, "migration.t", "own_id") == ["migration.u.id"]
    assert referred(target, "migration.back") == ["migration.u.id"]
    [constraint] = [one for one in target.table("migration.t").foreign_key_constraints if one.name]
    assert (constraint.name, constraint.ondelete) == ("f", "CASCADE")
    assert placement.tables == {"others", "t", "u", "back"}


def test_a_reference_by_name_into_another_metadata_leads_nowhere() -> None:
    """As it does to SQLAlchemy."""
    one, two = MetaData(), MetaData()
    Table("others", one, ident())
    Table("t", two, ident(), Column("other_id", ForeignKey("others.id")))
    with pytest.raises(Refused, match=r"t, column other_id: ForeignKey\('others.id'\)"):
        rewritten([one, two])


# What leads nowhere, and what would be the same


class Base(DeclarativeBase):
    """Models with mistakes."""


class Lost(Base):
    """Refers to tables and columns that are not there."""

    __tablename__ = "lost"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("usres.id"))
    column_id: Mapped[int] = mapped_column(ForeignKey("found.nothing"))
    elsewhere_id: Mapped[int] = mapped_column(ForeignKey("audit.found.id"))
    found_id: Mapped[int] = mapped_column(ForeignKey("found.id"))


class Found(Base):
    """Another one."""

    __tablename__ = "found"
    __table_args__ = (ForeignKeyConstraint(["id", "n"], ["gone.id", "gone.n"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]


def test_all_references_that_lead_nowhere_are_named_with_their_places() -> None:
    with pytest.raises(Refused) as refused:
        rewritten(Base.metadata)
    lines = str(refused.value).splitlines()[1:]
    lost = f"{shown(__file__)}:{getsourcelines(Lost)[1]}: lost (Lost), column "
    found = f"{shown(__file__)}:{getsourcelines(Found)[1]}: found (Found), column "
    assert [line.removeprefix("- ") for line in lines] == sorted(
        [
            f"{lost}user_id: ForeignKey('usres.id'); no model has a table of that name",
            f"{lost}column_id: ForeignKey('found.nothing'); there is found",
            f"{lost}elsewhere_id: ForeignKey('audit.found.id'); there is found",
            f"{found}id, n: ForeignKey('gone.id'); no model has a table of that name",
        ]
    )


def test_a_table_that_no_class_maps_is_named_by_itself() -> None:
    metadata = MetaData()
    Table("t", metadata, ident(), Column("other_id", ForeignKey("nowhere.id")))
    with pytest.raises(Refused, match=r"(?m)^- t, column other_id: ForeignKey\('nowhere.id'\)"):
        rewritten(metadata)


def test_nothing_is_changed_where_a_reference_leads_nowhere() -> None:
    metadata = MetaData()
    Table("t", metadata, ident(), Column("other_id", ForeignKey("nowhere.id")))
    target = Target(metadata)
    settings = SchemaPrefixSettings.model_validate({"schema": HOME})
    with pytest.raises(Refused):
        rewrite(target, settings, 16)
    assert target.home is None
    assert target.table("t") is metadata.tables["t"]


@pytest.mark.parametrize("several", [False, True], ids=["one metadata", "two"])
def test_two_models_that_would_be_one_table_are_refused(several: bool) -> None:
    one = MetaData()
    two = MetaData() if several else one
    Table("users", one, ident())
    Table("users", two, ident(), schema=HOME)
    with pytest.raises(Refused, match=r"users has no schema and migration\.users is in"):
        rewritten([one, two] if several else one)


# Types


class Mood(enum.Enum):
    """For an Enum of a class."""

    ok = 1
    sad = 2


class Decorated(TypeDecorator[Any]):
    """A type of the models' own around an enum type."""

    impl = Enum("ok", "sad", name="mood")
    cache_ok = True


class Chosen(TypeDecorator[Any]):
    """One that chooses the enum type for the dialect."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        """An enum type on PostgreSQL."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ENUM("ok", "sad", name="mood"))
        return dialect.type_descriptor(String(4))


def inheriting(*labels: str, name: str) -> Enum:
    """An enum type in the schema of its table, as SQLAlchemy 2.1 does not advise any more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SADeprecationWarning)
        return Enum(*labels, name=name, inherit_schema=True)


NAMED: dict[str, Callable[[], TypeEngine[Any]]] = {
    "Enum": lambda: Enum("ok", "sad", name="mood"),
    "Enum of a class": lambda: Enum(Mood),
    "ENUM": lambda: postgresql.ENUM("ok", "sad", name="mood"),
    "ENUM of a class": lambda: postgresql.ENUM(Mood, name="mood"),
    "inherit_schema": lambda: inheriting("ok", "sad", name="mood"),
    "schema": lambda: Enum("ok", "sad", name="mood", schema=HOME),
    "ARRAY": lambda: ARRAY(Enum("ok", "sad", name="mood")),
    "postgresql.ARRAY": lambda: postgresql.ARRAY(postgresql.ENUM("ok", "sad", name="mood")),
    "TypeDecorator": Decorated,
    "ARRAY of TypeDecorator": lambda: ARRAY(Decorated()),
    "TypeDecorator that chooses": Chosen,
    "DOMAIN": lambda: postgresql.DOMAIN("mood", Integer),
    "ARRAY of DOMAIN": lambda: ARRAY(postgresql.DOMAIN("mood", Integer)),
    "variant": lambda: String().with_variant(
        postgresql.ENUM("ok", "sad", name="mood"), "postgresql"
    ),
    "with a variant": lambda: Enum("ok", "sad", name="mood").with_variant(String(), "sqlite"),
}


def shown_type(column: Column[Any]) -> str:
    """The type as a CREATE TABLE has it."""
    return str(column.type.compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("own", [None, HOME], ids=["bare", "full"])
@pytest.mark.parametrize("form", NAMED)
def test_a_type_in_every_form(form: str, own: str | None) -> None:
    metadata = MetaData()
    type_ = NAMED[form]()
    Table("t", metadata, ident(), Column("mood", type_), Column("same", type_), schema=own)
    target, placement = rewritten(metadata)
    table = target.table("migration.t")
    array = "[]" if "ARRAY" in form else ""
    assert shown_type(table.c.mood) == shown_type(table.c.same) == f"migration.mood{array}"
    assert placement.types == {"mood"}


@pytest.mark.parametrize("schema", [None, HOME, "audit"])
def test_a_type_that_belongs_to_a_metadata_is_in_its_schema(schema: str | None) -> None:
    metadata = MetaData(schema=schema)
    mood = Enum("ok", name="mood", metadata=metadata)
    Table("t", metadata, ident(), Column("mood", mood), Column("moods", ARRAY(mood)), schema=HOME)
    target, placement = rewritten(metadata)
    table = target.table("migration.t")
    assert shown_type(table.c.mood) == f"{schema or HOME}.mood"
    assert shown_type(table.c.moods) == f"{schema or HOME}.mood[]"
    assert placement.types == ({"mood"} if schema != "audit" else set())


def test_a_type_of_a_table_whose_metadata_has_a_schema() -> None:
    """SQLAlchemy 2.1 gives it that schema; where it gives none, the type is with the others."""
    metadata = MetaData(schema="audit")
    Table("t", metadata, ident(), Column("mood", Enum("ok", name="mood")))
    before = shown_type(metadata.tables["audit.t"].c.mood)
    target, _ = rewritten(metadata)
    expected = before if before == "audit.mood" else "migration.mood"
    assert shown_type(target.table("audit.t").c.mood) == expected


UNNAMED: dict[str, Callable[[], TypeEngine[Any]]] = {
    "not native": lambda: Enum("ok", "sad", name="mood", native_enum=False),
    "array, not native": lambda: ARRAY(Enum("ok", "sad", name="mood", native_enum=False)),
    "another schema": lambda: Enum("ok", "sad", name="mood", schema="audit"),
    "array, another schema": lambda: ARRAY(Enum("ok", "sad", name="mood", schema="audit")),
    "domain, another schema": lambda: postgresql.DOMAIN("mood", Integer, schema="audit"),
    "plain": lambda: String(5),
}


@pytest.mark.parametrize("own", [None, HOME, "audit"])
@pytest.mark.parametrize("form", UNNAMED)
def test_a_type_that_is_left_alone(form: str, own: str | None) -> None:
    metadata = MetaData()
    Table("t", metadata, ident(), Column("mood", UNNAMED[form]()), schema=own)
    before = shown_type(metadata.tables["t" if own is None else f"{own}.t"].c.mood)
    target, placement = rewritten(metadata)
    assert shown_type(target.table(f"{own or HOME}.t").c.mood) == before
    assert placement.types == set()


def test_a_type_of_a_table_in_another_schema() -> None:
    """Without a schema it is the one of all; ``inherit_schema`` says that it is the table's."""
    metadata = MetaData()
    Table(
        "logs",
        metadata,
        ident(),
        Column("mood", Enum("ok", name="mood")),
        Column("colour", inheriting("red", name="colour")),
        schema="audit",
    )
    target, placement = rewritten(metadata)
    logs = target.table("audit.logs")
    assert shown_type(logs.c.mood) == "migration.mood"
    assert shown_type(logs.c.colour) == "audit.colour"
    assert placement.types == {"mood"}


def test_what_a_type_can_do_is_kept() -> None:
    metadata = MetaData()
    names = Enum(Mood, name="mood", values_callable=lambda known: [str(one.value) for one in known])
    Table(
        "t", metadata, ident(), Column("mood", names), Column("several", ARRAY(names, dimensions=2))
    )
    target, _ = rewritten(metadata)
    mood, several = (
        target.table("migration.t").c.mood.type,
        target.table("migration.t").c.several.type,
    )
    assert mood.enums == ["1", "2"]
    dialect = postgresql.dialect()
    assert mood.bind_processor(dialect)(Mood.sad) == "2"
    assert mood.result_processor(dialect, None)("1") is Mood.ok
    assert several.dimensions == 2 and several.item_type.enums == ["1", "2"]


def test_a_type_that_a_column_has_from_its_reference() -> None:
    """Written in either form; also over several tables, and into another MetaData."""
    one, two = MetaData(), MetaData()
    Table("a", one, Column("id", Uuid, primary_key=True), schema=HOME)
    Table("b", one, Column("id", ForeignKey("a.id"), primary_key=True))
    Table("c", one, Column("id", ForeignKey("migration.b.id"), primary_key=True))
    mood = Column("mood", Enum("ok", name="mood"), primary_key=True)
    moods = Table("moods", one, mood)
    Table("users", one, ident(), Column("mood", ForeignKey("moods.mood")))
    Table("d", two, Column("id", ForeignKey(one.tables["b"].c.id), primary_key=True))
    Table("e", two, Column("mood", ForeignKey(moods.c.mood), primary_key=True))
    target, _ = rewritten([one, two])
    for key in ("migration.a", "migration.b", "migration.c", "migration.d"):
        assert shown_type(target.table(key).c.id) == "UUID", key
    for key in ("migration.moods", "migration.users", "migration.e"):
        assert shown_type(target.table(key).c.mood) == "migration.mood", key


# Sequences


def next_value_of(target: Target, key: str, column: str) -> str:
    """What a column's default is."""
    statement = str(CreateTable(target.table(key)).compile(dialect=postgresql.dialect()))
    [line] = [line for line in statement.splitlines() if line.strip().startswith(f"{column} ")]
    return line.split("DEFAULT ")[1].strip(", ")


@pytest.mark.parametrize("own", [None, HOME])
def test_sequences_are_in_it_and_those_with_a_schema_stay(own: str | None) -> None:
    metadata = MetaData()
    bare = Sequence("bare_seq", metadata=metadata)
    full = Sequence("full_seq", metadata=metadata, schema=HOME)
    away = Sequence("away_seq", metadata=metadata, schema="audit")
    columns = [
        Column(one.name, BigInteger, server_default=one.next_value()) for one in (bare, full, away)
    ]
    own_one = Column("own", Integer, Sequence("own_seq"))
    Table("t", metadata, ident(), *columns, own_one, schema=own)
    target, placement = rewritten(metadata)
    assert placement.sequences == {"bare_seq", "full_seq", "own_seq"}
    for name, schema in (("bare_seq", HOME), ("full_seq", HOME), ("away_seq", "audit")):
        assert next_value_of(target, "migration.t", name) == f"nextval('{schema}.{name}')"


def test_a_sequence_of_a_metadata_with_a_schema_is_in_that() -> None:
    metadata = MetaData(schema="audit")
    number = Sequence("number", metadata=metadata)
    Table("t", metadata, ident(), Column("n", BigInteger, server_default=number.next_value()))
    target, placement = rewritten(metadata)
    assert placement.sequences == set()
    assert next_value_of(target, "audit.t", "n") == "nextval('audit.number')"


# What else there is to a table


def test_everything_else_of_a_table_is_kept() -> None:
    metadata = MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})
    Table("others", metadata, ident())
    Table(
        "t",
        metadata,
        ident(),
        Column("a", String(5), nullable=False, unique=True, comment="c", info={"i": 1}),
        Column("b", Integer, Computed("id + 1")),
        Column("c", Integer, Identity(always=True, start=5)),
        Column("d", String, server_default="x", onupdate="y"),
        Column("other_id", ForeignKey("others.id")),
        CheckConstraint("id > 0", name="positive"),
        UniqueConstraint("a", "b", name="both", deferrable=True),
        Index("by_b", "b", postgresql_where=text("b > 0"), postgresql_include=["c"]),
        postgresql.ExcludeConstraint((Column("b"), "="), name="no_two", using="gist"),
        comment="of all kinds",
        info={"ours": 2},
        prefixes=["UNLOGGED"],
        postgresql_partition_by="RANGE (id)",
    )
    target, _ = rewritten(metadata)
    was, now = metadata.tables["t"], target.table("migration.t")

    def statements(table: Table) -> list[str]:
        dialect = postgresql.dialect()
        made = [CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda i: i.name))]
        texts = [str(one.compile(dialect=dialect)).replace(f"{HOME}.", "") for one in made]
        return [line.strip(" ,") for text in texts for line in text.splitlines()]

    assert sorted(statements(now)) == sorted(statements(was))
    assert (now.comment, now.info, now.c.a.info) == ("of all kinds", {"ours": 2}, {"i": 1})
    assert now.c.a.comment == "c"
    assert (now.c.d.onupdate.arg, list(now.c.keys())) == ("y", list(was.c.keys()))


def test_the_rewrite_of_a_rewritten_metadata_changes_nothing() -> None:
    metadata = MetaData()
    Table("others", metadata, ident(), Column("mood", Enum("ok", name="mood")))
    Table("t", metadata, ident(), Column("other_id", ForeignKey("migration.others.id")))
    once, placement = rewritten(metadata)
    assert isinstance(once.metadata, MetaData)
    twice, again = rewritten(once.metadata)
    assert isinstance(twice.metadata, MetaData)
    assert describe(twice.metadata) == describe(once.metadata)
    assert again == placement


def test_a_table_that_needs_nothing_is_the_models_own() -> None:
    metadata = MetaData()
    Table("others", metadata, ident(), schema=HOME)
    Table("t", metadata, ident(), Column("i", ForeignKey("migration.others.id")), schema=HOME)
    target, _ = rewritten(metadata)
    for key in metadata.tables:
        assert target.table(key) is metadata.tables[key]


def test_what_the_user_does_with_the_models_afterwards_works_as_before() -> None:
    """Their foreign keys still lead to their own tables."""
    metadata = MetaData()
    others = Table("others", metadata, ident())
    table = Table("t", metadata, ident(), Column("other_id", ForeignKey("others.id")))
    enum_type = Enum("ok", name="mood", metadata=metadata)
    table.append_column(Column("mood", enum_type))
    rewritten(metadata)
    [foreign_key] = table.c.other_id.foreign_keys
    assert foreign_key.column is others.c.id
    assert [one.name for one in metadata.sorted_tables] == ["others", "t"]
    assert str(select(table).join(others)).endswith("JOIN others ON others.id = t.other_id")
    assert table.c.mood.type is enum_type and enum_type.schema is None
