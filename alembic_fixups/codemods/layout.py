"""How a statement is laid out: as black and ruff would, where they have laid it out before."""

from __future__ import annotations

import ast
import difflib
import io
import keyword
import re
import tokenize
from contextlib import suppress
from itertools import chain, repeat

_OPENING, _CLOSING = "([{", ")]}"

_PLAIN = re.compile(r"\"[^'\"\\\n]*\"|'[^'\"\\\n]*'")
"""A text that is as good in either quotes."""


def laid_out(code: str, before: str | None, indent: str, width: int) -> str:
    """A statement with its line breaks.

    Takes its text, the text that it had in the file (None for a new one), the whitespace before it
    and the length that a line may have. One that was not laid out so before stays as it is written,
    but for lines that become too long. Of one with a comment inside the lines that are new are laid
    out, of a function its statements.
    """
    if before is None:
        return _formatted(code, indent, width) or code
    code, before = code.replace("\r\n", "\n"), before.replace("\r\n", "\n")
    was = _formatted(before, indent, width)
    if was is None:
        made = _function(code, before, width) or _new_lines(code, before, width)
        return _wrapped(made, before, width)
    if was != before:
        return _wrapped(code, before, width)
    return _formatted(code, indent, width) or code


def with_quotes(code: str, before: str, mark: str) -> str:
    """The statement with its new texts in these quotes, where that needs no backslash.

    Takes the text that it had in the file. A text in the place of another has the quotes of that.
    """
    new, old = set(_PLAIN.findall(code)), set(_PLAIN.findall(before))
    if all(text[0] == mark for text in new ^ old):
        return code
    now, then = _all_tokens(code), _all_tokens(before)
    if now is None or then is None:
        return code
    wanted: dict[int, str] = {}
    matcher = difflib.SequenceMatcher(
        None, [one.string for one in then], [one.string for one in now], autojunk=False
    )
    for _, start, end, new_start, new_end in matcher.get_opcodes():
        olds = [one.string for one in then[start:end] if _PLAIN.fullmatch(one.string)]
        news = [n for n in range(new_start, new_end) if _PLAIN.fullmatch(now[n].string)]
        marks = chain((one[0] for one in olds), repeat(mark))
        wanted |= dict(zip(news, marks, strict=False))
    lines = code.split("\n")
    for number, token in reversed(list(enumerate(now))):
        text = token.string
        if wanted.get(number, text[:1]) != text[:1]:
            row, start = token.start[0] - 1, token.start[1]
            changed = f"{wanted[number]}{text[1:-1]}{wanted[number]}"
            lines[row] = lines[row][:start] + changed + lines[row][start + len(text) :]
    return "\n".join(lines)


def _all_tokens(code: str) -> list[tokenize.TokenInfo] | None:
    try:
        return list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return None


def _function(code: str, before: str, width: int) -> str | None:
    """A function with each statement laid out that is another now; None for what is none."""
    now, then = _body(code), _body(before)
    if len(now) != len(then):
        return None
    data, old = code.encode(), before.encode()
    for (start, end), (old_start, old_end) in zip(now[::-1], then[::-1], strict=True):
        text, was = data[start:end], old[old_start:old_end]
        indent = data[data.rfind(b"\n", 0, start) + 1 : start].decode()
        if text != was and not indent.strip():
            made = laid_out(text.decode(), was.decode(), indent, width)
            data = data[:start] + made.encode() + data[end:]
    return data.decode() if now else None


def _body(code: str) -> list[tuple[int, int]]:
    """From where to where the simple statements in a function reach, in bytes."""
    [function] = ast.parse(code).body
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    starts = [0]
    for line in code.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = [
        one for one in ast.walk(function) if isinstance(one, ast.stmt) and not hasattr(one, "body")
    ]
    return sorted(
        (
            starts[one.lineno - 1] + one.col_offset,
            starts[(one.end_lineno or one.lineno) - 1] + (one.end_col_offset or 0),
        )
        for one in found
    )


def _new_lines(code: str, before: str, width: int) -> str:
    """The statement with each of its lines laid out that is new and too long."""
    known = before.split("\n")
    if any(len(line) > width for line in known):
        return code
    made: list[str] = []
    for line in code.split("\n"):
        text = line.strip()
        if line not in known and len(line) > width and "#" not in text:
            behind = "," if text.endswith(",") else ""
            indent = line[: len(line) - len(line.lstrip())]
            # One whose brackets end on another line stays.
            with suppress(tokenize.TokenError, SyntaxError, IndexError):
                line = indent + _Layout(width).statement(text.removesuffix(","), indent, behind)
        made.append(line)
    return "\n".join(made)


