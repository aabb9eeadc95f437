"""Checks are compared by what they mean: nothing is found that is not there, nothing is missed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.fixups.check_constraints.allowed import Allowed, allowed
from alembic_fixups.fixups.check_constraints.restored import with_array_type
from tests.fixups.check_constraints.comparing import compare, project, run

COLUMNS = {
    "v": ("varchar(9)", "String(9)"),
    "t": ("text", "Text"),
    "f": ("char(3)", "CHAR(3)"),
    "n": ("int", "Integer"),
    "m": ("numeric(9,2)", "Numeric(9, 2)"),
    "a": ("varchar(9)[]", "ARRAY(String(9))"),
    "b": ("boolean", "Boolean"),
    "d": ("timestamptz", "DateTime(timezone=True)"),
    "j": ("jsonb", "postgresql.JSONB"),
    "order": ("int", "Integer"),
}

SAME = [
    ("v IN ('a', 'b')", "v::text = ANY (ARRAY['a', 'b'])"),
    ("v IN ('a', 'b')", "v IN ('b', 'a', 'b')"),
    ("v IN ('a', 'b')", "v = ANY ('{a,b}')"),
    ("v IN ('a')", "v = 'a'"),
    ("v = ANY (ARRAY['it''s', E'c\\\\d'])", "v IN (E'c\\\\d', 'it''s')"),
    ("t IN ('a', 'b')", "t = ANY (ARRAY['b', 'a']::text[])"),
    ("f IN ('a', 'b')", "f IN ('b', 'a')"),
    ("n IN (1, 2, -3)", "n = ANY (ARRAY[2, 1, -3])"),
    ("a <@ ARRAY['a', 'b']::varchar[]", "a::text[] <@ ARRAY['b', 'a']"),
    ("a <@ '{a,\"b c\"}'", "a <@ ARRAY['b c', 'a']::varchar[]"),
    ("n > 0", "((n)>(0))"),
    ("n BETWEEN 1 AND 5", "n >= 1 AND n <= 5"),
    ("n <> 1", "n != 1"),
    ("NOT b", "not(b)"),
    ("t LIKE 'a%'", "t ~~ 'a%'"),
    ("v IN ('a', 'b') AND n > 0", "v in ('a','b') and n > 0"),
    ("char_length(v) > 1", "CHAR_LENGTH(v) > 1"),
    ('"order" > 0', "same.order > 0"),
    ("m > 0", "m > 0"),
    ("coalesce(n, 0) > 0", "COALESCE(n, 0) > 0"),
    ("d < '2030-01-01T00:00:00Z'", "d < timestamptz '2030-01-01 00:00:00+00'"),
    ("j ? 'a:b'", "j ? 'a:b'"),
    ("t IS DISTINCT FROM 'x'", "t is distinct from 'x'"),
]
DIFFERENT = [
    ("v IN ('a', 'b')", "v IN ('a', 'b', 'c')"),
    ("v IN ('a', 'b')", "v IN ('a')"),
    ("v IN ('a', 'b')", "v NOT IN ('a', 'b')"),
    ("v IN ('a', 'b')", "v IN ('A', 'b')"),
    ("v IN ('a', 'b')", "t IN ('a', 'b')"),
    ("t IN ('a', 'b')", "lower(t) IN ('a', 'b')"),
    ("t IN ('a, b')", "t IN ('a', 'b')"),
    ("t IN ('a''::text, ''b')", "t IN ('a', 'b')"),
    ("f IN ('a', 'b')", "f::text IN ('a', 'b')"),
    ("a <@ ARRAY['a', 'b']::varchar[]", "a @> ARRAY['a', 'b']::varchar[]"),
    ("a <@ ARRAY['a', 'b']::varchar[]", "a && ARRAY['a', 'b']::varchar[]"),
    ("n IN (1, 2)", "n IN (1, 2, 3)"),
    ("n IN (1, 2)", "m IN (1, 2)"),
    ("n > 0", "n >= 0"),
    ("t LIKE 'a%'", "t ILIKE 'a%'"),
    ("t IN ('a') OR n > 0", "t IN ('a') AND n > 0"),
    ("v IN ('a', 'b') AND n > 0", "v IN ('a', 'c') AND n > 0"),
    ("t COLLATE \"C\" IN ('a', 'b')", "t IN ('a', 'b')"),
]


def table_sql(name: str, checks: list[tuple[str, str]]) -> str:
    columns = ", ".join(f'"{column}" {kinds[0]}' for column, kinds in COLUMNS.items())
    named = ", ".join(f"CONSTRAINT c{n} CHECK ({one})" for n, (one, _) in enumerate(checks))
    return f"CREATE TABLE {name} (id int PRIMARY KEY, {columns}, {named})"


def table_model(name: str, checks: list[tuple[str, str]]) -> str:
    columns = ", ".join(f"Column({column!r}, {kinds[1]})" for column, kinds in COLUMNS.items())
    named = ", ".join(
        f"CheckConstraint({other.replace(':', chr(92) + ':')!r}, name='c{n}')"
        for n, (_, other) in enumerate(checks)
    )
    return (
        f'metadata = MetaData()\nTable("{name}", metadata, '
        f'Column("id", Integer, primary_key=True), {columns}, {named})\n'
    )


def test_spellings_of_the_same_are_no_difference(tmp_path: Path, database_url: URL) -> None:
    made = project(tmp_path, database_url, table_model("same", SAME), table_sql("same", SAME))
    found = compare(made)
    assert (found.changes, found.codes) == ([], [])
    assert "op." not in found.source


@pytest.mark.postgres(16)
def test_so_are_they_the_other_way_round_and_after_a_restore(
    tmp_path: Path, database_url: URL
) -> None:
    swapped = [(other.replace("same.order", '"order"'), one) for one, other in SAME]
    made = project(tmp_path, database_url, table_model("same", swapped), table_sql("same", swapped))
    assert compare(made).changes == []
    with scratch.connect(database_url) as connection:
        for number in range(len(swapped)):
            [text] = connection.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s",
                [f"c{number}"],
            ).fetchone() or [""]
            connection.execute(
                f"ALTER TABLE same DROP CONSTRAINT c{number}, ADD CONSTRAINT c{number} {text}"  # type: ignore[arg-type]
            )
    assert compare(made).changes == []


def test_every_difference_is_found(tmp_path: Path, database_url: URL) -> None:
    made = project(
        tmp_path, database_url, table_model("other", DIFFERENT), table_sql("other", DIFFERENT)
    )
    found = compare(made)
    assert len(found.changes) == len(DIFFERENT)
    assert all("change the check" in change for change in found.changes)
    assert found.codes == []


UNNAMED = """
metadata = MetaData()
Table("t", metadata, Column("n", Integer), Column("m", Integer),
      CheckConstraint("n > 0"), CheckConstraint("n < 9"), CheckConstraint("n < m"))
