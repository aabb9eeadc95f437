"""Models, filters and settings of all kinds: nothing is lost, hidden or made twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from alembic.util import CommandError
from sqlalchemy import URL, Column
from typer.testing import CliRunner

from alembic_fixups.cli import Options, app
from alembic_fixups.scratch import Server, connect
from tests.fixups.schema_prefix.cases import settings
from tests.fixups.schema_prefix.differences import Difference, compare, differences
from tests.laws import snapshot
from tests.projects import ENV, Project

pytestmark = pytest.mark.postgres(16)
Env = dict[str, Any]

ALL: Env = {"configure": {"include_schemas": True}}
DEFAULTS: Env = {"configure": {"include_schemas": True, "compare_server_default": True}}
ONE_SCHEMA: Env = {}
STAY = settings(move_from="[]")

B = 'metadata = MetaData()\nTable("b", metadata, Column("id", Integer, primary_key=True))\n'
NOTHING = "metadata = MetaData()"
AT_HOME = "CREATE SCHEMA migration; ALTER TABLE b SET SCHEMA migration;"


@dataclass
class Attempt(Project):
    """A project whose database has what its models do not say."""

    server: Server | None = None

    def execute(self, script: str) -> list[Any]:
        """Runs statements; the rows that they give, or the values of the only column."""
        with connect(self.url) as connection:
            found = connection.execute(script)  # type: ignore[call-overload]
            rows = found.fetchall() if found.description else []
        return [row[0] if len(row) == 1 else row for row in rows]

    def snapshot(self) -> tuple[str, list[str]]:
        """What pg_dump says."""
        assert self.server is not None
        return snapshot.both(self.server, self.url)

    def found(self, options: Env = ALL) -> set[Difference]:
        """What Alembic itself finds, without values; the moves are not in it."""
        return {one[:2] for one in differences(self, **options) if one[0] != "schema-prefix"}

    def findings(self, options: Env = ALL) -> dict[tuple[str, str], str]:
        """What there is to say, by code and table."""
        _, run = compare(self, **options)
        assert run is not None
        return {(one.code, one.table): f"{one.severity}: {one.message}" for one in run.findings}

    def refusal(self, options: Env = ALL) -> str:
        """The message with which autogenerate stops; no revision is written."""
        with pytest.raises(CommandError) as refused:
            self.autogenerate(**options)
        assert not list((self.folder / "migrations" / "versions").glob("*.py"))
        return str(refused.value)

    def there_and_back(self, options: Env = ALL) -> str:
        """The revision; nothing is left to do after it, and after its downgrade all is as was."""
        before = self.snapshot()
        source = self.autogenerate(**options)
        self.upgrade(**options)
        assert differences(self, **options) == []
        self.downgrade("base", **options)
        assert self.snapshot() == before
        return source


Make = Callable[..., Attempt]


def maker(folder: Path, url: URL, server: Server) -> Make:
    """Makes a project on a database with what its models, or those from before, say."""

    def made(models: str, setup: str = "", toml: str = "", before: str = "") -> Attempt:
        attempt = Attempt.make(folder / "p", url, before or models, toml or settings())
        attempt.server = server
        attempt.create_all(*(["migration"] if "schema=" in (before or models) else []))
        attempt.execute(setup)
        attempt.models(models)
        return attempt

    return made


@pytest.fixture
def make(tmp_path: Path, database_url: URL, server: Server) -> Make:
    """Makes a project on a database of the test's own."""
    return maker(tmp_path, database_url, server)


def b_with(more: str, first: str = "") -> str:
    """The table with more in it, after something else."""
    return B[:-2].replace("\nTable", f"\n{first}\nTable") + f", {more})\n"


def path(search_path: str, **configure: Any) -> Env:
    """The options of an env.py that sets the search_path."""
    return {"session": [f"SET search_path TO {search_path}"], "configure": configure}


# Filters and what is on the search_path


