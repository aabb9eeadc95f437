"""``[tool.alembic-fixups.check-constraints]``: a table without keys."""

from __future__ import annotations

from alembic_fixups.settings import Model

NAME = "check-constraints"


class CheckConstraintsSettings(Model):
    """The settings of the fixup; there are none besides its being switched on."""
