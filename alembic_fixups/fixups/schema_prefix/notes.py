"""The notes by which a downgrade knows what was there before, and a revision what is half done.

They stand where nobody else writes and pg_dump does not look: in the comment of the type that
PostgreSQL makes for the rows of a table, or for the arrays of a type. A schema and a sequence have
no such place: for them it is the comment itself. They name the revision before, since no step
knows its own.
"""

from __future__ import annotations

from alembic_fixups.run import Run


def moved(schema: str, run: Run) -> str:
    """The note on what the upgrade moves out of *schema*; a later move puts its own before it."""
    return f"Moved from {schema}{moved_by(run)}"


def moved_by(run: Run) -> str:
    """What such a note says after the schema."""
    return f" by the schema-prefix migration after revision {run.heads}"


def stayed(run: Run) -> str:
    """The note on a partition that was in the new schema before its table."""
    return f"Here before the schema-prefix migration after revision {run.heads}"


def made(run: Run) -> str:
    """The note on a schema that the upgrade makes."""
    return f"Made by the schema-prefix migration after revision {run.heads}"
