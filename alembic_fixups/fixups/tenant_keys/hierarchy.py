"""The tenant hierarchy: as the settings name it, or as the models show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, UniqueConstraint

from alembic_fixups.fixups.tenant_keys.settings import NAME, LevelSettings
from alembic_fixups.report import Finding
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target, columns_by_name, references

_LEAST_TABLES = 2
"""Below the lower level at least so many tables have to carry both columns."""


@dataclass(frozen=True)
class Level:
    """One level of the hierarchy.

    Attributes:
        table: key of its table in the models.
        column: the column by which the tables below name a row of it.
        id: the column of its own table that they refer to.
    """

    table: str
    column: str
    id: str


def tenant_depth(table: Table, levels: Sequence[Level]) -> int:
    """How many levels, from the top down without a gap, *table* has the columns of.

    The table of a level counts as belonging to the levels above it only, also where its own key
    column has the name by which the tables below refer to it.
    """
    columns = columns_by_name(table)
    depth = 0
    for level in levels:
        if level.table == table.key or level.column not in columns:
            break
        depth += 1
    return depth


def resolve(settings: Sequence[LevelSettings], target: Target) -> tuple[Level, ...]:
    """The levels that the settings name, found in the models.

    Raises:
        SettingsError: a table is not there or its name means several, or a column is missing.
    """
    levels: list[Level] = []
    for position, named in enumerate(settings):
        key = _find_table(named.table, target)
        table = target.table(key)
        for upper in levels:
            if upper.column not in columns_by_name(table):
                raise SettingsError(
                    f"{NAME}.levels[{position}]: table {key!r} has no column {upper.column!r}, so "
                    f"its rows belong to no row of {upper.table!r}; add the column to the model "
                    f"or take the level out"
                )
        levels.append(
            Level(key, named.column, _own_id(table, {upper.column for upper in levels}, position))
        )
    return tuple(levels)


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
    referring = _referring(target)
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
        raise SettingsError(
            f"{NAME}: the models show no tenant hierarchy that is beyond doubt; name it with "
            "levels = [{ table = ..., column = ... }, ...], from the top down"
        )
    text = ", ".join(
        f'{{ table = "{level.table}", column = "{level.column}" }}' for level in levels
    )
    target.findings.append(
        Finding(NAME, "inferred-levels", levels[0].table, f"inferred levels = [{text}]", "info")
    )
    return levels


def _find_table(name: str, target: Target) -> str:
    tables = target.tables
    if "." in name:
        schema, _, bare = name.rpartition(".")
        found = [
            key
            for key, table in tables.items()
            if table.name == bare and (table.schema or target.default_schema) == schema
        ]
    else:
        found = []
    found = found or [key for key, table in tables.items() if table.name == name]
    if not found:
        raise SettingsError(f"{NAME}.levels: the models have no table {name!r}")
    if len(found) > 1:
        raise SettingsError(
            f"{NAME}.levels: {name!r} means several tables ({', '.join(found)}); "
            "write it with its schema"
        )
    return found[0]


def _own_id(table: Table, above: set[str], position: int) -> str:
    own = [column.name for column in table.primary_key if column.name not in above]
    if len(own) != 1:
        names = ", ".join(column.name for column in table.primary_key)
        raise SettingsError(
            f"{NAME}.levels[{position}]: the primary key of {table.key!r} has to be one column "
            f"besides those of the levels above, it is ({names})"
        )
    return own[0]


_Reference = tuple[str, str]
"""Key of the table referred to, and the column that refers to it."""


def _referring(target: Target) -> dict[_Reference, set[str]]:
    """The tables that refer to a table's single primary key column by a column of that name."""
    found: dict[_Reference, set[str]] = defaultdict(set)
    for key, table in target.tables.items():
        for constraint, referred in references(table):
            own = list(referred.primary_key)
            for element in constraint.elements:
                if own and element.column is own[-1] and referred is not table:
                    found[referred.key, element.parent.name].add(key)
    return found


def _descend(
    target: Target, referring: dict[_Reference, set[str]], chain: list[_Reference]
) -> list[_Reference]:
    above = {column for _, column in chain}
    best: tuple[int, _Reference] | None = None
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
