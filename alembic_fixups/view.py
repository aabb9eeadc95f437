"""What Alembic sees while it compares: the names of tables, schemas and sequences.

Whatever env.py has set (search_path, include_schemas, schema_translate_map, the default schema), it
is shown the database by the names that the models use, through an `Inspection`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError
from sqlalchemy import Column, MetaData, Table
from sqlalchemy.sql.functions import next_value

from alembic_fixups.catalog import Name, Relation
from alembic_fixups.inspection import Inspection, is_next_value

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
    _refuse_translation(run, named)
    inspection = Inspection(context.connection, run.catalog, run.moves, anonymous)
    inspection.hides = lambda relation: _hides(run, relation)
    inspection.types = run.column_types
    inspection.retyped = run.retyped
    context.__dict__["inspector"] = inspection  # a memoized property
    impl = context.migration_context.impl
    impl.autogen_column_reflect = inspection.leave_out_serial  # type: ignore[method-assign]
    if target.home is not None:
        context._name_filters = [_by_name(known, run) for known in context._name_filters]
        context._object_filters = [_as_written(known, run) for known in context._object_filters]
    _compare_defaults(run, inspection)


def name_schemas(run: Run, schemas: set[str | None]) -> None:
    """Has Alembic look at every schema that the models name, each under its name.

    Where it would not look by itself, it is shown the models' tables only: nobody who does not
    include all schemas expects the rest of them to be dropped.
    """
    if run.target.home is None:
        return
    explicit = {schema for schema in schemas if schema is not None}
    if None in schemas:
        # For Alembic that is whatever the search_path shows.
        schemas.remove(None)
        run.by_path = set(run.catalog.schemas_on_path) - explicit
        schemas.update(run.by_path)
    named = {table.schema for table in run.target.tables.values() if table.schema is not None}
    run.glimpsed = (named | {run.target.home}) - schemas
    schemas.update(run.glimpsed)


def restore(run: Run) -> None:
    """Leaves Alembic's implementation as it was."""
    impl = run.context.migration_context.impl
    for name in ("compare_server_default", "autogen_column_reflect"):
        impl.__dict__.pop(name, None)


def is_filtered_out(table: Table, column: Column[Any], run: Run) -> bool:
    """Whether the filters of env.py keep a column of the desired schema from being compared."""
    table = run.target.original(table)
    parents: Any = {"table_name": table.name, "schema_name": table.schema}
    given = table.c.get(column.key, column)
    return not (
        run.context.run_object_filters(table, table.name, "table", False, None)
        and run.context.run_name_filters(column.name, "column", parents)
        and run.context.run_object_filters(given, column.name, "column", False, None)
    )


def _refuse_translation(run: Run, named: set[str | None]) -> None:
    assert run.context.connection is not None
    options = run.context.connection.get_execution_options()
    translation = options.get("schema_translate_map") or {}
    if translation and run.target.home is None:
        raise CommandError(
            "env.py gives the connection a schema_translate_map; fixups compare with the catalog "
            "as it is and would find none of the tables. Set the search_path instead, or switch "
            "schema-prefix on"
        )
    for schema in sorted(filter(None, named)):
        if translation.get(schema, schema) != schema:
            raise CommandError(
                f"env.py gives the connection a schema_translate_map that sends {schema!r} to "
                f"{translation[schema]!r}: half of the migration (Alembic's operations) would "
                "run there, the other half (SQL) here. Take that entry out, or give the fixups "
                "the schema that it leads to"
            )


def _hides(run: Run, relation: Relation) -> bool:
    """Whether Alembic is not to know of a table."""
    if run.target.find(relation.schema, relation.name) is not None:
        return False
    # Alembic leaves its own table out only where env.py says its schema.
    if relation.name == run.context.migration_context.version_table:
        return "version_num" in relation.columns
    return relation.schema in run.glimpsed or (
        relation.schema in run.by_path and not relation.visible
    )


