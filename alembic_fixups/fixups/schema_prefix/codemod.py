"""The source of the models with every table's schema, and with it in every reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

import libcst as cst
from sqlalchemy import ARRAY, Enum, ForeignKey, ForeignKeyConstraint, Sequence
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.sql.functions import next_value
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import MISSING, Names
from alembic_fixups.codemods.places import ColumnPlace, is_field
from alembic_fixups.codemods.tool import FixupCommand
from alembic_fixups.fixups.schema_prefix.rewrite import NamedType, Placement, named_types
from alembic_fixups.fixups.schema_prefix.settings import NAME, SchemaPrefixSettings


class SchemaPrefixCommand(FixupCommand):
    """The codemod for ``python -m libcst.tool codemod``."""

    DESCRIPTION = "Write the schema of every table, and in every reference to it."
    FIXUP = NAME


@dataclass(frozen=True)
class Reference:
    """A foreign key that names its target without the schema, or by another one.

    Attributes:
        table, columns: the table that refers, and its columns.
        old, new: what it says, and what it has to say; for each column.
    """

    table: str
    columns: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]


def codemod(models: Models, wanted: Placement, settings: SchemaPrefixSettings) -> None:
    """Writes the schema to each table, type and sequence without one, and to all that names it.

    A table and all that refers to it change together or not at all.
    """
    home = settings.home
    references = _references(models)
    secondaries = _secondaries(models, home)
    for key, table in models.target.tables.items():
        moves = models.original(key).schema is None and table.schema == home
        referring = references.pop(key, [])
        if not moves and not referring:
            continue
        what = f"{table.name} in schema {home}" if moves else f"references to {key}"
        with models.change(NAME, what):
            if moves:
                models.table(key).extend([], {"schema": calls.literal(home)})
                for relationship in secondaries.get(table.name, ()):
                    _rename(models, relationship, table.name, home)
            for reference in referring:
                _refer(models, reference, home)
    _types(models, home)
    _sequences(models, home)


# References


def _references(models: Models) -> dict[str, list[Reference]]:
    """The foreign keys that have to name their targets otherwise, by the table referred to."""
    found: dict[str, list[Reference]] = defaultdict(list)
    for key, table in models.target.tables.items():
        after = {(one.name, tuple(one.column_keys)): one for one in table.foreign_key_constraints}
        for constraint in models.original(key).foreign_key_constraints:
            now = after.get((constraint.name, tuple(constraint.column_keys)))
            if now is None:
                continue
            old, new = _targets(constraint), _targets(now)
            if None in old or old == new:
                continue
            referred = now.elements[0].column.table.key
            columns = tuple(element.parent.name for element in constraint.elements)
            found[referred].append(Reference(key, columns, old, new))  # type: ignore[arg-type]
    return found


def _targets(constraint: ForeignKeyConstraint) -> tuple[str | None, ...]:
    """What its columns refer to as it is written, None for what is no text."""
    return tuple(
        element._colspec if isinstance(element._colspec, str) else None
        for element in constraint.elements
    )


def _refer(models: Models, reference: Reference, home: str) -> None:
    """Has a foreign key say its target in full."""
    own: Statement | None = None
    if len(reference.columns) == 1:
        place = models.column(reference.table, reference.columns[0])
        own = place.statement
        if _refer_in(own, place.names, reference, home):
            return
    table = models.table(reference.table)
    block = table.block
    statement = table.statement or (block.assigned("__table_args__") if block else None)
    if statement is None or not _refer_in(statement, table.names, reference, home):
        columns = ", ".join(reference.columns)
        raise Unclear(
            f"the foreign key on {columns} to {reference.old[0]!r} is not written here as such; "
            f"it has to say {reference.new[0]!r}",
            own.file if own else table.file,
            own.line if own else table.line,
        )


def _refer_in(statement: Statement, names: Names, reference: Reference, home: str) -> bool:
    """Whether the reference is in a statement, where it is put right."""
    changes = dict(zip(reference.old, reference.new, strict=True))
    found = False
    for call in calls.calls(statement.tree, lambda _: True):
        for expression in _target_expressions(call, names):
            text = names.text(expression)
            if text in reference.new:
                found = True  # of a mixin, by way of another of its classes
            elif isinstance(text, str) and text in changes:
                found = True
                new = _prefixed(expression, text, changes[text], home, statement)
                statement.tree = calls.replaced(statement.tree, expression, new)
    return found


def _target_expressions(call: cst.Call, names: Names) -> Iterator[cst.BaseExpression]:
    """The expressions of a call that name what a foreign key refers to."""
    value = names.value(call.func)
    if is_field(value):
        given = calls.keyword(call, "foreign_key")
        if given is not None:
            yield given.value
    if not isinstance(value, type):
        return
    positional = calls.positional(call)
    if issubclass(value, ForeignKey):
        given = calls.keyword(call, "column") or next(iter(positional), None)
        if given is not None:
            yield given.value
    elif issubclass(value, ForeignKeyConstraint):
        given = calls.keyword(call, "refcolumns") or next(iter(positional[1:2]), None)
        if given is not None and isinstance(given.value, cst.List | cst.Tuple):
            yield from (one.value for one in given.value.elements)


def _prefixed(
    node: cst.BaseExpression, old: str, new: str, home: str, statement: Statement
) -> cst.BaseExpression:
    """The expression that gives *new* where the one that there is gives *old*."""
    if isinstance(node, cst.SimpleString):
        return calls.with_text(node, new)
    prefix = f"{home}."
    if new != prefix + old:
        raise statement.unclear(
            f"{calls.code_of(node)} gives {old!r} and has to give {new!r}; write it so"
        )
    match node:
        case cst.FormattedString(parts=parts, start=start):
            if "r" not in start.lower():
                text = prefix.replace("{", "{{").replace("}", "}}").replace("\\", "\\\\")
                return node.with_changes(
                    parts=[
                        cst.FormattedStringText(text.replace(start[-1], "\\" + start[-1])),
                        *parts,
                    ]
                )
        case cst.ConcatenatedString(left=left) | cst.BinaryOperation(left=left):
            if isinstance(left, cst.SimpleString | cst.BinaryOperation | cst.ConcatenatedString):
                value = Names(None).text(left)
                if isinstance(value, str):
                    return node.with_changes(
                        left=_prefixed(left, value, prefix + value, home, statement)
                    )
    return calls.expression(f"{calls.literal(prefix)} + {calls.code_of(node)}")


# Relationships


def _secondaries(models: Models, home: str) -> dict[str, list[RelationshipProperty[object]]]:
    """The relationships whose texts name a table, by its name."""
    names = {
        table.name
        for key, table in models.target.tables.items()
        if table.schema == home and models.original(key).schema is None
    }
    found: dict[str, list[RelationshipProperty[object]]] = defaultdict(list)
    for mappers in models.mappers.values():
        for mapper in mappers:
            for key, one in mapper._init_properties.items():
                if not isinstance(one, RelationshipProperty):
                    continue
                if mapper.inherits is not None and key in mapper.inherits._init_properties:
                    continue
                for argument in _ARGUMENTS:
                    text = _argument(one, argument)
                    if text is not None:
                        for name in names & _table_names(text):
                            if one not in found[name]:
                                found[name].append(one)
    return found


_ARGUMENTS = (
    "secondary",
    "primaryjoin",
    "secondaryjoin",
    "order_by",
    "foreign_keys",
    "remote_side",
)
"""Arguments of ``relationship()`` that may be texts and name tables."""


def _argument(one: RelationshipProperty[object], name: str) -> str | None:
    argument = getattr(one._init_args, name).argument
    return argument if isinstance(argument, str) else None


def _table_names(text: str) -> set[str]:
    """The names in an expression that are no attributes."""
    try:
        return {one.value for one in _free_names(calls.expression(text))}
    except cst.ParserSyntaxError:
        return set()


def _free_names(node: cst.BaseExpression) -> list[cst.Name]:
    found: list[cst.Name] = []

    class Finder(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            found.append(node)

        def visit_Attribute(self, node: cst.Attribute) -> bool:
            node.value.visit(self)
            return False

    node.visit(Finder())
    return found


def _rename(
    models: Models, relationship: RelationshipProperty[object], name: str, home: str
) -> None:
    """Has the texts of a relationship name a table with its schema."""
    place = models.relationship(relationship)
    for argument in _ARGUMENTS:
        text = _argument(relationship, argument)
        if text is None or name not in _table_names(text):
            continue
        given = calls.keyword(place.call(), argument)
        if given is None and argument == "secondary":
            given = next(iter(calls.positional(place.call())[1:2]), None)
        if given is None or not isinstance(given.value, cst.SimpleString):
            raise place.statement.unclear(
                f"{argument}={text!r} is not written here as a text; {name} in it has to be "
                f"{home}.{name}"
            )
        if not all(one.isidentifier() and not iskeyword(one) for one in (name, home)):
            raise place.statement.unclear(
                f"SQLAlchemy cannot look {home}.{name} up in a text; give {argument} the Table or "
                "a lambda"
            )
        now = str(given.value.evaluated_value)  # with other tables' schemas, or done already
        if name in _table_names(now):
            new = calls.with_text(given.value, _renamed(now, name, home))
            place.statement.tree = calls.replaced(place.statement.tree, given.value, new)


def _renamed(text: str, name: str, home: str) -> str:
    expression = calls.expression(text)
    if isinstance(expression, cst.Name):
        return f"{home}.{name}"
    for found in _free_names(expression):
        if found.value == name:
            changed = expression.deep_replace(found, calls.expression(f"{home}.{name}"))
            assert isinstance(changed, cst.BaseExpression)
            expression = changed
    return calls.code_of(expression)


# Types and sequences


def _types(models: Models, home: str) -> None:
    for key, table in models.target.tables.items():
        original = models.original(key)
        for column in table.c:
            was = _without_schema(original.c[column.key].type)
            if was is None or was[1] not in _in_schema(column.type, home):
                continue
            type_, name = was
            with models.change(NAME, f"type {name} in schema {home}"):
                place = models.column(key, column.name)
                _place_type(models, place, type_, home)


def _place_type(models: Models, place: ColumnPlace, type_: NamedType, home: str) -> None:
    statement, names = place.statement, place.names
    found = calls.calls_of(statement.tree, names, Enum, DOMAIN)
    if not found:
        given = place.type_argument()
        written = None if given is None else _assigned(models, given.value, names)
        if written is None:
            raise statement.unclear(
                f"its type {type_.name} is not written here; give it schema={calls.literal(home)}"
            )
        statement, names = written
        found = calls.calls_of(statement.tree, names, Enum, DOMAIN)
    if len(found) != 1:
        raise statement.unclear(f"which of these is the type {type_.name} is not clear")
    # With inherit_schema=True it has the schema of its table.
    if not any(calls.keyword(found[0], name) for name in ("schema", "inherit_schema")):
        made = calls.with_keyword(found[0], "schema", calls.literal(home))
        statement.tree = calls.replaced(statement.tree, found[0], made)


def _assigned(
    models: Models, node: cst.BaseExpression, names: Names
) -> tuple[Statement, Names] | None:
    """Where the object that a name stands for is made."""
    value = names.value(node)
    return None if value is MISSING else models.assignment(value)


def _without_schema(type_: TypeEngine[Any]) -> tuple[NamedType, str] | None:
    """The enum type or domain in a column's type, and its name, where it says no schema."""
    while isinstance(type_, ARRAY):
        type_ = type_.item_type
    if isinstance(type_, NamedType) and type_.schema is None and type_.name is not None:
        return type_, str(type_.name)
    return None


def _in_schema(type_: TypeEngine[Any], home: str) -> set[str]:
    return {name for schema, name in named_types(type_) if schema == home}


def _sequences(models: Models, home: str) -> None:
    """Sequences that the models define by themselves, and those that a column's default asks."""
    sequences = {id(one): one for one in models.target.sequences}
    for key in models.target.tables:
        for column in models.original(key).c:
            default = getattr(column.server_default, "arg", None)
            if isinstance(default, next_value):
                sequences[id(default.sequence)] = default.sequence
    for sequence in sequences.values():
        if sequence.schema is None:
            with models.change(NAME, f"sequence {sequence.name} in schema {home}"):
                _place_sequence(models, sequence, home)


def _place_sequence(models: Models, sequence: Sequence, home: str) -> None:
    written = models.assignment(sequence)
    if written is None:
        return  # in a column, where the database makes it of itself; the proof tells otherwise
    statement, names = written
    found = calls.calls_of(statement.tree, names, Sequence)
    if len(found) != 1:
        raise statement.unclear(f"the sequence {sequence.name} is not made here")
    if calls.keyword(found[0], "schema") is None:
        made = calls.with_keyword(found[0], "schema", calls.literal(home))
        statement.tree = calls.replaced(statement.tree, found[0], made)
