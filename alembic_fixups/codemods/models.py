"""The running models and their source: where a table, column or relationship is written."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
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
)
from sqlalchemy.orm.mapper import _all_registries

from alembic_fixups.codemods.files import Block, File, Journal, Statement, Unclear, take_back
from alembic_fixups.codemods.names import Names
from alembic_fixups.codemods.places import ColumnPlace, RelationshipPlace, TablePlace
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


@dataclass
class Models:
    """The models of a project, and what has been done to their source.

    Attributes:
        target: the metadata that the fixups have rewritten; its ``original()`` is the models'.
        paths: the files and folders that may be changed; everywhere where there are none.
        width_of: how long a line of a file may be.
        settings_path: the file that is named for what is written in no file of the project's.
        limit: how many changes are made at most, None for all.
        barred: changes that are not made, by fixup and title, with the reason.
        introduce_constant: whether numbers that a model repeats get a name.
        overlay: what is in files that are not written yet.
        changes: what has been done.
        refusals: what has to be done by hand.
    """

    target: Target
    is_own: Callable[[str], bool]
    paths: tuple[Path, ...] = ()
    width_of: Callable[[Path], int] = lambda _: 88
    settings_path: Path = Path("pyproject.toml")
    limit: int | None = None
    barred: Mapping[tuple[str, str], str] = field(default_factory=dict)
    introduce_constant: bool = False
    overlay: Mapping[Path, bytes] = field(default_factory=dict)
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
            for one in {id(one): one for one in changed}.values():
                if one.lost_comment is not None:
                    raise one.unclear(
                        f"the comment {one.lost_comment!r} would go with it; change it by hand"
                    )
                one.require_encodable()
            if changed and (fixup, title) in self.barred:
                reason = f"{LEFT_OUT}: {self.barred[fixup, title]}"
                raise changed[0].unclear(reason)
        except Unclear as error:
            take_back(self.journal, begin)
            self.refuse(fixup, error, title)
            return
        if self.limit is not None and len(self.changes) >= self.limit:
            take_back(self.journal, begin)
        elif changed:
            places = {(one.file.path, one.line) for one in changed}
            self.changes.append(Changed(fixup, title, tuple(sorted(places))))

    def refuse(self, fixup: str, error: Unclear, title: str = "") -> None:
        """Notes something that has to be done by hand."""
        path = error.file.path if error.file is not None else self.settings_path
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
            made = File(
                path,
                self.modules.get(path),
                self.width_of(path),
                self.journal,
                self.overlay.get(path),
            )
            if self.paths and not any(path.is_relative_to(one) for one in self.paths):
                made.locked = "this file is not among those to change; name it too, or no paths"
            self.files[path] = made
        return self.files[path]

    def file_of(self, class_: type) -> File:
        """The file in which a class is written.

        Raises:
            Unclear: it is in none of the project's.
        """
        path = self._paths.get(class_.__module__)
        if path is None:
            raise Unclear(
                f"{class_.__module__}.{class_.__qualname__} is in no module of the project's that "
                "Alembic imports: in an installed package, where only the migration can change it, "
                "or in env.py itself, from where it has to move to a module"
            )
        return self.file(path)

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """The files of the project's modules, by the modules' names."""
        return {module.__name__: path for path, module in self.modules.items()}

    @property
    def model_files(self) -> set[Path]:
        """The project's files in which classes are mapped or tables made."""
        mapped = {one.class_.__module__ for several in self.mappers.values() for one in several}
        files = {self._paths[name] for name in mapped if name in self._paths}
        return files | {path for path, _ in self._tables.values()}

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
                name = mapper.class_.__qualname__
                if name not in file.blocks:
                    raise Unclear(
                        f"the class {name} is made by code here, such as a function or type(); "
                        "change it by hand",
                        file,
                        _line_of(mapper.class_),
                    )
                block = file.class_block(name)
                if block.assigned("__table__") is None:
                    return TablePlace(file, block, None, Names(file.module), table)
        found = self._tables.get(id(table))
        if found is None:
            raise Unclear(
                f"nothing shows where the table {table.name} is written: in no module of the "
                "project's that Alembic imports, or by a function. Change it by hand"
            )
        path, line = found
        file = self.file(path)
        statement = next(
            (
                one
                for one in file.statements()
                if one.node is not None and one.line <= line <= (one.node.end_lineno or one.line)
            ),
            None,
        )
        if statement is None:
            raise Unclear(f"the table {table.name} is made in no statement of its own", file, line)
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
            source = self.overlay.get(path) or path.read_bytes()
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
        written = self._written(key)
        if written is not None and written.statement is not None:
            # The class that is mapped to it may name the column once more, as an annotation.
            return ColumnPlace(written.statement, written.names, name, None, ((key, name),))
        found = self._place_of(key, column)
        if found is None:
            inside = self._inside(key, column)
            if inside is not None:
                raise Unclear(
                    f"{table.name}.{name} is assigned inside of an if or the like; change it by "
                    "hand",
                    *inside,
                )
            place = self.table(key)
            raise Unclear(
                f"{table.name}.{name} is not written in the class or in what it inherits from",
                place.file,
                place.line,
            )
        class_, block, attribute, statement = found
        columns = self._columns_at(class_, attribute, statement) | {(key, name)}
        names = self._names_in(class_, block, statement)
        return ColumnPlace(statement, names, attribute, block, tuple(sorted(columns)))

    def _written(self, key: TableKey) -> TablePlace | None:
        """Where a table is written, None where that is not known."""
        try:
            place = self.table(key)
        except Unclear:
            return None  # to be refused where it is to be changed
        return place

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
        for class_, attribute in self._attributes(key, column):
            found = self.attribute(class_, attribute)
            if found is not None:
                return found[0], found[1], attribute, found[2]
        return None

    def _inside(self, key: TableKey, column: Column[Any]) -> tuple[File, int] | None:
        """Where a column is assigned in a statement of a class's body that has a body itself."""
        for class_, attribute in self._attributes(key, column):
            for base, file in self._bases(class_):
                for block in file.blocks[base.__qualname__]:
                    line = block.assigned_inside(attribute)
                    if line is not None:
                        return file, line
        return None

    def _attributes(self, key: TableKey, column: Column[Any]) -> Iterator[tuple[type, str]]:
        """The classes that a column of a table is mapped in, with what it is called there."""
        for mapper in self.mappers_of(key):
            if column in mapper._columntoproperty:
                yield mapper.class_, mapper._columntoproperty[column].key

    def _bases(self, class_: type) -> Iterator[tuple[type, File]]:
        """A class and its bases, as far as they are written in files of the project's."""
        for base in class_.__mro__:
            path = self._paths.get(base.__module__)
            if path is not None and self.file(path).blocks.get(base.__qualname__):
                yield base, self.file(path)

    def attribute(self, class_: type, name: str) -> tuple[type, Block, Statement] | None:
        """The class among a class and its bases that gives an attribute its value, and where.

        Raises:
            Unclear: it is in a file of the project's that cannot be changed.
        """
        for base, file in self._bases(class_):
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


def _line_of(class_: type) -> int:
    try:
        return inspect.getsourcelines(class_)[1]
    except (OSError, TypeError):
        return 1
