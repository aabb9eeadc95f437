"""What has to be known of a statement before it runs, from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<dollar> (?<![\w$]) \$ (?P<tag> (?:[^\W\d]\w*)? ) \$ (?P<body> .*? ) \$ (?P=tag) \$ )
    | (?P<quoted>
          (?<!\w) [eE] ' (?: [^'\\] | \\. | '' )* '
        | ' (?: [^'] | '' )* '
        | " (?: [^"] | "" )* "
      )
    | (?P<comment> -- [^\n]* (?: \n | \Z ) | /\* .*? \*/ )
    | (?P<word> [^\W\d] [\w$]* )
    | (?P<end> ; )
    | (?P<open> ['"] | /\* | (?<![\w$]) \$ (?: [^\W\d]\w* )? \$ )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What can be told apart without a parser (manual, 4.1 Lexical Structure)."""

_LEADING = re.compile(r"\s*(?:--(?P<line>[^\n]*)(?:\n|\Z)|/\*(?P<block>.*?)\*/)", re.DOTALL)

_PASSING = frozenset(
    """
    abort begin commit deallocate discard end listen notify prepare release reset rollback savepoint
    set show start unlisten
    """.split()
)
_ALONE = re.compile(
    r"""
      (?: create | drop ) \s (?: database | tablespace | subscription )
    | alter \s (?: system | database | subscription )
    | vacuum | cluster | call
    | reindex \s (?: schema | database | system )
    """,
    re.VERBOSE,
)
"""What PostgreSQL does not run in a transaction block, or not always."""

_TRANSACTION = frozenset({"commit", "rollback", "call"})
_VACUUM = "vacuum"


@dataclass(frozen=True)
class Look:
    """What a text says of itself.

    Attributes:
        comment: the comments that it begins with, without comment signs.
        passing: whether it is about the session or the transaction, and no table.
        alone: whether it may be refused in a transaction block.
        vacuum: whether it is VACUUM.
        statements: the statements in it.
    """

    comment: str
    passing: bool
    alone: bool
    vacuum: bool
    statements: tuple[str, ...]


def look(sql: str) -> Look:
    """Looks at what is sent to the server at once."""
    tokens = list(_TOKEN.finditer(sql))
    words = [token["word"].lower() for token in tokens if token["word"]]
    first = words[0] if words else ""
    inside = words
    if first == "do":
        inside = [word for token in tokens if token["dollar"] for word in _words(token["body"])]
        inside += [
            word for token in tokens if token["quoted"] for word in _words(token["quoted"][1:-1])
        ]
    alone = (
        # REFRESH MATERIALIZED VIEW CONCURRENTLY is none of those.
        ("concurrently" in words and first != "refresh")
        or _ALONE.match(" ".join(words)) is not None
        or (first == "do" and not _TRANSACTION.isdisjoint(inside))
    )
    return Look(_comment(sql), first in _PASSING, alone, first == _VACUUM, tuple(split(sql)))


def split(sql: str) -> list[str]:
    """The statements in a text, without their semicolons.

    One with a body between BEGIN ATOMIC and END, which has semicolons of its own, comes in parts.
    """
    found, start = [], 0
    for token in _TOKEN.finditer(sql):
        if token["end"]:
            found.append(sql[start : token.start()].strip())
            start = token.end()
    found.append(sql[start:].strip())
    return [statement for statement in found if _words(statement)]


def is_whole(sql: str) -> bool:
    """Whether no quotation and no comment is left open at the end."""
    return not any(token["open"] for token in _TOKEN.finditer(sql))


def bare(sql: str) -> str:
    """The text without the comments that it begins with."""
    while leading := _LEADING.match(sql):
        sql = sql[leading.end() :]
    return sql.strip()


def first_words(sql: str, number: int) -> str:
    """The first words of a statement, in capitals."""
    return " ".join(_words(sql)[:number]).upper()


def _words(sql: str) -> list[str]:
    return [token["word"].lower() for token in _TOKEN.finditer(sql) if token["word"]]


def _comment(sql: str) -> str:
    lines: list[str] = []
    while leading := _LEADING.match(sql):
        lines += (leading["line"] or leading["block"] or "").splitlines()
        sql = sql[leading.end() :]
    return "\n".join(filter(None, (line.strip(" *") for line in lines)))
