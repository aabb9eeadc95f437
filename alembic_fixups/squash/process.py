"""A Python process of our own that runs a project's code, and is spoken to in lines of JSON.

The child reads its request, and with it the password, from its standard input, which stays open:
when it closes, this process is gone, and the child ends itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

_LAST_LINES = 20
_SECONDS_TO_END = 5
"""For a process that has said its last word; threads of the project's may keep it alive."""


@contextmanager
def child(
    module: str, request: Mapping[str, Any], events: int, output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the request; it and what it started do not outlive the ``with`` block.

    Args:
        module: what ``python -m`` runs.
        request: the first line of its standard input.
        events: the file descriptor that it answers on; it is closed here.
        output: gets what the process prints.
    """
    try:
        process = subprocess.Popen(
            # -P: a folder ./alembic of the project's must not be taken for Alembic.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[events],
            start_new_session=True,  # one group to end; and Ctrl-C is for this process alone
        )
    finally:
        os.close(events)
    assert process.stdin
    try:
        with suppress(BrokenPipeError):  # its end is told by its exit status
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        yield process
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


def lines(events: int, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Each line that is written to the pipe, until the child has ended or closed it."""
    rest = b""
    while True:
        # A process that the child forked may hold the pipe open for ever.
        ended = process.poll() is not None
        ready, _, _ = select.select([events], [], [], 0 if ended else 1)
        read = os.read(events, 65536) if ready else b""
        *whole, rest = (rest + read).split(b"\n")
        yield from whole
        if not read and (ready or ended):
            return


def text(output: IO[bytes]) -> str:
    """What the process has printed."""
    output.seek(0)
    return output.read().decode(errors="replace")


def death(status: int, revision: str, output: str) -> str:
    """What is told of a process that ended before it was done.

    Args:
        status: how it ended, as :mod:`subprocess` says it.
        revision: the id of the revision that ran, "" outside of one.
        output: what it printed.
    """
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
    where = f"in revision {revision}" if revision else "in env.py, outside of any revision"
    last = "\n".join(output.splitlines()[-_LAST_LINES:])
    return (
        f"The process that replays the revisions {how}, {where}, before it was done. Find out "
        "what ends it there (os._exit, a lack of memory), and run this again."
        + (f" Its last words:\n{last}" if last else "")
    )


# --- in the child ---------------------------------------------------------------------------------


def leave_stdin() -> int:
    """Gives the project an empty standard input; returns the descriptor of the real one."""
    pipe = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return pipe


def end() -> None:
    """Ends this process, and with it what the project started."""
    os.killpg(0, signal.SIGKILL)  # a group of our own


def end_with_parent(pipe: int) -> None:
    """Ends this process when its parent, who holds the other end of the pipe, is gone."""

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        end()

    threading.Thread(target=wait, daemon=True).start()
