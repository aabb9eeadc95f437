"""``[tool.alembic-fixups.relationship-loading]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from alembic_fixups.settings import Model

NAME = "relationship-loading"


def _pattern(pattern: str) -> str:
    if "." not in pattern.strip("."):
        raise ValueError("write a class and an attribute, as in 'Client.engagements'")
    return pattern


Pattern = Annotated[str, AfterValidator(_pattern)]


class RelationshipLoadingSettings(Model):
    """The settings of the fixup.

    A pattern is matched as a file name is in a shell, upper and lower case told apart, against
    ``Class.attribute`` of the class that a relationship is written in, with as much of its module
    before it as the pattern has.

    Attributes:
        selectin: patterns of the relationships that get ``lazy="selectin"``.
        raise_on_sql: patterns of those that get ``lazy="raise_on_sql"``.
    """

    selectin: tuple[Pattern, ...] = ()
    raise_on_sql: tuple[Pattern, ...] = ()
