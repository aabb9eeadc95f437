"""What the migrations do with rows that are wrong, roles that see too little, and names in use."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from tests.fixups.tenant_keys.cases import (
    BASIC,
    BASIC_ROWS,
    HIERARCHY,
    HIERARCHY_ROWS,
    LEVELS,
    WRONG_NOTES,
    settings,
)
from tests.projects import Project

OPTIONS = {"configure": {"include_schemas": True}}
ONE_VERSION = pytest.mark.postgres(16)

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def basic(tmp_path: Path, database_url: URL) -> Project:
    """The basic models in a database with rows, none of them wrong."""
    return made(tmp_path, database_url, BASIC, BASIC_ROWS)


def made(folder: Path, url: URL, models: str, rows: str, extra: str = "") -> Project:
    """A project whose database has what its models say, and *rows*."""
    project = Project.make(folder / "project", url, models, settings(extra))
    project.create_all("migration")
    with scratch.connect(url) as connection:
        connection.execute(rows)  # type: ignore[arg-type]
    return project


def scalar(connection: Connection, query: str) -> Any:
    """The single value that a query gives."""
    row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def test_a_row_of_another_tenant_is_refused_afterwards(
    basic: Project, connection: Connection
) -> None:
    connection.execute("INSERT INTO migration.notes VALUES (8, 1, 20, 'goes in')")
    connection.execute("DELETE FROM migration.notes WHERE id = 8")
    basic.autogenerate(**OPTIONS)
    basic.upgrade()
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation, match="fk_notes_client_account_id"),
        connection.transaction(),
    ):
        connection.execute("INSERT INTO migration.notes VALUES (8, 1, 20, 'no')")
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_actions_are_carried_over_and_limited_to_the_own_column(
    basic: Project, connection: Connection
) -> None:
    basic.autogenerate(**OPTIONS)
    basic.upgrade()
    connection.execute("DELETE FROM migration.assets WHERE engagement_id = 10")
    connection.execute("UPDATE migration.engagements SET id = 12 WHERE id = 10")
    assert scalar(connection, "SELECT engagement_id FROM migration.notes WHERE id = 1") == 12
    connection.execute("DELETE FROM migration.engagements")
    assert scalar(connection, "SELECT count(*) FROM migration.assets") == 0
    assert connection.execute(
        "SELECT client_account_id, engagement_id FROM migration.notes ORDER BY id"
    ).fetchall() == [(1, None), (2, None)]


def test_abort_names_table_count_keys_and_the_query(basic: Project, connection: Connection) -> None:
    connection.execute(
        "INSERT INTO migration.notes SELECT n, 1, 20, 'wrong' FROM generate_series(101, 107) AS n"
    )
    basic.autogenerate(**OPTIONS)
    with pytest.raises(DBAPIError) as refused:
        basic.upgrade()
    message = str(refused.value.orig)
    assert "migration.notes: 7 row(s)" in message
    assert "(101), (102), (103), (104), (105)" in message
    assert "(106)" not in message
    query = message.split("to see them all: ")[1].split(";")[0]
    assert len(connection.execute(query).fetchall()) == 7  # type: ignore[arg-type]
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 9
    connection.execute("DELETE FROM migration.notes WHERE id > 100")
    basic.upgrade()
    assert basic.is_converged(**OPTIONS)


@ONE_VERSION
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_the_reason_reaches_the_user_through_every_driver(
    basic: Project, connection: Connection, driver: str
) -> None:
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    basic.autogenerate(**OPTIONS)
    url = basic.url.set(drivername=f"postgresql+{driver}")
    with pytest.raises(DBAPIError, match=r"2 row\(s\)") as refused:
        Project(basic.folder, url).upgrade()
    assert "SELECT c.*" in str(refused.value.orig)
    assert "(3), (4)" in str(refused.value.orig)
    connection.execute("DELETE FROM migration.notes WHERE id IN (3, 4)")
    Project(basic.folder, url).upgrade()
    Project(basic.folder, url).downgrade("base")


def test_quarantine_moves_the_rows_with_time_and_reason(
    basic: Project, connection: Connection, heard: list[str]
) -> None:
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    basic.settings(settings('violations = "quarantine"'))
    basic.autogenerate(**OPTIONS)
    basic.upgrade()
    moved = connection.execute(
        "SELECT id, text, tenant_violation_at <= now(), tenant_violation_reason"
        "  FROM migration.notes_tenant_violations ORDER BY id"
    ).fetchall()
    assert [row[:3] for row in moved] == [(3, "of another client", True), (4, "this too", True)]
    assert "moved" in moved[0][3]
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 2
    assert "NOTICE: migration.notes: 2 row(s) moved to migration.notes_tenant_violations" in heard
    assert basic.is_converged(**OPTIONS), "the table with the rows must not be dropped"


def test_quarantine_hides_the_rows_of_all_tenants_from_others(
    basic: Project, connection: Connection
) -> None:
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    connection.execute(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA migration GRANT SELECT ON TABLES TO PUBLIC;"
        "GRANT USAGE ON SCHEMA migration TO PUBLIC"
    )
    basic.settings(settings('violations = "quarantine"'))
    basic.autogenerate(**OPTIONS)
    basic.upgrade()
    connection.execute("SET ROLE pg_monitor")
    assert scalar(connection, "SELECT count(*) FROM migration.notes_tenant_violations") == 0
    connection.execute("RESET ROLE")
    basic.downgrade("base")


@pytest.mark.parametrize("action", ["NO ACTION", "CASCADE", "SET NULL"])
def test_quarantine_is_refused_where_other_rows_point_at_them(
    basic: Project, connection: Connection, action: str
) -> None:
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    connection.execute(
        "CREATE TABLE migration.replies (id int, note_id int REFERENCES migration.notes "
        f"ON DELETE {action}); INSERT INTO migration.replies VALUES (1, 3), (2, 1)"
    )  # type: ignore[arg-type]
    basic.settings(settings('violations = "quarantine"'))
    basic.autogenerate(
        configure={
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "table" or name != "replies",
        }
    )
    with pytest.raises(DBAPIError, match=r"1 row\(s\) of migration.replies point at them"):
        basic.upgrade()
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 4
    assert scalar(connection, "SELECT count(note_id) FROM migration.replies") == 2
    assert scalar(connection, "SELECT to_regclass('migration.notes_tenant_violations')") is None


def test_null_keeps_the_old_value_and_puts_it_back(
    basic: Project, connection: Connection, heard: list[str]
) -> None:
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    connection.execute("INSERT INTO migration.notes VALUES (5, 1, 20, 'deleted later')")
    basic.settings(settings('violations = "null"'))
    basic.autogenerate(**OPTIONS)
    basic.upgrade()
    notes = "SELECT id, engagement_id FROM migration.notes WHERE id > 2 ORDER BY id"
    assert connection.execute(notes).fetchall() == [(3, None), (4, None), (5, None)]
    kept = "SELECT id, engagement_id FROM migration.notes_tenant_violations ORDER BY id"
    assert connection.execute(kept).fetchall() == [(3, 20), (4, 10), (5, 20)]
    assert any("3 row(s)" in notice and notice.startswith("NOTICE") for notice in heard)

    # Since then one has got another engagement and one is gone.
    connection.execute("UPDATE migration.notes SET engagement_id = 20 WHERE id = 4")
    connection.execute("DELETE FROM migration.notes WHERE id = 5")
    basic.downgrade("base")
    assert connection.execute(notes).fetchall() == [(3, 20), (4, 20)]
    assert any(
        notice.startswith("WARNING") and "2 kept value(s) discarded" in notice for notice in heard
    )


@pytest.mark.parametrize("mode", ["abort", "quarantine", "null"])
def test_forced_row_level_security_stops_the_migration(
    basic: Project, connection: Connection, mode: str
) -> None:
    """Under FORCE, for an owner without BYPASSRLS, both the look-up and VALIDATE would lie."""
    role = f"owner_{basic.url.database}"
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    connection.execute(
        f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA migration TO {role};"
        f"GRANT ALL ON SCHEMA public TO {role}; GRANT {role} TO CURRENT_USER;"
        + "".join(
            f"ALTER TABLE migration.{table} OWNER TO {role};"
            for table in ("client_accounts", "engagements", "assets", "notes")
        )
        + "ALTER TABLE migration.notes ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE migration.notes FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY mine ON migration.notes USING (client_account_id = 1 AND id < 3)"
    )  # type: ignore[arg-type]
    basic.settings(settings(f'violations = "{mode}"'))
    as_owner = Project(basic.folder, basic.url.set(username=role))
    as_owner.autogenerate(**OPTIONS)
    try:
        with pytest.raises(DBAPIError, match=r"hides rows of migration\.notes"):
            as_owner.upgrade()
        assert scalar(connection, "SELECT count(*) FROM migration.notes") == 4
        connection.execute("ALTER TABLE migration.notes NO FORCE ROW LEVEL SECURITY")
        connection.execute("DELETE FROM migration.notes WHERE id IN (3, 4)")
        as_owner.upgrade()
        assert as_owner.is_converged(**OPTIONS)
    finally:
        connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")  # type: ignore[arg-type]


@ONE_VERSION
@pytest.mark.parametrize(
    ("taken", "name"),
    [
        (
            "CREATE INDEX uq_engagements_client_account_id_id ON migration.assets (name)",
            "uq_engagements_client_account_id_id",
        ),
        (
            "CREATE UNIQUE INDEX uq_engagements_client_account_id_id"
            " ON migration.engagements (client_account_id, id) WHERE id > 0",
            "uq_engagements_client_account_id_id",
        ),
        (
            "CREATE SEQUENCE migration.ix_notes_client_account_id_engagement_id",
            "ix_notes_client_account_id_engagement_id",
        ),
        (
            "ALTER TABLE migration.notes ADD CONSTRAINT fk_notes_client_account_id_engagement_id"
            " CHECK (id > 0)",
            "fk_notes_client_account_id_engagement_id",
        ),
    ],
)
def test_a_name_in_use_for_something_else_stops_the_migration(
    basic: Project, connection: Connection, taken: str, name: str
) -> None:
    basic.autogenerate(**OPTIONS)
    connection.execute(taken)  # type: ignore[arg-type]
    with pytest.raises(DBAPIError, match=name):
        basic.upgrade()
    assert "DROP INDEX" not in taken
    kind = "INDEX" if "INDEX" in taken else "SEQUENCE"
    connection.execute(
        f"ALTER TABLE migration.notes DROP CONSTRAINT {name}"
        if "CHECK" in taken
        else f"DROP {kind} migration.{name}"
    )  # type: ignore[arg-type]
    basic.upgrade()
    assert basic.is_converged(**OPTIONS)


@ONE_VERSION
def test_a_lock_that_is_not_to_be_had_stops_it_in_time(
    basic: Project, connection: Connection
) -> None:
    basic.settings("[tool.alembic-fixups]\nlock-timeout = '100ms'\n" + settings())
    source = basic.autogenerate(**OPTIONS)
    assert "SET LOCAL lock_timeout = '100ms'" in source
    with scratch.connect(basic.url) as reader:
        reader.execute("BEGIN; SELECT * FROM migration.assets; SELECT * FROM migration.engagements")
        with pytest.raises(DBAPIError, match="lock timeout"):
            basic.upgrade()
        reader.execute("ROLLBACK")
    basic.upgrade()
    assert basic.is_converged(**OPTIONS)


@ONE_VERSION
def test_no_step_keeps_a_lock_for_the_next(basic: Project, connection: Connection) -> None:
    """A reader is let in between any two steps: nothing is held while the next one begins."""
    from sqlalchemy import Engine, event

    basic.autogenerate(**OPTIONS)
    held: list[tuple[str, int]] = []

    def look(own: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "$fixup$" in statement or "CONCURRENTLY" in statement:
            locks = scalar(
                connection,
                "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                f" WHERE n.nspname = 'migration' AND l.pid = {cursor.connection.info.backend_pid}",
            )
            held.append((statement, locks))

    event.listen(Engine, "before_cursor_execute", look)
    try:
        basic.upgrade()
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert len(held) > 10
    assert [statement for statement, locks in held if locks] == []


@ONE_VERSION
def test_a_partitioned_parent_whose_key_lacks_the_partition_column_is_refused(
    tmp_path: Path, database_url: URL
) -> None:
    models = HIERARCHY.replace(
        "nullable=False),\n)",
        'nullable=False),\n    Column("year", Integer, primary_key=True),\n'
        '    postgresql_partition_by="LIST (year)",\n)',
    ) + (
        'Table("assets", metadata, Column("id", Integer, primary_key=True),\n'
        '  Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),\n'
        '  Column("engagement_id", Integer, nullable=False))\n'
    )
    project = Project.make(tmp_path / "p", database_url, models, settings())
    project.create_all("migration")
    from alembic.util import CommandError

    with pytest.raises(CommandError, match=r"primary key of 'migration\.engagements'"):
        project.autogenerate(**OPTIONS)


@ONE_VERSION
@pytest.mark.parametrize("version_key", ["declared", "undeclared"])
def test_models_that_declare_the_key_get_the_same_migration(
    tmp_path: Path, database_url: URL, version_key: str
) -> None:
    """Only what the models name themselves may differ: nothing here does."""
    plain = BASIC.split('Table(\n    "notes"')[0]
    declared = plain.replace(
        'Column("engagement_id", ForeignKey("migration.engagements.id", ondelete="CASCADE"),\n'
        "           nullable=False),\n",
        'Column("engagement_id", Integer, nullable=False),\n'
        '    ForeignKeyConstraint(["client_account_id", "engagement_id"],\n'
        '      ["engagements.client_account_id", "engagements.id"], ondelete="CASCADE",\n'
        '      name="fk_assets_client_account_id_engagement_id"),\n'
        '    Index("ix_assets_client_account_id_engagement_id", "client_account_id",\n'
        '      "engagement_id"),\n',
    ).replace(
        "nullable=False),\n)",
        'nullable=False),\n    UniqueConstraint("client_account_id", "id",\n'
        '      name="uq_engagements_client_account_id_id"),\n)',
        1,
    )
    project = made(tmp_path, database_url, plain, HIERARCHY_ROWS)
    first = project.autogenerate_source(**OPTIONS)
    project.models(declared)
    assert project.autogenerate_source(**OPTIONS) == first
    if version_key == "undeclared":
        project.models(plain)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    for models in (plain, declared):
        project.models(models)
        assert project.is_converged(**OPTIONS)


@ONE_VERSION
def test_include_object_is_respected(basic: Project) -> None:
    options = {
        "configure": {
            "include_schemas": True,
            "include_object": lambda _, name, kind, *__: kind != "table" or name != "notes",
        }
    }
    source = basic.autogenerate(**options)
    assert "migration.assets" in source
    assert "notes" not in source


@ONE_VERSION
def test_a_transaction_of_env_py_is_refused_with_the_way_out(basic: Project) -> None:
    from alembic.util import CommandError

    env = basic.folder / "migrations" / "env.py"
    begun = '    connection.execute(text("SELECT 1"))\n'
    env.write_text(env.read_text().replace("    connection.commit()\n", begun))
    with pytest.raises(CommandError, match=r"connection\.commit\(\)"):
        basic.autogenerate(**OPTIONS)


@ONE_VERSION
def test_the_search_path_of_env_py_is_put_back(basic: Project, connection: Connection) -> None:
    """The comparison takes the models' schema off the path and leaves the session as it was."""
    connection.execute(f'ALTER DATABASE "{basic.url.database}" SET search_path = migration, public')  # type: ignore[arg-type]
    env = basic.folder / "migrations" / "env.py"
    env.write_text(
        env.read_text().replace(
            "        context.run_migrations()\n\n\n",
            "        context.run_migrations()\n"
            '        config.attributes["path"] = connection.scalar(text("SHOW search_path"))\n\n\n',
        )
    )
    source = basic.autogenerate(**OPTIONS)
    assert "drop_" not in source.split("def downgrade")[0]
    basic.upgrade()
    config = basic.config(**OPTIONS)
    from alembic import command

    command.revision(config, "again", autogenerate=True)
    assert config.attributes["path"] == "migration, public"


