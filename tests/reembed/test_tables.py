"""Tables of every kind: keys, names, types, partitions."""

import json
from typing import Any

import pytest

from alembic_fixups.reembed import column, database
from alembic_fixups.reembed.rows import Reader
from alembic_fixups.reembed.wire import encoder
from tests.reembed.test_reembed import IVFFLAT
from tests.reembed.waiting import Waiting

pytestmark = pytest.mark.postgres(16)

FOLDED = """
CREATE TYPE ext.folded;
CREATE FUNCTION ext.folded_in(cstring) RETURNS ext.folded
  LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION ext.folded_out(ext.folded) RETURNS cstring
  LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE ext.folded (
  INPUT = ext.folded_in, OUTPUT = ext.folded_out, LIKE = text, CATEGORY = 'S', COLLATABLE = true
);
CREATE CAST (ext.folded AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION ext.folded_cmp(ext.folded, ext.folded) RETURNS int LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT bttextcmp(reverse(lower($1::text)), reverse(lower($2::text))) $$;
"""
"""A type like citext, which comes with no PostgreSQL that has pgvector here: its order and what it
takes for equal are other ones than those of text."""


def folded(waiting: Waiting) -> None:
    operators = ("<", "lt"), ("<=", "le"), ("=", "eq"), (">=", "ge"), (">", "gt")
    waiting.execute("CREATE SCHEMA ext", *FOLDED.strip().removesuffix(";").split(";\n"))
    for sign, name in operators:
        waiting.execute(
            f"CREATE FUNCTION ext.folded_{name}(ext.folded, ext.folded) RETURNS bool LANGUAGE sql"
            f" IMMUTABLE STRICT AS $$ SELECT ext.folded_cmp($1, $2) {sign} 0 $$",
            f"CREATE OPERATOR ext.{sign} (LEFTARG = ext.folded, RIGHTARG = ext.folded,"
            f" FUNCTION = ext.folded_{name})",
        )
    named = ", ".join(f"OPERATOR {n} ext.{sign}" for n, (sign, _) in enumerate(operators, 1))
    waiting.execute(
        f"CREATE OPERATOR CLASS ext.folded_ops DEFAULT FOR TYPE ext.folded USING btree AS {named},"
        " FUNCTION 1 ext.folded_cmp(ext.folded, ext.folded)"
    )


KEYS = {
    "text in another collation": ('text COLLATE "C"', "chr(64 + i) || chr(97 + i % 26)"),
    "varchar(20)": ("varchar(20)", "'k' || i"),
    "char": ("char(5)", "'k' || i"),
    "uuid": ("uuid", "md5(i::text)::uuid"),
    "enum": ('app."Colour:x%"', '(\'{z,"b b",a,Y}\'::app."Colour:x%"[])[i]'),
    "timestamptz": ("timestamptz", "now() - i * interval '1.000001 day'"),
    "numeric": ("numeric(10,3)", "i / 7.0"),
    "float": ("double precision", "i / 7.0"),
    "bytea": ("bytea", "decode(md5(i::text), 'hex')"),
    "domain": ("app.code", "i"),
    "array": ("int[]", "ARRAY[i, -i]"),
    "like citext": (
        "ext.folded",
        "(CASE i % 2 WHEN 0 THEN 'K' ELSE 'k' END || i)::text::ext.folded",
    ),
    "inet": ("inet", "'10.0.0.0'::inet + i"),
}


@pytest.mark.parametrize("what", KEYS)
def test_key(waiting: Waiting, what: str) -> None:
    type, value = KEYS[what]
    waiting.execute(
        "CREATE SCHEMA app",
        "CREATE EXTENSION vector",
        "CREATE TYPE app.\"Colour:x%\" AS ENUM ('z', 'b b', 'a', 'Y')",
        "CREATE DOMAIN app.code AS integer CHECK (VALUE > 0)",
    )
    folded(waiting)
    count = 4 if what == "enum" else 30
    waiting.execute(
        f"CREATE TABLE app.docs (id {type} PRIMARY KEY, body text, embedding vector(3))",
        f"INSERT INTO app.docs SELECT {value}, 'text ' || i FROM generate_series(1, {count}) AS i",
    )
    waiting.job(batch=3)
    code, found = waiting.json(limit=2)
    assert (code, found["done"]) == (0, 2)
    code, found = waiting.json(workers=2)
    assert (code, found["done"], found["complete"]) == (0, count - 2, True)
    assert waiting.wrong() == 0
    assert len(waiting.embeddings.calls) == count


def test_key_from_integers_of_another_size(waiting: Waiting) -> None:
    waiting.docs(4)
    waiting.execute("ALTER TABLE app.docs ALTER id TYPE int")
    waiting.job(source="SELECT id::bigint, body FROM app.docs")
    assert waiting.json()[1]["complete"]
    assert waiting.wrong() == 0


