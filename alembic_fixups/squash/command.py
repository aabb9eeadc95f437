"""``alembic-fixups squash``."""

from __future__ import annotations

import json
import platform
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import alembic
import sqlalchemy
from alembic.script import ScriptDirectory

import alembic_fixups
from alembic_fixups import scratch, settings
from alembic_fixups.project import Project
from alembic_fixups.reembed.output import set_aside
from alembic_fixups.settings import shown
from alembic_fixups.squash import archive, description, dump, history, snapshot
from alembic_fixups.squash.archive import Staged
from alembic_fixups.squash.between import between, unchanged
from alembic_fixups.squash.fingerprint import Fingerprint
from alembic_fixups.squash.history import Range, Wish
from alembic_fixups.squash.leftovers import clear_leftovers
from alembic_fixups.squash.manifest import Manifest
from alembic_fixups.squash.output import Progress, print_differences, print_outcome
from alembic_fixups.squash.proof import AGAIN, NEW, OLD
from alembic_fixups.squash.servers import require_known, sites
from alembic_fixups.squash.snapshot import Content
from alembic_fixups.squash.trial import Outcome, Side, Trial, sides
from alembic_fixups.squash.undo import undo
from alembic_fixups.squash.version_table import version_table as find_version_table
from alembic_fixups.squash.working_tree import require_clean

if TYPE_CHECKING:
    from rich.console import Console

Made = tuple[Content, Fingerprint]
"""What a history has made: how to make it again, and how the catalog describes it."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        wish: which revisions to fold.
        dry_run: whether to write nothing.
        scratch_url: a server to replay on, in place of the embedded one.
        keep_files: whether the revisions stay where they are, and the snapshot beside them.
        allow_dirty: whether there may be changes that are not committed.
        undo: whether to take the newest squash back.
        as_json: whether to print one JSON document.
        verbose: whether to show what env.py and the revisions print.
    """

    wish: Wish = field(default_factory=Wish)
    dry_run: bool = False
    scratch_url: str | None = None
    keep_files: bool = False
    allow_dirty: bool = False
    undo: bool = False
    as_json: bool = False
    verbose: bool = False


def run(project: Project, console: Console, errors: Console, request: Request) -> int:
    """Folds old revisions into one snapshot revision, or takes that back.

    Returns:
        The exit code: 0 where it is done, 1 where the snapshot would not be equal.

    Raises:
        ProjectError: it is refused; the message says why. Nothing has changed then.
        CommandError: Alembic finds something wrong.
        SettingsError: the settings are no good.
        ScratchError: a server does not answer, or no database can be made there.
    """
    # What a revision prints where it is loaded must not get into the document.
    with set_aside() if request.as_json else nullcontext():
        script = project.script
        if not (request.allow_dirty or request.dry_run or request.undo):
            require_clean(script)
        for line in clear_leftovers(script):
            errors.print(line, style="yellow")
        if request.undo:
            history.load(script)  # says what is wrong with a broken one
            undone = undo(script)
        else:
            staged, outcome, written = _fold(project, console, errors, request)
    if request.undo:
        _print_undone(console, undone, as_json=request.as_json)
        return 0
    if request.as_json:
        _print_json(console, staged, outcome, written)
    else:
        print_outcome(console, outcome)
        _print_result(console, staged, outcome, written, request)
    return int(bool(outcome.differences))


def _fold(
    project: Project, console: Console, errors: Console, request: Request
) -> tuple[Staged, Outcome, Path | None]:
    """Tries it out and writes it; gives what it was, what came out, and the archive if written."""
    script = project.script
    range_ = history.choose(script, request.wish, date.today())
    if not request.as_json:
        _print_range(console, script, range_)
    with (
        archive.staged(script, range_, keep_files=request.keep_files) as staged,
        Progress(errors) as progress,
    ):
        outcome, fingerprint = _try_out(project, staged, request, progress)
        progress.stop()
        written = None
        if not outcome.differences and not request.dry_run:
            described = archive.describe(staged, _versions(fingerprint), fingerprint.to_json())
            written = (archive.keep if request.keep_files else archive.commit)(staged, described)
    return staged, outcome, written


def _print_undone(console: Console, undone: Manifest, *, as_json: bool) -> None:
    if as_json:
        document = {"target": undone.target, "revisions": [one.id for one in undone.revisions]}
        console.out(json.dumps(document, indent=2), highlight=False)
    else:
        console.print(
            f"The {len(undone.revisions)} revisions up to {undone.target} are back, and the "
            "snapshot is gone.",
            style="green",
        )


