"""Which composite keys the models ought to have, and which of them are possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Column, ForeignKeyConstraint, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError

from alembic_fixups.fixups.tenant_keys.hierarchy import Level, tenant_depth
from alembic_fixups.fixups.tenant_keys.settings import NAME
from alembic_fixups.report import Finding, Severity
from alembic_fixups.target import Target, columns_by_name, references

SET_COLUMNS_VERSION = 15
"""First major version with ``ON DELETE SET NULL (column)`` (release notes of PostgreSQL 15)."""


@dataclass(frozen=True)
class Wish:
    """A composite key before it is known what of it the models declare already.

    Attributes:
        child, parent: keys of the tables.
        pairs: which column refers to which, the tenant's first.
        own: the columns that say which row of the tenant is meant.
        single: the foreign keys of the models that it takes the place of.
        widened: whether it goes to another table than that of a level.
    """

    child: str
    parent: str
    pairs: tuple[tuple[str, str], ...]
    own: tuple[str, ...]
    single: tuple[ForeignKeyConstraint, ...] = field(compare=False)
    widened: bool = False


def wishes_of(target: Target, levels: Sequence[Level], everything: bool) -> Iterator[Wish]:
    depths = {key: tenant_depth(table, levels) for key, table in target.tables.items()}
    for key, table in target.tables.items():
        _report_gaps(target, table, levels, depths[key])
        placed: set[ForeignKeyConstraint] = set()
        own_references = list(references(table))
        for depth in range(1, depths[key]):
            level = levels[depth]
            above = [upper.column for upper in levels[:depth]]
            pairs = (*((name, name) for name in above), (level.column, level.id))
            on_column = [
                (constraint, referred)
                for constraint, referred in own_references
                if [element.parent.name for element in constraint.elements] == [level.column]
            ]
            wrong = [
                referred.key
                for constraint, referred in own_references
                if _is_elsewhere(constraint, referred, level, above)
            ]
            if wrong:
                report(
                    target,
                    "other-target",
                    table,
                    f"{level.column} refers to {', '.join(wrong)}, not to {level.table}."
                    f"{level.id}; it gets no tenant key",
                )
                continue
            single = tuple(constraint for constraint, _ in on_column)
            placed.update(single)
            yield Wish(key, level.table, pairs, (level.column,), single)
        if everything:
            for constraint, referred in own_references:
                wish = _widened(target, levels, depths, table, constraint, referred)
                if constraint not in placed and wish is not None:
                    yield wish


def _is_elsewhere(
    constraint: ForeignKeyConstraint, referred: Table, level: Level, above: Sequence[str]
) -> bool:
    """Whether a foreign key on a level's column leads to something else, with the tenant or not."""
    own = [element for element in constraint.elements if element.parent.name not in above]
    if [element.parent.name for element in own] != [level.column]:
        return False
    return referred.key != level.table or own[0].column.name != level.id


def _widened(
    target: Target,
    levels: Sequence[Level],
    depths: dict[str, int],
    table: Table,
    constraint: ForeignKeyConstraint,
    referred: Table,
) -> Wish | None:
    """A foreign key between two tables of a tenant, with the tenant's columns.

    The referring table may belong to a lower level than the other; then the columns of the level
    they share are carried.
    """
    tenant = [level.column for level in levels[: depths[referred.key]]]
    if not tenant or depths[table.key] < len(tenant):
        return None
    pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
    if all((column, column) in pairs for column in tenant):
        own = [column for column, other in pairs if column not in tenant]
        if [level for level in levels if level.table == referred.key and own == [level.column]]:
            return None  # a declared key to a level, seen to above
        single: tuple[ForeignKeyConstraint, ...] = tuple(
            other
            for other, parent in references(table)
            if parent is referred
            and {element.parent.name for element in other.elements} == set(own)
        )
    else:
        own = [column for column, _ in pairs if column not in tenant]
        single = (constraint,)
        if any(one != other and {one, other} & set(tenant) for one, other in pairs):
            report(
                target,
                "tenant-column-elsewhere",
                table,
                f"the foreign key on ({', '.join(own)}) to {referred.key} uses a tenant column for "
                "something else than the tenant; it is left as it is",
            )
            return None
    remote = dict(pairs)
    return Wish(
        table.key,
        referred.key,
        (*((name, name) for name in tenant), *((name, remote[name]) for name in own)),
        tuple(own),
        single,
        widened=True,
    )


