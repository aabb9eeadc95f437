"""Rows that are moved aside, cleared and put back where much is against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DBAPIError

from alembic_fixups.scratch import Server
from tests.fixups.tenant_keys.cases import (
    BASIC,
    BASIC_ROWS,
    HIERARCHY,
    HIERARCHY_ROWS,
    LEVELS,
    PARTITIONED,
    THREE,
    WRONG_NOTES,
    settings,
)
from tests.fixups.tenant_keys.test_migration import Connection, made
from tests.laws import snapshot
from tests.projects import Project

ONE_VERSION = pytest.mark.postgres(16)
BOTH_MODES = pytest.mark.parametrize("mode", ["quarantine", "null"])

STORE = "migration.notes_tenant_violations"
WITHOUT_NOTES = BASIC.split('Table(\n    "notes"')[0]
NOTES_WITH_EXTRA = BASIC.replace(
    'Column("text", String),', 'Column("text", String),\n    Column("extra", Text),'
)

PARTITIONS = """
CREATE TABLE migration.events_0 PARTITION OF migration.events
  FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE migration.events_1 PARTITION OF migration.events
  FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO migration.events SELECT n, 1 + n % 2, 10, n FROM generate_series(1, 9) AS n;
"""


@pytest.fixture
def wrong(tmp_path: Path, database_url: URL) -> Project:
    """The basic models in a database with two notes that name another client's engagement."""
    return made(tmp_path, database_url, BASIC, BASIC_ROWS + WRONG_NOTES)


def generate(project: Project, extra: str = "", levels: str = LEVELS) -> str:
    """A revision for the tables of the models; others in the database are not Alembic's."""
    project.settings(settings(extra, levels))
    return project.autogenerate(**options(project))


def options(project: Project) -> dict[str, Any]:
    """An env.py that shows Alembic the tables of the models only."""
    names = {table.name for table in project.metadata.tables.values()}
    return {
        "configure": {
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "table" or name in names,
        }
    }


def violations(mode: str) -> str:
    return f'violations = "{mode}"'


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def run(connection: Connection, script: str) -> None:
    connection.execute(script)


def exists(connection: Connection, table: str) -> bool:
    return rows(connection, f"SELECT to_regclass('{table}') IS NOT NULL") == [(True,)]


@contextmanager
def owned_by_another(
    project: Project, connection: Connection, *tables: str
) -> Iterator[tuple[Project, str]]:
    """The project run by a plain role that owns its tables, and that role."""
    role = f"owner_{project.url.database}"
    run(
        connection,
        f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA migration TO {role};"
        f"GRANT ALL ON SCHEMA public TO {role}; GRANT {role} TO CURRENT_USER;"
        + "".join(
            f"ALTER TABLE migration.{table} OWNER TO {role};"
            for table in ("client_accounts", "engagements", "assets", "notes", *tables)
        ),
    )
    try:
        yield Project(project.folder, project.url.set(username=role)), role
    finally:
        run(connection, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


# Rows that others point at


@ONE_VERSION
def test_rows_are_not_moved_while_row_security_hides_who_points_at_them(
    wrong: Project, connection: Connection, server: Server
) -> None:
    run(
        connection,
        "CREATE TABLE migration.replies"
        "  (id int, note_id int REFERENCES migration.notes ON DELETE CASCADE);"
        "INSERT INTO migration.replies VALUES (1, 3), (2, 1)",
    )
    with owned_by_another(wrong, connection, "replies") as (as_owner, _):
        run(
            connection,
            "ALTER TABLE migration.replies ENABLE ROW LEVEL SECURITY;"
            "ALTER TABLE migration.replies FORCE ROW LEVEL SECURITY;"
            "CREATE POLICY nobody ON migration.replies USING (false)",
        )
        before = snapshot.both(server, wrong.url)
        generate(as_owner, violations("quarantine"))
        with pytest.raises(DBAPIError, match=r"row level security hides rows of migration.replies"):
            as_owner.upgrade()
        assert snapshot.both(server, wrong.url) == before


@ONE_VERSION
@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "NO ACTION"])
def test_rows_are_not_moved_while_others_point_at_them_in_their_partition(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server, action: str
) -> None:
    project = made(tmp_path, database_url, PARTITIONED, HIERARCHY_ROWS + PARTITIONS)
    run(
        connection,
        "CREATE TABLE migration.of_0 (id int, client int,"
        f"  FOREIGN KEY (id, client) REFERENCES migration.events_0 ON DELETE {action});"
        "CREATE TABLE migration.of_1 (id int, client int,"
        f"  FOREIGN KEY (id, client) REFERENCES migration.events_1 ON DELETE {action});"
        "INSERT INTO migration.of_0 SELECT id, client_account_id FROM migration.events_0;"
        "INSERT INTO migration.of_1 SELECT id, client_account_id FROM migration.events_1",
    )
    before = snapshot.both(server, project.url)
    generate(project, violations("quarantine"))
    with pytest.raises(DBAPIError, match=r"row\(s\) of migration\.of_[01] point at them"):
        project.upgrade()
    assert snapshot.both(server, project.url) == before


