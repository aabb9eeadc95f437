"""Which checks of the models the database lacks, has otherwise, or has too many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from alembic.util import CommandError

from alembic_fixups.catalog import Check
from alembic_fixups.fixups.check_constraints import restored
from alembic_fixups.fixups.check_constraints.allowed import Allowed, allowed
from alembic_fixups.fixups.check_constraints.holders import Holder, Place, holders
from alembic_fixups.fixups.check_constraints.inheritance import ChildCheck, obstacle
from alembic_fixups.fixups.check_constraints.meaning import Meaning, Reader, Unreadable, reading
from alembic_fixups.fixups.check_constraints.settings import NAME
from alembic_fixups.fixups.check_constraints.wishes import Wish, Wishes
from alembic_fixups.report import Finding
from alembic_fixups.run import Run

Kind = Literal["add", "change", "drop", "validate"]


@dataclass(frozen=True)
class Form:
    """A CHECK as the migration makes it.

    Attributes:
        name: its name, None where PostgreSQL chooses one.
        expression: what it says.
        validated: whether the rows that are there are checked.
        enforced: whether any are.
        no_inherit: whether it does not hold for tables that inherit.
        comment: the comment on it.
        allowed: the values that it allows, where it does no more than list them.
        others: where it has no name, the names of those that say the same before the migration
            and are not it.
    """

    name: str | None
    expression: str
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False
    comment: str | None = None
    allowed: Allowed | None = None
    others: tuple[str, ...] = ()

    @property
    def options(self) -> str:
        """What stands behind the expression where it is made without a look at the rows."""
        text = " NO INHERIT" if self.no_inherit else ""
        return text + (" NOT VALID" if self.enforced else " NOT ENFORCED")

    @property
    def is_checked(self) -> bool:
        """Whether rows that violate it stand in its way."""
        return self.validated and self.enforced


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: what the migration does; "change" keeps the name.
        place: the table or domain.
        new: the CHECK after it, None where it is dropped.
        old: the CHECK before it, None where there was none.
        early: whether the old one goes before Alembic's own operations, since it has columns that
            they drop, or would not fit the types or values that there will be.
        is_there: whether rows can be looked at for the new one before these operations.
    """

    kind: Kind
    place: Place
    new: Form | None
    old: Form | None
    early: bool = False
    is_there: bool = True


@dataclass
class _Compared:
    """A holder with what its checks mean; where they are not clear, by the present types too."""

    holder: Holder
    planned: dict[int, Meaning] = field(default_factory=dict)
    present: dict[int, Meaning] = field(default_factory=dict)

    def are_equal(self, wish: Wish, check: Check) -> bool:
        """Whether both mean the same, by the types that there will be or else those there are."""
        for meanings in (self.planned, self.present):
            one, other = meanings.get(id(wish)), meanings.get(id(check))
            if one and other and one.fixed is not None and other.fixed is not None:
                return _sense(one.fixed) == _sense(other.fixed)
        return False

    def is_clear(self, item: Wish | Check) -> bool:
        """Whether the database understands it."""
        return any(
            meanings[id(item)].fixed is not None
            for meanings in (self.planned, self.present)
            if id(item) in meanings
        )


@dataclass
class _Pairs:
    """Which wish goes with which check."""

    matched: list[tuple[Wish, Check]] = field(default_factory=list)
    changed: list[tuple[Wish, Check]] = field(default_factory=list)
    added: list[Wish] = field(default_factory=list)
    dropped: list[Check] = field(default_factory=list)
    inherited: list[tuple[Wish, Check]] = field(default_factory=list)


_Found = tuple[_Compared, Kind, Wish | None, Check | None]


def differences(wanted: Wishes, run: Run) -> list[Change]:
    """Compares all tables and domains that both sides have, by meaning.

    Raises:
        CommandError: the session cannot make temporary tables.
    """
    compared = [_Compared(holder) for holder in holders(wanted, run)]
    if not compared:
        return []
    assert run.context.connection is not None
    try:
        with reading(run.context.connection) as reader:
            _understand(compared, reader, run)
            return _changes(compared, reader, run)
    except Unreadable as error:
        raise CommandError(
            f"{NAME}: CHECK constraints are compared by what the database makes of them on empty "
            f"temporary tables, which it refuses: {error}. Connect to a server that can be written "
            "to, as a role that has TEMPORARY on the database."
        ) from error


