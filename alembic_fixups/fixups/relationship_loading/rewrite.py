"""What is wrong in the models; their tables stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.mapper import _all_registries

from alembic_fixups.fixups.relationship_loading.settings import NAME, RelationshipLoadingSettings
from alembic_fixups.fixups.relationship_loading.values import Loading, meaning, wrong
from alembic_fixups.report import Finding
from alembic_fixups.target import Target


def rewrite(
    target: Target, settings: RelationshipLoadingSettings, major_version: int
) -> tuple[Loading, ...]:
    """Changes nothing; says which values of ``lazy`` SQLAlchemy refuses, and gives them."""
    found = tuple(wrong(_mappers(target)))
    for one in found:
        right = meaning(one.value)
        means = f" It is meant to be {right!r}: `alembic-fixups codemod` writes it" if right else ""
        table = one.relationship.parent.local_table
        message = (
            f"{one.title} says lazy={one.value!r}, which SQLAlchemy does not know: no mapper can "
            f"be configured.{means}"
        )
        key = table.key if isinstance(table, Table) else str(table)
        target.findings.append(Finding(NAME, "unknown-value", key, message))
    return found


def infer(target: Target) -> dict[str, Any] | None:
    """Switches the fixup on where there is something to put right."""
    return {} if any(wrong(_mappers(target))) else None


def hint(target: Target) -> str:
    """Has nothing to say: what is to be loaded how is not in the models."""
    return ""


def _mappers(target: Target) -> Iterator[Mapper[Any]]:
    """The mappers of the tables, in a fixed order."""
    tables = {id(target.original(table)) for table in target.tables.values()}
    found = [
        mapper
        for registry in _all_registries()
        for mapper in registry.mappers
        if id(mapper.local_table) in tables
    ]
    yield from sorted(found, key=lambda one: (one.class_.__module__, one.class_.__qualname__))