FLOWS = (
    HIERARCHY
    + """
Table(
    "flows", metadata,
    Column("id", Integer, primary_key=True),
    Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
    Column("engagement_id", ForeignKey("engagements.id")),
    UniqueConstraint("client_account_id", "engagement_id", "id", name="flow_key"),
)
"""
)


@ONE_VERSION
def test_a_value_is_not_cleared_where_on_update_cascade_would_carry_it_on(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server
) -> None:
    project = made(tmp_path, database_url, FLOWS, HIERARCHY_ROWS)
    run(
        connection,
        "INSERT INTO migration.flows VALUES (1, 1, 20), (2, 1, 10);"
        "CREATE TABLE migration.others (id int, client int, engagement int, flow int,"
        "  CONSTRAINT of_flow FOREIGN KEY (client, engagement, flow)"
        "  REFERENCES migration.flows (client_account_id, engagement_id, id) ON UPDATE CASCADE);"
        "INSERT INTO migration.others VALUES (1, 1, 20, 1)",
    )
    before = snapshot.both(server, project.url)
    generate(project, violations("null"))
    with pytest.raises(DBAPIError, match=r"1 row\(s\) of migration\.others point at them"):
        project.upgrade()
    assert snapshot.both(server, project.url) == before
    run(connection, "DELETE FROM migration.others")
    project.upgrade()
    assert rows(connection, "SELECT id, engagement_id FROM migration.flows ORDER BY id") == [
        (1, None),
        (2, 10),
    ]


@ONE_VERSION
def test_a_value_is_cleared_where_the_rows_that_point_at_it_use_other_columns(
    wrong: Project, connection: Connection, server: Server
) -> None:
    run(
        connection,
        "CREATE TABLE migration.replies"
        "  (note_id int REFERENCES migration.notes ON UPDATE CASCADE ON DELETE CASCADE);"
        "INSERT INTO migration.replies VALUES (3)",
    )
    before = snapshot.both(server, wrong.url)
    generate(wrong, violations("null"))
    wrong.upgrade()
    assert rows(connection, "SELECT engagement_id FROM migration.notes WHERE id = 3") == [(None,)]
    assert rows(connection, "SELECT note_id FROM migration.replies") == [(3,)]
    wrong.downgrade("base")
    assert snapshot.both(server, wrong.url) == before


# Inheritance


@ONE_VERSION
@BOTH_MODES
def test_rows_of_tables_that_inherit_are_left_alone(
    wrong: Project, connection: Connection, server: Server, mode: str
) -> None:
    """A foreign key does not check them; they may have more columns and referrers of their own."""
    run(
        connection,
        "CREATE TABLE migration.old_notes (extra text, PRIMARY KEY (id))"
        "  INHERITS (migration.notes);"
        "INSERT INTO migration.old_notes VALUES (50, 1, 20, 'x', 'precious');"
        "CREATE TABLE migration.replies"
        "  (note_id int REFERENCES migration.old_notes ON DELETE CASCADE);"
        "INSERT INTO migration.replies VALUES (50)",
    )
    before = snapshot.both(server, wrong.url)
    generate(wrong, violations(mode))
    wrong.upgrade()
    assert rows(connection, "SELECT * FROM migration.old_notes") == [(50, 1, 20, "x", "precious")]
    assert rows(connection, "SELECT * FROM migration.replies") == [(50,)]
    assert rows(connection, f"SELECT id FROM {STORE} ORDER BY id") == [(3,), (4,)]
    wrong.downgrade("base")
    assert snapshot.both(server, wrong.url) == before


