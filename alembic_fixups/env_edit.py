"""The plugin's name into ``context.configure()`` of an env.py, with everything else as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameProvider

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown

PLUGIN = "alembic_fixups"
ARGUMENT = "autogenerate_plugins"
ARGUMENT_SOURCE = f'{ARGUMENT}=["alembic.autogenerate.*", "{PLUGIN}"]'
TRANSACTION = (
    "a transaction that env.py begins itself; the one of the migrations has to be Alembic's, "
    "because they need autocommit. Use connect() in place of engine.begin(), take "
    "connection.begin() out with its commit() and rollback(), and put context.run_migrations() "
    "below `with context.begin_transaction():`"
)
_MISSPELT = re.compile(r"alembic[-_]fixups(\..*)?")
_MIGRATING = re.compile("configure|run_migrations|run_sync")


@dataclass(frozen=True)
class EnvEdit:
    """What becomes of an env.py.

    Attributes:
        source: its source afterwards; the same where there was nothing to do.
        left: line and reason of each call that somebody has to look at.
        notes: line and advice where env.py does what migrations with fixups do not go with.
    """

    source: bytes
    left: list[tuple[int, str]]
    notes: list[tuple[int, str]] = field(default_factory=list)


def edit_env(source: bytes, path: Path = Path("env.py")) -> EnvEdit:
    """Adds the plugin to every ``context.configure()`` of the online branch.

    Args:
        source: the env.py; its layout, comments, line ends and encoding stay as they are.
        path: its name, for the message.

    Raises:
        ProjectError: it is no Python.
    """
    try:
        module = cst.parse_module(source)
    except (cst.ParserSyntaxError, SyntaxError, UnicodeDecodeError) as error:
        _require_python(source, path)
        raise ProjectError(f"{shown(path)}: libcst cannot read this Python: {error}") from error
    wrapper = MetadataWrapper(module)
    found = _Calls()
    wrapper.visit(found)
    calls = found.online()
    if not calls:
        reason = f"no context.configure(connection=...) found; give it {ARGUMENT_SOURCE}"
        return EnvEdit(source, [(1, reason)])

    edits: dict[cst.Call, cst.Call] = {}
    left: list[tuple[int, str]] = []
    notes = [(line, TRANSACTION) for line in found.begun]
    for call in calls:
        edited = _edit_call(call, found, module.default_indent)
        if isinstance(edited, str):
            left.append((found.lines[call], edited))
        else:
            edits[call] = edited
    return EnvEdit(wrapper.visit(_Replace(edits)).bytes, left, notes)


def _require_python(source: bytes, path: Path) -> None:
    try:
        compile(source, str(path), "exec")
    except SyntaxError as error:
        message = f"{type(error).__name__}: {error.msg}"
        raise ProjectError(f"{shown(path)}:{error.lineno or 1}: {message}") from error


class _Calls(cst.CSTVisitor):
    """Finds the calls of Alembic's ``configure()``, by whatever name it goes.

    Attributes:
        lines: each of the calls with its line.
        strings: every string in the file.
        keywords: the names of the keyword arguments of all other calls.
        begun: the lines where a transaction is begun that the migrations may run in.
    """

    METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[cst.Call, int] = {}
        self.strings: set[str] = set()
        self.keywords: set[str] = set()
        self.begun: list[int] = []
        self._environments: set[str] = set()
        self._aside: set[cst.CSTNode] = set()

    def online(self) -> list[cst.Call]:
        """The calls with a connection, or, where none shows one, those that do not work offline."""
        connected = [
            call
            for call in self.lines
            if "connection" in _keywords(call) or _is_positional(call.args)
        ]
        offline = {"url", "dialect_name"}
        return connected or [call for call in self.lines if offline.isdisjoint(_keywords(call))]

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        if isinstance(node.evaluated_value, str):
            self.strings.add(node.evaluated_value)

    def visit_With(self, node: cst.With) -> None:
        if not _MIGRATING.search(cst.Module([]).code_for_node(node.body)):
            self._aside.update(item.item for item in node.items)

    def visit_WithItem(self, node: cst.WithItem) -> None:
        if node.asname is not None:
            self._note_environment(node.asname.name, node.item)

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._note_environment(target.target, node.value)

    def visit_Param(self, node: cst.Param) -> None:
        if node.annotation is not None and self._means(
            node.annotation.annotation, "EnvironmentContext"
        ):
            self._environments.add(node.name.value)

    def visit_Call(self, node: cst.Call) -> None:
        if self._is_configure(node.func):
            self.lines[node] = self.get_metadata(PositionProvider, node).start.line
        else:
            self.keywords.update(_keywords(node))
        if _begins(node) and node not in self._aside:
            self.begun.append(self.get_metadata(PositionProvider, node).start.line)

    def _note_environment(self, target: cst.CSTNode, value: cst.BaseExpression) -> None:
        if (
            isinstance(target, cst.Name)
            and isinstance(value, cst.Call)
            and self._means(value.func, "EnvironmentContext")
        ):
            self._environments.add(target.value)

    def _is_configure(self, function: cst.BaseExpression) -> bool:
        match function:
            case cst.Attribute(value=cst.Name(value=owner), attr=cst.Name(value="configure")) if (
                owner in self._environments
            ):
                return True
        return self._means(function, "context.configure")

    def _means(self, node: cst.CSTNode, name: str) -> bool:
        names = self.get_metadata(QualifiedNameProvider, node, set())
        return any(
            found.name.startswith("alembic.") and found.name.endswith(f".{name}") for found in names
        )


class _Replace(cst.CSTTransformer):
    def __init__(self, edits: Mapping[cst.Call, cst.Call]) -> None:
        super().__init__()
        self._edits = edits

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        return self._edits.get(original_node, updated_node)


def _keywords(call: cst.Call) -> dict[str, cst.Arg]:
    return {arg.keyword.value: arg for arg in call.args if arg.keyword is not None}


def _begins(call: cst.Call) -> bool:
    match call.func:
        case cst.Attribute(attr=cst.Name(value="begin" | "begin_twophase")):
            return True
    return False


def _is_positional(args: Sequence[cst.Arg]) -> bool:
    return bool(args) and args[0].keyword is None and not args[0].star


def _edit_call(call: cst.Call, found: _Calls, indent: str) -> cst.Call | str:
    """The call with the plugin, or why it is left alone."""
    given = _keywords(call).get(ARGUMENT)
    if given is None:
        dynamic = any(arg.star == "**" for arg in call.args)
        if dynamic and ARGUMENT in found.strings | found.keywords:
            if PLUGIN in found.strings:
                return call
            return f'{ARGUMENT} seems to come with the ** argument; add "{PLUGIN}" to it'
        return _with_argument(call, indent)
    match given.value:
        case cst.List() as plugins:
            names = [_string(element.value) for element in plugins.elements]
            if f"~{PLUGIN}" in names:
                return f'"~{PLUGIN}" switches the plugin off; write "{PLUGIN}"'
            wrong = [name for name in names if name != PLUGIN and _MISSPELT.fullmatch(name or "")]
            if PLUGIN in names:
                return f'"{wrong[0]}" is no plugin; take it out' if wrong else call
            edited = _respelt(plugins, names) or _with_element(plugins)
            return call.with_deep_changes(given, value=edited)
    if PLUGIN in found.strings:
        return call
    for name in sorted(filter(_MISSPELT.fullmatch, found.strings)):
        return f'"{name}" is no name of the plugin; write "{PLUGIN}"'
    return f'{ARGUMENT} is no literal list; add "{PLUGIN}" to it'


def _respelt(plugins: cst.List, names: Sequence[str | None]) -> cst.List | None:
    """The list with the plugin's name put right, None where nothing is meant for it."""
    for element, name in zip(plugins.elements, names, strict=True):
        if name is not None and _MISSPELT.fullmatch(name):
            quote = element.value.quote if isinstance(element.value, cst.SimpleString) else '"'
            right = cst.SimpleString(f"{quote}{PLUGIN}{quote}")
            return plugins.with_deep_changes(element, value=right)
    return None


