"""The steps that bring a database to the composite keys, and back.

The order over all keys: look whether anything hides rows, look for violating rows, the parents'
unique keys, the children's indexes, the foreign keys NOT VALID, their validation, the old foreign
keys. Each step is a transaction of its own, so that no lock is kept for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain

from alembic.operations import ops

from alembic_fixups.catalog import ForeignKey
from alembic_fixups.fixups.tenant_keys.difference import Change, changes
from alembic_fixups.fixups.tenant_keys.ownership import (
    owns,
    take_out_of_new_tables,
)
from alembic_fixups.fixups.tenant_keys.rewrite import CompositeKey
from alembic_fixups.fixups.tenant_keys.rows import (
    is_movable,
    look_at_keys,
    old_alike,
    row_security,
    tenant_columns,
    wrong_rows,
)
from alembic_fixups.fixups.tenant_keys.settings import NAME, TenantKeysSettings
from alembic_fixups.rendering import foreign_keys, indexes
from alembic_fixups.rendering.steps import Step, StepsOp, Unit
from alembic_fixups.rendering.templates import Templates
from alembic_fixups.run import Replacement, Run


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
    movable = [change for change in checked if is_movable(change, settings.violations, run)]
    # Before anything is changed, where the columns are there already; so that an upgrade which is
    # refused has not done half of what else the revision holds.
    early = [change for change in checked if change.is_there]
    late = [change for change in checked if not change.is_there and change.relation is not None]
    replaced = [change for change in lacking if change.is_there and change.old]
    # Last in the downgrade: rows that are put back may violate a foreign key that is NOT VALID.
    first = [Unit([], [step for change in movable for step in _not_valid(templates, change)])]
    if early:
        first.append(Unit([row_security(templates, early)]))
    if replaced:
        first.append(Unit([look_at_keys(templates, replaced)]))
    stops, moves = wrong_rows(templates, early, movable, settings.violations, run)
    replacement.first = [
        _operation(
            (), [*first, *stops], "looks at what is there", "brings back keys that were NOT VALID"
        )
    ]
    if moves:
        done = "moves rows out of the way"
        replacement.aside = [_operation((), moves, done, "puts back what was moved")]
    # Several keys may refer to one unique key.
    unique = {
        (change.parent, frozenset(change.key.parent_columns)): change
        for change in reversed(lacking)
        if change.needs_unique
    }
    units = [
        *([Unit([row_security(templates, late)])] if late else []),
        *chain(*wrong_rows(templates, late, movable, settings.violations, run)),
        *(_unique_key(templates, change) for change in reversed(unique.values())),
        *(_index(templates, change) for change in lacking if change.needs_index),
        *(
            _foreign_key(templates, change, change in movable)
            for change in lacking
            if change.needs_foreign_key
        ),
        *(_validation(templates, change, change in movable) for change in checked),
        *(unit for change in lacking for unit in _old_keys(templates, change, change in movable)),
        # Undone last to first: this look comes before anything is validated again.
        *([Unit([], [row_security(templates, checked)])] if checked else []),
    ]
    described = tuple(_describe(change, change in unique.values()) for change in lacking)
    replacement.operations = [_operation(described, units, "makes these changes", "takes back")]
    return replacement


def _operation(
    described: tuple[str, ...], units: Sequence[Unit], done: str, undone: str
) -> StepsOp:
    return StepsOp(
        NAME,
        described,
        tuple(step for unit in units for step in unit.upgrade),
        tuple(step for unit in reversed(units) for step in unit.downgrade),
        headings=(done, undone),
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


def _unique_key(templates: Templates, change: Change) -> Unit:
    """The key of the parent that the foreign key refers to."""
    unique, table = change.key.unique, change.parent
    assert unique.name is not None and change.parent_relation is not None
    partitioned = change.parent_relation.kind == "p"
    what = f"{table}: the unique key ({', '.join(unique.columns)}) that foreign keys refer to."
    if not unique.constraint:
        return Unit(
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
    return Unit(
        indexes.create_unique(
            templates, table, unique.name, unique.columns, what, partitioned=partitioned
        ),
        [indexes.drop_unique(templates, table, unique.name)],
    )


def _index(templates: Templates, change: Change) -> Unit:
    """The index by which the child's rows are found when a row of the parent changes."""
    name = change.key.index.name
    assert name is not None and change.relation is not None
    partitioned = change.relation.kind == "p"
    what = f"{change.child}: an index on the key, or a change of {change.parent} scans the table."
    return Unit(
        indexes.create(
            templates, change.child, name, change.key.columns, what, partitioned=partitioned
        ),
        [indexes.drop(templates, change.child, name, partitioned=partitioned)],
    )


def _foreign_key(templates: Templates, change: Change, moved: bool) -> Unit:
    """The foreign key, for new rows only."""
    swapped = change.swapped
    add = foreign_keys.add(
        templates,
        change.child,
        change.wanted,
        change.parent,
        f"{change.child}: the foreign key to {change.parent}, NOT VALID: new rows are checked "
        "from here on, the present ones below.",
        replaced=() if swapped is None else (swapped,),
        partitioned=change.is_partitioned,
    )
    if swapped is not None and not _comes_last(swapped, moved):
        return Unit([add], _restore(templates, change, swapped, replaced=(change.wanted,)))
    return Unit([add], [_drop(templates, change, change.wanted)])


def _validation(templates: Templates, change: Change, moved: bool) -> Unit:
    """The check of the rows that are there."""
    validate = foreign_keys.validate(templates, change.child, change.final, change.parent)
    if change.present is None:
        return Unit([validate])
    if _comes_last(change.present, moved):
        return Unit([validate], [_drop(templates, change, change.present)])
    undo = foreign_keys.add(
        templates,
        change.child,
        change.present,
        change.parent,
        f"{change.child}: {change.present.name} is NOT VALID again, as it was.",
        invalidated=True,
    )
    return Unit([validate], [undo])


def _old_keys(templates: Templates, change: Change, moved: bool) -> list[Unit]:
    """The foreign keys that the new one takes the place of, whatever their names are elsewhere."""
    units = []
    for same in old_alike(change):
        drop = templates.step(
            "tenant_keys/drop_superseded.sql.j2",
            f"{change.child}: the foreign key on ({', '.join(same[0].columns)}) goes; the new one "
            "does its work.",
            foreign_keys.exclusive(change.child, change.parent),
            table=change.child,
            name=change.final.name,
            tenant=tenant_columns(change),
            deparsed_columns=foreign_keys.deparsed_columns(same[0], change.parent),
            known=[foreign_keys.deparsed(old, change.parent) for old in same],
        )
        restored = [
            step
            for old in same
            if old in change.left_over and not _comes_last(old, moved)
            for step in _restore(templates, change, old)
        ]
        units.append(Unit([drop], restored))
    return units


def _comes_last(old: ForeignKey, moved: bool) -> bool:
    """Whether the downgrade makes it only after rows have been put back, which may violate it."""
    return moved and not old.validated


def _not_valid(templates: Templates, change: Change) -> list[Step]:
    """The foreign keys that were NOT VALID, as they were."""
    keys = [*change.old, *([change.present] if change.present is not None else [])]
    return [step for old in keys if not old.validated for step in _restore(templates, change, old)]


def _drop(templates: Templates, change: Change, key: ForeignKey) -> Step:
    what = f"{change.child}: the foreign key to {change.parent} with the tenant goes."
    return foreign_keys.drop(templates, change.child, key, change.parent, what)


def _restore(
    templates: Templates,
    change: Change,
    old: ForeignKey,
    *,
    replaced: Sequence[ForeignKey] = (),
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