@pytest.mark.parametrize(
    ("setup", "session"),
    [("CREATE SCHEMA migration;", []), (AT_HOME, []), (AT_HOME, ["SET search_path TO migration"])],
    ids=["public", "home", "path"],
)
def test_the_documented_name_filter_neither_creates_nor_hides_a_live_table(
    make: Make, setup: str, session: list[str]
) -> None:
    unknown = "CREATE TABLE unknown (id int); CREATE TABLE migration.unknown (id int);"
    project = make(B, f"ALTER TABLE b ADD gone int; {setup} {unknown}")
    known = project.metadata.tables

    def include_name(name: str | None, type_: str, parents: dict[str, str | None]) -> bool:
        if type_ == "schema":
            return name in (None, "migration")
        return type_ != "table" or parents["schema_qualified_table_name"] in known

    options = {"session": session, "configure": {**ALL["configure"], "include_name": include_name}}
    assert project.found(options) == {("remove_column", "migration.b.gone")}
    assert "_table(" not in project.there_and_back(options)


@pytest.mark.postgres(16, 18)
@pytest.mark.parametrize("by_default", [False, True], ids=["SET", "default"])
@pytest.mark.parametrize(
    ("search_path", "dropped"),
    [
        ("migration", {"migration.unknown_m"}),
        ("other, public", {"other.unknown_o", "public.unknown_p"}),
        ("nowhere, public, migration", {"public.unknown_p", "migration.unknown_m"}),
    ],
)
def test_unknown_tables_are_dropped_where_they_are_on_the_search_path_and_nowhere_else(
    make: Make, search_path: str, dropped: set[str], by_default: bool
) -> None:
    unknown = "CREATE SCHEMA other; CREATE TABLE other.unknown_o (id int);"
    unknown += "CREATE TABLE unknown_p (id int); CREATE TABLE migration.unknown_m (id int)"
    project = make(B, AT_HOME + unknown, STAY)
    if by_default:
        project.execute(f"ALTER DATABASE {project.url.database} SET search_path TO {search_path}")
    options = ONE_SCHEMA if by_default else path(search_path)
    assert project.found(options) == {("remove_table", name) for name in dropped}


def test_unknown_tables_of_the_schema_are_dropped_only_with_include_schemas(make: Make) -> None:
    project = make(B, "CREATE SCHEMA migration; CREATE TABLE migration.unknown (id int)")
    assert project.found(ALL) == {("remove_table", "migration.unknown")}
    assert "unknown" not in project.there_and_back(ONE_SCHEMA)


@pytest.mark.parametrize(
    ("schema", "options"),
    [("public", ALL), ("public", ONE_SCHEMA), ("migration", ALL), ("migration", path("migration"))],
    ids=["public", "public alone", "home", "path"],
)
def test_a_wider_version_table_is_never_dropped(make: Make, schema: str, options: Env) -> None:
    columns = "(version_num varchar(32) PRIMARY KEY, applied_at timestamptz DEFAULT now())"
    project = make(B, f"CREATE SCHEMA migration; CREATE TABLE {schema}.alembic_version {columns}")
    assert project.found(options) == set()
    assert "alembic_version" not in project.there_and_back(options)


@pytest.mark.parametrize("options", [ALL, ONE_SCHEMA], ids=["all", "one"])
def test_a_filter_that_spares_what_has_no_schema_spares_it_still(make: Make, options: Env) -> None:
    legacy = "CREATE TABLE legacy (id int); CREATE SCHEMA migration;"
    project = make(B, f"{legacy} CREATE TABLE migration.legacy (id int)")

    def include_object(item: Any, name: str, type_: str, reflected: bool, other: Any) -> bool:
        return not (type_ == "table" and reflected and other is None and item.schema is None)

    spared = {"configure": {**options.get("configure", {}), "include_object": include_object}}
    in_schema = {("remove_table", "migration.legacy")} if options is ALL else set()
    assert project.found(options) == in_schema | {("remove_table", "public.legacy")}
    assert project.found(spared) == in_schema
    project.there_and_back(spared)


def test_a_filter_gets_tables_and_columns_as_the_models_have_them(make: Make) -> None:
    project = make(b_with('Column("x", String)'), before=B)
    seen: set[tuple[Any, ...]] = set()

    def include_object(item: Any, name: str, type_: str, reflected: bool, other: Any) -> bool:
        table = item.table if isinstance(item, Column) else item
        seen.add((type_, name, table.key, table.schema))
        return True

    options = {"configure": {"include_object": include_object}}
    assert project.found(options) == {("add_column", "migration.b.x")}
    things = [("table", "b"), ("column", "id"), ("column", "x")]
    assert seen == {(*thing, "b", None) for thing in things}