def _understand(compared: list[_Compared], reader: Reader, run: Run) -> None:
    asked = []
    for one in compared:
        texts = [wish.expression for wish in one.holder.wishes]
        texts += [run.retyped(check.expression) for check in one.holder.checks]
        asked.append((one.holder.planned, texts))
    for one, meanings in zip(compared, reader.meanings(asked), strict=True):
        one.planned = _by_item(one.holder, meanings)
    unclear = [one for one in compared if any(not m.fixed for m in one.planned.values())]
    asked = [
        (
            one.holder.present,
            [wish.expression for wish in one.holder.wishes]
            + [check.expression for check in one.holder.checks],
        )
        for one in unclear
    ]
    for one, meanings in zip(unclear, reader.meanings(asked), strict=True):
        one.present = _by_item(one.holder, meanings)


def _by_item(holder: Holder, meanings: Sequence[Meaning]) -> dict[int, Meaning]:
    items = (*holder.wishes, *holder.checks)
    return {id(item): meaning for item, meaning in zip(items, meanings, strict=True)}


def _sense(fixed: str) -> Allowed | str:
    return allowed(fixed) or fixed


def _changes(compared: list[_Compared], reader: Reader, run: Run) -> list[Change]:
    found: list[_Found] = []
    inherited: list[tuple[_Compared, Wish, Check]] = []
    for one in compared:
        holder, pairs = one.holder, _pair(one, run)
        inherited += [(one, wish, check) for wish, check in pairs.inherited]
        if holder.in_arrays:
            if pairs.changed or pairs.added or pairs.dropped:
                _report_arrays(holder, run)
            continue
        found += [
            (one, "validate", wish, check)
            for wish, check in pairs.matched
            if _is_to_be_validated(wish, check, holder, run) and holder.included(run, wish, check)
        ]
        found += [
            (one, "change", wish, check)
            for wish, check in pairs.changed
            if holder.included(run, wish, check)
        ]
        found += [
            (one, "add", wish, None) for wish in pairs.added if holder.included(run, wish, None)
        ]
        if not holder.keeps:
            found += [
                (one, "drop", None, check)
                for check in pairs.dropped
                if holder.included(run, None, check)
            ]
    sources = restored.sources(
        [(one.holder, check) for one, _, _, check in found if check is not None], reader, run
    )
    present = reader.meanings(
        [(one.holder.present, [wish.expression if wish else "true"]) for one, _, wish, _ in found]
    )
    changes = [
        (item, _change(*item, sources, now.fixed is not None, run))
        for item, [now] in zip(found, present, strict=True)
    ]
    tables = {
        one.holder.present.oid
        for one, _, wish, _ in found
        if wish and not one.holder.place.is_domain
    }
    children = reader.child_checks(tables)
    changes = [pair for pair in changes if not _is_obstructed(*pair, children, run)]
    brought = {
        (child.relation, child.name, one.planned[id(wish)].fixed)
        for (one, kind, wish, _), _ in changes
        if kind == "change" and wish is not None
        for child in children
        if child.parent == one.holder.present.oid and child.inherited and child.name == wish.name
    }
    for one, wish, check in inherited:
        if (one.holder.present.oid, check.name, one.planned[id(wish)].fixed) not in brought:
            _report_inherited(one.holder, check, run)
    return [change for _, change in changes]


def _is_obstructed(item: _Found, change: Change, children: Sequence[ChildCheck], run: Run) -> bool:
    one, _, wish, check = item
    new = change.new
    if (
        wish is None
        or new is None
        or new.name is None
        or new.no_inherit
        or one.holder.table is None
    ):
        return False
    mine = [child for child in children if child.parent == one.holder.present.oid]
    written = one.planned[id(wish)].first
    why = obstacle(new.name, written, mine, old=check is not None, stays=not change.early)
    if why is None:
        return False
    done = "is not added" if check is None else "stays as it is"
    message = f"{new.name} {done}: {why}. Rename or drop that one, then autogenerate again"
    run.findings.append(Finding(NAME, "inherited", one.holder.subject, message))
    return True


def _change(
    one: _Compared,
    kind: Kind,
    wish: Wish | None,
    check: Check | None,
    sources: dict[int, restored.Source],
    is_there: bool,
    run: Run,
) -> Change:
    place = one.holder.place
    revalued = {name for oid, name in run.revalued if oid == one.holder.present.oid}
    is_there = is_there and not (wish and any(_names(wish.expression, name) for name in revalued))
    if check is None:
        assert wish is not None
        return Change(kind, place, _new(one, wish, None), None, is_there=is_there)
    source = sources[check.oid]
    early = kind in ("change", "drop") and (
        not source.survives or not (one.holder.dropped | revalued).isdisjoint(check.columns)
    )
    old = Form(
        check.name,
        source.original if early else source.retyped,
        check.validated,
        check.enforced,
        check.no_inherit,
        check.comment,
        _allowed(one.planned[id(check)]),
    )
    if kind == "validate":
        return Change(kind, place, replace(old, validated=True), old, is_there=is_there)
    new = None if wish is None else _new(one, wish, old)
    return Change(kind, place, new, old, early, is_there)


