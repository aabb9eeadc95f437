"""The tables of the models that the database has, with the vector indexes of both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from alembic.operations import ops
from alembic.util.sqla_compat import _get_constraint_final_name
from sqlalchemy import Column, Index, MetaData, Table
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateIndex

from alembic_fixups.catalog import Relation
from alembic_fixups.fixups.vector_dimension.index_reading import Meaning, Present, Twin
from alembic_fixups.fixups.vector_dimension.index_rewrite import METHODS, method_of
from alembic_fixups.fixups.vector_dimension.side_tables import PendingIndex
from alembic_fixups.run import Run
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import TableKey


@dataclass
class Holder:
    """A table with the vector indexes of both sides.

    Attributes:
        key, table: the table of the models.
        relation: that of the database.
        storages: SQL of the types that columns get in this migration.
        twin: the table as it will be.
        wishes: the indexes of the models by name.
        oids: those of the database by name.
        waiting: those that `alembic-fixups reembed` builds, by name.
        present: what is known of those of the database.
        wanted: what the indexes of the models come to.
        known: what those of the database come to on the twin.
        pending: what those that wait come to.
    """

    key: TableKey
    table: Table
    relation: Relation
    storages: dict[str, str]
    twin: Twin
    wishes: dict[str, Index]
    oids: dict[str, int]
    waiting: dict[str, PendingIndex] = field(default_factory=dict)
    present: dict[str, Present] = field(default_factory=dict)
    wanted: dict[str, Meaning] = field(default_factory=dict)
    known: dict[str, Meaning] = field(default_factory=dict)
    pending: dict[str, Meaning] = field(default_factory=dict)


def holders(run: Run, storages: Mapping[tuple[int, str], str]) -> Iterator[Holder]:
    """Every such table where one of both sides has a vector index.

    Takes SQL of the types that columns get in this migration, by OID of the table and name.
    """
    for key, table in run.target.tables.items():
        relation = run.relation(table)
        if relation is None or relation.kind not in ("r", "p") or relation.extension:
            continue
        wishes = {name_of(index): index for index in table.indexes if method_of(index) in METHODS}
        oids = {
            index.name: index.oid
            for index in relation.indexes
            if index.method in METHODS or index.name in wishes
        }
        if not wishes and not oids:
            continue
        if not run.context.run_object_filters(table, table.name, "table", False, None):
            wishes = {}
        changed = {name: type_ for (oid, name), type_ in storages.items() if oid == relation.oid}
        types = {
            name: type_
            for name, type_ in types_of_models(table).items()
            if name not in relation.columns
        }
        for (oid, name), type_ in run.column_types.items():
            if oid == relation.oid:
                types[name] = _type_of(Column(name, type_))
        twin = Twin(relation.oid, tuple({**types, **changed}.items()))
        yield Holder(key, table, relation, changed, twin, wishes, oids)


def is_compared(holder: Holder, name: str, run: Run) -> bool:
    """Whether the filters of env.py want it."""
    default = None if run.target.home is not None else run.target.default_schema
    schema = None if holder.table.schema == default else holder.table.schema
    wish, present = holder.wishes.get(name), holder.present.get(name)
    reflected = None
    if present is not None:
        if not run.context.run_name_filters(
            name, "index", {"table_name": holder.table.name, "schema_name": schema}
        ):
            return False
        if not run.context.run_object_filters(
            holder.table, holder.table.name, "table", False, None
        ):
            return False
        reflected = _as_reflected(holder, present)
    if wish is not None:
        return run.context.run_object_filters(wish, name, "index", False, reflected)
    assert reflected is not None
    return run.context.run_object_filters(reflected, name, "index", True, None)


def _as_reflected(holder: Holder, present: Present) -> Index:
    columns: list[Column[object]] = [Column(name) for name in holder.relation.columns]
    table = Table(holder.table.name, MetaData(), *columns, schema=holder.table.schema)
    known = [column for column in table.c if column.name in present.columns]
    return Index(present.index.name, *known, postgresql_using=present.method, _table=table)


def options_of(holder: Holder, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The options that the models mention, and those besides that the database is tuned by."""
    given = holder.wishes[name].dialect_options["postgresql"]["with"] or {}
    mentioned = {str(key).lower(): str(value) for key, value in given.items()}
    present = holder.present.get(name)
    if present is None or present.method != method_of(holder.wishes[name]):
        return mentioned, {}
    kept = {key: value for key, value in tuned(present).items() if key not in mentioned}
    return mentioned, kept


def tuned(present: Present) -> dict[str, str]:
    """Its options, without the lists of an ivfflat index that a migration has computed.

    Those are computed again where it is built anew.
    """
    options = dict(present.index.options)
    lists = options.get("lists", "")
    if present.method == "ivfflat" and lists.isdecimal():
        rows = max(present.rows, 0)
        rule = math.sqrt(rows) if rows > 1_000_000 else max(rows / 1000, 1)
        if lists == "1" or abs(int(lists) - rule) <= rule / 5:
            del options["lists"]
    return options


def statement(index: Index) -> str:
    """What builds it on the twin, without its options."""
    made = ops.CreateIndexOp.from_index(index)
    left_out = ("postgresql_with", "postgresql_tablespace", "postgresql_concurrently")
    options = {key: value for key, value in made.kw.items() if key not in left_out}
    twin = ops.CreateIndexOp(
        "fixup_index", "fixup_twin", made.columns, schema="pg_temp", unique=index.unique, **options
    )
    return str(CreateIndex(twin.to_index()).compile(dialect=DIALECT))


def name_of(index: Index) -> str:
    """Its name in the database."""
    return str(_get_constraint_final_name(index, DIALECT))


def types_of_models(table: Table) -> dict[str, str]:
    """SQL of the types of a table's columns, by name."""
    return {column.name: _type_of(column) for column in table.c}


def _type_of(column: Column[object]) -> str:
    try:
        return str(DIALECT.type_compiler_instance.process(column.type, type_expression=column))
    except CompileError:
        return "text"
