"""What the rewrite does with enums as models write them, and what a server makes of the result."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    ARRAY,
    URL,
    CheckConstraint,
    Column,
    Computed,
    Connection,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    create_engine,
    literal,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM, ExcludeConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.enum_check.inference import hint, infer
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn, Wanted, rewrite
from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings
from alembic_fixups.fixups.schema_prefix.rewrite import rewrite as put_into_schema
from alembic_fixups.fixups.schema_prefix.settings import SchemaPrefixSettings
from alembic_fixups.report import Refused
from alembic_fixups.stock.constraints import Constraint
from alembic_fixups.target import Target
from tests.laws.describe import describe
from tests.projects import Project


class Status(enum.Enum):
    """Names and values differ."""

    open = "is open"
    done = "is done"


class Kind(str, enum.Enum):  # noqa: UP042
    """A Python enum that is a text too."""

    a = "a"
    b = "b"


MOOD = ("public", "mood")


def values_of(class_: type[enum.Enum]) -> list[str]:
    return [str(member.value) for member in class_]


def listeners(metadata: MetaData) -> list[int]:
    sources: list[Any] = [metadata, *metadata.tables.values()]
    return [len(list(source.dispatch.before_create)) for source in sources]


def rewritten(metadata: MetaData, **settings: Any) -> tuple[Target, Wanted]:
    """The target after the rewrite; asserts the models untouched and law 1."""
    before = describe(metadata), listeners(metadata)
    chosen = EnumCheckSettings.model_validate(settings)
    target = Target(metadata)
    wanted = rewrite(target, chosen, 16)
    assert (describe(metadata), listeners(metadata)) == before
    assert isinstance(target.metadata, MetaData)
    again = Target(target.metadata)
    rewrite(again, chosen, 16)
    assert isinstance(again.metadata, MetaData)
    assert describe(again.metadata) == describe(target.metadata)
    assert wanted == rewrite(Target(metadata), chosen, 16)
    return target, wanted


def one(*columns: Any, metadata: MetaData | None = None, name: str = "t", **rest: Any) -> MetaData:
    """A table of these columns and a primary key."""
    schema, settings = rest.pop("schema", None), rest
    assert not settings
    metadata = metadata or MetaData()
    Table(name, metadata, Column("id", Integer, primary_key=True), *columns, schema=schema)
    return metadata


def only(wanted: Wanted) -> EnumColumn:
    [column] = wanted.columns
    return column


def checks(target: Target, key: str = "t") -> dict[str, str]:
    return {
        str(constraint.name): str(constraint.sqltext)
        for constraint in target.table(key).constraints
        if isinstance(constraint, CheckConstraint)
    }


def mood(*more: str, **options: Any) -> Enum:
    return Enum("a", "b", *more, name="mood", **options)


# The types that models have

DECLARED: dict[str, tuple[Any, str, tuple[str, ...], bool]] = {
    "labels": (mood(), "VARCHAR(63)", ("a", "b"), True),
    "a Python enum by name": (Enum(Status, name="mood"), "VARCHAR(63)", ("open", "done"), True),
    "by value": (
        Enum(Status, name="mood", values_callable=values_of),
        "VARCHAR(63)",
        ("is open", "is done"),
        True,
    ),
    "of the dialect": (ENUM("a", "b", name="mood"), "VARCHAR(63)", ("a", "b"), True),
    "created by another": (
        ENUM("a", "b", name="mood", create_type=False),
        "VARCHAR(63)",
        ("a", "b"),
        True,
    ),
    "with a check for other databases": (
        mood(create_constraint=True),
        "VARCHAR(63)",
        ("a", "b"),
        True,
    ),
    "native in a variant": (
        String(9).with_variant(ENUM("a", "b", name="mood"), "postgresql"),
        "VARCHAR(63)",
        ("a", "b"),
        True,
    ),
    "with a variant elsewhere": (
        mood().with_variant(String(9), "sqlite"),
        "VARCHAR(63)",
        ("a", "b"),
        True,
    ),
    "not native": (mood(native_enum=False), "VARCHAR(1)", ("a", "b"), False),
    "not native, with a length": (
        mood(native_enum=False, length=20),
        "VARCHAR(20)",
        ("a", "b"),
        False,
    ),
    "a label twice": (Enum("a", "b", "a", name="mood"), "VARCHAR(63)", ("a", "b"), True),
}


@pytest.mark.parametrize("storage", ["varchar", "text"])
@pytest.mark.parametrize("declared", DECLARED)
def test_a_type(declared: str, storage: str) -> None:
    type_, stored, values, native = DECLARED[declared]
    target, wanted = rewritten(one(Column("c", type_)), storage=storage)
    stored = "TEXT" if native and storage == "text" else stored
    column = only(wanted)
    assert column == EnumColumn(
        "t",
        "c",
        MOOD if native else None,
        values,
        0,
        stored,
        "ck_t_c",
        "c IN (" + ", ".join(f"'{value}'" for value in values) + ")",
    )
    assert wanted.types == ({MOOD: values} if native else {})
    assert target.table("t").c.c.type.compile(postgresql.dialect()) == stored
    assert checks(target) == {"ck_t_c": column.condition}


def test_the_enum_of_the_dialect_stays_native_whatever_it_is_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        type_ = ENUM("a", "b", name="mood", native_enum=False)
    _, wanted = rewritten(one(Column("c", type_)))
    assert only(wanted).type == MOOD


class Stored(TypeDecorator[Any]):
    """A type of the project's own."""

    impl = Enum
    cache_ok = True


