"""What pairs of schemas that other tools are tested with have found, each in a form of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL
from sqlalchemy.exc import IntegrityError

from tests.hardening import snapshot
from tests.hardening.trial import assert_same
from tests.projects import Project

pytestmark = [pytest.mark.postgres(16), pytest.mark.filterwarnings("ignore")]

CHECKS = "[tool.alembic-fixups.check-constraints]\n"
DEFAULTS = {"configure": {"compare_server_default": True}}


def changed(folder: Path, url: URL, before: str, after: str) -> Project:
    """A project whose database is as *before* has it and whose models are *after*."""
    project = Project.make(folder / "project", url, f"metadata = MetaData()\n{before}", CHECKS)
    project.create_all()
    project.models(f"metadata = MetaData()\n{after}")
    return project


def goes_both_ways(project: Project) -> None:
    """Upgrade, again, downgrade, again, upgrade; each is what the laws say."""
    before = snapshot.take(project.url)
    project.autogenerate(**DEFAULTS)
    head = project.head()
    project.upgrade()
    after = snapshot.take(project.url)
    assert snapshot.catalog_differences(before, after)
    assert project.is_converged(**DEFAULTS)
    project.stamp("base")
    project.upgrade()
    assert_same(after, snapshot.take(project.url), "after a second upgrade")
    project.downgrade("base")
    assert_same(before, snapshot.take(project.url), "after the downgrade")
    project.stamp(head)
    project.downgrade("base")
    assert_same(before, snapshot.take(project.url), "after a second downgrade")
    project.upgrade()
    assert_same(after, snapshot.take(project.url), "after upgrade, downgrade, upgrade")


def test_a_table_without_a_column_is_created_and_dropped(tmp_path: Path, database_url: URL) -> None:
    """Alembic writes a comma too many before the options of such a table."""
    table = 'Table("bare", metadata, comment="no column")'
    project = changed(tmp_path, database_url, "", table)
    before = snapshot.take(database_url)
    project.autogenerate()
    head = project.head()
    project.upgrade()
    project.stamp("base")
    project.upgrade()
    assert "no column" in str(snapshot.take(database_url).catalog)
    project.downgrade("base")
    project.stamp(head)
    project.downgrade("base")
    assert_same(before, snapshot.take(database_url), "after a second downgrade")


def test_the_name_of_an_index_goes_to_another_table_where_a_foreign_key_rests_on_it(
    tmp_path: Path, database_url: URL
) -> None:
    """Run again, DROP INDEX by name alone would meet the index of the other table."""

    def models(referred: str, kept: str) -> str:
        tables = "".join(
            f'{name} = Table("{name}", metadata, Column("id", Integer, nullable=False))\n'
            for name in (referred, kept)
        )
        return (
            f'{tables}Index("by_id", {referred}.c.id, unique=True)\n'
            'Table("child", metadata, Column("parent", Integer), '
            f'ForeignKeyConstraint(["parent"], ["{referred}.id"], name="child_parent"))\n'
        )

    goes_both_ways(
        changed(tmp_path, database_url, models("first", "second"), models("second", "first"))
    )


def test_the_message_of_a_look_after_a_new_column_does_not_say_that_nothing_has_changed(
    tmp_path: Path, database_url: URL, connection: psycopg.Connection[Any]
) -> None:
    """Rows have no value in a new column, and the check wants one."""
    table = 'Table("item", metadata, Column("id", Integer, primary_key=True){})'
    checked = ', Column("size", Integer), CheckConstraint("size IS NOT NULL", name="sized")'
    project = changed(tmp_path, database_url, table.format(""), table.format(checked))
    connection.execute("INSERT INTO item VALUES (1), (2)")
    project.autogenerate()
    with pytest.raises(IntegrityError) as refused:
        project.upgrade()
    assert "item: 2 row(s) violate sized" in str(refused.value)
    assert "Nothing has been changed" not in str(refused.value)
    assert "does before its checks is done" in str(refused.value)
    connection.execute("UPDATE item SET size = 1")
    project.upgrade()
    assert project.is_converged()


@pytest.mark.parametrize("becomes", [True, False])
def test_a_column_that_can_be_null_becomes_an_identity_or_stops_being_one(
    tmp_path: Path, database_url: URL, becomes: bool
) -> None:
    """Alembic leaves NOT NULL alone where one side is an identity."""
    table = 'Table("item", metadata, Column("id", Integer), Column("n", Integer{}))'
    plain, identity = table.format(""), table.format(", Identity()")
    before, after = (plain, identity) if becomes else (identity, plain)
    goes_both_ways(changed(tmp_path, database_url, before, after))


def test_a_table_without_a_column_is_compared(tmp_path: Path, database_url: URL) -> None:
    """SQLAlchemy asks once more whether such a table is there, and takes a Connection only."""
    one = 'Table("{}", metadata, comment="no column", schema={!r})'
    project = changed(tmp_path, database_url, one.format("gone", None), one.format("come", None))
    goes_both_ways(project)
