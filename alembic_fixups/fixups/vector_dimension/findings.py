"""What is said of the columns that change, and of those that do not."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from alembic_fixups.fixups.vector_dimension.candidates import Candidate
from alembic_fixups.fixups.vector_dimension.conversion import Conversion
from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.report import Finding, Severity
from alembic_fixups.run import Run


def tell(
    run: Run, conversion: Conversion, one: Candidate, with_vectors: bool, source: str | None
) -> None:
    """Says what a conversion leaves to be done.

    Takes whether the table has any vectors now, and what new ones are made from.
    """
    problem = _problem_of(source, conversion, run) if source and conversion.embedder else None
    if problem is not None:
        message = (
            f"the source of {conversion.column} is no good here: {problem}. Put it right before "
            "the upgrade: `alembic-fixups reembed` runs it when the column is without vectors"
        )
        _say(run, "source", one, message, "warning")
    if not with_vectors:
        return
    change = conversion.change
    if conversion.is_reembedded:
        message = (
            f"{conversion.column} is without vectors after the upgrade, until `alembic-fixups "
            "reembed` has made them; queries have to leave out the rows where it is NULL"
        )
        _say(run, "reembed", one, message, "info")
    elif conversion.emptied is not None and not one.column.nullable:
        message = (
            f"{conversion.column} is NOT NULL and becomes {change.new}, which its vectors do not "
            f"fit: the migration stops while there are any; {ways_out(conversion)}"
        )
        _say(run, "not-null", one, message, "warning")
    if conversion.has_archive:
        message = (
            f"{conversion.archive} keeps the vectors that {conversion.column} has now; once they "
            "are not needed any more, `alembic-fixups vectors drop-archive` drops it"
        )
        _say(run, "archive", one, message, "info")


def _problem_of(source: str, conversion: Conversion, run: Run) -> str | None:
    """Why the database cannot run a query, or what it gives cannot be used; no row is read."""
    connection = run.context.connection
    assert connection is not None
    statement = f"SELECT * FROM (\n{source}\n) AS fixup_source LIMIT 0"
    try:
        with connection.begin_nested():
            given = connection.exec_driver_sql(
                statement, execution_options={"no_parameters": True}
            ).keys()
    except DBAPIError as error:
        return str(error.orig).splitlines()[0]
    wanted = [*(column.name for column in conversion.key), "a text"]
    if len(given) == len(wanted):
        return None
    return f"it gives {len(given)} column(s), and has to give {len(wanted)}: {', '.join(wanted)}"


def ways_out(conversion: Conversion) -> str:
    """What somebody can do whose rows would be without a vector."""
    change = conversion.change
    sizes = change.old.dimensions, change.new.dimensions
    ways = ['data = "reembed" makes new ones']
    cuts = change.casts and sizes[1] is not None and (sizes[0] is None or sizes[0] > sizes[1])
    if cuts and change.data != "truncate":
        ways.append('data = "truncate" cuts them, which suits models that are trained for it')
    return f"{', '.join(ways)}; or let the column be NULL"


def refuse(run: Run, code: str, one: Candidate, why: str) -> None:
    """Says why a column stays as it is."""
    message = f"{one.column.name} stays {one.known.type}, and does not become {one.new}: {why}"
    _say(run, code, one, message, "refused")


def _say(run: Run, code: str, one: Candidate, message: str, severity: Severity) -> None:
    run.findings.append(Finding(NAME, code, one.table.key, message, severity))