# What is different and what is not


def numbered(default: str, more: str = "") -> str:
    """A table with a column of that default, in the schema already."""
    kind = "String" if "||" in default else "BigInteger"
    return f'{SCHEMA}Table("a", metadata, Column("n", {kind}, {default}){more})\n'


SCHEMA = 'metadata = MetaData(schema="migration")\nSequence("num", metadata=metadata)\n'
STATUS = 'Enum("x", "y", name="en")'
ENUM = b_with(f'Column("e", {STATUS})')
DEFAULT = b_with(f'Column("e", {STATUS}), Column("d", {STATUS}, server_default="x")')
PARTIAL = b_with(f'Column("e", {STATUS}), Index("some", "id", postgresql_where=text("e = \'x\'"))')
NEXT_OWN = 'Column("z", BigInteger, server_default=own.next_value())'
OWN = b_with(NEXT_OWN, 'own = Sequence("own", metadata=metadata)')
NEXT = "server_default=text(\"nextval('migration.num'::regclass)\")"
MORE = NEXT.replace("nextval", "1000 + nextval")
INVOICE = NEXT.replace("nextval", "'INV-' || nextval")
TEXT = f', Column("o", String, {INVOICE})'
INDEXED = """
metadata = MetaData()
Table("b", metadata, Column("n", Integer, unique=True, index=True),
      Column("m", Integer, unique=True))
Table("c", metadata, Column("n", ForeignKey("b.n"), index=True), Column("m", Integer),
      Index("by_m", "m"))
"""
NAMES = 'naming_convention={"ix": "ix_%(column_0_label)s", "uq": "uq_%(column_0_label)s"}'
CONVENTION = INDEXED.replace("MetaData()", f"MetaData({NAMES})").replace('"by_m"', "None")
HIDDEN = {
    "variant": 'String().with_variant(postgresql.ENUM("x", "y", name="en"), "postgresql")',
    "decorator": """type("Status", (TypeDecorator,), {
        "impl": String, "cache_ok": True,
        "load_dialect_impl": lambda self, d: d.type_descriptor(postgresql.ENUM("x", "y", name="en"))
    })()""",
}
TO_B = 'Table("a", metadata, Column("id", ForeignKey("b.id", link_to_name=True)))\n'
LINKED = B.replace("True", 'True, key="ident"') + TO_B
DOTTED = (B + TO_B).replace('"b', '"x.b')


@pytest.mark.postgres(16, 18)
@pytest.mark.parametrize("home", [False, True], ids=["public", "home"])
@pytest.mark.parametrize(
    "models",
    [
        pytest.param(INDEXED, id="names by the schema"),
        pytest.param(CONVENTION, id="naming convention"),
        pytest.param(LINKED, id="link_to_name"),
    ],
)
def test_what_only_looks_different_is_no_difference(make: Make, models: str, home: bool) -> None:
    project = make(models)
    if home:
        project.execute("CREATE SCHEMA migration")
        for table in project.metadata.tables:
            project.execute(f'ALTER TABLE public."{table}" SET SCHEMA migration')
    assert project.found() == set()
    project.there_and_back()


@pytest.mark.parametrize(
    ("before", "old", "new", "expected"),
    [
        pytest.param(DEFAULT, DEFAULT, ENUM, {"b.d"}, id="column of a type"),
        pytest.param(DEFAULT, '="x"', '="y"', {"b.d"}, id="default of a type"),
        pytest.param(PARTIAL, PARTIAL, ENUM, {"some"}, id="partial index dropped"),
        pytest.param(PARTIAL, '"id", po', '"id", unique=True, po', {"some"}, id="partial index"),
        pytest.param(OWN, f", {NEXT_OWN}", "", {"b.z"}, id="column of a sequence"),
        pytest.param(numbered(NEXT, TEXT), TEXT, "", {"a.o"}, id="column of more than a sequence"),
        pytest.param(INDEXED, 'b.n"),', 'b.n"), unique=True,', {"c_n"}, id="unique"),
        pytest.param(INDEXED, 'by_m", "m"', 'by_m", "n"', {"by_m"}, id="columns"),
        pytest.param(CONVENTION, 'None, "m"', 'None, "m", "n"', {"c_m"}, id="convention"),
    ],
)
def test_what_is_really_different_is_found_and_comes_back(
    make: Make, before: str, old: str, new: str, expected: set[str]
) -> None:
    project = make(before.replace(old, new), before=before)
    texts = [text for _, text in project.found(DEFAULTS)]
    assert all(any(name in text for name in expected) for text in texts) and texts
    project.there_and_back(DEFAULTS)


