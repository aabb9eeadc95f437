"""A database with the extension vector that others are made from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alembic_fixups import scratch


@pytest.fixture(scope="session")
def template(server: scratch.Server) -> Iterator[str]:
    """Its name."""
    with scratch.database(server) as url:
        with scratch.connect(url) as connection:
            connection.execute("CREATE EXTENSION vector")
        assert url.database is not None
        yield url.database
