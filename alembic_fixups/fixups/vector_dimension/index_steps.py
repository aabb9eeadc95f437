"""The steps that drop and build vector indexes while the table is in use.

Which statements they come to the database decides when the migration runs (`Step.each`): what is
there already is not built again, and what was cut short goes first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alembic_fixups.fixups.vector_dimension.index_rewrite import METHODS
from alembic_fixups.fixups.vector_dimension.indexes import IndexChange
from alembic_fixups.fixups.vector_dimension.side_tables import PendingIndex
from alembic_fixups.rendering.steps import Step, Unit
from alembic_fixups.rendering.templates import Templates

_FUNCTIONS = ("form", "meaning", "is", "build")


def functions(templates: Templates) -> tuple[str, ...]:
    """The statements that define what the steps call; to be put into `StepsOp.functions`."""
    return tuple(
        templates.step(f"vector_dimension/index_{name}.sql.j2", "", "").sql for name in _FUNCTIONS
    )


def drop_old(templates: Templates, change: IndexChange, condition: str | None = None) -> list[Step]:
    """The index as it was goes, if it is there.

    An INVALID one that nobody wants goes too. Takes SQL that is true where it has to; None for
    always.
    """
    if change.old is None and change.new is not None:
        return []
    what = f"the index {change.name} goes"
    if change.converted:
        what += f": {', '.join(sorted(change.converted))} changes under it"
    return _drop(templates, change, change.old, what, condition)


def drop_new(templates: Templates, change: IndexChange, condition: str | None = None) -> list[Step]:
    """The way back from `build_new`: the index as it is to be goes, if it is there."""
    if change.new is None:
        return []
    return _drop(templates, change, change.new, f"the index {change.name} goes", condition)


def build_new(
    templates: Templates, change: IndexChange, condition: str | None = None
) -> list[Step]:
    """The index as it is to be, in the place of what has its name, unless that is the same.

    Takes SQL that is true where it has to be built; None for always.
    """
    return _build(templates, change, change.new, condition, exact=False)


def build_old(
    templates: Templates, change: IndexChange, condition: str | None = None
) -> list[Step]:
    """The way back from `drop_old`, or from `build_new` of another: exactly as it was."""
    return _build(templates, change, change.old, condition, exact=True)


def unit(templates: Templates, change: IndexChange) -> Unit:
    """The whole of a change, and its way back, where no column changes its type.

    Without what `early_unit` has of it.
    """
    if change.early:
        return Unit(build_new(templates, change), drop_new(templates, change))
    if change.new is None:
        return Unit(drop_old(templates, change), build_old(templates, change))
    if change.old is None:
        return Unit(build_new(templates, change), drop_new(templates, change))
    return Unit(build_new(templates, change), build_old(templates, change))


def early_unit(templates: Templates, change: IndexChange) -> Unit:
    """What of a change comes before Alembic's own operations, and is undone after them."""
    if not change.early:
        return Unit([])
    return Unit(drop_old(templates, change), build_old(templates, change))


def as_json(index: PendingIndex) -> dict[str, Any]:
    """An index as the comment of a job has it, which `side_tables.parsed` reads."""
    return {
        "name": index.name,
        "using": index.using,
        "options": dict(index.options),
        "where": index.where,
        "tablespace": index.tablespace,
        "comment": index.comment,
    }


def _drop(
    templates: Templates,
    change: IndexChange,
    index: PendingIndex | None,
    what: str,
    condition: str | None,
) -> list[Step]:
    step = templates.step(
        "vector_dimension/drop_index.sql.j2",
        f"{change.table}: {what}. Nothing where it is not there.",
        f"ACCESS EXCLUSIVE on {change.table} and its partitions for a catalog change (partitioned "
        "table): reads and writes wait."
        if change.partitioned
        else f"SHARE UPDATE EXCLUSIVE on {change.table}: reads and writes go on; it waits for "
        "older transactions.",
        table=change.table,
        names=[change.name, change.shadow],
        methods=sorted({*METHODS, *([] if index is None else [_method(index)])}),
        condition=condition,
        at_once=change.partitioned,
    )
    return [replace(step, each=not change.partitioned)]


def _build(
    templates: Templates,
    change: IndexChange,
    index: PendingIndex | None,
    condition: str | None,
    *,
    exact: bool,
) -> list[Step]:
    if index is None:
        return []
    kept = frozenset() if exact else change.kept
    build = templates.step(
        "vector_dimension/build_index.sql.j2",
        f"{change.table}: {_what(change, index, exact=exact)}",
        f"SHARE on {change.table} and its partitions while it is built (partitioned table), and "
        "ACCESS EXCLUSIVE where another one gives way to it: writes wait, or all."
        if change.partitioned
        else f"SHARE UPDATE EXCLUSIVE on {change.table} while it is built: reads and writes go "
        "on; it waits for older transactions.",
        table=change.table,
        index=index,
        shadow=change.shadow,
        wanted=[pair for pair in index.options if pair[0] not in kept],
        kept=[pair for pair in index.options if pair[0] in kept],
        condition=condition,
        exact=exact,
        at_once=change.partitioned,
    )
    if change.partitioned:
        return [build]
    swap = templates.step(
        "vector_dimension/swap_index.sql.j2",
        f"{change.table}: what was built is {change.name} from here on, in the place of what had "
        "that name. Nothing where nothing was built.",
        f"ACCESS EXCLUSIVE on {change.table} for a catalog change: reads and writes wait.",
        table=change.table,
        index=index,
        shadow=change.shadow,
        exact=exact,
    )
    return [replace(build, each=True), swap]


def _what(change: IndexChange, index: PendingIndex, *, exact: bool) -> str:
    said = f"the index {change.name}{' as it was' if exact else ''}, {index.using}"
    if index.where is not None:
        said += f" where {index.where}"
    if change.partitioned:
        said += (
            ". Built at once, in the place of what has its name, since CONCURRENTLY is not allowed "
            "on a partitioned table"
        )
    else:
        said += (
            f". It is called {change.shadow} while it is built; what a build that was cut short "
            "left INVALID goes first"
        )
    said += ". Nothing where it is there already."
    method = _method(index)
    if method == "hnsw":
        return said + (
            " The build is fast while the graph fits into maintenance_work_mem: give the role as "
            "much of it as the index will be large."
        )
    if method == "ivfflat" and not exact and "lists" not in dict(index.options):
        return said + (
            " Its lists are computed from the rows with a value: a thousandth of them, above a "
            "million the square root."
        )
    return said


def _method(index: PendingIndex) -> str:
    return index.using.partition(" ")[0]
