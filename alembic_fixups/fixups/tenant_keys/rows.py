"""The steps that look at the rows and keys that are there, and move what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from alembic_fixups.catalog import ForeignKey, Relation
from alembic_fixups.fixups.tenant_keys.difference import Change
from alembic_fixups.fixups.tenant_keys.ownership import violations_table
from alembic_fixups.fixups.tenant_keys.settings import NAME, Violations
from alembic_fixups.rendering import foreign_keys, quoting
from alembic_fixups.rendering.steps import Step, Unit
from alembic_fixups.rendering.templates import Templates, environment
from alembic_fixups.report import Finding
from alembic_fixups.run import Run

_REASON: dict[Violations, str] = {
    "quarantine": "row moved: its tenant columns are in no row of the parent",
    "null": "reference cleared: it led to a row of another tenant",
}
"""What is kept with a row; with the revision before, so that a downgrade finds its own rows."""


MARKER = "alembic-fixups:"
"""The comment of a table that rows are moved to begins so; no other is written to or dropped."""


def wrong_rows(
    templates: Templates,
    checked: Sequence[Change],
    movable: Sequence[Change],
    violations: Violations,
    run: Run,
) -> tuple[list[Unit], list[Unit]]:
    """What happens to rows that are wrong: those that stop it, and those that are moved then."""
    stopping = [change for change in checked if change not in movable]
    moved = [change for change in checked if change in movable]
    stops = [Unit([_stop(templates, stopping)])] if stopping else []
    moves = [_move(templates, list(_referring_first(moved)), violations, run)] if moved else []
    return stops, moves


def is_movable(change: Change, mode: Violations, run: Run) -> bool:
    """Whether violating rows can be dealt with as the settings say; otherwise they stop it."""
    key = change.key
    if mode == "null":
        if not _primary_key(change):
            why = "it has no primary key to find the rows by again"
        elif not set(key.own_columns) <= set(key.nullable):
            why = f"({', '.join(key.own_columns)}) is NOT NULL"
        else:
            return True
        run.findings.append(
            Finding(
                NAME,
                "cannot-be-null",
                key.child,
                f'violations = "null" cannot be done here: {why}; the migration stops at violating '
                'rows of this table instead. Set violations = "quarantine" to move them aside',
            )
        )
    return mode == "quarantine"


def row_security(templates: Templates, checked: Sequence[Change]) -> Step:
    """A look whether row level security would hide violating rows from the next steps."""
    tables = {table for change in checked for table in (change.child, change.parent)}
    return templates.step(
        "tenant_keys/row_security.sql.j2",
        "Look whether row level security hides rows from this role: the look-ups and VALIDATE "
        "would pass over them.",
        "nothing.",
        tables=sorted(tables, key=str),
    )


def look_at_keys(templates: Templates, replaced: Sequence[Change]) -> Step:
    """A look whether the old foreign keys can go, before the new ones are made."""
    looks = [
        {
            "table": change.child,
            "tenant": [
                name
                for name in tenant_columns(change)
                if change.relation is not None and change.relation.columns[name].not_null
            ],
            "gone": foreign_keys.deparsed_columns(same[0], change.parent),
            "known": [
                foreign_keys.deparsed(known, change.parent)
                for known in dict.fromkeys([*same, change.final, change.wanted])
            ],
        }
        for change in replaced
        for same in old_alike(change)
    ]
    return templates.step(
        "tenant_keys/look_at_keys.sql.j2",
        "Stop if the old foreign keys are others here than where this was generated.",
        "nothing.",
        looks=looks,
    )


def _stop(templates: Templates, stopping: Sequence[Change]) -> Step:
    """A look for rows that are wrong, in all tables before it stops at any."""
    return templates.step(
        "tenant_keys/abort.sql.j2",
        "Stop if rows violate one of the keys, and say which.",
        "nothing; the tables are read.",
        looks=[_look(change) for change in stopping],
    )


def _move(templates: Templates, moved: Sequence[Change], mode: Violations, run: Run) -> Unit:
    """Rows that are wrong are moved aside or cleared, all or none; the downgrade puts them back."""
    moves: list[dict[str, Any]] = [
        {
            "look": _look(change),
            "name": change.key.name,
            "store": change.child.sibling(violations_table(change.child.name)),
            "reason": f"{_REASON[mode]} (after revision {run.heads})",
        }
        for change in moved
    ]
    put_back = {"quarantine": "put_back_rows", "null": "put_back_values"}[mode]
    tables = ", ".join(dict.fromkeys(str(change.child) for change in moved))
    if mode == "quarantine":
        away = f"Move rows that violate a key to tables of their own, all or none: {tables}."
    else:
        away = f"Clear references that violate a key, all or none; the rows are kept: {tables}."
    locks = "SHARE ROW EXCLUSIVE on {} until it is done, if there are any: writes wait."
    return Unit(
        [
            templates.step(
                f"tenant_keys/{mode}.sql.j2",
                away,
                locks.format("the tables that have such rows"),
                moves=moves,
                marker=MARKER,
            )
        ],
        [
            templates.step(
                f"tenant_keys/{put_back}.sql.j2",
                f"Put back into {move['look']['child']} what the upgrade kept in {move['store']}.",
                locks.format(move["look"]["child"]),
                marker=MARKER,
                **move,
            )
            for move in reversed(moves)
        ],
    )


def _referring_first(lacking: Sequence[Change]) -> Iterator[Change]:
    """Rows that refer to others are moved aside before those they refer to.

    Of one table the widest key comes first: once a reference above it is cleared, it is checked no
    more.
    """
    tables = {change.key.child for change in lacking}
    graph: TopologicalSorter[str] = TopologicalSorter({table: set() for table in sorted(tables)})
    for change in lacking:
        if change.key.parent in tables and change.key.parent != change.key.child:
            graph.add(change.key.parent, change.key.child)
    try:
        order = list(graph.static_order())
    except CycleError:
        order = sorted(tables)
    yield from sorted(
        lacking, key=lambda change: (order.index(change.key.child), -len(change.key.columns))
    )


def _look(change: Change) -> dict[str, Any]:
    """What the templates need to find the violating rows."""
    key, primary_key = change.key, _primary_key(change)
    compared = [
        _comparison(change, name, other)
        for name, other in zip(key.columns, key.parent_columns, strict=True)
    ]
    look: dict[str, Any] = {
        "equals": [equals for equals, _ in compared],
        "casts": [cast for _, cast in compared],
        "child": change.child,
        "child_only": _only(change.relation),
        "columns": key.columns,
        "own_columns": key.own_columns,
        "match_full": change.wanted.match == "FULL",
        "parent": change.parent,
        "parent_only": _only(change.parent_relation),
        "parent_columns": key.parent_columns,
        "primary_key": primary_key,
        "sample": ", ".join(f"c.{quoting.identifier(name)}" for name in primary_key) or "c.ctid",
        "sample_names": primary_key or ("ctid",),
    }
    # The violating rows as a query on one line, for a person to run.
    macros: Any = environment(None).get_template("tenant_keys/_violating.sql.j2").module
    violating = " ".join(macros.condition(look).split())
    table = f"{look['child_only']}{change.child.sql}"
    look["query"] = f"SELECT c.* FROM {table} AS c WHERE {violating};"
    return look


def _comparison(change: Change, name: str, other: str) -> tuple[str, str]:
    """The operator by which a foreign key compares, and what the child's column is made into."""
    own = change.relation.columns.get(name) if change.relation else None
    parent = change.parent_relation.columns.get(other) if change.parent_relation else None
    if own is None or parent is None:
        return "=", ""
    equals = "="
    if parent.operators is not None:
        equals = f"OPERATOR({quoting.identifier(parent.operators)}.=)"
    made = "::bpchar" if parent.type == "bpchar" != own.type else ""
    if parent.collation is not None and own.collation != parent.collation:
        made += f" COLLATE {quoting.qualified(*parent.collation)}"
    return equals, made


def _only(relation: Relation | None) -> str:
    """A foreign key looks at a table alone, not at those that inherit from it; partitions count."""
    return "" if relation is not None and relation.kind == "p" else "ONLY "


def _primary_key(change: Change) -> tuple[str, ...]:
    return change.relation.primary_key if change.relation is not None else ()


def tenant_columns(change: Change) -> list[str]:
    """The columns beside a NULL in which the new foreign key checks nothing."""
    if change.wanted.match == "FULL":
        return []
    return [name for name in change.key.columns if name not in change.key.own_columns]


def old_alike(change: Change) -> list[list[ForeignKey]]:
    """The old foreign keys, those on the same columns together."""
    return [
        [old for old in change.old if old.pairs == pairs]
        for pairs in dict.fromkeys(old.pairs for old in change.old)
    ]
