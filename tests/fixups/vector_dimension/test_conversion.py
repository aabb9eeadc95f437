"""What changes of vectors stop at, keep and survive in real databases."""

from __future__ import annotations

import random
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from alembic.util import CommandError

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from tests.fixups.vector_dimension.cases import HEAD
from tests.fixups.vector_dimension.converting import (
    BOTH,
    CHECKS,
    FILL,
    KEEP,
    SLOW,
    START,
    SWAP,
    Database,
    Make,
    before_statement,
    docs,
    make,
    settings,
)

__all__ = ["make"]

pytestmark = pytest.mark.postgres(16)

FOUR, THREE = docs("VECTOR(4)"), docs("VECTOR(3)")
FILLED, FILLED_THREE = docs("VECTOR(4)", null=False), docs("VECTOR(3)", null=False)

ROWS = "INSERT INTO docs (id, embedding) VALUES (1, '[1,2,3,4]'), (2, '[0.1,0,0,0]'), (3, NULL)"
SOME = "INSERT INTO docs (id, embedding) VALUES (1, '[1,2,3,4]'), (2, '[0.1,0,0,0]')"
VECTORS = {1: "[1,2,3,4]", 2: "[0.1,0,0,0]"}

# How their names begin; what follows tells those of one revision from those of another.
ARCHIVE, OF_NEW = "fixup_archive_docs_embedding_vector_4", "fixup_archive_docs_embedding_vector_3"

REEMBED = "data = 'reembed'\nsource = 'SELECT id, body FROM docs'\nembedder = 'app.embeddings:{}'"


CHECKED = "[tool.alembic-fixups.check-constraints]\n"


def reembed(embedder: str = "embed", strategy: str = "rewrite") -> str:
    """Settings by which the vectors are made anew."""
    return settings("archive", strategy, **{"docs.embedding": REEMBED.format(embedder)})


# Where a row would be without a vector


@pytest.mark.parametrize(("data", "strategy"), [("archive", "online"), ("clear", "rewrite")])
def test_not_null_with_rows_stops_it_and_says_the_ways_out(
    make: Make, data: str, strategy: str
) -> None:
    database = make(FILLED, FILLED_THREE, SOME, settings(data, strategy))
    [warning] = [each for each in database.revise() if each.code == "not-null"]
    assert warning.severity == "warning"
    message = database.refused_unchanged()
    assert "docs.embedding is NOT NULL, and would be without a vector in 2 row(s)" in message
    if data == "archive":
        assert "such as id = 1, 2" in message
    assert 'data = "reembed"' in message
    assert 'data = "truncate"' in message
    database.execute("TRUNCATE docs")
    database.project.upgrade()
    assert database.type_of() == "vector(3)"
    assert database.is_converged()


def test_clear_says_how_many_vectors_it_discards(make: Make, heard: list[str]) -> None:
    database = make(FOUR, THREE, ROWS, settings("clear"))
    database.revise()
    assert "docs.embedding: vector(4) becomes vector(3); 2 vector(s) are discarded" in (
        database.source
    )
    database.execute("INSERT INTO docs (id, embedding) VALUES (4, '[1,1,1,1]')")
    database.project.upgrade()
    [notice] = [each for each in heard if "discarded" in each]
    assert notice == "NOTICE: docs.embedding: discarded are the vectors of 3 row(s)"
    assert set(database.vectors().values()) == {None}
    assert database.archives() == []


# New vectors, and the way back


@BOTH
def test_the_downgrade_gives_the_old_vectors_back_and_keeps_the_new_ones(
    make: Make, heard: list[str], strategy: str
) -> None:
    database = make(FOUR, THREE, ROWS, settings(strategy=strategy))
    database.revise()
    database.project.upgrade()
    assert database.vectors() == {1: None, 2: None, 3: None}
    assert database.vectors(ARCHIVE) == VECTORS
    database.execute(
        "UPDATE docs SET embedding = '[7,7,7]' WHERE id = 1;"
        "INSERT INTO docs (id, embedding) VALUES (4, '[8,8,8]'), (5, NULL); DELETE FROM docs"
        " WHERE id = 2"
    )
    database.project.downgrade("base")
    assert database.vectors() == {1: "[1,2,3,4]", 3: None, 4: None, 5: None}
    assert database.vectors(OF_NEW) == {1: "[7,7,7]", 4: "[8,8,8]"}
    assert database.vectors(ARCHIVE) == {2: "[0.1,0,0,0]"}, "of a row that is gone"
    assert [each for each in heard if OF_NEW in each] == [
        "NOTICE: docs.embedding: the vectors that its old type cannot hold are kept in"
        f" {database.named(OF_NEW)}: 2 row(s), such as id = 1, 4"
    ]
    assert [each for each in heard if ARCHIVE in each and "stays with 1 vector(s)" in each]


def test_precision_that_the_downgrade_would_lose_is_kept(make: Make) -> None:
    database = make(
        docs("HALFVEC(2)"), docs("VECTOR(2)"), "INSERT INTO docs VALUES (1, '', '[0.1,1]')"
    )
    before = database.vectors()
    database.revise()
    database.project.upgrade()
    database.execute("INSERT INTO docs VALUES (2, '', '[0.1,1]'), (3, '', '[0.5,1]')")
    database.project.downgrade("base")
    assert database.vectors() == {1: before[1], 2: before[1], 3: "[0.5,1]"}
    assert database.vectors("fixup_archive_docs_embedding_vector_2") == {2: "[0.1,1]"}


def test_what_the_old_type_cannot_hold_at_all_stops_the_downgrade(make: Make) -> None:
    database = make(docs("HALFVEC(2)"), docs("VECTOR(2)"))
    database.revise()
    database.project.upgrade()
    database.execute("INSERT INTO docs VALUES (1, '', '[1,1]'), (2, '', '[1e5,1]')")
    message = database.refused_unchanged("downgrade")
    assert "docs.embedding has vectors that cannot be had in its old type at all" in message
    assert "1 row(s), such as id = 2" in message


