"""The steps that give columns their new types: in place, or by way of a successor.

In place the table is written anew under a lock that nobody else gets past. By way of a successor (a
second column that a trigger keeps in step, filled in batches) the lock is held for changes of the
catalog only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from alembic_fixups.catalog import SUCCESSOR_MARK, Name
from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import Templates
from alembic_fixups.retyping.dependents import Dependent
from alembic_fixups.retyping.model import Besides, Domain, Swapped, Table

SMALL = "100 MB"
"""Up to this size, with indexes, "auto" writes a table anew in place: a second or two."""

BATCH = 64
"""Pages that one transaction fills: some thousand rows, locked for some ten milliseconds."""

_WHERE_NEEDED = (
    "op.get_context().as_sql or op.get_bind().exec_driver_sql("
    '"SELECT pg_temp.fixup_is_filled({table})").scalar()'
)
"""CREATE INDEX CONCURRENTLY cannot stand in a block that passes over it; a script has no choice."""

NOTHING = Besides()

_IN_SCRIPTS = "op.get_context().as_sql"


def in_place(
    templates: Templates,
    tables: Sequence[Table],
    what: str,
    besides: str = "",
    *,
    also: Besides = NOTHING,
) -> Iterator[Step]:
    """All in one transaction.

    Takes what the comment says of the change, what it says in further sentences, and what is done
    with it.
    """
    names = _names(tables)
    yield templates.step(
        "retyping/rewrite.sql.j2",
        f"{names}: {what}, all in one transaction.{besides}",
        f"ACCESS EXCLUSIVE on {names} while every row is written anew and its indexes are built: "
        "reads and writes wait.",
        tables=tables,
        columns=_columns(tables),
        types=_types(tables),
        domains=_domains(tables),
        besides=also,
    )
    yield from _analyze(templates, tables)


def back_in_place(
    templates: Templates,
    tables: Sequence[Table],
    what: str,
    originals: Sequence[Dependent],
    *,
    also: Besides = NOTHING,
) -> Iterator[Step]:
    """The way back; takes what depends on the columns, as it was, and what is done with it."""
    names = _names(tables)
    yield templates.step(
        "retyping/rewrite_back.sql.j2",
        f"{names}: {what}.",
        f"ACCESS EXCLUSIVE on {names} while every row is written anew and its indexes are built: "
        "reads and writes wait.",
        tables=tables,
        columns=_columns(tables),
        types=_types(tables),
        originals=originals,
        domains=_domains(tables),
        besides=also,
    )
    yield from _analyze(templates, tables, if_exists=True)


def by_successor(
    templates: Templates,
    tables: Sequence[Table],
    what: str,
    besides: str = "",
    *,
    small: str | None,
    before_swap: Iterable[Step] = (),
    also: Besides = NOTHING,
) -> Iterator[Step]:
    """By way of successors.

    Takes what the comment says of the change, what it says in further sentences, the size up to
    which a table is written anew in place when the migration runs, None for none, what is done
    just before the successors take the places of the columns, and what is done with that.
    """
    for table in tables:
        if table.is_eligible:
            yield from _prepared(templates, table, small)
    yield from before_swap
    names = _names(tables)
    rewritten = [str(table.name) for table in tables if not table.is_eligible]
    in_place = [*rewritten, *([f"a table of up to {small}"] if small else [])]
    yield templates.step(
        "retyping/swap.sql.j2",
        f"{names}: {what}. The successors take the places of the columns, as the last ones of "
        "their tables, with what depends on them"
        + (f"; {' and '.join(in_place)} is written anew in place." if in_place else ".")
        + besides,
        f"ACCESS EXCLUSIVE on {names} for changes of the catalog"
        + (
            ", and while what is small is written anew." if in_place else ": reads and writes wait."
        ),
        tables=tables,
        columns=_columns(tables),
        types=_types(tables),
        besides=also,
    )
    yield from _analyze(templates, tables)


def _prepared(templates: Templates, table: Table, small: str | None) -> Iterator[Step]:
    columns = ", ".join(column.of.column for column in table.columns)
    writes = f"SHARE UPDATE EXCLUSIVE on {table.name}: reads and writes go on."
    yield templates.step(
        "retyping/start.sql.j2",
        f"{table.name}: a successor for {columns}, and a trigger that keeps it in step.",
        f"ACCESS EXCLUSIVE on {table.name} for a catalog change: reads and writes wait.",
        table=table,
        limit=small,
        mark=SUCCESSOR_MARK,
        types=table.types,
    )
    yield templates.step(
        "retyping/fill_step.sql.j2",
        f"{table.name}: fill the rows that were there, {BATCH} pages a transaction. Stopped and "
        "run again, it passes over what is filled.",
        f"the rows of {BATCH} pages of {table.name} at a time, for some milliseconds; rows that "
        "somebody else is writing are passed over and have their turn later.",
        table=table,
        batch=BATCH,
    )
    yield templates.step(
        "retyping/checks.sql.j2",
        f"{table.name}: the constraints over the successor, NOT VALID, and one that says that it "
        "is in step.",
        f"ACCESS EXCLUSIVE on {table.name} for a catalog change: reads and writes wait.",
        table=table,
        types=table.types,
    )
    yield templates.step(
        "retyping/validate.sql.j2",
        f"{table.name}: check every row against them.",
        writes,
        table=table,
    )
    if table.indexes:
        stand_in = templates.step(
            "retyping/stand_in.sql.j2",
            f"{table.name}: a script cannot pass over the indexes below where there is nothing to "
            "build, so give them something to stand on.",
            f"ACCESS EXCLUSIVE on {table.name} for a catalog change: reads and writes wait.",
            table=table,
        )
        yield replace(stand_in, only_if=_IN_SCRIPTS)
    needed = _WHERE_NEEDED.format(table=table.name.text.replace("\\", "\\\\").replace('"', '\\"'))
    for index in sorted(table.indexes, key=lambda index: index.unique):
        clear = templates.step(
            "retyping/clear_index.sql.j2",
            f"{table.name}: an INVALID {index.shadow.name} that a run before left behind goes.",
            f"nothing, or ACCESS EXCLUSIVE on {table.name} for a catalog change.",
            index=index,
        )
        build = templates.step(
            "retyping/index.sql.j2",
            f"{table.name}: {index.name}, over the successor.",
            writes,
            table=table,
            index=index,
        )
        yield replace(clear, only_if=needed)
        yield replace(build, only_if=needed)


def _analyze(
    templates: Templates, tables: Iterable[Table], *, if_exists: bool = False
) -> Iterator[Step]:
    for table in tables:
        yield templates.step(
            "retyping/analyze.sql.j2",
            f"{table.name}: statistics of the new column, without which the planner guesses.",
            f"SHARE UPDATE EXCLUSIVE on {table.name}: reads and writes go on.",
            table=table,
            if_exists=if_exists,
        )


def _names(tables: Iterable[Table]) -> str:
    return ", ".join(str(table.name) for table in tables)


def _columns(tables: Iterable[Table]) -> list[Swapped]:
    return [column for table in tables for column in table.columns]


def _types(tables: Iterable[Table]) -> list[Name]:
    return sorted({name for table in tables for name in table.types})


def _domains(tables: Iterable[Table]) -> list[Domain]:
    return list(dict.fromkeys(domain for table in tables for domain in table.domains))
