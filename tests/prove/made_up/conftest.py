"""A role that owns tables and is no superuser."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from psycopg import sql

from tests.prove.made_up.rows import Connection


@pytest.fixture
def owner(connection: Connection) -> Iterator[str]:
    """The name of a role without privileges; it is dropped with all that it owns."""
    name = f"owner_{uuid.uuid4().hex[:12]}"
    role = sql.Identifier(name)
    connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    yield name
    connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))
