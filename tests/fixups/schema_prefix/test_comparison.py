"""What is compared does not depend on the session, and no real difference is hidden by that."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import URL, Table, inspect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import SAWarning

from tests.fixups.schema_prefix.cases import settings
from tests.fixups.schema_prefix.differences import Difference, differences
from tests.projects import Project

Connection = psycopg.Connection[tuple[Any, ...]]

ONE_VERSION = pytest.mark.postgres(16)

# Alembic's operations as they are: make_idempotent turns some of them into SQL.
PLAIN = '[tool.alembic-fixups]\nidempotent = "fixups"\n'

MODELS = """
metadata = MetaData()
number_seq = Sequence("number_seq", metadata=metadata)
other_seq = Sequence("other_seq", metadata=metadata)
mood = Enum("ok", "sad", name="mood")
Table(
    "clients", metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), unique=True),
    Column("mood", mood, server_default="ok"),
    Column("moods", ARRAY(mood)),
    Column("tag", Enum("hot", "cold", name="tag"), server_default="hot"),
    Column("tags", postgresql.ARRAY(Enum("hot", "cold", name="tag"))),
    Column("no_tags", postgresql.ARRAY(Enum("hot", "cold", name="tag"))),
    Column("size", postgresql.DOMAIN("size", Integer)),
    Column("no_mood", mood),
    Column("number", BigInteger, server_default=number_seq.next_value()),
    Column("other_number", BigInteger, server_default=other_seq.next_value()),
    Column("worth", Integer, server_default="5"),
    Column("at", DateTime, server_default=text("now()")),
    UniqueConstraint("id", "number"),
    schema="migration",
)
Table(
    "projects", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", ForeignKey("clients.id", ondelete="CASCADE")),
    Column("second_id", ForeignKey("migration.clients.id", ondelete="CASCADE")),
    Column("third_id", ForeignKey("clients.id")),
    Column("fourth_id", ForeignKey("migration.clients.id")),
    Column("parent_id", ForeignKey("projects.id")),
    Column("lookup_id", ForeignKey("public.lookups.id")),
    Column("other_lookup_id", ForeignKey("public.lookups.id")),
    Column("number", BigInteger),
    ForeignKeyConstraint(
        ["client_id", "number"], ["migration.clients.id", "migration.clients.number"]
    ),
    Index("ix_first", "client_id"),
    Index("ix_second", "second_id"),
    CheckConstraint("number > 0", name="positive"),
    comment="of a client",
)
Table(
    "notes", metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("migration.projects.id")),
    Column("other_id", ForeignKey("projects.id")),
    Column("text", String(80)),
    Column("mood", mood),
)
Table(
    "clients", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", ForeignKey("migration.clients.id")),
    Column("other_id", ForeignKey("audit.clients.id")),
    Column("third_id", ForeignKey("audit.clients.id")),
    Column("state", Enum("good", "bad", name="state", schema="audit")),
    Column("new", Integer),
    schema="audit",
)
Table("lookups", metadata, Column("id", Integer, primary_key=True), Column("new", Integer),
      schema="public")
Table("brand_new", metadata, Column("id", ForeignKey("notes.id"), primary_key=True))
"""

DATABASE = """
CREATE SCHEMA migration;
CREATE SCHEMA audit;
CREATE TYPE migration.mood AS ENUM ('ok', 'sad');
CREATE TYPE public.other_mood AS ENUM ('ok', 'sad');
CREATE TYPE public.tag AS ENUM ('hot', 'cold');
CREATE DOMAIN public.size AS int;
CREATE TYPE audit.state AS ENUM ('good', 'bad');
CREATE SEQUENCE public.number_seq;
CREATE SEQUENCE migration.other_seq;
CREATE SEQUENCE migration.wrong_seq;

