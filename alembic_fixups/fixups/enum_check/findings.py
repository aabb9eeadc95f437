"""What is said of the columns that change, and of those that do not."""

from __future__ import annotations

import difflib

from sqlalchemy import Table

from alembic_fixups.fixups.enum_check.candidates import Candidate
from alembic_fixups.fixups.enum_check.conversion import Conversion
from alembic_fixups.fixups.enum_check.settings import NAME
from alembic_fixups.report import Finding, Severity
from alembic_fixups.run import Run


def warn(conversion: Conversion, table: Table, run: Run, *, sorts_same: bool) -> None:
    """Says what a conversion changes besides; takes whether the labels as text sort as before."""
    if conversion.values is None:
        message = (
            f"{conversion.column} is a String in the models and of the type {conversion.type} in "
            "the database: it becomes a plain column, and nothing checks its values any more. Give "
            "it an Enum or a Literal, or a CheckConstraint, to keep that"
        )
        _say(run, "unchecked", table, message, "warning")
    else:
        _suggest_renames(conversion, table, run)
    ordered = conversion.ordered_by
    if ordered and not sorts_same:
        message = (
            f"{conversion.column}: its values sorted as the labels stand in {conversion.type}, and "
            "will sort as text. ORDER BY, <, > and max() on it give something else, in the "
            f"application and perhaps in {', '.join(map(str, ordered))}"
        )
        _say(run, "order", table, message, "warning")


def _suggest_renames(conversion: Conversion, table: Table, run: Run) -> None:
    values = conversion.values or ()
    gone = [label for label in conversion.labels if label not in conversion.accepted]
    for label in gone:
        near = difflib.get_close_matches(label, [v for v in values if v not in conversion.labels])
        hint = f"; if it is called {near[0]!r} now, say so under renames" if near else ""
        message = (
            f"{conversion.column}: the models have no {label!r} any more, and the migration stops "
            f"where rows hold it{hint}"
        )
        _say(run, "label-gone", table, message, "info")


def refuse(run: Run, code: str, one: Candidate, why: str) -> None:
    """Says why a column stays as it is."""
    message = f"{one.column.name} stays of the type {'.'.join(one.enum)}: {why}"
    _say(run, code, one.table, message, "refused")


def _say(run: Run, code: str, table: Table, message: str, severity: Severity) -> None:
    run.findings.append(Finding(NAME, code, table.key, message, severity))
