"""The source of the models with values for ``lazy`` that SQLAlchemy knows, and those asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from sqlalchemy.orm import Mapper, RelationshipProperty

from alembic_fixups.codemods.files import Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.proof import configured
from alembic_fixups.codemods.tool import FixupCommand
from alembic_fixups.fixups.relationship_loading.naming import chosen
from alembic_fixups.fixups.relationship_loading.settings import NAME, RelationshipLoadingSettings
from alembic_fixups.fixups.relationship_loading.values import (
    Loading,
    Relationship,
    is_put_right,
    meaning,
    put_right,
    relationships,
    wrong,
)
from alembic_fixups.fixups.relationship_loading.writing import Wish, Writer

_QUERIES = ("dynamic", "write_only")
"""With these an attribute is a query, no list."""


class RelationshipLoadingCommand(FixupCommand):
    """The codemod for ``python -m libcst.tool codemod``."""

    DESCRIPTION = "Put right what relationship(lazy=) is given, and set it where it is asked for."
    FIXUP = NAME


def prepare(models: Models, settings: RelationshipLoadingSettings) -> None:
    """Puts the running relationships right whose source can be, before mappers are configured.

    One value that SQLAlchemy does not know keeps all mappers from being configured. One that stays
    in the source stays here too: the models are to be what their rewritten source makes.
    """
    wishes = _wrong(models)
    writer = Writer(models, wishes)
    for wish in wishes:
        refused = len(models.refusals)
        with models.change(NAME, wish.loading.title):
            writer.write(wish)
        if len(models.refusals) == refused and wish.value is not None:
            put_right(wish.loading, wish.value)


def codemod(
    models: Models, wanted: Sequence[Loading], settings: RelationshipLoadingSettings
) -> None:
    """Writes the values that are meant, and those that the settings ask for.

    Raises:
        SettingsError: the settings name a relationship that the models do not have.
    """
    wishes = _wrong(models)
    writer = Writer(models, wishes)
    # Those that have been put right are one change: the mappers need them all.
    with models.change(NAME, "lazy has values that SQLAlchemy knows"):
        for wish in wishes:
            if is_put_right(wish.loading):
                writer.write(wish)
    for wish in wishes:
        if not is_put_right(wish.loading):
            with models.change(NAME, wish.loading.title):
                writer.write(wish)
    if settings.selectin or settings.raise_on_sql:
        _write_chosen(models, settings)


def _wrong(models: Models) -> tuple[Wish, ...]:
    return tuple(Wish(one, meaning(one.value)) for one in wrong(_mappers(models)))


def _mappers(models: Models) -> Iterator[Mapper[object]]:
    every = chain.from_iterable(models.mappers.values())
    yield from sorted(every, key=lambda one: (one.class_.__module__, one.class_.__qualname__))


# What the settings ask for


def _write_chosen(models: Models, settings: RelationshipLoadingSettings) -> None:
    _, problem = configured()
    if problem:
        # Without them it is not known which relationships a backref makes.
        models.refuse(NAME, Unclear(f"the mappers cannot be configured: {problem}"))
        return
    own = {module.__name__ for module in models.modules.values()}
    known = [one for one in relationships(_mappers(models)) if one.parent.class_.__module__ in own]
    makers = _makers(known)
    wishes: dict[Relationship, Wish] = {}
    for one, choice in chosen(settings, known).items():
        if one.lazy in _QUERIES:
            if choice.by_name:
                _refuse_query(models, one)
        elif one.lazy != choice.value:
            maker = makers.get(one)
            loading = Loading(maker or one, maker is not None, one.lazy)
            wishes[one] = Wish(loading, choice.value)
    writer = Writer(models, tuple(wishes.values()))
    for one, wish in wishes.items():
        title = f'{one.parent.class_.__name__}.{one.key} with lazy="{wish.value}"'
        with models.change(NAME, title):
            writer.write(wish)


def _makers(known: Sequence[Relationship]) -> dict[Relationship, Relationship]:
    """The relationships that another one's ``backref`` makes, with that one."""
    found: dict[Relationship, Relationship] = {}
    for one in known:
        if one.backref is not None:
            name = one.backref if isinstance(one.backref, str) else one.backref[0]
            made = one.mapper._props.get(name)
            if isinstance(made, RelationshipProperty):
                found[made] = one
    return found


def _refuse_query(models: Models, one: Relationship) -> None:
    with models.change(NAME, f"{one.parent.class_.__name__}.{one.key}"):
        raise models.relationship(one).statement.unclear(
            f"it is {one.lazy}: the attribute is a query and would be a list; where that is "
            "meant, change it by hand along with what uses it"
        )