def test_what_the_new_type_cannot_hold_at_all_stops_the_upgrade(make: Make) -> None:
    setup = "INSERT INTO docs VALUES (1, '', '[1,1]'), (2, '', '[1e5,1]')"
    database = make(docs("VECTOR(2)", null=False), docs("HALFVEC(2)", null=False), setup)
    database.revise()
    message = database.refused_unchanged()
    assert "docs.embedding has vectors that cannot be had in the new type at all" in message
    assert "1 row(s), such as id = 2" in message


def test_not_null_rows_with_new_vectors_only_stop_the_downgrade(make: Make) -> None:
    database = make(FILLED, FILLED_THREE, SOME, reembed())
    database.revise()
    database.project.upgrade()
    database.execute("INSERT INTO docs (id, embedding) VALUES (3, '[7,7,7]'), (4, NULL)")
    message = database.refused_unchanged("downgrade")
    assert "docs.embedding was NOT NULL, and would be without a vector in 2 row(s)" in message
    assert "such as id = 3, 4" in message
    assert ARCHIVE in message
    database.execute(
        f"INSERT INTO {database.named(ARCHIVE)} VALUES (3, '[3,3,3,3]');"
        "DELETE FROM docs WHERE id = 4"
    )
    database.project.downgrade("base")
    assert database.vectors() == {**VECTORS, 3: "[3,3,3,3]"}
    assert database.vectors(OF_NEW) == {3: "[7,7,7]"}


@pytest.mark.parametrize("embedder", ["embed", "other"])
def test_vectors_of_the_same_embedder_come_back_with_the_next_upgrade(
    make: Make, embedder: str
) -> None:
    database = make(FILLED, FILLED_THREE, SOME, reembed())
    database.revise()
    database.project.upgrade()
    database.execute("UPDATE docs SET embedding = '[7,7,7]' WHERE id = 1")
    database.project.downgrade("base")
    assert database.vectors(OF_NEW) == {1: "[7,7,7]"}
    if embedder == "other":
        for path in (database.project.folder / "migrations" / "versions").glob("*.py"):
            path.unlink()
        database.project.settings(reembed("other"))
        database.revise()
    database.project.upgrade()
    if embedder == "embed":
        assert database.vectors() == {1: "[7,7,7]", 2: None}
        assert database.archives() == [database.named(ARCHIVE)]
    else:
        assert database.vectors() == {1: None, 2: None}
        assert database.vectors(OF_NEW) == {1: "[7,7,7]"}
    database.project.downgrade("base") if embedder == "embed" else None


def test_an_archive_that_still_has_vectors_stops_the_next_change(make: Make) -> None:
    database = make(FOUR, THREE, ROWS)
    database.revise()
    database.project.upgrade()
    database.execute("ALTER TABLE docs ALTER embedding TYPE vector(4) USING '[1,1,1,1]'")
    database.project.stamp("base")
    message = database.refused_unchanged()
    assert f"{ARCHIVE}" in message and "still keeps" in message
    assert "2 row(s)" in message
    assert "drop-archive" in message


def test_a_table_of_the_archives_name_stops_it(make: Make) -> None:
    database = make(FOUR, THREE, ROWS)
    database.revise()
    [archive] = set(re.findall(rf"{ARCHIVE}\w*", database.source))
    database.execute(f"CREATE TABLE {archive} (id int, embedding vector(4))")
    assert f"{archive} is there already, and keeps no vectors of docs.embedding" in (
        database.refused_unchanged()
    )


# Keys and names


def test_without_a_primary_key_only_clear_goes(make: Make) -> None:
    plain = FOUR.replace(", primary_key=True", "")
    database = make(plain, plain.replace("(4)", "(3)"), ROWS, reembed())
    for toml, what in ((reembed(), "new vectors"), (settings(), "old vectors")):
        database.project.settings(toml)
        [finding] = database.revise()
        assert (finding.code, finding.severity) == ("no-primary-key", "refused")
        assert f"nothing tells which row {what} belong to" in finding.message
        assert "op." not in database.source.split("def upgrade")[1]
        for path in (database.project.folder / "migrations" / "versions").glob("*.py"):
            path.unlink()
    database.project.settings(settings("clear"))
    assert database.revise() == []
    database.project.upgrade()
    assert database.type_of() == "vector(3)"
    database.execute("INSERT INTO docs (id, embedding) VALUES (4, '[1,1,1]')")
    message = database.refused_unchanged("downgrade")
    assert "vectors that its old type cannot hold, in 1 row(s)" in message
    database.execute("UPDATE docs SET embedding = NULL")
    database.project.downgrade("base")
    assert database.type_of() == "vector(4)"


ODD = '100% "it\'s" :x $1 Ü ' + "n" * 42
HOSTILE = (
    HEAD.replace("metadata =", f"ODD = {ODD!r}\nmetadata =")
    + """
event.listen(metadata, "before_create", DDL('CREATE SCHEMA "S %%s: 1"'))
Table("T " + ODD[2:], metadata, Column("K " + ODD[2:], Text, primary_key=True),
      Column("day:1 %", Integer, primary_key=True), Column(ODD, VECTOR(4)), Column("Body", Text),
      schema="S %s: 1")
"""
)


