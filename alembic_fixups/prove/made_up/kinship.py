"""What rows that belong together have in common, though no constraint says so.

An order that names a client and an engagement names the engagement's own client; that follows from
nothing but how such schemas are meant. Where it is not so, a migration that adds a tenant to a key
stops, and rightly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from alembic_fixups.prove.made_up.model import Database, ForeignKey, Table

Key = tuple[str, ...]
"""What a row and its parents have to agree on: a table, also with the columns that name it, or ""
and the name and type of a column."""


@dataclass
class Kinship:
    """What is known of all tables.

    Attributes:
        depths: how many levels of parents each has.
        shared: by table the columns in no foreign key that its rows have in common with those that
            they refer to, as a tenant_id.
        strict: the tables that no other names twice; on these rows agree without exception. Where
            one column names a creator and another an owner, parents may well have others.
        keys: by table its foreign keys, those to itself left out.
        above: by table the tables that its parents name, and theirs, each with all the columns
            that do so.
    """

    depths: dict[str, int] = field(default_factory=dict)
    shared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strict: set[str] = field(default_factory=set)
    keys: dict[str, tuple[ForeignKey, ...]] = field(default_factory=dict)
    above: dict[str, dict[str, set[Key]]] = field(default_factory=dict)

    def on(self, table: str, target: str, columns: tuple[str, ...]) -> Key:
        """What a row of *table* and its parents agree on, of those who name *target* so.

        Where there is one way to name it in the table and one above it, both mean the same row.
        """
        own = {key.columns for key in self.keys[table] if key.parent == target}
        above = self.above[table].get(target, set())
        return (target,) if len(own) <= 1 and len(above) == 1 else (target, *columns)


def of(database: Database, order: Iterable[str], cut: Iterable[ForeignKey]) -> Kinship:
    """The kinship of the tables, which are in the order in which they are filled.

    Takes the foreign keys that do not count, for they would go in a circle.
    """
    kinship = Kinship()
    twice: set[str] = set()
    left_out = set(cut)
    for name in order:
        table = database.tables[name]
        keys = tuple(key for key in table.foreign_keys if not key.to_itself and key not in left_out)
        kinship.keys[name] = keys
        named = Counter(parent for parent, _ in {(key.parent, key.columns) for key in keys})
        twice |= {parent for parent, count in named.items() if count > 1}
        kinship.depths[name] = 1 + max((kinship.depths[key.parent] for key in keys), default=-1)
        kinship.above[name] = {}
        for key in keys:
            for target, columns in kinship.above[key.parent].items():
                kinship.above[name].setdefault(target, set()).update(columns)
            for one in kinship.keys[key.parent]:
                kinship.above[name].setdefault(one.parent, set()).add(one.columns)
        kinship.shared[name] = _shared(database, kinship, table)
    kinship.strict = set(database.tables) - twice
    return kinship


def _shared(database: Database, kinship: Kinship, table: Table) -> tuple[str, ...]:
    referring = {column for key in table.foreign_keys for column in key.columns}
    keys = table.keys()
    primary = next((rule.columns for rule in table.rules if rule.kind == "primary"), ())
    found = {name for key in keys if primary and set(key) > set(primary) for name in key} - set(
        primary
    )
    for key in kinship.keys[table.sql]:
        parent = database.tables[key.parent]
        types = {name: parent.column(name).sql for name in kinship.shared[key.parent]}
        found |= {column.name for column in table.columns if types.get(column.name) == column.sql}
    return tuple(
        column.name
        for column in table.columns
        if column.name in found - referring and not (column.generated or column.numbered)
    )
