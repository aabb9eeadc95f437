"""Rewrite the desired schema, let Alembic compare it, replace what fixups do better.

The functions run before and after Alembic's own comparators and know no fixup by name. With
no fixup switched on they do nothing at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import CommandError

from alembic_fixups import catalog, settings, stock, view
from alembic_fixups.garbage import collect_as_usual, collect_seldom
from alembic_fixups.rendering.steps import StepsOp
from alembic_fixups.report import Refused
from alembic_fixups.run import Run
from alembic_fixups.target import Target, UnresolvedReference

log = logging.getLogger("alembic.fixups")  # alembic.ini shows what is below "alembic"


_RUN = "_alembic_fixups_run"
"""The attribute a context has its run in. A run knows its context: a table of weak references
would keep both for good where a comparison fails."""
_listener: ContextVar[list[Run] | None] = ContextVar("alembic_fixups_runs", default=None)


@contextmanager
def collect_runs() -> Iterator[list[Run]]:
    """Gives a list that every comparison made inside the block is added to."""
    runs: list[Run] = []
    token = _listener.set(runs)
    try:
        yield runs
    finally:
        _listener.reset(token)


def rewrite_target(context: AutogenContext) -> None:
    """Puts the rewritten copy of the models' metadata in the place of the metadata.

    Raises:
        CommandError: the settings, the models, env.py or what the database has make it impossible;
            the message says how.
    """
    migration = context.migration_context
    if context.dialect.name != "postgresql" or context.connection is None:
        return
    stock.as_ever(migration.impl)
    environment = migration.environment_context
    try:
        loaded = settings.load(settings.path_for(environment.config if environment else None))
    except settings.SettingsError as error:
        raise CommandError(str(error)) from error
    if not loaded.active or context.metadata is None:
        return
    collect_seldom()
    known = catalog.read(context.connection)
    try:
        target = Target(context.metadata, context.dialect.default_schema_name or "public")
        run = Run(loaded, target, known, context)
        for fixup, chosen in loaded.active:
            run.wanted.append((fixup, chosen, fixup.rewrite(target, chosen, known.major_version)))
        for fixup, chosen, wanted in run.wanted:
            if fixup.locate is not None:
                run.moves.extend(fixup.locate(wanted, chosen, run))
    except settings.SettingsError as error:
        raise CommandError(settings.located(error, loaded.path)) from error
    except (UnresolvedReference, Refused) as error:
        raise CommandError(str(error)) from error
    context.metadata = target.metadata
    view.show(run)
    setattr(context, _RUN, run)


def name_schemas(context: AutogenContext, schemas: set[str | None]) -> None:
    """Has Alembic look at the schemas that the models' tables are in."""
    if hasattr(context, _RUN):
        view.name_schemas(getattr(context, _RUN), schemas)


def replace_operations(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> None:
    """Takes out the operations that fixups own and puts theirs in, in an order that works."""
    if not hasattr(context, _RUN):
        return
    run: Run = getattr(context, _RUN)
    delattr(context, _RUN)
    view.restore(run)

    owns: list[Callable[[ops.MigrateOperation], bool]] = [stock.live_partitions(run)]
    first: list[StepsOp] = []
    aside: list[StepsOp] = []
    early: list[StepsOp] = []
    again: list[StepsOp] = []
    last: list[StepsOp] = []
    for fixup, chosen, wanted in run.wanted:
        replacement = fixup.replace(wanted, chosen, run, upgrade_ops)
        owns.append(replacement.owns)
        first.extend(replacement.first)
        aside.extend(replacement.aside)
        early[:0] = replacement.early  # what makes way for others is theirs that rewrite later
        again.extend(replacement.again)
        last[:0] = replacement.last
        run.operations.extend(replacement.operations)
    first += aside

    def owned(operation: ops.MigrateOperation) -> bool:
        return any(owns_it(operation) for owns_it in owns)

    stock.remove(upgrade_ops, owned)
    stock.order(upgrade_ops)
    if run.settings.general.idempotent == "all":
        stock.make_idempotent(upgrade_ops, run, owned)
    between = [*early, *upgrade_ops.ops, *run.operations]
    if len(between) > len(early):
        last = [*again, *last]
    if run.moves and (between or len(first) > 1):
        # With whatever may fail after them, so that nothing has moved then.
        first = [operation.in_one_transaction() for operation in first]
    upgrade_ops.ops[:] = [*first, *between, *(last if between else ())]

    ours = [*first, *early, *run.operations]
    if ours and context.migration_context.environment_context is not None:
        _refuse_foreign_transaction(context)
    for operation in ours:
        for change in operation.changes:
            log.info("Detected %s: %s", operation.fixup, change)
    for finding in sorted(set(run.findings)):
        level = logging.INFO if finding.severity == "info" else logging.WARNING
        log.log(level, "%s: %s: %s", finding.fixup, finding.table, finding.message)
    listener = _listener.get()
    if listener is not None:
        listener.append(run)
    collect_as_usual()


def _refuse_foreign_transaction(context: AutogenContext) -> None:
    """Stops where a migration of ours could not run.

    ``autocommit_block()`` fails with a bare AssertionError where env.py began the transaction.
    """
    migration = context.migration_context
    if migration._in_external_transaction:
        script = migration.script
        env = settings.shown(script.env_py_location) if script is not None else "env.py"
        raise CommandError(
            f"{env} hands Alembic a connection with a transaction already begun, so CREATE INDEX "
            "CONCURRENTLY could not run in the migration. Use engine.connect() in place of "
            "engine.begin(), take out connection.begin(), and call connection.commit() after a "
            "statement such as SET search_path, before context.configure()."
        )