class Loaded(TypeDecorator[Any]):
    """One that says only for a dialect what it is."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        return dialect.type_descriptor(ENUM("a", "b", name="mood"))


class AsText(TypeDecorator[Any]):
    """An enum in Python, a text in PostgreSQL."""

    impl = Enum
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(20))


def test_a_decorator() -> None:
    for type_ in (Stored("a", "b", name="mood"), Loaded()):
        target, wanted = rewritten(one(Column("c", type_)))
        assert only(wanted).type == MOOD and only(wanted).values == ("a", "b")
        assert isinstance(target.table("t").c.c.type, String)
    target, wanted = rewritten(one(Column("c", AsText("a", name="mood"))))
    assert wanted == Wanted(()) and isinstance(target.table("t").c.c.type, AsText)


@pytest.mark.parametrize("array", [ARRAY, postgresql.ARRAY])
@pytest.mark.parametrize(("dimensions", "expected"), [(None, 1), (1, 1), (2, 2)])
def test_an_array(array: Any, dimensions: int | None, expected: int) -> None:
    target, wanted = rewritten(one(Column("c", array(mood(), dimensions=dimensions))))
    column = only(wanted)
    assert (column.type, column.dimensions, column.storage) == (MOOD, expected, "VARCHAR(63)")
    assert column.condition == "array_replace(c, NULL, 'a') <@ ARRAY['a', 'b']::varchar[]"
    rendered = target.table("t").c.c.type.compile(dialect=postgresql.dialect())
    assert rendered == "VARCHAR(63)" + "[]" * expected
    _, wanted = rewritten(one(Column("c", array(mood()))), storage="text")
    assert only(wanted).condition == "array_replace(c, NULL, 'a') <@ ARRAY['a', 'b']::text[]"


def test_an_array_of_what_is_not_native() -> None:
    _, wanted = rewritten(one(Column("c", ARRAY(mood(native_enum=False)))), storage="text")
    assert only(wanted).storage == "VARCHAR(1)" and "::varchar[]" in only(wanted).condition


def test_a_domain() -> None:
    shared = DOMAIN("feeling", mood(), check="VALUE <> 'b'::mood", default=text("'a'::mood"))
    metadata = one(Column("c", shared), Column("d", ARRAY(DOMAIN("moods", ARRAY(mood())))))
    one(Column("c", shared), metadata=metadata, name="u")
    target, wanted = rewritten(metadata)
    first, second, third = wanted.columns
    assert first.domain == third.domain == ("public", "feeling")
    assert first.check == "ck_feeling" and first.dimensions == 0
    assert first.condition == "VALUE IN ('a', 'b') AND (VALUE <> 'b'::varchar)"
    assert second.domain == ("public", "moods") and second.dimensions == 2
    assert second.condition == "array_replace(VALUE, NULL, 'a') <@ ARRAY['a', 'b']::varchar[]"
    type_ = target.table("t").c.c.type
    assert isinstance(type_, DOMAIN) and type_ is target.table("u").c.c.type
    assert str(type_.default) == "'a'::varchar" and not checks(target)


def test_the_models_of_the_orm() -> None:
    class Base(DeclarativeBase):
        type_annotation_map: ClassVar = {Kind: Enum(Kind, name="mapped_kind")}

    class Model(Base):
        __tablename__ = "t"
        id: Mapped[int] = mapped_column(primary_key=True)
        by_annotation: Mapped[Status]
        optional: Mapped[Status | None]
        by_map: Mapped[Kind]
        said: Mapped[Literal["x", "y"]]

    _, wanted = rewritten(Base.metadata)
    found = {column.column: (column.type, column.values) for column in wanted.columns}
    assert found == {
        "by_annotation": (("public", "status"), ("open", "done")),
        "optional": (("public", "status"), ("open", "done")),
        "by_map": (("public", "mapped_kind"), ("a", "b")),
        "said": (None, ("x", "y")),
    }


def test_a_field_of_sqlmodel() -> None:
    sqlmodel = pytest.importorskip("sqlmodel")

    class Hero(sqlmodel.SQLModel, table=True):  # type: ignore[misc,name-defined]
        id: int = sqlmodel.Field(primary_key=True)
        status: Status

    _, wanted = rewritten(sqlmodel.SQLModel.metadata)
    assert only(wanted).values == ("open", "done")


def test_what_a_column_has_stays() -> None:
    metadata = one(
        Column(
            "c",
            mood(),
            key="other",
            nullable=False,
            server_default="a",
            comment="how it is",
            index=True,
            unique=True,
        ),
    )
    target, _ = rewritten(metadata)
    column = target.table("t").c.other
    assert (column.name, column.nullable, column.comment) == ("c", False, "how it is")
    assert column.server_default.arg == "a"  # type: ignore[union-attr]
    assert [index.name for index in target.table("t").indexes] == ["ix_t_c"]


def test_the_longest_label() -> None:
    _, wanted = rewritten(one(Column("c", Enum("a" * 80, name="mood"))))
    assert only(wanted).storage == "VARCHAR(80)"


def test_an_enum_without_a_name_or_without_values_is_left() -> None:
    for type_ in (Enum("a"), Enum(name="mood")):
        metadata = MetaData()
        Table("t", metadata, Column("c", type_))
        target = Target(metadata)
        assert rewrite(target, EnumCheckSettings(), 16) == Wanted(())
        assert target.table("t").c.c.type is type_


# The CHECK of SQLAlchemy's own


def test_a_check_of_sqlalchemys_own_is_left() -> None:
    metadata = one(
        Column("c", mood(native_enum=False, create_constraint=True)),
        Column("d", Enum("x", native_enum=False, create_constraint=True)),
    )
    target, wanted = rewritten(metadata)
    assert target.table("t") is metadata.tables["t"]
    assert [(column.check, column.condition) for column in wanted.columns] == [
        ("mood", "c IN ('a', 'b')"),
        (None, "d IN ('x')"),
    ]


def test_its_name_by_a_convention() -> None:
    metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
    one(Column("c", mood(native_enum=False, create_constraint=True)), metadata=metadata)
    assert only(rewritten(metadata)[1]).check == "ck_t_mood"


# A CHECK that the models write


def written(condition: str, name: str = "ck_t_c", **options: Any) -> MetaData:
    """A column of an enum that is no native one, with a CHECK beside it."""
    options.setdefault("native_enum", False)
    return one(Column("c", mood(**options)), CheckConstraint(condition, name=name))


def test_a_written_check_is_left_where_it_lists_the_values() -> None:
    metadata = written("c IN ('a', 'b')")
    target, wanted = rewritten(metadata)
    assert target.table("t") is metadata.tables["t"]
    assert (only(wanted).check, only(wanted).condition) == ("ck_t_c", "c IN ('a', 'b')")


@pytest.mark.parametrize("listed", ["'a'", "'a', 'b', 'gone'", "E'\\u0025', 'it''s'"])
def test_a_written_check_follows_the_values(listed: str) -> None:
    target, wanted = rewritten(written(f"c IN ({listed})"))
    assert checks(target) == {"ck_t_c": "c IN ('a', 'b')"}
    assert (only(wanted).check, only(wanted).type) == ("ck_t_c", None)


def test_a_written_check_of_an_array_and_one_in_the_column() -> None:
    of_array = "array_replace(c, NULL, 'x') <@ ARRAY['x', 'b']::varchar[]"
    metadata = one(
        Column("c", ARRAY(mood(native_enum=False)), CheckConstraint(of_array, name="ck_t_c"))
    )
    target, wanted = rewritten(metadata)
    assert checks(target) == {"ck_t_c": only(wanted).condition}
    assert not target.table("t").c.c.constraints


@pytest.mark.parametrize(
    ("condition", "name", "options"),
    [
        ("c IN ('a', 'b')", "other", {}),
        ("c IN ('a') OR c IS NULL", "ck_t_c", {}),
        ("d IN ('a', 'b')", "ck_t_c", {}),
        ("c IN ('a', 'b')", "ck_t_c", {"native_enum": True}),
    ],
)
def test_another_check_stays_beside_that_of_the_enum(
    condition: str, name: str, options: dict[str, Any]
) -> None:
    target, wanted = rewritten(written(condition, name, **options))
    assert only(wanted).check == ("ck_t_c" if name == "other" else "ck_t_c1")
    assert checks(target)[name] == condition and len(checks(target)) == 2


def test_the_check_of_a_string() -> None:
    """It lists what the database is to allow, as an enum would."""
    metadata = one(
        Column("c", String(9)),
        Column("d", ARRAY(Text)),
        Column("e", String(9)),
        CheckConstraint("c IN ('it''s', E'\\u0025')", name="ck_t_c"),
        CheckConstraint("array_replace(d, NULL, 'x') <@ ARRAY['x']::text[]", name="ck_t_d"),
        CheckConstraint("e IN ('x')", name="another"),
    )
    target, wanted = rewritten(metadata)
    assert target.table("t") is metadata.tables["t"]
    assert [(one.column, one.values, one.storage, one.check) for one in wanted.columns] == [
        ("c", ("it's", "%"), "VARCHAR(9)", "ck_t_c"),
        ("d", ("x",), "TEXT", "ck_t_d"),
    ]
    assert rewritten(metadata, exclude=["t.*"])[1] == Wanted(())


# Names


@pytest.mark.parametrize(
    ("convention", "name"),
    [
        ("ck_%(table_name)s_%(constraint_name)s", "ck_t_c"),
        ("check_%(constraint_name)s", "check_c"),
        ("ck_%(column_0_name)s_of_%(table_name)s", "ck_c_of_t"),
    ],
)
def test_a_convention(convention: str, name: str) -> None:
    metadata = one(Column("c", mood()), metadata=MetaData(naming_convention={"ck": convention}))
    target, wanted = rewritten(metadata)
    assert only(wanted).check == name and list(checks(target)) == [name]


def test_a_name_that_is_taken() -> None:
    metadata = one(
        Column("c", mood()),
        Column("n", Integer, CheckConstraint("n > 0", name="ck_t_c")),
        CheckConstraint("n < 9", name="ck_t_c1"),
    )
    assert only(rewritten(metadata)[1]).check == "ck_t_c2"


def test_a_long_name() -> None:
    metadata = one(Column("c" * 40, mood()), Column("c" * 40 + "d", mood()), name="t" * 40)
    names = [str(column.check) for column in rewritten(metadata)[1].columns]
    assert len(set(names)) == 2 and all(len(name) == 63 for name in names)


# Which columns


def test_what_is_excluded_is_untouched() -> None:
    shared = mood()
    metadata = one(Column("c", shared), Column("d", shared, server_default=text("'a'::mood")))
    one(Column("c", shared), metadata=metadata, name="u")
    target, wanted = rewritten(metadata, exclude=["t.d", "u.*"])
    assert [(column.table, column.column) for column in wanted.columns] == [("t", "c")]
    assert target.table("u") is metadata.tables["u"]
    assert target.table("t").c.d.type is shared
    assert str(target.table("t").c.d.server_default.arg) == "'a'::mood"  # type: ignore[union-attr]


def test_the_name_of_a_type_in_a_schema() -> None:
    metadata = one(Column("c", mood(schema="audit")), schema="audit")
    for pattern in ("audit.mood", "mood", "audit.t.c"):
        _, wanted = rewritten(metadata, include=[pattern])
        assert only(wanted).type == ("audit", "mood") and only(wanted).table == "audit.t"
    assert rewritten(metadata, include=["t.c", "public.mood"])[1] == Wanted(())


def test_the_schema_of_the_metadata() -> None:
    metadata = one(Column("c", mood(), server_default=text("'a'::mood")), metadata=MetaData("app"))
    target, _ = rewritten(metadata)
    assert str(target.table("app.t").c.c.server_default.arg) == "'a'::varchar"  # type: ignore


def test_a_foreign_key_without_a_type_follows() -> None:
    metadata = MetaData()
    Table("kinds", metadata, Column("code", mood(), primary_key=True))
    one(Column("kind", ForeignKey("kinds.code")), metadata=metadata)
    one(Column("kind", ForeignKey("t.kind")), metadata=metadata, name="u")
    metadata.tables["t"].c.kind.unique = True
    target, wanted = rewritten(metadata, include=["kinds.code"])
    assert [column.table for column in wanted.columns] == ["kinds", "t", "u"]
    for key in ("t", "u"):
        column = target.table(key).c.kind
        assert column.type.length == 63 and len(column.foreign_keys) == 1  # type: ignore
    assert rewritten(metadata, include=["t.kind"])[1] == Wanted(())


def test_one_half_of_a_foreign_key_is_refused() -> None:
    metadata = MetaData()
    Table("kinds", metadata, Column("code", mood(), primary_key=True))
    one(Column("kind", mood(), ForeignKey("kinds.code")), metadata=metadata)
    with pytest.raises(Refused, match=r"t\.kind refers to kinds\.code"):
        rewritten(metadata, include=["kinds.code"])


def test_some_columns_of_a_domain_are_refused() -> None:
    domain = DOMAIN("feeling", mood())
    with pytest.raises(Refused, match=r"domain public\.feeling.*t\.c, t\.d"):
        rewritten(one(Column("c", domain), Column("d", domain)), exclude=["t.d"])


def test_a_reference_that_leads_nowhere_is_not_this_fixups_to_report() -> None:
    metadata = one(Column("c", mood(), ForeignKey("nowhere.c")))
    rewrite(Target(metadata), EnumCheckSettings(), 16)


def test_several_metadata_and_a_schema_for_all() -> None:
    first, second = MetaData(), MetaData()
    code = Column("code", mood(), primary_key=True)
    Table("kinds", first, code)
    one(Column("kind", ForeignKey(code)), metadata=second)
    target = Target([first, second])
    prefix = SchemaPrefixSettings.model_validate({"schema": "app"})
    put_into_schema(target, prefix, 16)
    settings = EnumCheckSettings.model_validate({"include": ["kinds.code"]})
    wanted = rewrite(target, settings, 16)
    assert [(one.table, one.type) for one in wanted.columns] == [
        ("app.kinds", ("app", "mood")),
        ("app.t", ("app", "mood")),
    ]
    target.follow()
    [reference] = target.table("app.t").c.kind.foreign_keys
    assert reference.column is target.table("app.kinds").c.code


# Expressions


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (text("'a'::mood"), "'a'::varchar"),
        (text("'a'"), "'a'"),
        (literal("a"), "'a'"),
        (cast("a", mood()), "CAST('a' AS varchar)"),
        (text("CAST('a' AS public.mood)"), "CAST('a' AS varchar)"),
    ],
)
def test_a_default(default: Any, expected: str) -> None:
    target, _ = rewritten(one(Column("c", mood(), server_default=default)))
    arg: Any = target.table("t").c.c.server_default.arg  # type: ignore[union-attr]
    compiled = arg.compile(
        dialect=postgresql.dialect(paramstyle="named"), compile_kwargs={"literal_binds": True}
    )
    assert str(compiled) == expected


def test_a_default_that_is_a_member() -> None:
    target, _ = rewritten(one(Column("c", Enum(Kind), server_default=Kind.b)))
    arg = target.table("t").c.c.server_default.arg  # type: ignore[union-attr]
    assert arg == "b" and type(arg) is str


def test_the_default_of_an_array() -> None:
    columns = [
        Column("c", ARRAY(mood()), server_default=text("'{}'::mood[]")),
        Column("d", ARRAY(mood()), server_default="{}"),
    ]
    table = rewritten(one(*columns), storage="text")[0].table("t")
    assert str(table.c.c.server_default.arg) == "'{}'::text[]"  # type: ignore[union-attr]
    assert table.c.d.server_default.arg == "{}"  # type: ignore[union-attr]


def test_expressions_with_a_cast() -> None:
    metadata = one(
        Column("c", mood()),
        Column("d", Text, Computed("CASE WHEN c = 'a'::mood THEN 'x' END")),
        Column("n", Integer, CheckConstraint("n > 0 OR 'a'::mood = 'b'::mood", name="inline")),
        CheckConstraint("c <> 'b'::mood OR d = '::mood'", name="named"),
        Index("ix_where", "d", postgresql_where=text("c = 'a'::mood")),
        Index("ix_what", text("(c = 'a'::public.mood)")),
        ExcludeConstraint((text("(c::text)"), "="), where=text("c = 'a'::mood"), name="ex"),
    )
    target, _ = rewritten(metadata)
    table = target.table("t")
    assert "'a'::varchar" in str(table.c.d.computed.sqltext)  # type: ignore[union-attr]
    assert checks(target)["named"] == "c <> 'b'::varchar OR d = '::mood'"
    [inline] = table.c.n.constraints
    assert str(inline.sqltext) == "n > 0 OR 'a'::varchar = 'b'::varchar"  # type: ignore
    indexes = {index.name: index for index in table.indexes}
    where = indexes["ix_where"].dialect_options["postgresql"]["where"]
    assert str(where) == "c = 'a'::varchar"
    assert str(indexes["ix_what"].expressions[0]) == "(c = 'a'::varchar)"
    [exclude] = [item for item in table.constraints if isinstance(item, ExcludeConstraint)]
    assert str(exclude.where) == "c = 'a'::varchar"


def test_a_cast_to_a_type_that_stays_for_another_column() -> None:
    metadata = one(
        Column("c", mood()),
        Column("d", mood()),
        CheckConstraint("c <> 'b'::mood", name="goes"),
        CheckConstraint("d <> 'b'::mood", name="stays"),
    )
    one(Column("d", mood()), CheckConstraint("d <> 'b'::mood"), metadata=metadata, name="u")
    target, _ = rewritten(metadata, exclude=["*.d"])
    assert checks(target)["goes"] == "c <> 'b'::varchar"
    assert checks(target)["stays"] == "d <> 'b'::mood"
    assert target.table("u") is metadata.tables["u"]


def test_a_cast_in_another_table() -> None:
    metadata = one(Column("c", mood()))
    one(Column("d", Text, server_default=text("'a'::mood::text")), metadata=metadata, name="u")
    target, _ = rewritten(metadata)
    assert str(target.table("u").c.d.server_default.arg) == "'a'::varchar::text"  # type: ignore


def test_two_types_of_a_name() -> None:
    metadata = one(Column("c", mood()), Column("d", mood(schema="audit")))
    metadata.tables["t"].append_constraint(CheckConstraint("c='a'::mood AND d='a'::audit.mood"))
    target, _ = rewritten(metadata, include=["t.d"])
    assert checks(target)["None"] == "c='a'::mood AND d='a'::varchar"


# Hints


def test_hints() -> None:
    assert hint(Target(one(Column("c", mood(native_enum=False))))) == ""
    assert hint(Target(one(Column("c", mood())))) == (
        "1 column is of a native enum type (mood): [tool.alembic-fixups.enum-check] turns it into "
        "VARCHAR with a CHECK."
    )
    many = one(*(Column(name, Enum("a", name=name)) for name in "wxyz"))
    assert hint(Target(many)).startswith("4 columns are of native enum types (w, x, y, …): ")
    assert infer(Target(many)) is None


# On a server


@pytest.fixture
def live(database_url: URL) -> Iterator[Connection]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def created_by_alembic(connection: Connection, metadata: Any) -> None:
    """Runs the revision that Alembic writes for the models."""
    context = MigrationContext.configure(connection)
    script = produce_migrations(context, metadata)
    assert script.upgrade_ops is not None
    names: dict[str, Any] = {"sa": sqlalchemy, "op": Operations(context), "postgresql": postgresql}
    source = render_python_code(script.upgrade_ops, migration_context=context)
    exec("def upgrade():\n    " + source.strip(), names)
    names["upgrade"]()


def types_in(connection: Connection) -> list[str]:
    query = "SELECT typname FROM pg_type WHERE typtype IN ('e', 'd') AND typnamespace >= 2200"
    return list(connection.scalars(text(query + " AND typname NOT LIKE '%\\_%' ORDER BY 1")))


def everything(*domains: Column[Any]) -> MetaData:
    """Every way to have an enum, in tables that a server takes."""
    metadata = MetaData()
    Table("kinds", metadata, Column("code", Enum(Kind), primary_key=True))
    one(
        Column("c", mood(create_constraint=True), server_default=text("'a'::mood"), nullable=False),
        Column("e", Enum(Status, values_callable=values_of), server_default="is open"),
        Column("f", ARRAY(mood()), server_default=text("'{}'::mood[]")),
        Column("g", ARRAY(mood(), dimensions=2)),
        Column("h", mood(native_enum=False, create_constraint=True)),
        Column("i", mood(native_enum=False)),
        Column("j", ForeignKey("kinds.code")),
        Column("k", Stored("a", "b", name="mood")),
        Column("l", ENUM("x", name="owned", metadata=metadata)),
        *domains,
        Column("n", Text, Computed("CASE WHEN c = 'a'::mood THEN 'x' END", persisted=True)),
        CheckConstraint("c <> 'b'::mood OR f @> ARRAY['b'::mood]", name="named"),
        Index("ix_where", "n", postgresql_where=text("c = 'a'::mood")),
        metadata=metadata,
    )
    table = metadata.tables["t"]
    Index("ix_member", table.c.n, postgresql_where=table.c.e == Status.open)
    Index("ix_in", table.c.n, postgresql_where=table.c.e.in_([Status.open, Status.done]))
    table.append_constraint(CheckConstraint(table.c.e != Status.done, name="members"))
    return metadata


@pytest.mark.parametrize("storage", ["varchar", "text"])
def test_the_models_make_no_type(live: Connection, storage: str) -> None:
    feeling = DOMAIN("feeling", mood(), check="VALUE <> 'b'::mood")
    metadata = everything(Column("m", feeling))
    target, _ = rewritten(metadata, storage=storage)
    assert isinstance(target.metadata, MetaData)
    target.metadata.create_all(live)
    assert types_in(live) == ["feeling"]
    live.execute(text("INSERT INTO t (id, f, g, m) VALUES (1, '{a,NULL}', '{{a},{NULL}}', 'a')"))
    for column, wrong in (("c", "x"), ("e", "open"), ("f", "{x}"), ("m", "b"), ("h", "x")):
        with pytest.raises(IntegrityError), live.begin_nested():
            live.execute(text(f"UPDATE t SET {column} = '{wrong}'"))
    live.rollback()
    metadata.create_all(live)
    assert types_in(live) == ["feeling", "kind", "mood", "owned", "status"]


def test_alembic_creates_the_tables(live: Connection) -> None:
    target, _ = rewritten(everything())  # Alembic cannot write a domain
    assert isinstance(target.metadata, MetaData)
    created_by_alembic(live, target.metadata)
    assert types_in(live) == []
    again = produce_migrations(MigrationContext.configure(live), target.metadata)
    assert again.upgrade_ops is not None and again.upgrade_ops.is_empty(), again.upgrade_ops.ops


@pytest.mark.parametrize("storage", ["varchar", "text"])
def test_arrays_with_and_without_null(live: Connection, storage: str) -> None:
    target, _ = rewritten(one(Column("c", ARRAY(mood()))), storage=storage)
    assert isinstance(target.metadata, MetaData)
    target.metadata.create_all(live)
    good = ["{}", "{a}", "{NULL}", "{b,NULL,a}", "{{a,NULL},{b,a}}", "{{{a}}}", "[5:6]={a,b}", None]
    for number, value in enumerate(good):
        live.execute(text("INSERT INTO t VALUES (:id, :c)"), {"id": number, "c": value})
    for value in ("{c}", "{a,c}", "{NULL,c}", "{{a,b},{c,NULL}}", "{{{c}}}"):
        with pytest.raises(IntegrityError), live.begin_nested():
            live.execute(text("INSERT INTO t VALUES (99, :c)"), {"c": value})


HOSTILE = (
    "it's",
    "a:b :c ::d",
    "100% %s %(x)s %%",
    "back\\slash \\: \\n",
    "$$ $fixup$ $1",
    '"quoted" """',
    "{braces} {{}}",
    "😀 ü",
    "line\nbreak\ttab",
    "NULL",
    "",
    "é" * 31,
)


