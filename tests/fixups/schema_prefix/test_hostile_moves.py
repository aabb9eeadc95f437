"""Databases of all kinds: what is another's stays, what is half done is finished or undone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from tests.fixups.schema_prefix.cases import settings
from tests.fixups.schema_prefix.differences import differences
from tests.fixups.schema_prefix.test_hostile_models import ALL, NOTHING, Attempt, Env, Make, maker

pytestmark = pytest.mark.postgres(16)

FOO = """
metadata = MetaData()
Table("foo", metadata, Column("id", Integer, primary_key=True), Column("a", Integer),
      Column("st", Enum("new", "old", name="status")))
"""
OWN = """
metadata = MetaData()
num_seq = Sequence("num_seq", metadata=metadata)
Table("foo", metadata, Column("id", Integer, primary_key=True),
      Column("n", BigInteger, server_default=num_seq.next_value()))
"""
EVENTS = """
metadata = MetaData()
Table("events", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
      postgresql_partition_by="RANGE (id)")
"""
HOME = "CREATE SCHEMA migration;"
THERE = """
SELECT relnamespace::regnamespace || '.' || relname FROM pg_class
 WHERE relkind IN ('r', 'p', 'S', 'v') AND relnamespace::regnamespace::text !~ '^(pg_|info)'
   AND relname !~ 'version'
UNION ALL
SELECT typnamespace::regnamespace || '.' || typname FROM pg_type
 WHERE typtype = 'e' AND typnamespace::regnamespace::text !~ '^(pg_|info)'
"""
SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname = 'migration'"


@pytest.fixture
def make(tmp_path: Path, database_url: URL, server: Server) -> Make:
    """Makes a project on a database of the test's own."""
    return maker(tmp_path, database_url, server)


