"""Databases that differ from the one a revision was generated on, and odd catalogs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from tests.fixups.tenant_keys.cases import (
    BASIC,
    BASIC_ROWS,
    DECLARED,
    HIERARCHY,
    HIERARCHY_ROWS,
    NAMES,
    NAMES_LEVELS,
    NAMES_ROWS,
    PARTITIONED,
    PLAIN_ASSETS,
    WRONG_NOTES,
    settings,
)
from tests.fixups.tenant_keys.test_migration import Connection, basic, made
from tests.laws import snapshot
from tests.projects import Project

__all__ = ["basic"]  # a fixture

ONE_VERSION = pytest.mark.postgres(16)
OPTIONS: dict[str, Any] = {"configure": {"include_schemas": True}}
ROOT = Path(__file__).parents[3]

SHORT_WAIT = "[tool.alembic-fixups]\nlock-timeout = '100ms'\n" + settings()

ASSETS_ROWS = HIERARCHY_ROWS + "INSERT INTO migration.assets VALUES (1, 1, 10), (2, 2, 20);"

NOT_YET_VALID = (
    ASSETS_ROWS
    + """
ALTER TABLE migration.engagements ADD UNIQUE (client_account_id, id);
ALTER TABLE migration.assets DROP CONSTRAINT asset_engagement,
  ADD CONSTRAINT half_done FOREIGN KEY (client_account_id, engagement_id)
    REFERENCES migration.engagements (client_account_id, id) ON DELETE CASCADE NOT VALID;
"""
)

PARTITIONED_ROWS = (
    HIERARCHY_ROWS
    + """
CREATE TABLE migration.events_0 PARTITION OF migration.events
  FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE migration.events_1 PARTITION OF migration.events
  FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO migration.events
  SELECT n, 1 + n % 2, 10 * (1 + n % 2), n FROM generate_series(1, 9) AS n;
