"""The foreign keys that a composite one takes the place of, taken out of the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import libcst as cst
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint
from sqlalchemy.schema import SchemaItem

from alembic_fixups.codemods import brackets, calls, table_args
from alembic_fixups.codemods.files import File, Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import Names
from alembic_fixups.codemods.places import ColumnPlace, TablePlace, column_makers, is_field
from alembic_fixups.codemods.types import type_code
from alembic_fixups.fixups.tenant_keys.wishes import pairs_of
from alembic_fixups.target import TableKey

Doomed = tuple[TableKey, ForeignKeyConstraint]
"""A foreign key as the running models have it, and the key of its table."""


def take_out(models: Models, doomed: Sequence[Doomed]) -> None:
    """Takes foreign keys out of the columns or table arguments that they are written in.

    A column that had its type from its foreign key gets it written in.

    Raises:
        Unclear: one is not written as such, it is also that of a table that keeps it, or what the
            models say of it would be lost.
    """
    columns = {
        (key, constraint.elements[0].parent.name)
        for key, constraint in doomed
        if len(constraint.elements) == 1
    }
    going = {constraint for _, constraint in doomed}
    done: set[tuple[int, str]] = set()
    for key, constraint in doomed:
        table = models.table(key)
        lost = _lost(constraint, models.original(key).foreign_key_constraints - going)
        if _take_out_listed(table, constraint, lost):
            continue
        if len(constraint.elements) > 1:
            raise _not_written(constraint, table.file, table.line)
        column = constraint.elements[0].parent
        place = _column_place(models, table, key, column)
        if lost:
            raise place.statement.unclear(lost)
        this = (id(place.statement), place.attribute)
        if this not in done:
            _require_all(place, columns)
            _take_out_of_column(place, column, constraint)
            done.add(this)


def _column_place(
    models: Models, table: TablePlace, key: TableKey, column: Column[object]
) -> ColumnPlace:
    if table.statement is None:
        return models.column(key, column.name)
    # A class may name the columns of its Table() once more, as annotations.
    return ColumnPlace(table.statement, table.names, column.name, None, ((key, column.name),))


def _require_all(place: ColumnPlace, columns: set[tuple[TableKey, str]]) -> None:
    others = [key for key, name in place.columns if (key, name) not in columns]
    if others:
        raise place.statement.unclear(
            f"{place.attribute} is also the column of {', '.join(others)}, where its foreign key "
            "stays as it is; give these classes a column of their own"
        )


def _lost(constraint: ForeignKeyConstraint, kept: Iterable[ForeignKeyConstraint]) -> str:
    """The reason not to take a foreign key out that says what none of those kept says, or ""."""
    pairs, parent = pairs_of(constraint), constraint.elements[0].column.table
    said = {name: value for name, value in _said(constraint).items() if value}
    for other in kept:
        if other.elements[0].column.table is parent and pairs_of(other) >= pairs:
            said = {name: value for name, value in said.items() if _said(other)[name] != value}
    if not said:
        return ""
    what, columns = " and ".join(f"{name}=" for name in said), ", ".join(constraint.column_keys)
    return (
        f"the foreign key on {columns} has {what}, which would be lost with it; write the "
        f"ForeignKeyConstraint that takes its place by hand and move {what} there"
    )


def _said(constraint: ForeignKeyConstraint) -> dict[str, object]:
    """What the database does not act by; a ``ForeignKey()`` keeps its ``info`` to itself."""
    info = dict(constraint.info)
    for element in constraint.elements:
        info |= element.info
    return {"comment": constraint.comment, "info": info}


def _not_written(constraint: ForeignKeyConstraint, file: File, line: int) -> Unclear:
    columns = ", ".join(constraint.column_keys)
    target = ", ".join(element.target_fullname for element in constraint.elements)
    return Unclear(
        f"the foreign key on {columns} to {target} is not written here as such; take it out where "
        "it comes from",
        file,
        line,
    )


# In the column


def _take_out_of_column(
    place: ColumnPlace, column: Column[object], constraint: ForeignKeyConstraint
) -> None:
    call = place.call()
    field = None if call is None else _field(place)
    if field is not None:
        made = field
        for name in ("foreign_key", "ondelete"):
            argument = calls.keyword(made, name)
            if argument is not None:
                made = calls.without(made, argument)
        place.replace(field, made)
        return
    found = [] if call is None else list(_own_keys(place, column, constraint))
    if not found:
        raise _not_written(constraint, place.statement.file, place.statement.line)
    for one in found:
        _take_out_argument(place, one, column)


def _field(place: ColumnPlace) -> cst.Call | None:
    """The ``Field(foreign_key=)`` of SQLModel."""
    for one in calls.calls_of(place.statement.tree, place.names, *column_makers()):
        if is_field(place.names.value(one.func)) and calls.keyword(one, "foreign_key"):
            return one
    return None


def _own_keys(
    place: ColumnPlace, column: Column[object], constraint: ForeignKeyConstraint
) -> Iterator[cst.Call]:
    """The calls of ``ForeignKey()`` that make the constraint."""
    call = place.call()
    assert call is not None
    [element] = constraint.elements
    for one in calls.calls_of(call, place.names, ForeignKey):
        given = calls.keyword(one, "column") or next(iter(calls.positional(one)), None)
        text = None if given is None else place.names.text(given.value)
        if isinstance(text, str):
            names = text.split(".")[-2:]
            if names[-1] == element.column.key and names[:-1] in ([element.column.table.name], []):
                yield one
        elif len(column.foreign_keys) == 1:
            yield one  # given a column itself, or what only the running models know


def _take_out_argument(place: ColumnPlace, doomed: cst.Call, column: Column[object]) -> None:
    for owner in calls.calls_of(place.statement.tree, place.names, *column_makers()):
        for argument in owner.args:
            if argument.value is doomed:
                place.replace(owner, _without_key(place, owner, argument, column))
                return
            if isinstance(argument.value, cst.List | cst.Tuple):  # sa_column_args of SQLModel
                for item in argument.value.elements:
                    if item.value is doomed:
                        place.replace(owner, _without_item(owner, argument, item))
                        return
    raise place.statement.unclear(
        f"{calls.code_of(doomed)} is not given to the column itself; take it out by hand"
    )


def _without_key(
    place: ColumnPlace, call: cst.Call, doomed: cst.Arg, column: Column[object]
) -> cst.Call:
    """The call with the type of the column, which it may have had from its foreign key."""
    names, file = place.names, place.statement.file
    given = calls.positional(call)
    first = int(bool(given) and isinstance(names.text(given[0].value), str))
    if calls.keyword(call, "type_") or any(_may_be_type(one, names) for one in given[first:]):
        return calls.without(call, doomed)
    known = Names(file.module).named(column.type)
    code = known[0] if known else type_code(column.type, place)
    if call.args.index(doomed) == first and doomed.keyword is None:
        return calls.with_argument(call, doomed, code)
    return calls.with_positional(calls.without(call, doomed), code, first)


def _may_be_type(argument: cst.Arg, names: Names) -> bool:
    node = argument.value
    value = names.value(node.func if isinstance(node, cst.Call) else node)
    return not (isinstance(value, type) and issubclass(value, SchemaItem))


def _without_item(call: cst.Call, argument: cst.Arg, doomed: cst.BaseElement) -> cst.Call:
    assert isinstance(argument.value, cst.List | cst.Tuple)
    if len(argument.value.elements) == 1:
        return calls.without(call, argument)
    return calls.with_argument(call, argument, calls.code_of(_shortened(argument.value, doomed)))


# Among the table's arguments


def _take_out_listed(table: TablePlace, constraint: ForeignKeyConstraint, lost: str) -> bool:
    """Takes a ``ForeignKeyConstraint()`` out; whether there is one.

    Raises:
        Unclear: *lost* says why it may not be taken out, or it is no part of a tuple.
    """
    statement = table.statement
    if statement is None and table.block is not None:
        statement = table.block.assigned(table_args.NAME)
    if statement is None:
        return False
    inside = statement.tree if table.statement is None else table.call()
    for call in calls.calls_of(inside, table.names, ForeignKeyConstraint):
        if _is_listed(call, table.names, constraint):
            if lost:
                raise statement.unclear(lost)
            _drop(statement, call)
            return True
    return False


def _is_listed(call: cst.Call, names: Names, constraint: ForeignKeyConstraint) -> bool:
    positional = calls.positional(call)
    own = calls.keyword(call, "columns") or next(iter(positional[:1]), None)
    referred = calls.keyword(call, "refcolumns") or next(iter(positional[1:2]), None)
    if own is None or referred is None:
        return False
    targets = [
        (*element.column.table.fullname.split("."), element.column.key)[-2:]
        for element in constraint.elements
    ]
    given = [
        tuple(text.split(".")[-2:]) if isinstance(text, str) else None
        for text in _texts(referred.value, names)
    ]
    return _texts(own.value, names) == list(constraint.column_keys) and given == targets


def _texts(node: cst.BaseExpression, names: Names) -> list[object]:
    if not isinstance(node, cst.List | cst.Tuple):
        return []
    return [names.text(element.value) for element in node.elements]


def _drop(statement: Statement, doomed: cst.Call) -> None:
    for owner in calls.calls(statement.tree, lambda _: True):
        for argument in owner.args:
            if argument.value is doomed:
                made = calls.without(owner, argument)
                statement.tree = calls.replaced(statement.tree, owner, made)
                return
    for sequence in _sequences(statement.tree):
        for item in sequence.elements:
            if item.value is doomed:
                shorter = _shortened(sequence, item)
                statement.tree = calls.replaced(statement.tree, sequence, shorter)
                return
    raise statement.unclear(f"{calls.code_of(doomed)} is no part of a tuple; take it out by hand")


def _sequences(tree: cst.Module) -> list[cst.Tuple | cst.List]:
    found: list[cst.Tuple | cst.List] = []

    class Finder(cst.CSTVisitor):
        def visit_Tuple(self, node: cst.Tuple) -> None:
            found.append(node)

        def visit_List(self, node: cst.List) -> None:
            found.append(node)

    tree.visit(Finder())
    return found


def _shortened(sequence: cst.Tuple | cst.List, doomed: cst.BaseElement) -> cst.BaseExpression:
    if isinstance(sequence, cst.Tuple):
        return brackets.without(sequence, doomed)
    return brackets.without(sequence, doomed)
