"""What happens while a chain is replayed, besides what it does to the scratch database.

For the child process of a replay only: what listens here listens to the whole process for good.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from alembic_fixups.settings import shown

ABORTED = "25P02"
"""The SQLSTATE of every statement after one that failed in the same transaction."""

_NOTES = 5
"""As many of one kind are told of one revision; a chain may write a thousand files."""

_WRITING = os.O_WRONLY | os.O_RDWR


class ReplayStopped(BaseException):
    """The replay must not go on; an ``except Exception`` in the project does not hold it up.

    Attributes:
        revision: the id of the revision that ran, "" where it was env.py itself.
    """

    def __init__(self, reason: str, revision: str) -> None:
        super().__init__(reason)
        self.revision = revision


@dataclass(frozen=True)
class Failure:
    """A statement that the database refused.

    Attributes:
        revision: the id of the revision that ran, "" where it was env.py itself.
        statement: its first line.
        reason: the database's own words.
        sqlstate: its code, "" where the driver gives none.
    """

    revision: str
    statement: str
    reason: str
    sqlstate: str


class Journal:
    """Keeps what happens, under the revision that runs at the time.

    Attributes:
        revision: the id of the revision that runs, "" outside of one.
        stopped: what had to be stopped, also where the project's code went on all the same.
        failures: the statements that failed, in order.
    """

    def __init__(self) -> None:
        self.revision = ""
        self.stopped: list[ReplayStopped] = []
        self.failures: list[Failure] = []
        self._notes: dict[tuple[str, str], None] = {}
        self._told: Counter[tuple[str, str]] = Counter()

    def stop(self, reason: str) -> NoReturn:
        """Ends the replay.

        Raises:
            ReplayStopped: always.
        """
        stopped = ReplayStopped(reason, self.revision)
        self.stopped.append(stopped)
        raise stopped

    def note(self, kind: str, what: str) -> None:
        """Keeps something worth telling, once, and not more than a few of a kind."""
        key = (self.revision, f"{kind} {what}")
        if key in self._notes:
            return
        self._told[self.revision, kind] += 1
        if self._told[self.revision, kind] <= _NOTES:
            self._notes[key] = None
        else:
            self._notes[self.revision, f"{kind} more than that"] = None

    def notes(self) -> list[tuple[str, str]]:
        """What is worth telling of a run that succeeded: (revision id, text)."""
        swallowed = {
            (
                failure.revision,
                "a statement failed and the revision went on: "
                f"{failure.statement}: {failure.reason}",
            ): None
            for failure in self.failures
        }
        return [*self._notes, *swallowed]

    def culprit(self) -> Failure | None:
        """The failure after which the last one found its transaction aborted."""
        return next(
            (failure for failure in reversed(self.failures) if failure.sqlstate != ABORTED), None
        )

    def listen(self) -> None:
        """Hears, from here on, of failed statements, of files written and of programs started."""
        event.listen(Engine, "handle_error", self._failed)
        # Looked up here, since the first look-up tries the folder by writing into it.
        passed_over = tuple(
            Path(os.path.realpath(folder)) for folder in (tempfile.gettempdir(), "/dev", "/proc")
        )

        def hear(name: str, arguments: tuple[Any, ...]) -> None:
            if name == "open":
                path, _, flags = arguments
                if flags & _WRITING and _lasts(path, passed_over):
                    self.note("writes", shown(os.fsdecode(path)))
            elif name in {"os.remove", "os.rename", "os.rmdir"}:
                if _lasts(arguments[0], passed_over):
                    self.note("removes or renames", shown(os.fsdecode(arguments[0])))
            elif name in {"subprocess.Popen", "os.system", "os.exec"}:
                self.note("starts", command_line(name, arguments))

        sys.addaudithook(hear)

    def _failed(self, context: ExceptionContext) -> None:
        if context.statement is not None:
            raised = context.original_exception
            lines = context.statement.strip().splitlines()
            self.failures.append(
                Failure(
                    self.revision,
                    lines[0] if lines else "",
                    str(raised).strip().partition("\n")[0],
                    sqlstate(raised),
                )
            )


def sqlstate(error: BaseException | None) -> str:
    """The code that the database gave, by whichever name the driver keeps it."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""


def command_line(name: str, arguments: tuple[Any, ...]) -> str:
    """What the audit event of that name starts, as one line."""
    given = arguments[0] if name == "os.system" else arguments[1]
    if isinstance(given, str | bytes | os.PathLike):
        return os.fsdecode(given)
    return shlex.join(os.fsdecode(word) for word in given)


def _lasts(path: Any, passed_over: Iterable[Path]) -> bool:
    """Whether a file is there on purpose, and not only for the moment."""
    if not isinstance(path, str | bytes | os.PathLike):
        return False  # an open file's number
    real = Path(os.path.realpath(os.fsdecode(path)))
    return ".pyc" not in real.name and not any(
        real.is_relative_to(folder) for folder in passed_over
    )
