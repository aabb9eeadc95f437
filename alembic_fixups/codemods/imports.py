"""The imports of a file: names for what a change needs, and those that nothing needs any more."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from types import ModuleType

import libcst as cst

from alembic_fixups.codemods import calls
from alembic_fixups.codemods.files import File, Statement
from alembic_fixups.codemods.names import MISSING, Names

_WORD = re.compile(r"[^\W\d]\w*")

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


def settle(file: File, used_elsewhere: Callable[[], set[str]]) -> None:
    """Adds the imports that changes asked for and takes out those that nothing needs any more.

    Takes what gives the names that other files import from this one.
    """
    was, now = _words_of(file, before=True), _words_of(file, before=False)
    for (module, name), alias in sorted(file.imports.items()):
        if alias in now:
            _add(file, module, name, alias)
    imported = [
        one for one in file.statements() if isinstance(one.node, ast.Import | ast.ImportFrom)
    ]
    bound = {name for one in imported for name in _names(one.node)}
    gone = (was - now) & bound
    if not gone:
        return
    gone -= _used(ast.parse(file.text)) | _exported(file.tree)
    if gone:
        gone -= used_elsewhere()
    for statement in imported if gone else ():
        _remove(statement, gone)


def _words_of(file: File, *, before: bool) -> set[str]:
    """The words in the statements that have been changed, as they were or as they are."""
    found: set[str] = set()
    for one in file.touched.values():
        if one.node is None and before:
            continue
        found |= set(_WORD.findall(one.source if before else one.code))
    return found


def _names(node: ast.stmt | None) -> set[str]:
    """The names that an import gives."""
    assert isinstance(node, ast.Import | ast.ImportFrom)
    return {one.asname or one.name.partition(".")[0] for one in node.names}


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


def _add(file: File, module: str, name: str, alias: str) -> None:
    written = name if alias == name else f"{name} as {alias}"
    imports = [
        one
        for one in file.module_block.statements
        if isinstance(one.node, ast.Import | ast.ImportFrom) or one.code.startswith("from ")
    ]
    for statement in imports:
        found = _from(statement)
        if found is not None and _module_of(found) == module and not _has_star(found):
            statement.tree = calls.replaced(statement.tree, found, _with_name(found, written))
            return
    code = f"from {module} import {written}"
    froms = [
        one
        for one in imports
        if isinstance(one.node, ast.ImportFrom) and one.node.level == 0 and one.node.module
    ]
    before = [
        one
        for one in froms
        if isinstance(one.node, ast.ImportFrom) and str(one.node.module) < module
    ]
    package = module.partition(".")[0]
    same = [
        one
        for one in imports
        if isinstance(one.node, ast.ImportFrom | ast.Import) and package in one.code
    ]
    near = [one for one in before if one in same]
    if not near and same and all(one in froms for one in same):
        file.module_block.insert(code, after=None, before=same[0])
        return
    near = near or same or before or froms or imports
    docstring = [
        one
        for one in file.module_block.statements[:1]
        if isinstance(one.node, ast.Expr) and isinstance(one.node.value, ast.Constant)
    ]
    last = near or docstring
    file.module_block.insert(code, after=last[-1] if last else None)


def _from(statement: Statement) -> cst.ImportFrom | None:
    body = statement.tree.body[0] if statement.tree.body else None
    if isinstance(body, cst.SimpleStatementLine) and isinstance(body.body[0], cst.ImportFrom):
        return body.body[0]
    return None


def _module_of(node: cst.ImportFrom) -> str | None:
    return None if node.relative or node.module is None else calls.code_of(node.module)


def _has_star(node: cst.ImportFrom) -> bool:
    return isinstance(node.names, cst.ImportStar)


def _with_name(node: cst.ImportFrom, written: str) -> cst.ImportFrom:
    assert not isinstance(node.names, cst.ImportStar)
    aliases = list(node.names)
    bare = [one.with_changes(comma=cst.MaybeSentinel.DEFAULT) for one in aliases]
    [made] = _alias(written)
    keys = [_key(one) for one in bare]
    place = len(bare)
    if keys == sorted(keys):
        place = next((n for n, key in enumerate(keys) if key > _key(made)), len(bare))
    between = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if len(aliases) > 1 and isinstance(aliases[0].comma, cst.Comma):
        between = aliases[0].comma
    elif node.lpar and isinstance(node.lpar.whitespace_after, cst.ParenthesizedWhitespace):
        between = cst.Comma(whitespace_after=node.lpar.whitespace_after)
    if place < len(aliases):
        aliases.insert(place, made.with_changes(comma=between))
    else:
        last = aliases[-1]
        aliases[-1] = last.with_changes(comma=between)
        aliases.append(made.with_changes(comma=last.comma))
    return node.with_changes(names=aliases)


def _alias(written: str) -> list[cst.ImportAlias]:
    statement = cst.parse_statement(f"from x import {written}")
    assert isinstance(statement, cst.SimpleStatementLine)
    found = statement.body[0]
    assert isinstance(found, cst.ImportFrom) and not isinstance(found.names, cst.ImportStar)
    return list(found.names)


def _key(alias: cst.ImportAlias) -> tuple[int, str]:
    """isort's order: constants, classes, the rest."""
    name = calls.code_of(alias.name)
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _remove(statement: Statement, gone: set[str]) -> None:
    _, behind = statement.file.around(statement)
    if b"noqa" in behind:
        return
    body = statement.tree.body[0]
    if not isinstance(body, cst.SimpleStatementLine):
        return
    node = body.body[0]
    if not isinstance(node, cst.Import | cst.ImportFrom) or isinstance(node.names, cst.ImportStar):
        return
    if isinstance(node, cst.ImportFrom) and _module_of(node) == "__future__":
        return
    kept = [one for one in node.names if _bound(one) not in gone]
    if len(kept) == len(node.names):
        return
    if not kept:
        statement.drop()
        return
    # Of those that stay the last one has what the last one had behind it.
    kept[-1] = kept[-1].with_changes(comma=node.names[-1].comma)
    statement.tree = calls.replaced(statement.tree, node, node.with_changes(names=kept))


def _bound(alias: cst.ImportAlias) -> str:
    if alias.asname is not None:
        return calls.code_of(alias.asname.name)
    return calls.code_of(alias.name).partition(".")[0]
