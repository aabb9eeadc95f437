"""Labels that the models call otherwise now, in columns that are plain already.

The CHECK changes first, NOT VALID, so that no further row gets an old label; then the rows are
moved, and then the CHECK is validated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alembic_fixups.catalog import Check, Relation
from alembic_fixups.fixups.check_constraints.restored import with_array_type
from alembic_fixups.fixups.enum_check.conversion import names_of, renamed
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn, Wanted
from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings, renames_for
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.steps import Step, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping.steps import BATCH
from alembic_fixups.run import Run

_LITERAL = re.compile(r"(E?)'((?:[^']|'')*)'")


@dataclass(frozen=True)
class Side:
    """The CHECK of a column before or after its labels change.

    Attributes:
        name: name of the constraint.
        condition: what it says.
        values: what it lists.
        comment: the comment on it.
    """

    name: str
    condition: str
    values: tuple[str, ...]
    comment: str | None


@dataclass(frozen=True)
class Relabelled:
    """A column whose rows get other labels.

    Attributes:
        table, column: where it is.
        dimensions: 0 for a single value.
        before, after: its CHECK.
        labels: old and new labels.
    """

    table: TableName
    column: str
    dimensions: int
    before: Side
    after: Side
    labels: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def olds(self) -> list[str]:
        """The labels that go."""
        return [old for old, _ in self.labels]

    @property
    def accepted(self) -> list[str]:
        """The values that rows may have before."""
        return [*self.after.values, *self.olds]

    @property
    def value(self) -> str:
        """The new value, from the old."""
        return renamed(quoting.identifier(self.column), bool(self.dimensions), self.labels)

    @property
    def elements(self) -> str:
        """An array of the values of a row ``t``."""
        name = f"t.{quoting.identifier(self.column)}"
        return f"{name}::text[]" if self.dimensions else f"ARRAY[{name}::text]"

    def reversed(self) -> Relabelled:
        """The way back."""
        back = tuple((new, old) for old, new in self.labels)
        return Relabelled(self.table, self.column, self.dimensions, self.after, self.before, back)


def relabelled(wanted: Wanted, settings: EnumCheckSettings, run: Run) -> Iterator[Relabelled]:
    """The columns whose CHECK in the database lists what has another name in the models."""
    for column in wanted.columns:
        table = run.target.table(column.table)
        relation = run.relation(table)
        if relation is None or column.check is None or column.domain is not None:
            continue
        known = relation.columns.get(column.column)
        if known is None or known.named is not None:
            continue
        renames = renames_for(settings, *names_of(table, column.column, column.type, run))
        labels = {
            old: new
            for old, new in renames.items()
            if old not in column.values and new in column.values
        }
        check = _listing(relation, column, labels)
        if check is not None:
            listed = tuple(_listed(check))
            yield Relabelled(
                TableName.of(table),
                column.column,
                column.dimensions,
                Side(check.name, with_array_type(check.expression), listed, check.comment),
                Side(column.check, column.condition, column.values, check.comment),
                tuple((old, new) for old, new in labels.items() if old in listed),
            )


def relabel(templates: Templates, one: Relabelled) -> Unit:
    """The steps there and back."""
    return Unit(list(_steps(templates, one)), list(_steps(templates, one.reversed())))


def _steps(templates: Templates, one: Relabelled) -> Iterator[Step]:
    said = ", ".join(f"{old!r} becomes {new!r}" for old, new in one.labels)
    yield templates.step(
        "enum_check/relabel_look.sql.j2",
        f"{one}: stop if rows hold anything else than {one.after.name} will allow and the labels "
        "that change.",
        "nothing; the table is read.",
        one=one,
    )
    yield templates.step(
        "enum_check/relabel_check.sql.j2",
        f"{one}: {said}. First the CHECK, NOT VALID: from here on no row gets an old label.",
        f"ACCESS EXCLUSIVE on {one.table} for a catalog change: reads and writes wait.",
        one=one,
    )
    yield templates.step(
        "enum_check/relabel_rows.sql.j2",
        f"{one}: move the rows, {BATCH} pages a transaction.",
        f"the rows that change, {BATCH} pages at a time.",
        one=one,
        batch=BATCH,
    )
    yield templates.step(
        "enum_check/relabel_validate.sql.j2",
        f"{one}: check every row.",
        f"SHARE UPDATE EXCLUSIVE on {one.table}: reads and writes go on.",
        one=one,
    )


def _listing(relation: Relation, column: EnumColumn, labels: dict[str, str]) -> Check | None:
    """The CHECK of a column that has one of the old labels."""
    own = [
        check
        for check in relation.checks
        if check.columns == (column.column,) and not check.inherited and check.enforced
    ]
    return next((check for check in own if not labels.keys().isdisjoint(_listed(check))), None)


def _listed(check: Check) -> Iterator[str]:
    for escaped, body in _LITERAL.findall(check.expression):
        value = body.replace("''", "'")
        yield value.replace("\\\\", "\\") if escaped else value
