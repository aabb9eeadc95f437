"""What the vector indexes of both sides come to on empty copies of their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alembic_fixups.fixups.check_constraints.restored import with_array_type
from alembic_fixups.fixups.vector_dimension.index_holders import (
    Holder,
    options_of,
    statement,
    types_of_models,
)
from alembic_fixups.fixups.vector_dimension.index_reading import Meaning, Present, Reader, Twin
from alembic_fixups.rendering import quoting
from alembic_fixups.run import Run

_BUILD = "CREATE INDEX fixup_index ON pg_temp.fixup_twin USING "


def understand(sides: Sequence[Holder], reader: Reader, run: Run) -> None:
    """Has every holder know what its indexes are, and which of them cannot be built."""
    oids = [oid for holder in sides for oid in holder.oids.values()]
    present = reader.present(oids) if oids else {}
    asked = []
    for holder in sides:
        holder.present = {name: present[oid] for name, oid in holder.oids.items()}
        wanted = [statement(index) for index in holder.wishes.values()]
        known = [
            _built(run.retyped(one.index.using), retyped(one.index.where, run))
            for one in holder.present.values()
        ]
        pending = [_built(one.using, one.where) for one in holder.waiting.values()]
        asked.append((holder.twin, [*wanted, *known, *pending]))
    for holder, meanings in zip(sides, reader.meanings(asked), strict=True):
        found = iter(meanings)
        holder.wanted = {name: next(found) for name in holder.wishes}
        holder.known = {name: next(found) for name in holder.present}
        holder.pending = {name: next(found) for name in holder.waiting}
    _keep_to_the_letter(sides, reader)
    _try_as_models_have_it(sides, reader)
    _try_options(sides, reader)


def retyped(where: str | None, run: Run) -> str | None:
    """A predicate over the types that columns will have."""
    return None if where is None else run.retyped(where)


def said(options: Mapping[str, str]) -> str:
    """Options as a message has them."""
    return ", ".join(f"{key} = {value}" for key, value in options.items())


def _keep_to_the_letter(sides: Sequence[Holder], reader: Reader) -> None:
    """Has every predicate read as it has to be written to come out as it is.

    What PostgreSQL writes for a list of values reads otherwise when it is parsed again.
    """
    asked: list[tuple[Twin, list[str]]] = []
    tried: list[tuple[Holder, str, str, str | None, str]] = []
    for holder in sides:
        for kind in ("present", "wanted", "known", "pending"):
            for name, item in getattr(holder, kind).items():
                index = item.index if isinstance(item, Present) else item
                where = with_array_type(index.where or "")
                if where != (index.where or ""):
                    twin = Twin(holder.relation.oid) if kind == "present" else holder.twin
                    asked.append((twin, [_built(index.using, where)]))
                    tried.append((holder, kind, name, index.where, where))
    for (holder, kind, name, was, where), [found] in zip(
        tried, reader.meanings(asked) if asked else [], strict=True
    ):
        if found.where == was:
            items = getattr(holder, kind)
            item = items[name]
            items[name] = (
                replace(item, index=replace(item.index, where=where))
                if isinstance(item, Present)
                else replace(item, where=where)
            )


def _try_as_models_have_it(sides: Sequence[Holder], reader: Reader) -> None:
    """Tells what will never be built from what can be once Alembic has changed the table."""
    tried = [
        (holder, name)
        for holder in sides
        for name, meaning in holder.wanted.items()
        if meaning.problem and not meaning.untried and name not in holder.present
    ]
    asked = [
        (
            Twin(holder.relation.oid, tuple(types_of_models(holder.table).items())),
            [statement(holder.wishes[name])],
        )
        for holder, name in tried
    ]
    for (holder, name), [found] in zip(tried, reader.meanings(asked) if asked else [], strict=True):
        untried = not found.problem or found.untried
        holder.wanted[name] = replace(holder.wanted[name], untried=untried)


def _try_options(sides: Sequence[Holder], reader: Reader) -> None:
    """Finds the options that cannot be had, also together with those that the database has."""
    tried = []
    asked: list[tuple[Twin, list[str]]] = []
    for holder in sides:
        for name, meaning in holder.wanted.items():
            mentioned, kept = options_of(holder, name)
            options = {**mentioned, **kept}
            present = holder.present.get(name)
            is_there = present is not None and present.valid and _has(present, options)
            if options and not is_there and not meaning.problem:
                tried.append((holder, name, mentioned, kept))
                asked.append((holder.twin, [_built(meaning.using, meaning.where, options)]))
    for (holder, name, mentioned, kept), [found] in zip(
        tried, reader.meanings(asked) if asked else [], strict=True
    ):
        if found.problem:
            holder.wanted[name] = Meaning(problem=_problem(found.problem, mentioned, kept))


def _has(present: Present, options: Mapping[str, str]) -> bool:
    return options.items() <= dict(present.index.options).items()


def _problem(problem: str, mentioned: Mapping[str, str], kept: Mapping[str, str]) -> str:
    if not kept:
        return f"{problem}, with {said(mentioned)}. Write into postgresql_with what it takes"
    given = f"{said(mentioned)}, and " if mentioned else ""
    return (
        f"{problem}, with {given}{said(kept)} that the database has and the models do not mention. "
        "Write into postgresql_with what can be had together"
    )


def _built(using: str, where: str | None, options: Mapping[str, str] | None = None) -> str:
    given = ", ".join(
        f"{quoting.identifier(key)} = {quoting.literal(value)}"
        for key, value in (options or {}).items()
    )
    return (
        _BUILD
        + using
        + (f" WITH ({given})" if given else "")
        + (f" WHERE {where}" if where else "")
    )
