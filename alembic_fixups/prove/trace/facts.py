"""What a session has locked, read, changed and rewritten so far, as the server knows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

Run = Callable[[str], list[tuple[Any, ...]]]
"""Executes a query past SQLAlchemy and gives its rows."""

_FACTS = Path(__file__).with_name("facts.sql")
_RELATIONS = Path(__file__).with_name("relations.sql")
_POINTS = """
SELECT kind, tag, array_to_json(targets::bigint[])::text, context, ended, id,
       began, pid, transaction, transaction_began, locks, counters, files
  FROM alembic_fixups_trace.point
 WHERE pid = pg_backend_pid() AND id > {last}
 ORDER BY id
"""
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8 * 1000"
_FLUSH = "SELECT pg_stat_force_next_flush()"
_TRANSACTION = (
    "SELECT max(virtualtransaction) FROM pg_catalog.pg_locks WHERE pid = pg_backend_pid()"
)


@dataclass(frozen=True)
class Counters:
    """How often a table was scanned, and the rows that were read and changed."""

    scans: int = 0
    returned: int = 0
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __sub__(self, earlier: Counters) -> Counters:
        return Counters(
            self.scans - earlier.scans,
            self.returned - earlier.returned,
            self.fetched - earlier.fetched,
            # TRUNCATE and the like take back what the transaction counted before.
            max(0, self.inserted - earlier.inserted),
            max(0, self.updated - earlier.updated),
            max(0, self.deleted - earlier.deleted),
        )

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.scans + other.scans,
            self.returned + other.returned,
            self.fetched + other.fetched,
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
        )


@dataclass(frozen=True)
class Facts:
    """The state of a session.

    Attributes:
        began: when it was looked at: the server's clock, in milliseconds.
        pid: of the server process.
        transaction: the transaction's virtual id.
        transaction_began: when it began, in milliseconds.
        locks: relation and mode, as pg_locks writes it.
        counters: what was counted, by relation; one that is missing is as it was.
        files: the number of a table's file, by relation; of those locked ACCESS EXCLUSIVE.
    """

    began: float
    pid: int
    transaction: str
    transaction_began: float
    locks: frozenset[tuple[int, str]]
    counters: Mapping[int, Counters]
    files: Mapping[int, int]

    def earlier(self, by: float) -> Facts:
        """The same, with its times moved back by so many milliseconds."""
        began, transaction_began = self.began - by, self.transaction_began - by
        return replace(self, began=began, transaction_began=transaction_began)

    @classmethod
    def of(cls, row: Sequence[Any]) -> Facts:
        """What a row of facts.sql says."""
        began, pid, transaction, transaction_began, locks, counters, files = row
        return cls(
            began,
            pid,
            transaction,
            transaction_began,
            frozenset((relation, mode) for relation, mode in json.loads(locks)),
            {relation: Counters(*counted) for relation, *counted in json.loads(counters)},
            dict(json.loads(files)),
        )


@dataclass(frozen=True)
class Point:
    """The beginning or the end of a statement, as a trigger saw it.

    Attributes:
        starts: whether it is the beginning.
        tag: the command: "ALTER TABLE", "UPDATE".
        targets: relations that it is about.
        context: PG_CONTEXT of PL/pgSQL: the statements that it runs inside of, from itself
            outwards; "" where it is a top-level one.
        ended: when the trigger was done, in milliseconds.
        number: its place among all.
        facts: the state of the session.
    """

    starts: bool
    tag: str
    targets: tuple[int, ...]
    context: str
    ended: float
    number: int
    facts: Facts


def without_pauses(points: Sequence[Point], pause: float) -> tuple[list[Point], float]:
    """The points with their times as if nobody had looked.

    Args:
        pause: how long it was looked at the session before, in milliseconds.

    Returns:
        The points, and how long it was looked afterwards.
    """
    found = []
    for point in points:
        facts = point.facts.earlier(pause)
        found.append(replace(point, ended=facts.began, facts=facts))
        pause += point.ended - point.facts.began
    return found, pause


@dataclass(frozen=True)
class Relation:
    """A table, index, view or sequence.

    Attributes:
        oid: its OID.
        name: its qualified name.
        kind: as `model.Lock.kind`.
        table: the OID of an index's table; 0 for others.
        file: the number of a table's file; 0 for others.
    """

    oid: int
    name: str
    kind: str
    table: int
    file: int


@cache
def query(*, everywhere: bool = True, flushed: bool = False) -> str:
    """The query for `Facts`.

    Args:
        everywhere: whether to count on all tables; else on those that are locked, which is faster
            where there are many.
        flushed: whether to count what all sessions have reported; else what this one has still to
            report, which it does between transactions at most.
    """
    scope = "oid >= 16384::oid" if everywhere else "oid = ANY (held.relations)"
    text = _FACTS.read_text(encoding="utf-8")
    return text.replace("{scope}", scope).replace("{counted}", "" if flushed else "xact_")


def look(run: Run, *, flushed: bool = False) -> Facts:
    """The state of the session now.

    Args:
        flushed: as for :func:`query`; outside of a transaction only.
    """
    if flushed:
        run(_FLUSH)
    [row] = run(query(flushed=flushed))
    return Facts.of(row)


def clock(run: Run) -> float:
    """What the server's clock shows, in milliseconds."""
    [(now,)] = run(_CLOCK)
    return float(now)


def in_block(run: Run) -> bool:
    """Whether the session is in a transaction block: its transaction lasts for two queries."""
    return run(_TRANSACTION) == run(_TRANSACTION)


def points(run: Run, after: int) -> list[Point]:
    """What the triggers have noted for this session.

    Args:
        after: the number of the last one that is known.
    """
    return [
        Point(kind == "start", tag, tuple(json.loads(targets)), context, ended, number, Facts.of(r))
        for kind, tag, targets, context, ended, number, *r in run(_POINTS.format(last=after))
    ]


def relations(run: Run) -> dict[int, Relation]:
    """All that users of the database have made, by OID; not what is temporary."""
    rows = run(_RELATIONS.read_text(encoding="utf-8"))
    return {row[0]: Relation(*row) for row in rows}
