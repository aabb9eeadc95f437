"""The statements of a migration by themselves, and what squawk says of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from alembic_fixups.project import ProjectError
from alembic_fixups.prove.trace.model import QUERIES, Statement, Trace
from alembic_fixups.prove.trace.text import bare, first_words
from alembic_fixups.rendering import quoting

_CONTROL = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"})
_READING = frozenset({"SELECT", "SHOW", "DO", "WITH", "TABLE", "VALUES"})


@dataclass(frozen=True)
class Finding:
    """What squawk says of a statement.

    Attributes:
        line: the line of the text, from 1.
        rule: the name of the rule.
        level: "Error" or "Warning".
        message: what is wrong.
        help: what to do about it, "" where it does not say.
    """

    line: int
    rule: str
    level: str
    message: str
    help: str


def opened(trace: Trace) -> str:
    """The SQL as it was executed: in the place of DO blocks the statements inside of them.

    Each stands there once, however often it ran; what only reads is left out. BEGIN and COMMIT
    stand where a transaction began and ended.
    """
    parts = []
    for _, group in groupby(_executed(trace), lambda one: one[0].transaction):
        statements = list(group)
        together = len(statements) > 1 or any(one.block for one, _ in statements)
        body = [_written(one, note) for one, note in statements]
        # What only sets something for the session is in no transaction that is known.
        if together and statements[0][0].transaction:
            body = ["BEGIN;", *body, "COMMIT;"]
        parts += body
    return "\n\n".join(parts) + "\n" if parts else ""


def squawk(sql: str, name: str) -> list[Finding] | None:
    """What squawk says, with the settings of the project's own .squawk.toml.

    Args:
        sql: as :func:`opened` gives it.
        name: the file name that it may know it by.

    Returns:
        The findings by line; None where squawk is not installed.

    Raises:
        ProjectError: squawk is there, and does not work.
    """
    beside = shutil.which("squawk", path=str(Path(sys.executable).parent))
    program = beside or shutil.which("squawk")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "--reporter", "json", "--stdin-filepath", name],
            input=sql,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        found = json.loads(done.stdout or "[]")
    except (OSError, ValueError) as error:
        raise ProjectError(f"{program}: {error}. Leave out --lint.") from error
    # It ends with 1 where it finds something.
    if done.returncode not in (0, 1) or (done.returncode and not found):
        raise ProjectError(f"{program}: {done.stderr.strip()}. Leave out --lint.")
    return sorted(
        (
            # It counts lines from 0.
            Finding(
                one["line"] + 1, one["rule_name"], one["level"], one["message"], one["help"] or ""
            )
            for one in found
        ),
        key=lambda finding: (finding.line, finding.rule),
    )


def _executed(trace: Trace) -> Iterator[tuple[Statement, str]]:
    """The statements that something is done by, each with a remark on where it stands."""
    opened_up = {one.parent for one in trace.statements}
    for place, one in enumerate(trace.statements):
        if one.text == QUERIES or place in opened_up:
            continue
        first = first_words(bare(one.text), 1)
        if first in _CONTROL:
            continue
        # A block that did nothing has nothing to show, unless nobody could look inside.
        if first in _READING and not (first == "DO" and not trace.complete):
            continue
        yield one, _place(one)


def _place(one: Statement) -> str:
    if one.parent is None:
        return ""
    if one.line is not None:
        inside = f", in {one.function}" if one.function else ""
        return f"-- from a DO block, line {one.line}{quoting.comment(inside)}"
    return f"-- from {quoting.comment(one.function)}" if one.function else ""


def _written(one: Statement, note: str) -> str:
    comments = [f"-- {line}" for line in one.comment.splitlines()]
    text = bare(one.text).rstrip().rstrip(";")
    # A comment behind the statement would swallow its end.
    end = "\n;" if "--" in text.splitlines()[-1] else ";"
    return "\n".join([*comments, *filter(None, [note]), f"{text}{end}"])
