"""The imports of a file: names for what a change needs, and those that nothing needs any more."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType

import libcst as cst

from alembic_fixups.codemods import brackets, calls
from alembic_fixups.codemods.files import File, Statement
from alembic_fixups.codemods.import_order import add, imported_by, is_comment, is_import, module_of
from alembic_fixups.codemods.names import MISSING, Names

_WORD = re.compile(r"[^\W\d]\w*")
_COMMENT = re.compile(r"#[^\n]*")
"""Or what looks like one: whether a name is used is asked of the whole file again."""

_WANTED = re.compile(r"#\s*noqa(?!\s*:)|#\s*noqa\s*:[^#]*F401", re.IGNORECASE)
"""What tells linters that an import is wanted though the name is not used."""

_FACADE = re.compile(r"\b(\w+)\.(?:Column|ForeignKey|relationship|Table|mapped_column)\b")
"""``db.Column``: an object of the project's that hands on what SQLAlchemy has."""


def name_for(file: File, wanted: object, module: str, name: str) -> str:
    """What *wanted* is called in a file; it is imported there where it has no name yet.

    Takes the object, and the module and the name that it is imported by.
    """
    names = Names(file.module)
    known = names.named(wanted)
    if known:
        return name if name in known else known[0]
    prefixes = [
        alias
        for alias, value in (vars(file.module) if file.module else {}).items()
        if isinstance(value, ModuleType) and value.__name__ == module
    ]
    prefixes += dict.fromkeys(_FACADE.findall(file.data.decode()))
    for prefix in prefixes:
        if names.value(f"{prefix}.{name}") is wanted:
            return f"{prefix}.{name}"
    alias = name
    while names.value(alias) is not MISSING or alias in file.imports.values():
        if file.imports.get((module, name)) == alias:
            return alias
        alias = f"SA{alias}" if module.startswith("sqlalchemy") else f"_{alias}"
    file.require(module, name, alias)
    return alias


def settle(file: File, used_elsewhere: Callable[[set[str]], set[str]]) -> None:
    """Adds the imports that changes asked for and takes out those that nothing needs any more.

    Takes what says which of some names other files take from this one.
    """
    was, now = _words_of(file, before=True), _words_of(file, before=False)
    # An import in a class stays: the class may have nothing else.
    imported = [one for one in file.module_block.statements if is_import(one)]
    bound = {name for one in imported for name in _names(one)}
    said = {word for one in _changed(file) for word in _WORD.findall(_COMMENT.sub("", one.code))}
    gone = _unused(file, (was - said) & bound)
    if gone:
        gone = gone - used_elsewhere(gone)
    for statement in imported if gone else ():
        _remove(statement, gone)
    add(file, [(*key, alias) for key, alias in file.imports.items() if alias in now])
    _close_gaps(file, [one for one in imported if one.is_gone])


def _unused(file: File, names: set[str]) -> set[str]:
    """Those of some names that the file does not read and does not offer to others."""
    if not names:
        return names
    try:
        tree = ast.parse(file.text)
    except SyntaxError:  # the proof says so
        return set()
    return names - _used(tree) - _exported(file.tree)


def _words_of(file: File, *, before: bool) -> set[str]:
    """The words in the statements that have been changed, as they were or as they are."""
    return {
        word
        for one in _changed(file)
        if one.node is not None or not before
        for word in _WORD.findall(one.source if before else one.code)
    }


def _changed(file: File) -> list[Statement]:
    """The statements that may have been changed, but for imports, which use no name."""
    return [one for one in file.touched.values() if not is_import(one)]


def _names(statement: Statement) -> set[str]:
    """The names that an import gives."""
    node = imported_by(statement)
    if node is None or isinstance(node.names, cst.ImportStar):
        return set()
    return {_bound(one) for one in node.names}


def _used(tree: ast.AST) -> set[str]:
    """The names that a module reads, in annotations that are texts too."""
    found: set[str] = set()
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and _is_expression(node.value)
        ):
            found |= set(_WORD.findall(node.value))
    return found


def _is_expression(text: str) -> bool:
    """Whether a text may be an annotation."""
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _exported(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Name) and one.id == "__all__" for one in targets):
                return {
                    one.value
                    for one in ast.walk(node)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return set()


def _remove(statement: Statement, gone: set[str]) -> None:
    lead, behind = statement.file.around(statement)
    node = imported_by(statement)
    if node is None or isinstance(node.names, cst.ImportStar):
        return
    if isinstance(node, cst.ImportFrom) and module_of(node) == "__future__":
        return
    # A comment that lets an unused name be wanted has it stay.
    if _WANTED.search(behind.decode()) or _WANTED.search(statement.code.partition("\n")[0]):
        return
    doomed = [one for one in node.names if _bound(one) in gone and not _stays(one)]
    if len(doomed) == len(node.names):
        if not lead.strip() and is_comment(behind):
            statement.drop()
        return
    if not doomed:
        return
    made: cst.Import | cst.ImportFrom
    if isinstance(node, cst.ImportFrom):
        made = node
        # Each removal makes those before it anew.
        for place in sorted((node.names.index(one) for one in doomed), reverse=True):
            names = made.names
            assert not isinstance(names, cst.ImportStar)
            made = brackets.without(made, names[place])
    else:
        kept = [one for one in node.names if one not in doomed]
        kept[-1] = kept[-1].with_changes(comma=node.names[-1].comma)
        made = node.with_changes(names=kept)
    statement.tree = calls.replaced(statement.tree, node, made)


def _stays(alias: cst.ImportAlias) -> bool:
    """Whether an import says itself that others may take the name from here."""
    if alias.asname is not None and calls.code_of(alias.name) == _bound(alias):
        return True
    return _WANTED.search(calls.code_of(alias).partition("\n")[0]) is not None


def _bound(alias: cst.ImportAlias) -> str:
    if alias.asname is not None:
        return calls.code_of(alias.asname.name)
    return calls.code_of(alias.name).partition(".")[0]


def _close_gaps(file: File, gone: list[Statement]) -> None:
    """Takes out the empty line behind imports of which a whole group is gone."""
    removed = {
        file.data.count(b"\n", 0, place) for one in gone for place in range(one.start, one.end)
    }
    lines = file.data.split(b"\n")
    for statement in gone:
        above = file.data.count(b"\n", 0, statement.start) - 1
        while above in removed:
            above -= 1
        below = file.data.count(b"\n", 0, statement.end) + 1
        if below in removed or below >= len(lines) - 1 or lines[below].strip():
            continue
        # What has come into the place needs the line.
        first = file.lines[above + 1]
        is_filled = any(
            one.node is None and first <= one.start <= statement.end
            for one in file.module_block.statements
        )
        if not is_filled and (above < 0 or not lines[above].strip()):
            end = statement.end
            file.note(statement, partial(setattr, statement, "end", end))
            statement.end = end + len(file.around(statement)[1]) + len(file.newline)
