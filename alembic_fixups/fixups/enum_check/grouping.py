"""The tables whose columns change together, and why some cannot while writes go on."""

from __future__ import annotations

from collections.abc import Sequence

from alembic_fixups.fixups.enum_check.conversion import Conversion
from alembic_fixups.retyping.dependents import connected
from alembic_fixups.retyping.model import Swapped, Table

_BLOCKING = {"foreign key", "exclusion", "key", "generated column", "materialized view"}
"""What cannot be brought along while writes go on."""


def groups_of(conversions: Sequence[Conversion]) -> list[list[Table]]:
    """The tables, those together that have a view or another thing in common."""
    by_table: dict[int, list[Conversion]] = {}
    for conversion in conversions:
        by_table.setdefault(conversion.relation, []).append(conversion)
    together = connected(
        (relation, [str(each) for one in columns for each in (*one.dependents, one.domain) if each])
        for relation, columns in by_table.items()
    )
    return [[_table(relation, by_table[relation]) for relation in group] for group in together]


def _table(relation: int, columns: Sequence[Conversion]) -> Table:
    return Table(
        relation,
        columns[0].table,
        tuple(Swapped(column) for column in columns),
        tuple(sorted({column.enum for column in columns})),
        domains=tuple(dict.fromkeys(one.domain for one in columns if one.domain is not None)),
        obstacle=_obstacle(columns),
    )


def _obstacle(columns: Sequence[Conversion]) -> str:
    """Why columns cannot be converted while writes go on, "" where they can."""
    if columns[0].in_tree:
        return "partitions, or tables that inherit"
    found = [str(one.domain) for one in columns if one.domain is not None]
    found += [str(each) for one in columns for each in one.dependents if each.kind in _BLOCKING]
    return ", ".join(dict.fromkeys(found))
