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
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import URL

from alembic_fixups.project import Project, ProjectError
from alembic_fixups.squash import process
from alembic_fixups.squash.chain import Chain

_MODULE = "alembic_fixups.squash.replaying"


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
            with process.child(_MODULE, asdict(request), writing, output) as child:
                for line in process.lines(events, child):
                    event = json.loads(line)
                    if event["event"] == "begin":
                        running = event["revision"]
                    elif event["event"] == "error":
                        raise ProjectError(event["text"])
                    elif event["event"] == "done":
                        return
                    else:
                        yield event
            raise ProjectError(process.death(child.returncode, running, process.text(output)))
        finally:
            if verbose:
                sys.stderr.write(process.text(output))
