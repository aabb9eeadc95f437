"""What of the facts is whose: which statement took a lock, read a table, gave it another file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from alembic_fixups.prove.trace.facts import Counters, Facts, Relation
from alembic_fixups.prove.trace.model import Effect, Lock, Statement, strength


@dataclass
class Taken:
    """A lock that a statement took, and how long it has been held."""

    mode: str
    already: bool = False
    held: float = 0.0
    longest: float = 0.0


@dataclass
class Draft:
    """A statement of the trace while it grows. The attributes are those of `model.Statement`."""

    text: str
    comment: str = ""
    parent: Draft | None = None
    line: int | None = None
    function: str = ""
    locks: dict[int, Taken] = field(default_factory=dict)
    counted: dict[int, Counters] = field(default_factory=dict)
    rewritten: set[int] = field(default_factory=set)
    milliseconds: float = 0.0
    longest: float = 0.0
    times: int = 0
    transactions: dict[int, None] = field(default_factory=dict)
    block: bool = True

    def ran(self, milliseconds: float) -> None:
        """It ran once more."""
        self.times += 1
        self.milliseconds += milliseconds
        self.longest = max(self.longest, milliseconds)


@dataclass
class Session:
    """What is known of a server process.

    Attributes:
        transaction: the virtual id of its transaction.
        locks: those that it holds, who took them, and since when.
        counters: what was counted when it was last looked at.
    """

    transaction: str = ""
    locks: dict[tuple[int, str], tuple[Taken | None, float]] = field(default_factory=dict)
    counters: dict[int, Counters] = field(default_factory=dict)

    def strongest(self, relation: int) -> str | None:
        """The strongest lock that it holds on a relation."""
        modes = [mode for one, mode in self.locks if one == relation]
        return max(modes, key=lambda mode: strength(written(mode)), default=None)


class Ledger:
    """Books what happens on the statements.

    Args:
        relations: what there was before the migration, by OID.

    Attributes:
        unknown: relations whose names are still to be given to :meth:`learn`.
    """

    def __init__(self, relations: Mapping[int, Relation]) -> None:
        self._old = dict(relations)
        self._made: dict[int, Relation] = {}
        self._files = {oid: one.file for oid, one in relations.items() if one.file}
        self._sessions: dict[int, Session] = {}
        self._numbers: dict[tuple[int, str], int] = {}
        self._passed_over: set[int] = set()
        self.unknown: set[int] = set()

    def begin(self, facts: Facts) -> None:
        """Takes the state before a statement: nothing of it is the statement's."""
        session = self._at(facts)
        for lock in facts.locks:
            session.locks.setdefault(lock, (None, facts.began))
        session.counters = dict(facts.counters)
        self._files.update(facts.files)

    def news(self, facts: Facts) -> tuple[frozenset[tuple[int, str]], frozenset[int]]:
        """The locks and the tables with counters that are not as they were at last look."""
        session = self._at(facts)
        counted = {
            oid for oid, count in facts.counters.items() if count != session.counters.get(oid)
        }
        return frozenset(facts.locks - session.locks.keys()), frozenset(counted)

    def book(
        self,
        draft: Draft,
        facts: Facts,
        since: float,
        *,
        targets: Iterable[int] = (),
        locks: Collection[tuple[int, str]] | None = None,
    ) -> None:
        """Books on a statement what is new since the last look.

        Args:
            since: when the statement began, by the server's clock, in milliseconds.
            targets: relations that it is about, whether or not it does anything to them.
            locks: which of the new locks are its own; all, if not given.
        """
        session = self._at(facts)
        draft.transactions.setdefault(self._number(facts))
        fresh, counted = self.news(facts)
        own = fresh if locks is None else fresh & frozenset(locks)
        self._book_locks(draft, session, own, since)
        for oid in counted:
            count = facts.counters[oid]
            grown = count - session.counters.get(oid, Counters())
            draft.counted[oid] = draft.counted.get(oid, Counters()) + grown
            session.counters[oid] = count
        for oid, file in facts.files.items():
            if self._files.get(oid, file) != file:
                draft.rewritten.add(oid)
            self._files[oid] = file
        for oid in {*counted, *targets} - draft.locks.keys():
            if held := session.strongest(oid):
                draft.locks[oid] = Taken(written(held), already=True)
        self._ask_for({*draft.locks, *draft.counted})

    def observe(self, draft: Draft, locks: Iterable[tuple[int, str]]) -> None:
        """Books locks that another session saw, for as long as the statement took."""
        modes: dict[int, str] = {}
        for oid, mode in sorted(locks, key=lambda lock: strength(written(lock[1]))):
            modes[oid] = written(mode)
        for oid, mode in modes.items():
            if oid not in draft.locks or strength(draft.locks[oid].mode) < strength(mode):
                draft.locks[oid] = Taken(mode, False, draft.milliseconds, draft.milliseconds)
        self._ask_for(modes)

    def files(self, draft: Draft, relations: Mapping[int, Relation]) -> None:
        """Books what has another file, after a statement whose locks are gone."""
        for oid, relation in relations.items():
            if relation.file and self._files.get(oid, relation.file) != relation.file:
                draft.rewritten.add(oid)
            self._files[oid] = relation.file

    def undone(self, relations: Mapping[int, Relation]) -> None:
        """Takes the files as they are: after ROLLBACK the old ones are back."""
        self._files.update((oid, one.file) for oid, one in relations.items())

    def learn(self, relations: Mapping[int, Relation]) -> None:
        """Takes the names of what the migration has made."""
        self._made.update(relations)
        self._passed_over |= self.unknown - relations.keys()
        self.unknown.clear()

    def end(self, pid: int, at: float) -> None:
        """The session's transaction ends."""
        if session := self._sessions.get(pid):
            _release(session, list(session.locks), at)

    def statement(self, draft: Draft, parent: int | None) -> Statement:
        """The finished statement."""
        locks = [
            Lock(named.name, named.kind, taken.mode, oid not in self._old,
                 taken.already, round(taken.held, 3), round(taken.longest, 3))
            for oid, taken in draft.locks.items()
            if (named := self._named(oid)) and self._tells(draft, oid, named)
        ]  # fmt: skip
        effects = []
        for oid in {**draft.counted, **dict.fromkeys(draft.rewritten)}:
            count, named = draft.counted.get(oid, Counters()), self._named(oid)
            if named and (count != Counters() or oid in draft.rewritten):
                # TRUNCATE makes empty indexes, for which it scans an empty table.
                scanned = count.scans > 0 and (count.returned > 0 or oid not in draft.rewritten)
                effects.append(
                    Effect(named.name, oid not in self._old, scanned,
                           count.returned + count.fetched, oid in draft.rewritten,
                           count.inserted, count.updated, count.deleted)
                )  # fmt: skip
        return Statement(
            draft.text,
            draft.comment,
            parent,
            draft.line,
            draft.function,
            tuple(sorted(locks, key=lambda lock: (-strength(lock.mode), lock.relation))),
            tuple(sorted(effects, key=lambda effect: effect.relation)),
            round(draft.milliseconds, 3),
            round(draft.longest, 3),
            draft.times,
            min(draft.transactions, default=0),
            len(draft.transactions),
            draft.block,
        )

    def _at(self, facts: Facts) -> Session:
        """The session, without the locks that it no longer holds."""
        session = self._sessions.setdefault(facts.pid, Session())
        if session.transaction != facts.transaction:
            _release(session, list(session.locks), facts.transaction_began)
            session.transaction = facts.transaction
        else:
            _release(session, [one for one in session.locks if one not in facts.locks], facts.began)
        return session

    def _book_locks(
        self, draft: Draft, session: Session, fresh: Iterable[tuple[int, str]], since: float
    ) -> None:
        # Tables first: an index is told only where its lock is the stronger one.
        for oid, mode in sorted(
            fresh, key=lambda lock: (self._table(lock[0]) != 0, -strength(written(lock[1])))
        ):
            held = max(
                filter(None, (session.strongest(one) for one in (oid, self._table(oid)))),
                key=lambda held: strength(written(held)),
                default=None,
            )
            taken = None
            if held is None or strength(written(held)) < strength(written(mode)):
                taken = draft.locks.get(oid)
                if taken is None or taken.already:
                    taken = draft.locks[oid] = Taken(written(mode))
                elif strength(taken.mode) < strength(written(mode)):
                    taken.mode = written(mode)
            session.locks[oid, mode] = (taken, since)

    def _table(self, oid: int) -> int:
        named = self._named(oid)
        return named.table if named else 0

    def _tells(self, draft: Draft, oid: int, named: Relation) -> bool:
        if named.kind == "index":
            on_table = draft.locks.get(named.table)
            if oid not in self._old:
                return False
            if on_table and strength(on_table.mode) >= strength(draft.locks[oid].mode):
                return False
        weak = strength(draft.locks[oid].mode) <= strength("ROW EXCLUSIVE")
        return not (weak and named.kind in ("index", "sequence"))

    def _named(self, oid: int) -> Relation | None:
        return self._old.get(oid) or self._made.get(oid)

    def _ask_for(self, oids: Iterable[int]) -> None:
        self.unknown |= {*oids} - self._old.keys() - self._made.keys() - self._passed_over

    def _number(self, facts: Facts) -> int:
        return self._numbers.setdefault((facts.pid, facts.transaction), len(self._numbers) + 1)


def written(mode: str) -> str:
    """A mode of pg_locks as SQL writes it: "AccessExclusiveLock" is "ACCESS EXCLUSIVE"."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in mode)
    return words.removesuffix(" Lock").strip().upper()


def _release(session: Session, locks: Iterable[tuple[int, str]], at: float) -> None:
    for lock in locks:
        taken, since = session.locks.pop(lock)
        if taken is not None:
            taken.held += max(0.0, at - since)
            taken.longest = max(taken.longest, at - since)


def from_zero(before: Facts, after: Facts) -> Facts:
    """*after*, with what was counted since *before*."""
    none = Counters()
    grown = {oid: count - before.counters.get(oid, none) for oid, count in after.counters.items()}
    return replace(after, counters={oid: count for oid, count in grown.items() if count != none})
