"""The running models and their source: where a table, column or relationship is written."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import libcst as cst
from sqlalchemy import Column, Table
from sqlalchemy.orm import (
    ColumnProperty,
    Mapper,
    QueryableAttribute,
    RelationshipProperty,
    mapped_column,
)
from sqlalchemy.orm.mapper import _all_registries
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls, table_args
from alembic_fixups.codemods.files import Block, File, Journal, Statement, Unclear
from alembic_fixups.codemods.imports import name_for
from alembic_fixups.codemods.names import Names
from alembic_fixups.target import TableKey, Target

LEFT_OUT = "the models would not be those that are meant"
"""Begins the reason of what was tried and did not pass."""


@dataclass(frozen=True)
class Refusal:
    """Something that has to be done by hand.

    Attributes:
        path, line: where.
        fixup: the fixup that would have changed it.
        reason: why it is left alone, and the way out.
    """

    path: Path
    line: int
    fixup: str
    reason: str


@dataclass(frozen=True)
class Changed:
    """Something that has been done.

    Attributes:
        fixup: the fixup that did it.
        title: what it is, in a few words.
        places: the files and lines where it is done.
    """

    fixup: str
    title: str
    places: tuple[tuple[Path, int], ...]


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
        is_dict = isinstance(vars(base)[table_args.NAME], dict)
        if elements and is_dict and getattr(self.file.module, base.__name__, None) is base:
            given = f"{{**{base.__name__}.{table_args.NAME}}}"
            table_args.extend(self.block, [*elements, given], options)
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


@dataclass
class Models:
    """The models of a project, and what has been done to their source.

    Attributes:
        target: the metadata that the fixups have rewritten; its ``original()`` is the models'.
        paths: the files and folders that may be changed; everywhere where there are none.
        width_of: how long a line of a file may be.
        limit: how many changes are made at most, None for all.
        barred: changes that are not made, by fixup and title, with the reason.
        introduce_constant: whether numbers that a model repeats get a name.
        changes: what has been done.
        refusals: what has to be done by hand.
    """

    target: Target
    is_own: Callable[[str], bool]
    paths: tuple[Path, ...] = ()
    width_of: Callable[[Path], int] = lambda _: 88
    limit: int | None = None
    barred: Mapping[tuple[str, str], str] = field(default_factory=dict)
    introduce_constant: bool = False
    changes: list[Changed] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    files: dict[Path, File] = field(default_factory=dict)
    journal: Journal = field(default_factory=list)
    _bodies: dict[type, type] = field(default_factory=dict)

    @contextmanager
    def change(self, fixup: str, title: str) -> Iterator[None]:
        """All that is changed inside is one thing: it is done whole, or refused and not at all."""
        begin = len(self.journal)
        try:
            yield
            changed = [one for one, _ in self.journal[begin:] if one is not None]
            if changed and (fixup, title) in self.barred:
                reason = f"{LEFT_OUT}: {self.barred[fixup, title]}"
                raise changed[0].unclear(reason)
        except Unclear as error:
            self._undo(begin)
            self.refuse(fixup, error, title)
            return
        if self.limit is not None and len(self.changes) >= self.limit:
            self._undo(begin)
        elif changed:
            places = {(one.file.path, one.line) for one in changed}
            self.changes.append(Changed(fixup, title, tuple(sorted(places))))

    def _undo(self, begin: int) -> None:
        """Takes back what has been done since the journal was that long."""
        while len(self.journal) > begin:
            self.journal.pop()[1]()

    def refuse(self, fixup: str, error: Unclear, title: str = "") -> None:
        """Notes something that has to be done by hand."""
        path = error.file.path if error.file is not None else Path()
        reason = f"{title}: {error}" if title else str(error)
        refusal = Refusal(path, error.line, fixup, reason)
        if refusal not in self.refusals:
            self.refusals.append(refusal)

    # Files

    @cached_property
    def modules(self) -> dict[Path, ModuleType]:
        """The project's own modules that are loaded, by their files."""
        found: dict[Path, ModuleType] = {}
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            if isinstance(name, str) and name.endswith(".py") and self.is_own(name):
                found.setdefault(Path(name).resolve(), module)
        return found

    def file(self, path: Path) -> File:
        """A file of the project.

        Raises:
            Unclear: it is no Python.
        """
        if path not in self.files:
            made = File(path, self.modules.get(path), self.width_of(path), self.journal)
            if self.paths and not any(path.is_relative_to(one) for one in self.paths):
                made.locked = "this file is not among those to change"
            self.files[path] = made
        return self.files[path]

    def file_of(self, class_: type) -> File:
        """The file in which a class is written.

        Raises:
            Unclear: it is in none of the project's.
        """
        path = self._paths.get(class_.__module__)
        if path is None:
            raise Unclear(f"{class_.__module__}.{class_.__qualname__} is not the project's own")
        return self.file(path)

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """The files of the project's modules, by the modules' names."""
        return {module.__name__: path for path, module in self.modules.items()}

    # Tables

    @cached_property
    def mappers(self) -> dict[int, list[Mapper[Any]]]:
        """The mappers of every table, by its ``id()``; the one that it is made for comes first."""
        found: dict[int, list[Mapper[Any]]] = defaultdict(list)
        for registry in _all_registries():
            for mapper in registry.mappers:
                found[id(mapper.local_table)].append(mapper)
        for mappers in found.values():
            mappers.sort(
                key=lambda one: (one.single, len(one.class_.__mro__), one.class_.__qualname__)
            )
        return found

    def mappers_of(self, key: TableKey) -> list[Mapper[Any]]:
        """The mappers of a table."""
        return self.mappers.get(id(self.original(key)), [])

    def original(self, key: TableKey) -> Table:
        """The table as the running models have it; *key* is that of the rewritten one."""
        return self.target.original(self.target.table(key))

    def table(self, key: TableKey) -> TablePlace:
        """Where a table is written.

        Raises:
            Unclear: it is not written in a file of the project, or cannot be found there.
        """
        table = self.original(key)
        for mapper in self.mappers_of(key):
            # One with a Table() of its own, or mapped to one, does not name its table.
            if hasattr(mapper.class_, "__tablename__") and not mapper.single:
                file = self.file_of(mapper.class_)
                block = file.class_block(mapper.class_.__qualname__)
                if block.assigned("__table__") is None:
                    return TablePlace(file, block, None, Names(file.module), table)
        found = self._tables.get(id(table))
        if found is None:
            raise Unclear(f"nothing shows where the table {table.name} is written")
        path, line = found
        file = self.file(path)
        statement = next(
            one
            for one in file.statements()
            if one.node is not None and one.line <= line <= (one.node.end_lineno or one.line)
        )
        return TablePlace(file, None, statement, Names(file.module), table)

    @cached_property
    def _tables(self) -> dict[int, tuple[Path, int]]:
        """File and line of the calls of ``Table()`` that are not in a class."""
        by_name: dict[str, list[Table]] = defaultdict(list)
        for table in self.target.tables.values():
            original = self.target.original(table)
            by_name[original.name].append(original)
        found: dict[int, list[tuple[Path, int]]] = defaultdict(list)
        for path in self.modules:
            source = path.read_bytes()
            if b"Table(" not in source:
                continue
            try:
                file = self.file(path)
            except Unclear:
                continue
            names = Names(file.module)
            for node in ast.walk(file.tree):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                value = names.value(node.func)
                name = names.text(cst.parse_expression(ast.unparse(node.args[0])))
                is_table = isinstance(value, type) and issubclass(value, Table)
                if not is_table or not isinstance(name, str):
                    continue
                for table in by_name.get(name, ()):
                    if len(by_name[name]) == 1 or self._is_bound(file, node, table):
                        found[id(table)].append((path, node.lineno))
        return {key: places[0] for key, places in found.items() if len(places) == 1}

    @staticmethod
    def _is_bound(file: File, node: ast.Call, table: Table) -> bool:
        """Whether the name that a call's result is given has that table."""
        for statement in file.module_block.statements:
            if isinstance(statement.node, ast.Assign) and statement.node.value is node:
                return any(getattr(file.module, name, None) is table for name in statement.names)
        return False

    # Columns and relationships

    def assignment(self, value: object) -> tuple[Statement, Names] | None:
        """Where a module of the project's assigns an object to a name, None where none does.

        Raises:
            Unclear: it is assigned twice.
        """
        for path, module in self.modules.items():
            for name in Names(module).named(value):
                file = self.file(path)
                statement = file.module_block.assigned(name)
                if statement is not None and isinstance(statement.node, ast.Assign | ast.AnnAssign):
                    return statement, Names(module)
        return None

    def column(self, key: TableKey, name: str) -> ColumnPlace:
        """Where a column of a table is written; *name* is that in the database.

        Raises:
            Unclear: it cannot be found in a file of the project.
        """
        table = self.original(key)
        column = next(one for one in table.c if one.name == name)
        found = self._place_of(key, column)
        if found is None:
            place = self.table(key)
            if place.statement is not None:
                return ColumnPlace(place.statement, place.names, name, None, ((key, name),))
            raise Unclear(
                f"{table.name}.{name} is not written in the class or in what it inherits from",
                place.file,
                place.line,
            )
        class_, block, attribute, statement = found
        columns = self._columns_at(class_, attribute, statement) | {(key, name)}
        names = self._names_in(class_, block, statement)
        return ColumnPlace(statement, names, attribute, block, tuple(sorted(columns)))

    def _names_in(self, class_: type, block: Block, statement: Statement) -> Names:
        if class_ not in self._bodies:
            self._bodies[class_] = _plain_class(class_)
        return Names(block.file.module, self._bodies[class_], _locals(statement.node))

    def _columns_at(
        self, class_: type, attribute: str, statement: Statement
    ) -> set[tuple[TableKey, str]]:
        """The columns that a statement makes in a class's body: those of its subclasses as well."""
        found: set[tuple[TableKey, str]] = set()
        for key, mapper in self._mapped:
            if class_ not in mapper.class_.__mro__ or attribute not in mapper._props:
                continue
            place = self.attribute(mapper.class_, attribute)
            if place is None or place[2] is not statement:
                continue
            given = mapper._props[attribute]
            columns = given.columns if isinstance(given, ColumnProperty) else ()
            table = self.original(key)
            found |= {(key, one.name) for one in columns if one.table is table}
        return found

    @cached_property
    def _mapped(self) -> list[tuple[TableKey, Mapper[Any]]]:
        return [(key, one) for key in self.target.tables for one in self.mappers_of(key)]

    def _place_of(
        self, key: TableKey, column: Column[Any]
    ) -> tuple[type, Block, str, Statement] | None:
        for mapper in self.mappers_of(key):
            if column not in mapper._columntoproperty:
                continue
            attribute = mapper._columntoproperty[column].key
            found = self.attribute(mapper.class_, attribute)
            if found is not None:
                return found[0], found[1], attribute, found[2]
        return None

    def attribute(self, class_: type, name: str) -> tuple[type, Block, Statement] | None:
        """The class among a class and its bases that gives an attribute its value, and where.

        Raises:
            Unclear: it is in a file of the project's that cannot be changed.
        """
        for base in class_.__mro__:
            path = self._paths.get(base.__module__)
            if path is None:
                continue
            file = self.file(path)
            if not file.blocks.get(base.__qualname__):
                continue
            block = file.class_block(base.__qualname__)
            statement = block.assigned(name)
            if statement is not None and statement.node is not None:
                return base, block, statement
        return None

    def relationship(self, relationship: RelationshipProperty[Any]) -> RelationshipPlace:
        """Where a relationship is written; for the other side of a ``backref``, that side.

        Raises:
            Unclear: it cannot be found in a file of the project.
        """
        class_ = relationship.parent.class_
        found = self.attribute(class_, relationship.key)
        if found is None:
            raise Unclear(
                f"{class_.__name__}.{relationship.key} is not written in the class or in what it "
                "inherits from",
                self.file_of(class_),
                _line_of(class_),
            )
        owner, block, statement = found
        names = self._names_in(owner, block, statement)
        return RelationshipPlace(statement, names, owner, block)


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


def _locals(node: ast.stmt | None) -> set[str]:
    """The names that a function has of its own."""
    if not isinstance(node, ast.FunctionDef):
        return set()
    arguments = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    return arguments | {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }


def _plain_class(class_: type) -> type:
    """A class with the names that another's body has, without what SQLAlchemy has put there."""
    plain = {
        name: value
        for name, value in vars(class_).items()
        if not isinstance(value, QueryableAttribute) and not name.startswith("__")
    }
    return type("Body", (), plain)


def _class_of(module: ModuleType | None, name: str) -> type | None:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def _line_of(class_: type) -> int:
    try:
        return inspect.getsourcelines(class_)[1]
    except (OSError, TypeError):
        return 1