def _string(node: cst.BaseExpression) -> str | None:
    match node:
        case cst.SimpleString() | cst.ConcatenatedString():
            value = node.evaluated_value
            return value if isinstance(value, str) else None
    return None


def _with_argument(call: cst.Call, indent: str) -> cst.Call:
    """The call with one more argument, in its own layout; what is on one line becomes black's."""
    argument = cst.ensure_type(cst.parse_expression(f"_({ARGUMENT_SOURCE})"), cst.Call).args[0]
    args = list(call.args)
    place = next((number for number, arg in enumerate(args) if arg.star == "**"), len(args))
    opening = call.whitespace_before_args
    gaps = [_gap(arg) for arg in args]
    trailing = bool(args) and isinstance(args[-1].comma, cst.Comma)
    if _separator(opening, gaps) is None:
        trailing = True
        opening, gaps = _one_a_line(opening, gaps, indent)
    if place < len(args):
        gaps.insert(place, _separator(opening, gaps) or gaps[-1])
    elif args:
        gaps = _appended(opening, gaps)
    args.insert(place, argument)
    return call.with_changes(
        whitespace_before_args=opening,
        args=[
            _followed(arg, gap, comma=trailing or number < len(args) - 1)
            for number, (arg, gap) in enumerate(zip(args, gaps, strict=True))
        ],
    )


