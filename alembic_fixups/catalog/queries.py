"""The bulk queries that fill a `Catalog`: a fixed number, whatever the number of tables.

They join by OID and never look a name up, so the session's search_path changes nothing in what
they find; it only decides which tables count as visible.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from alembic_fixups.catalog.model import (
    SUCCESSOR_MARK,
    Action,
    Catalog,
    Check,
    Column,
    DomainChecks,
    ForeignKey,
    Index,
    Key,
    Name,
    Relation,
    Sequence,
)

_ACTIONS: dict[str, Action] = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}

# pg_temp_n and pg_toast are left out with the other pg_ schemas, which users cannot make.
_OURS = r"n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

_SESSION = f"""
SELECT current_setting('server_version_num')::int, current_setting('search_path'),
       current_schemas(false)::text[],
       ARRAY(SELECT ARRAY[n.nspname::text, coalesce(obj_description(n.oid, 'pg_namespace'), '')]
               FROM pg_catalog.pg_namespace n WHERE {_OURS})
"""

_RELATIONS = f"""
SELECT c.oid, n.nspname, c.relname, c.relkind::text, pg_table_is_visible(c.oid), i.inhparent,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'e'),
       coalesce(obj_description(c.reltype, 'pg_type'), ''), t.partattrs::int[]
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
  LEFT JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = c.oid
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_OURS}
   AND NOT starts_with(coalesce(obj_description(c.oid, 'pg_class'), ''), '{SUCCESSOR_MARK}')
"""

_COLUMNS = f"""
SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, t.typname,
       CASE WHEN t.typtype = 'b' AND s.nspname <> 'pg_catalog' THEN s.nspname END,
       l.nspname, o.collname, y.nspname, e.typname,
       CASE WHEN a.atthasdef THEN (
         SELECT q.oid
           FROM pg_catalog.pg_attrdef f
           JOIN pg_catalog.pg_depend d
             ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass
           JOIN pg_catalog.pg_class q ON q.oid = d.refobjid AND q.relkind = 'S'
          WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum
          LIMIT 1
       ) END,
       coalesce(starts_with(d.description, '{SUCCESSOR_MARK}'), false)
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_type e
    ON e.oid = CASE WHEN t.typcategory = 'A' AND t.typtype <> 'd' THEN t.typelem ELSE t.oid END
   AND e.typtype IN ('e', 'd')
  LEFT JOIN pg_catalog.pg_namespace y ON y.oid = e.typnamespace
  LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_namespace l ON l.oid = o.collnamespace
  LEFT JOIN pg_catalog.pg_description d
    ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = a.attrelid
   AND d.objsubid = a.attnum
 WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {_OURS}
 ORDER BY a.attrelid, a.attnum
"""

_CONSTRAINTS = f"""
SELECT k.conrelid, k.conname, k.contype::text, k.conkey::int[], k.confrelid, k.confkey::int[],
       k.confdeltype::text, k.confupdtype::text, {{set_columns}}, k.condeferrable, k.condeferred,
       k.confmatchtype::text, k.convalidated, {{enforced}}, k.conindid, k.conparentid <> 0,
       d.description, k.oid, k.connoinherit, k.coninhcount > 0,
       pg_get_expr(k.conbin, k.conrelid)
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
  LEFT JOIN pg_catalog.pg_description d
    ON d.classoid = 'pg_catalog.pg_constraint'::regclass AND d.objoid = k.oid
 WHERE k.conrelid <> 0 AND {_OURS}
 ORDER BY k.conrelid, k.conname
"""

_INDEXES = f"""
SELECT i.indrelid, i.indexrelid, c.relname, i.indkey::int[], i.indnkeyatts, m.amname,
       i.indisunique, i.indimmediate, i.indisvalid, i.indpred IS NOT NULL
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE {_OURS}
 ORDER BY i.indrelid, c.relname
"""

_SEQUENCES = f"""
SELECT c.oid, n.nspname, c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''), d.refobjid,
       a.attname
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE c.relkind = 'S' AND {_OURS}
"""

_TYPES = f"""
SELECT n.nspname, t.typname, t.typtype::text, obj_description(t.typarray, 'pg_type'),
       array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
 WHERE t.typtype IN ('e', 'd') AND {_OURS}
 GROUP BY t.oid, n.nspname
"""

_DOMAIN_CHECKS = f"""
SELECT n.nspname, t.typname, t.oid, k.oid, k.conname, pg_get_expr(k.conbin, 0), k.convalidated,
       obj_description(k.oid, 'pg_constraint')
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid AND k.contype = 'c'
 WHERE t.typtype = 'd' AND {_OURS}
 ORDER BY t.oid, k.conname