-- As in the models, but for worth, other_number and no_mood.
CREATE TABLE migration.clients (
  id serial PRIMARY KEY,
  name varchar(80) UNIQUE,
  mood migration.mood DEFAULT 'ok',
  moods migration.mood[],
  tag public.tag DEFAULT 'hot',
  tags public.tag[],
  no_tags migration.mood[],
  size public.size,
  no_mood public.other_mood,
  number bigint DEFAULT nextval('public.number_seq'),
  other_number bigint DEFAULT nextval('migration.wrong_seq'),
  worth int DEFAULT 6,
  at timestamp DEFAULT now(),
  UNIQUE (id, number)
);
-- In the schemas that their models name.
CREATE TABLE public.lookups (id serial PRIMARY KEY);
-- The first of each pair is as in the models, the second is not.
CREATE TABLE migration.projects (
  id serial PRIMARY KEY,
  client_id int REFERENCES migration.clients ON DELETE CASCADE,
  second_id int REFERENCES migration.clients ON DELETE SET NULL,
  third_id int REFERENCES migration.clients,
  fourth_id int,
  parent_id int REFERENCES migration.projects,
  lookup_id int REFERENCES public.lookups,
  other_lookup_id int,
  number bigint CONSTRAINT positive CHECK (number > 0),
  FOREIGN KEY (client_id, number) REFERENCES migration.clients (id, number)
);
COMMENT ON TABLE migration.projects IS 'of a client';
CREATE INDEX ix_first ON migration.projects (client_id);
CREATE INDEX ix_unknown ON migration.projects (number);
-- To be moved, and not as in the models then.
CREATE TABLE public.notes (
  id serial PRIMARY KEY,
  project_id int REFERENCES migration.projects,
  other_id int,
  text varchar(40) NOT NULL,
  mood migration.mood,
  gone int
);
CREATE TABLE audit.clients (
  id serial PRIMARY KEY,
  client_id int REFERENCES migration.clients,
  other_id int REFERENCES audit.clients,
  third_id int REFERENCES migration.clients,
  state audit.state
);
-- No model has these.
CREATE TABLE migration.in_migration (id int PRIMARY KEY REFERENCES migration.clients);
CREATE TABLE public.in_public (id int PRIMARY KEY REFERENCES migration.clients);
CREATE TABLE audit.in_audit (id int PRIMARY KEY REFERENCES migration.clients);
"""


MOVES = (
    "schema-prefix",
    "public.size: the type moves to migration",
    "public.tag: the type moves to migration",
    "public.number_seq: the sequence moves to migration",
    "public.notes: the table moves to migration",
)
TRUE: set[Difference] = {
    MOVES,
    ("add_column", "audit.clients.new"),
    ("add_column", "public.lookups.new"),
    ("add_fk", "migration.projects (other_lookup_id)", "public.lookups.id"),
    ("add_fk", "audit.clients (third_id)", "audit.clients.id"),
    ("remove_fk", "audit.clients (third_id)", "migration.clients.id"),
    ("add_fk", "migration.notes (other_id)", "migration.projects.id"),
    ("add_fk", "migration.projects (fourth_id)", "migration.clients.id"),
    ("add_fk", "migration.projects (second_id)", "migration.clients.id", "ON DELETE CASCADE"),
    ("remove_fk", "migration.projects (second_id)", "migration.clients.id", "ON DELETE SET NULL"),
    ("add_index", "migration.ix_second"),
    ("remove_index", "migration.ix_unknown"),
    ("add_table", "migration.brand_new"),
    (
        "modify_default",
        "migration.clients.other_number",
        "nextval('migration.wrong_seq'::regclass)",
        "<next sequence value: migration.other_seq>",
    ),
    ("modify_default", "migration.clients.worth", "6", "5"),
    (
        "modify_type",
        "migration.clients.no_mood",
        "ENUM('ok', 'sad', name='other_mood', schema='public')",
        "Enum('ok', 'sad', name='mood', schema='migration')",
    ),
    (
        "modify_type",
        "migration.clients.no_tags",
        "ARRAY(ENUM('ok', 'sad', name='mood', schema='migration'))",
        "ARRAY(Enum('hot', 'cold', name='tag', schema='migration'))",
    ),
    ("modify_nullable", "migration.notes.text", "False", "True"),
    ("modify_type", "migration.notes.text", "VARCHAR(length=40)", "String(length=80)"),
    ("remove_column", "migration.notes.gone"),
}

ON_PATH: dict[str | None, set[str]] = {
    None: {"public"},
    "migration, public": {"migration", "public"},
    "public, migration": {"migration", "public"},
    "migration": {"migration"},
    "''": set(),
}
PATHS = list(ON_PATH)


def unknown(
    on_path: set[str], include_schemas: bool, default: str | None = "public"
) -> set[Difference]:
    """The drops of tables that no model has, in the schemas that Alembic looks at by itself.

    The search_path takes the place of the default schema; who does not include all schemas asks
    for no others.
    """
    all_but_default = {"migration", "public", "audit"} - {default}
    seen = on_path | (all_but_default if include_schemas else set())
    return {("remove_table", f"{schema}.in_{schema}") for schema in seen}


@pytest.fixture
def project(tmp_path: Path, database_url: URL, connection: Connection) -> Project:
    """Models and a database with a true difference beside each spurious one."""
    connection.execute(DATABASE)  # type: ignore[arg-type]
    return Project.make(tmp_path / "project", database_url, MODELS, PLAIN + settings())


def configured(path: str | None = None, **configure: Any) -> dict[str, Any]:
    """An env.py that sets the search_path and says more to Alembic."""
    return {
        "session": [] if path is None else [f"SET search_path TO {path}"],
        "configure": {"compare_server_default": True, **configure},
    }


def found(project: Project, options: dict[str, Any]) -> set[Difference]:
    """What is found, each difference once; without the fixup's step that begins the downgrade."""
    listed = differences(project, **options)
    assert len(set(listed)) == len(listed), "a difference is there twice"
    return set(listed) - {("schema-prefix",)}