def _names(expression: str, column: str) -> bool:
    """Whether an expression may be about a column."""
    name = re.escape(column.replace('"', '""'))
    return re.search(rf"(?<![\w$]){name}(?![\w$])", expression, re.IGNORECASE) is not None


def _new(one: _Compared, wish: Wish, old: Form | None) -> Form:
    same = [check.name for check in one.holder.checks if one.are_equal(wish, check)]
    meaning = one.planned[id(wish)]
    return Form(
        wish.name,
        meaning.source,
        not wish.not_valid,
        no_inherit=old is not None and old.no_inherit,
        comment=wish.comment or (None if old is None else old.comment),
        allowed=_allowed(meaning),
        others=() if wish.name is not None else tuple(same),
    )


def _allowed(meaning: Meaning) -> Allowed | None:
    return None if meaning.fixed is None else allowed(meaning.fixed)


def _pair(one: _Compared, run: Run) -> _Pairs:
    holder, pairs = one.holder, _Pairs()
    checks = {check.name: check for check in holder.checks}
    wishes = []
    for wish in holder.wishes:
        check = checks.get(wish.name or "")
        if check is not None and one.are_equal(wish, check):
            pairs.matched.append((wish, checks.pop(check.name)))
        else:
            wishes.append(wish)
    # A check whose name another wish has is the one that this wish changes.
    named = {wish.name for wish in wishes}
    rest = []
    for wish in wishes:
        same = (check for check in checks.values() if check.name not in named)
        like = next((check for check in same if one.are_equal(wish, check)), None)
        if like is None:
            rest.append(wish)
        else:
            pairs.matched.append((wish, checks.pop(like.name)))
    taken = [check for _, check in pairs.matched]
    for wish in rest:
        if wish.name is None and any(one.are_equal(wish, check) for check in taken):
            continue  # the same twice
        check = checks.pop(wish.name or "", None)
        if not one.is_clear(wish):
            _report_unclear_wish(one, wish, check, run)
            if check is None and one.planned[id(wish)].missing:
                pairs.added.append(wish)
        elif check is None:
            pairs.added.append(wish)
        elif not one.is_clear(check):
            _report_unclear_check(one, check, run)
        elif check.inherited:
            pairs.inherited.append((wish, check))
        else:
            pairs.changed.append((wish, check))
    for check in checks.values():
        if check.inherited:
            continue
        if one.is_clear(check):
            pairs.dropped.append(check)
        else:
            _report_unclear_check(one, check, run)
    return pairs


def _is_to_be_validated(wish: Wish, check: Check, holder: Holder, run: Run) -> bool:
    if not check.enforced:
        message = (
            f"{check.name} is NOT ENFORCED: it holds for no row, and the models cannot say so. "
            "Drop it, or have PostgreSQL enforce it"
        )
        run.findings.append(Finding(NAME, "not-enforced", holder.subject, message))
        return False
    return not check.validated and not wish.not_valid and not check.inherited


def _report_unclear_wish(one: _Compared, wish: Wish, check: Check | None, run: Run) -> None:
    meaning = one.planned[id(wish)]
    left = "it is added all the same" if meaning.missing else "it is left out"
    if check is not None:
        left = f"{check.name} stays as it is"
    message = f"PostgreSQL cannot read {_shown(wish)}, so {left}: {meaning.problem}"
    run.findings.append(Finding(NAME, "not-comparable", one.holder.subject, message))


def _report_unclear_check(one: _Compared, check: Check, run: Run) -> None:
    message = (
        f"{check.name} cannot be compared, so it stays as it is: {one.planned[id(check)].problem}"
    )
    run.findings.append(Finding(NAME, "not-comparable", one.holder.subject, message))


def _report_inherited(holder: Holder, check: Check, run: Run) -> None:
    message = (
        f"{check.name} comes from a table that this one inherits and says something else than "
        "the models here; it can be changed there only"
    )
    run.findings.append(Finding(NAME, "inherited", holder.subject, message))


def _report_arrays(holder: Holder, run: Run) -> None:
    message = (
        f"its checks differ from the models', and PostgreSQL changes none of a domain that is in "
        f"arrays: {', '.join(holder.in_arrays)}. Give these columns another type, or change the "
        "models"
    )
    run.findings.append(Finding(NAME, "domain-in-arrays", holder.subject, message))


def _shown(wish: Wish) -> str:
    return wish.name or f"CHECK ({wish.expression})"
