"""The tenant hierarchy as the settings name it."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Table

from alembic_fixups.fixups.tenant_keys.settings import NAME, LevelSettings
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target, columns_by_name, references

Place = tuple[str, str, int]
"""Where in the settings a level stands."""

Reference = tuple[str, str]
"""Key of the table referred to, and the column that refers to it."""


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
        SettingsError: a table or column is not there, a name means several, or nothing in the
            models says that the column refers to the table.
    """
    levels: list[Level] = []
    referring = referring_tables(target)
    for position, named in enumerate(settings):
        place = (NAME, "levels", position)
        key = _find_table(named.table, target, place)
        table = target.table(key)
        for upper in levels:
            if upper.table == key or upper.column == named.column:
                raise SettingsError(
                    f"levels[{position}]: table {key!r} or column {named.column!r} is a level "
                    "already",
                    keys=place,
                )
            if upper.column not in columns_by_name(table):
                raise SettingsError(
                    f"levels[{position}]: table {key!r} has no column {upper.column!r}, so its "
                    f"rows belong to no row of {upper.table!r}; add the column to the model or "
                    "take the level out",
                    keys=place,
                )
        above = {upper.column for upper in levels}
        level = Level(key, named.column, named.key or _own_id(table, above, place))
        if named.key is None:
            _require_references(level, target, referring, place)
        elif named.key not in columns_by_name(table):
            raise SettingsError(
                f"levels[{position}]: table {key!r} has no column {named.key!r}", keys=place
            )
        levels.append(level)
    return tuple(levels)


def _require_references(
    level: Level, target: Target, referring: Mapping[Reference, set[str]], place: Place
) -> None:
    """A column that only looks right would give keys to the wrong rows of the right table."""
    if referring.get((level.table, level.column)):
        return
    known = {column for table in target.tables.values() for column in columns_by_name(table)}
    used = sorted(column for table, column in referring if table == level.table)
    near = difflib.get_close_matches(level.column, used or known, n=1)
    if level.column not in known:
        problem = f"no table has a column {level.column!r}"
    else:
        problem = (
            f"no foreign key of the models says that {level.column!r} refers to "
            f"{level.table}.{level.id}"
        )
    if near and near[0] != level.column:
        problem += f"; did you mean {near[0]!r}?"
    elif used:
        problem += f"; those that do are {', '.join(used)}"
    elif level.column in known:
        problem += f'. If it does, say so: key = "{level.id}"'
    raise SettingsError(f"levels[{place[-1]}]: {problem}", keys=(*place, "column"))


def _find_table(name: str, target: Target, place: Place) -> str:
    tables = target.tables
    found: list[str] = []
    if "." in name:
        schema, _, bare = name.rpartition(".")
        found = [key for key in [target.find(schema, bare)] if key is not None]
    found = found or [key for key, table in tables.items() if table.name == name]
    if not found:
        near = difflib.get_close_matches(name, [*tables, *(t.name for t in tables.values())], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingsError(
            f"levels[{place[-1]}]: the models have no table {name!r}{hint}", keys=(*place, "table")
        )
    if len(found) > 1:
        raise SettingsError(
            f"levels[{place[-1]}]: {name!r} means several tables ({', '.join(found)}); "
            "write it with its schema",
            keys=(*place, "table"),
        )
    return found[0]


def _own_id(table: Table, above: set[str], place: Place) -> str:
    own = [column.name for column in table.primary_key if column.name not in above]
    if len(own) != 1:
        names = ", ".join(column.name for column in table.primary_key)
        raise SettingsError(
            f"levels[{place[-1]}]: the primary key of {table.key!r} has to be one column besides "
            f"those of the levels above, it is ({names}); name the column with key = ...",
            keys=place,
        )
    return own[0]


def referring_tables(target: Target) -> dict[Reference, set[str]]:
    """The tables that refer to a table's single primary key column by a column of that name."""
    found: dict[Reference, set[str]] = defaultdict(set)
    for key, table in target.tables.items():
        for constraint, referred in references(table):
            own = list(referred.primary_key)
            for element in constraint.elements:
                if own and element.column is own[-1] and referred is not table:
                    found[referred.key, element.parent.name].add(key)
    return found
