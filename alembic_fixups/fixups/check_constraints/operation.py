"""The steps that bring the checks of a database to those of the models, and back.

A new CHECK is made NOT VALID and validated in a transaction of its own, after a look at the rows.
One that changes is made under a name of its own beside the old one, which goes when it is valid:
at no time is the column unchecked. Each step is a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace as with_values
from functools import partial

from alembic.operations import ops

from alembic_fixups.catalog import Move
from alembic_fixups.fixups.check_constraints.difference import Change, differences
from alembic_fixups.fixups.check_constraints.ownership import owns, take_out_of_columns
from alembic_fixups.fixups.check_constraints.settings import NAME, CheckConstraintsSettings
from alembic_fixups.fixups.check_constraints.steps import Steps
from alembic_fixups.fixups.check_constraints.wishes import Wishes
from alembic_fixups.rendering.steps import StepsOp, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.run import Replacement, Run

_ORDER = ("add", "change", "validate", "drop")
"""What takes the place of another is there before that one goes."""


def locate(wanted: Wishes, settings: CheckConstraintsSettings, run: Run) -> Iterable[Move]:
    """Has other fixups know which checks go before their changes; moves nothing."""

    def leaving() -> frozenset[tuple[TableName, str]]:
        return frozenset(
            (change.place.name, change.old.name)
            for change in _changes(wanted, run)
            if change.early and change.old is not None and change.old.name is not None
        )

    run.leaving = leaving
    return []


def _changes(wanted: Wishes, run: Run) -> list[Change]:
    """What differs, by types and values that the other fixups bring about; asked for once."""
    if wanted.changes is None:
        wanted.changes = differences(wanted, run)
    return wanted.changes


def replace(
    wanted: Wishes, settings: CheckConstraintsSettings, run: Run, upgrade_ops: ops.UpgradeOps
) -> Replacement:
    """Gives the steps for what differs, and says which operations they take over.

    Raises:
        CommandError: the session cannot make the temporary tables that the comparison needs.
    """
    take_out_of_columns(run, upgrade_ops)
    replacement = Replacement(partial(owns, run))
    changes = sorted(_changes(wanted, run), key=lambda change: _ORDER.index(change.kind))
    if not changes:
        return replacement
    general = run.settings.general
    steps = Steps(Templates(general.lock_timeout, general.templates))
    functions = steps.functions(changes)

    there = [change for change in changes if change.is_there]
    late = [change for change in changes if not change.is_there]
    looks = [*steps.row_security(changes), *steps.look(there, "upgrade")]
    if looks:
        headings = ("looks at what is there", "has nothing to take back")
        replacement.first = [_operation((), [Unit(looks)], headings)]

    gone = [change for change in changes if change.early]
    if gone:
        units = [_early(steps, change) for change in gone]
        # The columns are back by then.
        units.append(Unit([], steps.look(gone, "downgrade")))
        headings = ("makes way for the changes below", "brings back what stood in their way")
        if run.moves:
            # Functions of an operation begin another transaction, and what has moved would stay.
            define = (steps.define(functions, autocommit=way) for way in (False, True))
            units = [Unit(next(define)), *units, Unit([], next(define))]
            replacement.early = [_operation((), units, headings)]
        else:
            replacement.early = [_operation((), units, headings, functions)]

    units = [Unit(steps.look(late, "upgrade", late=True))]
    units += [_unit(steps, change) for change in changes]
    back = [change for change in changes if not change.early]
    units.append(Unit([], [*steps.row_security(back, undone=True), *steps.look(back, "downgrade")]))
    described = tuple(_describe(change) for change in changes)
    headings = ("makes these changes", "takes back")
    replacement.operations = [_operation(described, units, headings, functions)]
    return replacement


def _operation(
    described: tuple[str, ...],
    units: Sequence[Unit],
    headings: tuple[str, str],
    functions: tuple[str, ...] = (),
) -> StepsOp:
    return StepsOp(
        NAME,
        described,
        tuple(step for unit in units for step in unit.upgrade),
        tuple(step for unit in reversed(units) for step in unit.downgrade),
        headings=headings,
        functions=functions,
    )


def _describe(change: Change) -> str:
    old, new = change.old, change.new
    if new is None:
        assert old is not None
        return f"{change.place}: drop the check {old.name}"
    if change.kind == "validate":
        return f"{change.place}: validate the check {new.name}, which is NOT VALID"
    named = f"the check {new.name}" if new.name is not None else "a check"
    said = ", ".join(_values(change)) or " ".join(new.expression.split())
    return f"{change.place}: {change.kind} {named} ({said})"


def _values(change: Change) -> Iterator[str]:
    """How a list of allowed values changes, where both are lists of the same column's."""
    if change.old is None or change.new is None:
        return
    old, new = change.old.allowed, change.new.allowed
    if old is None or new is None or (old.column, old.operator) != (new.column, new.operator):
        return
    added, gone = sorted(new.values - old.values), sorted(old.values - new.values)
    if added:
        yield f"{new.column} may be {' or '.join(map(repr, added))} too"
    if gone:
        yield f"{new.column} may not be {' or '.join(map(repr, gone))} any more"


def _unit(steps: Steps, change: Change) -> Unit:
    place, new, old = change.place, change.new, change.old
    match change.kind:
        case "validate" if new is not None and old is not None:
            return Unit([steps.validate(place, new)], [steps.invalidate(place, old)])
        case "change" if new is not None and old is not None and not change.early:
            return Unit(steps.swap(place, new, old), steps.swap(place, old, new))
        case "add" | "change" if new is not None:
            return Unit(steps.make(place, new), [steps.drop(place, new, old, "downgrade")])
        case "drop" if old is not None and not change.early:
            return Unit([steps.drop(place, old, None, "upgrade")], steps.make(place, old))
    return Unit([])  # what goes early has gone


def _early(steps: Steps, change: Change) -> Unit:
    """The old CHECK goes, inside the transaction of Alembic's own operations."""
    assert change.old is not None
    drop = steps.drop(change.place, change.old, change.new, "upgrade")
    return Unit([with_values(drop, autocommit=False)], steps.make(change.place, change.old))
