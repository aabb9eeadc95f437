"""Where a statement stands, from what PL/pgSQL calls its context."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alembic_fixups.prove.trace import text

_STATEMENT = 'SQL statement "'
_FRAME = re.compile(r'"(?:\n(?=PL/pgSQL |SQL |COPY |referential integrity|extension )|\Z)')
"""The end of a statement that is quoted: quotation marks inside are not doubled."""

_FUNCTION = re.compile(r"(?:PL/pgSQL|SQL) function (.+?) (?:line (\d+) at|statement \d+|during)")
_INLINE = "inline_code_block"


@dataclass(frozen=True)
class Place:
    """Where a statement stands.

    Attributes:
        statement: its text, "" where the context does not say.
        function: the function that it is in, "" where it is in none.
        line: the line of the DO block that it is in, or that called the function; None without.
    """

    statement: str
    function: str
    line: int | None


def place(context: str) -> Place:
    """Reads a context.

    Args:
        context: lines from the statement outwards, as GET DIAGNOSTICS gives them (manual, 43.6.9
            Obtaining Execution Location Information).
    """
    statement, rest = "", context
    if context.startswith(_STATEMENT):
        statement, rest = _quoted(context)
    frames = _FUNCTION.findall(_without_statements(rest))
    functions = [name.strip('"') for name, _ in frames]  # those in SQL are quoted
    line = frames[-1][1] if functions and functions[-1] == _INLINE else ""
    own = functions[0] if functions and functions[0] != _INLINE else ""
    return Place(statement, own, int(line) if line else None)


def _quoted(context: str) -> tuple[str, str]:
    """The statement that a context begins with, and what follows."""
    body = context[len(_STATEMENT) :]
    ends = list(_FRAME.finditer(body))
    for end in ends:
        # Literals and comments may hold what looks like the end.
        if text.is_whole(body[: end.start()]):
            return body[: end.start()], body[end.end() :]
    return (body[: ends[-1].start()], "") if ends else (body, "")


def _without_statements(context: str) -> str:
    """The lines that name functions: statements may hold what looks like one."""
    kept = []
    while context:
        if context.startswith(_STATEMENT):
            _, context = _quoted(context)
        else:
            line, _, context = context.partition("\n")
            kept.append(line)
    return "\n".join(kept)
