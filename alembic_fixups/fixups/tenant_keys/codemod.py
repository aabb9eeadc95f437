"""The source of the models with the composite keys, without those that they take the place of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, UniqueConstraint
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.schema import Constraint, conv
from sqlalchemy.sql.naming import _get_convention

from alembic_fixups.codemods import calls, table_args
from alembic_fixups.codemods.files import File, Unclear
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.places import TablePlace
from alembic_fixups.codemods.proof import configured
from alembic_fixups.codemods.tool import FixupCommand
from alembic_fixups.fixups.tenant_keys.relationships import (
    BareByTables,
    bare_relationships,
    keep_joins,
)
from alembic_fixups.fixups.tenant_keys.replaced import take_out
from alembic_fixups.fixups.tenant_keys.rewrite import CompositeKey
from alembic_fixups.fixups.tenant_keys.settings import NAME, TenantKeysSettings
from alembic_fixups.fixups.tenant_keys.wishes import pairs_of
from alembic_fixups.target import TableKey

_ORIGIN = "Original exception was: "
"""What stands before the cause in SQLAlchemy's error."""


class TenantKeysCommand(FixupCommand):
    """The codemod for ``python -m libcst.tool codemod``."""

    DESCRIPTION = "Write foreign keys that carry the tenant in the place of those on one column."
    FIXUP = NAME


@dataclass(frozen=True)
class Need:
    """What of a composite key the models do not say yet.

    Attributes:
        key: the key.
        foreign_key: the constraint that the child gets, None where it has it.
        doomed: the foreign keys of the models that it takes the place of.
        unique: the constraint that the parent gets, None where it has one.
        index: the index that the child gets, None where another serves.
    """

    key: CompositeKey
    foreign_key: ForeignKeyConstraint | None
    doomed: tuple[ForeignKeyConstraint, ...]
    unique: UniqueConstraint | None
    index: Index | None

    @property
    def own_column(self) -> Column[object] | None:
        """The column whose foreign key goes, None where none goes or it is on several."""
        if not self.doomed or len(self.key.own_columns) != 1:
            return None
        return self.doomed[0].elements[0].parent


def codemod(models: Models, wanted: Sequence[CompositeKey], settings: TenantKeysSettings) -> None:
    """Writes each composite key with what it needs, and takes out what it replaces.

    A key, its index, the unique key of its parent and the relationships between the two change
    together or not at all; so do the keys of all tables that have their column from one mixin.
    """
    needs = _needs(models, wanted)
    if not needs:
        return
    _, problem = configured()
    every = (mapper for mappers in models.mappers.values() for mapper in mappers)
    bare = {} if problem else bare_relationships(every)
    uniques: set[Constraint] = set()
    for group in _groups(models, needs):
        written = set(uniques)
        count = len(models.changes)
        with models.change(NAME, _title(group)):
            for need in group:
                _require_known(models, need, problem)
            take_out(models, [(need.key.child, one) for need in group for one in need.doomed])
            for need in group:
                _put(models, need, written)
                _keep_joins(models, need, bare)
        if len(models.changes) > count:
            uniques = written


# What there is to do


def _needs(models: Models, wanted: Sequence[CompositeKey]) -> list[Need]:
    same: dict[tuple[object, ...], list[CompositeKey]] = defaultdict(list)
    for key in wanted:
        same[key.child, key.parent, key.pairs].append(key)
    found: list[Need] = []
    for keys in same.values():
        try:
            found.append(_need(models, keys))
        except NoReferenceError as error:
            with models.change(NAME, _shown([keys[0].child], keys[0])):
                raise _at(
                    models.table(keys[0].child),
                    "a foreign key of the models leads nowhere as they are now; run this again "
                    f"once that is put right, as schema-prefix does it: {error}",
                ) from error
    return [
        one
        for one in found
        if one.foreign_key is not None
        or one.doomed
        or one.unique is not None
        or one.index is not None
    ]


