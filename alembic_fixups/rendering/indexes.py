"""Steps that build and drop an index or a unique key while the table is in use."""

from __future__ import annotations

from collections.abc import Sequence

from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import TableName, Templates


def create(
    templates: Templates,
    table: TableName,
    name: str,
    columns: Sequence[str],
    what: str,
    *,
    unique: bool = False,
    partitioned: bool = False,
) -> list[Step]:
    """Builds a btree index CONCURRENTLY, after removing what an earlier try left INVALID.

    Takes a sentence on what it is for. On a partitioned table, where CONCURRENTLY is not allowed,
    it is built at once.
    """
    clear = templates.step(
        "common/clear_index_name.sql.j2",
        f"{table}: take away what a CREATE INDEX CONCURRENTLY that was cut short left.",
        "nothing, unless there is something: then ACCESS EXCLUSIVE for a catalog change.",
        table=table,
        index=table.sibling(name),
        columns=columns,
        unique=unique,
    )
    build = templates.step(
        "common/create_index.sql.j2",
        what,
        f"SHARE on {table} while it is built (partitioned table): writes wait."
        if partitioned
        else f"SHARE UPDATE EXCLUSIVE on {table} while it is built: reads and writes go on; it "
        "waits for older transactions.",
        table=table,
        index=name,
        qualified=table.sibling(name),
        columns=columns,
        unique=unique,
        partitioned=partitioned,
    )
    return [clear, build]


def drop(templates: Templates, table: TableName, name: str, *, partitioned: bool = False) -> Step:
    """Drops an index, CONCURRENTLY where that is allowed."""
    return templates.step(
        "common/drop_index.sql.j2",
        f"{table}: the index {name} goes.",
        f"ACCESS EXCLUSIVE on {table} for a catalog change (partitioned table)."
        if partitioned
        else f"SHARE UPDATE EXCLUSIVE on {table}: reads and writes go on.",
        index=table.sibling(name),
        partitioned=partitioned,
    )


def create_unique(
    templates: Templates,
    table: TableName,
    name: str,
    columns: Sequence[str],
    what: str,
    *,
    partitioned: bool = False,
) -> list[Step]:
    """Builds a unique index CONCURRENTLY and makes it a UNIQUE constraint.

    On a partitioned table the constraint is added at once, with its index.
    """
    constraint = templates.step(
        "common/add_unique.sql.j2",
        f"{table}: {name} as a constraint{'' if partitioned else ' on that index'}.",
        f"ACCESS EXCLUSIVE on {table} "
        + ("while its index is built" if partitioned else "for a catalog change")
        + ": reads and writes wait.",
        table=table,
        name=name,
        columns=columns,
        partitioned=partitioned,
    )
    if partitioned:
        return [constraint]
    return [*create(templates, table, name, columns, what, unique=True), constraint]


def drop_unique(templates: Templates, table: TableName, name: str) -> Step:
    """Drops a UNIQUE constraint and its index."""
    return templates.step(
        "common/drop_constraint.sql.j2",
        f"{table}: the unique key {name} goes.",
        f"ACCESS EXCLUSIVE on {table} for a catalog change: reads and writes wait.",
        table=table,
        name=name,
    )