def is_possible(target: Target, wish: Wish, major_version: int) -> bool:
    table, parent = target.table(wish.child), target.table(wish.parent)
    named, parent_named = columns_by_name(table), columns_by_name(parent)
    for column, other in wish.pairs:
        if not wish.single and not _comparable(named[column], parent_named[other]):
            report(
                target,
                "other-type",
                table,
                f"{column} is {named[column].type!r} and {wish.parent}.{other} is "
                f"{parent_named[other].type!r}; a foreign key needs types that can be compared",
                "refused",
            )
            return False
    if declared_key(table, wish) is not None:
        return True
    shared = [
        other for column, other in wish.pairs if column == other and parent_named[other].nullable
    ]
    if shared and wish.widened:
        report(
            target,
            "shared-parent",
            table,
            f"{wish.parent}.{', '.join(shared)} may be NULL, for rows that are shared by all "
            f"tenants; the foreign key on ({', '.join(wish.own)}) is left as it is, since one with "
            "the tenant would refuse them",
        )
        return False
    options = next(iter(wish.single), None)
    if options is None:
        return True
    if (options.onupdate or "").upper().startswith("SET"):
        report(
            target,
            "on-update-set",
            table,
            f"the foreign key on ({', '.join(wish.own)}) says ON UPDATE {options.onupdate}, which "
            "PostgreSQL cannot limit to a column: with the tenant in the key it would clear the "
            "tenant too. Take it out of the model first",
            "refused",
        )
        return False
    if (options.ondelete or "").upper().startswith("SET") and major_version < SET_COLUMNS_VERSION:
        report(
            target,
            "set-null-needs-15",
            table,
            f"the foreign key on ({', '.join(wish.own)}) says ON DELETE {options.ondelete}; to "
            f"keep it from clearing the tenant needs PostgreSQL {SET_COLUMNS_VERSION}, the server "
            f"is {major_version}",
            "refused",
        )
        return False
    return True


def declared_key(table: Table, wish: Wish) -> ForeignKeyConstraint | None:
    """The composite key where the models have it themselves, in whatever order of columns."""
    for constraint, referred in references(table):
        if referred.key == wish.parent and pairs_of(constraint) == set(wish.pairs):
            return constraint
    return None


def pairs_of(constraint: ForeignKeyConstraint) -> frozenset[tuple[str, str]]:
    return frozenset((element.parent.name, element.column.name) for element in constraint.elements)


def replaced_by(wish: Wish) -> tuple[frozenset[tuple[str, str]], ...]:
    """The foreign key on the own columns, in the models or only in the database, and the like."""
    own = frozenset(pair for pair in wish.pairs if pair[0] in wish.own)
    return tuple(dict.fromkeys([own, *map(pairs_of, wish.single)]))


def _comparable(column: Column[object], other: Column[object]) -> bool:
    """Whether PostgreSQL has an equality operator for both types, as far as the models tell."""
    families = [_family(column), _family(other)]
    return "" in families or families[0] == families[1]


def _family(column: Column[object]) -> str:
    try:
        name = column.type.compile(postgresql.dialect()).split("(")[0]  # type: ignore[no-untyped-call]
    except CompileError:
        return ""  # a type that only the other end of a foreign key knows
    if name in ("SMALLINT", "INTEGER", "BIGINT", "NUMERIC"):
        return "number"
    return "text" if name in ("VARCHAR", "CHAR", "TEXT") else name


def _report_gaps(target: Target, table: Table, levels: Sequence[Level], depth: int) -> None:
    own = next((place for place, level in enumerate(levels) if level.table == table.key), None)
    columns = columns_by_name(table)
    has = [place for place, level in enumerate(levels) if level.column in columns and place != own]
    below = [place for place in has if place > depth]
    if own is not None or not below:
        return
    missing = [levels[place].column for place in range(max(below)) if place not in has]
    report(
        target,
        "missing-tenant-column",
        table,
        f"has {', '.join(levels[place].column for place in below)} but no {', '.join(missing)}; "
        "without it no foreign key can check to which tenant its rows belong. Add the column "
        f"(and fill it from {levels[max(below)].table})",
    )


def report(
    target: Target, code: str, table: Table, message: str, severity: Severity = "warning"
) -> None:
    target.findings.append(Finding(NAME, code, table.key, message, severity))
