"""One revision is held to the laws, on copies of a scratch database at its parents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from psycopg import sql
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.prove.bench import Bench
from alembic_fixups.prove.job import Executed, Job, Stop
from alembic_fixups.prove.state import Comparison, Moment, compare
from alembic_fixups.prove.verdict import LAWS, Verdict
from alembic_fixups.settings import Law
from alembic_fixups.squash import proof
from alembic_fixups.squash.proof import Volatile

_AT_ONCE = 2
"""A run is one connection and one process that mostly wait for each other."""

_WITH_DOWNGRADE: tuple[Law, ...] = (
    "downgrade",
    "downgrade-again",
    "downgrade-restart",
    "upgrade-after-downgrade",
)

_SHOWN = 100
"""Characters of a statement where it is only to be recognised."""


@dataclass(frozen=True)
class Tried:
    """What came out for a revision.

    Attributes:
        verdicts: one for each law.
        after: a database after its upgrade; None where it does not run.
    """

    verdicts: tuple[Verdict, ...]
    after: URL | None


@dataclass(frozen=True)
class _Way:
    """A run of a revision in one direction, that nothing has disturbed.

    Attributes:
        upgrade: which direction.
        start: the database before it.
        heads: the revisions that this was at.
        end: the database after it.
        statements: what it executed.
        volatile: the values that differ from run to run.
    """

    upgrade: bool
    start: Moment
    heads: Sequence[str]
    end: Moment
    statements: Sequence[Executed]
    volatile: Sequence[Volatile]


@contextmanager
def tried(bench: Bench, revision: str, laws: Collection[Law], before: URL) -> Iterator[Tried]:
    """Holds a revision to the laws; the databases that it gives are there for a ``with`` block.

    Args:
        bench: what to try it with.
        revision: its id.
        laws: which; ``runs`` always is one.
        before: a database at its parents, with rows, that nobody is connected to.

    Raises:
        ProjectError: a database cannot be dumped.
        ScratchError: no database can be made.
    """
    with ExitStack() as stack, ThreadPoolExecutor(_AT_ONCE) as pool:
        trial = _Trial(bench, revision, laws, stack, pool)
        verdicts = list(trial.verdicts(before))
        yield Tried(tuple(verdicts), trial.after)


class _Trial:
    """A revision, and what it is tried with.

    Attributes:
        after: a database after its upgrade, once there is one.
    """

    def __init__(
        self,
        bench: Bench,
        revision: str,
        laws: Collection[Law],
        stack: ExitStack,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.after: URL | None = None
        self._laws = frozenset(laws)
        self._bench = bench
        self._roles = bench.roles()
        self._revision = revision
        self._stack = stack
        self._pool = pool

    def verdicts(self, before: URL) -> Iterator[Verdict]:
        """One for each law that is asked for, in their order; ``runs`` always is."""
        start = self._bench.take(before)
        up = self._undisturbed("runs", start, upgrade=True)
        if isinstance(up, Verdict):
            yield up
            yield from self._not_tried("again", "upgrade() does not run")
            return
        yield Verdict("runs", "held", notes=_notes(up.volatile))
        self.after = up.end.url
        if self._bench.roles() != self._roles:
            yield from self._not_tried(
                "again",
                "it changes roles, which are the server's: on it, each further run would find "
                "what those before have left",
            )
            return
        yield from self._asked("again", lambda: self._again("again", up))
        yield from self._asked("restart", lambda: self._restart("restart", up))
        if not self._laws.isdisjoint(_WITH_DOWNGRADE):
            yield from self._downwards(start, up)
        elif "offline" in self._laws:
            yield self._offline([up])

    def _downwards(self, start: Moment, up: _Way) -> Iterator[Verdict]:
        down = self._undisturbed("downgrade", up.end, upgrade=False)
        if isinstance(down, Verdict):
            yield down
            yield from self._not_tried("downgrade-again", "downgrade() does not run", ["offline"])
            yield from self._asked("offline", lambda: self._offline([up]))
            return
        names = ("before", "after the downgrade")
        yield from self._asked(
            "downgrade", lambda: self._verdict("downgrade", start, down.end, names)
        )
        yield from self._asked("downgrade-again", lambda: self._again("downgrade-again", down))
        yield from self._asked(
            "downgrade-restart", lambda: self._restart("downgrade-restart", down)
        )
        yield from self._asked("upgrade-after-downgrade", lambda: self._upgrade_after(down, up))
        yield from self._asked("offline", lambda: self._offline([up, down]))

    def _asked(self, law: Law, verdict: Callable[[], Verdict]) -> Iterator[Verdict]:
        if law in self._laws:
            yield verdict()

    def _not_tried(self, first: Law, reason: str, without: Sequence[Law] = ()) -> Iterator[Verdict]:
        """Verdicts for a law and those that come after it."""
        laws = list(LAWS)
        for law in laws[laws.index(first) :]:
            if law in self._laws and law not in without:
                yield Verdict(law, "not tried", reason)

    def _undisturbed(self, law: Law, start: Moment, *, upgrade: bool) -> _Way | Verdict:
        """Runs it, twice, to see what differs by itself; the first one's database stays."""
        bench = self._bench
        bench.trying(law, 2)
        kept = self._stack.enter_context(bench.copy(start.url))
        with bench.copy(start.url) as passing:

            def run(url: URL) -> tuple[str, Sequence[Executed], Moment]:
                done = bench.run(url, self._revision, upgrade=upgrade)
                bench.trying(law, 0)
                return done.error, done.statements, bench.take(url)

            # One after the other: two runs at once may wait for what the server shares.
            error, statements, end = run(kept)
            if error:
                return self._broken(law, error, start, end)
            if (self._revision in bench.heads(kept)) != upgrade:
                reason = (
                    "It runs, and Alembic's version table does not say so. Does it commit, or roll "
                    "back, Alembic's own transaction?"
                )
                return self._broken(law, reason, start, end)
            heads = bench.heads(start.url)
            if bench.roles() != self._roles:  # which a second run would find
                return _Way(upgrade, start, heads, end, statements, ())
            error, _, again = run(passing)
            if error:
                return self._broken(law, f"A second run, on a copy, fails: {error}", start, again)
            volatile = proof.volatile(end.state, again.state)
            names = ("one run", "another run on a copy")
            found = compare(bench.server, end, again, names, volatile)
        if found.differences:
            reason = "Two runs from the same database do not end the same."
            return Verdict(law, "broken", reason, found.differences)
        return _Way(upgrade, start, heads, end, statements, volatile)

    def _again(self, law: Law, way: _Way) -> Verdict:
        bench = self._bench
        bench.trying(law, 1)
        with bench.copy(way.end.url) as url:
            bench.stamp(url, way.heads)
            done = bench.run(url, self._revision, upgrade=way.upgrade)
            bench.trying(law, 0)
            if done.error:
                bench.stamp(url, bench.heads(way.end.url))
                return self._broken(law, done.error, way.end, bench.take(url))
            names = ("after one run", "after two")
            return self._verdict(law, way.end, bench.take(url), names)

    def _restart(self, law: Law, way: _Way) -> Verdict:
        every = list(_stops(way.statements))
        stops = _some(every, self._bench.stops)
        self._bench.trying(law, len(stops))
        found = list(self._pool.map(lambda stop: self._restarted(law, way, stop), stops))
        broken = [verdict for verdict in found if verdict.outcome == "broken"]
        if len(broken) == 1:
            return broken[0]
        if broken:
            others = f"So it is at {len(broken)} of {len(stops)} places."
            return replace(broken[0], reason=f"{broken[0].reason}\n{others}")
        notes = list(dict.fromkeys(note for verdict in found for note in verdict.notes))
        if len(stops) < len(every):
            notes.append(f"Stopped at {len(stops)} of {len(every)} statements.")
        return Verdict(law, "held", notes=tuple(notes))

    def _restarted(self, law: Law, way: _Way, stop: Stop) -> Verdict:
        bench = self._bench
        statement = way.statements[stop.number - 1].text
        where = f"{'inside of' if stop.inside else 'before'} statement {stop.number} of "
        where += f"{len(way.statements)}, {_short(statement)}"
        with bench.copy(way.start.url) as url:
            stopped = bench.run(url, self._revision, upgrade=way.upgrade, stop=stop)
            if not stopped.stopped:  # a statement that did not wait
                bench.trying(law, 0)
                return Verdict(law, "held")
            done = bench.run(url, self._revision, upgrade=way.upgrade)
            bench.trying(law, 0)
            if done.error:
                reason = f"Stopped {where}; run again: {done.error}"
                return self._left_behind(law, way, stop, reason)
            names = ("undisturbed", "stopped and run again")
            verdict = self._verdict(law, way.end, bench.take(url), names, way.volatile)
        if verdict.outcome == "broken":
            reason = f"Stopped {where}, and run again, it ends otherwise."
            return Verdict(law, "broken", reason, verdict.differences)
        return verdict

    def _left_behind(self, law: Law, way: _Way, stop: Stop, reason: str) -> Verdict:
        """The verdict with what a stopped run had changed, as its second run has found it."""
        bench = self._bench
        with bench.copy(way.start.url) as url:
            bench.run(url, self._revision, upgrade=way.upgrade, stop=stop)
            return self._broken(law, reason, way.start, bench.take(url))

    def _upgrade_after(self, down: _Way, up: _Way) -> Verdict:
        law: Law = "upgrade-after-downgrade"
        bench = self._bench
        bench.trying(law, 1)
        with bench.copy(down.end.url) as url:
            done = bench.run(url, self._revision, upgrade=True)
            bench.trying(law, 0)
            if done.error:
                return self._broken(law, done.error, down.end, bench.take(url))
            names = ("the first time", "after a downgrade")
            return self._verdict(law, up.end, bench.take(url), names, up.volatile)

    def _offline(self, ways: Sequence[_Way]) -> Verdict:
        self._bench.trying("offline", len(ways))
        notes: list[str] = []
        for way in ways:
            verdict = self._printed(way)
            self._bench.trying("offline", 0)
            if verdict.outcome == "broken":
                return verdict
            notes += verdict.notes
        return Verdict("offline", "held", notes=tuple(dict.fromkeys(notes)))

    def _printed(self, way: _Way) -> Verdict:
        bench = self._bench
        command = f"{'upgrade' if way.upgrade else 'downgrade'} --sql"
        with bench.copy(way.start.url) as url:
            database = url.render_as_string(hide_password=False)
            done = bench.do(Job(self._revision, way.upgrade, database, heads=list(way.heads)))
            if done.error:
                return Verdict("offline", "broken", f"{command}: {done.error}")
            if not way.heads:  # then the script makes the table
                with scratch.connect(url) as connection:
                    table = sql.Identifier(*bench.table)
                    connection.execute(sql.SQL("DROP TABLE {}").format(table))
            if error := bench.psql(url, done.sql):
                reason = f"psql refuses what {command} prints: {error}"
                return self._broken("offline", reason, way.start, bench.take(url))
            names = ("online", f"by {command}")
            return self._verdict("offline", way.end, bench.take(url), names, way.volatile)

    def _verdict(
        self,
        law: Law,
        expected: Moment,
        found: Moment,
        names: tuple[str, str],
        volatile: Sequence[Volatile] = (),
    ) -> Verdict:
        outcome = compare(self._bench.server, expected, found, names, volatile)
        if outcome.differences:
            reason = f"The database {names[1]} is not as it is {names[0]}."
            return Verdict(law, "broken", reason, outcome.differences, outcome.notes)
        return Verdict(law, "held", notes=outcome.notes)

    def _broken(self, law: Law, reason: str, before: Moment, found: Moment) -> Verdict:
        """A run that failed, with what it has left behind."""
        left: Comparison = compare(
            self._bench.server, before, found, ("before it", "what it left behind")
        )
        return Verdict(law, "broken", reason, left.differences)


def _stops(statements: Sequence[Executed]) -> Iterator[Stop]:
    for number, statement in enumerate(statements, 1):
        if statement.passing:
            continue
        yield Stop(number)
        if statement.concurrent:
            yield Stop(number, inside=True)


def _some(stops: Sequence[Stop], limit: int) -> list[Stop]:
    """So many of them, evenly spread, the first and the last among them."""
    if len(stops) <= limit:
        return list(stops)
    step = (len(stops) - 1) / max(limit - 1, 1)
    return [stops[round(number * step)] for number in range(limit)]


def _short(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _notes(volatile: Sequence[Volatile]) -> tuple[str, ...]:
    return tuple(f"Differs from run to run, and is not compared: {one}." for one in volatile)