@BOTH
def test_names_that_nobody_expects(make: Make, strategy: str) -> None:
    assert len(ODD.encode()) == 63
    table = '"S %s: 1"."T ' + ODD[2:].replace('"', '""') + '"'
    column = '"' + ODD.replace('"', '""') + '"'
    database = make(
        HOSTILE, HOSTILE.replace("VECTOR(4)", "VECTOR(3)"), "", settings(strategy=strategy)
    )
    database.execute(
        f"INSERT INTO {table} VALUES (':x %s ''$1', 1, '[1,2,3,4]', ''), ('b', 2, NULL, '')"
    )

    def write() -> None:
        database.execute(
            f"INSERT INTO {table} VALUES ('c', 1, '[3,3,3,3]', '');"
            f"UPDATE {table} SET {column} = '[2,2,2,2]' WHERE \"day:1 %\" = 2;"
            f'UPDATE {table} SET "day:1 %" = 7 WHERE "day:1 %" = 2'
        )

    database.revise()
    with before_statement(KEEP, write):
        database.project.upgrade()
    assert database.is_converged()
    database.project.downgrade("base")
    assert database.rows(
        f'SELECT "day:1 %", {column}::text FROM {table} ORDER BY {column}::text'
    ) == [
        (1, "[1,2,3,4]"),
        (7, "[2,2,2,2]"),
        (1, "[3,3,3,3]"),
    ]
    assert database.archives() == []


VARIABLES = (
    "target name store keys page part found rest said columns condition again type fixup_row"
)


@pytest.mark.parametrize(
    ("strategy", "key"), [("rewrite", VARIABLES), ("online", f"tg_op value batch {VARIABLES}")]
)
def test_keys_that_are_called_as_variables_of_the_steps(
    make: Make, strategy: str, key: str
) -> None:
    listed = "".join(f'Column("{name}", Integer, primary_key=True), ' for name in key.split())
    models = (
        f'{HEAD}Table("docs", metadata, {listed}Column("fixup_value", VECTOR(4), nullable={{}}))'
    )
    models = models.format(strategy == "rewrite")
    toml = settings(strategy=strategy)
    if strategy == "online":
        names = ", ".join(key.split())
        toml = settings(
            strategy=strategy,
            **{
                "docs.fixup_value": f"data = 'reembed'\nsource = 'SELECT {names}, 1 FROM docs'\n"
                "embedder = 'a:b'"
            },
        )
    zeros = ", ".join("0" for _ in key.split())
    insert = f"INSERT INTO docs VALUES ({zeros}, '[1,2,3,4]')"
    database = make(models, models.replace("(4)", "(3)"), insert, toml)
    first = key.split()[0]

    def write() -> None:
        database.execute(
            insert.replace("(0, ", "(1, ")
            + f"; UPDATE docs SET fixup_value = '[5,6,7,8]' WHERE {first} = 1;"
            f"UPDATE docs SET {first} = 2 WHERE {first} = 1"
        )

    database.revise()
    with before_statement(KEEP, write):
        database.project.upgrade()
    database.execute(f"UPDATE docs SET fixup_value = '[5,6,7]' WHERE {first} = 2")
    database.project.downgrade("base")
    assert sorted(database.rows(f"SELECT {first}, fixup_value::text FROM docs")) == [
        (0, "[1,2,3,4]"),
        (2, "[5,6,7,8]"),
    ]
    database.project.upgrade()
    if strategy == "online":
        assert database.values(f"SELECT fixup_value::text FROM docs WHERE {first} = 2") == [
            "[5,6,7]"
        ]


SAME_NAMES = """
Table("a_b", metadata, Column("id", Integer, primary_key=True), Column("c", VECTOR(4)))
Table("a", metadata, Column("id", Integer, primary_key=True), Column("b_c", VECTOR(4)))
"""


def test_two_columns_whose_archives_would_have_one_name_go_one_after_the_other(make: Make) -> None:
    before = HEAD + SAME_NAMES
    setup = "INSERT INTO a_b VALUES (1, '[1,1,1,1]'); INSERT INTO a VALUES (1, '[2,2,2,2]')"
    database = make(before, before.replace("(4)", "(3)"), setup)
    [finding] = [each for each in database.revise() if each.severity == "refused"]
    assert finding.code == "name-taken"
    database.project.upgrade()
    assert sorted([database.type_of("c", "a_b"), database.type_of("b_c", "a")]) == [
        "vector(3)",
        "vector(4)",
    ]
    database.project.downgrade("base")
    assert database.values("SELECT c::text FROM a_b UNION ALL SELECT b_c::text FROM a") == [
        "[1,1,1,1]",
        "[2,2,2,2]",
    ]


def test_key_that_is_named_as_a_column_of_the_job(make: Make) -> None:
    before = (
        HEAD
        + """
Table("docs", metadata, Column("fixup_text_digest", Integer, primary_key=True),
      Column("body", Text), Column("embedding", VECTOR(4)))
"""
    )
    database = make(before, before.replace("(4)", "(3)"), "", reembed())
    [finding] = [each for each in database.revise() if each.severity == "refused"]
    assert finding.code == "name-taken"
    assert "the primary key has a column fixup_text_digest" in finding.message
    database.project.upgrade()
    assert database.type_of("embedding") == "vector(4)"


IN_SCHEMAS = "".join(
    f"""
event.listen(metadata, "before_create", DDL("CREATE SCHEMA IF NOT EXISTS {name}"))
Table("docs", metadata, Column("id", Integer, primary_key=True), Column("v", {{}}), schema="{name}")
"""
    for name in ("one", "two")
)


def test_tables_of_one_name_in_two_schemas_each_get_theirs_back(make: Make) -> None:
    before = HEAD + IN_SCHEMAS.format("VECTOR(4)", "HALFVEC(4)")
    database = make(
        before,
        HEAD + IN_SCHEMAS.format("VECTOR(3)", "VECTOR(3)"),
        "INSERT INTO one.docs VALUES (1, '[1,1,1,1]');"
        "INSERT INTO two.docs VALUES (1, '[2,2,2,2]');"
        "CREATE VIEW both_of_them AS"
        " SELECT v::text FROM one.docs UNION ALL SELECT v::text FROM two.docs",
    )
    database.there_and_back()