@pytest.mark.parametrize("type_", HIDDEN.values(), ids=HIDDEN)
def test_an_enum_type_behind_another_type_is_in_the_schema_too(make: Make, type_: str) -> None:
    before = b_with(f'Column("e", {STATUS}), Column("o", Integer)')
    models = before.replace(STATUS, type_).replace('o", Integer', f'o", {type_}')
    project = make(models, before=before)
    assert project.found() == {("modify_type", "migration.b.o")}
    project.models(before.replace(STATUS, type_))
    assert project.found() == set()
    project.there_and_back()


@pytest.mark.parametrize(
    ("before", "models"),
    [
        pytest.param(MORE, NEXT, id="less"),
        pytest.param(NEXT, MORE, id="more"),
        pytest.param(NEXT, NEXT.replace("num", "num2"), id="of a sequence that is not there"),
        pytest.param(NEXT, NEXT, id="the same"),
        pytest.param(INVOICE, NEXT, id="text"),
        pytest.param(MORE, MORE, id="more, the same"),
    ],
)
def test_a_default_is_compared_as_a_whole(make: Make, before: str, models: str) -> None:
    project = make(numbered(models), before=numbered(before))
    changes = set() if before == models else {("modify_default", "migration.a.n")}
    found = {change for change in project.found(DEFAULTS) if change[0] != "modify_type"}
    assert found == changes


def test_a_dot_in_a_name_is_refused_with_the_way_out(make: Make) -> None:
    with pytest.raises(CommandError, match=r"'x\.b' has a dot in its name"):
        make(DOTTED).found()


def test_a_new_table_takes_the_type_that_stays_elsewhere(make: Make) -> None:
    before = f'{SCHEMA}Table("a", metadata, Column("s", {STATUS}))\n'
    models = before + f'Table("n", metadata, Column("s", {STATUS}))\n'
    before = before.replace('name="en"', 'name="en", schema="public"')
    project = make(models, toml=STAY, before=before)
    assert ("type-elsewhere", "public.en") in project.findings()
    assert project.found() == {("add_table", "migration.n")}
    project.there_and_back()
    project.upgrade()
    assert project.execute("SELECT count(*) FROM pg_type WHERE typname = 'en'") == [1]


def test_a_new_column_takes_the_sequence_that_stays_elsewhere(make: Make) -> None:
    models = OWN.replace(NEXT_OWN, NEXT_OWN + ", " + NEXT_OWN.replace('"z"', '"y"'))
    project = make(models, AT_HOME, STAY, before=OWN)
    assert ("sequence-elsewhere", "public.own") in project.findings(DEFAULTS)
    assert project.found(DEFAULTS) == {("add_column", "migration.b.y")}
    project.there_and_back(DEFAULTS)
    project.upgrade()
    assert project.execute("INSERT INTO migration.b DEFAULT VALUES RETURNING z + y") == [3]


def test_no_empty_twin_is_made_where_one_column_was_added_and_one_dropped(make: Make) -> None:
    before = b_with('Column("a", Integer), Column("gone", Integer)')
    project = make(before.replace("gone", "new"), toml=STAY, before=before)
    assert "an empty twin of it is not created" in project.refusal()
    project.settings(settings())
    changes = {("add_column", "migration.b.new"), ("remove_column", "migration.b.gone")}
    assert project.found() == changes


def test_what_is_kept_is_no_twin(make: Make) -> None:
    project = make(B, "CREATE TABLE b (id int, z int); INSERT INTO b VALUES (1)", STAY, NOTHING)
    assert "public.b" in project.refusal(ONE_SCHEMA)
    project.settings(settings('keep = ["public.b"]', move_from="[]"))
    project.there_and_back()
    project.upgrade()
    rows = "SELECT (SELECT count(*) FROM public.b), (SELECT count(*) FROM migration.b)"
    assert project.execute(rows) == [(1, 0)]