"""


@pytest.mark.postgres(16)
def test_a_check_without_a_name_is_found_by_what_it_says(tmp_path: Path, database_url: URL) -> None:
    made = project(tmp_path, database_url, UNNAMED, "")
    made.create_all()
    assert compare(made).changes == []
    run(database_url, "ALTER TABLE t RENAME CONSTRAINT t_n_check TO other")
    assert compare(made).changes == []
    run(database_url, "ALTER TABLE t ADD CONSTRAINT t_n_check CHECK (n > 0)")
    found = compare(made)
    assert len(found.changes) == 1
    assert "drop the check" in found.changes[0]


@pytest.mark.postgres(16)
def test_the_same_check_twice_is_there_once(tmp_path: Path, database_url: URL) -> None:
    models = UNNAMED.replace(
        'CheckConstraint("n > 0")', 'CheckConstraint("n > 0"), CheckConstraint("n > 0")'
    )
    made = project(
        tmp_path, database_url, models, "CREATE TABLE t (n int CHECK (n > 0), m int, CHECK (n < m))"
    )
    found = compare(made)
    assert found.changes == ["t: add a check (n < 9)"]


@pytest.mark.postgres(16)
def test_a_name_that_went_to_another_check(tmp_path: Path, database_url: URL) -> None:
    models = """
    metadata = MetaData()
    Table("t", metadata, Column("n", Integer),
          CheckConstraint("n > 5", name="x"), CheckConstraint("n > 0", name="y"))
    """
    made = project(
        tmp_path, database_url, models, "CREATE TABLE t (n int CONSTRAINT x CHECK (n > 0))"
    )
    assert compare(made).changes == ["t: add the check y (n > 0)", "t: change the check x (n > 5)"]
    made.autogenerate()
    made.upgrade()
    assert made.is_converged()
    made.downgrade()
    with scratch.connect(database_url) as connection:
        assert connection.execute(
            "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE contype = 'c'"
            " AND conrelid = 't'::regclass"
        ).fetchall() == [("x", "(n > 0)")]


CONVENTION = """
metadata = MetaData(naming_convention={
    "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"})