# Writers


def soon(database: Database, query: str) -> None:
    """Comes back as soon as the query gives something."""
    deadline = time.monotonic() + 30
    while not database.values(query):
        assert time.monotonic() < deadline, query


def written(database: Database, key: int, chance: random.Random) -> None:
    """Something that an application does to a table with rows of that key and its negative."""
    vector = f"'[{','.join(str(chance.randint(0, 9)) for _ in range(4))}]'"
    choices = [
        f"INSERT INTO docs VALUES ({key}, 'x', {vector}) ON CONFLICT DO NOTHING",
        f"UPDATE docs SET embedding = {vector} WHERE id = {key}",
        f"UPDATE docs SET embedding = NULL WHERE id = {key}",
        f"UPDATE docs SET body = body || 'x' WHERE id IN ({key}, -{key})",
        f"DELETE FROM docs WHERE id = -{key};"
        f"UPDATE docs SET id = -id, embedding = {vector} WHERE id = {key}",
        f"DELETE FROM docs WHERE id = {key}",
        f"BEGIN; UPDATE docs SET embedding = {vector}, id = id + 100000 WHERE id = {key}; ROLLBACK",
        f"BEGIN; DELETE FROM docs WHERE id = {key};"
        f"INSERT INTO docs VALUES ({key}, '', {chance.choice(['NULL', vector])}); COMMIT",
    ]
    database.execute(chance.choice(choices))


def test_what_is_written_meanwhile_is_in_the_archive_as_it_was_last(make: Make) -> None:
    """A log that the database itself writes says what each row had at the swap."""
    setup = """
    INSERT INTO docs SELECT n, repeat('x', 400), '[1,2,3,4]' FROM generate_series(1, 3000) AS n;
    """
    database = make(FOUR, THREE, setup, settings(strategy="online"))
    database.revise()
    is_over = threading.Event()
    errors: list[BaseException] = []
    done: list[int] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with scratch.connect(database.project.url) as own:
            mine = replace(database, connection=own)
            while not is_over.is_set():
                try:
                    written(mine, chance.randint(1, 3000), chance)
                    done.append(seed)
                except (psycopg.errors.DataException, psycopg.errors.DeadlockDetected):
                    own.execute("ROLLBACK")  # four dimensions no more
                except psycopg.Error as error:
                    # Two who put the same row in.
                    if error.diag.constraint_name != "docs_pkey":
                        errors.append(error)
                    own.execute("ROLLBACK")

    # Before the swap, from when on nobody writes: what everybody has then.
    at_swap: dict[Any, str | None] = {}

    def look() -> None:
        is_over.set()
        for thread in threads:
            thread.join(60)
        at_swap.update(database.vectors())

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    try:
        with before_statement(SWAP, look):
            database.project.upgrade()
    finally:
        is_over.set()
    assert errors == []
    assert len(done) > 100
    assert database.left_over() == []
    kept = database.vectors(ARCHIVE)
    assert {key: kept.get(key) for key in at_swap} == at_swap
    assert set(database.vectors().values()) == {None}
    database.project.downgrade("base")
    assert database.vectors() == at_swap


def test_a_row_that_moves_past_the_copy_is_kept(make: Make) -> None:
    """Its vector is not written, and it is on a page whose turn was over before it was there."""
    rows = "SELECT n, repeat('x', 800), '[0.1,2,3,4]' FROM generate_series(1, 900) AS n"
    database = make(FOUR, docs("HALFVEC(4)"), f"INSERT INTO docs {rows}", settings())
    database.revise()
    with scratch.connect(database.project.url) as writer:

        def hold() -> None:
            writer.execute("BEGIN; UPDATE docs SET body = repeat('y', 800) WHERE id = 5")
            thread.start()

        def let_go() -> None:
            soon(
                database,
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event = 'PgSleep'",
            )
            writer.execute("COMMIT")

        thread = threading.Thread(target=let_go)
        with before_statement(KEEP, hold):
            database.project.upgrade()
        thread.join(60)
    assert len(database.vectors(ARCHIVE)) == 900
    database.project.downgrade("base")
    assert set(database.vectors().values()) == {"[0.1,2,3,4]"}


EMBED = """
CREATE FUNCTION embed() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  NEW.embedding := array_fill(length(NEW.body)::real, ARRAY[4]); RETURN NEW;
EXCEPTION WHEN data_exception THEN NEW.embedding := NULL; RETURN NEW; END$$;
CREATE TRIGGER embed BEFORE INSERT OR UPDATE OF body ON docs FOR EACH ROW EXECUTE FUNCTION embed();
"""


@BOTH
def test_a_vector_that_a_trigger_writes_is_kept_as_it_was_last(make: Make, strategy: str) -> None:
    setup = f"INSERT INTO docs VALUES (1, 'a', '[1,1,1,1]'), (2, 'b', '[1,1,1,1]'); {EMBED}"
    database = make(FOUR, THREE, setup, settings(strategy=strategy))
    database.revise()
    at = FILL if strategy == "online" else "PERFORM pg_temp.fixup_take_down("
    with before_statement(
        at, lambda: database.execute("UPDATE docs SET body = 'abc' WHERE id = 1")
    ):
        database.project.upgrade()
    assert database.vectors(ARCHIVE) == {1: "[3,3,3,3]", 2: "[1,1,1,1]"}
    database.project.downgrade("base")
    assert database.vectors() == {1: "[3,3,3,3]", 2: "[1,1,1,1]"}


