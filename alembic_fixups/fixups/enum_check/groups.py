"""The columns whose enums are made at one place of the source, and so change together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from alembic_fixups.catalog import Name
from alembic_fixups.codemods.files import Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.fixups.enum_check.checks import bound_check, check_beside
from alembic_fixups.fixups.enum_check.inference import find_enum
from alembic_fixups.fixups.enum_check.rewrite import Cast, EnumColumn, Wanted
from alembic_fixups.fixups.enum_check.source import Origin, column_of, followed, origin_of
from alembic_fixups.stock.constraints import expression_sql
from alembic_fixups.target import TableKey


@dataclass
class Group:
    """Columns whose enum is made at one place.

    Attributes:
        is_native: whether the database has a type for it.
        origin: where it is made; None where that is not known and makes no difference.
        columns: those that are given it.
        followers: those that have it by way of a foreign key.
        outsiders: columns that have it too, and do not change.
        problem: why none of them can be changed.
    """

    is_native: bool
    origin: Origin | None = None
    columns: list[EnumColumn] = field(default_factory=list)
    followers: list[EnumColumn] = field(default_factory=list)
    outsiders: list[str] = field(default_factory=list)
    problem: Unclear | None = None

    @property
    def title(self) -> str:
        """What becomes of which columns."""
        columns = [*self.columns, *self.followers]
        names = ", ".join(f"{one.table}.{one.column}" for one in columns)
        return f"{names} as {columns[0].storage} with a CHECK"


@dataclass(frozen=True)
class Component:
    """What changes together or not at all.

    Attributes:
        groups: the columns.
        casts: the expressions that name their types.
    """

    groups: tuple[Group, ...]
    casts: tuple[Cast, ...] = ()


def components(models: Models, wanted: Wanted) -> Iterator[Component]:
    """Everything there is to do: columns together that a cast to their types binds."""
    groups = _groups(models, [one for one in wanted.columns if not _is_done(models, one)])
    named: dict[Name, int] = {}
    parts: list[tuple[list[Group], list[Cast]]] = []
    for cast in wanted.casts:
        # All types that a cast names are of one component, with those of others that name them.
        met = sorted({named[one] for one in cast.types if one in named})
        if not met:
            parts.append(([], []))
            met = [len(parts) - 1]
        for other in met[1:]:
            parts[met[0]][1].extend(parts[other][1])
            parts[other][1].clear()
        parts[met[0]][1].append(cast)
        for name, place in list(named.items()):
            if place in met:
                named[name] = met[0]
        named.update(dict.fromkeys(cast.types, met[0]))
    for group in groups:
        places = sorted(
            {
                named[one.type]
                for one in [*group.columns, *group.followers]
                if one.type is not None and one.type in named
            }
        )
        if not places:
            yield Component((group,))
        else:
            parts[places[0]][0].append(group)
    for members, casts in parts:
        if members:
            yield Component(tuple(members), tuple(casts))


def _is_done(models: Models, column: EnumColumn) -> bool:
    """Whether the models have the CHECK already, and what is to be checked is no native enum."""
    original = column_of(models, column.table, column.column)
    found = find_enum(original.type)
    if found is None:
        return True
    if found.native or found.domain is not None:
        return False
    if not found.dimensions and bound_check(original.table, original.key) is not None:
        return True
    known = check_beside(original, found)
    return known is not None and expression_sql(known.sqltext) == column.condition


def _groups(models: Models, columns: list[EnumColumn]) -> list[Group]:
    found: dict[object, Group] = {}
    for column in columns:
        place = (column.table, column.column)
        enum = find_enum(column_of(models, *place).type)
        assert enum is not None
        try:
            parent = _owner(models, *place)
            origin = origin_of(models, *parent)
        except Unclear as error:
            if enum.native or enum.domain is not None:
                found[place] = Group(True, columns=[column], problem=error)
            else:
                found[place] = Group(False, columns=[column])
            continue
        if parent != place and not enum.native:
            found[place] = Group(False, followers=[column])
            continue
        group = found.setdefault(origin.key, Group(enum.native, origin))
        (group.columns if parent == place else group.followers).append(column)
    if found:
        _look_for_outsiders(models, found)
    return list(found.values())


def _owner(models: Models, key: TableKey, name: str) -> tuple[TableKey, str]:
    """The column that a column has its type from, itself where it is given one."""
    seen = {(key, name)}
    place = (key, name)
    while (parent := followed(models, *place)) is not None and parent not in seen:
        seen.add(parent)
        place = parent
    return place


def _look_for_outsiders(models: Models, groups: dict[object, Group]) -> None:
    """Finds the columns beside a group that have its enum too."""
    members = {
        (one.table, one.column): group
        for group in groups.values()
        for one in [*group.columns, *group.followers]
    }
    objects: dict[int, Group] = {}
    for place, group in members.items():
        enum = find_enum(column_of(models, *place).type)
        assert enum is not None
        if group.problem is None:
            objects[id(enum.enum)] = group
    for key in models.target.tables:
        for column in models.original(key).c:
            enum = find_enum(column.type)
            if enum is None:
                continue
            place = (key, column.name)
            beside = [objects.get(id(enum.enum))]
            if place not in members:
                with suppress(Unclear):
                    beside.append(groups.get(origin_of(models, *_owner(models, *place)).key))
            for one in beside:
                if one is not None and members.get(place) is not one:
                    _add_outsider(one, f"{key}.{column.name}")


def _add_outsider(group: Group, name: str) -> None:
    if name in group.outsiders:
        return
    group.outsiders.append(name)
    if group.is_native and group.origin is not None:
        group.problem = group.origin.statement.unclear(
            f"{', '.join(group.outsiders)} has the same enum, and stays as it is; give it one of "
            "its own"
        )