@ONE_VERSION
def test_a_parent_row_that_is_only_in_a_table_that_inherits_does_not_count(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server
) -> None:
    project = made(tmp_path, database_url, BASIC, BASIC_ROWS)
    run(
        connection,
        "CREATE TABLE migration.old_engagements () INHERITS (migration.engagements);"
        "INSERT INTO migration.old_engagements VALUES (20, 1);"
        "INSERT INTO migration.notes VALUES (70, 1, 20, 'x')",
    )
    before = snapshot.both(server, project.url)
    generate(project)
    with pytest.raises(DBAPIError, match=r"migration\.notes: 1 row\(s\)") as refused:
        project.upgrade()
    query = str(refused.value.orig).split("to see them all: ")[1].split(";")[0]
    assert rows(connection, query) == [(70, 1, 20, "x")]
    assert snapshot.both(server, project.url) == before
    for revision in (project.folder / "migrations" / "versions").glob("*.py"):
        revision.unlink()
    generate(project, violations("quarantine"))
    project.upgrade()
    assert rows(connection, f"SELECT id FROM {STORE}") == [(70,)]


# Triggers

TRIGGERS = {
    "before-delete-returns-null": ("BEFORE DELETE", "RETURN NULL;"),
    "after-delete-deletes-elsewhere": (
        "AFTER DELETE",
        "DELETE FROM migration.files WHERE note_id = OLD.id; RETURN OLD;",
    ),
    "before-insert-returns-null": ("BEFORE INSERT", "RETURN NULL;"),
    "before-insert-stamps": ("BEFORE INSERT", "NEW.text := 'stamped'; RETURN NEW;"),
    "before-update-returns-null": ("BEFORE UPDATE", "RETURN NULL;"),
    "updated-at": ("BEFORE UPDATE", "NEW.text := clock_timestamp()::text; RETURN NEW;"),
    "deferred": (
        "AFTER INSERT OR UPDATE OR DELETE",
        "DELETE FROM migration.files; RETURN NULL;",
    ),
}


def trigger(name: str, when: str, body: str, table: str = "migration.notes") -> str:
    """A row trigger with its function."""
    kind = "CONSTRAINT TRIGGER" if name == "deferred" else "TRIGGER"
    timing = "DEFERRABLE INITIALLY DEFERRED" if name == "deferred" else ""
    return (
        f'CREATE FUNCTION migration."{name}"() RETURNS trigger LANGUAGE plpgsql'
        f" AS $$BEGIN {body} END$$;"
        f'CREATE {kind} "{name}" {when} ON {table} {timing}'
        f' FOR EACH ROW EXECUTE FUNCTION migration."{name}"();'
    )


@pytest.mark.slow
@ONE_VERSION
@BOTH_MODES
@pytest.mark.parametrize("name", TRIGGERS)
def test_no_trigger_makes_something_of_the_moving(
    wrong: Project, connection: Connection, server: Server, mode: str, name: str
) -> None:
    run(
        connection,
        "CREATE TABLE migration.files (note_id int); INSERT INTO migration.files VALUES (3), (1);"
        + trigger(name, *TRIGGERS[name]),
    )
    before = snapshot.both(server, wrong.url)
    generate(wrong, violations(mode))
    wrong.upgrade()
    kept = "SELECT id, client_account_id, engagement_id, text"
    assert rows(connection, f"{kept} FROM {STORE} ORDER BY id") == [
        (3, 1, 20, "of another client"),
        (4, 2, 10, "this too"),
    ]
    cleared = [(3, 1, None, "of another client"), (4, 2, None, "this too")]
    assert rows(connection, f"{kept} FROM migration.notes WHERE id > 2 ORDER BY id") == (
        cleared if mode == "null" else []
    )
    wrong.downgrade("base")
    assert snapshot.both(server, wrong.url) == before


STATES = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid, tgname"
WRITES = "INSERT OR UPDATE OR DELETE"
LOGGED = "INSERT INTO migration.fired VALUES (TG_NAME); RETURN COALESCE(NEW, OLD);"


