"""Alembic's own operations: which have to go, in which order they work, how they run twice."""

from alembic_fixups.stock.idempotent import make_idempotent
from alembic_fixups.stock.live import live_partitions
from alembic_fixups.stock.order import order
from alembic_fixups.stock.tree import remove
from alembic_fixups.stock.written import as_ever

__all__ = ["as_ever", "live_partitions", "make_idempotent", "order", "remove"]
