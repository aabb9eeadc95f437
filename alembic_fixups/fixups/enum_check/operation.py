"""The steps that turn enum columns into plain ones with a CHECK, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from alembic.operations import ops

from alembic_fixups.catalog import Name
from alembic_fixups.fixups.enum_check.conversion import Conversion, TypeFacts
from alembic_fixups.fixups.enum_check.plan import Plan
from alembic_fixups.fixups.enum_check.relabel import relabel
from alembic_fixups.fixups.enum_check.settings import NAME, EnumCheckSettings, Strategy
from alembic_fixups.rendering.steps import Step, StepsOp, Unit, looking
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping.dependents import functions
from alembic_fixups.retyping.model import Table
from alembic_fixups.retyping.steps import SMALL, back_in_place, by_successor, in_place
from alembic_fixups.run import Replacement, Run


def replace(
    plan: Plan, settings: EnumCheckSettings, run: Run, upgrade_ops: ops.UpgradeOps
) -> Replacement:
    """Gives the conversions, before everything else, and the drop of the types, after it."""
    replacement = Replacement(lambda _: False)
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    for one in plan.relabelled:
        unit = relabel(templates, one)
        said = ", ".join(f"{old!r} becomes {new!r}" for old, new in one.labels)
        # Before Alembic gives it a type that the old labels do not fit, or after one that the new
        # ones do.
        place = replacement.early if one.shrinks else replacement.operations
        place.append(StepsOp(NAME, (f"{one}: {said}",), tuple(unit.upgrade), tuple(unit.downgrade)))
    conversions = plan.conversions
    if not conversions:
        return replacement
    plain = "text" if settings.storage == "text" else "character varying"
    online = settings.strategy != "rewrite"
    units = [_converted(templates, group, plan, settings.strategy) for group in plan.groups]
    look = templates.step(
        "enum_check/look.sql.j2",
        "Look whether the rows hold what the models list, and stop before anything is changed.",
        "nothing.",
        columns=conversions,
        tables=[table for group in plan.groups for table in group],
        types=[TableName(*name) for name in sorted(plan.types)],
        labels=[plan.types[name].labels for name in sorted(plan.types)],
    )
    used = functions(
        templates, plain, online=online, domains=any(one.domain for one in conversions)
    )
    replacement.first = [looking(NAME, look, used)]
    replacement.early.append(
        StepsOp(
            NAME,
            tuple(_describe(conversions)),
            tuple(step for unit in units for step in unit.upgrade),
            tuple(step for unit in reversed(units) for step in unit.downgrade),
            functions=used,
        )
    )
    replacement.again = [
        StepsOp(
            NAME,
            (),
            (),
            tuple(step for group in plan.groups for step in _converted_again(templates, group)),
            headings=("", "begins with what a downgrade before this one has undone already"),
        )
    ]
    look_back = templates.step(
        "enum_check/look_back.sql.j2",
        "Look whether the enum types had every value that the rows hold, and stop before anything "
        "is changed.",
        "nothing.",
        columns=conversions,
    )
    types = [_type(templates, name, plan.types[name]) for name in sorted(plan.types)]
    replacement.last = [
        StepsOp(
            NAME,
            (),
            tuple(step for unit in types for step in unit.upgrade),
            (look_back, *(step for unit in types for step in unit.downgrade)),
            headings=("drops what is not needed any more", "begins"),
            functions=used,
        )
    ]
    return replacement


def _describe(conversions: Iterable[Conversion]) -> Iterable[str]:
    for one in conversions:
        check = "" if one.check is None else f" with the CHECK {one.check}"
        yield f"{one}: the enum type {one.type} becomes {one.storage}{check}"


def _converted(templates: Templates, tables: list[Table], plan: Plan, strategy: Strategy) -> Unit:
    columns = [cast(Conversion, column.of) for table in tables for column in table.columns]
    what = ", ".join(column.column for column in columns)
    hanging = {
        str(each): each
        for column in columns
        for each in column.dependents
        if not each.survives and each.definition is not None
    }
    again = [str(each) for each in hanging.values() if each.kind != "default"]
    order = [str(column) for column in columns if not plan.types[column.enum].sorts_same]
    verb = "becomes" if len(columns) == 1 else "become"
    said = f"{what} {verb} text that a CHECK limits to the same values"
    besides = ""
    if again:
        besides += f" Made again is what depends on {'it' if len(columns) == 1 else 'them'}: "
        besides += f"{', '.join(again)}."
    if any(each.kind == "materialized view" for each in hanging.values()):
        besides += " Materialized views are filled anew."
    if order:
        besides += (
            f" From here on {', '.join(order)} {'sorts' if len(order) == 1 else 'sort'} as text "
            "(ORDER BY, <, max), no longer in the order of the labels."
        )
    has_domain = any(table.domains for table in tables)
    if strategy == "rewrite" or has_domain or not any(table.is_eligible for table in tables):
        steps = in_place(templates, tables, said, besides)
    else:
        small = SMALL if strategy == "auto" else None
        steps = by_successor(templates, tables, said, besides, small=small)
    back = back_in_place(templates, tables, f"{what} {verb} an enum again", list(hanging.values()))
    return Unit(list(steps), list(back))


def _converted_again(templates: Templates, tables: list[Table]) -> Iterator[Step]:
    columns = ", ".join(column.of.column for table in tables for column in table.columns)
    said = (
        f"{columns} becomes text again where a downgrade that was cut short has made it an enum "
        "already, for the steps between; otherwise this does nothing"
    )
    yield next(in_place(templates, tables, said))


def _type(templates: Templates, schema_and_name: Name, facts: TypeFacts) -> Unit:
    name = TableName(*schema_and_name)
    drop: Step = templates.step(
        "enum_check/drop_type.sql.j2",
        f"The enum type {name} goes, unless something still uses it: then it stays, with a NOTICE.",
        "ACCESS EXCLUSIVE on the type alone.",
        type=name,
    )
    create = templates.step(
        "enum_check/create_type.sql.j2",
        f"The enum type {name}, with its labels in their order, unless it is there.",
        "nothing that exists.",
        type=name,
        labels=facts.labels,
        facts=facts,
    )
    return Unit([drop], [create])
