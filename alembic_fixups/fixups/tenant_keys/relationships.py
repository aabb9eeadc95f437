"""Relationships that go on to join by the column that they joined by before.

With a composite key in the place of a single one SQLAlchemy would join by the tenant as well, and
copy it: to assign an engagement would move a row to another client. With both keys it could not
tell which one is meant. ``foreign_keys``, on both sides, says that nothing has changed.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst
from sqlalchemy import Column
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapper, MapperProperty, RelationshipDirection, RelationshipProperty
from sqlalchemy.orm.exc import UnmappedColumnError

from alembic_fixups.codemods import calls, table_args
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.places import RelationshipPlace

_ARGUMENT = "foreign_keys"
_OPTIONS = "sa_relationship_kwargs"


@dataclass(frozen=True)
class Bare:
    """A relationship that has its join from the foreign keys between two tables.

    Attributes:
        relationship: the relationship.
        columns: the columns by which the child's rows refer to the parent's.
    """

    relationship: RelationshipProperty[Any]
    columns: tuple[Column[Any], ...]


BareByTables = dict[tuple[int, int], list[Bare]]
"""Relationships by the ``id()`` of the table that refers and of the one referred to."""


def bare_relationships(mappers: Iterable[Mapper[Any]]) -> BareByTables:
    """The relationships of configured mappers that say nothing of how they join."""
    found: BareByTables = defaultdict(list)
    for mapper in mappers:
        for one in mapper.relationships:
            if one.parent is not mapper or not _is_bare(one):
                continue
            pairs = [(source, column) for source, column in one.synchronize_pairs]
            tables = {(id(column.table), id(source.table)) for source, column in pairs}
            if len(tables) == 1:
                columns = tuple(column for _, column in pairs if isinstance(column, Column))
                found[tables.pop()].append(Bare(one, columns))
    return found


def _is_bare(one: RelationshipProperty[Any]) -> bool:
    arguments = one._init_args
    given = (arguments.primaryjoin, arguments.foreign_keys, arguments.secondary)
    return all(argument.argument is None for argument in given)


def keep_joins(models: Models, bare: Iterable[Bare]) -> None:
    """Writes into relationships by which columns they join.

    Raises:
        Unclear: one is not written where that can be done.
    """
    for one in bare:
        _keep_join(models.relationship(one.relationship), one)


def _keep_join(place: RelationshipPlace, bare: Bare) -> None:
    code = _code(place, bare)
    call = place.call()
    value = place.names.value(call.func)
    is_sqlmodel = getattr(value, "__module__", "").split(".")[0] == "sqlmodel"
    known = _in_options(place, call) if is_sqlmodel else calls.keyword(call, _ARGUMENT)
    if known is not None:
        if calls.code_of(known.value) == code:
            return  # of a mixin, by way of another of its classes
        raise place.statement.unclear(
            f"{bare.relationship} has to say {_ARGUMENT}={code}, and another of the classes that "
            f"have it from here something else; write it in each of them"
        )
    made = (
        _with_option(place, call, code)
        if is_sqlmodel
        else calls.with_keyword(call, _ARGUMENT, code)
    )
    place.statement.tree = calls.replaced(place.statement.tree, call, made)


def _code(place: RelationshipPlace, bare: Bare) -> str:
    """The source of the argument, which gives the columns wherever it stands."""
    one = bare.relationship
    is_of_child = one.direction is RelationshipDirection.MANYTOONE
    mapper = one.parent if is_of_child else one.mapper
    try:
        keys = [mapper.get_property_by_column(column).key for column in bare.columns]
    except UnmappedColumnError as error:
        names = ", ".join(column.name for column in bare.columns)
        raise place.statement.unclear(
            f"{one} has to say {_ARGUMENT}=, but {mapper.class_.__name__} has no attribute for "
            f"{names}"
        ) from error
    function = place.statement.node
    if is_of_child and isinstance(function, ast.FunctionDef) and function.args.args:
        return f"lambda: {_listed(f'{function.args.args[0].arg}.{key}' for key in keys)}"
    class_ = mapper.class_
    for name in (class_.__name__, f"{class_.__module__}.{class_.__name__}"):
        text = _listed(f"{name}.{key}" for key in keys)
        if _resolved(one, text) == list(bare.columns):
            return calls.literal(text)
    raise place.statement.unclear(
        f"{one} has to say by which column it joins, and the name {class_.__name__} does not say "
        f"which class is meant; write {_ARGUMENT}=lambda: {_listed(keys)} with that class"
    )


def _listed(items: Iterable[str]) -> str:
    texts = list(items)
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _resolved(relationship: RelationshipProperty[Any], text: str) -> list[object]:
    """The columns that SQLAlchemy takes a text in a relationship for."""
    _, resolve = relationship._clsregistry_resolvers
    try:
        value = resolve(text, False)()
    except (InvalidRequestError, AttributeError, KeyError, NameError):
        return []
    return list(_columns(value if isinstance(value, list) else [value]))


def _columns(attributes: Iterable[Any]) -> Iterator[object]:
    for attribute in attributes:
        mapped = getattr(attribute, "property", None)
        if isinstance(mapped, MapperProperty):
            yield from getattr(mapped, "columns", [])[:1]


# SQLModel


def _in_options(place: RelationshipPlace, call: cst.Call) -> cst.DictElement | None:
    """What ``sa_relationship_kwargs`` gives for the argument."""
    for element in _options(place, call).elements:
        if (
            isinstance(element, cst.DictElement)
            and isinstance(element.key, cst.SimpleString)
            and element.key.evaluated_value == _ARGUMENT
        ):
            return element
    return None


def _options(place: RelationshipPlace, call: cst.Call) -> cst.Dict:
    given = calls.keyword(call, _OPTIONS)
    if given is None:
        return cst.Dict([])
    if not isinstance(given.value, cst.Dict):
        raise place.statement.unclear(
            f"{_OPTIONS} is {calls.code_of(given.value)}, so what is in it is not "
            f"written here; it has to say {_ARGUMENT}"
        )
    return given.value


def _with_option(place: RelationshipPlace, call: cst.Call, code: str) -> cst.Call:
    made = table_args.with_entry(_options(place, call), _ARGUMENT, code)
    given = calls.keyword(call, _OPTIONS)
    if given is None:
        return calls.with_keyword(call, _OPTIONS, calls.code_of(made))
    return calls.with_argument(call, given, calls.code_of(made))
