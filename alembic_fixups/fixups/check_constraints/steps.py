"""The single steps, filled from the templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from alembic_fixups.fixups.check_constraints.difference import Change, Form
from alembic_fixups.fixups.check_constraints.holders import Place
from alembic_fixups.rendering.quoting import fit_identifier
from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import TableName, Templates

Direction = Literal["upgrade", "downgrade"]


class Steps:
    """Makes the steps of both directions."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def functions(self, changes: Iterable[Change]) -> tuple[str, ...]:
        """The statements that define what the steps call; they last as long as the session."""
        swapped = any(change.kind == "change" for change in changes)
        names = ("meaning", "checks", "replace") if swapped else ("meaning", "checks")
        return tuple(
            self._templates.step(f"check_constraints/{name}.sql.j2", "", "").sql for name in names
        )

    def define(self, functions: Iterable[str], *, autocommit: bool) -> list[Step]:
        """The same as steps, where no other transaction may begin."""
        comment = "A function that the steps below call, gone with the session.\nLocks: nothing."
        return [Step(comment, sql, autocommit) for sql in functions]

    def row_security(self, changes: Iterable[Change], *, undone: bool = False) -> list[Step]:
        """A look whether row level security hides rows; none without tables."""
        tables = {
            change.place.name
            for change in changes
            if not change.place.is_domain and _checked(change, undone) is not None
        }
        if not tables:
            return []
        return [
            self._templates.step(
                "tenant_keys/row_security.sql.j2",
                "Look whether row level security hides rows from this role: the look-ups and "
                "VALIDATE would pass over them.",
                "nothing.",
                tables=sorted(tables, key=str),
            )
        ]

    def look(
        self, changes: Iterable[Change], direction: Direction, *, late: bool = False
    ) -> list[Step]:
        """A look for rows that violate what this direction makes, in all tables before it stops.

        *late* says that other operations of the revision are done when it stops.
        """
        undone = direction == "downgrade"
        looks = [
            {"place": change.place, "check": check, "key": change.place.key or ("ctid",)}
            for change in changes
            if (check := _checked(change, undone)) is not None
        ]
        if not looks:
            return []
        return [
            self._templates.step(
                "check_constraints/look.sql.j2",
                "Stop if rows violate one of the checks, and say which.",
                "nothing; the tables are read.",
                looks=looks,
                direction=direction,
                late=late,
            )
        ]

    def add(self, place: Place, check: Form, beside: Form | None = None) -> Step:
        """Adds a CHECK for new rows only; *beside* is the one of its name that it will replace."""
        name = check.name if beside is None else _temporary(check)
        what = f"{place}: {_called(check)} is there for new rows from here on"
        if beside is not None:
            what += f", beside the old one, as {name}"
        if check.is_checked:
            what += "; the present ones are checked below"
        return self._templates.step(
            "check_constraints/add.sql.j2",
            f"{what}.",
            f"ACCESS EXCLUSIVE on {place} for a catalog change.",
            place=place,
            name=name,
            check=check,
            beside=beside,
        )

    def make(self, place: Place, check: Form) -> list[Step]:
        """Adds a CHECK, and checks the rows that are there where it is to be valid."""
        made = [self.add(place, check)]
        return [*made, self.validate(place, check)] if check.is_checked else made

    def validate(self, place: Place, check: Form, beside: Form | None = None) -> Step:
        """Checks the rows that are there."""
        locks = (
            f"SHARE UPDATE EXCLUSIVE on {place} while the rows are read; reads and writes go on."
        )
        if place.is_domain:
            locks = "SHARE on every table with a column of it while the rows are read: writes wait."
        names = [check.name] if beside is None else [check.name, _temporary(check)]
        return self._templates.step(
            "check_constraints/validate.sql.j2",
            f"{place}: check the present rows against {_called(check)}.",
            locks,
            place=place,
            names=[name for name in names if name is not None],
            check=check,
        )

    def swap(self, place: Place, new: Form, old: Form) -> list[Step]:
        """Puts a CHECK in the place of the one that has its name."""
        steps = [self.add(place, new, old)]
        if new.is_checked:
            steps.append(self.validate(place, new, old))
        steps.append(
            self._templates.step(
                "check_constraints/swap.sql.j2",
                f"{place}: the new check takes the name {new.name} as the old one goes.",
                f"ACCESS EXCLUSIVE on {place} for a catalog change.",
                place=place,
                name=new.name,
                temporary=_temporary(new),
                new=new,
                old=old,
            )
        )
        return steps

    def drop(self, place: Place, check: Form, instead: Form | None, direction: Direction) -> Step:
        """Drops a CHECK where it is there; *instead* is the one of its name that may stay."""
        unless = "" if instead is None else ", unless it is the other one of that name"
        return self._templates.step(
            "check_constraints/drop.sql.j2",
            f"{place}: {_called(check)} goes{unless}.",
            f"ACCESS EXCLUSIVE on {place} for a catalog change.",
            place=place,
            check=check,
            instead=instead,
            direction=direction,
        )

    def invalidate(self, place: Place, check: Form) -> Step:
        """Has a CHECK be NOT VALID, as it was."""
        return self._templates.step(
            "check_constraints/invalidate.sql.j2",
            f"{place}: {_called(check)} is NOT VALID again, as it was.",
            f"ACCESS EXCLUSIVE on {place} for a catalog change.",
            place=place,
            check=check,
        )


def _checked(change: Change, undone: bool) -> Form | None:
    """What rows have to satisfy: what one direction makes and validates."""
    check = change.old if undone else change.new
    if undone and change.kind == "validate":
        return None
    return check if check is not None and check.is_checked else None


def _called(check: Form) -> str:
    return f"the check {check.name}" if check.name is not None else "the check without a name"


def _temporary(check: Form) -> str:
    """The name of a new CHECK until the old one is gone."""
    assert check.name is not None
    return TableName(None, fit_identifier(f"{check.name}_new")).name
