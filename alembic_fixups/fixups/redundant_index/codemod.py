"""The source of the models without the ``index=True`` that the rewrite takes out."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.places import ColumnPlace, column_makers
from alembic_fixups.codemods.tool import FixupCommand
from alembic_fixups.fixups.redundant_index.rewrite import Redundant
from alembic_fixups.fixups.redundant_index.serving import serving
from alembic_fixups.fixups.redundant_index.settings import NAME, RedundantIndexSettings


class RedundantIndexCommand(FixupCommand):
    """The codemod for ``python -m libcst.tool codemod``."""

    DESCRIPTION = "Take out index=True where another index of the table begins with the column."
    FIXUP = NAME


def codemod(models: Models, wanted: Sequence[Redundant], settings: RedundantIndexSettings) -> None:
    """Takes ``index=True`` out of the columns whose index is needless.

    A column that several tables have from a mixin is changed if it is needless in all of them.
    """
    needless = {(one.table, one.column) for one in wanted}
    done: set[tuple[str, str]] = set()
    for one in wanted:
        if (one.table, one.column) in done:
            continue
        with models.change(NAME, f"{one.table}.{one.column} without index=True"):
            place = models.column(one.table, one.column)
            useful = sorted(set(place.columns) - needless)
            if useful:
                table, column = useful[0]
                raise place.statement.unclear(
                    f"{table}.{column} is made here too, and there its index is of use; give that "
                    f"class a column of its own, or name {one.table}.{one.column} in {NAME}.keep"
                )
            _require_serving(models, one, place)
            _take_out(place)
            done.update(place.columns)


def _require_serving(models: Models, one: Redundant, place: ColumnPlace) -> None:
    """Stops where what serves is another fixup's, and could not be written into the source."""
    name = one.serving.name
    if serving(models.original(one.table), one.column) is None and name:
        text = models.table(one.table).file.text
        if f'"{name}"' not in text and f"'{name}'" not in text:
            raise place.statement.unclear(
                f"{one.serving} is not in the source yet, which is to serve in its place; write "
                "that first"
            )


def _take_out(place: ColumnPlace) -> None:
    call = place.call()
    found = None if call is None else _with_index(place, call)
    if found is None:
        raise place.statement.unclear(
            f"index=True of {place.attribute} is not written here; take it out where it comes "
            "from, such as a type with Annotated"
        )
    given = calls.keyword(found, "index")
    assert given is not None
    if calls.code_of(given.value) != "True":
        raise place.statement.unclear(
            f"index={calls.code_of(given.value)} is no plain True; take it out by hand"
        )
    place.replace(found, calls.without(found, given))


def _with_index(place: ColumnPlace, call: cst.Call) -> cst.Call | None:
    """The call that says ``index``: that which makes the column, or one that it is given.

    Raises:
        Unclear: there are several.
    """
    inner = calls.calls_of(call, place.names, *column_makers())
    found = [one for one in inner if calls.keyword(one, "index") is not None]
    if len(found) > 1:
        raise place.statement.unclear(f"index is said twice for {place.attribute}")
    return found[0] if found else None
