"""Which columns of the database are of a native enum type and are to be of a plain one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ARRAY, Column, String, Table, text
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.catalog import Move, Name, Relation
from alembic_fixups.fixups.enum_check.conversion import Conversion, TypeFacts, names_of
from alembic_fixups.fixups.enum_check.domains import DomainFacts, domains
from alembic_fixups.fixups.enum_check.relabel import Relabelled, relabelled
from alembic_fixups.fixups.enum_check.rewrite import EnumColumn, Wanted
from alembic_fixups.fixups.enum_check.rewrite import rewrite as rewritten
from alembic_fixups.fixups.enum_check.settings import (
    NAME,
    EnumCheckSettings,
    covers,
    renames_for,
)
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.report import Finding, Severity
from alembic_fixups.retyping.casts import retyped
from alembic_fixups.retyping.dependents import Dependent, dependents
from alembic_fixups.run import Run
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import Target

_COLUMNS = """
SELECT a.attrelid, a.attname, a.attndims, a.attinhcount > 0,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE a.attrelid IN (i.inhrelid, i.inhparent)),
       a.attgenerated <> '',
       EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p
                WHERE p.partrelid = a.attrelid AND a.attnum = ANY (p.partattrs::int2[]))
  FROM unnest(cast(:tables AS oid[]), cast(:names AS text[])) AS wanted (relation, name)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = wanted.relation AND a.attname = wanted.name
