"""Foreign keys that are meant, though none is declared.

A column ``engagement_id`` names an engagement also in the one table where the foreign key was
forgotten: where each that is declared on a column of that name leads to the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alembic_fixups.prove.made_up.model import ForeignKey, Table


def with_unwritten(tables: Sequence[Table]) -> list[Table]:
    """The tables, with such foreign keys besides their own."""
    by_name = {table.sql: table for table in tables}
    places: dict[str, set[tuple[str, str, str, int]]] = {}
    for table in tables:
        for key in table.foreign_keys:
            if len(key.columns) == 1:
                place = (key.target, key.parent, key.keys[0], table.column(key.columns[0]).type)
                places.setdefault(key.columns[0], set()).add(place)
    return [
        replace(table, foreign_keys=(*table.foreign_keys, *_unwritten(table, by_name, places)))
        for table in tables
    ]


def _unwritten(
    table: Table, by_name: dict[str, Table], places: dict[str, set[tuple[str, str, str, int]]]
) -> Iterator[ForeignKey]:
    told = {name for key in table.foreign_keys for name in key.columns}
    # A key of its own is no name for something else: ids are called alike.
    told |= {
        rule.columns[0]
        for rule in table.rules
        if rule.kind in ("primary", "key", "unique") and len(rule.columns) == 1
    }
    for column in table.columns:
        found = places.get(column.name, set())
        if column.name in told or column.generated or len(found) != 1:
            continue
        [(target, parent, key, type_)] = found
        if type_ == column.type and parent != table.sql and parent in by_name:
            nullable = (column.name,) if column.nullable else ()
            yield ForeignKey(
                "", "", table.sql, (column.name,), target, parent, (key,), nullable, False, False
            )
