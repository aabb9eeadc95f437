"""How far a run is: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_EVERY = 10.0
"""Seconds between two lines."""


class Progress:
    """The progress of one column."""

    def __init__(self, console: Console, name: str, total: int) -> None:
        """Takes where it is shown, the column's name, and how many rows are to be done."""
        self._console = console
        self._name = name
        self._total = total
        self._done = 0
        self._started = self._said = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows the bar for a ``with`` block, where there is a terminal."""
        if not self._console.is_terminal or self._total == 0:
            yield
            return
        with self._columns() as self._bar:
            self._task = self._bar.add_task(self._name, total=self._total, rate="")
            yield
        self._bar = None

    def advance(self, rows: int) -> None:
        """Says that so many more rows are done."""
        self._done += rows
        self._total = max(self._total, self._done)
        now = time.monotonic()
        rate = self._done / max(now - self._started, 0.001)
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                completed=self._done,
                total=self._total,
                rate=f"{rate:,.0f} rows/s",
            )
        elif now - self._said >= _EVERY:
            self._said = now
            left = timedelta(seconds=round((self._total - self._done) / max(rate, 0.001)))
            self._console.print(
                f"{self._name}: {self._done:,} of {self._total:,} rows, {rate:,.0f} rows/s, "
                f"{left} left"
            )

    def say(self, text: str) -> None:
        """A line of its own, above the bar."""
        self._console.print(f"{self._name}: {text}")

    def _columns(self) -> Bar:
        from rich import progress

        return progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