def accepts(connection: Connection, table: str, column: str, values: tuple[str, ...]) -> None:
    for number, value in enumerate(values):
        connection.execute(
            text(f"INSERT INTO {table} (id, {column}) VALUES (:id, :value)"),
            {"id": number, "value": value},
        )
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(text(f"INSERT INTO {table} (id, {column}) VALUES (-1, 'other value')"))


@pytest.mark.postgres(16)
def test_hostile_labels(live: Connection, tmp_path: Path) -> None:
    columns = [
        Column("c", Enum(*HOSTILE, name="mood")),
        Column("d", ARRAY(Enum(*HOSTILE, name="m"))),
    ]
    target, wanted = rewritten(one(*columns))
    assert isinstance(target.metadata, MetaData)
    target.metadata.create_all(live)
    accepts(live, "t", "c", HOSTILE)
    live.execute(text("INSERT INTO t (id, d) VALUES (50, :d)"), {"d": list(HOSTILE)})
    live.rollback()
    created_by_alembic(live, target.metadata)
    accepts(live, "t", "c", HOSTILE)
    for check in target.table("t").constraints:
        if isinstance(check, CheckConstraint):
            live.execute(text(f"ALTER TABLE t DROP CONSTRAINT {check.name}"))
            operation = ops.AddConstraintOp.from_constraint(check)
            definition = Constraint.of(operation).definition
            live.exec_driver_sql(
                f"DO $do$ BEGIN EXECUTE 'ALTER TABLE t ADD CONSTRAINT {check.name} ' || "
                f"{definition}; END $do$"
            )
    with pytest.raises(IntegrityError), live.begin_nested():
        live.execute(text("UPDATE t SET c = 'x'"))
    with pytest.raises(IntegrityError), live.begin_nested():
        live.execute(text("UPDATE t SET d = '{x}'"))
    assert [column.values for column in wanted.columns] == [HOSTILE, HOSTILE]


