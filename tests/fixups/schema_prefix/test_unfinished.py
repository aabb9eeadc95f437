"""An upgrade that stopped after it had moved tables, and the revision generated again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from alembic_fixups import scratch
from tests.fixups.schema_prefix.cases import settings
from tests.laws import snapshot
from tests.projects import Project

pytestmark = pytest.mark.postgres(16)

BEFORE = """
metadata = MetaData()
Table("items", metadata, Column("id", Integer, primary_key=True), Column("name", String(20)),
      Column("mood", Enum("sad", "ok", name="mood")))
"""
STRICT = BEFORE.replace("String(20)", "String(20), nullable=False")


def test_the_next_revision_moves_it_again(
    tmp_path: Path, database_url: URL, server: scratch.Server
) -> None:
    project = Project.make(tmp_path / "project", database_url, BEFORE, settings())
    project.create_all()
    with scratch.connect(database_url) as connection:
        connection.execute("INSERT INTO items (name) VALUES ('a'), (NULL)")
    with scratch.database(server, template=database_url.database) as production:
        project.models(STRICT)
        project.autogenerate()
        with pytest.raises(DBAPIError, match="contains null values"):
            project.upgrade()
        with scratch.connect(database_url) as connection:
            assert connection.execute("SELECT count(*) FROM migration.items").fetchone() == (2,)

        # The developer gives the column up, and the revision too.
        for path in (project.folder / "migrations" / "versions").glob("*.py"):
            path.unlink()
        project.models(BEFORE)
        project.autogenerate()
        for url in (database_url, production):
            there = replace(project, url=url)
            before = snapshot.both(server, production)
            there.upgrade()
            assert there.is_converged()
            there.downgrade("base")
            assert snapshot.both(server, url) == before