@ONE_VERSION
@BOTH_MODES
def test_every_trigger_keeps_its_enable_state_and_none_fires(
    wrong: Project, connection: Connection, server: Server, mode: str
) -> None:
    run(
        connection,
        "CREATE TABLE migration.fired (name text);"
        + trigger("before", f"BEFORE {WRITES}", LOGGED)
        + trigger("After 'x' %", f"AFTER {WRITES}", LOGGED)
        + trigger("always", f"BEFORE {WRITES}", LOGGED)
        + trigger("disabled", f"BEFORE {WRITES}", LOGGED)
        + trigger("replica", f"BEFORE {WRITES}", LOGGED)
        + "CREATE TRIGGER statement AFTER UPDATE ON migration.notes"
        "  EXECUTE FUNCTION migration.before();"
        "ALTER TABLE migration.notes ENABLE ALWAYS TRIGGER always;"
        "ALTER TABLE migration.notes DISABLE TRIGGER disabled;"
        "ALTER TABLE migration.notes ENABLE REPLICA TRIGGER replica",
    )
    before = snapshot.both(server, wrong.url)
    states = rows(connection, STATES)
    assert {state for _, state in states} == {"O", "A", "D", "R"}
    generate(wrong, violations(mode))
    wrong.upgrade()
    assert rows(connection, STATES) == states
    wrong.downgrade("base")
    assert rows(connection, STATES) == states
    assert rows(connection, "SELECT * FROM migration.fired") == []
    assert snapshot.both(server, wrong.url) == before


@BOTH_MODES
def test_triggers_of_partitions_do_not_fire_and_keep_their_enable_state(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server, mode: str
) -> None:
    """Those of the whole table, which each partition has a copy of, and a partition's own."""
    models = PARTITIONED.replace(
        'nullable=False),\n    Column("event_id"', '),\n    Column("event_id"'
    )
    assert models != PARTITIONED
    project = made(tmp_path, database_url, models, HIERARCHY_ROWS + PARTITIONS)
    run(
        connection,
        "CREATE TABLE migration.fired (name text);"
        + trigger("whole", f"AFTER {WRITES}", LOGGED, "migration.events")
        + trigger("always", f"AFTER {WRITES}", LOGGED, "migration.events")
        + trigger("disabled", f"AFTER {WRITES}", LOGGED, "migration.events")
        + trigger("own", "BEFORE DELETE", "RETURN NULL;", "migration.events_0")
        + "ALTER TABLE migration.events ENABLE ALWAYS TRIGGER always;"
        "ALTER TABLE migration.events DISABLE TRIGGER disabled;"
        "ALTER TABLE migration.events_1 DISABLE TRIGGER whole;"
        "ALTER TABLE migration.events_1 ENABLE TRIGGER disabled",
    )
    before = snapshot.both(server, project.url)
    states = rows(connection, STATES)
    generate(project, violations(mode))
    project.upgrade()
    assert rows(connection, STATES) == states
    assert rows(connection, "SELECT count(*) FROM migration.events_tenant_violations") == [(5,)]
    project.downgrade("base")
    assert rows(connection, STATES) == states
    assert rows(connection, "SELECT * FROM migration.fired") == []
    assert snapshot.both(server, project.url) == before


# The table that rows are kept in


@ONE_VERSION
@BOTH_MODES
def test_a_table_of_the_users_called_as_the_temporary_one_is_not_touched(
    wrong: Project, connection: Connection, server: Server, mode: str
) -> None:
    run(
        connection,
        "CREATE TABLE migration.tenant_violating (part oid, place tid);"
        "INSERT INTO migration.tenant_violating"
        "  SELECT tableoid, ctid FROM migration.notes WHERE id = 1",
    )
    session = ["SET search_path = migration, public, pg_temp"]
    before = snapshot.both(server, wrong.url)
    generate(wrong, violations(mode))
    wrong.upgrade(session=session)
    assert rows(connection, "SELECT count(*) FROM migration.tenant_violating") == [(1,)]
    assert rows(connection, f"SELECT id FROM {STORE} ORDER BY id") == [(3,), (4,)]
    wrong.downgrade("base", session=session)
    assert snapshot.both(server, wrong.url) == before


