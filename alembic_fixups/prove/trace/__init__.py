"""Which statement of a migration takes which lock, reads, rewrites or changes what, for how long.

The server itself is asked while the statements run, on a scratch copy of the database: its lock
table, its counters and the names of its files. Nothing is concluded from what a statement says.
"""

from alembic_fixups.prove.trace.install import install
from alembic_fixups.prove.trace.model import (
    QUERIES,
    Effect,
    Lock,
    Statement,
    TableLock,
    Trace,
    blocks,
)
from alembic_fixups.prove.trace.recorder import Recorder

__all__ = [
    "QUERIES",
    "Effect",
    "Lock",
    "Recorder",
    "Statement",
    "TableLock",
    "Trace",
    "blocks",
    "install",
]