@pytest.mark.parametrize("include_schemas", [True, False], ids=["all schemas", "one schema"])
@pytest.mark.parametrize("path", PATHS)
def test_true_differences_are_found_and_no_others(
    project: Project, path: str | None, include_schemas: bool
) -> None:
    options = configured(path, include_schemas=include_schemas)
    assert found(project, options) == TRUE | unknown(ON_PATH[path], include_schemas)


@ONE_VERSION
@pytest.mark.parametrize("include_schemas", [True, False], ids=["all schemas", "one schema"])
@pytest.mark.parametrize("path", PATHS)
def test_what_no_model_has_is_seen_where_stock_alembic_sees_it(
    project: Project, connection: Connection, path: str | None, include_schemas: bool
) -> None:
    # Stock Alembic cannot read a default by a sequence of another schema.
    connection.execute("ALTER TABLE migration.clients ALTER number DROP DEFAULT")
    options = configured(path, include_schemas=include_schemas)
    project.settings("")
    project.models("metadata = MetaData()")
    dropped = {what.split(".")[1] for kind, what in differences(project, **options)}
    expected = {what.split(".")[1] for _, what in unknown(ON_PATH[path], include_schemas)}
    assert {name for name in dropped if name.startswith("in_")} == expected


@pytest.mark.slow
@ONE_VERSION
@pytest.mark.parametrize("include_schemas", [True, False], ids=["all schemas", "one schema"])
@pytest.mark.parametrize("version_table_schema", ["migration", "public", "audit"])
@pytest.mark.parametrize("path", PATHS)
def test_nor_do_they_depend_on_the_schema_of_the_version_table(
    project: Project,
    connection: Connection,
    path: str | None,
    version_table_schema: str,
    include_schemas: bool,
) -> None:
    connection.execute(
        f"CREATE TABLE {version_table_schema}.alembic_version (version_num varchar(32) PRIMARY KEY)"
    )
    expected = TRUE | unknown(ON_PATH[path], include_schemas)
    options = configured(
        path, include_schemas=include_schemas, version_table_schema=version_table_schema
    )
    assert found(project, options) == expected


@ONE_VERSION
@pytest.mark.parametrize("include_schemas", [True, False], ids=["all schemas", "one schema"])
@pytest.mark.parametrize(
    "default",
    [
        *("migration", "migration,public", "public,migration"),
        *("audit,migration", "public,audit", "nowhere"),
    ],
)
def test_nor_on_the_default_schema(project: Project, default: str, include_schemas: bool) -> None:
    """SQLAlchemy asks for it when it connects; an option of the URL is set by then."""
    url = project.url.update_query_dict({"options": f"-csearch_path={default}"})
    on_path = set(default.split(",")) - {"nowhere"}
    first = None if default == "nowhere" else default.split(",")[0]
    expected = TRUE | unknown(on_path, include_schemas, first)
    options = configured(include_schemas=include_schemas)
    assert found(Project(project.folder, url), options) == expected