Table("t", metadata, Column("id", Integer, primary_key=True),
      Column("kind", Enum("a", "b", native_enum=False, create_constraint=True, name="kind")),
      Column("on", Boolean(create_constraint=True, name="on")),
      CheckConstraint("id > 0", name="id"),
      CheckConstraint("id < 9", name="sqlite_only").ddl_if(dialect="sqlite"))
"""


@pytest.mark.postgres(16)
def test_naming_conventions_and_checks_that_types_make(tmp_path: Path, database_url: URL) -> None:
    made = project(tmp_path, database_url, CONVENTION, "")
    made.create_all()
    assert compare(made).changes == []
    made.models(CONVENTION.replace('"a", "b"', '"a", "b", "c"').replace("id > 0", "id > 1"))
    assert sorted(change.split(" (")[0] for change in compare(made).changes) == [
        "t: change the check ck_t_id",
        "t: change the check ck_t_kind",
    ]


@pytest.mark.postgres(16)
def test_a_type_that_makes_a_check_is_added_with_one(tmp_path: Path, database_url: URL) -> None:
    made = project(tmp_path, database_url, CONVENTION, "")
    run(
        database_url,
        "CREATE TABLE t (id int CONSTRAINT pk_t PRIMARY KEY CONSTRAINT ck_t_id CHECK (id > 0),"
        ' "on" int)',
    )
    made.models(
        CONVENTION.replace("Boolean(create_constraint=True", "Integer(").replace(
            'Integer(, name="on")', "Integer()"
        )
    )
    source = made.autogenerate()
    assert "ck_t_kind" in source
    assert source.count("ADD CONSTRAINT ck_t_kind") == 1
    assert "create_constraint=True" not in source
    made.upgrade()
    assert made.is_converged()
    made.downgrade()


BY_NAME = {
    "configure": {
        "autogenerate_plugins": [
            "alembic.autogenerate.*",
            "alembic.ext.checkconstraint_byname",
            "alembic_fixups",
        ]
    }
}


@pytest.mark.postgres(16)
def test_with_alembics_own_comparison_by_name_there_are_no_doubles(
    tmp_path: Path, database_url: URL
) -> None:
    models = """
    metadata = MetaData()
    Table("t", metadata, Column("n", Integer), CheckConstraint("n > 0", name="added"),
          CheckConstraint("n < 9"), CheckConstraint("n <> 5", name="renamed"),
          CheckConstraint("n <> 6", name="changed"))
    Table("fresh", metadata, Column("n", Integer), CheckConstraint("n > 0", name="fresh_n"))
    """
    made = project(
        tmp_path,
        database_url,
        models,
        "CREATE TABLE t (n int, CHECK (n < 9), CONSTRAINT gone CHECK (n <> 4),"
        " CONSTRAINT was CHECK (n <> 5), CONSTRAINT changed CHECK (n <> 7))",
    )
    env = made.folder / "migrations" / "env.py"
    env.write_text(
        env.read_text().replace(
            '["alembic.autogenerate.*", "alembic_fixups"]',
            '["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", "alembic_fixups"]',
        )
    )
    found = compare(made)
    assert sorted(found.changes) == [
        "t: add the check added (n > 0)",
        "t: change the check changed (n <> 6)",
        "t: drop the check gone",
    ]
    assert "create_check_constraint" not in found.source
    assert "drop_constraint" not in found.source
    made.autogenerate()
    made.upgrade()
    assert made.is_converged()


FILTERED = """
metadata = MetaData()
Table("t", metadata, Column("n", Integer), CheckConstraint("n > 0", name="skip_added"),
      CheckConstraint("n <> 6", name="skip_changed"), CheckConstraint("n > 1", name="added"))
Table("skipped", metadata, Column("n", Integer), CheckConstraint("n > 0", name="x"))
"""
FILTERED_SQL = """
CREATE TABLE t (n int, CONSTRAINT skip_changed CHECK (n <> 7),
  CONSTRAINT skip_gone CHECK (n <> 8), CONSTRAINT gone CHECK (n <> 9));