def _wrapped(code: str, before: str, width: int) -> str:
    """The statement with lines that are new and too long broken behind commas.

    What follows stands where the other elements of its bracket do.
    """
    known, lines = set(before.split("\n")), code.split("\n")
    if any(len(line) > width for line in known - set(lines)):
        return code  # one that has changed was too long before
    while any(len(line) > width for line in set(lines) - known):
        tokens = _all_tokens(code)
        for row, line in enumerate(lines if tokens else ()):
            if len(line) > width and line not in known:
                place = _break(tokens or [], row, lines, width)
                if place is not None:
                    end, indent = place
                    lines[row] = f"{line[:end]}\n{indent}{line[end:].lstrip()}"
                    break
        else:
            return code
        code = "\n".join(lines)
        lines = code.split("\n")
    return code


def _break(
    tokens: list[tokenize.TokenInfo], row: int, lines: list[str], width: int
) -> tuple[int, str] | None:
    """Behind which column a line is broken, and what the next one begins with; None for nowhere."""
    stack: list[str] = []
    places: list[tuple[int, int, str]] = []
    for token in tokens:
        at, column = token.start[0] - 1, token.start[1]
        if at > row:
            break
        if token.type != tokenize.OP:
            continue
        if token.string in _OPENING:
            begin = lines[at][: column + 1]
            if not lines[at][column + 1 :].strip() and at + 1 < len(lines):
                begin = lines[at + 1][: len(lines[at + 1]) - len(lines[at + 1].lstrip())]
            stack.append(re.sub(r"[^\t]", " ", begin))
        elif token.string in _CLOSING:
            stack.pop()
        elif token.string == "," and at == row and stack and column < width:
            rest = lines[row][column + 1 :].strip()
            if rest and not rest.startswith("#"):
                places.append((len(stack), -column, stack[-1]))
    if not places:
        return None
    _, column, indent = min(places)
    return 1 - column, indent


def _formatted(code: str, indent: str, width: int) -> str | None:
    """None where it cannot be said: it is more than a simple statement, or has comments."""
    flat = _flat(code)
    if flat is None:
        return None
    if len(indent) + len(flat) > width and flat.startswith("from ") and "(" not in flat:
        head, _, names = flat.partition(" import ")
        flat = f"{head} import ({names},)"
    return _Layout(width).statement(flat, indent)


def _flat(code: str) -> str | None:
    """The statement on one line; commas before a closing bracket stay: they mean something."""
    tokens = _all_tokens(code)
    if tokens is None:
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
        deeper = indent + _unit(indent)
        elements = _elements(body)
        has_comma = body.endswith(",")
        # The elements of a tuple, list or dict never share a line, as arguments may.
        shares = len(elements) == 1 or _is_call(head[:-1])
        fits = len(deeper) + len(body) <= self._width
        if shares and fits and not has_comma and not _magic(body):
            inside = [body]
        elif len(elements) == 1 and not has_comma:
            inside = [self.statement(body, deeper)]
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
        if token.string == "lambda" and depth == 0:
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


def _unit(indent: str) -> str:
    """One step of a file's indentation, as far as a line's own tells it."""
    if "\t" in indent:
        return "\t"
    return "  " if len(indent) % 4 == 2 else "    "


def _is_call(before: str) -> bool:
    """Whether a bracket behind this text holds arguments or a subscript, not elements."""
    last = re.search(r"(\w*)$", before)
    word = last[1] if last is not None else ""
    return before[-1:] in ("]", ")") or (bool(word) and not keyword.iskeyword(word))


def _magic(flat: str) -> bool:
    """Whether a bracket in it ends with a comma, which asks for a line for each of its elements."""
    previous = ""
    opened: list[tuple[bool, int]] = []
    for token in _tokens(flat):
        if token.string in _OPENING and token.type == tokenize.OP:
            is_call = _is_call(previous)
            # A tuple or subscript of one element has a comma that means something else.
            is_tuple = token.string == "(" and not is_call and previous != "import"
            opened.append((is_tuple, 0))
        elif token.string == "," and opened:
            opened[-1] = (opened[-1][0], opened[-1][1] + 1)
        elif token.string in _CLOSING and token.type == tokenize.OP and opened:
            may_be_one, commas = opened.pop()
            if previous == "," and not (may_be_one and commas == 1):
                return True
        previous = token.string
    return False
