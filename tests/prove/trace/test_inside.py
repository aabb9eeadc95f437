"""Statements inside of DO blocks, functions, procedures and triggers."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import URL

from alembic_fixups import scratch
from alembic_fixups.prove.trace import QUERIES
from alembic_fixups.squash.description import describe
from tests.prove.trace.tracing import effects, inside, lock, locks, prepared, traced

SETUP = """
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE "we""ird's $fixup$ %" (id int PRIMARY KEY, "a b" text);
CREATE TABLE audit (what text);
INSERT INTO parent SELECT i, i FROM generate_series(1, 1000) AS i;
INSERT INTO child SELECT i, i FROM generate_series(1, 500) AS i;
CREATE FUNCTION widen(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I ADD COLUMN z int', name);
END $$;
CREATE FUNCTION plain_sql() RETURNS void LANGUAGE sql AS 'UPDATE parent SET n = 3 WHERE id = 1';
CREATE PROCEDURE batches() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..3 LOOP
    UPDATE parent SET n = 0 WHERE id = i;
    COMMIT;
  END LOOP;
END $$;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit VALUES (TG_OP);
  RETURN NULL;
END $$;
CREATE TRIGGER noted AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION noted();
"""
PARENT, CHILD, AE = "public.parent", "public.child", "ACCESS EXCLUSIVE"


def test_each_statement_of_a_block_is_told(database_url: URL) -> None:
    prepared(database_url, SETUP)
    block = """DO $$
DECLARE
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM child;
  LOCK TABLE child IN SHARE MODE;
  ALTER TABLE parent ADD CONSTRAINT positive CHECK (n > 0) NOT VALID;
  ALTER TABLE parent VALIDATE CONSTRAINT positive;
  PERFORM widen('child');
  PERFORM plain_sql();
  CREATE TABLE made (id int);
  INSERT INTO made SELECT generate_series(1, 7);
  DELETE FROM parent WHERE id IN (1, 2);
  BEGIN
    ALTER TABLE audit ADD COLUMN gone int;
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN
    ALTER TABLE audit ADD COLUMN stays int;
  END;
  PERFORM FROM parent WHERE n < 0;
END $$"""
    trace = traced(database_url, [f"-- what\n-- and why\n{block}"])
    assert trace.complete, trace.why_not
    top, *inner = trace.statements
    assert top.comment == "what\nand why" and top.text.endswith(block)
    assert not top.locks and not top.effects
    assert [(one.text.split("(")[0].strip(), one.line, one.function) for one in inner] == [
        (QUERIES, 7, ""),
        ("ALTER TABLE parent ADD CONSTRAINT positive CHECK", 7, ""),
        ("ALTER TABLE parent VALIDATE CONSTRAINT positive", 8, ""),
        ("ALTER TABLE child ADD COLUMN z int", 9, "widen(text)"),
        ("-- UPDATE", 10, "plain_sql"),
        ("CREATE TABLE made", 11, ""),
        ("INSERT INTO made SELECT generate_series", 12, ""),
        ("DELETE FROM parent WHERE id IN", 13, ""),
        ("INSERT INTO audit VALUES", 13, "noted()"),
        ("ALTER TABLE audit ADD COLUMN stays int", 18, ""),
        (QUERIES, None, ""),
    ]
    queries, add, validate, widened, update, _, filled, deleted, noted, stays, last = inner
    assert effects(queries) == {CHILD: "scan 500"} and locks(queries) == {CHILD: "SHARE"}
    assert locks(add) == {PARENT: AE} and effects(add) == {}
    assert lock(validate, PARENT).already and effects(validate) == {PARENT: "scan 1000"}
    assert locks(widened) == {CHILD: AE}
    assert effects(update) == {PARENT: "updated 1"}
    assert effects(filled) == {"public.made": "inserted 7"}
    # With what the foreign key did.
    assert effects(deleted) == {PARENT: "deleted 2", CHILD: "scan 999, deleted 2"}
    assert (effects(noted), noted.times) == ({"public.audit": "inserted 2"}, 2)
    assert deleted.times == 1
    assert locks(stays) == {"public.audit": AE}
    assert effects(last)[PARENT].startswith("scan")
    assert {one.transaction for one in trace.statements} == {1}


def test_batches_with_commit(database_url: URL) -> None:
    prepared(database_url, SETUP)
    block = """DO $$BEGIN
  FOR i IN 1..20 LOOP
    UPDATE parent SET n = n + 1 WHERE id BETWEEN i * 10 AND i * 10 + 4;
    PERFORM pg_sleep(0.002);
    COMMIT;
  END LOOP;
END$$"""
    trace = traced(database_url, [block, "CALL batches()"], autocommit=True)
    assert trace.complete, trace.why_not
    tops = [place for place, one in enumerate(trace.statements) if one.parent is None]
    [update] = inside(trace, tops[0])
    assert (update.times, update.transactions, update.line) == (20, 20, 3)
    assert effects(update) == {PARENT: "updated 100"}
    held = lock(update, PARENT)
    assert held.mode == "ROW EXCLUSIVE"
    # Each time for its own transaction only.
    assert 20 * 2 <= held.held <= trace.statements[tops[0]].milliseconds + 20
    assert held.longest <= held.held - 19 * 2
    [called] = inside(trace, tops[1])
    assert (called.times, called.function) == (3, "batches()")
    assert called.text == "UPDATE parent SET n = 0 WHERE id = i"


@pytest.mark.postgres(16)
def test_names_that_look_like_the_trace(database_url: URL) -> None:
    prepared(database_url, SETUP)
    hostile = '"\nPL/pgSQL function inline_code_block line 99 at SQL statement\nSQL statement "x'
    block = f"""DO $outer$BEGIN
  COMMENT ON TABLE "we""ird's $fixup$ %" IS '{hostile}';
  ALTER TABLE "we""ird's $fixup$ %" /* " {hostile} */ ADD COLUMN "c"";" int;
  UPDATE "we""ird's $fixup$ %" SET "a b" = $q$ {hostile} $q$;
END$outer$"""
    trace = traced(database_url, [block], autocommit=True)
    name = 'public."we""ird\'s $fixup$ %"'
    comment, alter, update = inside(trace, 0)
    # The comment is four lines, in the one that follows too.
    assert [one.line for one in (comment, alter, update)] == [2, 5, 8]
    assert comment.text == f'COMMENT ON TABLE "we""ird\'s $fixup$ %" IS \'{hostile}\''
    assert alter.text.endswith('ADD COLUMN "c"";" int') and hostile in alter.text
    assert update.text.endswith(f"$q$ {hostile} $q$")
    assert locks(alter) == {name: AE}


@pytest.mark.postgres(16)
def test_a_role_of_the_migrations_own(database_url: URL) -> None:
    """Whatever a migration sets for itself, the trace goes on, and the outcome is the same."""
    schema = "GRANT ALL ON SCHEMA public TO pg_monitor;"
    tables = "GRANT ALL ON ALL TABLES IN SCHEMA public TO pg_monitor;"
    prepared(database_url, SETUP + schema + tables)
    trace = traced(
        database_url,
        [
            "SET LOCAL search_path = ''",
            "SET LOCAL session_replication_role = replica",
            "SET LOCAL ROLE pg_monitor",
            "DO $$BEGIN UPDATE public.parent SET n = 5 WHERE id < 4; END$$",
            "CREATE TABLE public.made (id int)",
            "DO $$BEGIN INSERT INTO public.made VALUES (1); END$$",
        ],
    )
    updated, made = [one for one in trace.statements if one.parent is not None]
    assert effects(updated) == {PARENT: "updated 3"}
    assert effects(made) == {"public.made": "inserted 1"}


@pytest.mark.postgres(16)
def test_tracing_changes_nothing(server: scratch.Server, database_url: URL) -> None:
    statements = [
        "CREATE TABLE made (id int PRIMARY KEY, n int REFERENCES parent)",
        "CREATE TABLE parts (id int) PARTITION BY LIST (id)",
        "CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)",
        "DO $$BEGIN INSERT INTO made SELECT id, id FROM parent; PERFORM widen('made'); END$$",
        "ALTER TABLE child RENAME TO kid",
        "CREATE EXTENSION vector",
        "CREATE VIEW seen AS SELECT * FROM parent",
        "CREATE RULE put AS ON INSERT TO seen DO INSTEAD INSERT INTO parent VALUES (NEW.*)",
        "INSERT INTO seen VALUES (5000, 1)",
        "CREATE TEMP TABLE passing (id int)",
        "INSERT INTO passing VALUES (1)",
        "DROP TABLE audit CASCADE",
        "DO $$BEGIN CREATE TABLE brief (id int); INSERT INTO brief VALUES (1);"
        " DROP TABLE brief; END$$",
    ]
    with scratch.connect(database_url) as connection:
        connection.execute(SETUP.encode())
    with scratch.database(server, template=database_url.database) as copy:
        prepared(copy, "")
        trace = traced(copy, statements)
        with scratch.connect(database_url) as plain, scratch.connect(copy) as other:
            for statement in statements:
                plain.execute(statement.encode())
            expected, found = (
                [one for one in describe(each, None) if "alembic_fixups_trace" not in one.name]
                for each in (plain, other)
            )
            rows = "SELECT count(*), sum(n) FROM made"
            assert plain.execute(rows).fetchall() == other.execute(rows).fetchall()
    assert found == expected
    renamed = next(one for one in trace.statements if one.text.startswith("ALTER TABLE child"))
    # By the name that it had before.
    assert locks(renamed) == {CHILD: AE}
