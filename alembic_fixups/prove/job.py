"""What the process that runs revisions is told to do, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Setup:
    """What the process needs to know before its first job.

    Attributes:
        configs: what ``-c`` named.
        name: what ``-n`` named.
        arguments: what ``-x`` gave.
        url: a scratch database that env.py is tried out on, with its password.
        events: the file descriptor that the end of each job is announced on.
        forked: whether jobs begin with the project's modules loaded. A fork has none of the threads
            that these may have begun, and would wait for them.
    """

    configs: list[str]
    name: str
    arguments: list[str]
    url: str
    events: int
    forked: bool = True


@dataclass(frozen=True)
class Stop:
    """Where the backend of a run is ended.

    Attributes:
        number: before which statement, counted from 1.
        inside: whether to wait until it is half done: for CONCURRENTLY, which then leaves
            something behind.
    """

    number: int
    inside: bool = False


@dataclass(frozen=True)
class Job:
    """One run of one revision.

    Attributes:
        revision: its id; "" to run env.py alone.
        upgrade: whether upgrade() is run, not downgrade().
        url: the database, with its password.
        heads: where given, nothing is run: SQL is printed as ``--sql`` does, for a database that
            is at these revisions.
        stop: where the backend is ended, if anywhere.
        trace: whether to trace the statements; the database has to be prepared for it.
        table: the name of Alembic's own table, whose statements are not traced.
    """

    revision: str
    upgrade: bool
    url: str
    heads: list[str] | None = None
    stop: Stop | None = None
    trace: bool = False
    table: str = "alembic_version"


@dataclass(frozen=True)
class Executed:
    """A statement that a run has executed.

    Attributes:
        text: what it says.
        concurrent: whether it is one of those with CONCURRENTLY, which commit half-way.
        passing: whether all that it does is gone with the session.
    """

    text: str
    concurrent: bool
    passing: bool


@dataclass(frozen=True)
class Done:
    """What came out of a job.

    Attributes:
        error: why it failed, "" where it did not.
        statements: those that it executed; where it failed, the last is the one that did, if
            it was one.
        stopped: whether it was ended where it was to be.
        sql: what was printed, where ``heads`` were given.
        trace: what was traced, as JSON; None where nothing was.
        notes: what the revision did besides.
    """

    error: str = ""
    statements: tuple[Executed, ...] = ()
    stopped: bool = False
    sql: str = ""
    trace: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Done:
        """What :meth:`document` gave."""
        statements = tuple(Executed(**one) for one in document["statements"])
        return cls(**{**document, "statements": statements, "notes": tuple(document["notes"])})
