"""The named constants that dimensions come from, and what else uses them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import libcst as cst
from sqlalchemy import Column, Table
from sqlalchemy.orm import mapped_column
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.bindings import assigned, file_of
from alembic_fixups.codemods.files import Block, File, Statement, Unclear
from alembic_fixups.codemods.models import Models
from alembic_fixups.codemods.names import MISSING, Names, dotted
from alembic_fixups.codemods.places import is_field
from alembic_fixups.fixups.vector_dimension.numbers import Number, integer, written
from alembic_fixups.settings import shown

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FIELDS = ("pydantic", "dataclasses", "sqlmodel", "attr", "attrs")
"""The packages whose ``Field()`` or ``field()`` says a default."""


@dataclass(frozen=True)
class Constant:
    """A name with a number.

    Attributes:
        statement: the statement that gives it.
        block: the module's or the class's body that it is in.
        name: the name.
    """

    statement: Statement
    block: Block
    name: str

    @property
    def in_class(self) -> bool:
        """Whether it is an attribute of a class."""
        return bool(self.block.name)

    @property
    def value(self) -> cst.BaseExpression | None:
        """What it is given, the default of a field; None where that is nothing simple."""
        match self.statement.tree.body:
            case [
                cst.SimpleStatementLine(
                    body=[cst.Assign(targets=[_], value=value) | cst.AnnAssign(value=value)]
                )
            ] if value is not None:
                return self._default(value)
        return None

    def _default(self, value: cst.BaseExpression) -> cst.BaseExpression | None:
        if not isinstance(value, cst.Call) or not self.in_class:
            return value
        function = Names(self.block.file.module).value(value.func)
        if getattr(function, "__module__", "").partition(".")[0] not in _FIELDS:
            return value
        given = calls.keyword(value, "default") or next(iter(calls.positional(value)), None)
        return None if given is None else given.value

    def write(self, number: int) -> None:
        """Gives it another number."""
        value = self.value
        assert value is not None
        if written(value) != number:
            tree = calls.replaced(self.statement.tree, value, integer(number, value))
            self.statement.tree = tree

    def __str__(self) -> str:
        return f"{self.block.name}.{self.name}".lstrip(".")


@dataclass(frozen=True)
class Use:
    """A place where a constant is read.

    Attributes:
        file: the file.
        node: the name.
        above: the nodes that it is in, from the module down.
    """

    file: File
    node: ast.Name | ast.Attribute
    above: tuple[ast.AST, ...]

    @property
    def place(self) -> str:
        """Its file and line."""
        return f"{shown(self.file.path)}:{self.node.lineno}"

    def is_in(self, statement: Statement) -> bool:
        """Whether it is in a statement."""
        offset = self.file.offset(self.node.lineno, self.node.col_offset)
        return self.file is statement.file and statement.start <= offset < statement.end


def constant_of(models: Models, number: Number, old: int | None) -> Constant:
    """The constant that dimensions come from, where another literal there changes them.

    Raises:
        Unclear: something else than a literal in the source decides.
    """
    code = number.name
    assert code is not None
    file = number.statement.file
    found = origin(models, code, file, number.block)
    if found is None:
        raise number.statement.unclear(f"where {code} gets its number is not clear")
    value = found.value
    if value is None or written(value) is None:
        given = "something else" if value is None else calls.code_of(value)
        raise found.statement.unclear(f"{found} is {given}, and no number; change it there")
    if written(value) != old:
        raise found.statement.unclear(
            f"{found} is {calls.code_of(value)} here and {old} in the models; change what gives "
            "it that, such as an environment variable"
        )
    _require_default(models, number, found)
    return found


def _require_default(models: Models, number: Number, constant: Constant) -> None:
    """Stops where the attribute of an object may be given from elsewhere.

    Raises:
        Unclear: it is, or nothing shows that it is not.
    """
    code = number.name or ""
    holder = number.names.value(code.rpartition(".")[0] or None)
    if not constant.in_class or isinstance(holder, type | ModuleType) or holder is MISSING:
        return
    fields = getattr(holder, "model_fields_set", getattr(holder, "__fields_set__", None))
    if fields is not None:
        if constant.name in fields:
            raise constant.statement.unclear(
                f"{code} is given by an environment variable or an argument; change that one"
            )
        return
    if constant.name not in getattr(holder, "__dict__", {}):
        return
    made = models.assignment(holder)
    if made is not None:
        [*found] = calls.calls(made[0].tree, lambda one: made[1].value(one.func) is type(holder))
        if len(found) == 1 and not (
            calls.has_stars(found[0])
            or calls.positional(found[0])
            or calls.keyword(found[0], constant.name)
        ):
            return
    raise constant.statement.unclear(
        f"whether {code} is the number that is written here is not clear; change it by hand"
    )


# What a name leads to


def origin(
    models: Models, code: str, file: File, block: Block | None, depth: int = 8
) -> Constant | None:
    """The constant that a name leads to, by way of imports and of constants that are others."""
    found = _binding(models, code, file, block)
    if found is None or depth == 0:
        return found
    further = dotted(found.value)
    if further is None or further == "None":
        return found
    around = found.block if found.in_class else None
    return origin(models, further, found.block.file, around, depth - 1)


def _binding(models: Models, code: str, file: File, block: Block | None) -> Constant | None:
    first, _, name = code.rpartition(".")
    if not first:
        statement = None if block is None else block.assigned(name)
        if statement is not None and block is not None:
            return Constant(statement, block, name)
        return _in_module(models, file, name)
    owner = Names(file.module).value(first)
    if isinstance(owner, ModuleType):
        other = file_of(models, owner)
        return None if other is None else _in_module(models, other, name)
    if owner is MISSING:
        return None
    given = models.attribute(owner if isinstance(owner, type) else type(owner), name)
    return None if given is None else Constant(given[2], given[1], name)


def _in_module(models: Models, file: File, name: str) -> Constant | None:
    found = assigned(models, file, name)
    return None if found is None else Constant(found[0], found[0].file.module_block, found[1])


# What else uses it


def uses(models: Models, constant: Constant, value: int | None) -> Iterator[Use]:
    """Every place in the project's loaded modules where a constant is read."""
    for path, module in models.modules.items():
        aliases = {constant.name}
        for name, known in vars(module).items():
            if isinstance(known, int) and known == value:
                aliases.add(name)
        data = path.read_bytes()
        if not any(name.encode() in data for name in aliases):
            continue
        try:
            file = models.file(path)
        except Unclear:
            continue
        yield from _uses_in(models, file, constant, file.tree, ())