"""


def read(connection: Connection) -> Catalog:
    """Reads the catalog of the database behind *connection*, with eight queries.

    Raises:
        sqlalchemy.exc.DBAPIError: the server does not answer.
    """
    version, search_path, on_path, schemas = _rows(connection, _SESSION)[0]
    relations: dict[int, Relation] = {}
    partition_keys: dict[int, list[int]] = {}
    for oid, *relation, partition_key in _rows(connection, _RELATIONS):
        relations[oid] = Relation(oid, *relation)
        partition_keys[oid] = partition_key or []
    names: dict[int, dict[int, str]] = {}
    # What a migration that was stopped has begun is nobody else's business, nor what hangs on it.
    successors: dict[int, set[int]] = {}
    for row in _rows(connection, _COLUMNS):
        oid, number, name, not_null, kind, operators, *others, sequence, is_successor = row
        if oid not in relations:
            continue
        names.setdefault(oid, {})[number] = name
        if is_successor:
            successors.setdefault(oid, set()).add(number)
            continue
        collation, named = (
            None if pair[1] is None else (pair[0], pair[1]) for pair in (others[:2], others[2:])
        )
        relations[oid].columns[name] = Column(not_null, kind, operators, collation, named, sequence)
    for oid, numbers in partition_keys.items():
        relations[oid].partition_key = tuple(names[oid].get(number, "") for number in numbers)
    constraints = _CONSTRAINTS.format(
        set_columns="k.confdelsetcols::int[]" if version >= 150000 else "NULL::int[]",
        enforced="k.conenforced" if version >= 180000 else "true",
    )
    for oid, name, *constraint in _rows(connection, constraints):
        if oid in relations and successors.get(oid, set()).isdisjoint(constraint[1] or ()):
            _add_constraint(relations[oid], name, names, *constraint)
    for oid, index, name, numbers, width, *flags in _rows(connection, _INDEXES):
        begun = oid in successors and name.startswith("fixup_new_")
        if oid in relations and not begun:
            columns = tuple(names.get(oid, {}).get(number) for number in numbers[:width])
            relations[oid].indexes.append(Index(index, name, columns, *flags))
    sequences = {row[0]: Sequence(*row) for row in _rows(connection, _SEQUENCES)}
    types = _rows(connection, _TYPES)
    domain_checks: dict[Name, DomainChecks] = {}
    for schema, name, oid, check, label, expression, validated, comment in _rows(
        connection, _DOMAIN_CHECKS
    ):
        domain = domain_checks.setdefault((schema, name), DomainChecks(oid))
        if check is not None:
            domain.checks.append(
                Check(check, label, expression, validated=validated, comment=comment)
            )
    return Catalog(
        version,
        search_path,
        tuple(on_path),
        dict(schemas),
        relations,
        sequences,
        enums={
            (schema, name): tuple(label for label in labels if label is not None)
            for schema, name, kind, _, labels in types
            if kind == "e"
        },
        domains={(schema, name) for schema, name, kind, *_ in types if kind == "d"},
        array_comments={(row[0], row[1]): row[3] for row in types if row[3]},
        domain_checks=domain_checks,
    )


def _add_constraint(
    relation: Relation,
    name: str,
    names: dict[int, dict[int, str]],
    kind: str,
    columns: list[int] | None,
    referred: int,
    referred_columns: list[int] | None,
    on_delete: str,
    on_update: str,
    set_columns: list[int] | None,
    deferrable: bool,
    deferred: bool,
    match: str,
    validated: bool,
    enforced: bool,
    index: int,
    inherited: bool,
    comment: str | None,
    oid: int,
    no_inherit: bool,
    has_parents: bool,
    expression: str | None,
) -> None:
    # A CHECK may have system columns, and 0 for the whole row.
    own = tuple(names[relation.oid][number] for number in columns or () if number > 0)
    if kind in ("p", "u"):
        relation.keys.append(Key(name, own, kind == "p", deferrable, index))
    elif kind == "c" and expression is not None:
        relation.checks.append(
            Check(
                oid=oid,
                name=name,
                expression=expression,
                columns=own,
                validated=validated,
                enforced=enforced,
                no_inherit=no_inherit,
                inherited=inherited or has_parents,
                comment=comment,
            )
        )
    elif kind == "f":
        relation.foreign_keys.append(
            ForeignKey(
                name=name,
                columns=own,
                referred=referred,
                referred_columns=tuple(
                    names[referred][number] for number in referred_columns or ()
                ),
                on_delete=_ACTIONS[on_delete],
                on_update=_ACTIONS[on_update],
                set_columns=tuple(names[relation.oid][number] for number in set_columns or ()),
                deferrable=deferrable,
                initially_deferred=deferred,
                match="FULL" if match == "f" else "SIMPLE",
                validated=validated,
                enforced=enforced,
                index=index,
                inherited=inherited,
                comment=comment,
            )
        )


def _rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text(sql))]
