"""The database as it is: what the system catalogs say, as plain data."""

from alembic_fixups.catalog.model import (
    SUCCESSOR_MARK,
    Catalog,
    Check,
    Column,
    DomainChecks,
    ForeignKey,
    Index,
    Key,
    Move,
    Name,
    Relation,
    Sequence,
)
from alembic_fixups.catalog.queries import read

__all__ = [
    "SUCCESSOR_MARK",
    "Catalog",
    "Check",
    "Column",
    "DomainChecks",
    "ForeignKey",
    "Index",
    "Key",
    "Move",
    "Name",
    "Relation",
    "Sequence",
    "read",
]
