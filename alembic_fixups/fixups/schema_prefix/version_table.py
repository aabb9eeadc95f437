"""Alembic's own table, which moves only where the settings say so."""

from __future__ import annotations

from dataclasses import replace

from alembic_fixups.fixups.schema_prefix.settings import NAME, SchemaPrefixSettings
from alembic_fixups.rendering.steps import Step, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.report import Finding
from alembic_fixups.run import Run

# Where env.py says the schema, Alembic would look for the table there and nowhere else.
_BY_PATH = "op.get_context().version_table_schema is None"


def move_version_table(
    settings: SchemaPrefixSettings, run: Run, templates: Templates
) -> tuple[str, Step, Unit] | None:
    """A line that says that the version table moves, the look that comes first, and the step.

    It runs in the transaction in which Alembic stamps the revision, after everything else: where
    Alembic does not find the table after the move, nothing has happened.
    """
    migration = run.context.migration_context
    name, home = migration.version_table, settings.home
    known = run.catalog.find(migration.version_table_schema, name)
    if not settings.move_version_table or known is None or known.schema == home:
        return None
    full = f"{known.schema}.{name}"
    if known.schema not in settings.move_from:
        message = f"is in no schema of move-from: it is not moved. Add {known.schema!r} to it"
    elif migration.version_table_schema is not None:
        message = (
            "env.py gives its schema as version_table_schema: moved in a migration, Alembic would "
            f"not find it to stamp the revision. Take that out, with {home!r} on the search_path, "
            f"for this one upgrade, and give version_table_schema={home!r} after it"
        )
    elif home not in _on_path(run.catalog.search_path):
        message = (
            f"the search_path lacks {home!r}: moved there, Alembic would not find it to stamp the "
            f"revision. Have env.py SET search_path TO {home}, {known.schema} first"
        )
    else:
        old, new = TableName(known.schema, name), TableName(home, name)
        steps = [
            replace(
                templates.step(
                    "schema_prefix/move_version_table.sql.j2",
                    f"{one}: Alembic's own table goes to {other.schema}; where env.py does not say "
                    "its schema, Alembic finds it by the search_path.",
                    f"ACCESS EXCLUSIVE on {one} until the revision is stamped.",
                    old=one,
                    new=other,
                ),
                autocommit=False,
                only_if=_BY_PATH,
            )
            for one, other in ((old, new), (new, old))
        ]
        look = replace(
            templates.step(
                "schema_prefix/look_at_version_table.sql.j2",
                f"Look whether Alembic will find its own table in {home} by the search_path.",
                "nothing.",
                old=old,
                new=new,
            ),
            only_if=_BY_PATH,
        )
        return f"{full}: Alembic's own table moves to {home}", look, Unit([steps[0]], [steps[1]])
    run.findings.append(Finding(NAME, "version-table", full, message, "refused"))
    return None


def _on_path(search_path: str) -> list[str]:
    """The schemas that a search_path names, also those that are not there yet."""
    return [part.strip().strip('"') for part in search_path.split(",")]
