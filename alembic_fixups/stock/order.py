"""An order of Alembic's operations that works.

Alembic sorts by table name, so a foreign key comes before the key of the other table that it
needs. Whatever works as it is keeps its place, and the same holds for the reversed list.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import cast

from alembic.operations import ops
from sqlalchemy import ForeignKeyConstraint

from alembic_fixups.stock.tree import leaves, table_of

Operations = list[ops.MigrateOperation]
Named = tuple[str | None, str]


def order(upgrade_ops: ops.UpgradeOps) -> None:
    """Sorts the operations in place.

    Dropped foreign keys come first, then created tables with their indexes, each after those it
    refers to, then everything else as Alembic has it (dropped tables so that none is still
    referred to), then created foreign keys. A foreign key inside CREATE TABLE that refers to what
    is not there yet (a table of a cycle, a column or key that is added to another table) becomes
    an operation of its own at the end; one inside a dropped table's cycle is dropped by itself.
    """
    dropped, rest, created = _without_foreign_keys(upgrade_ops.ops)
    making, dropping = _groups(rest, ops.CreateTableOp), _groups(rest, ops.DropTableOp)
    # Alembic takes dropped tables and columns out of a set: another order with every run.
    dropping.sort(key=lambda group: tuple(map(str, table_of(group.table) or ())), reverse=True)

    first_tables, late = _creation_order(
        [cast(ops.CreateTableOp, group.table) for group in making], _new_keys(rest)
    )
    made = [making[position].with_table(table) for position, table in first_tables]

    # Dropping is making, backwards.
    undone = [cast(ops.DropTableOp, group.table).reverse() for group in reversed(dropping)]
    last_tables, cyclic = _creation_order(undone, ())
    gone = [
        group if table is undone[position] else group.with_table(table.reverse())
        for position, table in reversed(last_tables)
        for group in [dropping[len(dropping) - 1 - position]]
    ]

    rest = _in_place_of(rest, making, made)
    rest = _in_place_of(rest, dropping, gone)
    upgrade_ops.ops[:] = [
        *dropped,
        *(foreign_key.reverse() for foreign_key in cyclic),
        *rest,
        *late,
        *created,
    ]


@dataclass
class _Group:
    """A table that is created or dropped, with what Alembic does to it just after or before."""

    table: ops.MigrateOperation
    before: Operations = field(default_factory=list)
    after: Operations = field(default_factory=list)

    def with_table(self, table: ops.MigrateOperation) -> _Group:
        return _Group(table, self.before, self.after)

    @property
    def operations(self) -> Operations:
        return [*self.before, self.table, *self.after]


def _without_foreign_keys(operations: Operations) -> tuple[Operations, Operations, Operations]:
    """Dropped foreign keys, everything else, created foreign keys; each in the order given."""
    parts: tuple[Operations, Operations, Operations] = [], [], []
    for operation in operations:
        if not isinstance(operation, ops.ModifyTableOps):
            parts[_part(operation)].append(operation)
            continue
        for number, part in enumerate(parts):
            inner = [leaf for leaf in operation.ops if _part(leaf) == number]
            inner.sort(key=_place_among_dropped_columns)
            if inner:
                table, schema = operation.table_name, operation.schema
                part.append(ops.ModifyTableOps(table, inner, schema=schema))
    return parts


def _part(operation: ops.MigrateOperation) -> int:
    if isinstance(operation, ops.CreateForeignKeyOp):
        return 2
    drops = isinstance(operation, ops.DropConstraintOp)
    return 0 if drops and getattr(operation, "constraint_type", None) == "foreignkey" else 1


def _place_among_dropped_columns(operation: ops.MigrateOperation) -> int:
    """The last column first, so that the downgrade adds them in their order; others stay ahead.

    Within a table Alembic drops columns after everything else.
    """
    if not isinstance(operation, ops.DropColumnOp) or operation._reverse is None:
        return 0
    column = operation._reverse.column
    names = [] if column.table is None else [other.name for other in column.table.columns]
    return len(names) - names.index(column.name) if column.name in names else 1


def _groups(operations: Operations, kind: type[ops.MigrateOperation]) -> list[_Group]:
    """Every operation of that kind with the ModifyTableOps of the same table beside it."""
    found = []
    for place, operation in enumerate(operations):
        if isinstance(operation, kind):
            beside = operations[place + 1 : place + 2]
            if kind is ops.DropTableOp:
                beside = operations[max(place - 1, 0) : place]
            beside = [
                other
                for other in beside
                if isinstance(other, ops.ModifyTableOps)
                and other.table_name == getattr(operation, "table_name", None)
            ]
            group = _Group(operation)
            (group.before if kind is ops.DropTableOp else group.after).extend(beside)
            found.append(group)
    return found


def _in_place_of(operations: Operations, old: list[_Group], new: list[_Group]) -> Operations:
    """The operations with all *new* groups where the first of the *old* ones was."""
    moved = {id(operation) for group in old for operation in group.operations}
    result: Operations = []
    waiting = [operation for group in new for operation in group.operations]
    for operation in operations:
        if id(operation) in moved:
            result.extend(waiting)
            waiting = []
        else:
            result.append(operation)
    return result


def _creation_order(
    tables: list[ops.CreateTableOp], new_keys: Iterable[tuple[Named, frozenset[str]]]
) -> tuple[list[tuple[int, ops.CreateTableOp]], list[ops.CreateForeignKeyOp]]:
    """The tables with their old places, sorted, and the foreign keys that have to come later."""
    places = {(table.schema, table.table_name): place for place, table in enumerate(tables)}
    sequence = _sorted(places, tables)
    rank = {place: number for number, place in enumerate(sequence)}

    def too_early(place: int, constraint: ForeignKeyConstraint) -> bool:
        # CREATE TABLE leaves a use_alter key out without a word.
        if constraint.use_alter:
            return True
        referred = _referred(constraint)
        other = places.get(referred, -1)
        if other not in (-1, place):
            return rank[other] > rank[place]
        columns = {element.column.name for element in constraint.elements}
        return any(_same(referred, table) and key <= columns for table, key in new_keys)

    result: list[tuple[int, ops.CreateTableOp]] = []
    late: list[ops.CreateForeignKeyOp] = []
    for place in sequence:
        table = tables[place]
        out = [item for item in _foreign_keys(table) if too_early(place, item)]
        late.extend(_created(constraint) for constraint in out)
        result.append((place, _leaving_out(table, out) if out else table))
    return result, late


def _sorted(places: dict[Named, int], tables: list[ops.CreateTableOp]) -> list[int]:
    """The places in the first order that works, as given where that works or where none does."""
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for place, table in enumerate(tables):
        referred = {
            places.get(_referred(constraint), place)
            for constraint in _foreign_keys(table)
            if not constraint.use_alter
        }
        sorter.add(place, *(referred - {place}))
    try:
        sorter.prepare()
    except CycleError:
        return list(range(len(tables)))
    result: list[int] = []
    ready: set[int] = set()
    while sorter.is_active():
        ready.update(sorter.get_ready())
        place = min(ready)
        ready.remove(place)
        result.append(place)
        sorter.done(place)
    return result


def _new_keys(operations: Operations) -> list[tuple[Named, frozenset[str]]]:
    """Columns and keys that come into being, or change their type, after the created tables."""
    found = []
    for operation in leaves(operations):
        columns: Iterable[object] = ()
        if isinstance(operation, ops.AddColumnOp):
            columns = [operation.column.name]
        elif isinstance(operation, ops.AlterColumnOp):
            columns = [operation.column_name] if operation.modify_type is not None else ()
        elif isinstance(operation, ops.CreateUniqueConstraintOp | ops.CreatePrimaryKeyOp):
            columns = operation.columns
        elif isinstance(operation, ops.CreateIndexOp) and operation.unique:
            columns = [getattr(column, "name", column) for column in operation.columns]
        if columns:
            found.append((cast(Named, table_of(operation)), frozenset(map(str, columns))))
    return found


def _foreign_keys(table: ops.CreateTableOp) -> list[ForeignKeyConstraint]:
    return [item for item in table.columns if isinstance(item, ForeignKeyConstraint)]


def _referred(constraint: ForeignKeyConstraint) -> Named:
    table = constraint.elements[0].column.table
    return table.schema, table.name


def _same(one: Named, other: Named) -> bool:
    # Alembic leaves the default schema out where the models may write it.
    return one[1] == other[1] and (one[0] == other[0] or None in (one[0], other[0]))


def _created(constraint: ForeignKeyConstraint) -> ops.CreateForeignKeyOp:
    operation = ops.CreateForeignKeyOp.from_constraint(constraint)
    operation.kw.pop("use_alter", None)
    return operation


def _leaving_out(
    table: ops.CreateTableOp, constraints: list[ForeignKeyConstraint]
) -> ops.CreateTableOp:
    result = copy(table)
    # Not by ==, which columns answer with an SQL expression.
    out = {id(constraint) for constraint in constraints}
    result.columns = [item for item in table.columns if id(item) not in out]
    return result
