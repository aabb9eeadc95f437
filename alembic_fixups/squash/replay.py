"""Replays a history on a scratch database, through the project's own env.py.

Each replay has a process of its own (:mod:`alembic_fixups.squash.replaying`): modules that are
imported afresh, a place where every connection can be redirected for good, and a program that
may hang or crash without harm. The two speak in lines of JSON. The child reads the request, and
with it the password, from its standard input, which stays open: when it closes, this process is
gone, and the child ends itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, Literal

from sqlalchemy import URL

from alembic_fixups.project import Project, ProjectError
from alembic_fixups.squash.chain import Chain

_LAST_LINES = 20
_SECONDS_TO_END = 5
"""For a process that has said its last word; threads of the project's may keep it alive."""


@dataclass(frozen=True)
class Note:
    """Something worth telling that a replay did besides what its revisions are for.

    Attributes:
        revision: the id of the revision that ran, "" where it was env.py itself.
        text: what happened: a failed statement that was swallowed, or something outside the
            database: a file, a process, a connection over the network.
    """

    revision: str
    text: str


@dataclass(frozen=True)
class Request:
    """What the child process is asked to do.

    Attributes:
        action: what to do.
        configs: what ``-c`` named.
        name: what ``-n`` named.
        arguments: what ``-x`` gave.
        url: the scratch database, with its password.
        to: the revision to upgrade to.
        locations: the folders of the chain; None for the project's own files.
        without: files in them that are passed over.
        widen: whether a long revision id may widen Alembic's version table.
        hold: the comment that the version table gets in the place of the last version, if any.
        events: the file descriptor that the answers are written to.
    """

    action: Literal["upgrade", "autogenerate"]
    configs: list[str]
    name: str
    arguments: list[str]
    url: str
    to: str
    locations: list[str] | None
    without: list[str]
    widen: bool
    hold: str
    events: int


def _ignore(revision: str) -> None:
    pass


def upgrade(
    project: Project,
    url: URL,
    to: str,
    *,
    chain: Chain | None = None,
    applied: Callable[[str], None] = _ignore,
    widen: bool = True,
    hold: str = "",
    verbose: bool = False,
) -> tuple[Note, ...]:
    """Runs env.py as ``alembic upgrade`` does, with every connection led to a scratch database.

    Args:
        project: a project of :func:`alembic_fixups.project.load`.
        url: the scratch database.
        to: the revision to upgrade to, in Alembic's words.
        chain: the revision files, where they are not simply the project's.
        applied: is called with the id of each revision once it is applied.
        widen: makes Alembic's version table wide enough where an id of the chain has more than
            32 characters.
        hold: a comment for the version table. It is set in the transaction of the last revision,
            *to* then being its id, in the place of that id: by the table alone the database is
            not there yet.
        verbose: shows on stderr what env.py and the revisions print.

    Returns:
        What is worth telling.

    Raises:
        ProjectError: a revision or env.py fails, connects to what cannot be redirected, or ends
            the process; the message says which and why.
    """
    notes: list[Note] = []
    said = _events(project, url, "upgrade", chain, to=to, widen=widen, hold=hold, verbose=verbose)
    with closing(said):
        for event in said:
            if event["event"] == "applied":
                applied(event["revision"])
            elif event["event"] == "note":
                notes.append(Note(event["revision"], event["text"]))
    return tuple(notes)


def autogenerate(
    project: Project, url: URL, *, chain: Chain | None = None, verbose: bool = False
) -> str:
    """What ``alembic revision --autogenerate`` would write on a scratch database; writes nothing.

    Args:
        project: a project of :func:`alembic_fixups.project.load`.
        url: the scratch database, at the head of the chain.
        chain: the revision files, where they are not simply the project's.
        verbose: shows on stderr what env.py prints.

    Returns:
        The bodies of ``upgrade()`` and ``downgrade()``; "" where env.py has no models to compare.

    Raises:
        ProjectError: as for :func:`upgrade`; or the database is not at the head.
    """
    source = ""
    for event in _events(project, url, "autogenerate", chain, verbose=verbose):
        if event["event"] == "source":
            source = event["text"]
    return source


def _events(
    project: Project,
    url: URL,
    action: Literal["upgrade", "autogenerate"],
    chain: Chain | None,
    *,
    to: str = "heads",
    widen: bool = False,
    hold: str = "",
    verbose: bool,
) -> Generator[dict[str, Any], None, None]:
    """What the child says, until it is done; raises what it says of an error."""
    options = project.config.cmd_opts
    assert options is not None  # load() has them from Alembic's own command line
    events, writing = os.pipe()
    request = Request(
        action,
        configs=options.config or [],
        name=options.name,
        arguments=options.x or [],
        url=url.render_as_string(hide_password=False),
        to=to,
        locations=None if chain is None else list(map(str, chain.locations)),
        without=[] if chain is None else sorted(map(str, chain.without)),
        widen=widen,
        hold=hold,
        events=writing,
    )
    running = ""
    with os.fdopen(events, "rb", buffering=0), tempfile.TemporaryFile() as output:
        try:
            with _child(request, output) as child:
                for line in _lines(events, child):
                    event = json.loads(line)
                    if event["event"] == "begin":
                        running = event["revision"]
                    elif event["event"] == "error":
                        raise ProjectError(event["text"])
                    elif event["event"] == "done":
                        return
                    else:
                        yield event
            raise ProjectError(_death(child.returncode, running, _text(output)))
        finally:
            if verbose:
                sys.stderr.write(_text(output))


@contextmanager
def _child(request: Request, output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the request; it and what it started do not outlive the ``with`` block."""
    try:
        child = subprocess.Popen(
            # -P: a folder ./alembic of the project's must not be taken for Alembic.
            [sys.executable, "-P", "-m", "alembic_fixups.squash.replaying"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[request.events],
            start_new_session=True,  # one group to end; and Ctrl-C is for this process alone
        )
    finally:
        os.close(request.events)
    assert child.stdin
    try:
        with suppress(BrokenPipeError):  # its end is told by its exit status
            child.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            child.stdin.flush()
        yield child
        with suppress(subprocess.TimeoutExpired):
            child.wait(_SECONDS_TO_END)
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            child.stdin.close()
        child.wait()


def _lines(events: int, child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Each line that is written to the pipe, until the child has ended or closed it."""
    rest = b""
    while True:
        # A process that the child forked may hold the pipe open for ever.
        ended = child.poll() is not None
        ready, _, _ = select.select([events], [], [], 0 if ended else 1)
        read = os.read(events, 65536) if ready else b""
        *lines, rest = (rest + read).split(b"\n")
        yield from lines
        if not read and (ready or ended):
            return


def _text(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")


def _death(status: int, revision: str, output: str) -> str:
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
    where = f"in revision {revision}" if revision else "in env.py, outside of any revision"
    last = "\n".join(output.splitlines()[-_LAST_LINES:])
    return (
        f"The process that replays the revisions {how}, {where}, before it was done. Find out "
        "what ends it there (os._exit, a lack of memory), and run this again."
        + (f" Its last words:\n{last}" if last else "")
    )