@pytest.mark.parametrize("value", ["'[9,9,9,9]'", "NULL"])
def test_a_snapshot_that_is_older_than_the_copy_is_no_way_round_it(make: Make, value: str) -> None:
    """Such a writer fails as one that cannot be serialised, and tries again."""
    database = make(FOUR, THREE, ROWS, settings(strategy="online"))
    database.revise()
    with scratch.connect(database.project.url) as writer:

        def begin() -> None:
            writer.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT")

        def write() -> None:
            with pytest.raises(psycopg.errors.SerializationFailure):
                writer.execute(f"UPDATE docs SET embedding = {value} WHERE id = 1")
            writer.execute("ROLLBACK")

        with before_statement(KEEP, begin), before_statement(START, write):
            database.project.upgrade()
    assert database.vectors(ARCHIVE) == VECTORS


@pytest.mark.parametrize(
    "at", [pytest.param(KEEP, marks=SLOW), FILL, pytest.param(CHECKS, marks=SLOW), SWAP]
)
def test_killed_midway_and_run_again_with_writes_between(make: Make, at: str) -> None:
    database = make(FOUR, THREE, ROWS, settings(strategy="online"))
    database.revise()
    database.stopped(at)
    assert database.vectors() == {**VECTORS, 3: None}
    database.execute(
        "UPDATE docs SET embedding = '[5,5,5,5]' WHERE id = 1;"
        "UPDATE docs SET id = 20 WHERE id = 2;"
        "INSERT INTO docs (id, embedding) VALUES (4, '[6,6,6,6]'), (2, NULL);"
        "UPDATE docs SET embedding = '[7,7,7,7]' WHERE id = 3"
    )
    now = database.vectors()
    database.project.upgrade()
    assert database.left_over() == []
    assert database.vectors(ARCHIVE) == {key: value for key, value in now.items() if value}
    assert database.is_converged()
    database.project.downgrade("base")
    assert database.vectors() == now


# What hangs on it


HANGING = """
CREATE ROLE {role};
ALTER TABLE docs ALTER embedding SET STORAGE MAIN, ALTER embedding SET STATISTICS 77;
GRANT SELECT (embedding), UPDATE (embedding) ON docs TO {role};
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO log VALUES (TG_OP); RETURN NULL; END$$;
CREATE TRIGGER say AFTER UPDATE OF embedding ON docs FOR EACH ROW
  WHEN (NEW.embedding IS NOT NULL) EXECUTE FUNCTION say();
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY near ON docs USING (vector_norm(embedding) < 10);
CREATE VIEW seen AS SELECT id, embedding <-> embedding AS distance FROM docs;
CREATE VIEW over AS SELECT distance FROM seen;
GRANT SELECT ON seen TO {role};
ALTER TABLE docs ADD CONSTRAINT known CHECK (vector_dims(embedding) > 1);
"""


@BOTH
def test_what_hangs_on_the_column_stays(make: Make, role: str, strategy: str) -> None:
    other = 'Column("other", VECTOR(4))'
    log = 'Table("log", metadata, Column("said", Text))'
    database = make(
        docs('VECTOR(4), comment="it\'s"', other, then=log),
        docs('VECTOR(3), comment="it\'s"', other, then=log),
        f"{SOME}; UPDATE docs SET other = '[1,2,3,4]'"
        + HANGING.replace("CREATE ROLE {role}", "").format(role=role),
        settings(strategy=strategy),
    )
    details = (
        "SELECT attstorage, attstattarget, attacl::text, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = 'docs'::regclass AND attname = 'embedding'"
    )
    before, was = database.snapshot(), database.rows(details)
    database.revise()
    database.project.upgrade()
    assert database.rows(details) == was
    assert database.values("SELECT other::text FROM docs") == ["[1,2,3,4]"] * 2
    assert database.values("SELECT said FROM log") == []
    database.execute("UPDATE docs SET embedding = '[1,1,1]' WHERE id = 1")
    assert database.values("SELECT said FROM log") == ["UPDATE"]
    assert sorted(database.values("SELECT distance FROM over"), key=str) == [0.0, None]
    assert database.is_converged()
    database.execute("UPDATE docs SET embedding = NULL; TRUNCATE log")
    database.project.downgrade("base")
    assert database.snapshot() == before
    database.execute("DROP POLICY near ON docs")


UNNAMED_EQUALS = {
    "trigger": "CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS"
    " $$BEGIN RETURN NULL; END$$;"
    "CREATE TRIGGER changed AFTER UPDATE ON docs FOR EACH ROW"
    " WHEN (OLD.embedding IS DISTINCT FROM NEW.embedding) EXECUTE FUNCTION say()",
    "view": "CREATE VIEW seen AS SELECT a.id, NULLIF(a.embedding, b.embedding) AS other,"
    " CASE a.embedding WHEN b.embedding THEN 1 END AS same"
    " FROM docs AS a JOIN docs AS b USING (embedding)"
    " WHERE a.embedding IS NOT DISTINCT FROM b.embedding",
    "policy": "ALTER TABLE docs ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY few ON docs USING (embedding IS DISTINCT FROM NULL)",
    "check": "ALTER TABLE docs ADD CHECK (embedding IS DISTINCT FROM embedding OR id > 0)",
    "index": "CREATE INDEX several ON docs (id) WHERE embedding IS DISTINCT FROM NULL",
}