def _uses_in(
    models: Models, file: File, constant: Constant, node: ast.AST, above: tuple[ast.AST, ...]
) -> Iterator[Use]:
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        code = dotted(node)
        if code is not None and _is_use(models, file, constant, code, above):
            yield Use(file, node, above)
            return
        if (
            isinstance(node, ast.Attribute)
            and constant.in_class
            and node.attr == constant.name
            and (code is None or code.partition(".")[0] in ("cls", "self"))
        ):
            yield Use(file, node, above)  # an object of that class, as far as can be told
            return
    for child in ast.iter_child_nodes(node):
        yield from _uses_in(models, file, constant, child, (*above, node))


def _is_use(
    models: Models, file: File, constant: Constant, code: str, above: tuple[ast.AST, ...]
) -> bool:
    block = None
    for one in above:
        if isinstance(one, ast.ClassDef):
            block = next(
                (known for blocks in file.blocks.values() for known in blocks if known.node is one),
                None,
            )
        elif isinstance(one, _Function):
            block = None  # a function does not see the names of the class that it is in
    try:
        found = origin(models, code, file, block)
    except Unclear:
        return False
    return found is not None and found.statement is constant.statement


def kind_of(models: Models, use: Use) -> Literal["follows", "column", "unclear"]:
    """What a use of a constant is where no column that changes has it.

    It follows where it only hands the number on; ``column`` where a type is made with it.
    """
    names = Names(use.file.module)
    made = [names.value(one.func) for one in use.above if isinstance(one, ast.Call)]
    if any(isinstance(one, _Function) for one in use.above):
        return "unclear" if any(map(_is_of_table, made)) else "follows"
    if _is_of_model(models, use) and any(map(_is_of_schema, made)):
        is_type = isinstance(made[-1], type) and issubclass(made[-1], TypeEngine)
        others = [one for one in made if _is_of_table(one) and not _is_column(one)]
        return "column" if is_type and others in ([], [Table]) else "unclear"
    parent = use.above[-1]
    handed_on = ast.Call | ast.keyword | ast.Dict | ast.List | ast.Tuple | ast.Set
    if isinstance(parent, ast.Assign | ast.AnnAssign):
        return "follows"
    if not isinstance(parent, handed_on):
        return "unclear"
    targets: list[ast.expr] = []
    for one in use.above:
        if isinstance(one, ast.Assign | ast.AnnAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
    # What is calculated from it may be the dimensions of something else.
    derived = any(isinstance(names.value(one), int | float | str) for one in targets)
    return "unclear" if derived else "follows"


def _is_of_model(models: Models, use: Use) -> bool:
    """Whether it is in a module's body, or in a class that is mapped or that a mapped one has."""
    inner = [one for one in use.above if isinstance(one, ast.ClassDef)]
    if not inner:
        return True
    class_: Any = Names(use.file.module).value(".".join(one.name for one in inner))
    if not isinstance(class_, type):
        return True
    mappers = (mapper for mappers in models.mappers.values() for mapper in mappers)
    return any(issubclass(mapper.class_, class_) for mapper in mappers)


def _is_of_schema(value: object) -> bool:
    if isinstance(value, type) and issubclass(value, TypeEngine):
        return True
    package = str(getattr(value, "__module__", "")).partition(".")[0]
    return package in ("sqlalchemy", "sqlmodel", "pgvector")


def _is_of_table(value: object) -> bool:
    """Whether it makes a column, a table, an index or a constraint."""
    return _is_column(value) or (isinstance(value, type) and issubclass(value, SchemaItem))


def _is_column(value: object) -> bool:
    is_class = isinstance(value, type) and issubclass(value, Column)
    return is_class or value is mapped_column or is_field(value)