def _by_name(known: Callable[..., bool], run: Run) -> Callable[..., bool]:
    """A name filter of the user's, which knows the models' tables by the models' names.

    Others it knows without a schema where the search_path shows them.
    """

    @cache  # it is asked for every column
    def schemas_of(schema: str, table: str, by_path: bool) -> list[str | None]:
        names: set[str | None] = {schema}
        key = run.target.find(schema, table)
        if key is not None:
            names.add(run.target.original(run.target.table(key)).schema)
        elif by_path:
            names = {None}
        return sorted(names, key=str)

    def filtered(name: str | None, type_: str, parent_names: dict[str, str | None]) -> bool:
        table = name if type_ == "table" else parent_names.get("table_name")
        schema = parent_names.get("schema_name")
        if table is None or schema is None:
            return bool(known(name, type_, parent_names))
        return any(
            known(
                name,
                type_,
                {
                    **parent_names,
                    "schema_name": one,
                    "schema_qualified_table_name": table if one is None else f"{one}.{table}",
                },
            )
            for one in schemas_of(schema, table, schema in run.by_path)
        )

    return filtered


def _as_written(known: Callable[..., bool], run: Run) -> Callable[..., bool]:
    """An object filter of the user's, which knows tables and columns as the models have them.

    Others it knows without a schema where the search_path shows them.
    """

    def filtered(item: Any, name: str | None, type_: str, reflected: bool, other: Any) -> bool:
        if not reflected:
            item = _original(item, run)
        elif isinstance(item, Table) and other is None and item.schema in run.by_path:
            item = item.to_metadata(MetaData(), schema=None)  # type: ignore[arg-type]
        return bool(known(item, name, type_, reflected, _original(other, run)))

    return filtered


def _original(item: Any, run: Run) -> Any:
    if isinstance(item, Table) and item.key in run.target:
        return run.target.original(item)
    if isinstance(item, Column) and item.table is not None and item.table.key in run.target:
        return run.target.original(item.table).c.get(item.key, item)
    return item


def _compare_defaults(run: Run, inspection: Inspection) -> None:
    """Compares the next value of a sequence by the sequence, and all else as Alembic does.

    Alembic evaluates both defaults: that uses numbers up, and never agrees.
    """
    impl = run.context.migration_context.impl
    stock = impl.compare_server_default

    def compare(
        inspected: Column[Any], wanted: Column[Any], rendered: str | None, known: str | None
    ) -> bool:
        table = inspected.table
        sequence = inspection.sequence_of(table.schema, table.name, inspected.name)
        named = _sequence_named(run, wanted, rendered)
        if (
            run.target.home is not None
            and is_next_value(known)
            and sequence is not None
            and named is not None
        ):
            return (sequence.schema, sequence.name) != named
        home = run.target.home
        if home is not None and rendered is not None and known is not None:
            # What PostgreSQL writes has a schema or none, as the search_path is.
            if rendered.replace(f"{home}.", "") == known.replace(f"{home}.", ""):
                return False
            if sequence is not None and "nextval(" in rendered:
                return _without_casts(rendered, home) != _without_casts(known, home)
        return bool(
            stock(inspected, wanted, rendered, inspection.before_moves(known))  # type: ignore[no-untyped-call]
        )

    impl.compare_server_default = compare  # type: ignore[method-assign]


def _without_casts(default: str, home: str) -> str:
    """An expression without casts, spaces and outer parentheses, its sequences with a schema."""
    bare = re.sub(r"::[\w ]+|\s", "", default).replace('"', "")
    bare = re.sub(r"nextval\('([^'.]+)'", rf"nextval('{home}.\1'", bare)
    while bare.startswith("(") and bare.endswith(")"):
        bare = bare[1:-1]
    return bare


def _sequence_named(run: Run, column: Column[Any], rendered: str | None) -> Name | None:
    """The sequence that a column of the models takes its default from, and from nothing else."""
    home = run.target.home or run.target.default_schema
    default = getattr(column.server_default, "arg", None)
    if isinstance(default, next_value):
        return default.sequence.schema or home, default.sequence.name
    match = _NEXT_VALUE.fullmatch(rendered or "")
    if match is None:
        return None
    schema, name = (part.strip('"') if part else None for part in match.groups())
    return schema or home, str(name)
