"""What a trace says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

QUERIES = "-- queries of the block"
"""The text of the statement that stands for what a block has read, or locked, by queries."""

_BLOCKS = {
    "ACCESS SHARE": "only DDL",
    "ROW SHARE": "only DDL",
    "ROW EXCLUSIVE": "only DDL",
    "SHARE UPDATE EXCLUSIVE": "only DDL",
    "SHARE": "writes",
    "SHARE ROW EXCLUSIVE": "writes",
    "EXCLUSIVE": "writes and row locks",
    "ACCESS EXCLUSIVE": "reads and writes",
}
_MODES = list(_BLOCKS)


def blocks(mode: str) -> str:
    """What of an application's has to wait for a lock (manual, 13.3.1, table 13.2).

    Args:
        mode: as `Lock.mode`.

    Returns:
        "reads and writes", "writes and row locks" (SELECT FOR UPDATE and the like; other reads go
        on), "writes", or "only DDL": other changes of the schema, and VACUUM, wait, at most.
    """
    return _BLOCKS[mode]


def strength(mode: str) -> int:
    """A number that is the greater the more a mode of lock conflicts with, from 0 to 7."""
    return _MODES.index(mode)


@dataclass(frozen=True)
class Lock:
    """The strongest lock that a statement takes on a relation.

    Attributes:
        relation: its qualified name, that from before the migration where it is older.
        kind: "table", "index", "materialized view", "view", "sequence" or "foreign table".
        mode: as SQL writes it: "ACCESS EXCLUSIVE".
        new: whether the relation is made by the migration itself, so that nobody waits for it.
        already: whether an earlier statement of the transaction has taken it.
        held: milliseconds, all times together, from the beginning of the statement to the end of
            the transaction; 0 where it is held already.
        longest: milliseconds of the longest time.
    """

    relation: str
    kind: str
    mode: str
    new: bool
    already: bool
    held: float
    longest: float


@dataclass(frozen=True)
class Effect:
    """What a statement does to a table, besides locking it.

    Attributes:
        relation: as `Lock.relation`.
        new: as `Lock.new`.
        scanned: whether it is read from its beginning to its end, without an index.
        read: rows read, by an index or without; a row counts each time.
        rewritten: whether it has another file afterwards: it was written anew, or emptied.
        inserted: rows, as for the two that follow; those of a transaction that is rolled back too.
        updated: rows.
        deleted: rows; not those of TRUNCATE.
    """

    relation: str
    new: bool
    scanned: bool
    read: int
    rewritten: bool
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True)
class Statement:
    """A statement that the migration executed, or that ran inside of one.

    Attributes:
        text: what it says, or `QUERIES`.
        comment: the comment that it begins with, without comment signs.
        parent: which of the statements it ran inside of, by its place; None where in none.
        line: which line of the DO block, from 1, where its body begins; None where it is in none.
        function: the function that it stands in, "" where in none.
        locks: what it locks; for one with others inside, what they do not.
        effects: what it does to tables; for one with others inside, what they do not.
        milliseconds: how long it took, all times together.
        longest: how long it took the longest time, in milliseconds.
        times: how often it ran.
        transaction: the number of the transaction that it first ran in, from 1.
        transactions: in how many.
        block: whether that was a transaction block, and not the statement by itself.
    """

    text: str
    comment: str
    parent: int | None
    line: int | None
    function: str
    locks: tuple[Lock, ...]
    effects: tuple[Effect, ...]
    milliseconds: float
    longest: float
    times: int
    transaction: int
    transactions: int
    block: bool


@dataclass(frozen=True)
class TableLock:
    """The strongest lock that a migration takes on a table that was there before.

    Attributes:
        relation: as `Lock.relation`.
        kind: as `Lock.kind`.
        mode: as `Lock.mode`.
        blocks: as :func:`blocks` has it.
        held: milliseconds that it is held, in all.
        longest: milliseconds that it is held at a stretch.
        statement: the place of the statement that holds it longest.
    """

    relation: str
    kind: str
    mode: str
    blocks: str
    held: float
    longest: float
    statement: int


@dataclass(frozen=True)
class Trace:
    """What a migration did, statement by statement.

    Attributes:
        statements: in order, each followed by those inside of it.
        complete: whether it says all; why_not: where it does not, what is missing.
    """

    statements: tuple[Statement, ...]
    complete: bool
    why_not: str

    def tables(self) -> tuple[TableLock, ...]:
        """The strongest lock on each relation, the worst ones first."""
        found: dict[str, list[tuple[int, Lock]]] = {}
        for place, statement in enumerate(self.statements):
            for lock in statement.locks:
                if not lock.new and not lock.already:
                    found.setdefault(lock.relation, []).append((place, lock))
        summed = [_summary(locks) for locks in found.values()]
        return tuple(sorted(summed, key=lambda one: (-strength(one.mode), -one.held, one.relation)))

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Trace:
        """What :meth:`document` gave, from JSON."""
        statements = tuple(
            Statement(
                **{
                    **one,
                    "locks": tuple(Lock(**lock) for lock in one["locks"]),
                    "effects": tuple(Effect(**effect) for effect in one["effects"]),
                }
            )
            for one in document["statements"]
        )
        return cls(statements, document["complete"], document["why_not"])


def _summary(taken: list[tuple[int, Lock]]) -> TableLock:
    mode = max((lock.mode for _, lock in taken), key=strength)
    strongest = [(place, lock) for place, lock in taken if lock.mode == mode]
    statement, longest = max(strongest, key=lambda one: one[1].longest)
    return TableLock(
        longest.relation,
        longest.kind,
        mode,
        blocks(mode),
        sum(lock.held for _, lock in strongest),
        longest.longest,
        statement,
    )
