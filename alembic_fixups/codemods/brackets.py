"""Arguments of a call, elements of a tuple, list or dict, names of an import: put in and taken out.

A comment behind an element stays behind it, one on lines of its own before it stays before it, and
those of an element that is taken out stay where they are; the one behind an imported name goes with
the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any, TypeVar

import libcst as cst

Bracketed = TypeVar("Bracketed", cst.Call, cst.Tuple, cst.List, cst.Dict, cst.ImportFrom)
Whitespace = cst.BaseParenthesizableWhitespace

_NOTHING = cst.SimpleWhitespace("")


def inserted(node: Bracketed, made: cst.CSTNode, place: int) -> Bracketed:
    """The call, tuple, list, dict or import with another argument, element or name at a place."""
    inside = _inside(node)
    items, gaps = list(inside.items), list(inside.gaps)
    has_comma = inside.has_comma
    if items:
        between = _between(gaps, place)
        old = gaps[place]
        if place == len(items):
            gaps[place:] = [_with_comments(between, old, old), _plain(old)]
        elif place == 0:
            gaps[:1] = [_with_comments(_plain(old), old, None), _with_comments(between, None, old)]
        else:
            gaps[place : place + 1] = [
                _with_comments(between, old, None),
                _with_comments(between, None, old),
            ]
        if isinstance(node, cst.Tuple) and len(items) == 1 and not _breaks(gaps[0]):
            # That comma makes a tuple; with a second element it would ask black for lines.
            has_comma = False
    else:
        gaps = [gaps[0], _NOTHING]
        has_comma = isinstance(node, cst.Tuple)
    items.insert(place, made)
    return _onto(node, changed(inside, items=items, gaps=gaps, has_comma=has_comma))


def without(node: Bracketed, doomed: cst.CSTNode) -> Bracketed:
    """The call, tuple, list, dict or import without one of its arguments, elements or names."""
    inside = _inside(node)
    items, gaps = list(inside.items), list(inside.gaps)
    place = next(n for n, one in enumerate(items) if one is doomed)
    before: Whitespace = gaps[place]
    behind: Whitespace = gaps[place + 1]
    kept = behind if place == len(items) - 1 else before
    if len(items) == 1 and not _comments(before) and not _comments(behind):
        kept = _NOTHING
    lines = [*_lines(before), *_own_line(node, behind, before), *_lines(behind)]
    gaps[place : place + 2] = [_noted(_plain(kept), _behind(before), lines, before, behind)]
    del items[place]
    has_comma = bool(items) and (
        inside.has_comma or (isinstance(node, cst.Tuple) and len(items) == 1)
    )
    return _onto(node, changed(inside, items=items, gaps=gaps, has_comma=has_comma))


# A bracket as items and the whitespace around them


@dataclass(frozen=True)
class _Inside:
    """What is in a bracket.

    Attributes:
        items: the arguments or elements.
        gaps: the whitespace before each one, and before the closing bracket.
        has_comma: whether the last one has a comma.
    """

    items: Sequence[Any]
    gaps: Sequence[Whitespace]
    has_comma: bool


def _items(node: Bracketed) -> Sequence[Any]:
    match node:
        case cst.Call():
            return node.args
        case cst.ImportFrom(names=cst.ImportStar()):
            return []
        case cst.ImportFrom():
            return list(node.names)  # type: ignore[arg-type]
    return node.elements


def _inside(node: Bracketed) -> _Inside:
    items = _items(node)
    gaps: list[Whitespace] = []
    for one in items:
        gaps.append(one.comma.whitespace_after if isinstance(one.comma, cst.Comma) else _NOTHING)
    has_comma = bool(items) and isinstance(items[-1].comma, cst.Comma)
    first: Whitespace = _NOTHING
    last: Whitespace = _NOTHING
    match node:
        case cst.Call():
            first = node.whitespace_before_args
            last = items[-1].whitespace_after_arg if items else _NOTHING
        case cst.Tuple() if node.lpar:
            first, last = node.lpar[-1].whitespace_after, node.rpar[0].whitespace_before
        case cst.List():
            first, last = node.lbracket.whitespace_after, node.rbracket.whitespace_before
        case cst.Dict():
            first, last = node.lbrace.whitespace_after, node.rbrace.whitespace_before
        case cst.ImportFrom(lpar=cst.LeftParen() as left, rpar=cst.RightParen() as right):
            first, last = left.whitespace_after, right.whitespace_before
    if gaps and (not has_comma or not isinstance(node, cst.Call | cst.ImportFrom)):
        gaps[-1] = last
    return _Inside(items, [first, *gaps], has_comma)


def _onto(node: Bracketed, inside: _Inside) -> Bracketed:
    items: list[Any] = []
    is_call = isinstance(node, cst.Call)
    for n, one in enumerate(inside.items):
        gap = inside.gaps[n + 1]
        if n < len(inside.items) - 1:
            made = one.with_changes(comma=_comma(one, gap))
            items.append(made.with_changes(whitespace_after_arg=_NOTHING) if is_call else made)
        elif is_call and inside.has_comma:
            items.append(one.with_changes(comma=_comma(one, gap), whitespace_after_arg=_NOTHING))
        elif isinstance(node, cst.ImportFrom) and inside.has_comma:
            items.append(one.with_changes(comma=_comma(one, gap)))
        elif is_call:
            none = cst.MaybeSentinel.DEFAULT
            if isinstance(one.comma, cst.Comma):  # which goes, but not a comment before it
                before = one.comma.whitespace_before
                gap = _noted(gap, _behind(before), _lines(before), before)
            items.append(one.with_changes(comma=none, whitespace_after_arg=gap))
        else:
            comma_or_none = cst.Comma() if inside.has_comma else cst.MaybeSentinel.DEFAULT
            items.append(one.with_changes(comma=comma_or_none))
    first = inside.gaps[0]
    last = inside.gaps[-1] if items else _NOTHING
    match node:
        case cst.Call():
            return node.with_changes(args=items, whitespace_before_args=first)
        case cst.Tuple():
            left = list(node.lpar) or [cst.LeftParen()]
            right = list(node.rpar) or [cst.RightParen()]
            left[-1] = left[-1].with_changes(whitespace_after=first)
            right[0] = right[0].with_changes(whitespace_before=last)
            return node.with_changes(elements=items, lpar=left, rpar=right)
        case cst.List():
            return node.with_changes(
                elements=items,
                lbracket=node.lbracket.with_changes(whitespace_after=first),
                rbracket=node.rbracket.with_changes(whitespace_before=last),
            )
        case cst.ImportFrom(lpar=cst.LeftParen() as opens, rpar=cst.RightParen() as closes):
            return node.with_changes(
                names=items,
                lpar=opens.with_changes(whitespace_after=first),
                rpar=closes.with_changes(whitespace_before=_NOTHING if inside.has_comma else last),
            )
        case cst.ImportFrom():
            return node.with_changes(names=items)
    return node.with_changes(
        elements=items,
        lbrace=node.lbrace.with_changes(whitespace_after=first),
        rbrace=node.rbrace.with_changes(whitespace_before=last),
    )


def _comma(item: Any, gap: Whitespace) -> cst.Comma:
    """The comma behind an item, with what stands before it where it has one."""
    comma = item.comma if isinstance(item.comma, cst.Comma) else cst.Comma()
    return comma.with_changes(whitespace_after=gap)


# Whitespace


def _breaks(gap: Whitespace) -> bool:
    return isinstance(gap, cst.ParenthesizedWhitespace)


def _between(gaps: Sequence[Whitespace], place: int) -> Whitespace:
    """What stands between two items near a place."""
    if len(gaps) > 2:
        return _plain(gaps[min(max(place, 1), len(gaps) - 2)])
    return _plain(gaps[0]) if _breaks(gaps[0]) else cst.SimpleWhitespace(" ")


def _plain(gap: Whitespace) -> Whitespace:
    """Whitespace without its comments."""
    if not isinstance(gap, cst.ParenthesizedWhitespace):
        return gap
    line = gap.first_line.with_changes(comment=None, whitespace=_NOTHING)
    return gap.with_changes(first_line=line, empty_lines=[])


def _with_comments(
    plain: Whitespace, behind: Whitespace | None, lines: Whitespace | None
) -> Whitespace:
    """Whitespace with the comment behind the item before, and those on lines of their own."""
    return _noted(plain, _behind(behind), _lines(lines), behind or plain, lines or plain)


def _noted(
    plain: Whitespace,
    behind: cst.TrailingWhitespace | None,
    lines: Sequence[cst.EmptyLine],
    *like: Whitespace,
) -> Whitespace:
    if behind is None and not lines:
        return plain
    made = next(one for one in (plain, *like) if isinstance(one, cst.ParenthesizedWhitespace))
    line = behind or made.first_line.with_changes(comment=None, whitespace=_NOTHING)
    return made.with_changes(first_line=line, empty_lines=lines)


def _behind(gap: Whitespace | None) -> cst.TrailingWhitespace | None:
    if isinstance(gap, cst.ParenthesizedWhitespace) and gap.first_line.comment is not None:
        return gap.first_line
    return None


def _lines(gap: Whitespace | None) -> list[cst.EmptyLine]:
    if not isinstance(gap, cst.ParenthesizedWhitespace):
        return []
    return [line for line in gap.empty_lines if line.comment is not None]


def _comments(gap: Whitespace) -> bool:
    return _behind(gap) is not None or bool(_lines(gap))


def _own_line(node: cst.CSTNode, gap: Whitespace, before: Whitespace) -> list[cst.EmptyLine]:
    """The comment behind an item, as a line of its own where the item was."""
    line = _behind(gap)
    if line is None or isinstance(node, cst.ImportFrom):
        return []
    place = next(one for one in (before, gap) if isinstance(one, cst.ParenthesizedWhitespace))
    return [cst.EmptyLine(place.indent, place.last_line, line.comment, line.newline)]
