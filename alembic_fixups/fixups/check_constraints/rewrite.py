"""What the fixup wants: the checks of the desired schema, when all others have rewritten it."""

from __future__ import annotations

from alembic_fixups.fixups.check_constraints.settings import CheckConstraintsSettings
from alembic_fixups.fixups.check_constraints.wishes import Wishes, wishes_of
from alembic_fixups.target import Target


def rewrite(target: Target, settings: CheckConstraintsSettings, version: int) -> Wishes:
    """Changes nothing and gives the checks of the models."""
    return wishes_of(target)


def infer(target: Target) -> None:
    """Proposes nothing: nothing in the models asks for it more than in others."""


def hint(target: Target) -> str:
    """Has nothing to say."""
    return ""