"""

_TYPES = """
SELECT n.nspname, t.typname, pg_catalog.pg_get_userbyid(t.typowner),
       coalesce(pg_catalog.obj_description(t.oid, 'pg_type'), ''),
       CASE WHEN t.typacl IS NOT NULL THEN ARRAY(
         SELECT CASE WHEN x.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END
                || CASE WHEN x.is_grantable THEN '*' ELSE '' END
           FROM pg_catalog.aclexplode(t.typacl) x
          WHERE x.grantee <> t.typowner
          ORDER BY 1
       ) END
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typtype = 'e'
"""


@dataclass
class Plan:
    """What the fixup does to one database.

    Attributes:
        wanted: what `rewrite` gave.
        conversions: the columns whose types change.
        types: the types that they are of now.
        relabelled: the columns that are plain already and whose labels change.
    """

    wanted: Wanted
    conversions: list[Conversion] = field(default_factory=list)
    types: dict[Name, TypeFacts] = field(default_factory=dict)
    relabelled: list[Relabelled] = field(default_factory=list)


def rewrite(target: Target, settings: EnumCheckSettings, major_version: int) -> Plan:
    """Changes the desired schema; what the database needs is found by `locate`.

    Raises:
        Refused: the settings cover one half of what has to be of one type.
    """
    return Plan(rewritten(target, settings, major_version))


def locate(plan: Plan, settings: EnumCheckSettings, run: Run) -> Iterable[Move]:
    """Finds the columns that are of a native enum type and has Alembic see them as they will be.

    Nothing moves: gives no moves.
    """
    plan.relabelled = list(relabelled(plan.wanted, settings, run))
    for one in plan.relabelled:
        key = run.target.find(one.table.schema, one.table.name) or ""
        run.settled |= {(key, one.before.name), (key, one.after.name)}
    over_enums = domains(run)
    by_place = {(column.table, column.column): column for column in plan.wanted.columns}
    found = [
        (relation, table, column, by_place.get((key, column.name)))
        for key, table in run.target.tables.items()
        if (relation := run.relation(table)) is not None and relation.kind in ("r", "p")
        if run.context.run_object_filters(
            run.target.original(table), table.name, "table", False, None
        )
        for column in table.c
        if _is_covered(relation, table, column, over_enums, settings, run)
    ]
    details = _details(found, run)
    kept = []
    for relation, table, column, wanted in found:
        dimensions, inherited, in_tree, generated, is_key = details[relation.oid, column.name]
        if inherited:
            # The table that it inherits from brings it along.
            run.column_types[relation.oid, column.name] = column.type
            continue
        if is_key:
            message = (
                f"{column.name} is of a native enum type and stays so: the table is partitioned by "
                "it, and PostgreSQL changes no such type. Exclude it, or build the table anew"
            )
            _say(run, "partition-key", table, message, "refused")
            continue
        if generated:
            message = (
                f"{column.name} is generated, of a native enum type, and stays so. Exclude it, or "
                "drop and add it in a migration of your own"
            )
            _say(run, "generated", table, message, "refused")
            continue
        kept.append((relation, table, column, wanted, dimensions, in_tree))
    if not kept:
        return []
    assert run.context.connection is not None
    general = run.settings.general
    hanging = dependents(
        run.context.connection,
        [(relation.oid, column.name) for relation, _, column, *_ in kept],
        Templates(general.lock_timeout, general.templates),
    )
    for (relation, table, column, wanted, dimensions, in_tree), hangs in zip(
        kept, hanging, strict=True
    ):
        trouble = [f"{each.identity}: {each.trouble}" for each in hangs if each.trouble]
        if trouble:
            message = (
                f"{column.name} is of a native enum type and stays so, for what depends on it "
                f"could not be made again as it is ({'; '.join(trouble)}). Exclude it, or drop "
                "that in a migration of your own before and make it again behind"
            )
            _say(run, "dependents", table, message, "refused")
            continue
        converted = _conversion(relation, table, column, wanted, hangs, over_enums, settings, run)
        plan.conversions.append(replace(converted, dimensions=dimensions, in_tree=in_tree))
    _show(plan, run)
    return []


def _is_covered(
    relation: Relation,
    table: Table,
    column: Column[Any],
    over_enums: dict[Name, DomainFacts],
    settings: EnumCheckSettings,
    run: Run,
) -> bool:
    enum = _enum_of(relation, column, over_enums, run)
    if enum is None:
        return False
    names = names_of(table, column.name, enum, run)
    return _is_plain(column.type, run) and covers(settings, *names)


def _enum_of(
    relation: Relation, column: Column[Any], over_enums: dict[Name, DomainFacts], run: Run
) -> Name | None:
    """The native enum type that a column of the database comes down to, None where to none."""
    known = relation.columns.get(column.name)
    if known is None or known.named is None:
        return None
    if known.named in over_enums:
        return over_enums[known.named].enum
    return known.named if known.named in run.catalog.enums else None


def _is_plain(type_: TypeEngine[Any], run: Run) -> bool:
    plain = type_.dialect_impl(run.context.dialect)
    while isinstance(plain, TypeDecorator):
        plain = plain.impl_instance.dialect_impl(run.context.dialect)
    if isinstance(plain, ARRAY):
        return _is_plain(plain.item_type, run)
    if isinstance(plain, DOMAIN):
        return _is_plain(plain.data_type, run)
    return isinstance(plain, String) and getattr(plain, "native_enum", False) is False


def _details(found: list[Any], run: Run) -> dict[tuple[int, str], tuple[Any, ...]]:
    if not found:
        return {}
    assert run.context.connection is not None
    given = {
        "tables": [relation.oid for relation, *_ in found],
        "names": [column.name for _, _, column, _ in found],
    }
    rows = run.context.connection.execute(text(_COLUMNS), given)
    return {(oid, name): tuple(rest) for oid, name, *rest in rows}


def _conversion(
    relation: Relation,
    table: Table,
    column: Column[Any],
    wanted: EnumColumn | None,
    hangs: tuple[Dependent, ...],
    over_enums: dict[Name, DomainFacts],
    settings: EnumCheckSettings,
    run: Run,
) -> Conversion:
    enum = _enum_of(relation, column, over_enums, run)
    named = relation.columns[column.name].named
    assert enum is not None and named is not None
    over = over_enums.get(named)
    check = (wanted.check, wanted.condition) if wanted is not None and wanted.check else None
    domain = None if over is None else over.becoming(column, check)
    labels = run.catalog.enums[enum]
    plain = column.type.dialect_impl(run.context.dialect)
    element = plain.item_type if isinstance(plain, ARRAY) else column.type
    renames = renames_for(settings, *names_of(table, column.name, enum, run))
    return Conversion(
        relation=relation.oid,
        table=TableName.of(table),
        column=column.name,
        enum=enum,
        labels=labels,
        values=None if wanted is None else wanted.values,
        element=element.compile(dialect=DIALECT),
        check=None if wanted is None or domain is not None else wanted.check,
        condition=None if wanted is None or domain is not None else wanted.condition,
        domain=domain,
        renames=tuple((old, new) for old, new in renames.items() if old in labels),
        dependents=hangs,
    )


def _show(plan: Plan, run: Run) -> None:
    """Has everything else compare with the columns as they will be."""
    assert run.context.connection is not None
    known = run.context.connection.execute(text(_TYPES))
    used = {conversion.enum for conversion in plan.conversions}
    for schema, name, owner, comment, grants in known:
        if (schema, name) in used:
            plan.types[schema, name] = TypeFacts(
                run.catalog.enums[schema, name], owner, comment, _grants(grants)
            )
    for conversion in plan.conversions:
        table = run.target.table(
            run.target.find(conversion.table.schema, conversion.table.name) or ""
        )
        wanted = next(column for column in table.c if column.name == conversion.column)
        run.column_types[conversion.relation, conversion.column] = wanted.type
        if conversion.domain is not None:
            name = conversion.domain.name
            run.domain_types[str(name.schema), name.name] = conversion.domain.base
            if conversion.domain.check is not None:
                run.settled.add((str(name), conversion.domain.check[0]))
        if conversion.check is not None:
            run.settled.add((table.key, conversion.check))
        _warn(conversion, table, run)
    moved = {(move.schema, move.name): (move.to, move.name) for move in run.moves}
    path = run.catalog.schemas_on_path
    names = {}
    for enum in used:
        seen = next((schema for schema in path if (schema, enum[1]) in run.catalog.enums), None)
        names[enum] = names[moved.get(enum, enum)] = seen == enum[0]
    run.retyped = lambda expression: retyped(expression, names)


def _warn(conversion: Conversion, table: Table, run: Run) -> None:
    if conversion.values is None:
        message = (
            f"{conversion.column} is a String in the models and of the type {conversion.type} in "
            "the database: it becomes a plain column, and nothing checks its values any more. Give "
            "it an Enum or a Literal, or a CheckConstraint, to keep that"
        )
        _say(run, "unchecked", table, message, "warning")
    if conversion.values is not None:
        _suggest_renames(conversion, table, run)
    ordered = conversion.ordered_by
    if conversion.changes_order and ordered:
        message = (
            f"{conversion.column}: its values sorted as the labels stand in {conversion.type}, and "
            "will sort as text. ORDER BY, <, > and max() on it give something else, in the "
            f"application and perhaps in {', '.join(map(str, ordered))}"
        )
        _say(run, "order", table, message, "warning")


def _suggest_renames(conversion: Conversion, table: Table, run: Run) -> None:
    values = conversion.values or ()
    gone = [label for label in conversion.labels if label not in conversion.accepted]
    for label in gone:
        near = difflib.get_close_matches(label, [v for v in values if v not in conversion.labels])
        hint = f"; if it is called {near[0]!r} now, say so under renames" if near else ""
        message = (
            f"{conversion.column}: the models have no {label!r} any more, and the migration stops "
            f"where rows hold it{hint}"
        )
        _say(run, "label-gone", table, message, "info")


def _say(run: Run, code: str, table: Table, message: str, severity: Severity) -> None:
    run.findings.append(Finding(NAME, code, table.key, message, severity))


def _grants(listed: list[str] | None) -> tuple[tuple[str, bool], ...] | None:
    if listed is None:
        return None
    return tuple((role.removesuffix("*"), role.endswith("*")) for role in listed)
