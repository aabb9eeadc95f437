"""``alembic-fixups codemod``: the model files rewritten to what the fixups make of the models."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_fixups.codemods.plan import BROKEN, Plan, plan
from alembic_fixups.file_change import diff, require_writable, show, write
from alembic_fixups.project import Project, ProjectError, quiet, read_bytes
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from rich.console import Console

_SILENT = 1.0
"""Seconds of work that need no progress bar."""


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        paths: files and folders that may be changed; all where there are none.
        fixups: the fixups whose codemods run; all that are on where there are none.
        check: write nothing, and fail where something would change.
        diff: write nothing, and show the changes.
        as_json: print one JSON document.
        strict: fail also where something has to be done by hand.
        postgres: the major version of PostgreSQL that the models are for.
        verbose: show what env.py logs.
        introduce_constant: name the numbers that a model repeats.
    """

    paths: Sequence[Path]
    fixups: Sequence[str]
    check: bool
    diff: bool
    as_json: bool
    strict: bool
    postgres: int
    verbose: bool
    introduce_constant: bool = False


def run(project: Project, console: Console, errors: Console, request: Request) -> int:
    """Rewrites the files or shows what would be done.

    Gives the exit code: 2 where a file cannot be read, 1 where *check* finds something to change or
    *strict* something that has to be done by hand, 0 otherwise.

    Raises:
        ProjectError: the models cannot be loaded, or a file not be read or written.
        SettingsError: the settings are no good.
    """
    for path in request.paths:
        if not path.exists():
            raise ProjectError(f"{shown(path)}: no such file or folder")
    silence = nullcontext() if request.verbose else quiet()
    with _progress(errors) as advance, silence, _uncollected():
        planned = plan(
            project,
            only=request.fixups,
            paths=request.paths,
            major_version=request.postgres,
            introduce_constant=request.introduce_constant,
            advance=advance,
        )
    writes = not (request.check or request.diff)
    if writes:
        for change in planned.files:
            require_writable(change.path)
            if read_bytes(change.path) != change.old:
                raise ProjectError(
                    f"{shown(change.path)}: has been changed meanwhile; nothing was written. Run "
                    "this again."
                )
        with ThreadPoolExecutor() as pool:  # on a file system across a network each one waits
            list(pool.map(write, planned.files))
        planned = replace(planned, refusals=planned.refusals_after)
    if request.as_json:
        document = _document(planned)
        if request.diff:
            document["diff"] = ["\n".join(diff(change)) for change in planned.files]
        console.out(json.dumps(document, indent=2), highlight=False)
    else:
        _print(planned, console, request)
    if any(one.fixup == BROKEN for one in planned.refusals):
        return 2
    failed = (request.check and planned.files) or (request.strict and planned.refusals)
    return int(bool(failed))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's collector, which takes half of the time to find no garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Shows which step is under way, on a terminal and from a second's work on."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    if not console.is_terminal:
        yield lambda _: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task("models", total=None)
    start = threading.Timer(_SILENT, bar.start)
    start.daemon = True
    start.start()
    try:
        yield lambda step: bar.update(task, description=step)
    finally:
        start.cancel()
        start.join()
        bar.stop()


def _document(planned: Plan) -> dict[str, object]:
    return {
        "files": [shown(one.path) for one in planned.files],
        "changes": [
            {
                "fixup": one.fixup,
                "title": one.title,
                "places": [f"{shown(path)}:{line}" for path, line in one.places],
            }
            for one in planned.changes
        ],
        "refusals": [
            {
                "file": shown(one.path),
                "line": one.line,
                "fixup": one.fixup,
                "reason": one.reason,
            }
            for one in planned.refusals
        ],
        "untouched": planned.untouched,
    }


def _print(planned: Plan, console: Console, request: Request) -> None:
    from rich.text import Text

    if request.diff:
        for change in planned.files:
            show(change, console)
    elif request.check:
        for done in planned.changes:
            for path, line in done.places:
                console.print(Text(f"{shown(path)}:{line}: {done.fixup}: {done.title}"))
    else:
        for change in planned.files:
            console.print(Text(f"Wrote {shown(change.path)}", "green"))
    for refusal in planned.refusals:
        text = f"{shown(refusal.path)}:{refusal.line}: {refusal.fixup}: {refusal.reason}"
        console.print(Text(text, "yellow"))
    console.print(Text(_summary(planned, request), "yellow" if planned.files else "green"))


def _summary(planned: Plan, request: Request) -> str:
    if not planned.files and not planned.refusals:
        return "The models are as they ought to be."
    would = "would change" if request.check or request.diff else "changed"
    parts = [
        f"{_count(len(planned.files), 'file')} {would}",
        f"{planned.untouched} untouched",
        f"{_count(len(planned.refusals), 'place')} to do by hand",
    ]
    return ", ".join(parts).capitalize() + "."


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