def translated(project: Project, map_: dict[str | None, str | None]) -> None:
    """Has env.py give the connection a schema_translate_map."""
    env = project.folder / "migrations" / "env.py"
    new = f"create_engine(url).execution_options(schema_translate_map={map_!r})"
    changed = env.read_text().replace("create_engine(url)", new)
    assert new in changed
    env.write_text(changed)


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "map_",
    [{None: "migration"}, {None: "audit", "unused": "audit"}, {"migration": "migration"}],
    ids=["there", "elsewhere", "itself"],
)
def test_nor_on_a_translation_of_other_schemas(
    project: Project, map_: dict[str | None, str | None], path: str | None
) -> None:
    translated(project, map_)
    expected = TRUE | unknown(ON_PATH[path], True)
    assert found(project, configured(path, include_schemas=True)) == expected


@ONE_VERSION
@pytest.mark.parametrize(
    "map_", [{"migration": "other"}, {"migration": None}, {None: "x", "audit": "public"}]
)
def test_a_translation_that_leads_elsewhere_is_refused(
    project: Project, map_: dict[str | None, str | None]
) -> None:
    translated(project, map_)
    [(schema, other)] = [pair for pair in map_.items() if pair[0]]
    with pytest.raises(CommandError, match=f"sends '{schema}' to {other!r}"):
        differences(project)


@ONE_VERSION
def test_the_session_is_as_it_was_afterwards(project: Project) -> None:
    """A hook of env.py's runs after the comparison; what it asks the database is as it was."""
    translated(project, {None: "migration"})
    seen: dict[str, Any] = {}

    def look(context: MigrationContext, _: Any, directives: Any) -> None:
        connection = context.connection
        assert connection is not None
        seen.update(
            empty=directives[0].upgrade_ops.is_empty(),
            translation=connection.get_execution_options()["schema_translate_map"][None],
            path=connection.exec_driver_sql("SHOW search_path").scalar(),
            default=inspect(connection).default_schema_name,
            types=connection.dialect.ischema_names is PGDialect.ischema_names,
            replaced=vars(context.impl).keys() & vars(type(context.impl)).keys(),
        )

    options = configured("public, migration", process_revision_directives=look)
    project.autogenerate(**options)
    assert seen == {
        "empty": False,
        "translation": "migration",
        "path": "public, migration",
        "default": "public",
        "types": True,
        "replaced": set(),
    }


# Namesakes


@ONE_VERSION
@pytest.mark.parametrize("path", [*PATHS, "public, audit"])
def test_a_type_is_compared_with_the_one_that_its_model_means(
    project: Project, connection: Connection, path: str | None
) -> None:
    """Two enum types of a name, of which one has its schema from its model."""
    project.models(MODELS.replace('name="state", schema="audit"', 'name="mood", schema="audit"'))
    connection.execute("ALTER TYPE audit.state RENAME TO mood")
    on_path = ON_PATH.get(path, {"public", "audit"})
    assert found(project, configured(path)) == TRUE | unknown(on_path, False)


# Filters


