"""Reads a database's tables, types and what can refuse a row, by a fixed number of queries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from alembic_fixups.prove.made_up.model import Column, Database, ForeignKey, Rule, Table, Type
from alembic_fixups.prove.made_up.unwritten import with_unwritten
from alembic_fixups.squash.version_table import version_tables

_FOLDER = Path(__file__).parent


def read(connection: psycopg.Connection[Any]) -> Database:
    """The database of *connection*.

    Raises:
        psycopg.Error: the catalog cannot be read.
    """
    types = {row[0]: _type(row) for row in _query(connection, "types")}
    not_null = {oid for oid in types if _refuses_null(types, oid)}
    found = {row[0]: row for row in _query(connection, "tables")}
    versions = set(version_tables(connection))
    tables = {
        oid: Table(
            schema, name, sql, partitioned, _columns(columns, not_null), (), (),
            root == oid and not extension and (schema, name) not in versions,
        )
        for oid, schema, name, sql, partitioned, root, extension, columns in found.values()
    }  # fmt: skip
    roots = {oid: row[5] for oid, row in found.items()}
    rules = _rules(connection, tables, roots)
    keys = _foreign_keys(connection, tables, roots)
    whole = sorted(
        (
            replace(table, rules=tuple(rules[oid]), foreign_keys=tuple(keys[oid]))
            for oid, table in tables.items()
        ),
        key=lambda table: (table.schema, table.name),
    )
    return Database({table.sql: table for table in with_unwritten(whole)}, types)


def _query(connection: psycopg.Connection[Any], name: str) -> list[tuple[Any, ...]]:
    query = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return connection.cursor(row_factory=tuple_row).execute(query).fetchall()


def _type(row: tuple[Any, ...]) -> Type:
    (
        oid, name, sql, schema, kind, element, delimiter, base, modifier, not_null, subtype,
        of_multirange, labels, fields, checks,
    ) = row  # fmt: skip
    return Type(
        oid, name, sql, schema, kind, element, delimiter, base, modifier, not_null,
        subtype, of_multirange, tuple(labels), tuple((one, two) for one, two in fields or ()),
        tuple(checks),
    )  # fmt: skip


def _refuses_null(types: Mapping[int, Type], oid: int) -> bool:
    """Whether a domain, or one that it is over, is NOT NULL."""
    found = types.get(oid)
    return found is not None and (found.not_null or _refuses_null(types, found.base))


def _columns(rows: Sequence[Sequence[Any]], not_null: set[int]) -> tuple[Column, ...]:
    return tuple(
        Column(
            name, kind, modifier, sql, not (refuses or kind in not_null), identity != "",
            generated != "", default or "", steadiness,
        )
        for name, kind, modifier, sql, refuses, identity, generated, default, steadiness in rows
    )  # fmt: skip


def _rules(
    connection: psycopg.Connection[Any], tables: Mapping[int, Table], roots: Mapping[int, int]
) -> dict[int, list[Rule]]:
    """By the table that is filled: what is a partition's comes with the whole."""
    found: dict[int, list[Rule]] = {oid: [] for oid in tables}
    for oid, kind, name, columns, text in _query(connection, "rules"):
        if oid in tables:
            table = tables[oid]
            named = columns if columns is not None else _named(table, text)
            rule = Rule((table.schema, table.name), kind, name, tuple(named), text)
            found[roots[oid]].append(rule)
    for oid, rules in found.items():
        sources = {rule.name: rule for rule in rules if rule.kind == "generated"}
        found[oid] = sorted(
            (_sources(rule, sources) for rule in rules),
            key=lambda rule: (rule.table, rule.kind, rule.name),
        )
    return found


def _named(table: Table, text: str) -> list[str]:
    """The columns whose names a text has."""
    return [
        column.name
        for column in table.columns
        if re.search(rf"(?<!\w){re.escape(column.name.replace(chr(34), chr(34) * 2))}(?!\w)", text)
    ]


def _sources(rule: Rule, generated: Mapping[str, Rule]) -> Rule:
    """The rule with what generated columns are computed from in their place."""
    through = [generated[name] for name in rule.columns if name in generated]
    if not through:
        return rule
    columns = [
        source
        for name in rule.columns
        for source in (generated[name].columns if name in generated else [name])
    ]
    text = " ".join([rule.text, *(one.text for one in through)])
    return replace(rule, columns=tuple(dict.fromkeys(columns)), text=text)


def _foreign_keys(
    connection: psycopg.Connection[Any], tables: Mapping[int, Table], roots: Mapping[int, int]
) -> dict[int, list[ForeignKey]]:
    found: dict[int, list[ForeignKey]] = {oid: [] for oid in tables}
    for schema, name, child, columns, target, keys, full, deferrable in sorted(
        _query(connection, "foreign_keys")
    ):
        if child in tables and target in tables:
            table = tables[roots[child]]
            nullable = tuple(name for name in columns if table.column(name).nullable)
            found[roots[child]].append(
                ForeignKey(
                    schema, name, table.sql, tuple(columns), tables[target].sql,
                    tables[roots[target]].sql, tuple(keys), nullable, full, deferrable,
                )
            )  # fmt: skip
    return found