A = 'Table("a", metadata, Column("b_id", ForeignKey("migration.b.id")), schema="migration")\n'
UNLOGGED = B.replace("True)", 'True), prefixes=["UNLOGGED"]')
PERSISTENCE = "SELECT relpersistence FROM pg_class WHERE oid = 'migration.b'::regclass"
REFERRED = "SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"


@pytest.mark.parametrize(
    ("models", "query", "says"),
    [(UNLOGGED, PERSISTENCE, "u"), (B + A, REFERRED, "migration.b")],
    ids=["prefixes", "reference with the schema to a table without one"],
)
def test_a_new_table_is_as_its_model_says(make: Make, models: str, query: str, says: str) -> None:
    project = make(models, before=NOTHING)
    project.there_and_back()
    project.upgrade()
    assert project.execute(query) == [says]


@pytest.mark.parametrize("schema", ["public", "migration"])
def test_a_view_of_a_models_name_is_refused_unless_it_is_left_out(make: Make, schema: str) -> None:
    view = f"CREATE SCHEMA migration; CREATE VIEW {schema}.v AS SELECT id FROM public.b"
    models = 'Table("v", metadata, Column("id", Integer, primary_key=True), info={"view": True})'
    project = make(B + models, view, before=B)
    assert f"{schema}.v is a view, not a table" in project.refusal()
    include = {"include_object": lambda item, *_: not item.info.get("view")}
    project.there_and_back({"configure": include})
    assert project.execute(f"SELECT count(*) FROM {schema}.v") == [0]


def test_the_same_table_in_two_metadata_is_refused(make: Make) -> None:
    both = B + B.replace("metadata", "second") + "metadata = [metadata, second]\n"
    assert "MetaData of target_metadata have the table b" in make(both, before=B).refusal()


@pytest.mark.parametrize("fails", [False, True])
def test_the_session_is_as_it_was_also_after_an_exception(make: Make, fails: bool) -> None:
    project = make(ENUM, "CREATE SCHEMA migration")
    translated = 'create_engine(url).execution_options(schema_translate_map={None: "migration"})'
    run = "        try:\n            run(connection)\n        finally:\n"
    run += '            config.attributes["after"](connection)\n'
    env = ENV.replace("create_engine(url)", translated).replace("        run(connection)\n", run)
    (project.folder / "migrations" / "env.py").write_text(env)
    seen: list[Any] = []

    def after(connection: Any) -> None:
        connection.rollback()
        seen.append(connection.exec_driver_sql("SHOW search_path").scalar())
        seen.append(connection.get_execution_options()["schema_translate_map"][None])

    include = Mock(side_effect=CommandError("of the filter") if fails else None)
    options = {**path("public, migration", include_object=include), "after": after}
    if fails:
        assert project.refusal(options) == "of the filter"
    else:
        project.autogenerate(**options)
    assert seen == ["public, migration", "migration"]


def test_init_proposes_the_schema_of_models_that_sqlalchemy_cannot_resolve(make: Make) -> None:
    models = (B + A).replace("migration.b", "b").replace("True))", 'True), schema="migration")')
    project = make(models, toml="[tool]", before=NOTHING)
    ini = project.folder / "alembic.ini"
    ini.write_text(ini.read_text() + "sqlalchemy.url = postgresql+psycopg://\n")
    done = CliRunner().invoke(app, ["-c", str(ini), "init", "--dry-run"], obj=Options())
    assert "+[tool.alembic-fixups.schema-prefix]" in done.output
    assert '+schema = "migration"' in done.output


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("schema = '\"migration\"'", "schema"),
        ("schema = ' migration'", "schema"),
        ("schema = 'migration'\nmove-from = ['migration']", "move-from"),
        ("schema = 'migration'\nkeep = ['users']", "keep[0]"),
        ("schema = 'migration'\nkeep = ['migration.users']", "keep"),
        ("schema = 'migration'\nmove-version-table = 'yes'", "move-version-table"),
    ],
)
def test_a_mistake_in_the_settings_has_its_line_and_key(make: Make, line: str, key: str) -> None:
    project = make(B)
    project.settings(f"[tool.alembic-fixups.schema-prefix]\n# it\n{line}\n")
    number = 3 + line.count("\n")
    assert f"pyproject.toml:{number}: schema-prefix.{key}" in project.refusal()
