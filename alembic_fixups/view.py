"""What Alembic sees while it compares: the names of tables, schemas and sequences.

Whatever env.py has set (search_path, include_schemas, schema_translate_map, the default schema), it
is shown the database by the names that the models use, through an `Inspection`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError
from sqlalchemy import Column, Table
from sqlalchemy.sql.functions import next_value

from alembic_fixups.catalog import Name, Relation
from alembic_fixups.inspection import Inspection

if TYPE_CHECKING:
    from alembic_fixups.run import Run

_NEXT_VALUE = re.compile(r"""nextval\('(?:("[^"]+"|\w+)\.)?("[^"]+"|\w+)'(?:::regclass)?\)""")


def show(run: Run) -> None:
    """Puts an Inspection in the place of the Inspector, and what else has to fit it.

    Raises:
        CommandError: env.py gives the connection a schema_translate_map that leads elsewhere.
    """
    context, target = run.context, run.target
    assert context.connection is not None
    named = {table.schema for table in target.tables.values()}
    if target.home is None:
        named -= {None, target.default_schema}
        on_path = [schema for schema in run.catalog.schemas_on_path if schema not in named]
        anonymous = on_path or [target.default_schema]
    else:
        anonymous = []
    _set_aside_translation(run, named)
    inspection = Inspection(context.connection, run.catalog, run.moves, run.aliases, anonymous)
    inspection.hides = lambda relation: _hides(run, relation)
    context.__dict__["inspector"] = inspection  # a memoized property
    if target.home is not None:
        default = target.default_schema
        context._name_filters = [_as_before(known, default) for known in context._name_filters]
        context._object_filters = [_as_written(known, run) for known in context._object_filters]
        _compare_sequences_by_name(run, inspection)


def name_schemas(run: Run, schemas: set[str | None]) -> None:
    """Has Alembic look at every schema that the models name, each under its name.

    Where it would not look by itself, it is shown the models' tables only: nobody who does not
    include all schemas expects the rest of them to be dropped.
    """
    home = run.target.home
    if home is None:
        return
    if None in schemas:
        schemas.remove(None)
        schemas.add(run.target.default_schema)
    named = {table.schema for table in run.target.tables.values() if table.schema is not None}
    run.glimpsed = named - schemas - {home}
    schemas.update(named, {home})


def restore(run: Run) -> None:
    """Leaves the connection and Alembic's implementation as they were."""
    connection, impl = run.context.connection, run.context.migration_context.impl
    assert connection is not None
    impl.__dict__.pop("compare_server_default", None)
    if run.translation:
        connection.execution_options(schema_translate_map=run.translation)


def _set_aside_translation(run: Run, named: set[str | None]) -> None:
    """SQLAlchemy would reflect a table of one schema from another."""
    connection = run.context.connection
    assert connection is not None
    run.translation = connection.get_execution_options().get("schema_translate_map")
    if not run.translation:
        return
    if run.target.home is None:
        raise CommandError(
            "env.py gives the connection a schema_translate_map; fixups compare with the catalog "
            "as it is and would find none of the tables. Set the search_path instead, or switch "
            "schema-prefix on"
        )
    for schema in sorted(filter(None, named)):
        if run.translation.get(schema, schema) != schema:
            raise CommandError(
                f"env.py gives the connection a schema_translate_map that sends {schema!r} to "
                f"{run.translation[schema]!r}: half of the migration (Alembic's operations) would "
                "run there, the other half (SQL) here. Take that entry out, or give the fixups "
                "the schema that it leads to"
            )
    connection.execution_options(schema_translate_map=None)


def _hides(run: Run, relation: Relation) -> bool:
    """Whether Alembic is not to know of a table."""
    # Alembic leaves its own table out only where env.py says its schema.
    if relation.name == run.context.migration_context.version_table and set(relation.columns) == {
        "version_num"
    }:
        return True
    return relation.schema in run.glimpsed and (
        run.target.find(relation.schema, relation.name) is None
    )


def _as_before(known: Callable[..., bool], default: str) -> Callable[..., bool]:
    """A name filter of the user's, which knows the default schema as None."""

    def filtered(name: str | None, type_: str, parent_names: dict[str, str | None]) -> bool:
        if type_ == "schema" and name == default:
            name = None
        if parent_names.get("schema_name") == default:
            table = name if type_ == "table" else parent_names.get("table_name")
            parent_names = {
                **parent_names,
                "schema_name": None,
                "schema_qualified_table_name": table,
            }
        return bool(known(name, type_, parent_names))

    return filtered


def _as_written(known: Callable[..., bool], run: Run) -> Callable[..., bool]:
    """An object filter of the user's, which knows a table of the models as they have it."""

    def filtered(item: Any, name: str | None, type_: str, reflected: bool, other: Any) -> bool:
        if isinstance(item, Table) and not reflected:
            item = run.target.original(item)
        return bool(known(item, name, type_, reflected, other))

    return filtered


def _compare_sequences_by_name(run: Run, inspection: Inspection) -> None:
    """Alembic compares two defaults by evaluating them, which no two calls of nextval() survive."""
    impl = run.context.migration_context.impl
    stock = impl.compare_server_default

    def compare(
        inspected: Column[Any], wanted: Column[Any], rendered: str | None, known: str | None
    ) -> bool:
        sequence = inspection.sequence_of(
            inspected.table.schema, inspected.table.name, inspected.name
        )
        named = _sequence_named(run, wanted, rendered)
        if sequence is not None and named is not None:
            there = run.catalog.find_sequence(*named) is not None
            return there and (sequence.schema, sequence.name) != named
        return bool(stock(inspected, wanted, rendered, known))  # type: ignore[no-untyped-call]

    impl.compare_server_default = compare  # type: ignore[method-assign]


def _sequence_named(run: Run, column: Column[Any], rendered: str | None) -> Name | None:
    """The sequence that a column of the models takes its default from."""
    assert run.target.home is not None
    default = getattr(column.server_default, "arg", None)
    if isinstance(default, next_value):
        return default.sequence.schema or run.target.home, default.sequence.name
    match = _NEXT_VALUE.fullmatch(rendered or "")
    if match is None:
        return None
    schema, name = (part.strip('"') if part else None for part in match.groups())
    return schema or run.target.home, str(name)