@pytest.fixture
def roles(server: Server) -> Iterator[list[str]]:
    """Two roles that may do nothing yet."""
    names = [f"r_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    with scratch.connect(server.url) as connection:
        for name in names:
            connection.execute(f"CREATE ROLE {name} LOGIN")  # type: ignore[call-overload]
        yield names
        for name in names:
            connection.execute(f"DROP ROLE {name}")  # type: ignore[call-overload]


def revised(make: Make, models: str, setup: str = "", then: str = "") -> Attempt:
    """A project with a revision, and what its database has been through since."""
    project = make(models, setup)
    project.autogenerate(**ALL)
    project.execute(then)
    return project


def there(project: Attempt) -> set[str]:
    """The tables, views, sequences and types that there are."""
    return set(project.execute(THERE))


def refused(project: Attempt, **options: Any) -> str:
    """The message with which the upgrade fails; nothing has changed."""
    owner = replace(project, url=project.url.set(username="postgres"))
    before = owner.snapshot(), there(owner), owner.execute(SCHEMAS)
    with pytest.raises(DBAPIError) as stopped:
        project.upgrade(**options)
    assert (owner.snapshot(), there(owner), owner.execute(SCHEMAS)) == before
    return str(stopped.value.orig)


def up_and_down(project: Attempt, options: Env = ALL) -> set[str]:
    """What there is after the upgrade; after its downgrade all is as it was."""
    before = project.snapshot()
    project.upgrade(**options)
    assert differences(project, **options) == []
    after = there(project)
    project.downgrade("base", **options)
    assert project.snapshot() == before
    return after


# What is another's


def test_another_table_of_the_name_is_refused(make: Make) -> None:
    models = 'metadata = MetaData()\nTable("users", metadata, Column("id", Integer))'
    project = make(models, "CREATE TABLE users (uid uuid, email text, pw text)", before=NOTHING)
    assert "public.users has the name of the model migration.users" in project.refusal()
    project.execute("ALTER TABLE users ADD id int, DROP uid, DROP email")
    assert project.found() == {("remove_column", "migration.users.pw")}


FUNCTION = "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql {}AS $$BEGIN RETURN {}; END$$"
CALL, INSERT = "SELECT f()", "INSERT INTO {}.foo DEFAULT VALUES"
TEXTS = {
    "own sequence in a default": (
        "CREATE SEQUENCE foo_a_seq OWNED BY foo.a;"
        "ALTER TABLE foo ALTER a SET DEFAULT nextval('public.foo_a_seq'::text)",
        *("public.foo_a_seq", "default of foo.a", INSERT),
    ),
    "argument of a trigger": (
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        " EXECUTE format('SELECT 1 FROM %s', TG_ARGV[0]); RETURN NEW; END$$;"
        "CREATE TRIGGER h BEFORE INSERT ON foo FOR EACH ROW EXECUTE FUNCTION t('public.foo')",
        *("public.foo", "trigger h", INSERT),
    ),
} | {
    name: (FUNCTION.format(path, body), full, "f()", CALL)
    for name, full, path, body in [
        ("own sequence", "public.foo_id_seq", "", "nextval('public.foo_id_seq')"),
        ("type", "public.status", "", "'new'::public.status"),
        ("path", "public.foo", "SET search_path = public ", "(SELECT count(*) FROM foo)"),
        ("type by the path", "public.status", "SET search_path = public ", "'new'::status"),
    ]
}


@pytest.mark.postgres(15, 16, 18)
@pytest.mark.parametrize(("setup", "moved", "by", "call"), TEXTS.values(), ids=TEXTS)
def test_text_that_does_not_follow_is_reported(
    make: Make, setup: str, moved: str, by: str, call: str
) -> None:
    project = make(FOO, setup)
    project.execute(call.format("public"))
    assert by in project.findings()["name-breaks", moved]
    project.autogenerate(**ALL)
    project.upgrade()
    with pytest.raises(psycopg.Error, match="does not exist"):
        project.execute(call.format("migration"))


def test_two_projects_in_one_database_leave_each_others_tables(make: Make, tmp_path: Path) -> None:
    def only(*names: str, **configure: Any) -> Env:
        ours = {"include_object": lambda _, name, type_, *__: type_ != "table" or name in names}
        return {"configure": {**ours, **configure}}

    one, ours = make(FOO), only("foo")
    one.execute("CREATE TABLE bar (id int)")
    bar = 'metadata = MetaData()\nTable("bar", metadata, Column("id", Integer))'
    other = Attempt.make(tmp_path / "other", one.url, bar, settings())
    theirs = only("bar", version_table="other_version", include_schemas=True)
    for project, options in ((one, ours), (other, theirs)):
        project.autogenerate(**options)
        project.upgrade(**options)
    assert {"migration.foo", "migration.status", "migration.bar"} <= there(one)
    other.downgrade("base", **theirs)
    assert {"migration.foo", "migration.status", "public.bar"} <= there(one)
    other.upgrade(**theirs)
    one.downgrade("base", **ours)
    assert {"public.foo", "public.status", "migration.bar"} <= there(one)
    other.downgrade("base", **theirs)
    assert {"public.foo", "public.status", "public.bar"} <= there(one)


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_a_type_that_no_table_of_the_models_is_of_is_not_taken(make: Make, used: bool) -> None:
    table = "CREATE SCHEMA app; CREATE TABLE app.t (s status DEFAULT 'x')" if used else ""
    project = make(FOO, f"CREATE TYPE status AS ENUM ('x'); {table}", before=NOTHING)
    project.autogenerate()
    assert {"public.status", "migration.status"} <= up_and_down(project, {})
    project.upgrade()
    project.execute("INSERT INTO migration.foo (st) VALUES ('new'); SELECT 'x'::public.status")


def test_a_sequence_of_another_applications_table_is_not_taken(make: Make) -> None:
    project = make(OWN.replace(", server_default=num_seq.next_value()", ""), before=OWN)
    project.execute(
        "ALTER TABLE foo ALTER n DROP DEFAULT; CREATE SCHEMA app;"
        "CREATE TABLE app.t (id int DEFAULT nextval('public.num_seq'))"
    )
    project.autogenerate()
    assert {"public.num_seq", "migration.foo"} <= up_and_down(project, {})


def test_what_env_py_leaves_out_does_not_move(make: Make) -> None:
    project = make(FOO + 'Table("legacy", metadata, Column("id", Integer), info={"skip": True})')
    options = {"configure": {"include_object": lambda item, *_: not item.info.get("skip")}}
    assert "legacy" not in project.autogenerate(**options)
    assert {"public.legacy", "migration.foo"} <= up_and_down(project, options)


# What is half done, or done by hand


def test_what_was_moved_by_hand_stays_at_the_downgrade(make: Make) -> None:
    by_hand = "ALTER SEQUENCE num_seq SET SCHEMA migration; ALTER TABLE foo SET SCHEMA migration"
    project = revised(make, OWN, then=HOME + by_hand)
    assert "migration.num_seq" in up_and_down(project)


def test_an_unfinished_upgrade_made_anew_has_the_sequence_too(make: Make, server: Server) -> None:
    project = make(OWN)
    with scratch.database(server, template=project.url.database) as url:
        project.autogenerate(**ALL)
        project.upgrade()
        project.stamp("base")  # as if it had stopped just before
        assert "migration.num_seq" in there(project)
        for path in (project.folder / "migrations" / "versions").glob("*.py"):
            path.unlink()
        project.autogenerate(**ALL)
        assert up_and_down(replace(project, url=url)) == there(project)
        project.upgrade()
        project.downgrade("base")
        assert project.snapshot() == replace(project, url=url).snapshot()


PARTITION = "CREATE TABLE {} PARTITION OF {}events FOR VALUES FROM ({}) TO ({});"
FIRST = PARTITION.format("events_1", "", 0, 10)
IN_SCHEMA = PARTITION.format("migration.events_0", "", 90, 99)
SECOND = PARTITION.format("events_2", "", 10, 20)


@pytest.mark.postgres(15, 16, 18)
@pytest.mark.parametrize(
    ("then", "moved"),
    [
        ("DROP TABLE events_1;", []),
        (SECOND, ["events_1", "events_2"]),
        (HOME + IN_SCHEMA, ["events_0", "events_1"]),
    ],
    ids=["one less", "one more", "one there before"],
)
def test_partitions_go_along_whichever_there_are(make: Make, then: str, moved: list[str]) -> None:
    project = revised(make, EVENTS, FIRST, then)
    expected = {f"migration.{name}" for name in ["events", *moved]}
    assert up_and_down(project) == expected


def test_a_partition_made_since_goes_back_too(make: Make) -> None:
    project = revised(make, EVENTS, FIRST)
    project.upgrade()
    project.execute(PARTITION.format("migration.events_2", "migration.", 10, 20))
    project.downgrade("base")
    assert there(project) == {"public.events", "public.events_1", "public.events_2"}
    assert project.execute(SCHEMAS) == [0]


def test_statistics_that_were_in_the_schema_stay_there(make: Make) -> None:
    statistics = "CREATE STATISTICS migration.s ON a, id FROM foo"
    up_and_down(revised(make, FOO, HOME + statistics))


ODD = ['a"b', "a%b", "a$b", "a\\b", "a'b", "a:b", "a b", "Ünï", "%(s)s", "{{a}}", "select"]
LONG = "t" * 63


@pytest.mark.parametrize(
    ("names", "index"),
    [(ODD, True), ([LONG], False), pytest.param([LONG], True)],
    ids=["odd", "long", "long with an index"],
)
def test_tables_with_names_of_all_kinds_and_serial_columns_move(
    make: Make, names: list[str], index: bool
) -> None:
    columns = f'Column("id", Integer, primary_key=True), Column(name, Integer, index={index})'
    table = f"for name in {names!r}:\n    Table(name, metadata, {columns})\n"
    project = make(f"{NOTHING}\n{table}")
    assert project.found() == set()
    project.autogenerate(**ALL)
    assert {f"migration.{name}" for name in names} <= up_and_down(project)


# What stops an upgrade

Q = "CREATE TABLE migration.q (a int, b int);"
TAKEN = {
    "type": "CREATE TYPE migration.foo AS ENUM ()",
    "array type": "CREATE TABLE migration._foo (id int)",
    "long array type": f"CREATE TABLE migration.{LONG[1:]}u (id int)",
    "index": f"{Q} CREATE INDEX foo ON migration.q (a)",
    "view": "DROP TABLE foo; CREATE VIEW migration.foo AS SELECT 1 AS id",
    "view over it": "CREATE VIEW migration.foo AS SELECT * FROM public.foo",
    "statistics": f"{Q} CREATE STATISTICS migration.s ON a, b FROM migration.q;"
    "CREATE STATISTICS public.s ON id, a FROM foo",
    "index of two schemas": "CREATE INDEX i ON foo (a); CREATE INDEX i ON legacy.bar (id)",
}


@pytest.mark.parametrize("then", TAKEN.values(), ids=TAKEN)
def test_a_name_that_is_taken_fails_the_upgrade_and_changes_nothing(make: Make, then: str) -> None:
    more = "".join(f'Table("{name}", metadata, Column("id", Integer))\n' for name in ("bar", LONG))
    legacy = "CREATE SCHEMA legacy; ALTER TABLE bar SET SCHEMA legacy"
    project = make(FOO + more, legacy, settings(move_from='["public", "legacy"]'))
    project.autogenerate(**ALL)
    project.execute(HOME + then)
    refused(project)


def as_role(project: Attempt, role: str, *others: str) -> Attempt:
    """The project run by a role that owns everything but what others name."""
    owned = ["TABLE foo", "TYPE status", "STATISTICS st", "TABLE alembic_version"]
    project.execute(
        f"GRANT CREATE ON DATABASE {project.url.database} TO {role};"
        f"GRANT CREATE ON SCHEMA public TO {role};"
        + "".join(f"ALTER {thing} OWNER TO {role};" for thing in owned if thing not in others)
    )
    return replace(project, url=project.url.set(username=role))


@pytest.mark.parametrize("another", ["TABLE foo", "TYPE status", "STATISTICS st"])
def test_what_belongs_to_another_role_fails_the_upgrade_and_changes_nothing(
    roles: list[str], make: Make, another: str
) -> None:
    project = revised(make, FOO, "CREATE STATISTICS st ON a, id FROM foo")
    by_role = as_role(project, roles[0], another)
    assert "owner" in refused(by_role)
    as_role(project, roles[0])
    by_role.upgrade()
    assert "migration.foo" in there(project)


def test_a_sequence_that_is_owned_in_production_goes_with_its_table(make: Make) -> None:
    project = revised(make, OWN, then="ALTER SEQUENCE num_seq OWNED BY foo.n")
    assert "migration.num_seq" in up_and_down(project)


def test_a_privilege_is_in_the_way_only_where_it_is_of_use(roles: list[str], make: Make) -> None:
    shut_out, user = roles
    grants = f"REVOKE USAGE ON SCHEMA public FROM PUBLIC; GRANT SELECT ON foo TO {shut_out}, {user}"
    project = revised(make, FOO, HOME + grants)
    project.execute(f"GRANT USAGE ON SCHEMA public TO {user}")
    message = refused(project)
    assert f"GRANT USAGE ON SCHEMA migration TO {user}" in message and shut_out not in message
    project.execute(f"REVOKE USAGE ON SCHEMA public FROM {user}")
    project.upgrade()
    assert "migration.foo" in there(project)


# The schema, views, the version table, what was changed since


def test_the_schema_is_made_where_only_the_developer_has_it(make: Make) -> None:
    project = revised(make, FOO, HOME, "DROP SCHEMA migration")
    assert "migration.foo" in up_and_down(project)


def test_a_compatibility_view_is_no_obstacle(make: Make) -> None:
    by_hand = "ALTER TYPE status SET SCHEMA migration; ALTER TABLE foo SET SCHEMA migration;"
    project = revised(make, FOO, then=HOME + by_hand + "CREATE VIEW foo AS TABLE migration.foo")
    before = project.snapshot()
    project.upgrade()
    assert project.snapshot() == before
    project.downgrade("base")
    assert project.snapshot() == before


def test_a_view_in_the_place_of_a_moved_table_is_left_alone_by_the_downgrade(make: Make) -> None:
    project = revised(make, FOO)
    project.upgrade()
    project.execute("DROP TABLE migration.foo; CREATE VIEW public.foo AS SELECT 1 AS mine")
    project.downgrade("base")
    assert project.execute("SELECT mine FROM public.foo") == [1]
    comments = "SELECT obj_description(reltype, 'pg_type') FROM pg_class WHERE relname = 'foo'"
    assert project.execute(comments) == [None]


def test_what_was_replaced_since_goes_back_with_its_table(make: Make) -> None:
    project = revised(make, FOO)
    project.upgrade()
    project.execute(
        "ALTER TYPE migration.status RENAME TO gone;"
        "CREATE TYPE migration.status AS ENUM ('new', 'old', 'x');"
        "ALTER TABLE migration.foo ALTER st TYPE migration.status USING st::text::migration.status;"
        "DROP TYPE migration.gone"
    )
    project.downgrade("base")
    assert {"public.foo", "public.status"} <= there(project)


VERSIONS = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'alembic_version'"
BOTH: Env = {"session": ["SET search_path TO migration, public"]}


@pytest.mark.postgres(15, 16, 18)
def test_the_version_table_moves_where_the_schema_does_not_exist_yet(make: Make) -> None:
    project = make(FOO, toml=settings("move-version-table = true"))
    project.stamp("base")
    project.autogenerate(**BOTH)
    project.upgrade(**BOTH)
    assert project.execute("SELECT version_num FROM migration.alembic_version") == [project.head()]
    assert differences(project, **BOTH) == []
    project.downgrade("base", **BOTH)
    assert project.execute(VERSIONS) == ["public"]
    assert "public.foo" in there(project)


@pytest.mark.parametrize(
    ("setup", "path", "message"),
    [
        ("", "public", "the search_path lacks migration"),
        ("CREATE TABLE migration.alembic_version (version_num text)", "public, migration", "both"),
    ],
    ids=["path without the schema", "two version tables"],
)
def test_nothing_moves_where_the_version_table_cannot(
    make: Make, setup: str, path: str, message: str
) -> None:
    project = make(FOO, HOME, settings("move-version-table = true"))
    project.stamp("base")
    project.autogenerate(**BOTH)
    project.execute(setup)
    versions = project.execute(VERSIONS)
    assert message in refused(project, session=[f"SET search_path TO {path}"])
    assert project.execute(VERSIONS) == versions