def _try_out(
    project: Project, staged: Staged, request: Request, progress: Progress
) -> tuple[Outcome, Fingerprint]:
    """Writes the snapshot into the staged files and tries it out."""
    wanted = settings.load(settings.path_for(project.config)).squash
    range_ = staged.range
    total = len(list(project.script.walk_revisions()))
    written: list[Fingerprint] = []
    with (
        sites(3, url=request.scratch_url, version=wanted.postgres, roles=wanted.roles) as found,
        sides(found, {OLD: None, AGAIN: staged.archived, NEW: staged.new}) as (old, again, new),
    ):
        progress.expect({OLD: total, AGAIN: total, NEW: total - len(range_.revisions) + 1})

        trial = Trial(project, old, again, new, progress.applied, request.verbose)
        before: list[Made] = []
        if range_.down_revision:
            trial.begin(range_.down_revision)
            before.append(_made(old, range_.down_revision[0]))

        def write() -> None:
            require_known(old.site, old.url, wanted.roles)
            written.append(_write(project.script, staged, _made(old, range_.target), *before))

        return trial.run(range_.target, write), written[0]


def _made(old: Side, revision: str) -> Made:
    """What the old revisions have made up to one that they have just been replayed to."""
    server = old.site.server
    bindir = dump.tools(server)
    with scratch.connect(old.url) as connection:
        version_table = find_version_table(connection, revision)
        content = snapshot.read(
            connection,
            dump.entries(old.url, bindir),
            version_table,
            old.site.replayer,
            old.site.roles,
            old.site.said,
        )
    return content, Fingerprint.take(server, old.url, bindir, version_table)


def _write(
    script: ScriptDirectory, staged: Staged, after: Made, before: Made | None = None
) -> Fingerprint:
    """Writes the snapshot of what there is *after* the range, on top of what was *before* it."""
    content, fingerprint = after
    expected = fingerprint.objects
    if before is not None:
        content = between(before[0], content, before[1].objects, fingerprint.objects)
        expected = unchanged(before[1].objects, fingerprint.objects)
    look = description.look(
        expected, fingerprint.also, fingerprint.postgresql, fingerprint.version_table
    )
    final = staged.place.archive(staged.range.target)
    where = final.relative_to(staged.place.home).as_posix()
    staged.snapshot.write_text(
        snapshot.write(content, staged.range, script, look, str(fingerprint.postgresql), where),
        encoding="utf-8",
    )
    return fingerprint


def _versions(fingerprint: Fingerprint) -> dict[str, str]:
    return {
        "alembic-fixups": alembic_fixups.__version__,
        "alembic": alembic.__version__,
        "sqlalchemy": sqlalchemy.__version__,
        "python": platform.python_version(),
        "postgresql": str(fingerprint.postgresql),
    }


def _print_range(console: Console, script: ScriptDirectory, range_: Range) -> None:
    first, last = range_.revisions[0], range_.target
    stay = len(list(script.walk_revisions())) - len(range_.revisions)
    console.print(
        f"{len(range_.revisions)} revisions, {first} to {last}, become one snapshot; {stay} stay."
    )


def _print_result(
    console: Console, staged: Staged, outcome: Outcome, written: Path | None, request: Request
) -> None:
    if outcome.differences:
        print_differences(console, outcome.differences)
        console.print("Not equal: nothing written.", style="bold red")
        return
    size = f"{staged.range.target}: equal in schema, rows, sequences and autogenerate."
    if written is None:
        console.print(f"{size} Nothing written (--dry-run).", style="green")
    elif request.keep_files:
        console.print(f"{size} The snapshot, not in force: {shown(written)}", style="green")
    else:
        path = staged.unit / staged.snapshot.relative_to(staged.folder)
        console.print(size, style="green")
        console.print(f"Snapshot: {shown(path)}\nOld files: {shown(written)}")
        console.print("To take it back: alembic-fixups squash --undo")


def _print_json(console: Console, staged: Staged, outcome: Outcome, written: Path | None) -> None:
    document = {
        "target": staged.range.target,
        "revisions": list(staged.range.revisions),
        "equal": not outcome.differences,
        "differences": list(outcome.differences),
        "volatile": [asdict(one) for one in outcome.volatile],
        "notes": [asdict(note) for note in outcome.notes],
        "written": None if written is None else shown(written),
    }
    console.out(json.dumps(document, indent=2), highlight=False)
