"""What the commands on histories print: progress on the way, and what came out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

from alembic_fixups.squash.trial import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

_LISTED = 20


class Progress:
    """A bar for each history that is replayed, where the console is a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[revision]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def expect(self, totals: Mapping[str, int]) -> None:
        """Says how many revisions each history has."""
        for name, total in totals.items():
            self._tasks[name] = self._bars.add_task(name, total=total, revision="")

    def applied(self, name: str, revision: str) -> None:
        """Counts a revision of a history."""
        with self._lock:
            self._bars.update(self._tasks[name], advance=1, revision=revision)

    def stop(self) -> None:
        """Takes the bars away."""
        self._bars.stop()


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Prints what is worth knowing of replays besides whether they are equal."""
    from rich.text import Text

    if outcome.volatile:
        console.print(
            "These values differ each time that the revisions run (now(), random ids); the "
            "snapshot has those of one replay:",
            style="yellow",
        )
        for one in outcome.volatile:
            console.print(Text(f"  {one}"))
    by_revision = defaultdict(list)
    for note in outcome.notes:
        by_revision[note.revision or "env.py"].append(note.text)
    if by_revision:
        console.print("Besides what they do to the database:", style="yellow")
    for number, (revision, texts) in enumerate(by_revision.items()):
        if number == _LISTED:
            console.print(f"  ... and {len(by_revision) - _LISTED} revisions more (--json)")
            break
        for text in texts:
            console.print(Text(f"  {revision}: {text}"))


def print_differences(console: Console, lines: Sequence[str]) -> None:
    """Prints a unified diff."""
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        console.print(Text(line, style=styles.get(line[:1], "")))