@pytest.mark.parametrize("where", [*UNNAMED_EQUALS, "generated"])
@pytest.mark.parametrize("strategy", ["rewrite", pytest.param("online", marks=SLOW)])
def test_what_compares_without_naming_an_operator(make: Make, strategy: str, where: str) -> None:
    """PostgreSQL writes IS DISTINCT FROM without the schema of the operator that it stands for."""
    other = 'Column("one", Boolean, Computed("embedding IS DISTINCT FROM NULL", persisted=True))'
    rest = [other] if where == "generated" else []
    # online does no generated columns, nor such an index, which is built by a step of its own
    strategy = "auto" if where in ("generated", "index") else strategy
    database = make(
        docs("VECTOR(4)", *rest),
        docs("VECTOR(3)", *rest),
        SOME if rest else f"{SOME}; {UNNAMED_EQUALS[where]}",
        settings(strategy=strategy),
    )
    before = database.snapshot()
    assert [each.code for each in database.revise() if each.severity == "refused"] == []
    database.project.upgrade()
    assert database.type_of("embedding") == "vector(3)"
    assert database.is_converged()
    database.project.downgrade("base")
    assert database.snapshot() == before
    database.execute("DROP POLICY IF EXISTS few ON docs")


@pytest.mark.parametrize("data", ["truncate", "pad"])
def test_a_check_that_the_revision_takes_away_first_stops_nothing(make: Make, data: str) -> None:
    def models(size: int) -> str:
        checks = f"CheckConstraint('vector_dims(embedding) = {size}', name='size')"
        if size == 4:
            checks += ", CheckConstraint('embedding IS NOT NULL', name='there')"
        return docs(f"VECTOR({size})", checks)

    new = 3 if data == "truncate" else 6
    database = make(models(4), models(new), SOME, settings(data) + CHECKED)
    database.there_and_back()


def test_a_column_of_a_third_type_stops_both_ways(make: Make) -> None:
    database = make(FOUR, THREE, ROWS)
    database.revise()
    database.execute(
        "ALTER TABLE docs ALTER embedding TYPE vector(2) USING subvector(embedding, 1, 2)"
    )
    third = "docs.embedding is vector(2), and neither public.vector(4) nor public.vector(3)"
    assert third in database.refused_unchanged()
    database.project.stamp("head")
    third = "docs.embedding is vector(2), and neither public.vector(3) nor public.vector(4)"
    assert third in database.refused_unchanged("downgrade")
    assert database.vectors() == {1: "[1,2]", 2: "[0.1,0]", 3: None}


def test_operators_of_others_that_would_be_taken_stop_it(make: Make) -> None:
    database = make(
        FOUR,
        THREE,
        f"""{ROWS};
        CREATE VIEW seen AS SELECT embedding, id || 'a'::text AS named FROM docs;
        CREATE FUNCTION other(integer, text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'A'$$;
        CREATE OPERATOR || (LEFTARG = integer, RIGHTARG = text, FUNCTION = other);
        CREATE FUNCTION meet(integer[], integer[]) RETURNS boolean IMMUTABLE LANGUAGE sql
            AS $$SELECT false$$;
        CREATE OPERATOR && (LEFTARG = integer[], RIGHTARG = integer[], FUNCTION = meet)""",
    )
    database.revise()
    message = database.refused()
    assert "not as before the change of type, so nothing is changed: view public.seen" in message
    assert database.type_of() == "vector(4)"
    assert database.values("SELECT named FROM seen WHERE named LIKE '1%'") == ["1a"]


@pytest.mark.parametrize(
    "name, strategy", [("embedding", "rewrite"), pytest.param('The "E".', "online", marks=SLOW)]
)
def test_a_check_of_the_dimensions_changes_with_them(make: Make, name: str, strategy: str) -> None:
    """No row could satisfy it before the vectors change, nor the old one after."""
    quoted = '"' + name.replace('"', '""') + '"'

    def models(size: int) -> str:
        said = f"vector_dims({quoted}) = {size}"
        made = docs(f"VECTOR({size})", f"CheckConstraint({said!r}, name='size')")
        return made.replace('Column("embedding"', f"Column({name!r}")

    rows = SOME.replace("embedding", quoted)
    database = make(models(4), models(3), rows, settings(strategy=strategy) + CHECKED)
    before = database.snapshot()
    database.revise()
    database.project.upgrade()
    assert database.is_converged()
    database.execute(f"UPDATE docs SET {quoted} = '[1,1,1]' WHERE id = 1")
    database.execute(f"UPDATE docs SET {quoted} = NULL WHERE id = 1")
    database.project.downgrade("base")
    assert database.snapshot() == before


COPIES = """
Column("small", HALFVEC({0}), Computed("embedding::halfvec({0})", persisted=True),
       comment="a copy"),
Column("norm", REAL, Computed("vector_norm(embedding)", persisted=True)),
Column("many", VECTOR({0}), nullable=True)
"""


def test_generated_copies_of_the_vector_follow_its_dimension(make: Make) -> None:
    index = (
        'Index("docs_small", docs.c.small, postgresql_using="hnsw",'
        ' postgresql_ops={"small": "halfvec_l2_ops"})'
    )
    database = make(
        docs("VECTOR(4)", COPIES.format(4), then=index),
        docs("VECTOR(3)", COPIES.format(3), then=index),
        SOME,
    )
    before = database.snapshot()
    assert [each.code for each in database.revise() if each.severity == "refused"] == []
    database.project.upgrade()
    assert (database.type_of("small"), database.type_of("many")) == ("halfvec(3)", "vector(3)")
    database.execute("UPDATE docs SET embedding = '[3,4,0]' WHERE id = 1")
    assert database.rows("SELECT small::text, norm FROM docs WHERE id = 1") == [("[3,4,0]", 5.0)]
    assert database.is_converged()
    database.execute("UPDATE docs SET embedding = NULL")
    database.project.downgrade("base")
    assert database.snapshot() == before


# Roles


