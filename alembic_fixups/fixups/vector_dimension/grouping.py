"""The columns whose types change, by tables, with what hangs on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from sqlalchemy import Computed, text

from alembic_fixups.fixups.vector_dimension.candidates import Candidate
from alembic_fixups.fixups.vector_dimension.conversion import Conversion, KeyColumn, Remade
from alembic_fixups.fixups.vector_dimension.findings import refuse, tell
from alembic_fixups.fixups.vector_dimension.settings import (
    ColumnSettings,
    VectorDimensionSettings,
    column_settings,
)
from alembic_fixups.fixups.vector_dimension.values import Change
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping import model
from alembic_fixups.retyping.casts import sql_of
from alembic_fixups.retyping.dependents import (
    Dependent,
    connected,
    dependents,
    shadow_indexes,
)
from alembic_fixups.run import Run

_BLOCKING = {"foreign key", "exclusion", "key", "generated column", "materialized view"}
"""What cannot be brought along while writes go on."""

_VECTOR_INDEX = (" USING hnsw ", " USING ivfflat ")


def conversions_of(tables: Iterable[model.Table]) -> list[Conversion]:
    """The columns of these tables whose types change."""
    return [cast(Conversion, column.of) for table in tables for column in table.columns]


def grouped(
    kept: list[tuple[Candidate, Change]],
    computed: dict[tuple[int, str], Candidate],
    settings: VectorDimensionSettings,
    run: Run,
) -> list[list[model.Table]]:
    """The tables whose columns change, those together that have a dependent in common.

    Takes the columns with their changes, and the generated columns that are of another type in the
    models, by OID of the table and name.
    """
    assert run.context.connection is not None
    connection = run.context.connection
    general = run.settings.general
    templates = Templates(general.lock_timeout, general.templates)
    hanging = dependents(connection, [one.place for one, _ in kept], templates)
    beside: dict[TableName, Conversion] = {}
    by_table: dict[int, list[Conversion]] = {}
    found_at = {one.place: one for one, _ in kept}
    for (one, change), found in zip(kept, hanging, strict=True):
        hangs = tuple(each for each in found if not _is_vector_index(each))
        trouble = [f"{each.identity}: {each.trouble}" for each in hangs if each.trouble]
        if trouble:
            message = (
                f"what depends on it could not be made again as it is ({'; '.join(trouble)}). "
                "Drop that in a migration of your own before, and make it again behind"
            )
            refuse(run, "dependents", one, message)
            continue
        conversion = conversion_of(one, change, hangs, run)
        conversion = replace(
            conversion,
            remade=tuple(_remade(one, hangs, computed)),
            embedder=chosen_for(one, settings, run).embedder if conversion.is_reembedded else None,
            discarded=_count(conversion, run) if conversion.data == "clear" else None,
        )
        names = (conversion.archive, conversion.archive_of_new, conversion.job)
        taken = next((beside[name] for name in names if name in beside), None)
        if taken is not None:
            message = (
                f"the tables that keep its vectors would be named as those of {taken}. Change one "
                "of the two now, and the other one once that is done"
            )
            refuse(run, "name-taken", one, message)
            continue
        beside |= dict.fromkeys(names, conversion)
        by_table.setdefault(one.relation.oid, []).append(conversion)
    groups = [
        [_table(oid, by_table[oid]) for oid in group]
        for group in connected(
            (oid, [str(each) for one in columns for each in one.dependents])
            for oid, columns in by_table.items()
        )
    ]
    if settings.strategy != "rewrite":
        groups = [shadow_indexes(connection, group, templates, "text") for group in groups]
    if settings.strategy == "online":
        groups = [group for group in groups if _goes_online(group, found_at, run)]
    for group in groups:
        for conversion in conversions_of(group):
            one = found_at[conversion.relation, conversion.column]
            source = chosen_for(one, settings, run).source
            tell(run, conversion, one, _has_vectors(conversion, run), source)
    return groups


def _goes_online(
    group: list[model.Table], found_at: dict[tuple[int, str], Candidate], run: Run
) -> bool:
    """Whether tables can be changed while writes go on; findings say why not."""
    obstacles = [f"{table.name} has {table.obstacle}" for table in group if table.obstacle]
    for conversion in conversions_of(group) if obstacles else ():
        message = (
            f"it cannot be changed while writes go on: {'; '.join(obstacles)}. Take "
            'strategy = "auto" or "rewrite", which write the table anew under a lock'
        )
        refuse(run, "not-online", found_at[conversion.relation, conversion.column], message)
    return not obstacles


def _is_vector_index(one: Dependent) -> bool:
    return one.kind == "index" and any(word in (one.definition or "") for word in _VECTOR_INDEX)


def _table(oid: int, columns: list[Conversion]) -> model.Table:
    blocking = [str(each) for one in columns for each in one.dependents if each.kind in _BLOCKING]
    obstacle = ", ".join(dict.fromkeys(blocking))
    if columns[0].in_tree:
        obstacle = "partitions"
    return model.Table(
        oid,
        columns[0].table,
        tuple(model.Swapped(one) for one in columns),
        (),
        obstacle=obstacle,
    )


def conversion_of(
    one: Candidate, change: Change, hangs: tuple[Dependent, ...], run: Run
) -> Conversion:
    """What becomes of a column; takes what depends on it."""
    key = tuple(
        KeyColumn(name, one.relation.columns[name].operators) for name in one.relation.primary_key
    )
    said = f"{run.heads} {one.table.key} {one.column.name} {change.old} {change.new}"
    return Conversion(
        digest=hashlib.sha256(said.encode()).hexdigest()[:6],
        relation=one.relation.oid,
        table=TableName.of(one.table),
        column=one.column.name,
        change=change,
        key=key,
        not_null=one.known.not_null,
        nullable=bool(one.column.nullable),
        in_tree=one.known.in_tree,
        dependents=hangs,
    )


def chosen_for(one: Candidate, settings: VectorDimensionSettings, run: Run) -> ColumnSettings:
    """The settings of a column."""
    home = run.target.home or run.target.default_schema
    return column_settings(settings, one.table.schema, one.table.name, one.column.name, home)[1]


def _remade(
    one: Candidate, hangs: tuple[Dependent, ...], computed: dict[tuple[int, str], Candidate]
) -> Iterator[Remade]:
    """The generated columns over a vector that the models have of another type now."""
    for each in hangs:
        for (oid, name), other in computed.items():
            if (
                each.kind == "generated column"
                and oid == one.relation.oid
                and each.identity.endswith(f".{model.behind_new(name)}")
            ):
                default = cast(Computed, other.column.server_default)
                persisted = "VIRTUAL" if default.persisted is False else "STORED"
                after = (
                    f"ALTER TABLE {TableName.of(other.table).sql} ADD COLUMN "
                    f"{quoting.identifier(name)} {other.new.sql} "
                    f"GENERATED ALWAYS AS ({sql_of(default.sqltext)}) {persisted}"
                )
                if not other.column.nullable:
                    after += " NOT NULL"
                yield Remade(name, each.definition or "", after)


def _count(conversion: Conversion, run: Run) -> int | None:
    """How many vectors are discarded now, None where none can be."""
    assert run.context.connection is not None
    condition = conversion.emptied
    if condition is None:
        return None
    query = f"SELECT count(*) FROM {conversion.table.sql} AS fixup_row WHERE {condition}"
    return int(run.context.connection.execute(text(_bound(query))).scalar_one())


def _has_vectors(conversion: Conversion, run: Run) -> bool:
    assert run.context.connection is not None
    column = quoting.identifier(conversion.column)
    query = f"SELECT EXISTS (SELECT FROM {conversion.table.sql} WHERE {column} IS NOT NULL)"
    return bool(run.context.connection.execute(text(_bound(query))).scalar())


def _bound(query: str) -> str:
    return query.replace(":", r"\:")
