"""The steps that move what the models have into their schema, and back.

They come before everything else in a revision: all its other operations name the tables where they
are then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from alembic.operations import ops

from alembic_fixups.catalog import Move
from alembic_fixups.fixups.schema_prefix.dependents import dependents
from alembic_fixups.fixups.schema_prefix.labels import renamed_only
from alembic_fixups.fixups.schema_prefix.moves import KINDS, lookalikes
from alembic_fixups.fixups.schema_prefix.notes import made, moved_by, stayed
from alembic_fixups.fixups.schema_prefix.rewrite import Placement
from alembic_fixups.fixups.schema_prefix.settings import NAME, SchemaPrefixSettings
from alembic_fixups.fixups.schema_prefix.version_table import move_version_table
from alembic_fixups.rendering.steps import Step, StepsOp, Unit
from alembic_fixups.rendering.templates import Templates
from alembic_fixups.report import Finding, Severity
from alembic_fixups.run import Replacement, Run
from alembic_fixups.stock.tree import table_of

_LOCKS = (
    "ACCESS EXCLUSIVE on every table that moves, until all have, for changes of the catalog only: "
    "no row is touched."
)


def replace(
    placement: Placement, settings: SchemaPrefixSettings, run: Run, upgrade_ops: ops.UpgradeOps
) -> Replacement:
    """Gives the moves, and keeps the tables that look like one of the models from being dropped."""
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    connection = run.context.connection
    assert connection is not None
    run.findings.extend(dependents(connection, run))
    renamed = renamed_only(upgrade_ops, run)
    replacement = Replacement(partial(_owns, placement, settings, run, renamed))
    schemas = [
        schema for schema in _missing_schemas(run) if schema != settings.home or not run.moves
    ]
    units = [
        *(_schema(templates, schema, run) for schema in schemas),
        *([_moves(templates, settings.home, run)] if run.moves else []),
    ]
    if units:
        replacement.first = [_operation(_describe(run), units)]
    if run.moves:
        again = _move(
            templates,
            settings.home,
            run,
            "What a downgrade that was cut short has moved back already moves again, for the steps "
            "between; otherwise this does nothing.",
        )
        replacement.last = [StepsOp(NAME, (), (), (again,), headings=("", "begins"))]
    moving = move_version_table(settings, run, templates)
    if moving is not None:
        change, look, unit = moving
        replacement.first.insert(0, _operation([], [Unit([look])]))
        replacement.operations.append(_operation([change], [unit]))
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
        along = ", a partition, goes along" if move.along else f": the {move.kind} moves"
        yield f"{move.schema}.{move.name}{along} to {move.to}"


def _missing_schemas(run: Run) -> list[str]:
    """The schemas of the models that are not there; Alembic never creates one."""
    wanted = {table.schema for table in run.target.tables.values() if table.schema is not None}
    return sorted(
        schema for schema in wanted if run.catalog.schemas.get(schema, made(run)) == made(run)
    )


def _schema(templates: Templates, schema: str, run: Run) -> Unit:
    create = templates.step(
        "schema_prefix/create_schema.sql.j2",
        f"The schema {schema}, which the models have tables in.",
        "nothing that exists.",
        schema=schema,
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


def _moves(templates: Templates, home: str, run: Run) -> Unit:
    """All moves at once, so that a database never has one half here and the other there."""
    look = templates.step(
        "schema_prefix/look.sql.j2",
        "Look whether everything can be moved: each is where it was and in one place only, belongs "
        "to this role, and who may use it may use the schema it goes to.",
        "nothing.",
        home=home,
        items=_items(run),
    )
    there = _move(
        templates,
        home,
        run,
        f"Move to {home}, all or nothing: each table with its rows, indexes, constraints, "
        "triggers, privileges, own sequences and the partitions beside it; foreign keys to it, "
        "views, policies and defaults follow. What is there already stays.",
    )
    back = templates.step(
        "schema_prefix/move_back.sql.j2",
        "Move back what the upgrade moved, all or nothing; the schema goes if the upgrade made it "
        "and nothing is in it any more.",
        _LOCKS,
        home=home,
        items=_items(run),
        note=moved_by(run),
        made=made(run),
        stayed=stayed(run),
    )
    return Unit([look, there], [back])


def _move(templates: Templates, home: str, run: Run, what: str) -> Step:
    return templates.step(
        "schema_prefix/move.sql.j2",
        what,
        _LOCKS,
        home=home,
        items=_items(run),
        note=moved_by(run),
        made=made(run),
        stayed=stayed(run),
    )


def _items(run: Run) -> list[Move]:
    """What is moved; partitions are found by their table when it is."""
    return [move for move in run.moves if not move.along]


def _owns(
    placement: Placement,
    settings: SchemaPrefixSettings,
    run: Run,
    renamed: Collection[int],
    operation: ops.MigrateOperation,
) -> bool:
    """Whether an operation only renames what SQLAlchemy names by the schema, or drops a lookalike.

    A table of another schema with the name of a model's may hold the rows that this one lacks.
    """
    if id(operation) in renamed:
        return True
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
        severity: Severity = "info" if full in settings.keep else "warning"
        message = (
            f"has the name of a table of the models and is not dropped; theirs is {settings.home}."
            f"{name}. If nobody needs it, drop it in a migration of your own"
        )
        finding = Finding(NAME, "lookalike", full, message, severity)
        if finding not in run.findings:
            run.findings.append(finding)
    return True