Call = tuple[str | None, str, str | None, str | None]


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
def test_a_name_filter_sees_the_default_schema_as_ever(project: Project, path: str | None) -> None:
    seen: set[Call] = set()

    def include_name(name: str | None, type_: str, parent: dict[str, str | None]) -> bool:
        full = parent.get("schema_qualified_table_name")
        seen.add((name, type_, parent.get("schema_name"), full))
        return type_ != "schema" or name != "audit"

    options = configured(path, include_schemas=True, include_name=include_name)
    expected = TRUE | unknown(ON_PATH[path], True) - {("remove_table", "audit.in_audit")}
    assert found(project, options) == expected, "of audit it sees what the models name"
    assert {call for call in seen if call[1] == "schema"} == {
        (None, "schema", None, None),
        ("migration", "schema", None, None),
        ("audit", "schema", None, None),
    }
    assert {call for call in seen if str(call[0]).startswith("in_")} == {
        ("in_migration", "table", "migration", "migration.in_migration"),
        *([("in_public", "table", None, "in_public")] if "public" in ON_PATH[path] else []),
    }
    assert ("clients", "table", "audit", "audit.clients") in seen
    # A table that its model gives no schema.
    assert ("notes", "table", None, "notes") in seen
    assert ("gone", "column", None, "notes") in seen


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
def test_a_name_filter_that_asks_for_the_models_gets_their_tables(
    project: Project, path: str | None
) -> None:
    """As in Alembic's documentation; also by the names that the tables have in the end."""
    bare = set(project.metadata.tables)
    full = {name if "." in name else f"migration.{name}" for name in bare}
    for known in (bare, full):

        def include_name(
            name: str | None, type_: str, parent: dict[str, str], known: set[str] = known
        ) -> bool:
            return type_ != "table" or parent["schema_qualified_table_name"] in known

        options = configured(path, include_schemas=True, include_name=include_name)
        assert found(project, options) == TRUE


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
def test_a_name_filter_can_leave_out_what_it_names(project: Project, path: str | None) -> None:
    def include_name(name: str | None, type_: str, parent: dict[str, str | None]) -> bool:
        full = parent.get("schema_qualified_table_name")
        if type_ == "table":
            return full not in ("in_public", "audit.in_audit", "migration.clients")
        return (type_, name, str(full).removeprefix("migration.")) not in [
            ("column", "gone", "notes"),
            ("index", "ix_unknown", "projects"),
        ]

    options = configured(path, include_schemas=True, include_name=include_name)
    left_out = {("remove_column", "migration.notes.gone"), ("remove_index", "migration.ix_unknown")}
    about_clients = {item for item in TRUE if item[1].startswith("migration.clients.")}
    assert found(project, options) == {
        *(TRUE - left_out - about_clients),
        ("add_table", "migration.clients"),  # as by stock Alembic
        ("remove_table", "migration.in_migration"),
    }


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
def test_an_object_filter_gets_the_tables_as_the_models_have_them(
    project: Project, path: str | None
) -> None:
    """By their schema, by what the models note in ``info``, and by what they are themselves."""
    models = (
        MODELS.replace("primary_key=True))\n", 'primary_key=True), info={"skip": True})\n')
        + 'Table("another_new", metadata, Column("id", Integer, primary_key=True))\n'
    ).replace('Column("new", Integer)', 'Column("new", Integer, info={"skip": True})')
    assert models.count("skip") == 3
    project.models(models)
    seen: dict[str, Table] = {}

    def include_object(item: Any, name: str, type_: str, reflected: bool, other: Any) -> bool:
        if type_ == "table" and not reflected:
            seen[item.key] = item
        return not item.info.get("skip")

    options = configured(path, include_object=include_object)
    skipped = {
        ("add_table", "migration.brand_new"),
        ("add_column", "audit.clients.new"),
        ("add_column", "public.lookups.new"),
    }
    assert found(project, options) == {
        *(TRUE - skipped),
        *unknown(ON_PATH[path], False),
        ("add_table", "migration.another_new"),
    }
    assert seen.keys() == {
        *("migration.clients", "audit.clients", "public.lookups"),
        *("projects", "notes", "brand_new", "another_new"),
    }
    assert seen["notes"].c.project_id.foreign_keys.pop().target_fullname == "migration.projects.id"


@ONE_VERSION
def test_an_object_filter_can_leave_out_a_table_of_the_database(project: Project) -> None:
    def include_object(item: Any, name: str, type_: str, reflected: bool, other: Any) -> bool:
        unknown = type_ == "table" and (item.schema, name) == ("migration", "in_migration")
        return not (reflected and unknown)

    options = configured("migration, public", include_schemas=True, include_object=include_object)
    assert found(project, options) == {
        *TRUE,
        ("remove_table", "public.in_public"),
        ("remove_table", "audit.in_audit"),
    }


# Alembic's own table


