"""What upgrades that were stopped, and never run again, have left."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import text

from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.side_tables import Job
from alembic_fixups.rendering import quoting
from alembic_fixups.report import Finding
from alembic_fixups.run import Run

_TRIGGERS = """
SELECT t.tgrelid, t.tgname, n.nspname, p.proname
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE NOT t.tgisinternal AND t.tgparentid = 0
   AND starts_with(t.tgname, 'fixup_archive_') AND starts_with(p.proname, 'fixup_archive_')
 ORDER BY t.tgrelid, t.tgname
"""


def tell_of_leftovers(run: Run, begun: Collection[Job], changing: Collection[int]) -> None:
    """Says what has been left.

    Takes the jobs whose columns are not of their new types, and the OIDs of the tables that the
    revision changes: it clears these away itself.
    """
    assert run.context.connection is not None
    for oid, trigger, schema, function in run.context.connection.execute(text(_TRIGGERS)):
        relation = run.catalog.relations.get(oid)
        if relation is not None and oid not in changing:
            table = quoting.qualified(relation.schema, relation.name)
            _say(
                run,
                f"{relation.schema}.{relation.name}",
                f"the trigger {trigger}",
                f"DROP TRIGGER {quoting.identifier(trigger)} ON {table}; "
                f"DROP FUNCTION {quoting.qualified(schema, function)}()",
            )
    for job in begun:
        clearing = f"DROP TABLE {job.store.sql}"
        if job.not_null:
            column = quoting.identifier(job.column)
            clearing = f"ALTER TABLE {job.table.sql} ALTER COLUMN {column} SET NOT NULL; {clearing}"
        _say(run, str(job.table), f"{job.store}, for {job.column} to become {job.type}", clearing)


def _say(run: Run, table: str, what: str, clearing: str) -> None:
    message = (
        f"an upgrade that was stopped has left {what}. Run that upgrade again; or, if its revision "
        f"is gone: {clearing}"
    )
    run.findings.append(Finding(NAME, "left-over", table, message, "warning"))
