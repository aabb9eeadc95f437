"""Checks that make way for Alembic's operations, in a revision that moves tables as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from tests.fixups.check_constraints.comparing import SETTINGS, project, run
from tests.laws import snapshot

MODELS = """
metadata = MetaData()
Table("t", metadata, Column("id", Integer, primary_key=True),
      CheckConstraint("id > 0", name="positive"))
"""
SQL = """
CREATE TABLE t (id int PRIMARY KEY, s int, CONSTRAINT gone CHECK (s > 0));
INSERT INTO t VALUES (1, 2);
"""
HOME = '\n[tool.alembic-fixups.schema-prefix]\nschema = "app"\nmove-from = ["public"]\n'
OPTIONS = {"configure": {"include_schemas": True}}


@pytest.mark.postgres(16)
def test_what_fails_after_the_check_went_takes_the_moves_back(
    tmp_path: Path, database_url: URL, server: scratch.Server
) -> None:
    made = project(tmp_path, database_url, MODELS, SQL)
    (made.folder / "pyproject.toml").write_text(SETTINGS + HOME)
    before = snapshot.both(server, database_url)
    source = made.autogenerate(**OPTIONS)
    [path] = (made.folder / "migrations" / "versions").glob("*.py")
    drop = "    op.drop_column("
    assert source.split("def downgrade")[0].count(drop) == 1
    path.write_text(source.replace(drop, '    op.execute("SELECT 1 / 0")\n' + drop, 1))
    with pytest.raises(Exception, match="division by zero"):
        made.upgrade(**OPTIONS)
    run(database_url, "DROP TABLE IF EXISTS alembic_version")
    assert snapshot.both(server, database_url) == before
    path.write_text(source)
    made.upgrade(**OPTIONS)
    assert made.is_converged(**OPTIONS)
    made.downgrade("base", **OPTIONS)
    with scratch.connect(database_url) as connection:
        [check] = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'gone'"
        ).fetchone() or [""]
    assert check == "CHECK ((s > 0))"
