"""Operations that would drop a partition of a table which the models have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.operations import ops

from alembic_fixups.report import Finding
from alembic_fixups.stock.tree import Predicate, table_of

if TYPE_CHECKING:
    from alembic_fixups.run import Run


def live_partitions(run: Run) -> Predicate:
    """Whether an operation belongs to the drop of a partition that Alembic takes for a table.

    Takes the run; the predicate adds a finding to it for every table that it spares.
    """
    live = {
        relation.oid
        for table in run.target.tables.values()
        if (relation := run.relation(table)) is not None
    }

    def is_live(operation: ops.MigrateOperation) -> bool:
        table = table_of(operation)
        relation = None if table is None else run.catalog.find(*table)
        if relation is None or relation.oid in live:
            return False
        parent = relation.partition_of
        while parent is not None and parent not in live:
            parent = run.catalog.relations[parent].partition_of
        if parent is not None and isinstance(operation, ops.DropTableOp):
            message = (
                f"Alembic would drop {relation.schema}.{relation.name}, but it is a partition of a "
                "table of the models; the drop is left out."
            )
            name = ".".join(part for part in table or () if part is not None)
            # There is nothing for anybody to do about it.
            finding = Finding("alembic", "live-partition", name, message, "info")
            if finding not in run.findings:
                run.findings.append(finding)
        return parent is not None

    return is_live
