"""The steps that bring a database to the composite keys, and back.

The order over all keys: look whether anything hides rows, look for violating rows, the parents'
unique keys, the children's indexes, the foreign keys NOT VALID, their validation, the old foreign
keys. Each step is a transaction of its own, so that no lock is kept for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from alembic.operations import ops

from alembic_fixups.catalog import ForeignKey, Relation
from alembic_fixups.fixups.tenant_keys.difference import Change, changes
from alembic_fixups.fixups.tenant_keys.ownership import (
    owns,
    take_out_of_new_tables,
    violations_table,
)
from alembic_fixups.fixups.tenant_keys.rewrite import CompositeKey
from alembic_fixups.fixups.tenant_keys.settings import NAME, TenantKeysSettings, Violations
from alembic_fixups.rendering import foreign_keys, indexes, quoting
from alembic_fixups.rendering.steps import Step, StepsOp
from alembic_fixups.rendering.templates import Templates, environment
from alembic_fixups.report import Finding
from alembic_fixups.run import Replacement, Run

_REASON: dict[Violations, str] = {
    "quarantine": "row moved: its tenant columns are in no row of the parent",
    "null": "reference cleared: it led to a row of another tenant",
}


MARKER = "alembic-fixups:"
"""The comment of a table that rows are moved to begins so; no other is written to or dropped."""


@dataclass
class _Unit:
    """Some steps and those that undo them."""

    upgrade: list[Step]
    downgrade: list[Step] = field(default_factory=list)


def replace(
    keys: Sequence[CompositeKey],
    settings: TenantKeysSettings,
    run: Run,
    upgrade_ops: ops.UpgradeOps,
) -> Replacement:
    """Gives the steps for what the database lacks, and says which operations they take over."""
    lacking = changes(keys, run)
    take_out_of_new_tables(upgrade_ops, [change for change in lacking if not change.relation])
    replacement = Replacement(partial(owns, keys, run))
    if not lacking:
        return replacement
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    checked = [change for change in lacking if change.needs_validation]
    # Before anything is changed, where the columns are there already; so that an upgrade which is
    # refused has not done half of what else the revision holds.
    early = [change for change in checked if change.is_there]
    late = [change for change in checked if not change.is_there and change.relation is not None]
    if early:
        first = [_Unit([_row_security(templates, early)])]
        first += _wrong_rows(templates, early, settings.violations, run)
        replacement.first = [
            _operation((), first, "looks at the rows that are there", "puts back what was moved")
        ]
    # Several keys may refer to one unique key.
    unique = {
        (change.parent, frozenset(change.key.parent_columns)): change
        for change in reversed(lacking)
        if change.needs_unique
    }
    units = [
        *([_Unit([_row_security(templates, late)])] if late else []),
        *_wrong_rows(templates, late, settings.violations, run),
        *(_unique_key(templates, change) for change in reversed(unique.values())),
        *(_index(templates, change) for change in lacking if change.needs_index),
        *(_foreign_key(templates, change) for change in lacking if change.needs_foreign_key),
        *(_validation(templates, change) for change in checked),
        *(unit for change in lacking for unit in _old_keys(templates, change)),
        # Undone last to first: this look comes before anything is validated again.
        *([_Unit([], [_row_security(templates, checked)])] if checked else []),
    ]
    described = tuple(_describe(change, change in unique.values()) for change in lacking)
    replacement.operations = [_operation(described, units, "makes these changes", "takes back")]
    return replacement


def _operation(
    described: tuple[str, ...], units: Sequence[_Unit], done: str, undone: str
) -> StepsOp:
    return StepsOp(
        NAME,
        described,
        tuple(step for unit in units for step in unit.upgrade),
        tuple(step for unit in reversed(units) for step in unit.downgrade),
        headings=(done, undone),
    )


def _wrong_rows(
    templates: Templates, checked: Sequence[Change], violations: Violations, run: Run
) -> list[_Unit]:
    """What happens to rows that are wrong: first those that stop it, then those that are moved."""
    movable = [change for change in checked if _is_movable(change, violations, run)]
    stopping = [change for change in checked if change not in movable]
    stop = [_Unit([_stop(templates, stopping)])] if stopping else []
    return stop + [_move(templates, change, violations) for change in _referring_first(movable)]


def _referring_first(lacking: Sequence[Change]) -> Iterator[Change]:
    """Rows that refer to others are moved aside before those they refer to.

    Of one table the widest key comes first: once a reference above it is cleared, it is checked no
    more.
    """
    tables = {change.key.child for change in lacking}
    graph: TopologicalSorter[str] = TopologicalSorter({table: set() for table in sorted(tables)})
    for change in lacking:
        if change.key.parent in tables and change.key.parent != change.key.child:
            graph.add(change.key.parent, change.key.child)
    try:
        order = list(graph.static_order())
    except CycleError:
        order = sorted(tables)
    yield from sorted(
        lacking, key=lambda change: (order.index(change.key.child), -len(change.key.columns))
    )


def _describe(change: Change, brings_unique: bool) -> str:
    key = change.key
    parts = [
        f"unique key {key.unique.name}" if brings_unique else "",
        f"index {key.index.name}" if change.needs_index else "",
        f"foreign key {key.name}{_newness(change)}" if change.needs_foreign_key else "",
        f"{change.final.name} is validated" if change.present and change.needs_validation else "",
        *(f"{old.name} is dropped" for old in change.left_over),
    ]
    return (
        f"{change.child} ({', '.join(key.columns)}) -> "
        f"{change.parent} ({', '.join(key.parent_columns)}): "
        + ", ".join(part for part in parts if part)
    )


def _newness(change: Change) -> str:
    """A foreign key where there was none keeps rows of the parent from being deleted."""
    if (
        change.relation is None
        or change.old
        or any(
            set(change.key.own_columns) <= set(fk.columns) for fk in change.relation.foreign_keys
        )
    ):
        return ""
    return " (where there was none)"


def _row_security(templates: Templates, checked: Sequence[Change]) -> Step:
    """A look whether row level security would hide violating rows from the next steps."""
    tables = {table for change in checked for table in (change.child, change.parent)}
    return templates.step(
        "tenant_keys/row_security.sql.j2",
        "Look whether row level security hides rows from this role: the look-ups and VALIDATE "
        "would pass over them.",
        "nothing.",
        tables=sorted(tables, key=str),
    )


def _is_movable(change: Change, mode: Violations, run: Run) -> bool:
    """Whether violating rows can be dealt with as the settings say; otherwise they stop it."""
    key = change.key
    if mode == "null":
        if not _primary_key(change):
            why = "it has no primary key to find the rows by again"
        elif not set(key.own_columns) <= set(key.nullable):
            why = f"({', '.join(key.own_columns)}) is NOT NULL"
        else:
            return True
        run.findings.append(
            Finding(
                NAME,
                "cannot-be-null",
                key.child,
                f'violations = "null" cannot be done here: {why}; the migration stops at violating '
                'rows of this table instead. Set violations = "quarantine" to move them aside',
            )
        )
    return mode == "quarantine"


def _primary_key(change: Change) -> tuple[str, ...]:
    return change.relation.primary_key if change.relation is not None else ()


def _look(change: Change) -> dict[str, Any]:
    """What the templates need to find the violating rows."""
    key, primary_key = change.key, _primary_key(change)
    look: dict[str, Any] = {
        "child": change.child,
        "child_only": _only(change.relation),
        "columns": key.columns,
        "own_columns": key.own_columns,
        "match_full": change.wanted.match == "FULL",
        "parent": change.parent,
        "parent_only": _only(change.parent_relation),
        "parent_columns": key.parent_columns,
        "primary_key": primary_key,
        "sample": ", ".join(f"c.{quoting.identifier(name)}" for name in primary_key) or "c.ctid",
        "sample_names": primary_key or ("ctid",),
    }
    # The violating rows as a query on one line, for a person to run.
    macros: Any = environment(None).get_template("tenant_keys/_violating.sql.j2").module
    violating = " ".join(macros.condition(look).split())
    table = f"{look['child_only']}{change.child.sql}"
    look["query"] = f"SELECT c.* FROM {table} AS c WHERE {violating};"
    return look


def _only(relation: Relation | None) -> str:
    """A foreign key looks at a table alone, not at those that inherit from it; partitions count."""
    return "" if relation is not None and relation.kind == "p" else "ONLY "


def _stop(templates: Templates, stopping: Sequence[Change]) -> Step:
    """A look for rows that are wrong, in all tables before it stops at any."""
    return templates.step(
        "tenant_keys/abort.sql.j2",
        "Stop if rows violate one of the keys, and say which.",
        "nothing; the tables are read.",
        looks=[_look(change) for change in stopping],
    )


def _move(templates: Templates, change: Change, mode: Violations) -> _Unit:
    """Rows that are wrong are moved aside or cleared, and put back by the downgrade."""
    key, child = change.key, change.child
    store = child.sibling(violations_table(child.name))
    values: dict[str, Any] = {
        "look": _look(change),
        "name": key.name,
        "store": store,
        "reason": _REASON[mode],
        "marker": MARKER,
    }
    if mode == "quarantine":
        away = (
            f"Move rows of {child} that violate the key to {change.parent} to {store}; stop if "
            "other rows point at them."
        )
        back, put_back = f"Put back the rows that the upgrade moved to {store}.", "put_back_rows"
    else:
        away = (
            f"Clear ({', '.join(key.own_columns)}) in rows of {child} that violate the key to "
            f"{change.parent}; the rows as they were go to {store}."
        )
        back, put_back = f"Put back the values that the upgrade kept in {store}.", "put_back_values"
    locks = f"SHARE ROW EXCLUSIVE on {child} until it is done, if there are any: writes wait."
    return _Unit(
        [templates.step(f"tenant_keys/{mode}.sql.j2", away, locks, **values)],
        [templates.step(f"tenant_keys/{put_back}.sql.j2", back, locks, **values)],
    )


def _unique_key(templates: Templates, change: Change) -> _Unit:
    """The key of the parent that the foreign key refers to."""
    unique, table = change.key.unique, change.parent
    assert unique.name is not None and change.parent_relation is not None
    partitioned = change.parent_relation.kind == "p"
    what = f"{table}: the unique key ({', '.join(unique.columns)}) that foreign keys refer to."
    if not unique.constraint:
        return _Unit(
            indexes.create(
                templates,
                table,
                unique.name,
                unique.columns,
                what,
                unique=True,
                partitioned=partitioned,
            ),
            [indexes.drop(templates, table, unique.name, partitioned=partitioned)],
        )
    return _Unit(
        indexes.create_unique(
            templates, table, unique.name, unique.columns, what, partitioned=partitioned
        ),
        [indexes.drop_unique(templates, table, unique.name)],
    )


def _index(templates: Templates, change: Change) -> _Unit:
    """The index by which the child's rows are found when a row of the parent changes."""
    name = change.key.index.name
    assert name is not None and change.relation is not None
    partitioned = change.relation.kind == "p"
    what = f"{change.child}: an index on the key, or a change of {change.parent} scans the table."
    return _Unit(
        indexes.create(
            templates, change.child, name, change.key.columns, what, partitioned=partitioned
        ),
        [indexes.drop(templates, change.child, name, partitioned=partitioned)],
    )


