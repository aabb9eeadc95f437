"""Foreign keys compared by their own operators, names of all kinds, revisions kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from tests.fixups.tenant_keys.cases import (
    BASIC,
    BASIC_ROWS,
    DECLARED,
    HIERARCHY,
    HIERARCHY_ROWS,
    PLAIN_ASSETS,
    WRONG_NOTES,
    settings,
)
from tests.fixups.tenant_keys.test_migration import OPTIONS, made, scalar
from tests.laws import snapshot
from tests.projects import Project

pytestmark = pytest.mark.postgres(16)
Connection = psycopg.Connection[tuple[Any, ...]]
QUARANTINE = 'violations = "quarantine"'
WITHOUT_REPLIES = {
    "configure": {
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "table" or name != "replies",
    }
}


def test_rows_that_point_by_another_type_are_seen(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    """To the foreign key 'a' and 'a ' are one char(3); to = between them and text they are not."""
    models = HIERARCHY + (
        'Table("notes", metadata, Column("id", CHAR(3), primary_key=True),\n'
        '  Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),\n'
        '  Column("engagement_id", ForeignKey("engagements.id"), nullable=False))\n'
    )
    rows = HIERARCHY_ROWS + "INSERT INTO migration.notes VALUES ('a', 1, 20);"
    project = made(tmp_path, database_url, models, rows, QUARANTINE)
    connection.execute(
        "CREATE TABLE migration.replies (id int, note text REFERENCES migration.notes"
        " ON DELETE CASCADE); INSERT INTO migration.replies VALUES (1, 'a ')"
    )
    project.autogenerate(**WITHOUT_REPLIES)
    with pytest.raises(DBAPIError, match=r"1 row\(s\) of migration\.replies point at them"):
        project.upgrade()
    assert scalar(connection, "SELECT count(*) FROM migration.replies") == 1


def test_keys_compare_by_their_own_operator_and_collation(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    models = (
        HIERARCHY.replace(
            '"engagements", metadata,\n    Column("id", Integer,',
            '"engagements", metadata,\n    Column("id", String(collation="C"),',
        )
        + 'Table("assets", metadata, Column("id", Integer, primary_key=True),\n'
        '  Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),\n'
        '  Column("engagement_id", String(collation="ucs_basic"), ForeignKey("engagements.id")))\n'
    )
    rows = (
        "INSERT INTO migration.client_accounts VALUES (1);"
        "INSERT INTO migration.engagements VALUES ('x', 1);"
        "INSERT INTO migration.assets VALUES (1, 1, 'x')"
    )
    project = made(tmp_path, database_url, models, rows)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    assert project.is_converged(**OPTIONS)
    project.downgrade("base")


@pytest.mark.postgres(15)
def test_an_extension_type_off_the_search_path_is_compared_by_its_operator(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    connection.execute("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext")
    connection.execute(
        "CREATE SCHEMA migration;"
        "CREATE TABLE migration.client_accounts (id int PRIMARY KEY);"
        "CREATE TABLE migration.engagements (id ext.citext PRIMARY KEY,"
        "  client_account_id int NOT NULL REFERENCES migration.client_accounts);"
        "CREATE TABLE migration.assets (id int PRIMARY KEY,"
        "  client_account_id int NOT NULL REFERENCES migration.client_accounts,"
        "  engagement_id ext.citext REFERENCES migration.engagements);"
        "INSERT INTO migration.client_accounts VALUES (1);"
        "INSERT INTO migration.engagements VALUES ('ABC', 1);"
        "INSERT INTO migration.assets VALUES (1, 1, 'abc')"
    )
    models = (
        "from sqlalchemy.dialects.postgresql import CITEXT\n"
        + HIERARCHY.replace(
            '"engagements", metadata,\n    Column("id", Integer,',
            '"engagements", metadata,\n    Column("id", CITEXT,',
        )
        + 'Table("assets", metadata, Column("id", Integer, primary_key=True),\n'
        '  Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),\n'
        '  Column("engagement_id", ForeignKey("engagements.id")))\n'
    )
    project = Project.make(tmp_path / "project", database_url, models, settings(QUARANTINE))
    options = {"configure": {"include_schemas": True, "compare_type": False}}
    project.autogenerate(**options)
    project.upgrade()
    assert scalar(connection, "SELECT count(*) FROM migration.assets") == 1


@pytest.mark.parametrize("action", ["RESTRICT", "NO ACTION"])
def test_an_old_key_of_the_same_name_with_other_actions_is_refused(
    tmp_path: Path, database_url: URL, connection: Connection, action: str
) -> None:
    rows = HIERARCHY_ROWS + "INSERT INTO migration.assets VALUES (1, 1, 10);"
    project = made(tmp_path, database_url, PLAIN_ASSETS, rows)
    project.models(DECLARED)
    project.autogenerate(**OPTIONS)
    connection.execute(
        "ALTER TABLE migration.assets DROP CONSTRAINT asset_engagement, ADD CONSTRAINT"
        f" asset_engagement FOREIGN KEY (engagement_id) REFERENCES migration.engagements"
        f" ON DELETE {action}"
    )  # type: ignore[arg-type]
    with pytest.raises(DBAPIError, match="another foreign key than where"):
        project.upgrade()
    found = scalar(
        connection,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'asset_engagement'",
    )
    assert found.startswith("FOREIGN KEY (engagement_id)")


def test_a_refused_move_has_moved_nothing_of_other_tables(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    rows = BASIC_ROWS + WRONG_NOTES + "INSERT INTO migration.assets VALUES (9, 1, 20, 'w');"
    project = made(tmp_path, database_url, BASIC, rows, QUARANTINE)
    connection.execute(
        "CREATE TABLE migration.replies (id int, note_id int REFERENCES migration.notes);"
        "INSERT INTO migration.replies VALUES (1, 3)"
    )
    project.autogenerate(**WITHOUT_REPLIES)
    with pytest.raises(DBAPIError, match="point at them"):
        project.upgrade()
    assert scalar(connection, "SELECT count(*) FROM migration.assets") == 4
    assert scalar(connection, "SELECT to_regclass('migration.assets_tenant_violations')") is None


@pytest.mark.parametrize("column", ["plain", "x %", 'x"y', "order", "Mixed Case"])
def test_set_null_is_limited_to_the_column_whatever_its_name(
    tmp_path: Path, database_url: URL, connection: Connection, column: str
) -> None:
    models = HIERARCHY + (
        'Table("assets", metadata, Column("id", Integer, primary_key=True),\n'
        '  Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False),\n'
        f'  Column({column!r}, ForeignKey("engagements.id", ondelete="SET NULL")))\n'
    )
    rows = HIERARCHY_ROWS + "INSERT INTO migration.assets VALUES (1, 1, 10);"
    project = made(tmp_path, database_url, models, rows)
    project.settings(settings().replace('"engagement_id"', f"'{column}'"))
    project.autogenerate(**OPTIONS)
    project.upgrade()
    limited = scalar(
        connection,
        "SELECT cardinality(confdelsetcols) FROM pg_constraint WHERE cardinality(conkey) = 2"
        " AND contype = 'f'",
    )
    assert limited == 1
    connection.execute("DELETE FROM migration.engagements WHERE id = 10")
    assert scalar(connection, "SELECT client_account_id FROM migration.assets") == 1
    assert project.is_converged(**OPTIONS)


def test_each_revision_puts_back_its_own_rows(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    project = made(tmp_path, database_url, BASIC, BASIC_ROWS + WRONG_NOTES, QUARANTINE)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    project.models(BASIC.replace('ondelete="SET NULL", onupdate', 'ondelete="RESTRICT", onupdate'))
    project.autogenerate("second", **OPTIONS)
    project.upgrade()
    project.downgrade("-1")
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 2
    project.downgrade("base")
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 4


@pytest.mark.parametrize("mode", ["quarantine", "null"])
@pytest.mark.parametrize("old", ["single", "composite"])
def test_rows_come_back_where_the_old_key_was_not_valid(
    tmp_path: Path,
    database_url: URL,
    connection: Connection,
    server: scratch.Server,
    mode: str,
    old: str,
) -> None:
    """That rows are wrong is the usual reason why a key is NOT VALID."""
    models = PLAIN_ASSETS.replace(
        'name="asset_engagement"), nullable=False)', 'name="asset_engagement"))'
    )
    rows = HIERARCHY_ROWS + (
        "ALTER TABLE migration.assets DROP CONSTRAINT asset_engagement;"
        "INSERT INTO migration.assets VALUES (1, 1, 10), (2, 1, 999);"
        "ALTER TABLE migration.assets ADD CONSTRAINT asset_engagement FOREIGN KEY (engagement_id)"
        " REFERENCES migration.engagements ON DELETE CASCADE NOT VALID;"
        if old == "single"
        else "INSERT INTO migration.assets VALUES (1, 1, 10), (2, 1, 20);"
        "ALTER TABLE migration.engagements ADD UNIQUE (client_account_id, id);"
        "ALTER TABLE migration.assets ADD CONSTRAINT half_done FOREIGN KEY"
        " (client_account_id, engagement_id) REFERENCES migration.engagements"
        " (client_account_id, id) ON DELETE CASCADE NOT VALID;"
    )
    project = made(tmp_path, database_url, models, rows, f'violations = "{mode}"')
    before = snapshot.both(server, database_url)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    assert project.is_converged(**OPTIONS)
    project.downgrade("base")
    assert snapshot.both(server, database_url) == before


def test_a_store_whose_comment_was_changed_is_not_passed_over(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    project = made(tmp_path, database_url, BASIC, BASIC_ROWS + WRONG_NOTES, QUARANTINE)
    project.autogenerate(**OPTIONS)
    project.upgrade()
    connection.execute("COMMENT ON TABLE migration.notes_tenant_violations IS 'ticket OPS-12'")
    with pytest.raises(DBAPIError, match="COMMENT ON TABLE"):
        project.downgrade("base")
    connection.execute("COMMENT ON TABLE migration.notes_tenant_violations IS 'alembic-fixups:'")
    project.downgrade("base")
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 4


def test_a_column_that_may_be_null_by_now_is_kept_too(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    project = made(tmp_path, database_url, BASIC, BASIC_ROWS + WRONG_NOTES, QUARANTINE)
    connection.execute("ALTER TABLE migration.notes ADD extra text NOT NULL DEFAULT 'x'")
    project.autogenerate(
        configure={
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "column" or name != "extra",
        }
    )
    project.upgrade()
    connection.execute("ALTER TABLE migration.notes ALTER extra DROP NOT NULL")
    project.downgrade("base")
    connection.execute("UPDATE migration.notes SET extra = NULL")
    project.upgrade()
    assert scalar(connection, "SELECT count(*) FROM migration.notes") == 2


def test_a_key_of_the_same_name_on_a_partitioned_table_is_swapped(
    tmp_path: Path, database_url: URL, connection: Connection
) -> None:
    def events(items: str) -> str:
        return HIERARCHY + (
            'Table("events", metadata, Column("id", Integer, primary_key=True),\n'
            '  Column("client_account_id", ForeignKey("client_accounts.id"), primary_key=True),\n'
            f'  Column("engagement_id", Integer, nullable=False), {items},\n'
            '  postgresql_partition_by="HASH (client_account_id)")\n'
        )

    single = 'ForeignKeyConstraint(["engagement_id"], ["engagements.id"], name="event")'
    both = (
        'ForeignKeyConstraint(["client_account_id", "engagement_id"],'
        ' ["engagements.client_account_id", "engagements.id"], name="event")'
    )
    project = made(tmp_path, database_url, events(single), HIERARCHY_ROWS)
    project.models(events(both))
    project.autogenerate(**OPTIONS)
    project.upgrade()
    assert project.is_converged(**OPTIONS)
    project.downgrade("base")
