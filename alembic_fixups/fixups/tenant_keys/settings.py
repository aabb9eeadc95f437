"""``[tool.alembic-fixups.tenant-keys]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from alembic_fixups.settings import Model

NAME = "tenant-keys"

Violations = Literal["abort", "quarantine", "null"]


class LevelSettings(Model):
    """One level of the hierarchy.

    Attributes:
        table: its table, a bare name that is unique among the models, or ``schema.name``.
        column: the column by which the tables below name a row of it.
        key: the column of its own that *column* holds; its primary key where it is left out.
    """

    table: str
    column: str
    key: str | None = None


class TenantKeysSettings(Model):
    """The settings of the fixup.

    Attributes:
        levels: the hierarchy from the top down; inferred from the models where it is left out.
        scope: "hierarchy" for the foreign keys to the levels only, "all" for those between
            tables of a tenant as well.
        violations: what the migration does with rows that are already wrong.
    """

    levels: Annotated[tuple[LevelSettings, ...], Field(min_length=2)] | None = None
    scope: Literal["hierarchy", "all"] = "hierarchy"
    violations: Violations = "abort"
