"""Locks, scans, rewrites and rows of statements, as PostgreSQL says that they are."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import URL

from alembic_fixups import scratch
from alembic_fixups.prove.trace import Recorder, blocks
from tests.prove.trace.tracing import effects, inside, lock, locks, prepared, recorded, traced

SETUP = """
CREATE TABLE parent (id int PRIMARY KEY, n int, t text);
CREATE TABLE child (id int PRIMARY KEY, parent int);
CREATE TABLE audit (what text);
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM child;
INSERT INTO parent SELECT i, i, i FROM generate_series(1, 1000) AS i;
INSERT INTO child SELECT i, i FROM generate_series(1, 500) AS i;
CREATE TABLE measured (at int, v int) PARTITION BY RANGE (at);
CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM (0) TO (100);
CREATE TABLE measured_2 PARTITION OF measured FOR VALUES FROM (100) TO (200);
"""

PARENT, CHILD = "public.parent", "public.child"
AE, SUE, SRE = "ACCESS EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE ROW EXCLUSIVE"

# Statement, locks, effects: manual, 13.3.1, and the notes of each command.
EXPECTED: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("ALTER TABLE parent ADD COLUMN a int", {PARENT: AE}, {}),
    ("ALTER TABLE parent ADD COLUMN b int DEFAULT 7", {PARENT: AE}, {}),
    (
        "ALTER TABLE parent ADD COLUMN c float DEFAULT random()",
        {PARENT: AE},
        # Once to be written anew, once for the index of its key.
        {PARENT: "scan 2000, rewritten"},
    ),
    ("ALTER TABLE parent ALTER n TYPE bigint", {PARENT: AE}, {PARENT: "scan 2000, rewritten"}),
    ("ALTER TABLE parent ALTER t TYPE varchar", {PARENT: AE}, {}),
    ("ALTER TABLE parent ADD CHECK (n > 0)", {PARENT: AE}, {PARENT: "scan 1000"}),
    ("ALTER TABLE parent ADD CONSTRAINT later CHECK (id > 0) NOT VALID", {PARENT: AE}, {}),
    ("ALTER TABLE parent VALIDATE CONSTRAINT later", {PARENT: SUE}, {PARENT: "scan 1000"}),
    ("ALTER TABLE parent ALTER n SET NOT NULL", {PARENT: AE}, {PARENT: "scan 1000"}),
    (
        "ALTER TABLE child ADD CONSTRAINT f FOREIGN KEY (parent) REFERENCES parent NOT VALID",
        {PARENT: SRE, CHILD: SRE},
        {},
    ),
    ("CREATE INDEX by_n ON parent (n)", {PARENT: "SHARE"}, {PARENT: "scan 1000"}),
    ("DROP INDEX by_n", {PARENT: AE}, {}),
    ("COMMENT ON TABLE parent IS '100%: ''quoted'''", {PARENT: SUE}, {}),
    ("GRANT SELECT ON parent TO PUBLIC", {}, {}),
    ("LOCK TABLE parent IN EXCLUSIVE MODE", {PARENT: "EXCLUSIVE"}, {}),
    ("SELECT count(*) FROM parent", {PARENT: "ACCESS SHARE"}, {PARENT: "scan 1000"}),
    (
        "UPDATE parent SET n = n + 1 WHERE n + 0 <= 10",
        {PARENT: "ROW EXCLUSIVE"},
        {PARENT: "scan 1000, updated 10"},
    ),
    (
        "INSERT INTO parent VALUES (1, 1), (2000, 1) ON CONFLICT (id) DO UPDATE SET n = 5",
        {PARENT: "ROW EXCLUSIVE"},
        {PARENT: "inserted 1, updated 1"},
    ),
    (
        "REFRESH MATERIALIZED VIEW counted",
        {"public.counted": AE, CHILD: "ACCESS SHARE"},
        {"public.counted": "rewritten, inserted 1", CHILD: "scan 500"},
    ),
    (
        "CREATE UNIQUE INDEX one ON counted (count)",
        {"public.counted": "SHARE"},
        {"public.counted": "scan 1"},
    ),
    (
        "REFRESH MATERIALIZED VIEW CONCURRENTLY counted",
        {"public.counted": "EXCLUSIVE", CHILD: "ACCESS SHARE"},
        {"public.counted": "scan 2", CHILD: "scan 500"},
    ),
    ("TRUNCATE child", {CHILD: AE}, {CHILD: "rewritten"}),
    ("CREATE TABLE made (id int PRIMARY KEY, p int REFERENCES parent)", {PARENT: SRE}, {}),
    ("CREATE TABLE copied AS SELECT * FROM parent", {PARENT: "ACCESS SHARE"}, {}),
    ("DROP TABLE child CASCADE", {CHILD: AE, PARENT: AE, "public.counted": AE}, {}),
]  # fmt: skip

# What cannot be looked at in its own transaction.
CONCURRENT: list[tuple[str, dict[str, str], str]] = [
    ("CREATE INDEX CONCURRENTLY by_n ON parent (n)", {PARENT: SUE}, "scan 2000"),
    ("/* DROP */ REINDEX INDEX CONCURRENTLY by_n", {PARENT: SUE}, "scan 2000"),
    ("-- it goes\nDROP INDEX CONCURRENTLY by_n", {PARENT: SUE}, ""),
    ("VACUUM parent", {PARENT: SUE}, ""),
    ("VACUUM FULL parent", {PARENT: AE}, "scan 2000, rewritten"),
]


def _without_reads(found: dict[str, str]) -> dict[str, str]:
    return {relation: words for relation, words in found.items() if words}


@pytest.mark.parametrize("autocommit", [False, True], ids=["transactions", "autocommit"])
def test_what_statements_lock_and_do(database_url: URL, autocommit: bool) -> None:
    prepared(database_url, SETUP)

    def run(connection):  # type: ignore[no-untyped-def]
        for statement, _, _ in EXPECTED:
            connection.exec_driver_sql(statement.replace("%", "%%"))
            if not autocommit:
                connection.commit()

    trace = recorded(database_url, run, autocommit=autocommit)
    assert trace.complete, trace.why_not
    found = {statement.text: statement for statement in trace.statements}
    for statement, locked, done in EXPECTED:
        if not locked:
            # From 18 on GRANT has a look at the table.
            assert set(locks(found[statement]).values()) <= {"ACCESS SHARE"}
            continue
        traced_one = found[statement]
        assert locks(traced_one) == locked, statement
        read = _without_reads(effects(traced_one))
        read = {relation: words for relation, words in read.items() if "made" not in relation}
        if not statement.startswith("CREATE TABLE"):
            assert read == done, statement
        assert traced_one.block is not autocommit
        for one in traced_one.locks:
            # It holds its lock as long as it takes, and not much longer.
            assert traced_one.milliseconds * 0.9 <= one.held <= traced_one.milliseconds + 20
    assert len({statement.transaction for statement in trace.statements}) == len(trace.statements)
    assert trace.tables()[0].mode == AE


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_what_runs_in_no_transaction_is_seen_from_outside(database_url: URL, driver: str) -> None:
    prepared(database_url, SETUP)
    trace = traced(
        database_url,
        [*(statement for statement, _, _ in CONCURRENT),
         "ALTER TABLE measured DETACH PARTITION measured_1 CONCURRENTLY"],
        autocommit=True,
        driver=driver,
    )  # fmt: skip
    assert trace.complete, trace.why_not
    assert len(trace.statements) == len(CONCURRENT) + 1
    for statement, (text, locked, done) in zip(trace.statements, CONCURRENT, strict=False):
        assert statement.text == text
        assert locks(statement) == locked, text
        assert effects(statement).get(PARENT, "") == done, text
    assert trace.statements[2].comment == "it goes"
    assert locks(trace.statements[-1]) == {"public.measured": SUE, "public.measured_1": AE}


@pytest.mark.postgres(16)
@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
def test_the_other_drivers(database_url: URL, driver: str) -> None:
    prepared(database_url, SETUP)
    block = "DO $$BEGIN ALTER TABLE parent ADD CHECK (n > 0); END$$"
    statements = [
        "ALTER TABLE parent ALTER n TYPE bigint",
        "UPDATE parent SET n = 1 WHERE t LIKE '1%'",
        block,
    ]
    trace = traced(database_url, statements, driver=driver)
    change, update, _, check = trace.statements
    assert effects(change) == {PARENT: "scan 2000, rewritten"}
    assert update.text == statements[1]
    assert effects(update) == {PARENT: "scan 1000, updated 112"}
    assert lock(update, PARENT).already
    assert check.text == "ALTER TABLE parent ADD CHECK (n > 0)"
    assert {statement.transaction for statement in trace.statements} == {1}
    trace = traced(database_url, [block], driver=driver, autocommit=True)
    assert [locks(statement) for statement in trace.statements] == [{}, {PARENT: AE}]


@pytest.mark.postgres(16)
def test_a_lock_is_held_until_the_transaction_ends(database_url: URL) -> None:
    prepared(database_url, SETUP)
    trace = traced(
        database_url,
        [
            "SET LOCAL lock_timeout = '5s'",
            "ALTER TABLE parent ADD COLUMN a int",
            "SELECT pg_sleep(0.2)",
            "ALTER TABLE parent ADD COLUMN b int",
            "CREATE TABLE made (id int)",
            "ALTER TABLE made ADD COLUMN p int",
        ],
    )
    setting, first, second, made, changed = trace.statements
    assert setting.transaction == first.transaction == 1
    assert lock(first, PARENT).held >= 200 > first.milliseconds
    assert lock(second, PARENT).already
    assert lock(made, "public.made").new and lock(changed, "public.made").new
    [table] = trace.tables()
    assert (table.relation, table.mode, table.blocks) == (PARENT, AE, "reads and writes")
    assert trace.statements[table.statement] == first and table.held == lock(first, PARENT).held


@pytest.mark.postgres(16)
def test_what_fails_and_what_is_rolled_back(database_url: URL) -> None:
    prepared(database_url, SETUP)

    def run(connection):  # type: ignore[no-untyped-def]
        for statement in ("SELECT 1 / 0 FROM parent", "ALTER TABLE nowhere ADD COLUMN a int"):
            with pytest.raises(Exception, match=r"division|nowhere"):
                connection.exec_driver_sql(statement)
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("ALTER TABLE parent ALTER n TYPE bigint")
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("ALTER TABLE parent ADD COLUMN a int")

    trace = recorded(database_url, run, autocommit=True)
    found = [one for one in trace.statements if one.locks]
    assert [(one.text.split()[3], one.block) for one in found] == [("ALTER", True), ("ADD", False)]
    assert effects(found[1]) == {}


@pytest.mark.postgres(16)
def test_what_a_trace_does_not_know_it_says(database_url: URL) -> None:
    prepared(database_url, SETUP)

    def run(connection):  # type: ignore[no-untyped-def]
        connection.exec_driver_sql("ALTER TABLE parent ADD COLUMN a int")
        connection.connection.cursor().execute("ALTER TABLE parent ADD COLUMN b int")
        connection.exec_driver_sql("ALTER TABLE parent ADD COLUMN c int")

    trace = recorded(database_url, run)
    assert not trace.complete and "past SQLAlchemy" in trace.why_not


@pytest.mark.postgres(16)
def test_without_a_superuser_whole_statements_are_traced(
    database_url: URL, server: scratch.Server
) -> None:
    with scratch.connect(database_url) as connection:
        connection.execute("CREATE ROLE plain LOGIN; GRANT CREATE ON SCHEMA public TO plain")
    try:
        plain = database_url.set(username="plain")
        with scratch.connect(plain) as connection:
            from alembic_fixups.prove.trace import install

            connection.execute(SETUP.encode())
            assert install(connection) is False
        block = "DO $$BEGIN ALTER TABLE parent ADD CHECK (n > 0); END$$"
        statements = [block, "CREATE INDEX CONCURRENTLY by_n ON parent (n)"]
        trace = traced(plain, statements, autocommit=True)
        assert not trace.complete and "superuser" in trace.why_not
        assert [locks(one) for one in trace.statements] == [{PARENT: AE}, {PARENT: SUE}]
        assert effects(trace.statements[0]) == {PARENT: "scan 1000"}
    finally:
        with scratch.connect(database_url) as connection:
            connection.execute("DROP OWNED BY plain; DROP ROLE plain")


@pytest.mark.postgres(16)
def test_what_is_alembics_own_is_left_out(database_url: URL) -> None:
    prepared(database_url, SETUP)
    statements = [
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "SELECT relname FROM pg_class WHERE relname = 'alembic_version'",
        "INSERT INTO alembic_version VALUES ('a')",
        "DROP TABLE audit",
    ]
    trace = traced(database_url, statements)
    assert [one.text for one in trace.statements] == ["DROP TABLE audit"]
    other = traced(
        database_url,
        ["INSERT INTO alembic_version VALUES ('b')"],
        recorder=Recorder(database_url, "revisions"),
    )
    assert len(other.statements) == 1


@pytest.mark.postgres(16)
def test_blocks_is_what_the_server_does(database_url: URL) -> None:
    """The table of the manual, tried."""
    prepared(database_url, SETUP)
    uses = {
        "reads": "SELECT FROM parent LIMIT 1",
        "row locks": "SELECT FROM parent WHERE id = 1 FOR UPDATE",
        "writes": "UPDATE parent SET n = 1 WHERE id = 1",
    }
    said = {
        frozenset(): "only DDL",
        frozenset({"writes"}): "writes",
        frozenset({"writes", "row locks"}): "writes and row locks",
        frozenset({"reads", "writes", "row locks"}): "reads and writes",
    }
    with scratch.connect(database_url) as holder, scratch.connect(database_url) as user:
        user.execute("SET lock_timeout = '20ms'")
        for mode in ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", SUE, "SHARE", SRE, "EXCLUSIVE",
                     AE):  # fmt: skip
            holder.execute(f"BEGIN; LOCK TABLE parent IN {mode} MODE".encode())
            blocked = set()
            for name, use in uses.items():
                try:
                    user.execute(use.encode())
                except Exception:
                    blocked.add(name)
            holder.execute("ROLLBACK")
            assert blocks(mode) == said[frozenset(blocked)], mode


def test_several_statements_sent_together(database_url: URL) -> None:
    prepared(database_url, SETUP)
    trace = traced(
        database_url,
        ["ALTER TABLE parent ADD COLUMN a int; -- then; this\nCREATE INDEX by_a ON parent (a);"
         "UPDATE child SET parent = 1 WHERE id < 3; DROP INDEX by_a"],
    )  # fmt: skip
    assert [one.text for one in inside(trace, 0)] == [
        "ALTER TABLE parent ADD COLUMN a int",
        "-- then; this\nCREATE INDEX by_a ON parent (a)",
        "UPDATE child SET parent = 1 WHERE id < 3",
        "DROP INDEX by_a",
    ]
    add, index, update, _ = inside(trace, 0)
    assert locks(add) == {PARENT: AE}
    assert effects(index) == {PARENT: "scan 1000"}
    assert effects(update) == {CHILD: "updated 2"}