@pytest.mark.parametrize("second", ["int", "ext.folded"])
def test_composite_key(waiting: Waiting, second: str) -> None:
    """Not in the order of the columns, and with operators in two schemas."""
    waiting.execute("CREATE SCHEMA app", "CREATE EXTENSION vector")
    folded(waiting)
    waiting.execute(
        f"CREATE TABLE app.docs (body text, n {second}, tenant uuid, embedding vector(3),"
        " PRIMARY KEY (tenant, n))",
        "INSERT INTO app.docs SELECT 'text ' || i || ',' || j,"
        f" (j * 7)::text::{second}, md5(i::text)::uuid"
        " FROM generate_series(1, 5) AS i, generate_series(1, 7) AS j",
    )
    waiting.job(key=("tenant", "n"), source="SELECT tenant, n, body FROM app.docs")
    waiting.embeddings.hook = lambda texts: 1 / 0 if "text 3,3" in texts else None
    code, found = waiting.json()
    assert code == 1
    [failed] = found["failed"]
    assert list(failed["key"]) == ["tenant", "n"]
    assert failed["key"]["n"] == "21"
    waiting.embeddings.hook = None
    assert waiting.json()[1]["complete"]
    assert waiting.wrong() == 0
    assert len(set(waiting.embeddings.calls)) == 35
    assert waiting.embeddings.calls.count("text 1,1") == 1


def test_hostile_names(waiting: Waiting) -> None:
    schema, table, column, key = 'My "Sch%s:x', "T'able :y %(z)s", "Vec tor%", 'select:"id'
    name = f'"{schema.replace(chr(34), chr(34) * 2)}"."{table}"'
    waiting.execute(
        "CREATE EXTENSION vector",
        'CREATE SCHEMA "My ""Sch%s:x"',
        f'CREATE TABLE {name} ("select:""id" int PRIMARY KEY, body text, "{column}" vector(3))',
        f"INSERT INTO {name} SELECT i, '100%s :x ' || i FROM generate_series(1, 9) AS i",
    )
    waiting.job(
        schema,
        table,
        column,
        key=(key,),
        not_null=True,
        indexes=[{**IVFFLAT, "name": 'in"d:x%', "using": f'ivfflat ("{column}" vector_l2_ops)'}],
        source=f"""SELECT "select:""id", replace(body, '%%', ':y') || ' %s :x'::text FROM {name}""",
    )
    code, printed = waiting.run()
    assert code == 0, printed
    text = """replace(body, '%%', ':y') || ' %s :x'"""
    assert waiting.wrong(name, text, f'"{column}"') == 0
    assert waiting.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'in\"d:x%'") == 1


BITS = "def bits(texts): return [{} for text in embed(texts)]"


@pytest.mark.postgres(16, 18)
@pytest.mark.parametrize(
    "type, embedder, expected",
    [
        ("vector(3)", "[1.5, 0, -2]", "[1.5,0,-2]"),
        ("vector(3)", "__import__('array').array('d', [1.5, 0, -2])", "[1.5,0,-2]"),
        ("vector", "[1, 2]", "[1,2]"),
        ("halfvec(3)", "(1.5, 0, -65504)", "[1.5,0,-65504]"),
        ("sparsevec(5)", "[0, 1.5, 0, 1e-50, -2]", "{2:1.5,5:-2}/5"),
        ("sparsevec(5)", "[0] * 5", "{}/5"),
        ("bit(10)", "'1100000001'", "1100000001"),
        ("bit(10)", "[True, 1] + [0] * 7 + [1.0]", "1100000001"),
    ],
)
def test_types_in_a_schema_off_the_path(
    waiting: Waiting, type: str, embedder: str, expected: str
) -> None:
    waiting.execute(
        "CREATE SCHEMA app",
        "CREATE SCHEMA extensions",
        "CREATE EXTENSION vector SCHEMA extensions",
    )
    qualified = type if type.startswith("bit") else f"extensions.{type}"
    waiting.execute(
        f"CREATE TABLE app.docs (id int PRIMARY KEY, body text, embedding {qualified})",
        "INSERT INTO app.docs SELECT i, 'text ' || i FROM generate_series(1, 6) AS i",
    )
    kind = type.partition("(")[0]
    opclass = "bit_hamming_ops" if kind == "bit" else f"{kind}_l2_ops"
    index = {"name": "docs_hnsw", "using": f"hnsw (embedding extensions.{opclass})"}
    waiting.job(
        type=qualified, embedder="given", not_null=True, indexes=[index] if "(" in type else []
    )
    waiting.rewrite(f"def given(texts): return [{embedder} for text in embed(texts)]")
    _, found = waiting.json()
    assert found["complete"], found
    assert waiting.rows("SELECT DISTINCT embedding::text FROM app.docs") == [(expected,)]