@ONE_VERSION
def test_inferred_levels_are_logged_and_do_the_same(
    basic: Project, caplog: pytest.LogCaptureFixture
) -> None:
    named = basic.autogenerate_source(**OPTIONS)
    basic.settings("[tool.alembic-fixups.tenant-keys]\n")
    with caplog.at_level(logging.INFO, "alembic.fixups"):
        inferred = basic.autogenerate_source(**OPTIONS)
    assert inferred == named
    assert 'inferred levels = [{ table = "migration.client_accounts"' in caplog.text


@ONE_VERSION
def test_set_null_is_refused_below_15(basic: Project) -> None:
    from alembic_fixups import settings as configuration
    from alembic_fixups.target import Target

    [(fixup, chosen)] = configuration.load(basic.folder / "pyproject.toml").active
    target = Target(basic.metadata)
    keys = fixup.rewrite(target, chosen, 14)
    assert [key.child for key in keys] == ["migration.assets"]
    [finding] = target.findings
    assert (finding.code, finding.table, finding.severity) == (
        "set-null-needs-15",
        "migration.notes",
        "refused",
    )
    assert "PostgreSQL 15" in finding.message


@ONE_VERSION
def test_collect_runs_sees_the_comparison(basic: Project) -> None:
    with collect_runs() as runs:
        basic.autogenerate_source(**OPTIONS)
    [run] = runs
    assert len(run.operations) == 1
    assert len(run.operations[0].changes) == 2


def test_the_levels_of_the_tests_are_valid_toml() -> None:
    import tomllib

    assert len(tomllib.loads(LEVELS)["levels"]) == 2


@ONE_VERSION
def test_abort_looks_at_every_table_before_it_stops(basic: Project, connection: Connection) -> None:
    connection.execute(WRONG_NOTES)  # type: ignore[arg-type]
    connection.execute("INSERT INTO migration.assets VALUES (9, 1, 20, 'wrong')")
    basic.autogenerate(**OPTIONS)
    with pytest.raises(DBAPIError) as refused:
        basic.upgrade()
    message = str(refused.value.orig)
    assert "migration.assets: 1 row(s)" in message
    assert "migration.notes: 2 row(s)" in message
