"""A Python file as statements, each of which can be changed by itself.

The rest of the file stays as it is byte for byte. Only a statement that a codemod looks into is
parsed by libcst: to parse and visit whole files takes ten times as long.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType

import libcst as cst

from alembic_fixups.codemods.layout import laid_out, with_quotes

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
"""A line as Python counts them; ``splitlines()`` also splits at form feeds."""


class Unclear(Exception):
    """A place in the source that cannot be changed without guessing.

    Attributes:
        file: the file, None where the place is in none.
        line: the line in it, from 1.
    """

    def __init__(self, reason: str, file: File | None = None, line: int = 1) -> None:
        super().__init__(reason)
        self.file = file
        self.line = line


@dataclass(eq=False)
class Statement:
    """A statement of a module's or of a class's body.

    Attributes:
        file: the file that it is in.
        start, end: where it is, as offsets in the file's bytes; the same where it is new.
        node: what it was when the file was read, None where it is new.
        line: its line, from 1.
        indent: the whitespace before it.
        tree: as it is now.
        is_above: whether a new one stands above the line of its place, not behind its end.
        gap: the line breaks between a new one that is not above a line and the one before it.
        is_gone: whether it is taken out, with its line.
    """

    file: File
    start: int
    end: int
    node: ast.stmt | None
    line: int
    indent: str
    _tree: cst.Module | None = None
    is_above: bool = False
    gap: str = "\n"
    is_gone: bool = False

    @property
    def source(self) -> str:
        """Its text when the file was read."""
        return self.file.data[self.start : self.end].decode()

    @property
    def tree(self) -> cst.Module:
        """The statement, as a module of its own."""
        if self._tree is None:
            self._tree = parsed(self.source, self.file.newline)
        return self._tree

    @tree.setter
    def tree(self, tree: cst.Module) -> None:
        was = self._tree
        if tree is not was:
            self.file.note(self, lambda: setattr(self, "_tree", was))
            self._tree = tree

    @property
    def code(self) -> str:
        """Its text as it is now."""
        return self.source if self._tree is None else self._tree.code

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that it assigns or defines."""
        match self.node:
            case ast.Assign(targets=targets):
                return tuple(one.id for one in targets if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                return (name,)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return (name,)
            case None:
                body = self.tree.body[0]
                if isinstance(body, cst.SimpleStatementLine) and isinstance(
                    body.body[0], cst.Assign
                ):
                    named = [target.target for target in body.body[0].targets]
                    return tuple(one.value for one in named if isinstance(one, cst.Name))
        return ()

    @property
    def lost_comment(self) -> str | None:
        """A comment inside of it that it had when the file was read, and has no longer."""
        if self.node is None or "#" not in self.source:
            return None
        left = Counter() if self.is_gone else Counter(_comments(self.code))
        return next(iter(Counter(_comments(self.source)) - left), None)

    def require_encodable(self) -> None:
        """Stops where the file's encoding lacks a character.

        Raises:
            Unclear: it does.
        """
        try:
            self.code.encode(self.file.encoding)
        except UnicodeEncodeError as error:
            raise self.unclear(
                f"the file's encoding, {self.file.encoding}, lacks {error.object[error.start]!r}"
            ) from error

    def drop(self) -> None:
        """Takes it out, with its line where it has that for itself."""
        self.file.note(self, lambda: setattr(self, "is_gone", False))
        self.is_gone = True

    def unclear(self, reason: str) -> Unclear:
        """An error that names the place."""
        return Unclear(reason, self.file, self.line)


@dataclass(eq=False)
class Block:
    """The body of a module or of a class.

    Attributes:
        name: the qualified name of the class, "" for the module.
        node: what it was when the file was read.
        statements: those of its body, new ones included; not those of classes inside.
    """

    file: File
    name: str
    node: ast.Module | ast.ClassDef
    statements: list[Statement] = field(default_factory=list)

    def assigned(self, name: str) -> Statement | None:
        """The statement that gives *name* its value, None where there is none.

        Raises:
            Unclear: there are several.
        """
        found = self._by_name.get(name, [])
        if len(found) > 1:
            raise found[1].unclear(f"{name} is assigned twice")
        return found[0] if found else None

    def assigned_inside(self, name: str) -> int | None:
        """The line on which a statement inside of an ``if`` or the like assigns to *name*."""
        for statement in self.statements:
            for body in _inner(statement.node) if statement.node is not None else ():
                for node in body:
                    targets = node.targets if isinstance(node, ast.Assign) else []
                    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
                    if any(isinstance(one, ast.Name) and one.id == name for one in targets):
                        return node.lineno
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[Statement]]:
        found: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in statement.names:
                found.setdefault(name, []).append(statement)
        return found

    def insert(
        self, code: str, *, after: Statement | None, before: Statement | None = None
    ) -> Statement:
        """A new statement behind another one, or before one, or before all where there is none.

        Raises:
            Unclear: several statements share a line.
        """
        file = self.file
        first = next((one for one in self.statements if one.node is not None), None)
        anchor = after or before or first
        if anchor is None:
            raise Unclear("there is no statement to put another one beside", file, 1)
        lead, trail = file.around(anchor)
        if lead.strip() or (trail.strip() and not trail.lstrip().startswith(b"#")):
            raise anchor.unclear("several statements share a line")
        indent = lead.decode()
        if after is not None:
            place = anchor.end + len(trail)
            made = Statement(file, place, place, None, anchor.line, indent)
            is_docstring = isinstance(anchor.node, ast.Expr)
            if is_docstring and re.match(rb"(\r\n|\r|\n)[ \t]*(\r|\n)", file.data[place:]):
                made.gap = "\n\n"  # as there is one behind the docstring now
        else:
            place = file.above(anchor)
            made = Statement(file, place, place, None, anchor.line, indent, is_above=True)
        made._tree = parsed(code, file.newline)
        file.note(made, lambda: self._remove(made))
        position = self.statements.index(anchor) + (after is not None)
        self.statements.insert(position, made)
        self.__dict__.pop("_by_name", None)
        return made

    def _remove(self, made: Statement) -> None:
        self.statements.remove(made)
        self.__dict__.pop("_by_name", None)
        del self.file.touched[id(made)]


