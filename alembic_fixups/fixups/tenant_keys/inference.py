"""The tenant hierarchy as the models show it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import UniqueConstraint

from alembic_fixups.fixups.tenant_keys.hierarchy import (
    Level,
    Reference,
    referring_tables,
    resolve,
)
from alembic_fixups.fixups.tenant_keys.settings import NAME, LevelSettings
from alembic_fixups.report import Finding
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target, columns_by_name

_LEAST_TABLES = 2
"""Below the lower level at least so many tables have to carry both columns."""


def infer(target: Target) -> dict[str, Any] | None:
    """Settings with the hierarchy that the models show, None where they show none."""
    levels = infer_levels(target)
    if levels is None:
        return None
    return {
        "levels": [{"table": level.table, "column": level.column} for level in levels],
        "scope": "hierarchy",
        "violations": "abort",
    }


def infer_levels(target: Target) -> tuple[Level, ...] | None:
    """The hierarchy that the foreign keys and columns of the models show.

    The top level is the table that most tables refer to by one and the same column, at least a
    third of all. Each level below is a table that itself has the columns above (never NULL), and
    whose own column at least half of the tables below the top carry, hardly any of them without
    the columns above. Where two are as good as each other nothing is inferred.
    """
    referring = referring_tables(target)
    candidates = [
        (len(children), table, column)
        for (table, column), children in referring.items()
        if 3 * len(children) >= len(target.tables)
    ]
    chains = [
        chain
        for _, table, column in sorted(candidates, reverse=True)
        if len(chain := _descend(target, referring, [(table, column)])) > 1
    ]
    if not chains:
        return None
    best = max(len(referring[chain[0]]) for chain in chains)
    chains = [chain for chain in chains if len(referring[chain[0]]) == best]
    if len(chains) > 1:
        return None
    return resolve(
        [LevelSettings(table=table, column=column) for table, column in chains[0]], target
    )


def log_inferred(target: Target) -> tuple[Level, ...]:
    """The inferred levels, with a finding that says what they are.

    Raises:
        SettingsError: the models show no hierarchy.
    """
    levels = infer_levels(target)
    if levels is None:
        raise SettingsError(hint(target), keys=(NAME,))
    text = ", ".join(
        f'{{ table = "{level.table}", column = "{level.column}" }}' for level in levels
    )
    target.findings.append(
        Finding(NAME, "inferred-levels", levels[0].table, f"inferred levels = [{text}]", "info")
    )
    return levels


def hint(target: Target) -> str:
    """What to tell somebody whose models show no hierarchy that is beyond doubt."""
    counts = sorted(
        (
            (len(children), table, column)
            for (table, column), children in referring_tables(target).items()
        ),
        reverse=True,
    )
    lines = [
        f"  {table} by {column}, from {count} tables"
        for count, table, column in counts[:5]
        if count > 1
    ]
    if not lines:
        return "no hierarchy in these models."
    return "\n".join(
        [
            "no hierarchy that is beyond doubt. If there is one, write its levels from the top "
            f"down in [tool.alembic-fixups.{NAME}]:",
            '  levels = [{ table = "...", column = "..." }, { table = "...", column = "..." }]',
            "What most tables refer to:",
            *lines,
        ]
    )


def _descend(
    target: Target, referring: dict[Reference, set[str]], chain: list[Reference]
) -> list[Reference]:
    above = {column for _, column in chain}
    best: tuple[int, Reference] | None = None
    tied = False
    for (key, column), children in sorted(referring.items()):
        columns = columns_by_name(target.table(key))
        if column in above or any(key == upper for upper, _ in chain):
            continue
        if not all(name in columns and not columns[name].nullable for name in above):
            continue
        if _is_association(target, children, {*above, column}):
            continue
        both = [child for child in children if above <= columns_by_name(target.table(child)).keys()]
        if len(both) < _LEAST_TABLES or 3 * len(both) < 2 * len(children):
            continue
        # A level is what most of the tenant's tables belong to, not one parent among many.
        if 2 * len(both) < len(referring[chain[0]]) - 1:
            continue
        if best is None or len(both) > best[0]:
            best, tied = (len(both), (key, column)), False
        elif len(both) == best[0]:
            tied = True
    if best is None or tied:
        return chain
    return _descend(target, referring, [*chain, best[1]])


def _is_association(target: Target, children: set[str], columns: set[str]) -> bool:
    """Whether a table is unique by just these columns: a many-to-many, not a tenant's table."""
    return any(
        {column.name for column in constraint.columns} == columns
        for child in children
        for constraint in (
            target.table(child).primary_key,
            *(c for c in target.table(child).constraints if isinstance(c, UniqueConstraint)),
        )
    )