def _foreign_key(templates: Templates, change: Change) -> _Unit:
    """The foreign key, for new rows only."""
    add = foreign_keys.add(
        templates,
        change.child,
        change.wanted,
        change.parent,
        f"{change.child}: the foreign key to {change.parent}, NOT VALID: new rows are checked "
        "from here on, the present ones below.",
        replaced=change.swapped,
        partitioned=change.is_partitioned,
    )
    if change.swapped is not None:
        return _Unit([add], _restore(templates, change, change.swapped, replaced=change.wanted))
    what = f"{change.child}: the foreign key to {change.parent} with the tenant goes."
    drop = foreign_keys.drop(templates, change.child, change.wanted, change.parent, what)
    return _Unit([add], [drop])


def _validation(templates: Templates, change: Change) -> _Unit:
    """The check of the rows that are there."""
    validate = foreign_keys.validate(templates, change.child, change.final, change.parent)
    if change.present is None:
        return _Unit([validate])
    undo = foreign_keys.add(
        templates,
        change.child,
        change.present,
        change.parent,
        f"{change.child}: {change.present.name} is NOT VALID again, as it was.",
        invalidated=True,
    )
    return _Unit([validate], [undo])


def _old_keys(templates: Templates, change: Change) -> list[_Unit]:
    """The foreign keys that the new one takes the place of, whatever their names are elsewhere."""
    tenant = [name for name in change.key.columns if name not in change.key.own_columns]
    units = []
    for pairs in dict.fromkeys(old.pairs for old in change.old):
        same = [old for old in change.old if old.pairs == pairs]
        drop = templates.step(
            "tenant_keys/drop_superseded.sql.j2",
            f"{change.child}: the foreign key on ({', '.join(same[0].columns)}) goes; the new one "
            "does its work.",
            foreign_keys.exclusive(change.child, change.parent),
            table=change.child,
            name=change.final.name,
            tenant=() if change.wanted.match == "FULL" else tenant,
            deparsed_columns=foreign_keys.deparsed_columns(same[0], change.parent),
            known=[foreign_keys.deparsed(old, change.parent) for old in same],
        )
        restored = [
            step
            for old in same
            if old in change.left_over
            for step in _restore(templates, change, old)
        ]
        units.append(_Unit([drop], restored))
    return units


def _restore(
    templates: Templates,
    change: Change,
    old: ForeignKey,
    *,
    replaced: ForeignKey | None = None,
) -> list[Step]:
    """A foreign key as it was before."""
    what = f"{change.child}: the foreign key on ({', '.join(old.columns)}) as it was"
    add = foreign_keys.add(
        templates,
        change.child,
        old,
        change.parent,
        f"{what}, NOT VALID at first." if old.validated else f"{what}.",
        replaced=replaced,
        partitioned=change.is_partitioned,
    )
    if not (old.validated and old.enforced):
        return [add]
    return [add, foreign_keys.validate(templates, change.child, old, change.parent)]