@pytest.mark.slow
@ONE_VERSION
@pytest.mark.parametrize(
    ("version_table_schema", "include_schemas"),
    [(None, True), (None, False), ("migration", True), ("public", False), ("audit", True)],
)
@pytest.mark.parametrize("path", PATHS)
def test_the_version_table_is_not_dropped_in_whichever_schema_it_is(
    project: Project,
    connection: Connection,
    path: str | None,
    version_table_schema: str | None,
    include_schemas: bool,
) -> None:
    for schema in ("migration", "public", "audit"):
        connection.execute(f"CREATE TABLE {schema}.versions (version_num varchar(32) PRIMARY KEY)")  # type: ignore[arg-type]
    options = configured(
        path,
        include_schemas=include_schemas,
        version_table="versions",
        version_table_schema=version_table_schema,
    )
    expected = TRUE | unknown(ON_PATH[path], include_schemas)
    assert found(project, options) == expected


@ONE_VERSION
def test_a_table_that_only_has_the_name_of_the_version_table_is_dropped(
    project: Project, connection: Connection
) -> None:
    connection.execute("CREATE TABLE migration.alembic_version (id int)")
    options = configured(version_table_schema="public")
    assert ("remove_table", "migration.alembic_version") in found(project, options)


# Types of an extension

VECTORS = """
from pgvector.sqlalchemy import HALFVEC, Vector
metadata = MetaData()
Table("items", metadata, Column("id", Integer, primary_key=True),
      Column("same", Vector(3)), Column("other", Vector(3)), Column("half", HALFVEC(5)),
      Column("several", ARRAY(Vector(3))), Column("new", Vector(4)))
"""


@pytest.mark.postgres(16, 18)
@pytest.mark.parametrize("path", [None, "migration", "elsewhere", "''"])
@pytest.mark.parametrize("schema", ["public", "elsewhere", 'Else "where" %s'])
def test_a_vector_is_compared_wherever_its_extension_is(
    tmp_path: Path, database_url: URL, connection: Connection, schema: str, path: str | None
) -> None:
    quoted = '"' + schema.replace('"', '""') + '"'
    connection.execute(  # type: ignore[call-overload]
        f"""
        CREATE SCHEMA elsewhere; CREATE SCHEMA migration; CREATE SCHEMA IF NOT EXISTS {quoted};
        CREATE EXTENSION vector WITH SCHEMA {quoted};
        CREATE TABLE public.items (
          id serial PRIMARY KEY, same {quoted}.vector(3), other {quoted}.vector(4),
          half {quoted}.halfvec(5), several {quoted}.vector(3)[]
        );
        """
    )
    project = Project.make(tmp_path / "project", database_url, VECTORS, PLAIN + settings())
    listed = found(project, configured(path))
    assert {item[:2] for item in listed} == {
        ("schema-prefix", "public.items: the table moves to migration"),
        ("add_column", "migration.items.new"),
        ("modify_type", "migration.items.other"),
    }


# Defaults


@pytest.mark.parametrize("path", PATHS)
def test_a_comparison_uses_no_numbers_of_a_sequence_up(
    project: Project, connection: Connection, path: str | None
) -> None:
    positions = "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
    connection.execute("SELECT nextval('public.number_seq'), nextval('migration.other_seq')")
    before = connection.execute(positions).fetchall()
    assert found(project, configured(path)) == TRUE | unknown(ON_PATH[path], False)
    assert connection.execute(positions).fetchall() == before


NEXT_VALUES = r"""
metadata = MetaData()
Table("things", metadata, Column("id", Integer, primary_key=True),
      Column("bare", BigInteger, server_default=text("nextval('a_seq')")),
      Column("cast", BigInteger, server_default=text("nextval('a_seq'::regclass)")),
      Column("full", BigInteger, server_default=text("nextval('migration.a_seq'::regclass)")),
      Column("quoted", BigInteger, server_default=text("nextval('migration.\"B seq\"')")),
      Column("wrong", BigInteger, server_default=text("nextval('migration.a_seq')")))
"""
NEXT_VALUES_THERE = """
CREATE SCHEMA migration;
CREATE SEQUENCE migration.a_seq;
CREATE SEQUENCE migration."B seq";
CREATE SEQUENCE public.a_seq;
CREATE TABLE migration.things (
  id serial PRIMARY KEY, bare bigint DEFAULT nextval('migration.a_seq'),
  "cast" bigint DEFAULT nextval('migration.a_seq'),
  "full" bigint DEFAULT nextval('migration.a_seq'),
  quoted bigint DEFAULT nextval('migration."B seq"'),
  wrong bigint DEFAULT nextval('public.a_seq')
);
"""


