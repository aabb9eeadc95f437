"""A fresh database with pgvector and a project for it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from sqlalchemy.engine import URL

from tests.reembed.waiting import Waiting


@pytest.fixture
def waiting(
    connection: Connection[tuple[Any, ...]], database_url: URL, tmp_path: Path
) -> Iterator[Waiting]:
    """A database where nothing waits yet."""
    made = Waiting(connection, database_url, tmp_path)
    path = list(sys.path)
    yield made
    sys.path[:] = path
    sys.modules.pop(made.module, None)