"""
)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def run(connection: Connection, script: str) -> None:
    connection.execute(script)


def constraints(connection: Connection, table: str) -> dict[str, str]:
    """The constraints of a table, as PostgreSQL writes them."""
    return dict(
        rows(
            connection,
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            f" WHERE conrelid = 'migration.{table}'::regclass AND contype <> 'n'",
        )
    )


@contextmanager
def before_statement(part: str, act: Callable[[], object]) -> Iterator[list[str]]:
    """Does something just before the first statement of a migration that holds *part*."""
    met: list[str] = []

    def look(own: Any, cursor: Any, statement: str, *_: Any) -> None:
        if part in statement and not met:
            met.append(statement)
            act()

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield met
    finally:
        event.remove(Engine, "before_cursor_execute", look)


# MATCH FULL

NULLABLE = PLAIN_ASSETS.replace(
    'name="asset_engagement"), nullable=False)', 'name="asset_engagement"))'
)
FULL = DECLARED.replace(
    'Column("engagement_id", Integer, nullable=False)', 'Column("engagement_id", Integer)'
).replace('name="asset_engagement", ondelete', 'name="asset_engagement", match="FULL", ondelete')


@pytest.fixture
def full(tmp_path: Path, database_url: URL) -> Project:
    """Models that declare the key MATCH FULL, a database that has the old key and a NULL."""
    assert "FULL" in FULL
    project = made(
        tmp_path,
        database_url,
        NULLABLE,
        ASSETS_ROWS + "INSERT INTO migration.assets VALUES (3, 1, NULL)",
    )
    project.models(FULL)
    return project


@ONE_VERSION
def test_a_key_that_is_declared_match_full_is_made_so(
    full: Project, connection: Connection, server: Server
) -> None:
    run(connection, "DELETE FROM migration.assets WHERE id = 3")
    before = snapshot.both(server, full.url)
    full.autogenerate(**OPTIONS)
    full.upgrade()
    assert " MATCH FULL ON DELETE CASCADE" in constraints(connection, "assets")["asset_engagement"]
    assert full.is_converged(**OPTIONS)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run(connection, "INSERT INTO migration.assets VALUES (3, 1, NULL)")
    full.downgrade("base")
    assert snapshot.both(server, full.url) == before


@ONE_VERSION
def test_rows_that_violate_match_full_are_found_by_its_rule(
    full: Project, connection: Connection, server: Server
) -> None:
    before = snapshot.both(server, full.url)
    full.autogenerate(**OPTIONS)
    with pytest.raises(DBAPIError, match=r"migration\.assets: 1 row\(s\)") as refused:
        full.upgrade()
    query = str(refused.value.orig).split("to see them all: ")[1].split(";")[0]
    assert rows(connection, query) == [(3, 1, None)]
    assert snapshot.both(server, full.url) == before


@ONE_VERSION
def test_rows_that_violate_match_full_are_moved_and_put_back(
    full: Project, connection: Connection, server: Server
) -> None:
    before = snapshot.both(server, full.url)
    full.settings(settings('violations = "quarantine"'))
    full.autogenerate(**OPTIONS)
    full.upgrade()
    assert rows(connection, "SELECT id FROM migration.assets_tenant_violations") == [(3,)]
    full.downgrade("base")
    assert snapshot.both(server, full.url) == before


# Not what the revision was generated on


def test_the_old_key_stays_where_the_tenant_may_be_null(
    basic: Project, connection: Connection
) -> None:
    basic.autogenerate(**OPTIONS)
    run(connection, "ALTER TABLE migration.assets ALTER client_account_id DROP NOT NULL")
    old_key_stays_until(
        basic,
        connection,
        "ALTER TABLE migration.assets ALTER client_account_id SET NOT NULL",
    )


@pytest.mark.postgres(18)
def test_the_old_key_stays_where_not_null_of_the_tenant_is_not_valid(
    basic: Project, connection: Connection
) -> None:
    basic.autogenerate(**OPTIONS)
    run(connection, "ALTER TABLE migration.assets ALTER client_account_id DROP NOT NULL")
    old_key_stays_until(
        basic,
        connection,
        "ALTER TABLE migration.assets VALIDATE CONSTRAINT later",
        "ALTER TABLE migration.assets ADD CONSTRAINT later NOT NULL client_account_id NOT VALID",
    )


def old_key_stays_until(
    project: Project, connection: Connection, repair: str, setup: str = ""
) -> None:
    """A row without a tenant, which only the old key checks, stops the upgrade until *repair*."""
    run(connection, "INSERT INTO migration.assets VALUES (9, NULL, 11, 'nobody''s')")
    run(connection, setup)
    old = constraints(connection, "assets")["assets_engagement_id_fkey"]
    with pytest.raises(DBAPIError, match=r"make NOT NULL first: client_account_id"):
        project.upgrade()
    assert constraints(connection, "assets")["assets_engagement_id_fkey"] == old
    with connection.transaction(force_rollback=True):
        run(connection, "DELETE FROM migration.engagements WHERE id = 11")
        assert rows(connection, "SELECT id FROM migration.assets WHERE id = 9") == []
    run(connection, "UPDATE migration.assets SET client_account_id = 1 WHERE id = 9")
    run(connection, repair)
    project.upgrade()
    assert "assets_engagement_id_fkey" not in constraints(connection, "assets")
    assert project.is_converged(**OPTIONS)


@ONE_VERSION
@pytest.mark.parametrize("instead", ["", "ON DELETE RESTRICT NOT VALID"])
def test_a_key_to_be_validated_that_is_not_there_stops_the_upgrade(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server, instead: str
) -> None:
    project = made(tmp_path, database_url, PLAIN_ASSETS, NOT_YET_VALID)
    project.autogenerate(**OPTIONS)
    foreign_key = (
        "ADD CONSTRAINT half_done FOREIGN KEY (client_account_id, engagement_id)"
        " REFERENCES migration.engagements (client_account_id, id) "
    )
    run(
        connection,
        "ALTER TABLE migration.assets DROP CONSTRAINT half_done"
        + (f", {foreign_key}{instead}" if instead else ""),
    )
    before = constraints(connection, "assets")
    with pytest.raises(DBAPIError, match="has no constraint half_done that could be validated"):
        project.upgrade()
    assert constraints(connection, "assets") == before
    run(
        connection,
        "ALTER TABLE migration.assets DROP CONSTRAINT IF EXISTS half_done, "
        f"{foreign_key} ON DELETE CASCADE NOT VALID",
    )
    project.upgrade()
    assert project.is_converged(**OPTIONS)


@ONE_VERSION
def test_a_check_with_the_name_of_the_key_to_be_swapped_is_kept(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    project = made(tmp_path, database_url, PLAIN_ASSETS, ASSETS_ROWS)
    project.models(DECLARED)
    project.autogenerate(**OPTIONS)
    run(
        connection,
        "ALTER TABLE migration.assets DROP CONSTRAINT asset_engagement,"
        " ADD CONSTRAINT asset_engagement CHECK (engagement_id > 0),"
        " ADD CONSTRAINT other FOREIGN KEY (engagement_id)"
        "   REFERENCES migration.engagements ON DELETE CASCADE",
    )
    before = constraints(connection, "assets")
    with pytest.raises(DBAPIError, match="already has a constraint asset_engagement with another"):
        project.upgrade()
    assert constraints(connection, "assets") == before
    run(
        connection,
        "ALTER TABLE migration.assets RENAME CONSTRAINT asset_engagement TO positive",
    )
    project.upgrade()
    there = constraints(connection, "assets")
    assert there["positive"] == before["asset_engagement"]
    assert there["asset_engagement"].startswith("FOREIGN KEY (engagement_id, client_account_id)")


@ONE_VERSION
def test_the_old_key_goes_under_whatever_name_where_the_new_one_was_to_take_its_name(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    project = made(tmp_path, database_url, PLAIN_ASSETS, ASSETS_ROWS)
    project.models(DECLARED)
    project.autogenerate(**OPTIONS)
    run(connection, "ALTER TABLE migration.assets RENAME CONSTRAINT asset_engagement TO other")
    project.upgrade()
    assert "other" not in constraints(connection, "assets")
    assert project.is_converged(**OPTIONS)


@ONE_VERSION
def test_an_old_key_with_other_options_stays(basic: Project, connection: Connection) -> None:
    """The new key would not do the same, nor could the downgrade bring it back."""
    basic.autogenerate(**OPTIONS)
    run(
        connection,
        "ALTER TABLE migration.assets DROP CONSTRAINT assets_engagement_id_fkey,"
        " ADD CONSTRAINT elsewhere FOREIGN KEY (engagement_id)"
        "   REFERENCES migration.engagements ON DELETE RESTRICT",
    )
    with pytest.raises(DBAPIError, match=r"another foreign key .*: elsewhere, FOREIGN KEY"):
        basic.upgrade()
    there = constraints(connection, "assets")
    assert there["elsewhere"].endswith("ON DELETE RESTRICT")
    assert "fk_assets_client_account_id_engagement_id" not in there, "nothing has been changed"
    run(
        connection,
        "ALTER TABLE migration.assets DROP CONSTRAINT elsewhere,"
        " ADD CONSTRAINT elsewhere FOREIGN KEY (engagement_id)"
        "   REFERENCES migration.engagements ON DELETE CASCADE",
    )
    basic.upgrade()
    assert "elsewhere" not in constraints(connection, "assets")
    assert basic.is_converged(**OPTIONS)


@ONE_VERSION
@pytest.mark.parametrize(
    ("taken", "name", "drop"),
    [
        (
            "CREATE INDEX ix_assets_client_account_id_engagement_id ON migration.assets"
            " USING brin (client_account_id, engagement_id)",
            "ix_assets_client_account_id_engagement_id",
            "DROP INDEX migration.ix_assets_client_account_id_engagement_id",
        ),
        (
            "CREATE INDEX ix_assets_client_account_id_engagement_id ON migration.assets"
            " (engagement_id, client_account_id)",
            "ix_assets_client_account_id_engagement_id",
            "DROP INDEX migration.ix_assets_client_account_id_engagement_id",
        ),
        (
            "ALTER TABLE migration.engagements ADD CONSTRAINT uq_engagements_client_account_id_id"
            " UNIQUE (client_account_id, id) DEFERRABLE",
            "uq_engagements_client_account_id_id",
            "ALTER TABLE migration.engagements DROP CONSTRAINT uq_engagements_client_account_id_id",
        ),
    ],
    ids=["brin", "other-order", "deferrable-unique"],
)
def test_an_index_with_the_name_but_of_another_kind_stops_the_upgrade(
    basic: Project,
    connection: Connection,
    server: Server,
    taken: str,
    name: str,
    drop: str,
) -> None:
    basic.autogenerate(**OPTIONS)
    run(connection, taken)
    definition = f"SELECT pg_get_indexdef('migration.{name}'::regclass)"
    before = rows(connection, definition)
    with pytest.raises(DBAPIError, match=f"the name {name} is taken by something else"):
        basic.upgrade()
    assert rows(connection, definition) == before
    run(connection, drop)
    basic.upgrade()
    assert basic.is_converged(**OPTIONS)


@ONE_VERSION
@pytest.mark.parametrize("mode", ["abort", "quarantine", "null"])
def test_a_wrong_row_written_after_the_look_is_found_and_the_message_says_what_to_do(
    basic: Project, connection: Connection, mode: str
) -> None:
    basic.settings(settings(f'violations = "{mode}"'))
    basic.autogenerate(**OPTIONS)

    def write() -> None:
        run(connection, "INSERT INTO migration.notes VALUES (70, 1, 20, 'late')")

    with (
        before_statement("CONCURRENTLY IF NOT EXISTS ix_notes", write) as met,
        pytest.raises(DBAPIError, match="been written since they were looked for: run this again"),
    ):
        basic.upgrade()
    assert len(met) == 1
    assert rows(connection, "SELECT * FROM migration.notes WHERE id = 70") == [(70, 1, 20, "late")]
    if mode == "abort":
        with pytest.raises(DBAPIError, match=r"migration\.notes: 1 row\(s\)"):
            basic.upgrade()
        run(connection, "DELETE FROM migration.notes WHERE id = 70")
    basic.upgrade()
    assert basic.is_converged(**OPTIONS)
    basic.downgrade("base")
    assert rows(connection, "SELECT * FROM migration.notes WHERE id = 70") == (
        [] if mode == "abort" else [(70, 1, 20, "late")]
    )


# Odd catalogs

TWO_ON_ONE_COLUMN = (
    HIERARCHY
    + """