@pytest.mark.parametrize("path", PATHS)
def test_defaults_written_as_text_are_compared_by_their_sequence(
    tmp_path: Path, database_url: URL, connection: Connection, path: str | None
) -> None:
    connection.execute(NEXT_VALUES_THERE)  # type: ignore[arg-type]
    project = Project.make(
        tmp_path / "project", database_url, NEXT_VALUES, PLAIN + settings(move_from="[]")
    )
    assert {item[:2] for item in found(project, configured(path))} == {
        ("modify_default", "migration.things.wrong")
    }
    positions = "SELECT last_value FROM pg_sequences"
    assert set(connection.execute(positions).fetchall()) == {(None,)}


FUNCTIONS = """
metadata = MetaData()
Table("things", metadata, Column("id", Integer, primary_key=True),
      Column("random", Uuid, server_default=text("gen_random_uuid()")),
      Column("clock", DateTime(True), server_default=func.clock_timestamp()),
      Column("full", Integer, server_default=text("migration.dice()")),
      Column("other", Integer, server_default=text("migration.dice()")))
"""
FUNCTIONS_THERE = """
CREATE SCHEMA migration;
CREATE FUNCTION migration.dice() RETURNS int LANGUAGE sql AS 'SELECT (random() * 1e9)::int';
CREATE TABLE {schema}.things (
  id serial PRIMARY KEY, random uuid DEFAULT gen_random_uuid(),
  clock timestamptz DEFAULT clock_timestamp(), "full" int DEFAULT migration.dice(),
  other int DEFAULT 4
);
"""


@ONE_VERSION
@pytest.mark.parametrize("schema", ["migration", "public"])
@pytest.mark.parametrize("path", PATHS)
def test_functions_in_defaults_are_no_differences(
    tmp_path: Path, database_url: URL, connection: Connection, path: str | None, schema: str
) -> None:
    connection.execute(FUNCTIONS_THERE.format(schema=schema))  # type: ignore[arg-type]
    project = Project.make(tmp_path / "project", database_url, FUNCTIONS, PLAIN + settings())
    listed = found(project, configured(path))
    assert {item for item in listed if item[0] != "schema-prefix"} == {
        ("modify_default", "migration.things.other", "4", "migration.dice()")
    }


# Indexes that the models do not name


@ONE_VERSION
@pytest.mark.parametrize("there", ["public", "migration"])
def test_an_index_of_a_table_without_a_schema_is_not_built_anew(
    tmp_path: Path, database_url: URL, connection: Connection, there: str
) -> None:
    """SQLAlchemy puts the schema of the table into the name that it gives an index."""
    connection.execute(  # type: ignore[call-overload]
        "CREATE SCHEMA migration;"
        f"CREATE TABLE {there}.things (id serial PRIMARY KEY, number int);"
        f"CREATE INDEX ix_things_number ON {there}.things (number)"
    )
    project = Project.make(
        tmp_path / "project",
        database_url,
        """
        metadata = MetaData()
        Table("things", metadata, Column("id", Integer, primary_key=True),
              Column("number", Integer, index=True))
        """,
        settings(),
    )
    index = "SELECT array_agg(indexrelid) FROM pg_index WHERE indrelid = '{}.things'::regclass"
    before = connection.execute(index.format(there)).fetchone()  # type: ignore[arg-type]
    project.autogenerate()
    project.upgrade()
    assert connection.execute(index.format("migration")).fetchone() == before  # type: ignore[arg-type]
    assert project.is_converged()


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
def test_sqlalchemy_knows_every_type_that_it_reads(project: Project, path: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SAWarning)
        assert found(project, configured(path)) >= TRUE


@ONE_VERSION
@pytest.mark.parametrize("path", PATHS)
def test_a_column_that_is_of_another_domain_is_a_difference(
    project: Project, connection: Connection, path: str | None
) -> None:
    connection.execute(
        "CREATE DOMAIN migration.other_size AS int;"
        "ALTER TABLE migration.clients ALTER size TYPE migration.other_size"
    )
    changed = [what[:2] for what in found(project, configured(path))]
    assert ("modify_type", "migration.clients.size") in changed
