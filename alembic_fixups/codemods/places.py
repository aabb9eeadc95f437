"""Where a table, column or relationship is written, and how it is changed there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import libcst as cst
from sqlalchemy import Column, Table
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls, table_args
from alembic_fixups.codemods.files import Block, File, Statement, Unclear
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.names import Names
from alembic_fixups.target import TableKey


@dataclass(frozen=True)
class TablePlace:
    """Where a table is written.

    Attributes:
        file: the file.
        block: the class, None for a ``Table()``.
        statement: the statement with the ``Table()``, None for a class without one.
        names: what names mean there.
        table: the table.
    """

    file: File
    block: Block | None
    statement: Statement | None
    names: Names
    table: Table

    @property
    def line(self) -> int:
        """Its line."""
        if self.statement is not None:
            return self.statement.line
        return self.block.node.lineno if isinstance(self.block.node, ast.ClassDef) else 1  # type: ignore[union-attr]

    def call(self) -> cst.Call:
        """The call of ``Table()`` as it is now."""
        assert self.statement is not None
        found = [
            one
            for one in calls.calls_of(self.statement.tree, self.names, Table)
            if one.args and self.names.text(one.args[0].value) == self.table.name
        ]
        if len(found) != 1:
            raise self.statement.unclear(f"the Table() of {self.table.name} is not written here")
        return found[0]

    def extend(self, elements: Iterable[str], options: dict[str, str] | None = None) -> None:
        """Adds constraints and indexes, and options such as the schema.

        Raises:
            Unclear: what is there cannot be added to.
        """
        if self.statement is not None:
            call = self.call()
            if any(one.star == "**" for one in call.args) and options:
                raise self.statement.unclear("Table() is given ** of something")
            table_args.extend_call(self.statement, call, list(elements), options)
            return
        assert self.block is not None
        if self.block.assigned(table_args.NAME) is None:
            inherited = self._inherited()
            if inherited is not None:
                self._extend_inherited(inherited, list(elements), options or {})
                return
        table_args.extend(self.block, list(elements), options, self.names)

    def _extend_inherited(self, base: type, elements: list[str], options: dict[str, str]) -> None:
        """Gives the class arguments of its own, with the dict that it has from a base."""
        assert self.block is not None
        given = vars(base)[table_args.NAME]
        for one in self.block.node.bases if isinstance(self.block.node, ast.ClassDef) else ():
            if (
                isinstance(given, dict)
                and getattr(self.names.value(one), table_args.NAME, 0) is given
            ):
                keys = "".join(f", {calls.literal(key)}: {code}" for key, code in options.items())
                widened = f"{{**{ast.unparse(one)}.{table_args.NAME}{keys}}}"
                table_args.extend(self.block, [*elements, widened], is_whole=not elements)
                return
        raise Unclear(
            f"{self.table.name} has the {table_args.NAME} of {base.__name__}; give the class "
            f"one of its own with {', '.join([*elements, *options])}",
            self.file,
            self.line,
        )

    def _inherited(self) -> type | None:
        """The class that it has its ``__table_args__`` from."""
        assert self.block is not None
        class_ = _class_of(self.file.module, self.block.name)
        for base in class_.__mro__[1:] if class_ is not None else ():
            given = vars(base).get(table_args.NAME)
            # Those of a mapped class are for its own table, but for a declared_attr.
            is_own = "__mapper__" in vars(base) and isinstance(given, dict | tuple)
            if given is not None and not is_own:
                return base
        return None


@dataclass(frozen=True)
class ColumnPlace:
    """Where a column is written.

    Attributes:
        statement: the statement; a function's definition for a ``declared_attr``.
        names: what names mean there.
        attribute: the attribute of the class, or the column's name in a ``Table()``.
        block: the class whose body it is in, None for a ``Table()``.
        columns: all columns that it makes, by table and name: those of every class that a mixin
            or a base hands it on to.
    """

    statement: Statement
    names: Names
    attribute: str
    block: Block | None
    columns: tuple[tuple[TableKey, str], ...]

    @property
    def is_function(self) -> bool:
        """Whether a function gives the column."""
        return isinstance(self.statement.node, ast.FunctionDef)

    def call(self) -> cst.Call | None:
        """The call that makes the column as it is now; None where there is only an annotation.

        Raises:
            Unclear: something else makes it.
        """
        found = calls.calls_of(self.statement.tree, self.names, *column_makers())
        if self.block is None:
            found = [
                one
                for one in found
                if one.args and self.names.text(one.args[0].value) == self.attribute
            ]
        outer = [one for one in found if not any(_contains(other, one) for other in found)]
        if len(outer) == 1:
            return outer[0]
        node = self.statement.node
        if not found and isinstance(node, ast.AnnAssign) and node.value is None:
            return None
        raise self.statement.unclear(f"how {self.attribute} becomes a column is not written here")

    def replace(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        """Puts one node in the place of another."""
        self.statement.tree = calls.replaced(self.statement.tree, old, new)

    def type_argument(self) -> cst.Arg | None:
        """The argument that gives the type, None where there is none.

        Raises:
            Unclear: something else makes the column.
        """
        call = self.call()
        if call is None:
            return None
        for name in ("type_", "sa_type"):
            found = calls.keyword(call, name)
            if found is not None:
                return found
        for one in calls.positional(call):
            if isinstance(self.names.text(one.value), str):
                continue  # the name
            made = one.value.func if isinstance(one.value, cst.Call) else one.value
            value = self.names.value(made)
            is_class = isinstance(value, type) and issubclass(value, TypeEngine)
            if is_class or isinstance(value, TypeEngine):
                return one
        return None

    def set_type(self, code: str) -> None:
        """Writes a type in, or in the place of the one that is there.

        Raises:
            Unclear: something else makes the column, or gives it its type.
        """
        call = self.call()
        if call is None:
            assert self.block is not None
            function = name_for(self.block.file, mapped_column, "sqlalchemy.orm", "mapped_column")
            [line] = self.statement.tree.body
            assert isinstance(line, cst.SimpleStatementLine)
            [assigned] = line.body
            assert isinstance(assigned, cst.AnnAssign)
            given = assigned.with_changes(
                value=calls.expression(f"{function}({code})"), equal=cst.AssignEqual()
            )
            self.replace(assigned, given)
            return
        known = self.type_argument()
        if known is not None:
            self.replace(call, calls.with_argument(call, known, code))
            return
        if calls.has_stars(call):
            raise self.statement.unclear(f"{self.attribute} is given * of something")
        if is_field(self.names.value(call.func)):
            self.replace(call, calls.with_keyword(call, "sa_type", code))
            return
        first = next(iter(calls.positional(call)), None)
        is_named = first is not None and isinstance(self.names.text(first.value), str)
        self.replace(call, calls.with_positional(call, code, int(is_named)))


@dataclass(frozen=True)
class RelationshipPlace:
    """Where a relationship is written.

    Attributes:
        statement: the statement.
        names: what names mean there.
        class_: the class whose body it is in; a mixin where it is inherited.
        block: its body.
    """

    statement: Statement
    names: Names
    class_: type
    block: Block

    def call(self) -> cst.Call:
        """The call of ``relationship()`` as it is now, of whatever facade.

        Raises:
            Unclear: there is none, or several.
        """
        found = calls.calls(
            self.statement.tree,
            lambda call: (
                (calls.code_of(call.func).rpartition(".")[2] in _RELATIONSHIPS)
                or self.names.value(call.func) in _relationship_makers()
            ),
        )
        if len(found) != 1:
            raise self.statement.unclear("there is no call of relationship() here")
        return found[0]


_RELATIONSHIPS = ("relationship", "Relationship", "relation", "dynamic_loader")


def _relationship_makers() -> list[object]:
    from sqlalchemy.orm import relationship

    return [relationship]


def column_makers() -> list[object]:
    """The functions and classes whose calls make a column."""
    found: list[object] = [mapped_column, Column]
    sqlmodel = sys.modules.get("sqlmodel")
    if sqlmodel is not None:
        found.append(sqlmodel.Field)
    return found


def is_field(value: object) -> bool:
    """Whether it is the ``Field`` of SQLModel."""
    sqlmodel = sys.modules.get("sqlmodel")
    return sqlmodel is not None and value is sqlmodel.Field


def _contains(outer: cst.Call, inner: cst.Call) -> bool:
    return outer is not inner and inner in calls.calls(outer, lambda call: call is inner)


def _class_of(module: ModuleType | None, name: str) -> type | None:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None
