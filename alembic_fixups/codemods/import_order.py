"""Where in a file a new import stands: where isort and ruff sort it to."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import libcst as cst

from alembic_fixups import project as projects
from alembic_fixups.codemods import brackets, calls
from alembic_fixups.codemods.files import File, Statement, parsed

_FUTURE, _STANDARD, _INSTALLED, _OWN, _RELATIVE = range(5)


def add(file: File, wanted: Iterable[tuple[str, str, str]]) -> None:
    """Imports names, above everything that has them.

    Takes the file, and of each name the module, what it is there and what it is called in the file.
    """
    made = {one: _new(file, *one) for one in wanted}
    # What is put behind one statement is put there in its order.
    for one in sorted(made, key=lambda one: _place(made[one])):
        _add(file, *one, made[one])


def _new(file: File, module: str, name: str, alias: str) -> Statement:
    written = name if alias == name else f"{name} as {alias}"
    tree = parsed(f"from {module} import {written}", file.newline)
    return Statement(file, 0, 0, None, 1, "", tree)


def _add(file: File, module: str, name: str, alias: str, made: Statement) -> None:
    written = name if alias == name else f"{name} as {alias}"
    known = _above(file, alias)
    same = [one for one in known if _takes(one, module)]
    plain = [one for one in same if not all(_renamed(one))]
    # isort has a renamed name, or all names, on lines of their own, or is told not to.
    is_mixed = any(any(_renamed(one)) for one in plain)
    is_single = len(plain) > 1 and all(len(_renamed(one)) == 1 for one in plain)
    if plain and not is_single and (alias == name or is_mixed):
        _extend(plain[0], written)
        return
    _insert(file, _first_run(file, known), made)


def is_import(statement: Statement) -> bool:
    """Whether a statement is an import, a new one too."""
    return imported_by(statement) is not None


def imported_by(statement: Statement) -> cst.Import | cst.ImportFrom | None:
    """The import that a statement is, None where it is something else."""
    if statement.is_gone or not isinstance(statement.node, ast.Import | ast.ImportFrom | None):
        return None
    body = statement.tree.body[0] if statement.tree.body else None
    if isinstance(body, cst.SimpleStatementLine):
        found = body.body[0]
        return found if isinstance(found, cst.Import | cst.ImportFrom) else None
    return None


def module_of(node: cst.ImportFrom) -> str | None:
    """The module that names are taken from, None for a relative one."""
    return None if node.relative or node.module is None else calls.code_of(node.module)


def is_comment(behind: bytes) -> bool:
    """Whether nothing stands behind a statement on its line, or only a comment."""
    return not behind.strip() or behind.lstrip().startswith(b"#")


# Which import takes the name


def _above(file: File, alias: str) -> list[Statement]:
    """The imports that are done before a changed statement reads the name."""
    word = re.compile(rf"\b{re.escape(alias)}\b")
    readers = [
        one.start
        for one in file.touched.values()
        if not is_import(one) and not one.is_gone and word.search(one.code)
    ]
    limit = min(readers, default=len(file.data))
    return [one for one in file.module_block.statements if one.end <= limit and is_import(one)]


def _takes(statement: Statement, module: str) -> bool:
    node = imported_by(statement)
    return (
        isinstance(node, cst.ImportFrom)
        and module_of(node) == module
        and not isinstance(node.names, cst.ImportStar)
    )


def _aliases(statement: Statement) -> list[cst.ImportAlias]:
    node = imported_by(statement)
    return [] if node is None or isinstance(node.names, cst.ImportStar) else list(node.names)


def _renamed(statement: Statement) -> list[bool]:
    """Of each name that an import takes whether it is called otherwise here."""
    return [one.asname is not None for one in _aliases(statement)]


def _extend(statement: Statement, written: str) -> None:
    node = imported_by(statement)
    assert isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar)
    [made] = _made(written)
    keys = [_name_order(one) for one in node.names]
    place = len(keys)
    if keys == sorted(keys):
        place = next((n for n, key in enumerate(keys) if key > _name_order(made)), len(keys))
    before = statement.code
    tree = calls.replaced(statement.tree, node, brackets.inserted(node, made, place))
    _, behind = statement.file.around(statement)
    width = statement.file.width
    line = tree.code + behind.decode()
    is_long = len(tree.code) > width or len(line) > width >= len(before + behind.decode())
    if behind.lstrip().startswith(b"#") and "\n" not in line and is_long:
        # Linters look for the comment on the first line; behind the list it would say nothing.
        names = "".join(f"    {one.strip()},\n" for one in _listed(tree).split(","))
        head = f"{tree.code.partition(' import ')[0]} import ("
        tree = parsed(f"{head}  {behind.decode().strip()}\n{names})", statement.file.newline)
        file, end = statement.file, statement.end
        statement.tree = tree
        file.note(statement, partial(setattr, statement, "end", end))
        statement.end = end + len(behind)
        return
    statement.tree = tree


def _listed(tree: cst.Module) -> str:
    """The names of an import on one line, with commas between."""
    return tree.code.partition(" import ")[2].strip("() ,")


def _made(written: str) -> list[cst.ImportAlias]:
    statement = cst.parse_statement(f"from x import {written}")
    assert isinstance(statement, cst.SimpleStatementLine)
    found = statement.body[0]
    assert isinstance(found, cst.ImportFrom) and not isinstance(found.names, cst.ImportStar)
    return list(found.names)


# Where an import of its own stands


def _first_run(file: File, known: list[Statement]) -> list[Statement]:
    """The first imports between which there is nothing else."""
    if not known:
        return []
    others = [
        file.offset(one.lineno, one.col_offset)
        for one in file.tree.body
        if not isinstance(one, ast.Import | ast.ImportFrom)
    ]
    end = min((place for place in others if place > known[0].start), default=len(file.data))
    return [one for one in known if one.start < end]


def _insert(file: File, run: list[Statement], made: Statement) -> None:
    places = [_place(one) for one in run]
    place = _place(made)
    if any(one > other for one, other in pairwise(places)):
        # What is not sorted shows what belongs together all the same.
        near = [one for one in run if _place(one).package == place.package]
        _behind(file, (near or run)[-1], made, is_apart=False)
        return
    index = sum(other <= place for other in places)
    above, below = places[:index], places[index:]
    if above and above[-1].section == place.section:
        _behind(file, run[index - 1], made, is_apart=False)
    elif below and (not above or below[0].section == place.section):
        _before(file, run[index], made, is_apart=below[0].section != place.section)
    elif above:
        _behind(file, run[index - 1], made, is_apart=True)
    else:
        _on_top(file, made)


def _behind(file: File, anchor: Statement, made: Statement, *, is_apart: bool) -> None:
    """Below the line on which a statement ends, and others that begin there."""
    statements = file.module_block.statements
    index = statements.index(anchor) + 1
    if anchor.is_above:  # so this one stands above the same line
        made.start = made.end = anchor.start
        made.is_above = True
        rest = [one for one in statements[index:] if is_import(one)]
        has_gap = any(_is_empty(one) for one in statements[index : index + 1])
        if is_apart and not has_gap:
            _put(file, _empty_line(made), index)
        index += is_apart
        _put(file, made, index)
        if is_apart and has_gap and not (rest and _place(rest[0]).section == _place(made).section):
            _put(file, _empty_line(made), index + 1)
        return
    end = anchor.end
    for one in sorted(file.statements(), key=lambda one: one.start):
        if one.start >= end and b"\n" not in file.data[end : one.start]:
            end = one.end
    line = re.compile(rb"[^\r\n]*").match(file.data, end)
    made.start = made.end = line.end() if line is not None else end
    made.gap = "\n\n" if is_apart else "\n"
    _put(file, made, index)


def _before(file: File, anchor: Statement, made: Statement, *, is_apart: bool) -> None:
    lead, _ = file.around(anchor)
    if lead.strip():
        _behind(file, anchor, made, is_apart=False)
        return
    is_first = all(one.start >= anchor.start for one in file.statements() if is_import(one))
    # What is said above the first one is said of the file.
    made.start = made.end = anchor.start if is_first else file.above(anchor)
    made.is_above = True
    place = file.module_block.statements.index(anchor)
    _put(file, made, place)
    if is_apart:
        _put(file, _empty_line(made), place + 1)


def _empty_line(behind: Statement) -> Statement:
    file, place = behind.file, behind.start
    return Statement(file, place, place, None, 1, "", parsed("", file.newline), is_above=True)


def _is_empty(statement: Statement) -> bool:
    return statement.node is None and not statement.tree.body


def _on_top(file: File, made: Statement) -> None:
    """Where no import can stand beside it: behind the docstring, or before all else."""
    first = file.tree.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        anchor = next(one for one in file.module_block.statements if one.node is first)
        _behind(file, anchor, made, is_apart=True)
        return
    line = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", ()))])
    made.start = made.end = file.offset(line, 0)
    made.is_above = True
    _put(file, made, 0)
    if not isinstance(first, ast.Import | ast.ImportFrom):  # one that goes leaves its empty line
        _put(file, _empty_line(made), 1)


def _put(file: File, made: Statement, index: int) -> None:
    statements = file.module_block.statements

    def undo() -> None:
        statements.remove(made)
        file.touched.pop(id(made), None)

    made.line = file.data.count(b"\n", 0, made.start) + 1
    file.note(made, undo)
    statements.insert(index, made)
    # Those at one place are written out in the order in which they are noted.
    for one in statements:
        if one.node is None and one.start == made.start and id(one) in file.touched:
            file.touched[id(one)] = file.touched.pop(id(one))


# isort's order


@dataclass(frozen=True, order=True)
class _Place:
    """What imports are sorted by; the fields are in the order of their weight."""

    section: int
    is_from: bool
    dots: int
    module: tuple[object, ...]
    first: tuple[object, ...]

    @property
    def package(self) -> str:
        """The package at the top of the module's name."""
        return str(self.module[-1]).partition(".")[0]