@pytest.fixture
def role(server: scratch.Server, connection: psycopg.Connection[tuple[Any, ...]]) -> Iterator[str]:
    """A role that may do nothing yet."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    connection.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    connection.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def as_owner(database: Database, role: str) -> None:
    """From here on the role, which owns the table, migrates."""
    database.execute(f"GRANT ALL ON SCHEMA public TO {role}; ALTER TABLE docs OWNER TO {role}")
    database.project = replace(database.project, url=database.project.url.set(username=role))


@BOTH
def test_the_owner_of_the_table_is_enough_and_nobody_else_gets_the_archive(
    make: Make, role: str, strategy: str
) -> None:
    database = make(FOUR, THREE, ROWS, settings(strategy=strategy))
    as_owner(database, role)
    database.execute(
        f"CREATE ROLE {role}_writer; GRANT {role}_writer TO postgres;"
        f"GRANT ALL ON docs TO {role}_writer;"
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT ALL ON TABLES TO {role}_writer, PUBLIC"
    )
    try:
        database.revise()
        with before_statement(
            KEEP,
            lambda: database.execute(
                f"SET ROLE {role}_writer; UPDATE docs SET embedding = '[2,2,2,2]' WHERE id = 1;"
                "RESET ROLE"
            ),
        ):
            database.project.upgrade()
        assert database.vectors(ARCHIVE) == {**VECTORS, 1: "[2,2,2,2]"}
        archive = database.named(ARCHIVE)
        grantees = (
            "SELECT DISTINCT grantee::regrole::text FROM pg_class, aclexplode(relacl)"
            f" WHERE oid = '{archive}'::regclass"
        )
        assert database.values(grantees) == [role]
        database.execute("UPDATE docs SET embedding = '[7,7,7]' WHERE id = 1")
        database.project.downgrade("base")
        assert database.values(grantees.replace(archive, database.named(OF_NEW))) == [role]
    finally:
        database.execute(f"DROP OWNED BY {role}_writer; DROP ROLE {role}_writer")


@BOTH
def test_row_level_security_that_hides_rows_from_the_role_stops_it(
    make: Make, role: str, strategy: str
) -> None:
    database = make(FOUR, THREE, ROWS, settings(strategy=strategy))
    as_owner(database, role)
    database.revise()
    hides = "row level security hides rows of docs from the role"
    database.execute(
        "CREATE POLICY later ON docs USING (id > 1);"
        "ALTER TABLE docs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    )
    message = database.refused()
    assert f"{hides} {role}: take one that has BYPASSRLS" in message
    assert database.vectors() == {**VECTORS, 3: None}
    database.execute("ALTER TABLE docs NO FORCE ROW LEVEL SECURITY")
    database.project.upgrade()
    database.execute("ALTER TABLE docs FORCE ROW LEVEL SECURITY")
    assert hides in database.refused("downgrade")
    assert database.vectors(ARCHIVE) == VECTORS


# The extension, other schemas, other operations


ELSEWHERE = """
from sqlalchemy.types import UserDefinedType
class V(UserDefinedType):
    cache_ok = True
    def __init__(self, spec): self.spec = spec
    def get_col_spec(self, **kw): return self.spec
metadata = MetaData()
event.listen(metadata, "before_create", DDL('CREATE SCHEMA IF NOT EXISTS "Ext 1"'))
event.listen(metadata, "before_create", DDL('CREATE EXTENSION vector SCHEMA "Ext 1"'))
Table("docs", metadata, Column("id", Integer, primary_key=True),
      *(Column(f"c{number}", ARRAY(REAL) if spec == "real[]" else V(f'"Ext 1".{spec}'))
        for number, spec in enumerate(%r)))