@ONE_VERSION
def test_what_was_moved_outlives_the_model_of_its_table(
    wrong: Project, connection: Connection
) -> None:
    everything: dict[str, Any] = {"configure": {"include_schemas": True}}
    wrong.settings(settings(violations("quarantine")))
    wrong.autogenerate(**everything)
    wrong.upgrade()
    wrong.models(WITHOUT_NOTES)
    source = wrong.autogenerate(**everything).split("def downgrade")[0]
    assert "drop_table" in source
    assert "notes_tenant_violations" not in source
    wrong.upgrade()
    assert not exists(connection, "migration.notes")
    assert rows(connection, f"SELECT id FROM {STORE} ORDER BY id") == [(3,), (4,)]
    assert wrong.is_converged(**everything)


THEIRS = {
    "other-columns": f"CREATE TABLE {STORE} (id int, remark text)",
    "the-same-columns": f"CREATE TABLE {STORE} (LIKE migration.notes,"
    " tenant_violation_at timestamptz DEFAULT now(), tenant_violation_key text,"
    f" tenant_violation_reason text); COMMENT ON TABLE {STORE} IS 'kept by ops'",
    "a-view": f"CREATE VIEW {STORE} AS SELECT * FROM migration.notes",
}


@ONE_VERSION
@BOTH_MODES
@pytest.mark.parametrize("theirs", THEIRS)
def test_a_table_with_the_name_that_is_not_ours_stops_the_moving(
    wrong: Project, connection: Connection, server: Server, mode: str, theirs: str
) -> None:
    run(connection, THEIRS[theirs])
    before = snapshot.both(server, wrong.url)
    generate(wrong, violations(mode))
    with pytest.raises(DBAPIError, match=r"notes_tenant_violations is there, but it is not the"):
        wrong.upgrade()
    assert snapshot.both(server, wrong.url) == before


@ONE_VERSION
@BOTH_MODES
@pytest.mark.parametrize("theirs", THEIRS)
def test_a_table_with_the_name_that_is_not_ours_is_never_dropped(
    tmp_path: Path,
    database_url: URL,
    connection: Connection,
    server: Server,
    mode: str,
    theirs: str,
) -> None:
    """Not even an empty one, by the downgrade."""
    project = made(tmp_path, database_url, BASIC, BASIC_ROWS)
    run(connection, THEIRS[theirs])
    before = snapshot.both(server, project.url)
    generate(project, violations(mode))
    project.upgrade()
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@ONE_VERSION
@BOTH_MODES
def test_a_store_of_an_earlier_revision_gets_the_columns_added_since(
    wrong: Project, connection: Connection, mode: str
) -> None:
    generate(wrong, violations(mode))
    wrong.upgrade()
    run(
        connection,
        "ALTER TABLE migration.notes ADD extra text,"
        "  DROP CONSTRAINT fk_notes_client_account_id_engagement_id;"
        "INSERT INTO migration.notes VALUES (9, 1, 20, 'later', 'new')",
    )
    wrong.models(NOTES_WITH_EXTRA)
    generate(wrong, violations(mode))
    wrong.upgrade()
    kept = f"SELECT id, text, extra FROM {STORE} ORDER BY id"
    assert rows(connection, kept) == [
        (3, "of another client", None),
        (4, "this too", None),
        (9, "later", "new"),
    ]
    wrong.downgrade("base")
    assert rows(connection, "SELECT * FROM migration.notes WHERE id > 2 ORDER BY id") == [
        (3, 1, 20, "of another client", None),
        (4, 2, 10, "this too", None),
        (9, 1, 20, "later", "new"),
    ]
    assert not exists(connection, STORE)


@ONE_VERSION
@BOTH_MODES
def test_a_publication_of_all_tables_does_not_keep_rows_from_coming_back(
    wrong: Project, connection: Connection, server: Server, mode: str
) -> None:
    run(connection, "CREATE PUBLICATION everything FOR ALL TABLES")
    before = snapshot.both(server, wrong.url)
    generate(wrong, violations(mode))
    wrong.upgrade()
    assert rows(connection, f"SELECT id FROM {STORE} ORDER BY id") == [(3,), (4,)]
    wrong.downgrade("base")
    assert snapshot.both(server, wrong.url) == before


