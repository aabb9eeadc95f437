"""The steps that move what the models have into their schema, and back.

They come before everything else in a revision: all its other operations name the tables where they
are then.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from alembic.operations import ops

from alembic_fixups.catalog import Move
from alembic_fixups.fixups.schema_prefix.dependents import dependents
from alembic_fixups.fixups.schema_prefix.moves import KINDS, lookalikes, moved_tables
from alembic_fixups.fixups.schema_prefix.notes import made, moved
from alembic_fixups.fixups.schema_prefix.rewrite import Placement
from alembic_fixups.fixups.schema_prefix.settings import NAME, SchemaPrefixSettings
from alembic_fixups.fixups.schema_prefix.version_table import move_version_table
from alembic_fixups.rendering.steps import Step, StepsOp, Unit
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.report import Finding
from alembic_fixups.run import Replacement, Run
from alembic_fixups.stock.tree import table_of


def replace(
    placement: Placement, settings: SchemaPrefixSettings, run: Run, upgrade_ops: ops.UpgradeOps
) -> Replacement:
    """Gives the moves, and keeps the tables that look like one of the models from being dropped."""
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    connection = run.context.connection
    assert connection is not None
    run.findings.extend(dependents(connection, moved_tables(run), run.catalog.major_version))
    units = [
        *([Unit([_look(templates, run.moves)])] if run.moves else []),
        *(_schema(templates, schema, run) for schema in _missing_schemas(run)),
        *(_move(templates, move, run) for move in run.moves),
    ]
    replacement = Replacement(partial(_owns, placement, settings, run))
    if units:
        replacement.first = [_operation(_describe(run), units)]
    if run.moves:
        replacement.last = [_again(templates, run)]
    replacement.operations = [
        _operation([change], [unit])
        for change, unit in move_version_table(settings, run, templates)
    ]
    return replacement


def _operation(described: Iterable[str], units: list[Unit]) -> StepsOp:
    return StepsOp(
        NAME,
        tuple(described),
        tuple(step for unit in units for step in unit.upgrade),
        tuple(step for unit in reversed(units) for step in unit.downgrade),
    )


def _describe(run: Run) -> Iterable[str]:
    for schema in _missing_schemas(run):
        yield f"the schema {schema} is created"
    for move in run.moves:
        yield f"{_name(move)}: the {move.kind} moves to {move.to}"


def _missing_schemas(run: Run) -> list[str]:
    """The schemas of the models that are not there; Alembic never creates one."""
    wanted = {table.schema for table in run.target.tables.values() if table.schema is not None}
    return sorted(
        schema for schema in wanted if run.catalog.schemas.get(schema, made(run)) == made(run)
    )


def _look(templates: Templates, moves: list[Move]) -> Step:
    return templates.step(
        "schema_prefix/look.sql.j2",
        "Look whether everything can be moved: it is where it was, nothing has its name where it "
        "goes, and who may use it may use the schema it goes to.",
        "nothing.",
        moves=moves,
    )


def _schema(templates: Templates, schema: str, run: Run) -> Unit:
    create = templates.step(
        "schema_prefix/create_schema.sql.j2",
        f"The schema {schema}, and USAGE on it for those who have a privilege on what moves there.",
        "nothing that exists.",
        schema=schema,
        tables=[
            TableName(move.schema, move.name)
            for move in run.moves
            if move.kind == "table" and move.to == schema
        ],
        note=made(run),
    )
    drop = templates.step(
        "schema_prefix/drop_schema.sql.j2",
        f"The schema {schema} goes if the upgrade made it and nothing is in it any more.",
        "ACCESS EXCLUSIVE on the schema alone.",
        schema=schema,
        note=made(run),
    )
    return Unit([create], [drop])


def _move(templates: Templates, move: Move, run: Run) -> Unit:
    what = {
        "table": "with its rows, indexes, constraints, triggers, privileges and own sequences; "
        "foreign keys to it, views and policies follow",
        "type": "columns, defaults and arrays of it follow",
        "sequence": "defaults follow",
    }[move.kind]
    old, new = TableName(move.schema, move.name), TableName(move.to, move.name)
    template = f"schema_prefix/move_{move.kind}.sql.j2"
    there = templates.step(
        template,
        f"{old}: the {move.kind} moves to {move.to}, {what}.",
        _locks(move.kind, old),
        object=old,
        moved=new,
        note=moved(move.schema, run),
        back=False,
    )
    back = templates.step(
        template,
        f"{new}: the {move.kind} goes back to {move.schema}, if the upgrade moved it.",
        _locks(move.kind, new),
        object=old,
        moved=new,
        note=moved(move.schema, run),
        back=True,
    )
    return Unit([there], [back])


def _again(templates: Templates, run: Run) -> StepsOp:
    """The moves once more, for a downgrade that was cut short or runs again.

    What is undone before the tables go back names them where they are until then.
    """
    step = templates.step(
        "schema_prefix/move_again.sql.j2",
        "Whatever a downgrade that was cut short has moved back already moves again, for the steps "
        "between; otherwise this does nothing.",
        "ACCESS EXCLUSIVE on each of these tables that moves, for a catalog change.",
        moves=[(move, moved(move.schema, run)) for move in run.moves],
        note=made(run),
    )
    return StepsOp(NAME, (), (), (step,), headings=("", "begins"))


def _locks(kind: str, name: TableName) -> str:
    if kind == "table":
        return f"ACCESS EXCLUSIVE on {name} for a catalog change: no row is touched."
    return f"the {kind} {name} alone, for a catalog change."


def _name(move: Move) -> str:
    return f"{move.schema}.{move.name}"


def _owns(
    placement: Placement,
    settings: SchemaPrefixSettings,
    run: Run,
    operation: ops.MigrateOperation,
) -> bool:
    """Whether an operation belongs to the drop of a table that has the name of a model's.

    It may hold the rows that the other one lacks.
    """
    table = table_of(operation)
    if table is None or table[1] not in placement.tables or table[0] in (None, settings.home):
        return False
    schema, name = table
    full = f"{schema}.{name}"
    relation = run.catalog.find(schema, name)
    if relation is None or relation.kind in KINDS or run.target.find(schema, name) is not None:
        return False
    if full not in settings.keep and relation not in lookalikes(name, settings, run):
        return False
    if isinstance(operation, ops.DropTableOp):
        message = (
            f"has the name of a table of the models and is not dropped; theirs is {settings.home}."
            f"{name}. If nobody needs it, drop it in a migration of your own"
        )
        severity = "info" if full in settings.keep else "warning"
        finding = Finding(NAME, "lookalike", full, message, severity)  # type: ignore[arg-type]
        if finding not in run.findings:
            run.findings.append(finding)
    return True
