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

MODELS = """
metadata = MetaData()
Table("items", metadata, Column("id", Integer, primary_key=True), Column("name", String(20)),
      Column("mood", Enum("sad", "ok", name="mood")), Column("number", BigInteger,
      server_default=Sequence("numbers", metadata=metadata).next_value()))
"""


@pytest.fixture
def project(tmp_path: Path, database_url: URL) -> Project:
    """Models whose one table is in public."""
    made = Project.make(tmp_path / "project", database_url, MODELS, settings())
    made.create_all()
    with scratch.connect(database_url) as connection:
        connection.execute("INSERT INTO items (name) VALUES ('a'), (NULL)")
    return made


def test_the_next_revision_moves_it_again(project: Project, server: scratch.Server) -> None:
    before = snapshot.both(server, project.url)
    with scratch.database(server, template=project.url.database) as production:
        # Stopped after the moves and before the stamp; and the revision thrown away.
        project.autogenerate()
        project.upgrade()
        project.stamp("base")
        for path in (project.folder / "migrations" / "versions").glob("*.py"):
            path.unlink()
        project.autogenerate()
        for url in (project.url, production):
            there = replace(project, url=url)
            there.upgrade()
            assert there.is_converged()
            there.downgrade("base")
            assert snapshot.both(server, url) == before


def test_what_fails_after_the_moves_takes_them_back(
    project: Project, server: scratch.Server
) -> None:
    before = snapshot.both(server, project.url)
    project.models(MODELS.replace("String(20)", "String(20), nullable=False"))
    project.autogenerate()
    with pytest.raises(DBAPIError, match="contains null values"):
        project.upgrade()
    assert snapshot.both(server, project.url) == before
