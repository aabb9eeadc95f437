"""The steps that turn enum columns into plain ones with a CHECK, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace as changed
from typing import cast

from alembic.operations import ops

from alembic_fixups.catalog import Name
from alembic_fixups.fixups.enum_check.conversion import Conversion
from alembic_fixups.fixups.enum_check.plan import Plan
from alembic_fixups.fixups.enum_check.relabel import relabel
from alembic_fixups.fixups.enum_check.settings import NAME, EnumCheckSettings, Strategy
from alembic_fixups.rendering.steps import Step, StepsOp, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping.dependents import connected, functions, shadow_indexes
from alembic_fixups.retyping.model import Swapped, Table
from alembic_fixups.retyping.steps import SMALL, back_in_place, by_successor, in_place
from alembic_fixups.run import Replacement, Run

_BLOCKING = {"foreign key", "exclusion", "key", "generated column", "materialized view"}
"""What cannot be brought along while writes go on."""


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
        replacement.operations.append(
            StepsOp(NAME, (f"{one}: {said}",), tuple(unit.upgrade), tuple(unit.downgrade))
        )
    if not plan.conversions:
        return replacement
    moved = {(move.schema, move.name): (move.to, move.name) for move in run.moves}
    conversions = [
        changed(conversion, enum=moved.get(conversion.enum, conversion.enum))
        for conversion in plan.conversions
    ]
    plain = "text" if settings.storage == "text" else "character varying"
    online = settings.strategy != "rewrite"
    groups = _groups(conversions)
    if online:
        assert run.context.connection is not None
        groups = [
            shadow_indexes(run.context.connection, group, templates, plain) for group in groups
        ]
    units = [_converted(templates, group, settings.strategy) for group in groups]
    look = templates.step(
        "enum_check/look.sql.j2",
        "Look whether the rows hold what the models list, and stop before anything is changed.",
        "nothing.",
        columns=conversions,
    )
    replacement.early = [
        StepsOp(
            NAME,
            tuple(_describe(conversions)),
            (look, *(step for unit in units for step in unit.upgrade)),
            tuple(step for unit in reversed(units) for step in unit.downgrade),
            functions=functions(
                templates, plain, online=online, domains=any(one.domain for one in conversions)
            ),
        )
    ]
    replacement.again = [
        StepsOp(
            NAME,
            (),
            (),
            tuple(step for group in groups for step in _converted_again(templates, group)),
            headings=("", "begins with what a downgrade before this one has undone already"),
            functions=replacement.early[0].functions,
        )
    ]
    look_back = templates.step(
        "enum_check/look_back.sql.j2",
        "Look whether the enum types had every value that the rows hold, and stop before anything "
        "is changed.",
        "nothing.",
        columns=conversions,
    )
    types = [
        _type(templates, TableName(*moved.get(name, name)), plan, name)
        for name in sorted(plan.types)
    ]
    replacement.last = [
        StepsOp(
            NAME,
            (),
            tuple(step for unit in types for step in unit.upgrade),
            (look_back, *(step for unit in types for step in unit.downgrade)),
            headings=("drops what is not needed any more", "begins"),
        )
    ]
    return replacement


def _describe(conversions: Iterable[Conversion]) -> Iterable[str]:
    for one in conversions:
        check = "" if one.check is None else f" with the CHECK {one.check}"
        yield f"{one}: the enum type {one.type} becomes {one.storage}{check}"


def _groups(conversions: Sequence[Conversion]) -> list[list[Table]]:
    """The tables, those together that have a view or another thing in common."""
    by_table: dict[int, list[Conversion]] = {}
    for conversion in conversions:
        by_table.setdefault(conversion.relation, []).append(conversion)
    together = connected(
        (relation, [str(each) for one in columns for each in (*one.dependents, one.domain)])
        for relation, columns in by_table.items()
    )
    return [[_table(relation, by_table[relation]) for relation in group] for group in together]


def _table(relation: int, columns: Sequence[Conversion]) -> Table:
    return Table(
        relation,
        columns[0].table,
        tuple(Swapped(column) for column in columns),
        tuple(sorted({column.enum for column in columns})),
        domains=tuple(dict.fromkeys(one.domain for one in columns if one.domain is not None)),
        obstacle=_obstacle(columns),
    )


def _obstacle(columns: Sequence[Conversion]) -> str:
    """Why columns cannot be converted while writes go on, "" where they can."""
    if columns[0].in_tree:
        return "its partitions or what it inherits"
    found = [str(one.domain) for one in columns if one.domain is not None]
    found += [str(each) for one in columns for each in one.dependents if each.kind in _BLOCKING]
    return ", ".join(dict.fromkeys(found))


def _converted(templates: Templates, tables: list[Table], strategy: Strategy) -> Unit:
    columns = [cast(Conversion, column.of) for table in tables for column in table.columns]
    what = ", ".join(column.column for column in columns)
    hanging = {
        str(each): each
        for column in columns
        for each in column.dependents
        if not each.survives and each.definition is not None
    }
    again = [str(each) for each in hanging.values() if each.kind != "default"]
    order = [str(column) for column in columns if column.changes_order]
    said = f"{what} becomes text that a CHECK limits to the same values"
    if again:
        said += f", and made again is {', '.join(again)}"
    if order:
        said += (
            f"; from here on {', '.join(order)} sorts as text (ORDER BY, <, max), no longer in the "
            "order of the labels"
        )
    has_domain = any(table.domains for table in tables)
    if strategy == "rewrite" or has_domain or not any(table.is_eligible for table in tables):
        steps = in_place(templates, tables, said)
    else:
        steps = by_successor(templates, tables, said, small=SMALL if strategy == "auto" else None)
    back = back_in_place(templates, tables, f"{what} becomes an enum again", list(hanging.values()))
    return Unit(list(steps), list(back))


def _converted_again(templates: Templates, tables: list[Table]) -> Iterator[Step]:
    columns = ", ".join(column.of.column for table in tables for column in table.columns)
    said = (
        f"{columns} becomes text again where a downgrade that was cut short has made an enum of it "
        "already, for the steps between; otherwise this does nothing"
    )
    yield next(in_place(templates, tables, said))


def _type(templates: Templates, name: TableName, plan: Plan, known_as: Name) -> Unit:
    facts = plan.types[known_as]
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
