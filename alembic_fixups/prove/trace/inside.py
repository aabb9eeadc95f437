"""The statements inside of one: in DO blocks, functions and procedures, or sent together."""

from __future__ import annotations

from collections.abc import Sequence

from alembic_fixups.prove.trace.context import place
from alembic_fixups.prove.trace.facts import Facts, Point
from alembic_fixups.prove.trace.ledger import Draft, Ledger, written
from alembic_fixups.prove.trace.model import QUERIES, strength
from alembic_fixups.prove.trace.text import bare, first_words

_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE"})
"""The tags of row statements: INSERT ... ON CONFLICT, MERGE and cascades have several at once."""


class Inside:
    """Finds the statements that ran inside of one, from what the triggers noted.

    Args:
        ledger: where it is booked what they did.
        top: the statement.
        texts: the statements that its text consists of.
        began: when it began, by the server's clock, in milliseconds.

    Attributes:
        found: the statements inside, each once, in the order in which they ended first.
    """

    def __init__(self, ledger: Ledger, top: Draft, texts: Sequence[str], began: float) -> None:
        self._ledger = ledger
        self._top = top
        self._several = len(texts) > 1
        self._texts = list(texts)
        self._mark = began
        self._drafts: dict[tuple[str, str], Draft] = {}
        self._current: Point | None = None
        self._by_context: dict[str, Draft] = {}

    @property
    def found(self) -> list[Draft]:
        return list(self._drafts.values())

    def read(self, points: Sequence[Point], after: Facts) -> None:
        """Books all of it.

        Args:
            points: what the triggers noted, in order.
            after: the state when it was done.
        """
        targets: set[int] = set()
        # Where triggers fire for the statement itself, all that happens is its own.
        if points and points[0].context == "" and not self._several:
            targets.update(*(point.targets for point in points if point.context == ""))
            points = ()
        for point in points:
            if point.starts:
                self._start(point)
            else:
                self._end(point)
        if not self._drafts:
            self._ledger.book(self._top, after, self._mark, targets=targets)
            return
        locks, counted = self._ledger.news(after)
        if locks or counted:
            queries = self._draft(("queries", ""), QUERIES)
            self._ledger.book(queries, after, self._mark)
            queries.ran(after.began - self._mark)
        for draft in [one for one in self.found if one.text != QUERIES] or self.found:
            self._top.transactions.update(draft.transactions)

    def _start(self, point: Point) -> None:
        if self._current is None or not _is_inside(point.context, self._current.context):
            self._queries(point)
            self._current = point

    def _end(self, point: Point) -> None:
        current, ended = self._current, self._by_context.get(point.context)
        rows = point.tag in _ROWS
        if (
            current is not None
            and current.context == point.context
            and (current.tag == point.tag or (rows and current.tag in _ROWS))
        ):
            self._book(point, current.facts.began, current.ended)
            self._current = None
        elif rows and ended is not None:
            # One more trigger of a statement that has ended.
            self._ledger.book(ended, point.facts, self._mark, targets=point.targets)
            self._current, self._mark = None, point.ended
        elif current is None:
            self._book(point, self._mark, self._mark)

    def _book(self, point: Point, since: float, began: float) -> None:
        where = place(point.context)
        text = where.statement or self._own_text(point)
        key = (f"{point.tag} {text}" if self._several else "", point.context)
        draft = self._draft(key, text)
        draft.line, draft.function = where.line, where.function
        self._ledger.book(draft, point.facts, since, targets=point.targets)
        draft.ran(point.facts.began - began)
        self._by_context[point.context], self._mark = draft, point.ended

    def _queries(self, point: Point) -> None:
        """Books what ran since the last statement, and left no other trace than this."""
        locks, counted = self._ledger.news(point.facts)
        # The statement that begins holds locks already: for rows weak ones, TRUNCATE its strong
        # ones.
        locks = frozenset(
            (oid, mode)
            for oid, mode in locks
            if (oid in counted and strength(written(mode)) < strength("ROW EXCLUSIVE"))
            or (point.tag != "TRUNCATE" and strength(written(mode)) > strength("ROW EXCLUSIVE"))
        )
        if locks or counted:
            where = place(point.context)
            queries = self._draft(("queries", point.context), QUERIES)
            queries.line, queries.function = where.line, where.function
            self._ledger.book(queries, point.facts, self._mark, locks=locks)
            queries.ran(point.facts.began - self._mark)

    def _draft(self, key: tuple[str, str], text: str) -> Draft:
        return self._drafts.setdefault(key, Draft(text, parent=self._top, block=self._top.block))

    def _own_text(self, point: Point) -> str:
        """The text of a statement that was sent with others: the next one with that command."""
        words = len(point.tag.split())
        for number, text in enumerate(self._texts if self._several else ()):
            if first_words(bare(text), words) == point.tag:
                del self._texts[: number + 1]
                return text
        return f"-- {point.tag}"


def _is_inside(context: str, outer: str) -> bool:
    return context == outer or outer == "" or context.endswith(f"\n{outer}")
