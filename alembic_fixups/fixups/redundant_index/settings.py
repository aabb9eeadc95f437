"""``[tool.alembic-fixups.redundant-index]``."""

from __future__ import annotations

from alembic_fixups.settings import Model

NAME = "redundant-index"


class RedundantIndexSettings(Model):
    """The settings of the fixup.

    Attributes:
        keep: the columns whose index stays all the same: ``schema.table.column``, or
            ``table.column`` where the table is in the default schema.
    """

    keep: tuple[str, ...] = ()
