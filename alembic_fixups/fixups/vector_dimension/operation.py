"""The steps that give columns of vectors another type, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from alembic.operations import ops

from alembic_fixups.fixups.vector_dimension import index_steps
from alembic_fixups.fixups.vector_dimension.conversion import Conversion
from alembic_fixups.fixups.vector_dimension.findings import ways_out
from alembic_fixups.fixups.vector_dimension.grouping import conversions_of
from alembic_fixups.fixups.vector_dimension.imports import import_types
from alembic_fixups.fixups.vector_dimension.indexes import IndexChange, compare
from alembic_fixups.fixups.vector_dimension.keeping import also, also_back, keep, restore
from alembic_fixups.fixups.vector_dimension.keeping import functions as own_functions
from alembic_fixups.fixups.vector_dimension.plan import Plan
from alembic_fixups.fixups.vector_dimension.settings import (
    NAME,
    Strategy,
    VectorDimensionSettings,
)
from alembic_fixups.fixups.vector_dimension.waiting import is_empty, leave_nullable, let_be_null
from alembic_fixups.rendering.steps import Step, StepsOp, Unit, looking
from alembic_fixups.rendering.templates import Templates
from alembic_fixups.retyping.dependents import functions
from alembic_fixups.retyping.model import Table
from alembic_fixups.retyping.steps import SMALL, back_in_place, by_successor, in_place
from alembic_fixups.run import Replacement, Run


def replace(
    plan: Plan, settings: VectorDimensionSettings, run: Run, upgrade_ops: ops.UpgradeOps
) -> Replacement:
    """Gives the changes of columns with their indexes, and those of other vector indexes."""
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    compared = compare(run, plan.types, plan.jobs)
    leave_nullable(plan, run, upgrade_ops)
    import_types(run)
    replacement = Replacement(lambda operation: compared.owns(operation) or is_empty(operation))
    by_table: dict[int, list[IndexChange]] = {}
    alone = []
    converted = {one.relation for one in plan.conversions}
    for change in compared.changes:
        if any((change.relation, column) in plan.held for column in change.columns):
            continue  # its column stays as it is
        if change.converted and change.relation in converted:
            by_table.setdefault(change.relation, []).append(change)
        else:
            alone.append(change)
    units = [
        _converted(
            templates,
            group,
            [change for table in group for change in by_table.get(table.oid, ())],
            settings.strategy,
        )
        for group in plan.groups
    ]
    if units:
        conversions = plan.conversions
        leaving = run.leaving()
        look = templates.step(
            "vector_dimension/look.sql.j2",
            "Look whether the vectors can be changed, and stop before anything is.",
            "nothing.",
            columns=conversions,
            ways_out=ways_out,
            tables=[table for group in plan.groups for table in group],
            leaving={
                table.name: sorted(name for place, name in leaving if place == table.name)
                for group in plan.groups
                for table in group
            },
        )
        used = (
            *functions(
                templates,
                "text",
                online=settings.strategy != "rewrite"
                and any(table.is_eligible for group in plan.groups for table in group),
                domains=False,
            ),
            *own_functions(templates, conversions),
            *index_steps.functions(templates),
        )
        steps = [step for unit in units for step in unit.upgrade]
        back = [step for unit in reversed(units) for step in unit.downgrade]
        replacement.first = [looking(NAME, look, used)]
        changing = StepsOp(
            NAME, tuple(_describe(conversions)), tuple(steps), tuple(back), functions=used
        )
        # What Alembic adds beside may need the new types; but NOT NULL has to be gone before.
        late = any(one.becomes_nullable for one in conversions)
        (replacement.operations if late else replacement.early).append(changing)
        replacement.last = [
            StepsOp(
                NAME,
                (),
                (),
                (_look_back(templates, conversions),),
                headings=("", "looks at what it will take back"),
                functions=used,
            )
        ]
    else:
        used = index_steps.functions(templates)
    replacement.operations += let_be_null(plan, run, templates)
    for change in alone:
        for unit, place in (
            (index_steps.early_unit(templates, change), replacement.early),
            (index_steps.unit(templates, change), replacement.operations),
        ):
            if unit.upgrade or unit.downgrade:
                place.append(
                    StepsOp(
                        NAME,
                        (str(change),),
                        tuple(unit.upgrade),
                        tuple(unit.downgrade),
                        functions=used,
                    )
                )
    return replacement


def _look_back(templates: Templates, columns: Sequence[Conversion]) -> Step:
    return templates.step(
        "vector_dimension/look_back.sql.j2",
        "Look whether the vectors can be had in their old types, and stop before anything is "
        "changed.",
        "nothing.",
        columns=columns,
    )


def _describe(conversions: Iterable[Conversion]) -> Iterator[str]:
    for one in conversions:
        said = f"{one}: {one.change.old} becomes {one.change.new}"
        if one.discarded is not None:
            said += f"; {one.discarded} vector(s) are discarded"
        yield said


def _converted(
    templates: Templates,
    tables: list[Table],
    indexes: Sequence[IndexChange],
    strategy: Strategy,
) -> Unit:
    columns = conversions_of(tables)
    pending = {one: _pending_indexes(one, indexes) for one in columns if one.is_reembedded}
    steps = [
        step
        for table in tables
        for step in keep(
            templates,
            table,
            {one.column: waiting for one, waiting in pending.items() if one.table == table.name},
        )
    ]
    dropped = [
        step
        for each in indexes
        for step in index_steps.drop_old(templates, each, _is_old(each, columns))
    ]
    said, besides = _said(columns)
    done = also(templates, tables)
    if strategy != "rewrite" and any(table.is_eligible for table in tables):
        small = SMALL if strategy == "auto" else None
        steps += by_successor(
            templates, tables, said, besides, small=small, before_swap=dropped, also=done
        )
    else:
        steps += [*dropped, *in_place(templates, tables, said, besides, also=done)]
    steps += [step for one in columns for step in restore(templates, one)]
    for each in indexes:
        steps += index_steps.build_new(templates, each, _is_filled(each, columns))
    back: list[Step] = []
    for each in indexes:
        back += index_steps.drop_new(templates, each, _is_new(each, columns))
    back += back_in_place(
        templates, tables, _said_back(columns), (), also=also_back(templates, tables)
    )
    for each in indexes:
        back += index_steps.build_old(templates, each, _is_old(each, columns))
    return Unit(steps, back)


def _of(change: IndexChange, columns: Iterable[Conversion]) -> list[Conversion]:
    """The columns that an index is on, or that those are generated from."""
    own = [one for one in columns if one.relation == change.relation]
    named = [
        one
        for one in own
        if one.column in change.columns or any(each.column in change.columns for each in one.remade)
    ]
    return named or own


def _is_old(change: IndexChange, columns: Iterable[Conversion]) -> str:
    return " OR ".join(one.is_old for one in _of(change, columns))


def _is_new(change: IndexChange, columns: Iterable[Conversion]) -> str:
    return " OR ".join(one.is_new for one in _of(change, columns))


def _is_filled(change: IndexChange, columns: Iterable[Conversion]) -> str:
    """Whether an index can be built: its columns are of their new types, and wait for nothing."""
    conditions = []
    for one in _of(change, columns):
        conditions.append(one.is_new)
        if one.is_reembedded:
            conditions.append(f"to_regclass({one.job.text}) IS NULL")
    return " AND ".join(conditions)


_BECOMES = {
    "truncate": "cut to the first {size} and normalised",
    "pad": "padded with zeros",
    "clear": "discarded",
    "archive": "kept in {archive}",
    "reembed": "kept in {archive}, and `alembic-fixups reembed` makes new ones",
}


def _said(columns: Sequence[Conversion]) -> tuple[str, str]:
    said, besides = [], ""
    for one in columns:
        change = one.change
        if not one.may_empty and change.made("v") is None:
            fate = "cast"
            if one.has_archive:
                fate += f", and where that loses precision kept in {one.archive} too"
        else:
            fate = _BECOMES[one.data].format(size=change.new.dimensions, archive=one.archive)
            if not change.never_fits:
                fate = f"cast where they fit, else {fate}"
            elif one.data == "truncate" and one.has_archive:
                fate += f"; as they were they stay in {one.archive}"
        said.append(f"{one.column} becomes {change.new}: its vectors are {fate}")
    again = [
        str(each)
        for one in columns
        for each in one.dependents
        if not each.survives and each.definition is not None and each.kind != "default"
    ]
    if again:
        besides = f" Made again is what depends on {'it' if len(columns) == 1 else 'them'}: "
        besides += f"{', '.join(dict.fromkeys(again))}."
    return "; ".join(said), besides


def _said_back(columns: Sequence[Conversion]) -> str:
    said = []
    for one in columns:
        text = f"{one.column} becomes {one.change.old} again"
        if one.has_archive:
            text += f", with the vectors that {one.archive} keeps"
        if not one.change.back.always_fits and one.key:
            text += f"; new ones that do not fit go to {one.archive_of_new}"
        said.append(text)
    return "; ".join(said)


def _pending_indexes(one: Conversion, indexes: Iterable[IndexChange]) -> str:
    """The indexes that wait until a column is embedded, as the comment of its job has them."""
    waiting = [
        index_steps.as_json(change.new)
        for change in indexes
        if change.new is not None and one in _of(change, [one])
    ]
    return json.dumps(waiting)
