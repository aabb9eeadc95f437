"""What is shown while revisions are proven."""

from __future__ import annotations

from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

_SAID = {
    "replay": "the revisions before it",
    "rows": "making rows up",
    "trace": "tracing its statements",
}


class Progress:
    """A bar for what is being tried, where the console is a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.fields[revision]} {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._revision = ""
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
        self._bars.stop()

    def begin(self, revision: str) -> None:
        """Names the revision that is next."""
        self._revision = revision

    def trying(self, what: str, tries: int) -> None:
        """Begins something with so many tries, or with 0 counts one of them."""
        with self._lock:
            if tries == 0 and self._task is not None:
                self._bars.update(self._task, advance=1)
                return
            if self._task is not None:
                self._bars.remove_task(self._task)
            said = _SAID.get(what, what)
            self._task = self._bars.add_task(said, total=tries, revision=self._revision)
