"""The columns of vectors whose type in the database is not the one that the models have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Computed, Table, text

from alembic_fixups.catalog import Relation
from alembic_fixups.fixups.vector_dimension.settings import VectorDimensionSettings
from alembic_fixups.fixups.vector_dimension.types import (
    OF_EXTENSION,
    VectorType,
    is_pgvectors,
    of_model,
)
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.run import Run

_COLUMNS = """
SELECT a.attrelid, a.attname,
       CASE t.typname WHEN '_float4' THEN 'real[]' WHEN '_float8' THEN 'double precision[]'
            ELSE t.typname::text END,
       CASE WHEN a.atttypmod >= 0 AND t.typcategory <> 'A' THEN a.atttypmod END,
       a.attgenerated <> '', a.attnotnull,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i
                WHERE i.inhrelid = a.attrelid OR i.inhparent = a.attrelid),
       EXISTS (SELECT FROM pg_catalog.pg_inherits i
                 JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = a.attrelid AND NOT c.relispartition),
       a.attinhcount > 0
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND (t.oid IN ('real[]'::regtype, 'double precision[]'::regtype, 'bit'::regtype)
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                    WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
                      AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'vector'
                      AND t.typname IN ('vector', 'halfvec', 'sparsevec')))
"""

_EXTENSION = """
SELECT n.nspname, e.extversion FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'vector'
"""


@dataclass(frozen=True)
class Known:
    """A column of vectors as the database has it.

    Attributes:
        type: its type.
        generated: whether it is a generated column.
        not_null: whether it is NOT NULL.
        in_tree: whether its table has partitions, is one, or inherits or is inherited from.
        is_inherited_from: whether tables inherit from its table, other than as partitions.
        inherited: whether its table has it from another one.
    """

    type: VectorType
    generated: bool
    not_null: bool
    in_tree: bool
    is_inherited_from: bool
    inherited: bool


@dataclass(frozen=True)
class Candidate:
    """A column whose type changes.

    Attributes:
        relation, table, column: the column as the database and the models have it.
        known: what else the database says of it.
        new: its type in the models, with the schema of the extension.
    """

    relation: Relation
    table: Table
    column: Column[Any]
    known: Known
    new: VectorType

    @property
    def place(self) -> tuple[int, str]:
        """OID of the table, and the name of the column."""
        return self.relation.oid, self.column.name

    @property
    def is_computed(self) -> bool:
        """Whether the models generate it."""
        return isinstance(self.column.server_default, Computed)


@dataclass(frozen=True)
class Extension:
    """The extension as the database has it.

    Attributes:
        schema: its schema.
        version: its version, as in (0, 8, 0).
    """

    schema: str
    version: tuple[int, ...]


def extension(run: Run) -> Extension | None:
    """pgvector in the database, None where it is not there."""
    assert run.context.connection is not None
    found = run.context.connection.execute(text(_EXTENSION)).one_or_none()
    if found is None:
        return None
    return Extension(found[0], tuple(int(part) for part in re.findall(r"\d+", found[1])))


def candidates(
    schema: str | None, settings: VectorDimensionSettings, run: Run
) -> Iterator[Candidate]:
    """Every such column; takes the schema of the extension.

    Of those whose types agree, Alembic sees the models' from here on.
    """
    known = _known(schema, run)
    wanted = [
        (relation, table, column, found)
        for table in run.target.tables.values()
        if (relation := run.relation_before_moves(table)) is not None
        and relation.kind in ("r", "p")
        for column in table.c
        if (found := known.get((relation.oid, column.name))) is not None
    ]
    for relation, table, column, found in wanted:
        type_ = of_model(column.type)
        if type_ is None:
            continue
        if found.type.same_as(type_):
            # A type that names the schema of the extension is another one to Alembic.
            run.column_types[relation.oid, column.name] = column.type
            continue
        if type_.kind == "bit" and not _is_vector(table, column, found, settings, run):
            continue
        if schema is None and "bit" not in (type_.kind, found.type.kind):
            continue
        new = VectorType(type_.kind, type_.dimensions, None if type_.kind == "bit" else schema)
        yield Candidate(relation, table, column, found, new)


def _is_vector(
    table: Table, column: Column[Any], found: Known, settings: VectorDimensionSettings, run: Run
) -> bool:
    """Whether a ``bit`` column holds vectors, and not flags."""
    names = {
        f"{table.schema or run.target.default_schema}.{table.name}.{column.name}",
        f"{table.name}.{column.name}",
    }
    return (
        found.type.kind != "bit"
        or is_pgvectors(column.type)
        or not names.isdisjoint(settings.columns)
    )


def types_now(schema: str | None, run: Run) -> dict[tuple[TableName, str], str]:
    """SQL of the type of every column of vectors, by its table and its name."""
    return {
        (TableName(relation.schema, relation.name), name): known.type.sql
        for (oid, name), known in _known(schema, run).items()
        if (relation := run.catalog.relations.get(oid)) is not None
    }


def _known(schema: str | None, run: Run) -> dict[tuple[int, str], Known]:
    assert run.context.connection is not None
    rows = run.context.connection.execute(text(_COLUMNS))
    return {
        (oid, name): Known(
            VectorType(kind, size, schema if kind in OF_EXTENSION else None),
            *details,
        )
        for oid, name, kind, size, *details in rows
    }