@pytest.mark.parametrize(
    "kind, vector, message",
    [
        ("halfvec", [1, 70000.0], "range of halfvec"),
        ("halfvec", [float("inf"), 0], "not finite"),
        ("bit", "012", "a text of 0 and 1"),
        ("bit", [0, 2], "2 is neither 0 nor 1"),
        ("bit", 3, "no bits"),
        ("bit", [0, 1, 1], "3 dimensions, where bit"),
        ("vector", {"a": 1}, "no vector of numbers: a dict"),
        ("vector", [[1], [2]], "no vector of numbers"),
    ],
)
def test_what_is_no_vector(kind: str, vector: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(kind, 2)(vector)


def test_what_looks_like_an_array_of_numpy() -> None:
    class Numpy:
        def tolist(self) -> list[float]:
            return [1.0, 2.0]

    given = memoryview(__import__("array").array("f", [1, 2]))
    assert (
        encoder("vector", 2)(Numpy()) == encoder("vector", 2)(given) == encoder("vector", 2)([1, 2])
    )


def test_partitioned_table(waiting: Waiting) -> None:
    waiting.execute(
        "CREATE SCHEMA app",
        "CREATE EXTENSION vector",
        "CREATE TABLE app.docs (id int, region text, body text, embedding vector(3),"
        " PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
        "CREATE TABLE app.docs_a PARTITION OF app.docs FOR VALUES IN ('a')",
        "CREATE TABLE app.docs_b PARTITION OF app.docs FOR VALUES IN ('b')",
        "INSERT INTO app.docs SELECT i, r, 'text ' || i || r"
        " FROM generate_series(1, 9) AS i, unnest('{a,b}'::text[]) AS r",
        # What an earlier build leaves that was cut short.
        "CREATE INDEX docs_ivf ON ONLY app.docs (body)",
    )
    waiting.job(
        key=("id", "region"),
        source="SELECT id, region, body FROM app.docs",
        not_null=True,
        indexes=[IVFFLAT],
    )
    _, found = waiting.json(workers=2)
    assert found["complete"], found
    assert waiting.wrong() == 0
    assert waiting.value(
        "SELECT bool_and(i.indisvalid) AND count(*) = 3 FROM pg_index i JOIN pg_class c"
        " ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'ivfflat'"
    )
    assert (
        waiting.value(
            "SELECT count(*) FROM pg_attribute WHERE attname = 'embedding'"
            " AND attnotnull AND attrelid::regclass::text ~ '^app.docs'"
        )
        == 3
    )


def test_json_is_one_document_whatever_the_embedder_prints(waiting: Waiting) -> None:
    waiting.docs(5)
    waiting.job(embedder="loud", indexes=[IVFFLAT])
    waiting.rewrite(
        """
        import ctypes
        print('imported')
        def loud(texts):
            print('working')
            os.write(1, b'past Python')
            os.system('echo a child')
            ctypes.CDLL(None).puts(b'a library')
            return embed(texts)
        """
    )
    done = waiting.process("reembed", "--json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "columns": [
            {
                "column": "app.docs.embedding",
                "done": 5,
                "failed": [],
                "left": 0,
                "complete": True,
                "changed": 0,
                "message": None,
            }
        ]
    }
    said = ("imported", "working", "past Python", "a child", "a library")
    assert all(one in done.stderr for one in said)


@pytest.mark.parametrize("type", ["bigint", "varchar(20)", 'text COLLATE "C"'])
def test_pieces_are_read_by_the_primary_key(waiting: Waiting, type: str) -> None:
    """On every side and no further, and never the one for each row of the other."""
    waiting.execute(
        "CREATE SCHEMA app",
        "CREATE EXTENSION vector",
        f"CREATE TABLE app.docs (tenant int, id {type}, body text, embedding vector(3),"
        " PRIMARY KEY (tenant, id))",
        "INSERT INTO app.docs SELECT 1, i, 'text' FROM generate_series(10001, 15000) AS i",
    )
    source = "SELECT tenant, id, string_agg(body, ' ') FROM app.docs GROUP BY tenant, id"
    waiting.job(key=("tenant", "id"), source=source)
    waiting.execute("ANALYZE")
    with database.connect(waiting.url, "1s") as connection:
        [job] = column.jobs(connection)
        reader = Reader(column.read(connection, job), source)
        assert [len(batch) for batch in reader.batches(connection, 1500)] == [1500] * 3 + [500]
        [(plan,)] = database.rows(
            connection,
            f"EXPLAIN (ANALYZE, FORMAT JSON) {reader._piece_query(True, True, 1)}",
            ["1", "12500", "12700"],
        )
    assert plan[0]["Plan"]["Actual Rows"] == 200
    assert max(scanned(plan[0]["Plan"])) == 200


def scanned(plan: dict[str, Any]) -> list[int]:
    """How many rows each scan of a plan looks at."""
    below = [count for child in plan.get("Plans", []) for count in scanned(child)]
    if "Relation Name" not in plan:
        return below
    looks = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return [*below, int(looks * plan["Actual Loops"])]
