"""How a statement is laid out: as black and ruff would, where they have laid it out before."""

from __future__ import annotations

import io
import keyword
import tokenize

_OPENING, _CLOSING = "([{", ")]}"


def laid_out(code: str, before: str | None, indent: str, width: int) -> str:
    """A statement with its line breaks.

    Takes its text, the text that it had in the file (None for a new one), the whitespace before it
    and the length that a line may have. One that was not laid out so before stays as it is written,
    and so does one with a comment inside.
    """
    if before is not None and _formatted(before, indent, width) != before.replace("\r\n", "\n"):
        return code
    return _formatted(code, indent, width) or code


def _formatted(code: str, indent: str, width: int) -> str | None:
    """None where it cannot be said: it is more than a simple statement, or has comments."""
    flat = _flat(code)
    if flat is None:
        return None
    return _Layout(width).statement(flat, indent)


def _flat(code: str) -> str | None:
    """The statement on one line; commas before a closing bracket stay: they mean something."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    text, end, previous, broken = "", (1, 0), "", False
    for token in tokens:
        if token.type in (tokenize.COMMENT, tokenize.INDENT):
            return None
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.NL, tokenize.DEDENT):
            broken = broken or token.type == tokenize.NL
            continue
        if token.start[0] != token.end[0]:
            return None  # a text over several lines
        if token.start[0] != end[0]:
            if not broken:
                return None  # a backslash, or a second statement
            at_bracket = previous in _OPENING or token.string in _CLOSING
            gap = "" if at_bracket or not text else " "
        else:
            gap = " " * (token.start[1] - end[1])
        text += gap + token.string
        end, previous, broken = token.end, token.string, False
    return text


class _Layout:
    """Black's right-hand split: the last bracket opens, its content has lines of its own."""

    def __init__(self, width: int) -> None:
        self._width = width

    def statement(self, flat: str, indent: str, behind: str = "") -> str:
        magic = _magic(flat)
        if not magic and len(indent) + len(flat) + len(behind) <= self._width:
            return flat + behind
        split = _last_bracket(flat)
        if split is None:
            return flat + behind
        head, body, tail = split
        deeper = indent + "    "
        elements = _elements(body)
        has_comma = body.endswith(",")
        if not has_comma and not _magic(body) and len(deeper) + len(body) <= self._width:
            inside = [body]
        elif len(elements) == 1 and not has_comma and " for " in body:
            inside = [self.statement(body, deeper)]  # a generator takes no comma
        else:
            inside = [self.statement(element, deeper, ",") for element in elements]
        lines = "".join(f"{deeper}{line}\n" for line in inside)
        return f"{head}\n{lines}{indent}{tail}{behind}"


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    """The tokens of a line, of which each place is counted from 1."""
    found = list(tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline))[1:]
    return [token for token in found if token.start[0] == 1 and token.type != tokenize.NL]


def _last_bracket(flat: str) -> tuple[str, str, str] | None:
    """Up to the last bracket that has something in it, that, and the rest from its end on."""
    stack: list[int] = []
    pairs: list[tuple[int, int]] = []
    for token in _tokens(flat):
        place = token.start[1] - 1
        if token.type != tokenize.OP:
            continue
        if token.string in _OPENING:
            stack.append(place)
        elif token.string in _CLOSING:
            opened = stack.pop()
            if not stack and place > opened + 1:
                pairs.append((opened, place))
    if not pairs:
        return None
    opened, closed = pairs[-1]
    return flat[: opened + 1], flat[opened + 1 : closed].strip(), flat[closed:]


def _elements(body: str) -> list[str]:
    """What the commas of a bracket tell apart."""
    depth, start = 0, 0
    found: list[str] = []
    is_lambda = False
    for token in _tokens(body):
        if token.string == "lambda":
            is_lambda = True
        if token.type != tokenize.OP:
            continue
        if token.string in _OPENING:
            depth += 1
        elif token.string in _CLOSING:
            depth -= 1
        elif token.string == ":" and depth == 0:
            is_lambda = False
        elif token.string == "," and depth == 0 and not is_lambda:
            found.append(body[start : token.start[1] - 1].strip())
            start = token.end[1] - 1
    rest = body[start:].strip()
    return [*found, rest] if rest else found


def _magic(flat: str) -> bool:
    """Whether a bracket in it ends with a comma, which asks for a line for each of its elements."""
    previous = ""
    opened: list[tuple[bool, int]] = []
    for token in _tokens(flat):
        if token.string in _OPENING and token.type == tokenize.OP:
            is_call = previous in _CLOSING or (
                previous.isidentifier() and not keyword.iskeyword(previous)
            )
            # A tuple or subscript of one element has a comma that means something else.
            opened.append((token.string == "(" and not is_call, 0))
        elif token.string == "," and opened:
            opened[-1] = (opened[-1][0], opened[-1][1] + 1)
        elif token.string in _CLOSING and token.type == tokenize.OP and opened:
            may_be_one, commas = opened.pop()
            if previous == "," and not (may_be_one and commas == 1):
                return True
        previous = token.string
    return False
