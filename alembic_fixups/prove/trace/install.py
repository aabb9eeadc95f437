"""What a scratch database needs so that it tells what happens inside of statements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from alembic_fixups.prove.trace import facts

SCHEMA = "alembic_fixups_trace"

_INSTALL = Path(__file__).with_name("install.sql")


def install(connection: psycopg.Connection[Any]) -> bool:
    """Makes a schema of ours, event triggers, and statement triggers on all tables.

    They note what the session has locked, read and changed before and after each statement that
    changes the schema or rows, also inside of DO blocks and functions.

    Args:
        connection: to the scratch database, in autocommit.

    Returns:
        Whether it was done: only a superuser may make an event trigger (manual, CREATE EVENT
        TRIGGER). Without, only whole statements can be traced.
    """
    [(superuser,)] = connection.execute("SELECT current_setting('is_superuser') = 'on'")
    if not superuser:
        return False
    text = _INSTALL.read_text(encoding="utf-8")
    inner = facts.query(everywhere=False)
    with connection.transaction():
        connection.execute(sql.SQL(text).format(facts=sql.SQL(inner)))
    return True
