"""The source of the models with the dimensions that the settings say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.places import ColumnPlace
from alembic_fixups.codemods.tool import FixupCommand
from alembic_fixups.codemods.types import type_code
from alembic_fixups.fixups.vector_dimension.constants import (
    Constant,
    Use,
    constant_of,
    kind_of,
    uses,
)
from alembic_fixups.fixups.vector_dimension.dimensions import with_dimensions
from alembic_fixups.fixups.vector_dimension.index_source import (
    numbers_in,
    numbers_of,
    refuse_long,
    refuse_texts,
)
from alembic_fixups.fixups.vector_dimension.introduction import introduce
from alembic_fixups.fixups.vector_dimension.numbers import Number, Wish, number_of
from alembic_fixups.fixups.vector_dimension.plan import Plan
from alembic_fixups.fixups.vector_dimension.settings import NAME, VectorDimensionSettings
from alembic_fixups.fixups.vector_dimension.types import of_model
from alembic_fixups.target import TableKey


class VectorDimensionCommand(FixupCommand):
    """The codemod for ``python -m libcst.tool codemod``."""

    DESCRIPTION = "Write the dimensions that the settings say into the types of vector columns."
    FIXUP = NAME


@dataclass(frozen=True)
class Spot:
    """Dimensions in the source that have to change.

    Attributes:
        wish: the column that they are changed for.
        number: where they are written.
        constant: the constant that they come from, None where they are written out.
        again: finds them once more, when others in the same statement have changed.
        place: where the column is written; None for a cast in an index.
    """

    wish: Wish
    number: Number
    constant: Constant | None
    again: Callable[[], Number]
    place: ColumnPlace | None


def codemod(models: Models, wanted: Plan, settings: VectorDimensionSettings) -> None:
    """Writes the dimensions of the settings where the models have theirs from.

    That is a literal, or the constant that it comes from if all columns that have it change alike.
    A column and the casts of it in indexes change together or not at all.
    """
    found: list[tuple[Wish, list[Spot]]] = []
    for wish in _wishes(models):
        with models.change(NAME, _title([wish])):
            found.append((wish, _spots(models, wish)))
    for group in _grouped(found):
        _change(models, group)
    refuse_texts(models, (wish for wish, _ in found))
    refuse_long(models)
    if models.introduce_constant:
        introduce(models)


def _wishes(models: Models) -> Iterable[Wish]:
    for key, table in models.target.tables.items():
        original = models.original(key)
        for column in table.c:
            was = original.c[column.key].type
            if was is column.type:
                continue
            old, new = of_model(was), of_model(column.type)
            if old is None or new is None or new.dimensions is None or old.same_as(new):
                continue
            yield Wish(key, column.name, was, old.dimensions, new.dimensions)


def _spots(models: Models, wish: Wish) -> list[Spot]:
    number, place = number_of(models, wish)
    spots = [
        Spot(
            wish,
            number,
            constant_of(models, number, wish.old) if number.name else None,
            lambda: number_of(models, wish)[0],
            place,
        )
    ]
    for index, n, cast in numbers_of(models, wish):
        constant = constant_of(models, cast, wish.old) if cast.name else None
        spots.append(Spot(wish, cast, constant, partial(_nth, models, wish, index, n), None))
    return spots


def _nth(models: Models, wish: Wish, index: str, n: int) -> Number:
    return numbers_in(models, wish, index)[n]


def _grouped(found: Iterable[tuple[Wish, list[Spot]]]) -> list[list[Spot]]:
    """The spots that can only change together: of one column, one statement or one constant."""
    groups: list[tuple[set[object], list[Spot]]] = []
    for wish, spots in found:
        keys: set[object] = {id(one.constant.statement) for one in spots if one.constant}
        for one in spots:
            if one.place is not None:
                in_table = one.place.block is None and one.number.shared is None
                keys.add((id(one.number.statement), wish.column if in_table else ""))
        together = [*spots]
        apart = []
        for known, others in groups:
            if known & keys:
                keys |= known
                together = [*others, *together]
            else:
                apart.append((known, others))
        groups = [*apart, (keys, together)]
    return [spots for _, spots in groups]


def _title(wishes: Iterable[Wish]) -> str:
    by_number: dict[int, list[str]] = defaultdict(list)
    for wish in dict.fromkeys(wishes):
        by_number[wish.new].append(str(wish))
    return "; ".join(
        f"{', '.join(columns)} of {number} dimensions" for number, columns in by_number.items()
    )


# What is decided


def _change(models: Models, spots: list[Spot]) -> None:
    """Changes the spots of a group."""
    title = _title(spot.wish for spot in spots)
    try:
        _require_all(spots)
        writes: list[Callable[[], None]] = []
        said = []
        for constant, own in _by_constant(spots):
            following = None if constant is None else _following(models, constant, own)
            if constant is None or following is None:
                writes += [partial(_write, models, spot) for spot in own]
            else:
                writes.append(partial(constant.write, own[0].wish.new))
                said.append(f" by {constant}{_places(following)}")
    except Unclear as error:
        models.refuse(NAME, error, title)
        return
    with models.change(NAME, title + " and".join(said)):
        for write in writes:
            write()


def _require_all(spots: list[Spot]) -> None:
    """Stops where a statement makes columns that do not all change alike.

    Raises:
        Unclear: it does.
    """
    wanted = {(spot.wish.key, spot.wish.column): spot.wish.new for spot in spots}
    for spot in spots:
        if spot.place is None:
            continue
        for key, column in spot.place.columns:
            if wanted.get((key, column)) != spot.wish.new:
                raise spot.place.statement.unclear(
                    f"this makes {key}.{column} too, which is not to have {spot.wish.new} "
                    f"dimensions; say them for it as well, or give {spot.wish.key} a column of "
                    "its own"
                )


def _by_constant(spots: list[Spot]) -> list[tuple[Constant | None, list[Spot]]]:
    found: dict[int, tuple[Constant | None, list[Spot]]] = {}
    for spot in spots:
        key = 0 if spot.constant is None else id(spot.constant.statement)
        found.setdefault(key, (spot.constant, []))[1].append(spot)
    return list(found.values())


def _following(models: Models, constant: Constant, spots: list[Spot]) -> list[Use] | None:
    """What else follows a constant when it changes.

    None where it cannot change, since a column that has it is to have other dimensions.

    Raises:
        Unclear: what it does elsewhere is not clear.
    """
    old = spots[0].wish.old
    if len({spot.wish.new for spot in spots}) > 1 or any(
        _disagreeing(models, spot) for spot in spots
    ):
        return None
    known: dict[int, set[int]] = defaultdict(set)
    statements = {id(spot.number.statement): spot.number.statement for spot in spots}
    for spot in spots:
        known[id(spot.number.statement)].add(id(spot.number.value))
    following: list[Use] = []
    unclear: list[Use] = []
    for use in uses(models, constant, old):
        statement = next((key for key, one in statements.items() if use.is_in(one)), None)
        if statement is not None and known[statement]:
            known[statement].pop()
            continue
        kind = "column" if statement is not None else kind_of(models, use)
        if kind == "column":
            return None
        (following if kind == "follows" else unclear).append(use)
    if unclear:
        places = ", ".join(use.place for use in unclear)
        raise constant.statement.unclear(
            f"{constant} is used in {places} too, and what would become of that is not clear; "
            f"make it {spots[0].wish.new} by hand"
        )
    return following


def _places(uses: list[Use]) -> str:
    if not uses:
        return ""
    places = list(dict.fromkeys(use.place for use in uses))
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f", which {', '.join(places[:3])}{more} {'follow' if places[1:] else 'follows'}"


def _disagreeing(models: Models, spot: Spot) -> tuple[TableKey, str] | None:
    """A column that has the same type object and is not to change alike."""
    if spot.number.shared is None:
        return None
    for key, table in models.target.tables.items():
        for column in models.original(key).c:
            if column.type is not spot.wish.was:
                continue
            now = of_model(table.c[column.key].type)
            if now is None or now.dimensions != spot.wish.new:
                return key, column.name
    return None


def _write(models: Models, spot: Spot) -> None:
    """Writes the dimensions of one spot out.

    Raises:
        Unclear: a type that several columns share cannot be written out for one of them.
    """
    other = _disagreeing(models, spot)
    if other is None:
        spot.again().write(spot.wish.new)
        return
    assert spot.place is not None
    changed = with_dimensions(spot.wish.was, spot.wish.new)
    call = spot.place.call()
    is_given = call is not None and calls.keyword(call, "sa_column") is not None
    if changed is None or changed._variant_mapping or is_given:
        raise spot.place.statement.unclear(
            f"it shares its type with {'.'.join(other)}, which stays as it is; give it one of its "
            f"own, of {spot.wish.new} dimensions"
        )
    spot.place.set_type(type_code(changed, spot.place))