def _with_element(plugins: cst.List) -> cst.List:
    """The list with one more element, quoted and laid out like its last one."""
    if not plugins.elements:
        return plugins.with_changes(elements=[cst.Element(cst.SimpleString(f'"{PLUGIN}"'))])
    *others, last = plugins.elements
    quote = last.value.quote if isinstance(last.value, cst.SimpleString) else '"'
    gaps = [*(_gap(element) for element in others), plugins.rbracket.whitespace_before]
    *_, between, closing = _appended(plugins.lbracket.whitespace_after, gaps)
    return plugins.with_changes(
        elements=[
            *others,
            last.with_changes(comma=cst.Comma(whitespace_after=between)),
            last.with_changes(value=cst.SimpleString(f"{quote}{PLUGIN}{quote}")),
        ],
        rbracket=cst.RightSquareBracket(whitespace_before=closing),
    )


_Whitespace = cst.BaseParenthesizableWhitespace


def _gap(item: cst.Arg | cst.BaseElement) -> _Whitespace:
    """The whitespace between an item and the next, or between it and the closing bracket."""
    if isinstance(item.comma, cst.Comma):
        return item.comma.whitespace_after
    return item.whitespace_after_arg if isinstance(item, cst.Arg) else cst.SimpleWhitespace("")


def _followed(arg: cst.Arg, gap: _Whitespace, *, comma: bool) -> cst.Arg:
    if comma:
        return arg.with_changes(
            comma=cst.Comma(whitespace_after=gap), whitespace_after_arg=cst.SimpleWhitespace("")
        )
    return arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=gap)


def _one_a_line(
    opening: _Whitespace, gaps: Sequence[_Whitespace], indent: str
) -> tuple[cst.ParenthesizedWhitespace, list[_Whitespace]]:
    """What was on one line with a line for each argument, the closing parenthesis on its own."""
    if not isinstance(opening, cst.ParenthesizedWhitespace):
        opening = _line_end(cst.SimpleWhitespace(indent))
    closing = gaps[-1] if gaps else cst.SimpleWhitespace("")
    if not isinstance(closing, cst.ParenthesizedWhitespace):
        closing = _line_end()
    return opening, [*(_line_end(opening.last_line) for _ in gaps[:-1]), closing]


def _appended(opening: _Whitespace, gaps: Sequence[_Whitespace]) -> list[_Whitespace]:
    """The gaps after one more item at the end.

    The comments before the closing bracket belong to what was the last item and stay with it.
    """
    *between, closing = gaps
    separator = _separator(opening, gaps)
    if separator is None:
        return [*between, cst.SimpleWhitespace(" "), closing]
    if not isinstance(closing, cst.ParenthesizedWhitespace):
        return [*between, separator, closing]
    return [
        *between,
        closing.with_changes(last_line=separator.last_line),
        _line_end(closing.last_line),
    ]


def _separator(
    opening: _Whitespace, gaps: Sequence[_Whitespace]
) -> cst.ParenthesizedWhitespace | None:
    """What stands between two items, None where they share a line."""
    lines = [gap for gap in gaps[:-1] if isinstance(gap, cst.ParenthesizedWhitespace)]
    if not lines and len(gaps) == 1 and isinstance(opening, cst.ParenthesizedWhitespace):
        lines = [opening]
    return _line_end(lines[-1].last_line) if lines else None


def _line_end(last_line: cst.SimpleWhitespace | None = None) -> cst.ParenthesizedWhitespace:
    """The end of a line within brackets, and what the next line is indented by."""
    return cst.ParenthesizedWhitespace(indent=True, last_line=last_line or cst.SimpleWhitespace(""))