CREATE TABLE skipped (n int);
"""


@pytest.mark.postgres(16)
def test_the_filters_of_env_py_are_asked(tmp_path: Path, database_url: URL) -> None:
    made = project(tmp_path, database_url, FILTERED, FILTERED_SQL)

    seen = []

    def include_object(item: object, name: str | None, kind: str, *_: object) -> bool:
        if kind == "check_constraint":
            seen.append((item.table.name, name))  # type: ignore[attr-defined]
        return not (name or "").startswith("skip")

    found = compare(made, configure={"include_object": include_object})
    assert found.changes == ["t: add the check added (n > 1)", "t: drop the check gone"]
    assert ("t", "skip_gone") in seen

    def include_name(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        if kind == "check_constraint":
            assert parents["table_name"] in ("t", "skipped")
            assert parents["schema_name"] is None
            return not (name or "").startswith("skip")
        return True

    found = compare(made, configure={"include_name": include_name})
    assert found.changes == [
        "skipped: add the check x (n > 0)",
        "t: add the check added (n > 1)",
        "t: add the check skip_added (n > 0)",
        "t: drop the check gone",
    ]


@pytest.mark.postgres(15, 18)
def test_what_cannot_be_compared_is_said_and_left_alone(tmp_path: Path, database_url: URL) -> None:
    models = """
    metadata = MetaData()
    Table("t", metadata, Column("n", Integer), Column("s", Text),
          CheckConstraint("nonsense > 0", name="broken"),
          CheckConstraint("(t IS NULL)", name="row"),
          CheckConstraint("later(n)", name="later"), CheckConstraint("n ! 5", name="there"))
    """
    made = project(
        tmp_path,
        database_url,
        models,
        "CREATE TABLE t (n int CONSTRAINT there CHECK (n > 0), s text)",
    )
    found = compare(made)
    assert found.changes == ["t: add the check later (later(n))"]
    assert found.codes == ["not-comparable"] * 4
    said = "\n".join(finding.message for finding in found.findings)
    assert 'column "nonsense" does not exist' in said
    assert "there stays as it is" in said
    assert "later, so it is added all the same" in said


@pytest.mark.postgres(18)
def test_a_check_that_is_not_enforced_is_left_alone(tmp_path: Path, database_url: URL) -> None:
    made = project(
        tmp_path,
        database_url,
        UNNAMED,
        "CREATE TABLE t (n int, m int, CHECK (n > 0) NOT ENFORCED, CHECK (n < 9), CHECK (n < m))",
    )
    found = compare(made)
    assert (found.changes, found.codes) == ([], ["not-enforced"])


@pytest.mark.postgres(16)
def test_a_domain_in_arrays_is_left_alone(tmp_path: Path, database_url: URL) -> None:
    models = """
    metadata = MetaData()
    size = postgresql.DOMAIN("size", Integer, check="VALUE > 1", constraint_name="c")
    Table("t", metadata, Column("sizes", postgresql.ARRAY(size)))
    """
    made = project(
        tmp_path,
        database_url,
        models,
        "CREATE DOMAIN size AS int CONSTRAINT c CHECK (VALUE > 0); CREATE TABLE t (sizes size[])",
    )
    found = compare(made)
    assert (found.changes, found.codes) == ([], ["domain-in-arrays"])
    assert "public.t.sizes" in found.findings[0].message
    made.models(models.replace("VALUE > 1", "VALUE > 0"))
    found = compare(made)
    assert (found.changes, found.codes) == ([], [])


@pytest.mark.postgres(16)
def test_what_a_table_inherits_is_its_parents_business(tmp_path: Path, database_url: URL) -> None:
    models = """
    metadata = MetaData()
    Table("parent", metadata, Column("n", Integer), CheckConstraint("n > 0", name="n"))
    Table("child", metadata, Column("n", Integer))
    Table("other", metadata, Column("n", Integer), CheckConstraint("n > 5", name="n"))
    """
    made = project(
        tmp_path,
        database_url,
        models,
        "CREATE TABLE parent (n int CONSTRAINT n CHECK (n > 0));"
        " CREATE TABLE child () INHERITS (parent); CREATE TABLE other () INHERITS (parent)",
    )
    found = compare(made)
    assert (found.changes, found.codes) == ([], ["inherited"])


@pytest.mark.postgres(16)
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_every_driver_and_autocommit_leave_nothing_behind(
    tmp_path: Path, database_url: URL, driver: str
) -> None:
    url = database_url.set(drivername=f"postgresql+{driver}")
    made = project(tmp_path, url, table_model("same", SAME[:4]), "")
    run(database_url, table_sql("same", SAME[:4]))
    assert compare(made).changes == []
    if driver == "asyncpg":
        return
    env = made.folder / "migrations" / "env.py"
    env.write_text(
        env.read_text()
        .replace("create_engine(url)", 'create_engine(url, isolation_level="AUTOCOMMIT")')
        .replace(
            "        context.run_migrations()\n\n\nasync",
            "        context.run_migrations()\n"
            '    left = connection.execute(text("SELECT count(*) FROM pg_class'
            ' WHERE relnamespace = pg_my_temp_schema()")).scalar()\n'
            "    assert left == 0\n"
            '    assert connection.execute(text("SELECT count(*) FROM pg_proc'
            ' WHERE pronamespace = pg_my_temp_schema()")).scalar() == 0\n\n\nasync',
        )
    )
    assert "assert left" in env.read_text()
    assert compare(made).changes == []


@pytest.mark.postgres(16)
def test_a_session_that_cannot_write_is_told_so(tmp_path: Path, database_url: URL) -> None:
    made = project(tmp_path, database_url, UNNAMED, "CREATE TABLE t (n int, m int)")
    with pytest.raises(Exception, match="read-only transaction"):
        compare(made, session=["SET default_transaction_read_only = on"])


@pytest.mark.postgres(16)
def test_a_search_path_and_other_schemas(tmp_path: Path, database_url: URL) -> None:
    models = """
    metadata = MetaData()
    Table("t", metadata, Column("n", Integer), CheckConstraint("side.ok(n)", name="c"),
          CheckConstraint("k IN ('a')", name="k"),
          Column("k", Enum("a", "b", name="kind", schema="side")), schema="side")
    """
    made = project(
        tmp_path,
        database_url,
        models,
        "CREATE SCHEMA side; CREATE TYPE side.kind AS ENUM ('a', 'b');"
        "CREATE FUNCTION side.ok(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        "CREATE TABLE side.t (n int CONSTRAINT c CHECK (side.ok(n)),"
        " k side.kind CONSTRAINT k CHECK (k = 'a'))",
    )
    options = {"configure": {"include_schemas": True}}
    assert compare(made, **options).changes == []
    path = ["SET search_path TO side, public"]
    assert compare(made, session=path, configure={"include_schemas": True}).changes == []


@pytest.mark.parametrize(
    ("meaning", "expected"),
    [
        ("(t = ANY (ARRAY['a'::text]))", ("t", "=", "text", {"a"})),
        ("((v)::text = 'it''s'::text)", ("v", "=", "text", {"it's"})),
        ("(n = ANY (ARRAY[1, '-2'::integer]))", ("n", "=", "number", {"1", "-2"})),
        (
            "(c OPERATOR(public.=) ANY (ARRAY['a'::public.citext]))",
            ("c", "=", "public.citext", {"a"}),
        ),
        ('("a ""b" <@ ARRAY[\'x\'::character varying])', ('a "b', "<@", "text", {"x"})),
        (r"""(a <@ '{a,"b,\" c"}'::text[])""", ("a", "<@", "text", {"a", 'b," c'})),
        ("(t <> ALL (ARRAY['a'::text]))", None),
        ("((t)::integer = 1)", None),
        ("(t = ANY (ARRAY['a'::text, u]))", None),
        ("(a <@ '{a,NULL}'::text[])", None),
        ("((v)::text = ('a'::character varying(1))::text)", None),
    ],
)
def test_a_list_is_recognised(
    meaning: str, expected: tuple[str, str, str, set[str]] | None
) -> None:
    found = allowed(meaning)
    if expected is None:
        assert found is None
    else:
        column, operator, kind, values = expected
        assert found is not None
        assert found == Allowed(column, operator, kind, frozenset(values))  # type: ignore[arg-type]


def test_an_array_keeps_its_type_when_it_is_cast() -> None:
    array = "ARRAY['])::text[]'::character varying, 'b'::character varying]"
    assert with_array_type(f"((v)::text = ANY (({array})::text[]))") == (
        f"((v)::text = ANY (({array}::character varying[])::text[]))"
    )


@pytest.mark.postgres(16)
def test_a_check_without_a_name_beside_one_that_loses_its_meaning(
    tmp_path: Path, database_url: URL
) -> None:
    models = """
    metadata = MetaData()
    Table("t", metadata, Column("n", Integer),
          CheckConstraint("n > 5", name="x"), CheckConstraint("n > 0"))
    """
    made = project(
        tmp_path, database_url, models, "CREATE TABLE t (n int CONSTRAINT x CHECK (n > 0))"
    )
    made.autogenerate()
    head = made.head()
    for _ in range(2):
        made.upgrade()
        assert made.is_converged()
        made.stamp("base")
    for _ in range(2):
        made.stamp(head)
        made.downgrade("base")
        with scratch.connect(database_url) as connection:
            assert connection.execute(
                "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint"
                " WHERE conrelid = 't'::regclass AND contype = 'c'"
            ).fetchall() == [("x", "(n > 0)")]