def _need(models: Models, keys: Sequence[CompositeKey]) -> Need:
    """Takes a key as often as it is wanted; the rewrite adds the index for one of these."""
    key = keys[0]
    child, parent = models.original(key.child), models.original(key.parent)
    present = {
        one: pairs_of(one)
        for one in sorted(child.foreign_key_constraints, key=lambda one: str(one.column_keys))
        if one.elements[0].column.table is parent
    }
    index = next((one.index for one in keys if one.index.added), None)
    return Need(
        key=key,
        foreign_key=None if key.pairs in present.values() else _foreign_key(models, key),
        doomed=tuple(one for one, pairs in present.items() if pairs in key.replaced),
        unique=_unique(models, key),
        index=next(
            (
                one
                for one in models.target.table(key.child).indexes
                if index is not None and one.name == index.name
            ),
            None,
        ),
    )


def _foreign_key(models: Models, key: CompositeKey) -> ForeignKeyConstraint:
    return next(
        one
        for one in models.target.table(key.child).foreign_key_constraints
        if one.elements[0].column.table.key == key.parent and pairs_of(one) == key.pairs
    )


def _unique(models: Models, key: CompositeKey) -> UniqueConstraint | None:
    if key.unique.name is None or not key.unique.constraint:
        return None
    for one in _uniques(models.original(key.parent)):
        if not one.deferrable and {column.name for column in one.columns} == set(
            key.unique.columns
        ):
            return None
    return next(
        one for one in _uniques(models.target.table(key.parent)) if one.name == key.unique.name
    )


def _uniques(table: Table) -> Iterator[UniqueConstraint]:
    for one in table.constraints:
        if isinstance(one, UniqueConstraint):
            yield one


def _groups(models: Models, needs: Sequence[Need]) -> list[list[Need]]:
    """The needs that one statement answers together: the column of a mixin."""
    found: dict[object, list[Need]] = defaultdict(list)
    for need in needs:
        found[_statement(models, need)].append(need)
    return list(found.values())


def _statement(models: Models, need: Need) -> object:
    if need.own_column is not None:
        try:
            place = models.column(need.key.child, need.own_column.name)
        except Unclear:
            return need
        if place.block is not None:
            return place.statement
    return need


def _title(group: Sequence[Need]) -> str:
    return _shown(dict.fromkeys(need.key.child for need in group), group[0].key)


def _shown(children: Iterable[str], key: CompositeKey) -> str:
    return f"{', '.join(children)} ({', '.join(key.columns)}) to {key.parent}"


# What cannot be done


def _require_known(models: Models, need: Need, problem: str) -> None:
    """
    Raises:
        Unclear: the models behave by the foreign keys in a way that is not known or that changes.
    """
    key = need.key
    if need.foreign_key is None and not need.doomed:
        return
    if problem and (models.mappers_of(key.child) or models.mappers_of(key.parent)):
        raise _at(
            models.table(key.child),
            "the mappers cannot be configured, so it is not known how the relationships join; put "
            f"that right first: {problem.partition(_ORIGIN)[2] or problem}",
        )
    parent = models.original(key.parent)
    for mapper in models.mappers_of(key.child):
        base = mapper.inherits
        if base is None or mapper.single or mapper.concrete or base.local_table is not parent:
            continue
        if "inherit_condition" not in (getattr(mapper.class_, "__mapper_args__", None) or {}):
            raise _at(
                models.table(key.child),
                f"{mapper.class_.__name__} is joined to {base.class_.__name__} by the foreign keys "
                "between their tables; give its __mapper_args__ the inherit_condition first",
            )


def _at(place: TablePlace, reason: str) -> Unclear:
    return Unclear(reason, place.file, place.line)


# What is written


