"""The steps that keep old vectors beside their table, and what brings them back.

While a migration copies them, a trigger keeps the archive in step with what is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_fixups.catalog import SUCCESSOR_MARK
from alembic_fixups.fixups.vector_dimension.conversion import Conversion
from alembic_fixups.fixups.vector_dimension.grouping import conversions_of
from alembic_fixups.fixups.vector_dimension.side_tables import ARCHIVE_MARK, JOB_MARK
from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping.model import Besides, Table, behind_new

BATCH = 16
"""Pages that one transaction copies: some hundred rows, whose vectors lie beside the pages."""

_ALWAYS = (
    *("is_of_type", "third_type", "keys_of", "said_of", "stop_at", "unmade", "trouble"),
    "rehearsed",
    *("side_table", "restoring", "trouble_back", "save_new"),
)
_TO_KEEP = ("watched", "stop_unless_watched", "keep", "drop_archive")
_TO_WAIT = ("begin_job", "end_job", "restore")


def functions(templates: Templates, columns: Sequence[Conversion]) -> Iterator[str]:
    """The statements that define what the steps call; they last as long as the session."""
    waits = any(one.is_reembedded for one in columns)
    keeps = waits or any(one.has_archive for one in columns)
    for name in (*_ALWAYS, *(_TO_KEEP if keeps else ()), *(_TO_WAIT if waits else ())):
        yield templates.step(
            f"vector_dimension/{name}.sql.j2",
            "",
            "",
            job_mark=JOB_MARK,
            archive_mark=ARCHIVE_MARK,
            mark=SUCCESSOR_MARK,
        ).sql


def keep(templates: Templates, table: Table, pending: dict[str, str]) -> Iterator[Step]:
    """Puts the old vectors of a table into archives, and has columns wait for new ones.

    Takes, for each column that is embedded anew, the indexes that wait with it as JSON.
    """
    columns = conversions_of([table])
    kept = [one for one in columns if one.has_archive]
    waiting = [one for one in columns if one.is_reembedded]
    if not kept and not waiting:
        return
    said = []
    if kept:
        archives = ", ".join(str(one.archive) for one in kept)
        said.append(f"{archives} for the old vectors, and a trigger that keeps it in step")
    if waiting:
        jobs = ", ".join(str(one.job) for one in waiting)
        said.append(
            f"where there are rows, {jobs} for `alembic-fixups reembed`, until whose end "
            f"{', '.join(one.column for one in waiting)} may be NULL"
        )
    yield templates.step(
        "vector_dimension/open.sql.j2",
        f"{table.name}: {'; '.join(said)}.",
        f"ACCESS EXCLUSIVE on {table.name} for a catalog change: reads and writes wait.",
        table=table,
        columns=columns,
        pending=pending,
        archive_mark=ARCHIVE_MARK,
        trigger=trigger(table),
        body=_body(kept, table.name),
        mark=SUCCESSOR_MARK,
    )
    for one in kept:
        yield templates.step(
            "vector_dimension/keep_step.sql.j2",
            f"{table.name}: copy the vectors of {one.column} to {one.archive}, {BATCH} pages a "
            "transaction. Stopped and run again, it passes over what is there.",
            f"the rows of {BATCH} pages of {table.name} at a time, against writes only; rows that "
            "somebody else is writing are passed over and have their turn later.",
            column=one,
            batch=BATCH,
        )


def trigger(table: Table) -> TableName:
    """The name of the trigger that keeps archives in step, and of its function."""
    return table.name.sibling(f"fixup_archive_{table.name.name}")


def also(templates: Templates, tables: Sequence[Table]) -> Besides:
    """What is done in the transaction that gives the columns their new types."""
    columns = conversions_of(tables)
    return Besides(
        _fragment(
            templates,
            "before",
            columns=columns,
            triggers=[
                (
                    table.name,
                    trigger(table),
                    any(one.has_archive for one in conversions_of([table])),
                )
                for table in tables
            ],
        ),
        _fragment(
            templates,
            "remake",
            remade=[(one.table, each, each.after) for one in columns for each in one.remade],
        ),
    )


def also_back(templates: Templates, tables: Sequence[Table]) -> Besides:
    """What is done in the transaction that takes them back."""
    columns = conversions_of(tables)
    return Besides(
        _fragment(templates, "before_back", columns=columns, archive_mark=ARCHIVE_MARK),
        _fragment(
            templates,
            "remake",
            remade=[(one.table, each, each.before) for one in columns for each in one.remade],
        ),
        _fragment(templates, "after_back", columns=columns),
    )


def restore(templates: Templates, one: Conversion) -> Iterator[Step]:
    """Puts back the vectors of the same embedder that a downgrade has kept, where one has."""
    if one.embedder is None:
        return
    yield templates.step(
        "vector_dimension/restore_step.sql.j2",
        f"{one.table}: where a downgrade of this revision has put vectors of {one.column} into "
        f"{one.archive_of_new}, they come back to the rows that have none.",
        f"nothing where there is no {one.archive_of_new}; else rows of {one.table} at a time.",
        column=one,
        batch=BATCH,
    )


def _fragment(templates: Templates, name: str, **values: object) -> str:
    return templates.step(f"vector_dimension/{name}.sql.j2", "", "", **values).sql


def _body(kept: Sequence[Conversion], table: TableName) -> str:
    """The body of the function of the trigger; ``fixup_schema`` stands for the table's.

    It looks at the row as it is by now, not at NEW: a trigger of the user's may have changed it
    again, and keys that are checked late may have gone from one row to another.
    """
    lines = ["#variable_conflict use_column", "BEGIN"]
    for one in kept:
        same_key = " AND ".join(
            f"OLD.{behind_new(key.name)} {key.equals} NEW.{behind_new(key.name)}" for key in one.key
        )
        lines += [
            f"IF TG_OP = 'UPDATE' AND NOT ({same_key}) THEN",
            *_as_now(one, "OLD", table),
            "END IF;",
            *_as_now(one, "NEW", table),
        ]
    return "\n".join([*lines, "RETURN NULL;", "END"])


def _as_now(one: Conversion, row: str, table: TableName) -> list[str]:
    """Has the archive hold what the row of that key has now, or nothing.

    The key is written first: a transaction whose snapshot is older than the copy would not see
    what is there, and has to fail as one that cannot be serialised.
    """
    store = f"fixup_schema.{behind_new(one.archive.name)}"
    keys = [behind_new(key.name) for key in one.key]
    listed = ", ".join(keys)
    vector = behind_new(one.column)
    now = f"fixup_schema.{behind_new(table.name)} AS fixup_row WHERE " + " AND ".join(
        f"fixup_row.{behind_new(key.name)} {key.equals} {row}.{behind_new(key.name)}"
        for key in one.key
    )
    kept = one.change.is_kept(f"fixup_row.{vector}")
    old = " AND ".join(
        f"fixup_old.{behind_new(key.name)} {key.equals} {row}.{behind_new(key.name)}"
        for key in one.key
    )
    same = " = ".join(
        one.change.comparable_old(f"{side}.{vector}") for side in ("fixup_row", "fixup_old")
    )
    return [
        f"INSERT INTO {store} ({listed}) VALUES ({', '.join(f'{row}.{key}' for key in keys)})",
        f"  ON CONFLICT ({listed}) DO UPDATE SET {keys[0]} = EXCLUDED.{keys[0]};",
        f"DELETE FROM {store} AS fixup_old WHERE {old}",
        f"  AND NOT EXISTS (SELECT FROM {now} AND {kept} AND {same});",
        f"INSERT INTO {store} ({listed}, {vector})",
        f"  SELECT {', '.join(f'fixup_row.{name}' for name in (*keys, vector))}",
        f"  FROM {now} AND {kept}",
        "  ON CONFLICT DO NOTHING;",
    ]
