"""Many ways to write a CHECK in the models, made by SQLAlchemy and compared with themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.fixups.check_constraints.comparing import compare, project

MODELS = r"""
import enum

class Kind(enum.Enum):
    A = "a'x"
    B = "b:y %s"
    C = "c\\z $$ \U0001f600"

metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
T = Table(
    "T", metadata, Column("id", Integer, primary_key=True),
    Column("s", String(20)), Column("t", Text), Column("ch", CHAR(2)), Column("by", LargeBinary),
    Column("n", Integer), Column("m", Numeric(10, 2)), Column("f", Float),
    Column("big", BigInteger), Column("b", Boolean), Column("j", postgresql.JSONB),
    Column("js", JSON),
    Column("d", Date), Column("ts", DateTime(timezone=True)), Column("iv", Interval),
    Column("a", ARRAY(Integer)), Column("u", postgresql.UUID), Column("inet", postgresql.INET),
    Column("r", postgresql.INT4RANGE), Column("Up Per", Integer),
    Column("k1", Enum(Kind, native_enum=False, create_constraint=True, name="k1")),
    Column("k2", Enum(Kind, native_enum=False, create_constraint=True, name="k2",
                      values_callable=lambda kinds: [kind.value for kind in kinds])),
    Column("k3", Enum("x", "y", native_enum=False, create_constraint=True, name="k3", length=50)),
    Column("k4", Enum(Kind, name="kind")),
    Column("bo", Boolean(create_constraint=True, name="bo")),
    Column("cc", Integer, CheckConstraint("cc > 0", name="cc")),
)
c = T.c


def add(expression):
    T.append_constraint(CheckConstraint(expression, name=f"c{len(T.constraints)}"))