def _place(statement: Statement) -> _Place:
    node = imported_by(statement)
    aliases = _aliases(statement)
    if isinstance(node, cst.ImportFrom):
        name = calls.code_of(node.module) if node.module is not None else ""
        section = _RELATIVE if node.relative else _section(statement.file, name)
        first = _name_order(aliases[0]) if aliases else ()
        return _Place(section, True, -len(node.relative), _natural(name), first)
    name = calls.code_of(aliases[0].name)
    return _Place(_section(statement.file, name), False, 0, _natural(name), ())


def _section(file: File, module: str) -> int:
    package = module.partition(".")[0]
    if package == "__future__":
        return _FUTURE
    if package in sys.stdlib_module_names:
        return _STANDARD
    own = file.module.__name__.partition(".")[0] if file.module is not None else ""
    loaded = sys.modules.get(package)
    paths = [getattr(loaded, "__file__", None), *getattr(loaded, "__path__", ())]
    found = [Path(one).resolve() for one in paths if isinstance(one, str)]
    is_own = bool(found) and not any(projects._is_installed(str(one)) for one in found)
    return _OWN if is_own or package == own else _INSTALLED


def _natural(name: str) -> tuple[object, ...]:
    """A name with its numbers counted: ``Item2`` is before ``Item10``; itself at the end."""
    parts = re.split(r"(\d+)", name.lower())
    return (
        *((not n % 2, int(one) if n % 2 else one) for n, one in enumerate(parts)),
        (True, ""),
        name,
    )


def _name_order(alias: cst.ImportAlias) -> tuple[object, ...]:
    """Constants, classes, the rest."""
    name = calls.code_of(alias.name)
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, _natural(name)
