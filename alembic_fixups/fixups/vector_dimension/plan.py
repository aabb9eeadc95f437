"""Which columns of vectors get another type, and which cannot."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import text

from alembic_fixups.catalog import Move
from alembic_fixups.fixups.vector_dimension.candidates import (
    Candidate,
    candidates,
    extension,
    types_now,
)
from alembic_fixups.fixups.vector_dimension.conversion import Conversion
from alembic_fixups.fixups.vector_dimension.dimensions import rewrite_dimensions
from alembic_fixups.fixups.vector_dimension.findings import refuse
from alembic_fixups.fixups.vector_dimension.grouping import (
    chosen_for,
    conversion_of,
    conversions_of,
    grouped,
)
from alembic_fixups.fixups.vector_dimension.index_rewrite import rewrite_indexes
from alembic_fixups.fixups.vector_dimension.leftovers import tell_of_leftovers
from alembic_fixups.fixups.vector_dimension.settings import (
    NAME,
    VectorDimensionSettings,
)
from alembic_fixups.fixups.vector_dimension.side_tables import (
    SIDE_TABLES,
    TEXT_DIGEST,
    VECTOR_DIGEST,
    Job,
    parsed,
)
from alembic_fixups.fixups.vector_dimension.types import of_model
from alembic_fixups.fixups.vector_dimension.values import Change
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.retyping import model
from alembic_fixups.run import Run
from alembic_fixups.settings import SettingsError
from alembic_fixups.target import Target
from alembic_fixups.view import is_filtered_out

_WITH_SUBVECTOR = (0, 7)
"""pgvector CHANGELOG, 0.7.0."""

_DENSE = 16_000
"""Dimensions of a vector that is not sparse (pgvector README, "Vector Type")."""


@dataclass
class Plan:
    """What the fixup does to one database.

    Attributes:
        groups: the tables whose columns change, those together that have a dependent in common.
        types: SQL of the types that columns will have, by OID of the table and name: those that
            change, and the generated ones that change with them.
        jobs: the columns that wait for vectors since an earlier migration.
        held: OID of the table and name of the columns that stay of another type than the models'.
    """

    groups: list[list[model.Table]] = field(default_factory=list)
    types: dict[tuple[int, str], str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    held: set[tuple[int, str]] = field(default_factory=set)

    @property
    def conversions(self) -> list[Conversion]:
        """The columns whose types change."""
        return [one for group in self.groups for one in conversions_of(group)]


def rewrite(target: Target, settings: VectorDimensionSettings, major_version: int) -> Plan:
    """Changes dimensions and indexes of the desired schema.

    What the database needs is found by `locate`.

    Raises:
        SettingsError: the settings name a column that the models do not have or that holds no
            vectors, dimensions that it cannot have, or what is of no use with its data.
    """
    if settings.columns:
        _refuse_useless(target, settings)
        rewrite_dimensions(target, settings)
    rewrite_indexes(target, None)
    return Plan()


def _refuse_useless(target: Target, settings: VectorDimensionSettings) -> None:
    """Stops at settings that would come to nothing."""
    default = f"{target.home or target.default_schema}."
    columns = {
        f"{table.schema or target.default_schema}.{table.name}.{column.name}": column
        for table in target.tables.values()
        for column in table.c
    }
    columns |= {name.removeprefix(default): column for name, column in columns.items()}
    named: dict[int, str] = {}
    for name, given in settings.columns.items():
        problem = None
        if name not in columns:
            near = difflib.get_close_matches(name, sorted(columns), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; write 'schema.table.column'"
            problem = f"the models have no such column{hint}"
        elif of_model(columns[name].type) is None:
            problem = (
                "the column holds no vectors in the models. Give it a type of pgvector's first, as "
                f"in Vector({given.dimensions or 1024})"
            )
        elif (given.data or settings.data) != "reembed" and (given.source or given.embedder):
            problem = 'source and embedder are for data = "reembed": say so, or take them out'
        elif (other := named.setdefault(id(columns[name]), name)) != name:
            problem = f"this is the column {other} again. Say all of it in one table"
        if problem is not None:
            raise SettingsError(f'{NAME}.columns."{name}": {problem}', keys=(NAME, "columns", name))


def locate(plan: Plan, settings: VectorDimensionSettings, run: Run) -> Iterable[Move]:
    """Finds the columns whose type changes and has Alembic see them as they will be.

    Nothing moves: gives no moves.
    """
    assert run.context.connection is not None
    pgvector = extension(run)
    schema = None if pgvector is None else pgvector.schema
    jobs, _ = parsed(
        cast(tuple[str, str, str], tuple(row))
        for row in run.context.connection.execute(text(SIDE_TABLES))
    )
    types = types_now(schema, run) if jobs else {}
    plan.jobs = [job for job in jobs if types.get((job.table, job.column)) == job.type]
    begun = [job for job in jobs if job not in plan.jobs]
    found = list(candidates(schema, settings, run))
    for one in found:
        # Also of those that stay as they are: Alembic could not change them.
        run.column_types[one.place] = one.column.type
    kept = []
    for one in found:
        if one.known.inherited or is_filtered_out(one.table, one.column, run):
            continue
        chosen = chosen_for(one, settings, run)
        assert chosen.data is not None
        change = Change(one.known.type, one.new, chosen.data, schema)
        problem = _problem(one, change, plan.jobs, run)
        is_made = change.made("v") is not None
        if problem is None and is_made and pgvector and pgvector.version < _WITH_SUBVECTOR:
            problem = (
                "version",
                f"data = {change.data!r} needs pgvector 0.7, which has subvector() and "
                "l2_normalize(). ALTER EXTENSION vector UPDATE first",
            )
        if problem is None:
            kept.append((one, change))
        elif problem[0] != "generated" or not one.is_computed:
            refuse(run, problem[0], one, problem[1])
    computed = {one.place: one for one in found if one.known.generated and one.is_computed}
    if kept or computed:
        plan.groups = grouped(kept, computed, settings, run)
    for conversion in plan.conversions:
        place = conversion.relation, conversion.column
        plan.types[place] = conversion.storage
        if conversion.may_empty or _is_made(conversion.change):
            run.revalued.add(place)
    remade = {
        (conversion.relation, one.column)
        for conversion in plan.conversions
        for one in conversion.remade
    }
    for place, one in computed.items():
        if place in remade:
            plan.types[place] = one.new.sql
        else:
            message = (
                "it is generated from something else than a vector that changes. Drop and add it "
                "in a migration of your own"
            )
            refuse(run, "generated", one, message)
    plan.held = {one.place for one in found} - plan.types.keys()
    changed = {one.relation for one in plan.conversions}
    anew = {(_place(run, one.relation), one.column) for one in plan.conversions if one.embedder}
    left = [job for job in begun if (job.table, job.column) not in anew]
    tell_of_leftovers(run, left, changed)
    return []


def _place(run: Run, oid: int) -> TableName:
    relation = run.catalog.relations[oid]
    return TableName(relation.schema, relation.name)


def _problem(one: Candidate, change: Change, jobs: list[Job], run: Run) -> tuple[str, str] | None:
    """Code and message of what keeps a column from being changed."""
    if run.moves:
        return "moves", (
            "the revision moves tables to another schema, all or nothing; the change comes with "
            "the next autogenerate, once they are there"
        )
    place = TableName(one.relation.schema, one.relation.name), one.column.name
    if place in {(job.table, job.column) for job in jobs}:
        return "pending", (
            "it waits for the vectors of an earlier change still. Let `alembic-fixups reembed` "
            "come to its end, or take that revision back, first"
        )
    if one.known.generated or one.is_computed:
        return "generated", (
            "it is generated in the database or in the models, and not in both. Drop and add it "
            "in a migration of your own"
        )
    if one.known.is_inherited_from:
        return "inherited", (
            "other tables inherit it, and a primary key does not tell their rows apart. Change it "
            "in a migration of your own"
        )
    if change.data == "truncate" and change.never_fits and not _is_made(change):
        return "truncate", (
            f"there is nothing to cut from {change.old} to {change.new}. Take another data, such "
            'as "reembed" or "archive"'
        )
    if change.data == "pad" and change.never_fits and not _is_made(change):
        return "pad", (
            f"zeros do not make {change.new} of {change.old}. Take another data, such as "
            '"reembed" or "archive"'
        )
    sizes = change.old.dimensions or 0, change.new.dimensions or 0
    if _is_made(change) and change.new.kind != "bit" and max(sizes) > _DENSE:
        return change.data, (
            f"vectors of at most {_DENSE} dimensions can be cut or padded. Take another data, such "
            'as "reembed" or "archive"'
        )
    conversion = conversion_of(one, change, (), run)
    if one.column.name in one.relation.primary_key:
        return "primary-key", (
            "it is part of the primary key, which says which row a vector belongs to. Take it out "
            "of the key first"
        )
    if not conversion.key and (conversion.has_archive or conversion.is_reembedded):
        what = "new vectors" if conversion.is_reembedded else "old vectors"
        return "no-primary-key", (
            f"the table has no primary key, so nothing tells which row {what} belong to. Add one, "
            'or say data = "clear" for this column if its vectors may go'
        )
    taken = {TEXT_DIGEST, VECTOR_DIGEST}.intersection(one.relation.primary_key)
    if conversion.is_reembedded and taken:
        return "name-taken", (
            f"the primary key has a column {min(taken)}, which the table of the job that `reembed` "
            "works off needs for itself. Rename that column first, or take another data"
        )
    return None


def _is_made(change: Change) -> bool:
    return change.made("v") is not None