"""


@BOTH
def test_the_extension_in_a_schema_that_is_not_on_the_search_path(
    make: Make, strategy: str
) -> None:
    kinds = {
        "archive": ("vector(4)", "vector(3)"),
        "truncate": ("vector(4)", "halfvec(2)"),
        "pad": ("halfvec(2)", "vector(3)"),
        "lossy": ("vector(2)", "halfvec(2)"),
        "array": ("real[]", "vector(2)"),
        "sparse": ("vector(2)", "sparsevec(2)"),
    }
    values = ["[1,2,3,4]", "[1,2,3,4]", "[1,2]", "[0.1,2]", "{1,2}", "[-0,1]"]
    head = "from sqlalchemy.dialects.postgresql import REAL\n" + ELSEWHERE
    database = make(
        head % [old for old, _ in kinds.values()],
        head % [new for _, new in kinds.values()],
        f"INSERT INTO docs VALUES (1, {', '.join(map(repr, values))}); INSERT INTO docs VALUES (2)",
        settings(
            strategy=strategy,
            **{
                f"docs.c{number}": f"data = '{data}'"
                for number, data in enumerate(kinds)
                if data in ("truncate", "pad")
            },
        ),
    )
    database.there_and_back()


def test_a_table_that_moves_to_another_schema_changes_with_the_next_revision(make: Make) -> None:
    prefix = "[tool.alembic-fixups.schema-prefix]\nschema = 'app'\nmove-from = ['public']\n"
    columns = settings("truncate", **{"app.docs.embedding": "data = 'archive'"})
    database = make(FOUR, THREE, ROWS, prefix + columns)
    found = database.revise()
    [finding] = [each for each in found if each.fixup == "vector-dimension"]
    assert (finding.code, finding.severity) == ("moves", "refused")
    assert "with the next autogenerate" in finding.message
    database.project.upgrade()
    assert database.type_of(table="app.docs") == "vector(4)"
    assert database.revise() != []
    database.project.upgrade()
    assert database.type_of(table="app.docs") == "vector(3)"
    assert database.vectors(f"app.{ARCHIVE}") == VECTORS
    assert database.is_converged()
    database.project.downgrade("base")
    assert database.vectors() == {**VECTORS, 3: None}


@pytest.mark.parametrize(
    ("before", "after", "data"),
    [
        (FILLED, docs("VECTOR(3)"), "archive"),
        (docs("VECTOR(4)"), FILLED_THREE, "reembed"),
        pytest.param(FILLED, docs("HALFVEC(2)"), "truncate", marks=SLOW),
        (FOUR, docs("VECTOR(3)", 'Column("more", HALFVEC(7))', 'Column("b", BIT(3))'), "archive"),
        (docs("VECTOR(4)", 'Column("gone", SPARSEVEC(7))'), THREE, "archive"),
        pytest.param(
            FOUR,
            THREE + 'Table("more", metadata, Column("v", VECTOR(2)))',
            "archive",
            marks=SLOW,
        ),
    ],
    ids=["null", "not-null", "null-and-type", "new", "dropped", "table"],
)
def test_alembics_own_operations_in_the_same_revision(
    make: Make, before: str, after: str, data: str
) -> None:
    database = make(before, after, SOME, reembed() if data == "reembed" else settings(data))
    database.there_and_back()


NOTHING = docs(
    "VECTOR(4)",
    'Column("h", HALFVEC(3))',
    'Column("s", SPARSEVEC(5))',
    'Column("b", BIT(7))',
    'Column("u", VECTOR())',
    'Column("n", ARRAY(REAL))',
    'Column("flags", postgresql.BIT(3))',
)


def test_vectors_that_agree_give_an_empty_revision(make: Make) -> None:
    database = make(NOTHING, NOTHING)
    assert database.revise() == []
    assert "op." not in database.source.split("def upgrade")[1]


def test_flags_are_left_to_alembic(make: Make) -> None:
    after = NOTHING.replace("postgresql.BIT(3)", "postgresql.BIT(4)")
    database = make(NOTHING, after, "INSERT INTO docs (id, flags) VALUES (1, '101')")
    assert database.revise() == []
    assert "op.alter_column('docs', 'flags'" in database.source
    assert "vector-dimension" not in database.source


# Settings


def said(database: Database, toml: str) -> str:
    """The message with which autogenerate stops under these settings."""
    database.project.settings(toml)
    with pytest.raises(CommandError) as caught:
        database.revise()
    return str(caught.value).partition("pyproject.toml:")[2]


def test_settings_that_are_wrong_are_named_with_their_line(make: Make) -> None:
    database = make(FOUR, THREE)
    assert said(database, settings("reembed")).startswith(
        '1: vector-dimension.columns."public.docs.embedding": data = "reembed" needs source and'
    )
    assert said(database, settings("drop")) == (
        "2: vector-dimension.data has to be 'archive', 'reembed', 'truncate', 'pad' or 'clear'"
    )


def test_settings_of_a_column_that_are_wrong_are_named_with_their_line(make: Make) -> None:
    database = make(FOUR, THREE)
    wrong = {
        "data = 'reembed'": "4: .* needs source and embedder",
        "data = 'x'": "5: .*data has to be 'archive', 'reembed', 'truncate', 'pad' or 'clear'",
        "embedder = 'app.embed'": "5: .*write the module and the function",
        "batch = 0": "5: .*1 row at least",
        "batch = true": "5: .*whole number",
        "dimensions = '3'": "5: .*whole number",
        "dimensions = 3.0": "5: .*whole number",
        "embedder = 'app.embed:embed'": '4: .*source and embedder are for data = "reembed"',
        "column = 'x'": "5: unknown key 'column'",
    }
    for toml, message in wrong.items():
        assert re.match(message, said(database, settings(**{"docs.embedding": toml})))
    assert said(database, settings(**{"docs.embeding": "batch = 1"})).endswith(
        "the models have no such column; did you mean 'docs.embedding'?"
    )
    twice = {"docs.embedding": "data = 'archive'", "public.docs.embedding": "data = 'clear'"}
    assert said(database, settings(**twice)) == (
        '6: vector-dimension.columns."public.docs.embedding": this is the column docs.embedding '
        "again. Say all of it in one table"
    )
    assert said(database, settings(**{"docs.body": "data = 'clear'"})) == (
        '4: vector-dimension.columns."docs.body": the column holds no vectors in the models. Give '
        "it a type of pgvector's first, as in Vector(1024)"
    )


@pytest.mark.parametrize(
    "source, problem",
    [
        ("SELECT id, bdy FROM docs", 'column "bdy" does not exist'),
        ("SELECT id, body FROM docs; -- all", 'syntax error at or near ";"'),
        ("SELECT body FROM docs", "it gives 1 column(s), and has to give 2: id, a text"),
        ("SELECT id, body || ' 100% :x $1' FROM docs WHERE id % 2 = 0 -- half", None),
    ],
)
def test_a_source_that_is_no_good_is_told_before_the_upgrade(
    make: Make, source: str, problem: str | None
) -> None:
    toml = f"data = 'reembed'\nsource = '''{source}'''\nembedder = 'app:embed'"
    database = make(FOUR, THREE, toml=settings(**{"docs.embedding": toml}))
    told = [each.message for each in database.revise() if each.code == "source"]
    assert [problem in message for message in told if problem] == [True] * bool(problem)
    database.project.upgrade()


def test_what_cannot_be_cut_or_padded_stays(make: Make) -> None:
    database = make(FOUR, THREE, ROWS)
    wrong = [
        ("truncate", "VECTOR(5)", "nothing to cut from vector(4) to vector(5)"),
        ("pad", "VECTOR(3)", "zeros do not make vector(3) of vector(4)"),
        ("truncate", "BIT(4)", "nothing to cut from vector(4) to bit(4)"),
        ("pad", "SPARSEVEC(20000)", "at most 16000 dimensions"),
    ]
    for data, after, message in wrong:
        database.project.settings(settings(data))
        database.project.models(docs(after))
        with collect_runs() as runs:
            source = database.project.autogenerate_source()
        [finding] = runs[0].findings
        assert (finding.code, finding.severity) == (data, "refused")
        assert message in finding.message
        assert "op." not in source