LABELS = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00")
    | st.sampled_from("'\":%\\${}éA "),
    max_size=12,
)


@pytest.fixture(scope="module")
def checking(servers: Any) -> Iterator[psycopg.Connection[Any]]:
    from alembic_fixups.scratch import connect

    with connect(servers(16).url) as connection:
        yield connection


@given(st.lists(LABELS, min_size=1, max_size=4, unique=True))
def test_a_condition_allows_its_labels_and_no_others(
    checking: psycopg.Connection[Any], labels: list[str]
) -> None:
    target, _ = rewritten(one(Column("c", Enum(*labels, name="mood"))))
    [check] = [item for item in target.table("t").constraints if isinstance(item, CheckConstraint)]
    condition = str(check.sqltext.compile(dialect=postgresql.psycopg.dialect()))
    query = f"SELECT {condition} FROM (SELECT unnest(%s::text[])::varchar(63) AS c) AS t"
    assert "%" not in condition
    found = checking.execute(query, [[*labels, *(f"{label}x" for label in labels)]]).fetchall()
    assert [row[0] for row in found] == [
        value in labels for value in [*labels, *(f"{label}x" for label in labels)]
    ]


@pytest.mark.postgres(16)
def test_a_project(tmp_path: Path, database_url: URL) -> None:
    project = Project.make(
        tmp_path,
        database_url,
        r"""
        from alembic_fixups.fixups.enum_check.rewrite import rewrite
        from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings
        from alembic_fixups.target import Target

        models = MetaData()
        Table(
            "orders", models, Column("id", Integer, primary_key=True),
            Column("status", Enum("it's", "a:b", "5%", name="status"), server_default="a:b"),
            Column("tags", ARRAY(Enum("it's", "a:b", "5%", name="status")),
                   server_default=text("ARRAY['a:b']::status[]")),
            Column("kind", Enum("it's", "a:b", "5%", name="status"),
                   server_default=text(r"'a\:b'::status")),
        )
        target = Target(models)
        rewrite(target, EnumCheckSettings(), 16)
        metadata = target.metadata
        """,
    )
    source = project.autogenerate()
    assert "sa.Enum" not in source and "op.f('ck_orders_status')" in source
    project.upgrade()
    assert project.is_converged(configure={"compare_server_default": True})
    engine = create_engine(database_url)
    with engine.begin() as connection:
        assert types_in(connection) == []
        values = {"tags": ["5%", None]}
        connection.execute(text("INSERT INTO orders (id, tags) VALUES (1, :tags)"), values)
        assert connection.scalar(text("SELECT status FROM orders")) == "a:b"
    engine.dispose()
