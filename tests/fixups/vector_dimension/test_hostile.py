"""What goes on around a change of vectors: writes past the archive, stopped and refused runs."""

from __future__ import annotations

import pytest

from tests.fixups.vector_dimension.cases import HEAD
from tests.fixups.vector_dimension.converting import (
    KEEP,
    SWAP,
    Make,
    before_statement,
    docs,
    make,
    settings,
)

__all__ = ["make"]

pytestmark = pytest.mark.postgres(16)

FOUR, THREE = docs("VECTOR(4)"), docs("VECTOR(3)")
ROWS = "INSERT INTO docs (id, embedding) VALUES (1, '[1,2,3,4]'), (2, '[0.1,0,0,0]'), (3, NULL)"
VECTORS = {1: "[1,2,3,4]", 2: "[0.1,0,0,0]", 3: None}
ARCHIVE = "fixup_archive_docs_embedding_vector_4"
COPIED = "PERFORM pg_temp.fixup_stop_unless_watched("
INDEX = (
    'Index("docs_embedding", "embedding", postgresql_using="hnsw",'
    ' postgresql_ops={"embedding": "vector_l2_ops"})'
)
REEMBED = "data = 'reembed'\nsource = 'SELECT id, body FROM docs'\nembedder = 'app:embed'"


# Writes that a trigger does not see, or sees in another order


def test_a_vector_that_is_written_with_the_triggers_off_is_found(make: Make) -> None:
    database = make(FOUR, THREE, ROWS, settings("archive", "online"))
    database.revise()

    def write() -> None:
        database.execute(
            "BEGIN; ALTER TABLE docs DISABLE TRIGGER ALL;"
            " UPDATE docs SET embedding = '[9,9,9,9]' WHERE id = 1;"
            " UPDATE docs SET embedding = NULL WHERE id = 2;"
            " ALTER TABLE docs ENABLE TRIGGER ALL; COMMIT"
        )

    with before_statement(COPIED, write):
        message = database.refused()
    assert "has been disabled meanwhile" in message
    assert "run the upgrade again" in message
    database.project.upgrade()
    assert database.vectors(ARCHIVE) == {1: "[9,9,9,9]"}
    database.project.downgrade("base")
    assert database.vectors() == {1: "[9,9,9,9]", 2: None, 3: None}


def test_a_partition_that_is_attached_meanwhile_is_found(make: Make) -> None:
    models = HEAD + (
        'Table("docs", metadata, Column("id", Integer, primary_key=True),'
        ' Column("embedding", VECTOR{}), postgresql_partition_by="RANGE (id)")\n'
    )
    database = make(
        models.format("()"),
        models.format("(3)"),
        "CREATE TABLE d1 PARTITION OF docs FOR VALUES FROM (0) TO (10);"
        "INSERT INTO docs VALUES (1, '[1,2]'), (2, '[1,2,3]')",
        settings("archive", "auto"),
    )
    database.revise()

    def attach() -> None:
        database.execute(
            "CREATE TABLE d2 (LIKE docs INCLUDING ALL); INSERT INTO d2 VALUES (12, '[1,2]');"
            "ALTER TABLE docs ATTACH PARTITION d2 FOR VALUES FROM (10) TO (20)"
        )

    with before_statement(COPIED, attach):
        message = database.refused()
    assert "a partition was attached: run the upgrade again" in message
    database.project.upgrade()
    assert database.vectors("fixup_archive_docs_embedding_vector") == {1: "[1,2]", 12: "[1,2]"}
    database.project.downgrade("base")
    assert database.vectors() == {1: "[1,2]", 2: "[1,2,3]", 12: "[1,2]"}


def test_the_archive_has_what_the_last_of_several_triggers_wrote(make: Make) -> None:
    database = make(
        FOUR,
        THREE,
        ROWS
        + """;
        CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          UPDATE docs SET embedding = '[7,7,7,7]' WHERE id = NEW.id; RETURN NULL;
        END $$;
        CREATE TRIGGER aaa AFTER UPDATE OF body ON docs FOR EACH ROW EXECUTE FUNCTION again();
        """,
        settings("archive", "online"),
    )
    database.revise()
    with before_statement(
        COPIED,
        lambda: database.execute(
            "UPDATE docs SET body = 'x', embedding = '[5,5,5,5]' WHERE id = 1"
        ),
    ):
        database.project.upgrade()
    assert database.vectors(ARCHIVE)[1] == "[7,7,7,7]"


