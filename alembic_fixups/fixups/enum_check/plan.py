"""What becomes of the native enum types of a database: which columns change, and which cannot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import ARRAY, text

from alembic_fixups.catalog import Move, Name
from alembic_fixups.fixups.enum_check.candidates import Candidate, candidates
from alembic_fixups.fixups.enum_check.conversion import Conversion, TypeFacts
from alembic_fixups.fixups.enum_check.domains import domains
from alembic_fixups.fixups.enum_check.findings import refuse, warn
from alembic_fixups.fixups.enum_check.grouping import groups_of
from alembic_fixups.fixups.enum_check.relabel import Relabelled, naming, relabelled, renamed_labels
from alembic_fixups.fixups.enum_check.rewrite import Wanted
from alembic_fixups.fixups.enum_check.rewrite import rewrite as rewritten
from alembic_fixups.fixups.enum_check.settings import EnumCheckSettings
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping import model
from alembic_fixups.retyping.casts import retyped
from alembic_fixups.retyping.dependents import Dependent, dependents, shadow_indexes
from alembic_fixups.run import Run
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.target import Target
from alembic_fixups.view import is_filtered_out

_TYPES = """
SELECT n.nspname, t.typname, pg_catalog.pg_get_userbyid(t.typowner),
       coalesce(pg_catalog.obj_description(t.oid, 'pg_type'), ''),
       CASE WHEN t.typacl IS NOT NULL THEN ARRAY(
         SELECT CASE WHEN x.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END
                || CASE WHEN x.is_grantable THEN '*' ELSE '' END
           FROM pg_catalog.aclexplode(t.typacl) WITH ORDINALITY
               AS x (grantor, grantee, privilege_type, is_grantable, place)
          ORDER BY x.place
       ) END,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
               = array_agg(e.enumlabel::text ORDER BY e.enumlabel::text COLLATE "default")
          FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
       ARRAY(SELECT pg_catalog.pg_describe_object('pg_cast'::regclass, c.oid, 0)
               FROM pg_catalog.pg_cast c
              WHERE c.castmethod = 'f' AND t.oid IN (c.castsource, c.casttarget))
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typtype = 'e'
"""


Place = tuple[int, str]
"""OID of a table, and the name of a column."""


@dataclass
class Plan:
    """What the fixup does to one database.

    Attributes:
        wanted: what `rewrite` gave.
        groups: the tables whose columns change, those together that have a dependent in common.
        types: the types that the columns are of now.
        relabelled: the columns that are plain already and whose labels change.
    """

    wanted: Wanted
    groups: list[list[model.Table]] = field(default_factory=list)
    types: dict[Name, TypeFacts] = field(default_factory=dict)
    relabelled: list[Relabelled] = field(default_factory=list)

    @property
    def conversions(self) -> list[Conversion]:
        """The columns whose types change."""
        return [
            cast(Conversion, column.of)
            for group in self.groups
            for table in group
            for column in table.columns
        ]


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
    found = candidates(plan.wanted, domains(run), settings, run)
    for one_found in found:
        # Also of those that stay as they are: Alembic could not change them.
        run.column_types[one_found.place] = one_found.column.type
        if one_found.wanted is not None and one_found.wanted.check is not None:
            domain = one_found.domain
            place = one_found.table.key if domain is None else ".".join(domain.name)
            run.settled.add((place, one_found.wanted.check))
    kept = _convertible(found, plan, settings, run)
    if kept:
        plan.groups = _grouped(kept, settings, run)
        converted = {(one.relation, one.column) for one in plan.conversions}
        reached = _with_children(converted, [one for one in found if one.parents])
        for child in found:
            if child.place in reached - converted and child.wanted is not None:
                # Its own CHECK comes with the others.
                run.settled.discard((child.table.key, str(child.wanted.check)))
        _show(plan, run)
    return []


def _convertible(
    found: list[Candidate], plan: Plan, settings: EnumCheckSettings, run: Run
) -> list[Candidate]:
    """Those that can be converted; findings say why others cannot."""
    if not found:
        return []
    casts = _read_types({one.enum for one in found}, plan, run)
    known = {
        relation.oid for table in run.target.tables.values() if (relation := run.relation(table))
    }
    asked = {one.place for one in found if not is_filtered_out(one.table, one.column, run)}
    inherited = [one for one in found if one.parents]
    kept: list[Candidate] = []
    for one in found:
        below = {(child, one.column.name) for child in one.children if child in known}
        problem = _problem(one, casts, settings, run)
        if problem is None and (one.is_shared or not below <= asked):
            problem = (
                "inherited",
                (
                    "a table that inherits it is excluded, or inherits it from several tables. "
                    "Include all of them, or exclude all"
                ),
            )
        if problem is not None:
            code, message = problem
            if code:
                refuse(run, code, one, message)
        elif not one.parents:
            kept.append(one)
    reached = _with_children({one.place for one in kept}, inherited)
    for one in inherited:
        if one.place not in reached:
            message = (
                "it is inherited from a table whose column is not converted, or from several; "
                "convert these too, or exclude it"
            )
            refuse(run, "inherited", one, message)
    return kept


def _with_children(places: set[Place], inherited: list[Candidate]) -> set[Place]:
    """The columns with those that inherit from them, and from nothing else."""
    reached = set(places)
    while True:  # a table may inherit what another one inherits
        reaching = {
            one.place
            for one in inherited
            if len(one.parents) == 1 and (one.parents[0], one.column.name) in reached
        }
        if reaching <= reached:
            return reached
        reached |= reaching


def _problem(
    one: Candidate, casts: dict[Name, list[str]], settings: EnumCheckSettings, run: Run
) -> tuple[str, str] | None:
    """Code and message of what keeps a column from being converted; no code where nobody asks."""
    if is_filtered_out(one.table, one.column, run):
        return "", ""
    if run.moves:
        return "moves", (
            "the revision moves tables or types to another schema, all or nothing; the conversion "
            "comes with the next autogenerate, once they are there"
        )
    if one.is_key:
        return "partition-key", (
            "the table is partitioned by it, and PostgreSQL changes no such type. Exclude it, or "
            "build the table anew"
        )
    if one.generated:
        return "generated", (
            "it is generated. Exclude it, or drop and add it in a migration of your own"
        )
    if casts[one.enum]:
        return "casts", (
            f"the type has casts of its own ({', '.join(casts[one.enum])}), so its values would "
            "not come through as they are, or what is cast be something else. Drop the casts"
        )
    plain = one.column.type.dialect_impl(run.context.dialect)
    if one.domain is None and isinstance(plain, ARRAY) != bool(one.dimensions):
        return "dimensions", (
            "the models have a single value where the database has an array, or the other way "
            "round. Change one of them first"
        )
    labels = {} if one.wanted is None else renamed_labels(one.wanted, settings, one.table, run)
    merged = [new for old, new in labels.items() if {old, new} <= set(run.catalog.enums[one.enum])]
    if merged:
        return "renames", (
            f"{', '.join(map(repr, merged))} is a label of its own already, and the downgrade "
            "could not tell its rows from those that are moved to it. Move them in a migration of "
            "your own"
        )
    length = getattr(plain.item_type if isinstance(plain, ARRAY) else plain, "length", None)
    longest = max(run.catalog.enums[one.enum], key=len, default="")
    if length is not None and len(longest) > length:
        return "too-short", (
            f"{longest!r} does not fit a VARCHAR({length}). Give the model a greater length"
        )
    return None


def _grouped(
    kept: list[Candidate], settings: EnumCheckSettings, run: Run
) -> list[list[model.Table]]:
    assert run.context.connection is not None
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    hanging = dependents(run.context.connection, [one.place for one in kept], templates)
    conversions = {}
    for one, hangs in zip(kept, hanging, strict=True):
        trouble = [f"{each.identity}: {each.trouble}" for each in hangs if each.trouble]
        if trouble:
            message = (
                f"what depends on it could not be made again as it is ({'; '.join(trouble)}). "
                "Exclude it, or drop that in a migration of your own before, and make it again "
                "behind"
            )
            refuse(run, "dependents", one, message)
        elif found := naming(hangs, _moved_labels(one, settings, run)):
            message = (
                f"{', '.join(found)} would go on looking for a label that has another name then. "
                "Have that allow both (by column::text IN (...)), or drop it before and make it "
                "again behind"
            )
            refuse(run, "renames", one, message)
        elif _has_check_of_that_name(one):
            message = (
                f"the domain has a constraint {one.wanted and one.wanted.check} already, and "
                "columns hold arrays of it, so that it can be given no other. Rename one of them"
            )
            refuse(run, "domain-check", one, message)
        else:
            conversions[one.place] = (one, _conversion(one, hangs, settings, run))
    groups = groups_of([conversion for _, conversion in conversions.values()])
    if settings.strategy == "rewrite":
        return groups
    plain = "text" if settings.storage == "text" else "character varying"
    groups = [shadow_indexes(run.context.connection, group, templates, plain) for group in groups]
    if settings.strategy == "auto":
        return groups
    possible = []
    for group in groups:
        obstacles = [f"{table.name} has {table.obstacle}" for table in group if table.obstacle]
        if not obstacles:
            possible.append(group)
            continue
        for table in group:
            for column in table.columns:
                message = (
                    f"it cannot be converted while writes go on: {'; '.join(obstacles)}. Take "
                    'strategy = "auto" or "rewrite", which write the table anew under a lock'
                )
                refuse(run, "not-online", conversions[table.oid, column.of.column][0], message)
    return possible


def _moved_labels(one: Candidate, settings: EnumCheckSettings, run: Run) -> list[str]:
    if one.wanted is None:
        return []
    labels = run.catalog.enums[one.enum]
    return [old for old in renamed_labels(one.wanted, settings, one.table, run) if old in labels]


def _has_check_of_that_name(one: Candidate) -> bool:
    return (
        one.domain is not None
        and one.domain.in_arrays
        and one.wanted is not None
        and one.wanted.check in dict(one.domain.checks)
    )


def _conversion(
    one: Candidate, hangs: tuple[Dependent, ...], settings: EnumCheckSettings, run: Run
) -> Conversion:
    wanted, table, column = one.wanted, one.table, one.column
    plain = column.type.dialect_impl(run.context.dialect)
    element = plain.item_type if isinstance(plain, ARRAY) else column.type
    renames = {} if wanted is None else renamed_labels(wanted, settings, table, run)
    labels = run.catalog.enums[one.enum]
    check = None
    if wanted is not None and wanted.check is not None:
        check = (wanted.check, wanted.condition)
    domain = None if one.domain is None else one.domain.becoming(column, check)
    if domain is not None:
        check = None
    return Conversion(
        relation=one.relation.oid,
        table=TableName.of(table),
        column=column.name,
        enum=one.enum,
        labels=labels,
        values=None if wanted is None else wanted.values,
        element=element.compile(dialect=DIALECT),
        check=None if check is None else check[0],
        condition=None if check is None else check[1],
        dimensions=one.dimensions,
        in_tree=one.in_tree,
        domain=domain,
        renames=tuple((old, new) for old, new in renames.items() if old in labels),
        dependents=hangs,
    )


def _read_types(used: set[Name], plan: Plan, run: Run) -> dict[Name, list[str]]:
    """Fills in what else the types have; gives the casts of each that a function makes."""
    assert run.context.connection is not None
    casts, notes = {}, run.catalog.array_comments
    for row in run.context.connection.execute(text(_TYPES)):
        schema, name, owner, comment, grants, sorts_same, made = row
        if (schema, name) in used:
            labels = run.catalog.enums[schema, name]
            plan.types[schema, name] = TypeFacts(
                labels,
                owner,
                comment,
                notes.get((schema, name), ""),
                _grants(grants),
                bool(sorts_same),
            )
            casts[schema, name] = list(made)
    return casts


def _show(plan: Plan, run: Run) -> None:
    """Has everything else compare with the columns as they will be, and says what changes."""
    used = {conversion.enum for conversion in plan.conversions}
    plan.types = {name: facts for name, facts in plan.types.items() if name in used}
    for conversion in plan.conversions:
        table = run.target.table(
            run.target.find(conversion.table.schema, conversion.table.name) or ""
        )
        if conversion.domain is not None:
            name = conversion.domain.name
            run.domain_types[str(name.schema), name.name] = conversion.domain.base
            if conversion.domain.check is None:
                # It is added to the domain as any other.
                run.settled -= {settled for settled in run.settled if settled[0] == str(name)}
        warn(conversion, table, run, sorts_same=plan.types[conversion.enum].sorts_same)
    path = run.catalog.schemas_on_path
    names = {}
    for enum in used:
        seen = next((schema for schema in path if (schema, enum[1]) in run.catalog.enums), None)
        names[enum] = seen == enum[0]
    run.retyped = lambda expression: retyped(expression, names)


def _grants(listed: list[Any] | None) -> tuple[tuple[str, bool], ...] | None:
    if listed is None:
        return None
    return tuple((role.removesuffix("*"), role.endswith("*")) for role in listed)