add(r"t <> '\:x'")
add(r"t <> 'a\:\:b'")
add(r"ts > '2020-01-01 10\:00\:00+00'")
add("n::text <> '5'")
add(c.s.in_(["a", "it's", "b:c", "%d", "x\\y", "$$", "\U0001f600"]))
add(c.s.not_in(["a", "b"]))
add(c.n.in_([1, 2, -3]))
add(c.n.between(1, 10))
add(~c.n.between(20, 30))
add(func.length(c.s) > 3)
add(func.char_length(func.trim(c.s)) > 0)
add(c.s.regexp_match("^[a-z]:\\d+%$"))
add(~c.s.regexp_match("x", flags="i"))
add(c.s.like("a%_\\%", escape="\\"))
add(c.s.ilike("a%"))
add(c.s.startswith("a%"))
add(c.s.contains("b:c", autoescape=True))
add(c.j["a"].astext == "x")
add(c.j["a"]["b:c"].as_integer() > 3)
add(c.j.has_key("k"))
add(c.js["x"].as_string() == "y")
add(case((c.n > 0, c.s == "a"), else_=c.s.is_(None)))
add(case((c.n > 0, 1), (c.n < -5, 2), else_=0) > 0)
add(c.b)
add(~c.b)
add(c.b.is_(True))
add(c.b.is_not(False))
add(c.b == true())
add(or_(c.n > 0, c.m > 0, c.s == "x"))
add(and_(or_(c.n > 0, c.m > 0), not_(c.s == "x")))
add(or_(c.s == "a", c.s == "b"))
add(c.s.is_distinct_from("x"))
add(c.m > 0)
add(c.m >= 0.5)
add(c.f > 0.1)
add(c.big < 2**40)
add(c.n % 2 == 0)
add(c.n / 2 > 1)
add(c.n + c.m > 5)
add(c.n.op("&")(1) == 1)
add(cast(c.s, Integer) > 0)
add(func.coalesce(c.n, 0) > 0)
add(c["Up Per"] > 0)
add('"Up Per" < 100')
add("n > 0 /* comment */")
add("n > -100 -- comment\n")
add("num_nonnulls(n, m) = 1")
add("(n IS NULL) = (m IS NULL)")
add("(n, m) = (1, 2)")
add("n IN (1) IS NOT TRUE")
add("d > DATE '2020-01-01'")
add("d >= '2020-01-01'")
add(c.d > text("DATE '2021-01-01'"))
add("ts AT TIME ZONE 'UTC' > '2020-01-01'")
add("EXTRACT(year FROM d) > 1900")
add(extract("year", c.d) < 3000)
add("iv > interval '1 day'")
add("a @> ARRAY[1]")
add("array_length(a, 1) > 0")
add(func.cardinality(c.a) < 5)
add("u <> '00000000-0000-0000-0000-000000000000'")
add("inet << '10.0.0.0/8'")
add("r @> 5")
add("NOT isempty(r)")
add("octet_length(by) < 10")
add("by <> '\\x00'")
add("ch IN ('a', 'bb')")
add("ch = 'a'")
add("ch COLLATE \"C\" < 'z'")
add("s ~ '^\\d{3}$'")
add("s SIMILAR TO '(a|b)%'")
add("s ~* 'x' AND s !~ 'y'")
add("j ->> 'a' = 'x'")
add("j @? '$.a[*] ? (@ > 2)'")
add("j ? 'a' OR j ?| array['b','c']")
add("jsonb_typeof(j) = 'object'")
add("j -> 'a' = '\"x\"'::jsonb")
add("lower(s) = s")
add("position('@' in s) > 1")
add("substring(s from 1 for 2) = 'ab'")
add("upper(s) IN ('A', 'B')")
add("s || t <> 'x'")
add("s = t")
add("s = ANY (ARRAY[t, 'x'])")
add("(s)::varchar(5) = 'a'")
add("s IN ('a', NULL)")
add("greatest(n, m) > least(1, 2)")
add("n = ALL (ARRAY[1,2])")
add("CASE s WHEN 'a' THEN n > 0 WHEN 'b' THEN true ELSE false END")
add("nullif(s, '') IS NOT NULL")
add("k4 = 'A'")
add("k4 IN ('A', 'B')")
add("k4::text <> 'C'")
add("true")
add("1 = 1")
add("f = 'NaN'")
add("f <> 1e10")
add("m = 1.50")
add("n BETWEEN SYMMETRIC 10 AND 1")
add("s IS NOT NULL")
add("b IS NOT UNKNOWN")
add("s IS NFC NORMALIZED")
add("overlay(s placing 'x' from 1) <> 'y'")
add("U&'\\0061' <> s")
add("E'a\\nb' <> s")
add("$$q$$ <> s")
add("\"T\".n > -5")
add("concat(s, t) <> ''")
add("ARRAY[n, m] <> '{}'")
T.append_constraint(CheckConstraint("tableoid > 0", name="system"))
"""


def test_what_sqlalchemy_makes_of_the_models_is_no_difference(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(tmp_path, database_url, MODELS, "")
    made.create_all()
    found = compare(made)
    assert (found.changes, found.codes) == ([], [])
    assert "op." not in found.source


def test_each_of_them_is_found_where_the_database_has_another(
    tmp_path: Path, database_url: URL
) -> None:
    made = project(tmp_path, database_url, MODELS, "")
    made.create_all()
    with scratch.connect(database_url) as connection:
        checks = connection.execute(
            "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint"
            " WHERE contype = 'c' AND conrelid <> 0"
        ).fetchall()
        for name, expression in checks:
            connection.execute(
                f'ALTER TABLE "T" DROP CONSTRAINT "{name}",'  # type: ignore[arg-type]
                f' ADD CONSTRAINT "{name}" CHECK (({expression}) OR id < -5)'
            )
    found = compare(made)
    assert len(found.changes) == len(checks) > 100
    assert all(change.startswith("T: change the check") for change in found.changes)
    assert found.codes == []


@pytest.mark.postgres(16)
def test_checks_of_columns(tmp_path: Path, database_url: URL) -> None:
    """SQLAlchemy keeps what was given to a Column with the column, not with the table."""
    made = project(
        tmp_path,
        database_url,
        """
        metadata = MetaData()
        Table("t", metadata, Column("id", Integer, primary_key=True),
              Column("n", Integer, CheckConstraint("n > 0", name="n"), CheckConstraint("n < 9")),
              Column("m", Integer, CheckConstraint("m <> 5", name="m")))
        """,
        "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n < 9) CONSTRAINT n CHECK (n >= 0))",
    )
    tables = []

    def include_object(item: object, name: str | None, kind: str, *_: object) -> bool:
        if kind == "check_constraint":
            tables.append(item.table.name)  # type: ignore[attr-defined]
        return True

    found = compare(made, configure={"include_object": include_object})
    assert found.changes == ["t: add the check m (m <> 5)", "t: change the check n (n > 0)"]
    assert tables == ["t", "t"]
    made.autogenerate()
    made.upgrade()
    assert made.is_converged()
    made.downgrade("base")


@pytest.mark.postgres(16)
@pytest.mark.parametrize("token", ["%(column_0_name)s", "%(column_0_N_name)s"])
def test_naming_conventions_that_name_the_column(
    tmp_path: Path, database_url: URL, token: str
) -> None:
    models = f"""
    metadata = MetaData(naming_convention={{"ck": "ck_%(table_name)s_{token}"}})
    t = Table("t", metadata, Column("n", Integer), Column("m", Integer))
    t.append_constraint(CheckConstraint(t.c.m > 5))
    t.append_constraint(CheckConstraint("n > 1", name="n"))
    """
    made = project(tmp_path, database_url, models, "")
    made.create_all()
    assert compare(made).changes == []
    made.models(models.replace("> 5", "> 6").replace("> 1", "> 2"))
    assert sorted(compare(made).changes) == [
        "t: change the check ck_t_m (m > 6)",
        "t: change the check n (n > 2)",
    ]