def tenant():
    return [
        Column("id", Integer, primary_key=True),
        Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),
        Column("engagement_id", ForeignKey("engagements.id"), nullable=False),
    ]
Table("flows", metadata, *tenant())
Table("assets", metadata, *tenant())
Table("things", metadata, *tenant(),
      Column("id_of_both", Integer, ForeignKey("flows.id", name="one"),
             ForeignKey("assets.id", name="two")))
"""
)


@ONE_VERSION
def test_two_foreign_keys_on_one_column_become_two_with_names_of_their_own(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server
) -> None:
    project = made(tmp_path, database_url, TWO_ON_ONE_COLUMN, HIERARCHY_ROWS, 'scope = "all"')
    before = snapshot.both(server, project.url)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    columns = "(client_account_id, engagement_id, id_of_both)"
    parents = sorted(
        definition.split(" REFERENCES ")[1]
        for definition in constraints(connection, "things").values()
        if definition.startswith(f"FOREIGN KEY {columns} ")
    )
    assert parents == [
        "migration.assets(client_account_id, engagement_id, id)",
        "migration.flows(client_account_id, engagement_id, id)",
    ]
    assert not {"one", "two"} & constraints(connection, "things").keys()
    assert project.is_converged(**OPTIONS)
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


@ONE_VERSION
@pytest.mark.parametrize("case", ["basic", "names", "partitioned", "declared"])
def test_quote_all_identifiers_changes_nothing(
    tmp_path: Path, database_url: URL, connection: Connection, server: Server, case: str
) -> None:
    """With it on, PostgreSQL quotes every name in the definitions that steps compare."""
    models, setup, toml = {
        "basic": (BASIC, BASIC_ROWS + WRONG_NOTES, settings('violations = "quarantine"')),
        "names": (NAMES, NAMES_ROWS, settings('violations = "null"', NAMES_LEVELS)),
        "partitioned": (PARTITIONED, PARTITIONED_ROWS, settings()),
        "declared": (PLAIN_ASSETS, ASSETS_ROWS, settings()),
    }[case]
    run(connection, f'ALTER DATABASE "{database_url.database}" SET quote_all_identifiers = on')
    project = made(tmp_path, database_url, models, setup)
    project.settings(toml)
    if case == "declared":
        project.models(DECLARED)
    before = snapshot.both(server, project.url)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    after = snapshot.both(server, project.url)
    assert after != before
    assert project.is_converged(**OPTIONS)
    head = project.head()
    project.stamp("base")
    project.upgrade()
    assert snapshot.both(server, project.url) == after
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before
    project.stamp(head)
    project.downgrade("base")
    assert snapshot.both(server, project.url) == before


OWN_INDEX = "CREATE INDEX mine ON migration.events_0 (client_account_id, engagement_id);"


@pytest.fixture
def partitioned(tmp_path: Path, database_url: URL) -> Project:
    """A partitioned child, none of its rows wrong."""
    return made(tmp_path, database_url, PARTITIONED, PARTITIONED_ROWS)


@pytest.mark.parametrize("quoted", ["off", "on"])
@pytest.mark.parametrize("valid", ["true", "false"])
def test_an_index_of_a_partition_stops_the_upgrade_and_is_not_taken_over(
    partitioned: Project, connection: Connection, server: Server, valid: str, quoted: str
) -> None:
    """The index of the whole table would take it in, and the downgrade drop it."""
    name = partitioned.url.database
    run(connection, f'ALTER DATABASE "{name}" SET quote_all_identifiers = {quoted}')
    without = snapshot.both(server, partitioned.url)
    run(
        connection,
        OWN_INDEX + "COMMENT ON INDEX migration.mine IS 'kept';"
        f"UPDATE pg_index SET indisvalid = {valid}"
        " WHERE indexrelid = 'migration.mine'::regclass",
    )
    partitioned.autogenerate(**OPTIONS)
    with pytest.raises(DBAPIError, match=r"partitions of migration\.events .*mine") as refused:
        partitioned.upgrade()
    assert "Drop them first" in str(refused.value.orig)
    assert rows(
        connection,
        "SELECT indisvalid, obj_description(indexrelid),"
        "  EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid)"
        " FROM pg_index WHERE indexrelid = 'migration.mine'::regclass",
    ) == [(valid == "true", "kept", False)]
    run(connection, "DROP INDEX migration.mine")
    partitioned.upgrade()
    assert partitioned.is_converged(**OPTIONS)
    partitioned.downgrade("base")
    assert snapshot.both(server, partitioned.url) == without


@pytest.mark.parametrize("quoted", ["off", "on"])
def test_a_foreign_key_of_a_partition_stops_the_upgrade_and_is_not_taken_over(
    partitioned: Project, connection: Connection, server: Server, quoted: str
) -> None:
    name = partitioned.url.database
    run(connection, f'ALTER DATABASE "{name}" SET quote_all_identifiers = {quoted}')
    run(connection, "ALTER TABLE migration.engagements ADD UNIQUE (client_account_id, id)")
    without = snapshot.both(server, partitioned.url)
    run(
        connection,
        "ALTER TABLE migration.events_0 ADD CONSTRAINT mine"
        "  FOREIGN KEY (client_account_id, engagement_id)"
        "  REFERENCES migration.engagements (client_account_id, id);"
        "COMMENT ON CONSTRAINT mine ON migration.events_0 IS 'kept'",
    )
    partitioned.autogenerate(**OPTIONS)
    with pytest.raises(DBAPIError, match=r"of their own; drop it first: .*events_0\S* \(mine\)"):
        partitioned.upgrade()
    assert rows(
        connection,
        "SELECT conparentid, convalidated, obj_description(oid) FROM pg_constraint"
        " WHERE conname = 'mine'",
    ) == [(0, True, "kept")]
    run(connection, "ALTER TABLE migration.events_0 DROP CONSTRAINT mine")
    partitioned.upgrade()
    assert partitioned.is_converged(**OPTIONS)
    partitioned.downgrade("base")
    assert snapshot.both(server, partitioned.url) == without


# Locks


@ONE_VERSION
def test_the_index_of_a_partitioned_table_is_given_up_where_it_does_not_get_its_lock(
    partitioned: Project, connection: Connection, server: Server
) -> None:
    partitioned.settings(SHORT_WAIT)
    partitioned.autogenerate(**OPTIONS)
    run(connection, f"ALTER DATABASE \"{partitioned.url.database}\" SET statement_timeout = '30s'")
    with scratch.connect(partitioned.url) as writer:
        writer.execute("BEGIN; UPDATE migration.events SET event_id = 1 WHERE id = 1")
        with pytest.raises(DBAPIError, match="lock timeout") as refused:
            partitioned.upgrade()
        assert "ON migration.events (client_account_id, engagement_id)" in str(
            refused.value.statement
        )
        writer.execute("ROLLBACK")
    partitioned.upgrade()
    assert partitioned.is_converged(**OPTIONS)


@ONE_VERSION
def test_the_index_of_a_partitioned_table_is_left_where_dropping_it_does_not_get_its_lock(
    partitioned: Project, connection: Connection, server: Server
) -> None:
    partitioned.settings(SHORT_WAIT)
    before = snapshot.both(server, partitioned.url)
    partitioned.autogenerate(**OPTIONS)
    partitioned.upgrade()
    run(connection, f"ALTER DATABASE \"{partitioned.url.database}\" SET statement_timeout = '30s'")
    with scratch.connect(partitioned.url) as reader:

        def read() -> None:
            reader.execute("BEGIN; SELECT * FROM migration.events")

        with (
            before_statement("DROP INDEX IF EXISTS migration.ix_events", read) as met,
            pytest.raises(DBAPIError, match="lock timeout") as refused,
        ):
            partitioned.downgrade("base")
        assert [refused.value.statement] == met
        reader.execute("ROLLBACK")
    partitioned.downgrade("base")
    assert snapshot.both(server, partitioned.url) == before


UPGRADE = """
import pathlib, sys
from sqlalchemy import make_url
from tests.projects import Project
Project(pathlib.Path(sys.argv[1]), make_url(sys.argv[2])).upgrade()
"""


@ONE_VERSION
def test_a_second_upgrade_stops_while_the_first_builds_an_index(
    basic: Project, connection: Connection
) -> None:
    """It neither takes the index that is INVALID yet for a left-over, nor makes readers wait."""
    basic.autogenerate(**OPTIONS)
    run(connection, f"ALTER DATABASE \"{basic.url.database}\" SET statement_timeout = '60s'")
    run(connection, "SET lock_timeout = '1s'")
    with scratch.connect(basic.url) as old:
        # CREATE INDEX CONCURRENTLY waits at its end for whoever may still need the old rows.
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
        first = subprocess.Popen(
            [sys.executable, "-c", UPGRADE, str(basic.folder), basic.url.render_as_string()],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(
                connection,
                "SELECT count(*) = 1 FROM pg_stat_progress_create_index"
                f" WHERE datname = '{basic.url.database}' AND phase = 'waiting for old snapshots'",
            )
            [(index,)] = rows(
                connection, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
            )
            assert index == "migration.uq_engagements_client_account_id_id"
            with pytest.raises(DBAPIError, match="another session is building uq_engagements"):
                basic.upgrade()
            assert rows(connection, "SELECT count(*) FROM migration.engagements") == [(3,)]
            assert rows(connection, "SELECT count(*) FROM migration.assets") == [(3,)]
            assert rows(
                connection,
                "SELECT count(*) FROM pg_index"
                f" WHERE NOT indisvalid AND indexrelid = '{index}'::regclass",
            ) == [(1,)]
            assert first.poll() is None
            old.execute("ROLLBACK")
            _, errors = first.communicate(timeout=60)
        finally:
            first.kill()
            first.wait()
    assert first.returncode == 0, errors
    assert rows(connection, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    assert basic.is_converged(**OPTIONS)
    basic.upgrade()


def wait_until(connection: Connection, query: str) -> None:
    """Asks again until the answer is yes; gives up after half a minute."""
    deadline = time.monotonic() + 30
    while rows(connection, query) != [(True,)]:
        assert time.monotonic() < deadline, f"still not: {query}"
        time.sleep(0.02)
