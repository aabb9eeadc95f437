"""SQL text as statements: split, indented, written as Python."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<quoted>
          (?<![\w$]) \$ (?P<tag> (?:[^\W\d]\w*)? ) \$ .*? \$ (?P=tag) \$   # $tag$ ... $tag$
        | (?<!\w) [eE] ' (?: [^'\\] | \\. | '' )* '
        | ' (?: [^'] | '' )* '
        | " (?: [^"] | "" )* "
      )
    | (?P<comment> -- [^\n]* | /\* .*? \*/ )
    | (?P<mark> [();] )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What has to be told apart to find the end of a statement (manual, 4.1 Lexical Structure)."""


_ESCAPED = re.compile(r'["\\]')
_BLOCK = re.compile(
    r"(?P<opening>DO (?P<tag>\$fixup_*\$))\n(?P<body>.*)\n(?P<closing>(?P=tag))", re.DOTALL
)


def split(sql: str) -> list[str]:
    """The statements in a text of pg_dump's, without their semicolons.

    Bodies between BEGIN ATOMIC and END have semicolons of their own: a function is a statement by
    itself and not to be given here.
    """
    found, start, depth = [], 0, 0
    for token in _TOKEN.finditer(sql):
        mark = token["mark"]
        if mark == ";" and not depth:
            found.append(sql[start : token.start()].strip())
            start = token.end()
        elif mark in ("(", ")"):
            depth += 1 if mark == "(" else -1
    found.append(sql[start:].strip())
    return [statement for statement in found if statement]


def indented(sql: str, by: int) -> str:
    """The text with its lines moved to the right, but for those that begin inside a quotation.

    The body of a DO block is a quotation that white space means nothing in.
    """
    if block := _BLOCK.fullmatch(sql):
        pad = " " * by
        return f"{pad}{block['opening']}\n{indented(block['body'], by)}\n{pad}{block['closing']}"
    inside = {
        newline.end()
        for token in _TOKEN.finditer(sql)
        if token["quoted"]
        for newline in re.compile("\n").finditer(sql, token.start(), token.end())
    }
    lines, place = [], 0
    for line in sql.split("\n"):
        lines.append(line if place in inside or not line else " " * by + line)
        place += len(line) + 1
    return "\n".join(lines)


def guarded(condition: str, *statements: str) -> str:
    """A DO block that runs *statements* where *condition*, an SQL expression, holds."""
    return block(conditional(condition, *statements))


def conditional(condition: str, *statements: str) -> str:
    """The same for the body of a block."""
    inside = "".join(indented(statement, 4) + ";\n" for statement in statements)
    return f"IF {condition} THEN\n{inside}END IF;"


def block(body: str, *, declare: str = "", handler: str = "") -> str:
    """A DO block of PL/pgSQL.

    Args:
        body: its statements, with their semicolons.
        declare: declarations of variables.
        handler: what stands under EXCEPTION.
    """
    parts = ["DECLARE", indented(declare, 4)] if declare else []
    parts += ["BEGIN", indented(body, 4)]
    parts += ["EXCEPTION", indented(handler, 4)] if handler else []
    text = "\n".join([*parts, "END"])
    tag = "$fixup$"
    while tag in text:
        tag = f"${tag.strip('$')}_$"
    return f"DO {tag}\n{text}\n{tag}"


def python(sql: str, indent: int) -> str:
    """The text as a Python literal whose value, but for white space around it, is the text.

    A raw string where that is exact and stays so: Python reads a carriage return as the end of a
    line, and editors take blanks away from the ends of lines. Otherwise one literal a line.
    """
    lines = sql.split("\n")
    exact = all(line.replace("\t", " ").isprintable() and line == line.rstrip() for line in lines)
    if exact and len(lines) == 1 and len(sql) + indent < 85 and not _ESCAPED.search(sql):
        return f'"{sql}"'
    pad = " " * indent
    if exact and '"""' not in sql:
        return f'r"""\n{indented(sql, indent + 4)}\n{pad}"""'
    parts = "\n".join(f"{pad}    {line!r}" for line in sql.splitlines(keepends=True))
    return f"\n{parts}\n{pad}"
