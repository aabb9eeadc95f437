"""The columns of the database that are of a native enum type and are to be of a plain one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Column, String, Table, text
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.catalog import Name, Relation
from alembic_fixups.fixups.enum_check.conversion import names_of
from alembic_fixups.fixups.enum_check.domains import DomainFacts
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn, Wanted
from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings, covers
from alembic_fixups.run import Run

_COLUMNS = """
SELECT a.attrelid, a.attname, a.attndims, a.attgenerated <> '',
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE a.attrelid IN (i.inhrelid, i.inhparent)),
       ARRAY(SELECT i.inhparent::int8 FROM pg_catalog.pg_inherits i
               JOIN pg_catalog.pg_attribute p
                 ON p.attrelid = i.inhparent AND p.attname = a.attname AND NOT p.attisdropped
              WHERE i.inhrelid = a.attrelid),
       ARRAY(WITH RECURSIVE tree AS (
               SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = a.attrelid
               UNION
               SELECT i.inhrelid FROM pg_catalog.pg_inherits i
                 JOIN tree ON i.inhparent = tree.inhrelid
             )
             SELECT tree.inhrelid::int8 FROM tree),
       EXISTS (WITH RECURSIVE tree AS (
                 SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = a.attrelid
                 UNION
                 SELECT i.inhrelid FROM pg_catalog.pg_inherits i
                   JOIN tree ON i.inhparent = tree.inhrelid
               )
               SELECT FROM tree
                 JOIN pg_catalog.pg_attribute c
                   ON c.attrelid = tree.inhrelid AND c.attname = a.attname AND c.attinhcount > 1),
       EXISTS (SELECT FROM pg_catalog.pg_partition_tree(a.attrelid) t
                WHERE strpos(pg_catalog.pg_get_partkeydef(t.relid),
                             pg_catalog.quote_ident(a.attname)) > 0)
  FROM unnest(cast(:tables AS oid[]), cast(:names AS text[])) AS wanted (relation, name)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = wanted.relation AND a.attname = wanted.name
"""


@dataclass(frozen=True)
class Candidate:
    """A column of a native enum type that is to be of a plain one.

    Attributes:
        relation, table, column: the column as the database and the models have it.
        wanted: what the models list, None where they have a plain String.
        enum: the type.
        domain: the domain over it that the column is of, None for none.
        dimensions: 0 for a single value.
        generated: whether it is a generated column.
        in_tree: whether its table has partitions, is one, or inherits or is inherited from.
        parents: OIDs of the tables that it inherits the column from.
        children: OIDs of the tables that inherit from it, or its partitions.
        is_shared: whether one of these inherits the column from several tables.
        is_key: whether the table, or a partition of it, is partitioned by it.
    """

    relation: Relation
    table: Table
    column: Column[Any]
    wanted: EnumColumn | None
    enum: Name
    domain: DomainFacts | None
    dimensions: int = 0
    generated: bool = False
    in_tree: bool = False
    parents: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    is_shared: bool = False
    is_key: bool = False

    @property
    def place(self) -> tuple[int, str]:
        """OID of the table, and the name of the column."""
        return self.relation.oid, self.column.name


def candidates(
    wanted: Wanted, over_enums: dict[Name, DomainFacts], settings: EnumCheckSettings, run: Run
) -> list[Candidate]:
    """Every such column that the settings cover."""
    found = list(_found(wanted, over_enums, settings, run))
    if not found:
        return []
    assert run.context.connection is not None
    given = {
        "tables": [one.relation.oid for one in found],
        "names": [one.column.name for one in found],
    }
    rows = run.context.connection.execute(text(_COLUMNS), given)
    details = {(oid, name): rest for oid, name, *rest in rows}
    return [_with_details(one, details[one.place]) for one in found]


def _found(
    wanted: Wanted, over_enums: dict[Name, DomainFacts], settings: EnumCheckSettings, run: Run
) -> Iterator[Candidate]:
    by_place = {(column.table, column.column): column for column in wanted.columns}
    for key, table in run.target.tables.items():
        relation = run.relation_before_moves(table)
        if relation is None or relation.kind not in ("r", "p"):
            continue
        for column in table.c:
            known = relation.columns.get(column.name)
            if known is None or known.named is None or not _is_plain(column.type, run):
                continue
            domain = over_enums.get(known.named)
            enum = known.named if domain is None else domain.enum
            if enum in run.catalog.enums and covers(
                settings, *names_of(table, column.name, enum, run)
            ):
                listed = by_place.get((key, column.name))
                yield Candidate(relation, table, column, listed, enum, domain)


def _with_details(one: Candidate, details: list[Any]) -> Candidate:
    dimensions, generated, in_tree, parents, children, is_shared, is_key = details
    return Candidate(
        one.relation,
        one.table,
        one.column,
        one.wanted,
        one.enum,
        one.domain,
        dimensions,
        generated,
        in_tree,
        tuple(parents),
        tuple(children),
        is_shared,
        is_key,
    )


def _is_plain(type_: TypeEngine[Any], run: Run) -> bool:
    plain = type_.dialect_impl(run.context.dialect)
    while isinstance(plain, TypeDecorator):
        plain = plain.impl_instance.dialect_impl(run.context.dialect)
    if isinstance(plain, ARRAY):
        return _is_plain(plain.item_type, run)
    if isinstance(plain, DOMAIN):
        return _is_plain(plain.data_type, run)
    return isinstance(plain, String) and getattr(plain, "native_enum", False) is False