@ONE_VERSION
@BOTH_MODES
def test_the_store_belongs_to_the_owner_of_the_table(
    wrong: Project, connection: Connection, server: Server, mode: str
) -> None:
    """So that who owns the table can run the downgrade of what a superuser has upgraded."""
    with owned_by_another(wrong, connection) as (as_owner, role):
        before = snapshot.both(server, wrong.url)
        generate(wrong, violations(mode))
        wrong.upgrade()
        assert rows(
            connection,
            f"SELECT relowner::regrole::text FROM pg_class WHERE oid = '{STORE}'::regclass",
        ) == [(role,)]
        run(connection, f"ALTER TABLE alembic_version OWNER TO {role}")
        as_owner.downgrade("base")
        assert snapshot.both(server, wrong.url) == before


# The way back


@ONE_VERSION
@BOTH_MODES
def test_rows_that_row_security_hides_in_the_store_are_not_lost_by_the_downgrade(
    wrong: Project, connection: Connection, server: Server, mode: str
) -> None:
    with owned_by_another(wrong, connection) as (as_owner, _):
        before = snapshot.both(server, wrong.url)
        generate(as_owner, violations(mode))
        as_owner.upgrade()
        run(connection, f"ALTER TABLE {STORE} FORCE ROW LEVEL SECURITY")
        with pytest.raises(DBAPIError, match=r"row level security hides rows of .*run the down"):
            as_owner.downgrade("base")
        assert rows(connection, f"SELECT id FROM {STORE} ORDER BY id") == [(3,), (4,)]
        run(connection, f"ALTER TABLE {STORE} NO FORCE ROW LEVEL SECURITY")
        as_owner.downgrade("base")
        assert snapshot.both(server, wrong.url) == before


@ONE_VERSION
@BOTH_MODES
def test_a_row_whose_parent_is_gone_since_is_kept_with_a_message(
    wrong: Project, connection: Connection, mode: str
) -> None:
    generate(wrong, violations(mode))
    wrong.upgrade()
    run(
        connection,
        "DELETE FROM migration.assets WHERE engagement_id = 20;"
        "DELETE FROM migration.engagements WHERE id = 20",
    )
    with pytest.raises(DBAPIError) as refused:
        wrong.downgrade("base")
    message = str(refused.value.orig)
    assert f"what is kept in {STORE} cannot be put back into migration.notes" in message
    assert "notes_engagement_id_fkey" in message
    assert "Repair or delete it there, then run the downgrade again." in message
    assert rows(connection, f"SELECT id, engagement_id FROM {STORE} ORDER BY id") == [
        (3, 20),
        (4, 10),
    ]
    run(connection, f"DELETE FROM {STORE} WHERE id = 3")
    wrong.downgrade("base")
    assert rows(connection, "SELECT id, engagement_id FROM migration.notes ORDER BY id") == [
        (1, 10),
        (2, None),
        *([(3, None)] if mode == "null" else []),
        (4, 10),
    ]
    assert not exists(connection, STORE)


@ONE_VERSION
def test_a_moved_row_whose_key_is_in_use_since_is_kept_with_a_message(
    wrong: Project, connection: Connection
) -> None:
    generate(wrong, violations("quarantine"))
    wrong.upgrade()
    run(connection, "INSERT INTO migration.notes VALUES (3, 2, NULL, 'somebody new')")
    with pytest.raises(DBAPIError, match=r"cannot be put back into migration\.notes.*notes_pkey"):
        wrong.downgrade("base")
    assert rows(connection, f"SELECT id FROM {STORE} ORDER BY id") == [(3,), (4,)]
    run(connection, f"UPDATE {STORE} SET id = 30 WHERE id = 3")
    wrong.downgrade("base")
    assert rows(connection, "SELECT id, text FROM migration.notes WHERE id > 2 ORDER BY id") == [
        (3, "somebody new"),
        (4, "this too"),
        (30, "of another client"),
    ]