def test_keys_that_change_places_take_their_vectors_along(make: Make) -> None:
    models = HEAD + (
        'Table("docs", metadata, Column("id", Integer), Column("embedding", VECTOR({})),'
        ' PrimaryKeyConstraint("id", deferrable=True))\n'
    )
    database = make(models.format(4), models.format(3), ROWS, settings("archive", "online"))
    database.revise()
    with before_statement(COPIED, lambda: database.execute("UPDATE docs SET id = id + 1")):
        database.project.upgrade()
    database.project.downgrade("base")
    assert database.vectors() == {2: "[1,2,3,4]", 3: "[0.1,0,0,0]", 4: None}


# Stopped, and another revision in its place


@pytest.mark.parametrize(
    ("type_", "data"), [("VECTOR(2)", "clear"), ("VECTOR(6)", "pad"), ("VECTOR()", "archive")]
)
def test_another_revision_in_the_place_of_a_stopped_one(make: Make, type_: str, data: str) -> None:
    database = make(FOUR, THREE, ROWS, settings("archive", "online"))
    database.revise()
    database.stopped()
    assert "fixup_archive_docs" in database.left_over()
    for path in database.project.folder.glob("migrations/versions/*.py"):
        path.unlink()
    database.project.models(FOUR)
    [left] = [each for each in database.revise() if each.code == "left-over"]
    assert "DROP TRIGGER fixup_archive_docs ON public.docs" in left.message
    for path in database.project.folder.glob("migrations/versions/*.py"):
        path.unlink()
    database.project.models(docs(type_))
    database.project.settings(settings(data, "online"))
    assert "left-over" not in {each.code for each in database.revise()}
    database.project.upgrade()
    assert database.left_over() == []
    database.execute("UPDATE docs SET body = 'written'")
    database.project.downgrade("base")
    assert database.type_of() == "vector(4)"


def test_a_job_that_nobody_goes_on_with_is_told_of_and_taken_over(make: Make) -> None:
    filled, three = docs("VECTOR(4)", null=False), docs("VECTOR(3)", null=False)
    toml = settings("archive", "online", **{"docs.embedding": REEMBED})
    database = make(filled, three, ROWS.replace(", (3, NULL)", ""), toml)
    database.revise()
    database.stopped()
    for path in database.project.folder.glob("migrations/versions/*.py"):
        path.unlink()
    database.project.models(filled)
    left = [each.message for each in database.revise() if each.code == "left-over"]
    assert any("ALTER COLUMN embedding SET NOT NULL; DROP TABLE" in message for message in left)
    for path in database.project.folder.glob("migrations/versions/*.py"):
        path.unlink()
    database.project.models(docs("VECTOR(2)", null=False))
    assert "left-over" not in {each.code for each in database.revise()}
    database.project.upgrade()
    [said] = database.values("SELECT obj_description('fixup_reembed_docs_embedding'::regclass)")
    assert "vector(2)" in said
    assert '"not_null": true' in said


# Refused before anything is changed


@pytest.mark.parametrize(
    ("setup", "type_", "data", "said"),
    [
        (
            "ALTER TABLE docs ADD CONSTRAINT filled CHECK (id = 3 OR embedding IS NOT NULL)",
            "VECTOR(3)",
            "archive",
            "check filled on docs would not hold in 2 row(s), such as id = 1, 2",
        ),
        (
            "ALTER TABLE docs ADD CONSTRAINT dims CHECK (vector_dims(embedding) = 4)",
            "VECTOR(3)",
            "truncate",
            "check dims on docs would not hold in 2 row(s), such as id = 1, 2",
        ),
        (
            "ALTER TABLE docs ADD g real GENERATED ALWAYS AS (vector_norm(embedding)) STORED",
            "HALFVEC(4)",
            "archive",
            "generated column docs.g cannot be had with the new type",
        ),
        (
            "ALTER TABLE docs ADD g real GENERATED ALWAYS AS"
            " (embedding <-> '[1,1,1,1]'::vector) STORED",
            "VECTOR(3)",
            "truncate",
            "generated column docs.g cannot be had with the new type: different vector dimensions",
        ),
    ],
)
def test_what_would_not_go_with_the_new_values_stops_it_first(
    make: Make, setup: str, type_: str, data: str, said: str
) -> None:
    database = make(
        FOUR,
        docs(type_, 'Column("later", Integer)'),
        f"{ROWS}; {setup}",
        settings(data),
    )
    database.revise()
    message = database.refused_unchanged()
    assert said in message
    assert database.values("SELECT count(*) FROM pg_attribute WHERE attname = 'later'") == [0]