def _put(models: Models, need: Need, written: set[Constraint]) -> None:
    """Writes what the child and the parent get; *written* are the unique keys that are there."""
    child = models.table(need.key.child)
    elements: list[str] = []
    if need.foreign_key is not None:
        elements.append(_foreign_key_code(models, need.key, need.foreign_key, child))
    if need.index is not None:
        index = name_for(child.file, Index, "sqlalchemy", "Index")
        columns = [column.key for column in need.index.columns]
        arguments = [_name(need.index, child.file), *map(calls.literal, columns)]
        elements.append(f"{index}({', '.join(arguments)})")
    if elements:
        child.extend(elements)
    if need.unique is not None and need.unique not in written:
        parent = models.table(need.key.parent)
        unique = name_for(parent.file, UniqueConstraint, "sqlalchemy", "UniqueConstraint")
        columns = [calls.literal(column.key) for column in need.unique.columns]
        name = _name(need.unique, parent.file)
        parent.extend([f"{unique}({', '.join(columns)}, name={name})"])
        written.add(need.unique)


def _foreign_key_code(
    models: Models, key: CompositeKey, constraint: ForeignKeyConstraint, place: TablePlace
) -> str:
    columns = [element.parent.key for element in constraint.elements]
    arguments = [
        calls.literal(columns),
        calls.literal(_targets(models, key, constraint, place)),
        f"name={_name(constraint, place.file)}",
    ]
    for option in ("ondelete", "onupdate", "deferrable", "initially", "match"):
        value = getattr(constraint, option)
        if value is not None:
            arguments.append(f"{option}={calls.literal(value)}")
    if constraint.use_alter:
        arguments.append("use_alter=True")
    function = name_for(place.file, ForeignKeyConstraint, "sqlalchemy", "ForeignKeyConstraint")
    return f"{function}({', '.join(arguments)})"


def _targets(
    models: Models, key: CompositeKey, constraint: ForeignKeyConstraint, place: TablePlace
) -> list[str]:
    """The texts by which the columns referred to are found.

    Raises:
        Unclear: no text leads to them.
    """
    parent = models.target.table(key.parent)
    original = models.original(key.parent)
    if parent.schema != original.schema and not _has_schema(models, key.parent):
        parent = original  # it is not written in the schema where the fixups have it
    columns = [element.column.key for element in constraint.elements]
    problem = ""
    if not models.target.together(key.child, key.parent):
        problem = "it is in another MetaData"
    elif parent.schema is None and original.metadata.schema is not None:
        problem = f"a name without a schema means one in {original.metadata.schema}"
    elif any("." in name for name in (parent.name, *columns)):
        problem = "there is a dot in it"
    if problem:
        raise _at(
            place,
            f"no text can name {parent.fullname} ({', '.join(columns)}): {problem}; add a "
            f"ForeignKeyConstraint {constraint.name} that is given the columns themselves",
        )
    return [f"{parent.fullname}.{name}" for name in columns]


def _has_schema(models: Models, key: TableKey) -> bool:
    """Whether a table that had no schema is written with one by now."""
    try:
        place = models.table(key)
    except Unclear:
        return False
    if place.statement is not None:
        return calls.keyword(place.call(), "schema") is not None
    statement = place.block.assigned(table_args.NAME) if place.block is not None else None
    return statement is not None and any(
        one.evaluated_value == "schema" for one in calls.strings(statement.tree)
    )


def _name(item: Constraint | Index, file: File) -> str:
    """The name, marked as complete where the naming convention would make another one of it."""
    assert item.table is not None
    text = calls.literal(str(item.name))
    conventions = item.table.metadata.naming_convention
    convention = _get_convention(conventions, type(item))  # type: ignore[no-untyped-call]
    if "constraint_name" not in (convention or ""):
        return text
    return f"{name_for(file, conv, 'sqlalchemy.schema', 'conv')}({text})"


def _keep_joins(models: Models, need: Need, bare: BareByTables) -> None:
    if need.foreign_key is not None or need.doomed:
        child, parent = models.original(need.key.child), models.original(need.key.parent)
        keep_joins(models, bare.get((id(child), id(parent)), ()))
