"""Steps of SQL as an Alembic operation, and its rendering into a revision file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from alembic_fixups.rendering import quoting

_EXECUTE_EACH = '''
def execute_each(query: str) -> None:
    """Executes the statements that a query gives, as psql does for gexec."""
    from sqlalchemy import text

    if {prefix}get_context().as_sql:
        # The semicolon that Alembic puts behind it is in the comment.
        {prefix}execute(query + "\\n\\\\gexec\\n--")
        return
    for statement in {prefix}get_bind().execute(text(query)).scalars().all():
        if statement is not None:
            {prefix}execute(statement.replace(":", "\\\\:"))
'''

WIDTH = 100
"""Comments in a migration are wrapped at this column."""


@dataclass(frozen=True)
class Step:
    """One ``op.execute()`` of a migration.

    Attributes:
        comment: what the step does, why, and what it locks; its lines stand above it.
        sql: one statement, without a semicolon at its end.
        autocommit: whether it runs as a transaction of its own, outside the migration's:
            CREATE INDEX CONCURRENTLY has to, and a DO block that locks a table lets go of it
            at once that way.
        only_if: a Python expression on which it runs; always where it is empty.
        each: whether the SQL is a query that gives statements, which are executed one by one: so
            the database decides, when the migration runs, about what may not stand in a DO block.
    """

    comment: str
    sql: str
    autocommit: bool = True
    only_if: str = ""
    each: bool = False


@dataclass
class Unit:
    """Some steps and those that undo them.

    Units are undone in the reverse of their order.
    """

    upgrade: list[Step]
    downgrade: list[Step] = field(default_factory=list)


@dataclass
class StepsOp(ops.MigrateOperation):
    """What a fixup does to the database, and how it is undone.

    Attributes:
        fixup: name of the fixup, as in the settings.
        changes: the differences that it mends, a line each: for ``alembic check``,
            ``alembic-fixups check`` and the head of the rendered block.
        upgrade: the steps of this direction, in their order.
        downgrade: the steps that undo them, in theirs.
        headings: what is said of each direction above its steps.
        functions: statements that define what the steps of both directions call; they stand once,
            at the top of the file.
    """

    fixup: str
    changes: tuple[str, ...]
    upgrade: tuple[Step, ...]
    downgrade: tuple[Step, ...] = ()
    headings: tuple[str, str] = ("makes these changes", "takes back")
    functions: tuple[str, ...] = ()

    def reverse(self) -> StepsOp:
        """The same change the other way round."""
        return replace(
            self, upgrade=self.downgrade, downgrade=self.upgrade, headings=self.headings[::-1]
        )

    def in_one_transaction(self) -> StepsOp:
        """The same with the steps of this direction in the transaction of the migration."""
        steps = tuple(replace(step, autocommit=False) for step in self.upgrade)
        return replace(self, upgrade=steps)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What ``alembic check`` shows."""
        return (self.fixup, *self.changes)


def looking(fixup: str, look: Step, functions: tuple[str, ...]) -> StepsOp:
    """What stands at the top of a migration: a fixup's look, with the functions that it calls."""
    headings = ("looks at what it will change", "")
    return StepsOp(fixup, (), (look,), headings=headings, functions=functions)


@renderers.dispatch_for(StepsOp)
def _render_steps(context: AutogenContext, op: StepsOp) -> str | list[str]:
    prefix = context.opts["alembic_module_prefix"] or ""
    if not op.upgrade:
        return []  # for "" Alembic would leave out the pass of an empty function
    lines = [f"# {op.fixup} {op.headings[0]}{':' if op.changes else '.'}"]
    lines += _comment([f"- {change}" for change in op.changes], "", hanging="  ")
    if op.functions and any("pg_temp." in step.sql for step in op.upgrade):
        lines += _define_functions(context, op, prefix)
    if any(step.each for step in op.upgrade):
        context.imports.add(_EXECUTE_EACH.replace("{prefix}", prefix))
    for autocommit, steps in groupby(op.upgrade, key=lambda step: step.autocommit):
        if autocommit:
            lines.append(f"with {prefix}get_context().autocommit_block():")
        for step in steps:
            lines.extend(_render_step(step, prefix, "    " if autocommit else ""))
    return "\n".join(lines)


def _define_functions(context: AutogenContext, op: StepsOp, prefix: str) -> Iterator[str]:
    """Puts the functions where Alembic puts imports; gives the lines that define them in SQL."""
    name = f"{op.fixup.replace('-', '_').upper()}_FUNCTIONS"
    context.imports.add(
        "\n".join(
            [
                f"# What the steps of {op.fixup} call: functions that are gone with the session.",
                f"{name} = (",
                *(
                    textwrap.indent(quoting.python_string(sql), "    ") + ","
                    for sql in op.functions
                ),
                ")",
            ]
        )
    )
    yield f"with {prefix}get_context().autocommit_block():"
    yield "    # The functions that the steps below call, defined above; gone with the session."
    yield "    # Locks: nothing."
    yield f"    for function in {name}:"
    yield f"        {prefix}execute(function)"
    yield ""


def _comment(lines: Iterable[str], indent: str, hanging: str = "") -> Iterator[str]:
    # Alembic indents the whole by four more.
    lead = f"    {indent}# "
    for line in lines:
        for number, part in enumerate(textwrap.wrap(quoting.comment(line), WIDTH - len(lead))):
            yield f"{indent}# {hanging if number else ''}{part}"


def _render_step(step: Step, prefix: str, indent: str) -> Iterator[str]:
    yield from _comment(step.comment.splitlines(), indent)
    opening, *body, closing = quoting.python_string(step.sql).split("\n")
    if step.only_if:
        yield f"{indent}if {step.only_if}:"
        indent += "    "
    yield f"{indent}execute_each(" if step.each else f"{indent}{prefix}execute("
    for line in (opening, *body, closing):
        yield f"{indent}    {line}".rstrip()
    yield f"{indent})"
    yield ""