def test_a_refused_downgrade_leaves_the_indexes(make: Make) -> None:
    database = make(
        docs("VECTOR(4)", INDEX),
        docs("VECTOR(3)", INDEX),
        ROWS.replace(", (3, NULL)", ""),
        settings("truncate"),
    )
    database.revise()
    database.project.upgrade()
    [archive] = database.archives()
    database.execute(f"ALTER TABLE {archive} RENAME TO away; UPDATE docs SET embedding = '[1,1,1]'")
    database.execute("CREATE TABLE fixup_other (id int PRIMARY KEY, embedding vector(3))")
    name = next(
        word.strip("',;.")
        for word in database.source.split()
        if "fixup_archive_docs_embedding_vector_3_" in word
    )
    database.execute(
        f"ALTER TABLE fixup_other RENAME TO {name}; INSERT INTO {name} VALUES (1, '[0,0,1]')"
    )
    message = database.refused_unchanged("downgrade")
    assert f"{name} keeps vectors of an earlier downgrade already, of 1 row(s)" in message
    assert database.values("SELECT count(*) FROM pg_class WHERE relname = 'docs_embedding'") == [1]


def test_a_vector_in_the_primary_key_is_refused(make: Make) -> None:
    models = HEAD + (
        'Table("docs", metadata, Column("id", Integer, primary_key=True),'
        ' Column("embedding", VECTOR({}), primary_key=True))\n'
    )
    database = make(models.format(4), models.format(3), ROWS.replace(", (3, NULL)", ""))
    assert "primary-key" in {each.code for each in database.revise()}
    assert database.is_converged()


def test_the_index_of_a_column_that_stays_stays_too(make: Make) -> None:
    def table(type_: str, opclass: str) -> str:
        index = INDEX.replace("vector_l2_ops", opclass)
        return HEAD + (
            f'Table("docs", metadata, Column("id", Integer), Column("embedding", {type_}), {index})'
        )

    database = make(
        table("VECTOR(4)", "vector_l2_ops"), table("HALFVEC(4)", "halfvec_l2_ops"), ROWS
    )
    assert "no-primary-key" in {each.code for each in database.revise()}
    before = database.snapshot()
    database.project.upgrade()
    assert database.snapshot() == before


# NOT NULL that comes or goes


def test_not_null_that_goes_in_the_same_revision_stops_nothing(make: Make) -> None:
    database = make(
        docs("VECTOR(4)", null=False), THREE, ROWS.replace(", (3, NULL)", ""), settings()
    )
    assert "not-null" not in {each.code for each in database.revise()}
    before = database.snapshot()
    database.project.upgrade()
    assert database.vectors() == {1: None, 2: None}
    database.project.downgrade("base")
    assert database.snapshot() == before


def test_not_null_that_comes_in_the_same_revision_stops_it_first(make: Make) -> None:
    database = make(
        FOUR, docs("VECTOR(3)", null=False), ROWS.replace(", (3, NULL)", ""), settings()
    )
    database.revise()
    assert "would be without a vector in 2 row(s)" in database.refused_unchanged()


def test_not_null_that_comes_with_reembed_comes_at_its_end(make: Make) -> None:
    toml = settings("archive", "rewrite", **{"docs.embedding": REEMBED})
    database = make(FOUR, docs("VECTOR(3)", null=False), ROWS, toml)
    database.revise()
    before = database.snapshot()
    database.project.upgrade()
    [said] = database.values("SELECT obj_description('fixup_reembed_docs_embedding'::regclass)")
    assert '"not_null": true' in said
    assert database.is_converged()
    database.project.downgrade("base")
    assert database.snapshot() == before


