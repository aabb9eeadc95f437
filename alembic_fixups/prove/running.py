"""The process that runs revisions: ``python -m alembic_fixups.prove.running``.

Its other end is :mod:`alembic_fixups.prove.runner`. It loads the project once; each job is done
by a fork of it, which begins with the same modules, unused, and may crash without harm. A job's
answer is a file, since answers of jobs that run side by side would mingle in a pipe.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event, make_url

from alembic_fixups import project as projects
from alembic_fixups.prove.job import Done, Job, Setup, Stop
from alembic_fixups.prove.stopping import Statements
from alembic_fixups.squash import process
from alembic_fixups.squash.journal import Journal
from alembic_fixups.squash.redirect import Redirection
from alembic_fixups.squash.replaying import FAILURES, Run


class Loaded:
    """A project with its modules, whose revisions are run.

    Args:
        setup: which project, and a database to run its env.py on.

    Raises:
        ProjectError: it cannot be loaded.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._journal = Journal()
        self._redirection = Redirection(make_url(setup.url), self._journal)
        self._redirection.install()
        self._journal.listen()
        self._engines: WeakSet[Engine] = WeakSet()
        event.listen(Engine, "engine_connect", lambda one: self._engines.add(one.engine))
        self._project = self._load("upgrade", "heads")
        list(self._project.script.walk_revisions())
        self._look()

    def _load(self, *command: str) -> projects.Project:
        setup = self._setup
        return projects.load(setup.configs, setup.name, setup.arguments, command)

    def _look(self) -> None:
        """Runs env.py once, so that the models are loaded."""
        run = Run(self._project, self._journal)
        try:
            run.look()
        except FAILURES as error:
            raise projects.ProjectError(run.explanation(error)) from error
        finally:
            # A connection in a pool would be shared by all the forks.
            for engine in self._engines:
                engine.dispose()

    def do(self, job: Job) -> Done:
        """Does a job, in a process that ends with it."""
        url = make_url(job.url)
        self._redirection.lead_to(url)
        direction = "upgrade" if job.upgrade else "downgrade"
        offline = ["--sql"] if job.heads is not None else []
        # env.py may ask which command it is; its revisions are those that are loaded already.
        config = self._load(direction, *offline, job.revision or "heads").config
        config.output_buffer = printed = StringIO()
        run = Run(replace(self._project, config=config), self._journal)
        statements = Statements(url, self._journal, job.stop)
        statements.listen()
        recorder = None
        if job.trace:
            from alembic_fixups.prove.trace import Recorder

            recorder = Recorder(url, job.table)
            recorder.listen()
        error = ""
        try:
            if not job.revision:
                run.look()
            elif job.heads is None:
                run.one(job.revision, upgrade=job.upgrade)
            else:
                run.offline(job.revision, job.heads, upgrade=job.upgrade)
        except FAILURES as failure:
            error = run.explanation(failure)
        return Done(
            error,
            tuple(statements.executed),
            statements.stopped,
            printed.getvalue(),
            None if recorder is None else recorder.trace().document(),
            tuple(text for _, text in self._journal.notes()),
        )


def main() -> None:
    """Loads what the first line of standard input says, and does the jobs of those that follow."""
    pipe = process.leave_stdin()
    commands = os.fdopen(pipe, "rb", buffering=0)
    setup = Setup(**json.loads(commands.readline()))
    os.set_inheritable(setup.events, False)
    try:
        loaded = Loaded(setup) if setup.forked else None
    except FAILURES as error:
        _say(setup.events, error=str(error))
        sys.exit(1)
    if threading.active_count() > 1:
        _say(setup.events, threads=True)
        sys.exit(0)
    _say(setup.events, ready=True)
    _serve(partial(Loaded, setup) if loaded is None else lambda: loaded, pipe, setup.events)


def _serve(loaded: Callable[[], Loaded], commands: int, events: int) -> None:
    running: dict[int, int] = {}
    # A signal's arrival has to end the wait for a command.
    wakes, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    rest = b""
    while True:
        ready, _, _ = select.select([commands, wakes], [], [])
        if wakes in ready:
            os.read(wakes, 4096)
            _tell_ended(running, events)
        if commands in ready:
            read = os.read(commands, 65536)
            if not read:
                process.end()  # the parent is gone
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                command = json.loads(line)
                running[_begin(loaded, command, [commands, events, wakes, wake])] = command["id"]


def _tell_ended(running: dict[int, int], events: int) -> None:
    with suppress(ChildProcessError):
        while running:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            if child in running:  # not what the project has started while it was loaded
                number = running.pop(child)
                _say(events, id=number, status=os.waitstatus_to_exitcode(status))


def _begin(loaded: Callable[[], Loaded], command: dict[str, Any], inherited: list[int]) -> int:
    """Forks a process that does a job; gives its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in inherited:
            os.close(descriptor)
        _do(loaded, command)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Threads of the project's, and what it has registered for the end, are the parent's.
        os._exit(status)


def _do(loaded: Callable[[], Loaded], command: dict[str, Any]) -> None:
    answer = Path(command["answer"])
    output = os.open(command["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    given = dict(command["job"])
    if given["stop"] is not None:
        given["stop"] = Stop(**given["stop"])
    done = loaded().do(Job(**given))
    answer.write_text(json.dumps(done.document()), encoding="utf-8")


def _say(events: int, **values: Any) -> None:
    os.write(events, json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    main()
