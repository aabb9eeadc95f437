"""Operations that would drop a table which the models have."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from alembic.operations import ops
from sqlalchemy import Connection, text

from alembic_fixups.report import Finding, Severity
from alembic_fixups.stock.tree import Predicate, table_of

if TYPE_CHECKING:
    from alembic_fixups.run import Run

_PARTITIONS = """
SELECT i.inhrelid, i.inhparent
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 WHERE c.relispartition
"""


def live_tables(run: Run) -> Predicate:
    """Whether an operation belongs to the drop of a table that is really one of the models'.

    Under ``SET search_path`` Alembic sees a table twice, with its schema and without, and drops
    the one the models do not name; a partition it takes for a table of its own.

    Takes the run; the predicate adds a finding to it for every table that it spares.
    """
    default = run.target.default_schema
    # Alembic leaves the default schema out of its operations, the models may write it.
    named = {
        (table.schema if table.schema != default else None, table.name)
        for table in run.target.tables.values()
    }
    live = {
        relation.oid
        for table in run.target.tables.values()
        if (relation := run.relation(table)) is not None
    }

    @cache
    def parents() -> dict[int, int]:
        return _parents(run.context.connection)

    def why(schema: str | None, name: str) -> tuple[str, str] | None:
        relation = run.catalog.find(schema, name)
        if relation is None or (schema if schema != default else None, name) in named:
            return None
        real = f"{relation.schema}.{relation.name}"
        if relation.oid in live:
            return "live-table", (
                f"Alembic would drop it as {name!r}, but it is the table {real} of the models, "
                "which the search_path shows a second time; the drop is left out. Have env.py set "
                "the search_path to the default schema alone while it compares."
            )
        oid: int | None = relation.oid if relation.partition else None
        while oid is not None:
            oid = parents().get(oid)
            if oid in live:
                return "live-partition", (
                    f"Alembic would drop {real}, but it is a partition of a table of the models; "
                    "the drop is left out."
                )
        return None

    def is_live(operation: ops.MigrateOperation) -> bool:
        table = table_of(operation)
        reason = None if table is None else why(*table)
        if table is None or reason is None:
            return False
        if isinstance(operation, ops.DropTableOp):
            code, message = reason
            name = ".".join(part for part in table if part is not None)
            # There is nothing for anybody to do about a partition.
            severity: Severity = "info" if code == "live-partition" else "warning"
            finding = Finding("alembic", code, name, message, severity)
            if finding not in run.findings:
                run.findings.append(finding)
        return True

    return is_live


def _parents(connection: Connection | None) -> dict[int, int]:
    if connection is None:
        return {}
    return {row[0]: row[1] for row in connection.execute(text(_PARTITIONS))}