@ONE_VERSION
def test_a_value_is_not_put_into_a_row_of_another_tenant_with_the_same_key(
    wrong: Project, connection: Connection, heard: list[str]
) -> None:
    generate(wrong, violations("null"))
    wrong.upgrade()
    run(
        connection,
        "DELETE FROM migration.notes WHERE id = 3;"
        "INSERT INTO migration.notes VALUES (3, 2, NULL, 'somebody new')",
    )
    wrong.downgrade("base")
    assert rows(connection, "SELECT * FROM migration.notes WHERE id > 2 ORDER BY id") == [
        (3, 2, None, "somebody new"),
        (4, 2, 10, "this too"),
    ]
    assert [notice for notice in heard if notice.startswith("WARNING")] == [
        "WARNING: migration.notes: 1 kept value(s) discarded:"
        " their rows are gone, belong to another tenant, or have a value since"
    ]


@ONE_VERSION
def test_a_moved_row_is_kept_while_a_column_of_its_is_gone(
    wrong: Project, connection: Connection
) -> None:
    generate(wrong, violations("quarantine"))
    wrong.upgrade()
    run(connection, "ALTER TABLE migration.notes DROP text")
    with pytest.raises(DBAPIError, match=r"columns that migration\.notes has not.*lost: text"):
        wrong.downgrade("base")
    assert rows(connection, f"SELECT id, text FROM {STORE} ORDER BY id") == [
        (3, "of another client"),
        (4, "this too"),
    ]
    run(connection, "ALTER TABLE migration.notes ADD text varchar")
    wrong.downgrade("base")
    assert rows(connection, "SELECT * FROM migration.notes WHERE id > 2 ORDER BY id") == [
        (3, 1, 20, "of another client"),
        (4, 2, 10, "this too"),
    ]


# Values that are cleared


@ONE_VERSION
def test_of_a_value_that_is_wrong_again_the_newest_is_kept(
    wrong: Project, connection: Connection, heard: list[str]
) -> None:
    """The application writes another wrong one after the first was cleared, before the key."""
    generate(wrong, violations("null"))
    written: list[str] = []

    def write(own: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "CONCURRENTLY IF NOT EXISTS ix_notes" in statement and not written:
            written.append(statement)
            run(connection, "UPDATE migration.notes SET engagement_id = 11 WHERE id = 4")

    event.listen(Engine, "before_cursor_execute", write)
    try:
        with pytest.raises(DBAPIError, match="run this again"):
            wrong.upgrade()
    finally:
        event.remove(Engine, "before_cursor_execute", write)
    assert len(written) == 1
    wrong.upgrade()
    kept = f"SELECT id, engagement_id FROM {STORE} ORDER BY id"
    assert rows(connection, kept) == [(3, 20), (4, 11)]
    assert [notice for notice in heard if notice.startswith("WARNING")] == [
        "WARNING: migration.notes: 1 value(s) kept by an earlier run discarded:"
        " the rows have got another value since"
    ]
    wrong.downgrade("base")
    assert rows(
        connection, "SELECT id, engagement_id FROM migration.notes WHERE id > 2 ORDER BY id"
    ) == [(3, 20), (4, 11)]


@ONE_VERSION
def test_over_three_levels_no_reference_to_another_tenant_is_left(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server
) -> None:
    """Once the engagement is cleared nothing checks the project any more: it goes first."""
    models = THREE.replace(
        'ondelete="CASCADE"), nullable=False),\n    Column("project_id"',
        'ondelete="CASCADE")),\n    Column("project_id"',
    )
    assert models != THREE
    project = made(
        tmp_path,
        database_url,
        models,
        HIERARCHY_ROWS
        + "INSERT INTO migration.projects VALUES (100, 1, 10), (110, 1, 11), (200, 2, 20);"
        "INSERT INTO migration.tasks VALUES (1, 1, 20, 200), (2, 1, 10, 200), (3, 1, 20, 100),"
        " (4, 1, 10, 110), (5, 1, 10, 100), (6, 2, 20, NULL)",
    )
    before = snapshot.both(server, project.url)
    levels = LEVELS.replace("\n]", '\n  { table = "projects", column = "project_id" },\n]')
    generate(project, violations("null"), levels)
    project.upgrade()
    assert rows(connection, "SELECT * FROM migration.tasks ORDER BY id") == [
        (1, 1, None, None),
        (2, 1, 10, None),
        (3, 1, None, None),
        (4, 1, 10, None),
        (5, 1, 10, 100),
        (6, 2, 20, None),
    ]
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before
