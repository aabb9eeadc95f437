"""Rewrite the desired schema, let Alembic compare it, replace what fixups do better.

The two functions run before and after Alembic's own comparators and know no fixup by name. With
no fixup switched on they do nothing at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import Connection, text

from alembic_fixups import catalog, settings, stock
from alembic_fixups.rendering.steps import StepsOp
from alembic_fixups.run import Run
from alembic_fixups.target import Target, UnresolvedReference

log = logging.getLogger("alembic.fixups")  # alembic.ini shows what is below "alembic"


_runs: WeakKeyDictionary[AutogenContext, Run] = WeakKeyDictionary()
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
        CommandError: the settings, the models or env.py make it impossible; the message says how.
    """
    migration = context.migration_context
    if context.dialect.name != "postgresql" or context.connection is None:
        return
    environment = migration.environment_context
    try:
        loaded = settings.load(settings.path_for(environment.config if environment else None))
    except settings.SettingsError as error:
        raise CommandError(str(error)) from error
    if not loaded.active or context.metadata is None:
        return
    if context.connection.get_execution_options().get("schema_translate_map"):
        raise CommandError(
            "env.py gives the connection a schema_translate_map; fixups compare with the catalog "
            "as it is and would find none of the tables. Set the search_path instead"
        )
    known = catalog.read(context.connection)
    target = Target(context.metadata, context.dialect.default_schema_name or "public")
    run = Run(loaded, target, known, context)
    try:
        for fixup, chosen in loaded.active:
            run.wanted.append((fixup, chosen, fixup.rewrite(target, chosen, known.major_version)))
    except settings.SettingsError as error:
        raise CommandError(settings.located(error, loaded.path)) from error
    except UnresolvedReference as error:
        raise CommandError(str(error)) from error
    context.metadata = target.metadata
    run.pinned = _pin_search_path(context.connection, run)
    _runs[context] = run


def replace_operations(context: AutogenContext, upgrade_ops: ops.UpgradeOps) -> None:
    """Takes out the operations that fixups own and puts theirs in, in an order that works."""
    run = _runs.pop(context, None)
    if run is None:
        return
    connection = context.connection
    assert connection is not None
    if run.pinned:
        _set_search_path(connection, run.catalog.search_path)

    owns: list[Callable[[ops.MigrateOperation], bool]] = [stock.live_tables(run)]
    first: list[StepsOp] = []
    for fixup, chosen, wanted in run.wanted:
        replacement = fixup.replace(wanted, chosen, run, upgrade_ops)
        owns.append(replacement.owns)
        first.extend(replacement.first)
        run.operations.extend(replacement.operations)
    stock.remove(upgrade_ops, lambda operation: any(owned(operation) for owned in owns))
    stock.order(upgrade_ops)
    if run.settings.general.idempotent == "all":
        stock.make_idempotent(upgrade_ops, run)
    upgrade_ops.ops[:] = [*first, *upgrade_ops.ops, *run.operations]

    if run.operations and context.migration_context.environment_context is not None:
        _refuse_foreign_transaction(context)
    for operation in run.operations:
        for change in operation.changes:
            log.info("Detected %s: %s", operation.fixup, change)
    for finding in sorted(set(run.findings)):
        level = logging.INFO if finding.severity == "info" else logging.WARNING
        log.log(level, "%s: %s: %s", finding.fixup, finding.table, finding.message)
    listener = _listener.get()
    if listener is not None:
        listener.append(run)


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


def _pin_search_path(connection: Connection, run: Run) -> bool:
    """Takes the schemas that the models name themselves off the search_path.

    PostgreSQL leaves the schema out of everything it deparses that the path makes visible: Alembic
    then sees each foreign key without its schema, and each table twice, once to be dropped.
    """
    default = run.target.default_schema
    named = {table.schema for table in run.target.tables.values()} - {None, default}
    if named.isdisjoint(run.catalog.schemas_on_path):
        return False
    kept = [schema for schema in run.catalog.schemas_on_path if schema not in named]
    quote = connection.dialect.identifier_preparer.quote_identifier
    _set_search_path(connection, ", ".join(quote(schema) for schema in kept or [default]))
    return True


def _set_search_path(connection: Connection, path: str) -> None:
    # Local to the transaction that the comparison runs in, so that nothing is left behind where
    # it fails; on an AUTOCOMMIT connection local would mean this one statement.
    local = connection.get_isolation_level() != "AUTOCOMMIT"
    connection.execute(
        text("SELECT pg_catalog.set_config('search_path', :path, :local)"),
        {"path": path, "local": local},
    )
