"""What a range in the middle of a history adds to what was there before it.

A dump says what there is and not how it came about. So a snapshot in the middle can only add:
objects, columns at the end of a table, rows; and put other words in the place of a function, a
view or a comment. A range that does more to what is older is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from alembic_fixups.project import ProjectError
from alembic_fixups.squash import rows
from alembic_fixups.squash.description import Object
from alembic_fixups.squash.guards import Statement
from alembic_fixups.squash.rows import TableRows
from alembic_fixups.squash.snapshot import Content

_REPLACED = {"function", "procedure", "aggregate", "view", "rule", "trigger", "comment", "default"}
"""Kinds whose statement puts a new definition in the place of the old one."""

_CREATE_TABLE = re.compile(
    r"CREATE (?:UNLOGGED )?TABLE IF NOT EXISTS (?P<name>.+?) \(\n(?P<body>.*)\n\)(?P<rest>.*)",
    re.DOTALL,
)
_DROP_VIEW = "DROP VIEW IF EXISTS "
_ROWS = "Rows"
_LISTED = 10


def between(
    before: Content, after: Content, older: Sequence[Object], newer: Sequence[Object]
) -> Content:
    """What has to be made on top of *before* to have *after*.

    Args:
        before: what there is where the range begins.
        after: what there is at its end.
        older: the catalog where the range begins.
        newer: the catalog at its end.

    Raises:
        ProjectError: the range changes or drops what is older than it.
    """
    tables = _added_columns(before, after)
    _require_additions(older, newer, {f"{name}" for name in tables})
    known = Counter(before.statements)
    statements: list[Statement] = []
    for statement in after.statements:
        if statement.section == _ROWS:
            continue
        if known[statement]:
            known[statement] -= 1
        elif (found := _CREATE_TABLE.match(statement.sql)) and found["name"] in tables:
            statements += tables[found["name"]]
        else:
            statements.append(statement)
    place = _place_of_rows(after, statements)
    added = tuple(_added_rows(before, after))
    parts = (drop for drop in after.parts if drop not in before.parts)
    drops = (*parts, *(drop for drop in after.drops if drop not in before.drops))
    return replace(
        after,
        statements=(
            *statements[:place],
            *rows.filled(added),
            *statements[place:],
        ),
        drops=(*drops, *_put_back(before, after, _columns_dropped(tables))),
        kinds=after.kinds - before.kinds,
        tables=added,
    )


def unchanged(older: Sequence[Object], newer: Sequence[Object]) -> tuple[Object, ...]:
    """What is at the end of a range as it was before it, or was not there then."""
    before = {(one.kind, one.name): one for one in older}
    return tuple(one for one in newer if before.get((one.kind, one.name), one) == one)


def _require_additions(older: Sequence[Object], newer: Sequence[Object], widened: set[str]) -> None:
    now = {(one.kind, one.name): one.definition for one in newer}
    wrong = [
        f"{one.kind} {one.name} is {'changed' if (one.kind, one.name) in now else 'dropped'}"
        for one in older
        if now.get((one.kind, one.name)) != one.definition
        and not (one.kind in _REPLACED and (one.kind, one.name) in now)
        and not (one.kind == "table" and one.name in widened)
    ]
    if wrong:
        more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise ProjectError(
            f"{'; '.join(wrong[:_LISTED])}{more}. A snapshot in the middle of a history can add to "
            "what is older, not change it: a dump does not say how. Begin at the base (no --from), "
            "or take a range that does not touch these."
        )


def _bodies(content: Content) -> dict[str, tuple[Statement, list[str], str]]:
    found = {}
    for statement in content.statements:
        if table := _CREATE_TABLE.match(statement.sql):
            lines = [line.removesuffix(",").strip() for line in table["body"].split(",\n")]
            found[table["name"]] = (statement, lines, table["rest"])
    return found


def _added_columns(before: Content, after: Content) -> dict[str, list[Statement]]:
    """For each older table that only has columns more, what adds them."""
    earlier, found = _bodies(before), {}
    for name, (statement, lines, rest) in _bodies(after).items():
        if name not in earlier or earlier[name][0] == statement:
            continue
        _, old, old_rest = earlier[name]
        columns = [line for line in lines if not line.startswith("CONSTRAINT ")]
        old_columns = [line for line in old if not line.startswith("CONSTRAINT ")]
        checks = {line for line in lines if line.startswith("CONSTRAINT ")}
        old_checks = {line for line in old if line.startswith("CONSTRAINT ")}
        if rest != old_rest or columns[: len(old_columns)] != old_columns or old_checks - checks:
            continue
        found[name] = [
            Statement(statement.section, f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column}")
            for column in columns[len(old_columns) :]
        ] + [
            Statement(statement.section, f"ALTER TABLE {name} ADD {check}")
            for check in sorted(checks - old_checks)
        ]
    return found


def _columns_dropped(tables: dict[str, list[Statement]]) -> Iterator[str]:
    for name, statements in tables.items():
        for statement in reversed(statements):
            added = statement.sql.removeprefix(f"ALTER TABLE {name} ADD ")
            kind, rest = added.split(" ", 1)
            rest = rest.removeprefix("IF NOT EXISTS ")
            called = re.match(r'"(?:[^"]|"")*"|\S+', rest)
            assert called is not None
            yield f"ALTER TABLE IF EXISTS {name} DROP {kind} IF EXISTS {called[0]}"


def _put_back(before: Content, after: Content, columns: Iterable[str]) -> Iterator[str]:
    """What was there under the same name: views, functions and comments, as they were."""
    now = set(after.statements)
    replaced = [
        statement.sql
        for statement in before.statements
        if statement.sql.startswith(("CREATE OR REPLACE ", "COMMENT ON ")) and statement not in now
    ]
    # A view gives no column back; and what has been said of it goes with it.
    views = {
        drop.removeprefix(_DROP_VIEW): drop
        for drop in after.drops
        if drop.startswith(_DROP_VIEW)
        and any(
            sql.startswith(f"CREATE OR REPLACE VIEW {drop[len(_DROP_VIEW) :]} ") for sql in replaced
        )
    }
    yield from views.values()
    yield from columns
    yield from replaced
    for statement in before.statements:
        said = statement.sql.startswith(("COMMENT ON ", "GRANT ", "REVOKE ", "ALTER VIEW "))
        if (
            said
            and statement.sql not in replaced
            and any(f" {view}" in statement.sql for view in views)
        ):
            yield statement.sql


def _place_of_rows(after: Content, statements: Sequence[Statement]) -> int:
    """Where rows go in: as in the whole, before the first statement that follows them there."""
    sections = [statement.section for statement in after.statements]
    if _ROWS not in sections:
        return len(statements)
    following = set(after.statements[len(sections) - sections[::-1].index(_ROWS) :])
    return next(
        (number for number, one in enumerate(statements) if one in following), len(statements)
    )


def _added_rows(before: Content, after: Content) -> Iterator[TableRows]:
    earlier = {str(table): table for table in before.tables}
    for table in after.tables:
        old = earlier.get(str(table))
        if old is None:
            yield table
            continue
        kept = [table.columns.index(column) for column in old.columns if column in table.columns]
        there = Counter(old.rows)
        new = []
        for row in table.rows:
            seen = tuple(row[number] for number in kept)
            if there[seen]:
                there[seen] -= 1
            else:
                new.append(row)
        if missing := sum(there.values()):
            raise ProjectError(
                f"{table}: {missing} rows that are older than the range are changed or deleted in "
                "it. A snapshot in the middle of a history can only add rows. Begin at the base "
                "(no --from), or take a range that does not touch them."
            )
        yield replace(table, rows=tuple(new))