def test_a_column_that_waits_may_be_null_after_all(make: Make) -> None:
    toml = settings("archive", "rewrite", **{"docs.embedding": REEMBED})
    filled = docs("VECTOR(4)", null=False)
    database = make(filled, docs("VECTOR(3)", null=False), ROWS.replace(", (3, NULL)", ""), toml)
    database.revise()
    database.project.upgrade()
    database.project.models(THREE)
    database.revise()
    assert "docs.embedding: may be NULL" in database.source
    database.project.upgrade()
    [said] = database.values("SELECT obj_description('fixup_reembed_docs_embedding'::regclass)")
    assert '"not_null": false' in said
    assert database.is_converged()
    database.project.downgrade("-1")
    [said] = database.values("SELECT obj_description('fixup_reembed_docs_embedding'::regclass)")
    assert '"not_null": true' in said


@pytest.mark.postgres(18)
def test_a_not_null_constraint_that_would_not_come_back_stops_it(make: Make) -> None:
    database = make(
        FOUR,
        THREE,
        ROWS + "; ALTER TABLE docs ADD CONSTRAINT filled NOT NULL embedding NOT VALID",
        settings("truncate"),
    )
    database.revise()
    assert "NOT NULL constraint that is NOT VALID or NO INHERIT, filled" in (
        database.refused_unchanged()
    )


# One change after another


def test_changes_that_go_there_and_back_each_have_their_archive(make: Make) -> None:
    database = make(FOUR, docs("HALFVEC(4)"), ROWS, settings())
    before = database.snapshot()
    for models in (docs("HALFVEC(4)"), FOUR, docs("HALFVEC(4)"), THREE, FOUR):
        database.project.models(models)
        database.revise()
        database.project.upgrade()
        database.execute("UPDATE docs SET body = 'x'")
        database.execute("UPDATE docs SET body = NULL")
    database.project.downgrade("base")
    assert database.snapshot() == before


def test_a_downgrade_may_come_twice_with_new_vectors_of_other_rows(make: Make) -> None:
    database = make(FOUR, THREE, ROWS, settings())
    database.revise()
    database.project.upgrade()
    database.execute("UPDATE docs SET embedding = '[1,1,1]' WHERE id = 1")
    database.project.downgrade("base")
    assert database.vectors() == VECTORS
    database.project.upgrade()
    database.execute("UPDATE docs SET embedding = '[2,2,2]' WHERE id = 2")
    database.project.downgrade("base")
    assert database.vectors() == VECTORS
    assert database.vectors("fixup_archive_docs_embedding_vector_3") == {
        1: "[1,1,1]",
        2: "[2,2,2]",
    }


def test_stopped_before_the_copy_is_complete_nothing_is_lost(make: Make) -> None:
    database = make(FOUR, THREE, ROWS, settings("archive", "online"))
    database.revise()
    database.stopped(KEEP)
    database.execute("DELETE FROM docs WHERE id = 1; UPDATE docs SET id = 5 WHERE id = 2")
    database.stopped(SWAP)
    database.project.upgrade()
    database.project.downgrade("base")
    assert database.vectors() == {5: "[0.1,0,0,0]", 3: None}


def test_a_refused_downgrade_has_not_taken_back_alembics_own_operations(make: Make) -> None:
    database = make(
        docs("VECTOR(4)", null=False),
        docs("VECTOR(3)", 'Column("extra", Integer)', null=False),
        ROWS.replace(", (3, NULL)", ""),
        settings("truncate"),
    )
    database.revise()
    database.project.upgrade()
    database.execute("INSERT INTO docs (id, extra, embedding) VALUES (9, 9, '[1,2,3]')")
    message = database.refused_unchanged("downgrade")
    assert "would be without a vector in 1 row(s), such as id = 9" in message


def test_a_job_of_another_column_or_of_a_stopped_upgrade_stops_it(make: Make) -> None:
    toml = settings("archive", "online", **{"docs.embedding": REEMBED})
    database = make(FOUR, THREE, ROWS, toml)
    database.revise()
    database.stopped()
    for path in database.project.folder.glob("migrations/versions/*.py"):
        path.unlink()
    database.project.settings(settings("truncate", "online"))
    database.revise()
    message = database.refused_unchanged()
    assert "fixup_reembed_docs_embedding is left of an upgrade of docs.embedding" in message
    database.project.settings(toml)
    for path in database.project.folder.glob("migrations/versions/*.py"):
        path.unlink()
    database.revise()
    database.execute(
        "COMMENT ON TABLE fixup_reembed_docs_embedding IS 'alembic-fixups: reembed "
        '{"schema": "public", "table": "docs", "column": "other", "type": "public.vector(3)"}\''
    )
    assert "is that of another column" in database.refused_unchanged()
