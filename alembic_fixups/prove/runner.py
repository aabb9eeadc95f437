"""Runs single revisions on scratch databases, through the project's own env.py.

The other end of :mod:`alembic_fixups.prove.running`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from sqlalchemy import URL

from alembic_fixups.project import Project, ProjectError
from alembic_fixups.prove.job import Done, Job, Setup
from alembic_fixups.squash import process


class Runner:
    """Does jobs, as many at a time as there are threads that ask.

    Args:
        child: the process that does them.
        folder: where it leaves its answers.
        verbose: whether to show what env.py and the revisions print.
    """

    def __init__(self, child: subprocess.Popen[bytes], folder: Path, *, verbose: bool) -> None:
        self._child = child
        self._folder = folder
        self._verbose = verbose
        self._asked = 0
        self._ended: dict[int, int] = {}
        self._gone = False
        self._condition = Condition()

    def do(self, job: Job) -> Done:
        """Does a job.

        Raises:
            ProjectError: the process ends before it is done.
        """
        with self._condition:
            self._asked += 1
            number = self._asked
            answer, output = self._folder / f"{number}.json", self._folder / f"{number}.out"
            command = {
                "id": number,
                "answer": str(answer),
                "output": str(output),
                "job": asdict(job),
            }
            assert self._child.stdin is not None
            try:
                self._child.stdin.write(json.dumps(command).encode() + b"\n")
                self._child.stdin.flush()
            except OSError:
                self._gone = True
            self._condition.wait_for(lambda: self._gone or number in self._ended)
            status = self._ended.pop(number, None)
        printed = output.read_text(errors="replace") if output.exists() else ""
        if self._verbose:
            sys.stderr.write(printed)
        if status != 0 or not answer.exists():
            raise ProjectError(process.death(status or 0, job.revision, printed))
        return Done.of(json.loads(answer.read_bytes()))

    def hear(self, events: Iterator[bytes]) -> None:
        """Takes note of the jobs that end, until the process does."""
        for line in events:
            event = json.loads(line)
            with self._condition:
                self._ended[event["id"]] = event["status"]
                self._condition.notify_all()
        with self._condition:
            self._gone = True
            self._condition.notify_all()


@contextmanager
def runner(project: Project, url: URL, *, verbose: bool = False) -> Iterator[Runner]:
    """A process that runs the project's revisions, for a ``with`` block.

    Args:
        project: a project of :func:`alembic_fixups.project.load`.
        url: a scratch database that env.py is tried out on.
        verbose: shows on stderr what env.py and the revisions print.

    Raises:
        ProjectError: the project cannot be loaded; the message says why.
    """
    with ExitStack() as stack:
        try:
            found = stack.enter_context(_runner(project, url, forked=True, verbose=verbose))
        except _Threads:
            found = stack.enter_context(_runner(project, url, forked=False, verbose=verbose))
        yield found


class _Threads(Exception):
    """The project's modules begin threads, which a fork would not have."""


@contextmanager
def _runner(project: Project, url: URL, *, forked: bool, verbose: bool) -> Iterator[Runner]:
    options = project.config.cmd_opts
    assert options is not None  # load() has them from Alembic's own command line
    events, writing = os.pipe()
    setup = Setup(
        configs=options.config or [],
        name=options.name,
        arguments=options.x or [],
        url=url.render_as_string(hide_password=False),
        events=writing,
        forked=forked,
    )
    with (
        os.fdopen(events, "rb", buffering=0),
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryDirectory(prefix="fixups-") as folder,
    ):
        try:
            with process.child(
                "alembic_fixups.prove.running", asdict(setup), writing, output
            ) as child:
                lines = process.lines(events, child)
                _require_ready(next(lines, None), child, output)
                found = Runner(child, Path(folder), verbose=verbose)
                Thread(target=found.hear, args=[lines], daemon=True).start()
                yield found
                assert child.stdin is not None
                child.stdin.close()  # which is its end
        finally:
            if verbose:
                sys.stderr.write(process.text(output))


def _require_ready(line: bytes | None, child: subprocess.Popen[bytes], output: Any) -> None:
    if line is None:
        raise ProjectError(process.death(child.wait(), "", process.text(output)))
    event = json.loads(line)
    if "error" in event:
        raise ProjectError(event["error"])
    if "threads" in event:
        raise _Threads
