"""A database that has some of everything that ``pg_dump`` knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from tests.squash.test_description import LONG, ODD_SQL, ROLES, SCRIPT

__all__ = ["LONG", "ODD_SQL", "fill"]

_MORE = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
_OF_16 = """
GRANT rich_owner TO "Rich: 100% \"\"odd\"\" $fixup$ \\" WITH INHERIT TRUE, SET FALSE;
"""
_OF_18 = """
CREATE TABLE more.newer (
  a int4range CONSTRAINT a_there NOT NULL,
  b integer GENERATED ALWAYS AS (upper(a)) VIRTUAL,
  during daterange,
  c integer CONSTRAINT loose CHECK (c > 0) NOT ENFORCED,
  PRIMARY KEY (a, during WITHOUT OVERLAPS)
);
ALTER TABLE more.newer ADD CONSTRAINT c_there NOT NULL c NOT VALID;
INSERT INTO more.newer (a, during, c) VALUES ('[1,2)', '[2024-01-01,2024-02-01)', -1);
CREATE TABLE more.referring (a int4range, during daterange,
  FOREIGN KEY (a, PERIOD during) REFERENCES more.newer (a, PERIOD during));
"""


def fill(connection: psycopg.Connection[Any], version: int) -> None:
    """Makes it in an empty database, and its roles."""
    extension, type_ = ("citext", "citext") if version == 15 else ("vector", "vector(3)")
    connection.execute(ROLES)
    connection.execute(SCRIPT.encode())
    connection.execute(f'CREATE EXTENSION {extension} SCHEMA "odd: %s"'.encode())
    connection.execute(f'CREATE TABLE app.extended (value "odd: %s".{type_})'.encode())
    connection.execute(_MORE.encode())
    if version >= 16:
        connection.execute(_OF_16.encode())
    if version >= 18:
        connection.execute(_OF_18.encode())
