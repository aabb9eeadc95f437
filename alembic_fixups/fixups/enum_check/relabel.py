"""Labels that the models call otherwise now, in columns that are plain already.

The CHECK changes first, NOT VALID, so that no further row gets an old label; then the rows are
moved, and then the CHECK is validated.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Table, text

from alembic_fixups.catalog import Check, Relation
from alembic_fixups.fixups.check_constraints.restored import with_array_type
from alembic_fixups.fixups.enum_check.conversion import names_of, renamed
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn, Wanted
from alembic_fixups.fixups.enum_check.settings import NAME, EnumCheckSettings, renames_for
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.steps import Step, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.report import Finding
from alembic_fixups.retyping.dependents import Dependent, dependents
from alembic_fixups.retyping.steps import BATCH
from alembic_fixups.run import Run

_IS_INHERITED = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
   WHERE :table IN (i.inhrelid, i.inhparent) AND NOT c.relispartition
)
"""

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
        shrinks: whether the column gets a type that the old labels do not fit.
    """

    table: TableName
    column: str
    dimensions: int
    before: Side
    after: Side
    labels: tuple[tuple[str, str], ...]
    shrinks: bool = False

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
    """The columns whose CHECK in the database lists what has another name in the models.

    Where the rows could not be moved for good, a finding says why and the new list is a change of
    the CHECK as any other, which stops where rows hold the old label.
    """
    for column in wanted.columns:
        table = run.target.table(column.table)
        relation = run.relation(table)
        if relation is None or column.check is None:
            continue
        known = relation.columns.get(column.column)
        if known is None or known.named in run.catalog.enums:
            continue
        labels = renamed_labels(column, settings, table, run)
        check = _listing(relation, column, labels, run)
        if check is None:
            continue
        listed = tuple(_literals(check.expression))
        labels = {old: new for old, new in labels.items() if old in listed}
        problem = _problem(column, relation, check, labels, listed, run)
        if problem is not None:
            message = (
                f"{column.column}: the rows are not moved to the new labels of the settings "
                f"({', '.join(labels)}): {problem}"
            )
            run.findings.append(Finding(NAME, "renames", column.table, message, "refused"))
            continue
        yield Relabelled(
            TableName.of(table),
            column.column,
            column.dimensions,
            Side(check.name, with_array_type(check.expression), listed, check.comment),
            Side(column.check, column.condition, column.values, check.comment),
            tuple(labels.items()),
            shrinks=any(len(old) > _length(column) for old in labels),
        )


def renamed_labels(
    column: EnumColumn, settings: EnumCheckSettings, table: Table, run: Run
) -> dict[str, str]:
    """Old and new labels of a column, as far as the models have the new one and not the old."""
    schema, name, own, types, default = names_of(table, column.column, column.type, run)
    if column.type is None and column.name is not None:
        types = [column.name]
    renames = renames_for(settings, schema, name, own, types, default)
    return {
        old: new
        for old, new in renames.items()
        if old not in column.values and new in column.values
    }


def naming(dependents: Iterable[Dependent], labels: Iterable[str]) -> list[str]:
    """What of that has one of the labels in its definition, and would look for it in vain."""
    found = set(labels)
    return [
        str(each)
        for each in dependents
        if each.kind != "default" and not found.isdisjoint(_literals(each.definition or ""))
    ]


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


def _listing(
    relation: Relation, column: EnumColumn, labels: dict[str, str], run: Run
) -> Check | None:
    """The CHECK of a column, or of its domain, that has one of the old labels."""
    checks = relation.checks
    if column.domain is not None and column.domain in run.catalog.domain_checks:
        checks = run.catalog.domain_checks[column.domain].checks
    own = (check for check in checks if check.name == column.check)
    return next(
        (check for check in own if not labels.keys().isdisjoint(_literals(check.expression))), None
    )


def _problem(
    column: EnumColumn,
    relation: Relation,
    check: Check,
    labels: dict[str, str],
    listed: Collection[str],
    run: Run,
) -> str | None:
    """Why the rows of a column cannot be moved to new labels, None where they can."""
    merged = [new for new in labels.values() if new in listed]
    if merged:
        return (
            f"{', '.join(map(repr, merged))} is a value of its own already, and the downgrade "
            "could not tell the rows apart. Move them in a migration of your own"
        )
    if column.domain is not None:
        return "it is of a domain. Move them, and change the domain, in a migration of your own"
    if check.inherited or check.no_inherit or not check.validated or not check.enforced:
        return "its CHECK is inherited, NO INHERIT, NOT VALID or NOT ENFORCED"
    if re.search(r"\b(?:AND|OR|NOT)\b", _LITERAL.sub("", check.expression)):
        return f"its CHECK {check.name} is more than a list of values"
    referring = any(column.column in key.columns for key in relation.foreign_keys) or any(
        key.referred == relation.oid and column.column in key.referred_columns
        for other in run.catalog.relations.values()
        for key in other.foreign_keys
    )
    if referring:
        return "it is in a foreign key, both sides of which would have to change at once"
    connection = run.context.connection
    assert connection is not None
    if connection.execute(text(_IS_INHERITED), {"table": relation.oid}).scalar():
        return "tables inherit from its table, or it from others"
    general = run.settings.general
    [hanging] = dependents(
        connection,
        [(relation.oid, column.column)],
        Templates(general.lock_timeout, general.templates),
    )
    found = naming(
        [each for each in hanging if not each.identity.endswith(f"({check.name})")], labels
    )
    if found:
        return (
            f"{', '.join(found)} would go on looking for the old one. Have that allow both before, "
            "or drop it and make it again behind"
        )
    return None


def _length(column: EnumColumn) -> float:
    match = re.search(r"\((\d+)\)", column.storage)
    return int(match[1]) if match else float("inf")


def _literals(sql: str) -> Iterator[str]:
    for escaped, body in _LITERAL.findall(sql):
        value = body.replace("''", "'")
        yield value.replace("\\\\", "\\") if escaped else value