Journal = list[tuple[Statement | None, Callable[[], None]]]
"""What has been changed, one step after another: the statement, and what takes the step back."""


def take_back(journal: Journal, begin: int = 0) -> None:
    """Takes back what has been done since the journal was that long."""
    while len(journal) > begin:
        journal.pop()[1]()


class File:
    """A Python file.

    Raises:
        Unclear: it is no Python.

    Attributes:
        path: where it is.
        module: the module that it was loaded as, None where it was not.
        data: its text as UTF-8 bytes, which is what ast counts in.
        newline: how its lines end.
        width: how long a line may be.
        touched: the statements that may be others now, by their ``id()``.
        journal: all that has been changed, shared with other files.
        imports: what changes need by module and name, with what it is called here.
        locked: why it may not be changed, None where it may.
    """

    def __init__(
        self,
        path: Path,
        module: ModuleType | None,
        width: int = 88,
        journal: Journal | None = None,
        given: bytes | None = None,
    ) -> None:
        """Takes what is in it by now, where that is not written yet."""
        self.path = path
        self.module = module
        self.width = width
        self.journal: Journal = [] if journal is None else journal
        self.original = path.read_bytes() if given is None else given
        try:
            self.encoding, _ = tokenize.detect_encoding(io.BytesIO(self.original).readline)
            self.data = self.original.decode(self.encoding).encode()
            # As a text: of bytes Python would read the encoding's name, which they no longer have.
            self.tree = ast.parse(self.data.decode())
        except (SyntaxError, UnicodeDecodeError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            raise Unclear(f"{type(error).__name__}: {error}", self, line) from error
        self.lines = [0]
        for found in _LINE.finditer(self.data):
            self.lines.append(found.end())
        ends = re.findall(rb"\r\n|\r|\n", self.data)
        self.newline = max(set(ends), key=ends.count, default=b"\n").decode()
        self.blocks: dict[str, list[Block]] = {}
        self.touched: dict[int, Statement] = {}
        self.imports: dict[tuple[str, str], str] = {}
        self.locked: str | None = None
        self.module_block = self._block("", self.tree)

    # What is where

    def _block(self, name: str, node: ast.Module | ast.ClassDef) -> Block:
        block = Block(self, name, node)
        self.blocks.setdefault(name, []).append(block)
        self._fill(block, node.body)
        return block

    def _fill(self, block: Block, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                self._block(f"{block.name}.{node.name}".lstrip("."), node)
                continue
            start = self.offset(node.lineno, node.col_offset)
            end = self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
            indent = self.data[self.lines[node.lineno - 1] : start].decode()
            block.statements.append(
                Statement(self, start, end, node, node.lineno, indent if not indent.strip() else "")
            )
            for inner in _inner(node):
                self._fill_classes(block.name, inner)

    def _fill_classes(self, name: str, body: list[ast.stmt]) -> None:
        """The classes inside of ``if``, ``try`` and ``with``."""
        for node in body:
            if isinstance(node, ast.ClassDef):
                self._block(f"{name}.{node.name}".lstrip("."), node)
            for inner in _inner(node):
                self._fill_classes(name, inner)

    def offset(self, line: int, column: int) -> int:
        """The offset in the bytes of a place that ast gives."""
        return self.lines[line - 1] + column

    def around(self, statement: Statement) -> tuple[bytes, bytes]:
        """What stands before and behind a statement on its lines."""
        first = self.data.rfind(b"\n", 0, statement.start) + 1
        first = max(first, self.data.rfind(b"\r", 0, statement.start) + 1)
        found = re.compile(rb"[^\r\n]*").match(self.data, statement.end)
        return self.data[first : statement.start], found[0] if found else b""

    def above(self, statement: Statement) -> int:
        """Where the first line begins that belongs to a statement: its comments and decorators."""
        assert statement.node is not None
        decorators = getattr(statement.node, "decorator_list", [])
        line: int = min([statement.line, *(one.lineno for one in decorators)])
        while line > 1:
            text = self.data[self.lines[line - 2] : self.lines[line - 1]]
            indent = text[: len(text) - len(text.lstrip())].decode()
            if not text.lstrip().startswith(b"#") or indent != statement.indent:
                break
            line -= 1
        return self.lines[line - 1]

    def class_block(self, name: str) -> Block:
        """The body of a class, by its qualified name.

        Raises:
            Unclear: there is none, or there are several.
        """
        found = self.blocks.get(name, [])
        if len(found) != 1:
            count = "more than one class" if found else "no class statement"
            line = found[1].node.lineno if found else 1  # type: ignore[union-attr]
            raise Unclear(f"there is {count} {name} here", self, line)
        return found[0]

    def statements(self) -> Iterator[Statement]:
        """Every statement of the module and of its classes."""
        for blocks in self.blocks.values():
            for block in blocks:
                yield from block.statements

    # What has changed

    def note(self, statement: Statement, undo: Callable[[], None]) -> None:
        """Has a statement be written out; takes what makes it as it was.

        Raises:
            Unclear: the file may not be changed.
        """
        if self.locked is not None:
            raise statement.unclear(self.locked)
        self.touched.setdefault(id(statement), statement)
        self.journal.append((statement, undo))

    def require(self, module: str, name: str, alias: str) -> None:
        """Has a name be imported under an alias, if anything is called so in the end."""
        key = (module, name)
        if key not in self.imports:
            self.imports[key] = alias
            self.journal.append((None, partial(self.imports.__delitem__, key)))

    @property
    def text(self) -> str:
        """The file as it is now."""
        parts: list[bytes] = []
        place = 0
        # Of statements that were put at one place the first is the one before all others.
        for one in sorted(self.touched.values(), key=lambda one: (one.start, one.end)):
            if one.is_gone:
                start, end = self._line_of(one)
                parts.append(self.data[place:start])
                place = end
                continue
            if one.node is not None and one.code == one.source:
                continue
            parts += [self.data[place : one.start], self._written(one).encode()]
            place = one.end
        return b"".join([*parts, self.data[place:]]).decode()

    def _line_of(self, statement: Statement) -> tuple[int, int]:
        """From where to where a statement is taken out: its lines, where nothing else is there."""
        lead, trail = self.around(statement)
        if lead.strip() or (trail.strip() and not trail.lstrip().startswith(b"#")):
            return statement.start, statement.end
        end = statement.end + len(trail)
        found = re.compile(rb"\r\n|\r|\n").match(self.data, end)
        return statement.start - len(lead), found.end() if found else end

    def _written(self, statement: Statement) -> str:
        code = statement.code.rstrip("\r\n")
        before = None if statement.node is None else statement.source
        code = with_quotes(code, before or "", "'" if self._has_single_quotes else '"')
        text = laid_out(code, before, statement.indent, self.width).replace("\r\n", "\n")
        if statement.node is None and statement.is_above:
            text = f"{statement.indent}{text}\n"
        elif statement.node is None:
            text = f"{statement.gap}{statement.indent}{text}"
        return text.replace("\n", self.newline)

    @cached_property
    def _has_single_quotes(self) -> bool:
        """Whether most of its texts are in single quotes."""
        text = self.data.decode()
        single = re.findall(r"'[^'\"\n]+'", text)
        return len(single) > len(re.findall(r"\"[^'\"\n]+\"", text))

    def line_after(self, line: int) -> int:
        """The line on which that stands which the file had on another when it was read."""
        place = self.lines[min(line, len(self.lines)) - 1]
        added = 0
        for one in self.touched.values():
            if one.is_gone and one.end <= place:
                start, end = self._line_of(one)
                added -= self.data.count(b"\n", start, end)
            elif one.end <= place and (one.node is None or one.code != one.source):
                added += self._written(one).count("\n") - one.source.count("\n")
        return line + added

    @property
    def encoded(self) -> bytes:
        """The file as it is now, in its own encoding.

        Raises:
            UnicodeEncodeError: that has no such character.
        """
        return self.text.encode(self.encoding)


def _comments(code: str) -> list[str]:
    found: list[str] = []
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                found.append(token.string)
    return found


def _inner(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    if isinstance(node, ast.If | ast.Try | ast.With):
        for name in ("body", "orelse", "finalbody"):
            yield getattr(node, name, [])
        for handler in getattr(node, "handlers", []):
            yield handler.body


def parsed(code: str, newline: str = "\n") -> cst.Module:
    """Source as libcst has it."""
    config = cst.PartialParserConfig(default_newline=newline)
    return cst.parse_module(code, config)
