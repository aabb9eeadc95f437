"""What a database is compared with, whoever has made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from alembic_fixups.squash import description, dump
from alembic_fixups.squash.fingerprint import Fingerprint

pytestmark = pytest.mark.postgres(16)

MAKES = """
CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO CURRENT_USER USING (a > 0);
CREATE TABLE o (a int); ALTER TABLE o OWNER TO pg_monitor; GRANT SELECT ON o TO CURRENT_USER;
CREATE TABLE n (a int); GRANT SELECT ON n TO pg_monitor
"""


@pytest.fixture
def somebody(server: Server) -> Iterator[str]:
    """Another role that may do everything."""
    with scratch.connect(server.url) as connection:
        connection.execute('CREATE ROLE "some body" SUPERUSER LOGIN')
        yield "some body"
        connection.execute('DROP ROLE "some body"')


def test_who_runs_the_revisions_is_no_drift(
    server: Server, database_url: URL, somebody: str
) -> None:
    theirs = replace(server, url=server.url.set(username=somebody))
    with scratch.database(theirs) as made:
        with scratch.connect(made) as connection:
            connection.execute(MAKES)
        found = Fingerprint.take(theirs, made, dump.tools(theirs), ("public", "none"))
    assert not any(somebody in f"{one.name} {one.definition}" for one in found.objects)
    assert Fingerprint.from_json(found.to_json()) == found
    look = description.look(found.objects, found.also, found.postgresql, None)
    with scratch.connect(database_url) as connection:
        connection.execute(MAKES)
        assert found.drift(database_url) == []
        connection.execute(look)
        connection.execute("ALTER POLICY p ON t USING (a > 1)")
        connection.execute("REVOKE SELECT ON o FROM CURRENT_USER")
        changed = "\n".join(found.drift(database_url))
        assert "policy" in changed and "a > 1" in changed
        assert "grant" in changed and "(not there)" in changed
        with pytest.raises(Exception, match="1 of what this revision makes is there"):
            connection.execute(look)
