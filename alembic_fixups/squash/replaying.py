"""The process that replays a history: ``python -m alembic_fixups.squash.replaying``.

Its other end is :mod:`alembic_fixups.squash.replay`, which says what the two tell each other.
"""

from __future__ import annotations

import dataclasses
import json
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alembic.autogenerate import RevisionContext
from alembic.autogenerate.render import _render_cmd_body
from alembic.ddl.impl import DefaultImpl
from alembic.operations.ops import DowngradeOps, MigrationScript, UpgradeOps
from alembic.runtime.migration import HeadMaintainer, MigrationContext, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, coerce_resource_to_filename
from sqlalchemy import String, Table, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import SetTableComment

from alembic_fixups import project as projects
from alembic_fixups.project import Project, ProjectError
from alembic_fixups.settings import SettingsError, shown
from alembic_fixups.squash import importing, process
from alembic_fixups.squash.chain import Chain, script_directory
from alembic_fixups.squash.journal import ABORTED, Journal, ReplayStopped, sqlstate
from alembic_fixups.squash.places import version_locations
from alembic_fixups.squash.redirect import Redirection
from alembic_fixups.squash.replay import Request

Say = Callable[..., None]

FAILURES = (ProjectError, CommandError, SettingsError, ReplayStopped)
"""What a run of env.py ends with, where it fails."""

_STATEMENT = 500
"""Characters of a failed statement that are shown; one may insert a thousand rows."""

_ALEMBIC_WIDTH = 32
_WIDTH = 255

_HINTS = {
    r'extension "[^"]+" is not available|extension control file': (
        "The scratch server does not have this extension: name one that has it with --scratch-url."
    ),
    r'role "[^"]+" does not exist': (
        "Name the role under roles in [tool.alembic-fixups.squash]: it is then made first."
    ),
    r'type "(?:vector|halfvec|sparsevec)" does not exist': (
        "The chain takes pgvector for granted, which an empty database does not have: let its "
        "first revision execute CREATE EXTENSION IF NOT EXISTS vector."
    ),
}
_MISSING_TABLE = re.compile(r'relation "[^"]+" does not exist')


def main() -> None:
    """Does what the request on standard input says."""
    request = Request(**json.loads(sys.stdin.buffer.readline()))
    process.end_with_parent(process.leave_stdin())
    # Not for what the project starts: the parent waits for the last one that holds it.
    os.set_inheritable(request.events, False)
    events = os.fdopen(request.events, "w", buffering=1, encoding="utf-8")

    def say(event: str, **values: str) -> None:
        events.write(json.dumps({"event": event, **values}) + "\n")

    journal = Journal()
    Redirection(make_url(request.url), journal).install()
    journal.listen()
    try:
        _replay(request, journal, say)
    except (ProjectError, CommandError, SettingsError) as error:
        say("error", text=str(error))
        sys.exit(1)
    say("done")


def _replay(request: Request, journal: Journal, say: Say) -> None:
    upgrading = request.action == "upgrade"
    command = ("upgrade", request.to) if upgrading else ("revision", "--autogenerate")
    project = projects.load(request.configs, request.name, request.arguments, command)
    copies: dict[str, str] = {}
    if request.locations is not None:
        chain = Chain(tuple(map(Path, request.locations)), frozenset(map(Path, request.without)))
        own = version_locations(project.script)
        importing.install(own, chain)
        for path, location in zip(own, chain.locations, strict=False):
            copies |= {str(location): str(path), shown(location): shown(path)}
        project = dataclasses.replace(project, script=script_directory(project.config, chain))
    run = Run(project, journal, say)
    if request.hold:
        _hold(request.to, request.hold)
    try:
        if upgrading:
            run.upgrade(request.to, widen=request.widen)
        else:
            run.autogenerate()
    except (ProjectError, CommandError, ReplayStopped) as error:
        raise ProjectError(_renamed(run.explanation(error), copies)) from error
    for revision, text in journal.notes():
        say("note", revision=revision, text=_renamed(text, copies))


def _renamed(text: str, copies: Mapping[str, str]) -> str:
    """The text with the folders that the project's user knows, for those of this replay."""
    for copy, folder in copies.items():
        text = text.replace(copy, folder)
    return text


def _hold(target: str, comment: str) -> None:
    """Lets the version table stay as it is before the last step, with a comment, in its place."""

    def held(write: Callable[..., None]) -> Callable[..., None]:
        def written(self: HeadMaintainer, *versions: str) -> None:
            *before, version = versions
            if version != target:
                write(self, *versions)
                return
            self.heads = (self.heads - set(before)) | {version}
            table = self.context._version
            table.comment = comment
            self.context.impl._exec(SetTableComment(table))

        return written

    for name in ("_insert_version", "_update_version"):
        setattr(HeadMaintainer, name, held(getattr(HeadMaintainer, name)))


def _say_nothing(event: str, **values: str) -> None:
    pass


class Run:
    """One run of env.py.

    Args:
        project: the project.
        journal: knows which revision runs.
        say: is told of each revision that begins or is applied, and of what is written.
    """

    def __init__(self, project: Project, journal: Journal, say: Say = _say_nothing) -> None:
        self._project = project
        self._journal = journal
        self._say = say
        self._folders = _folders(project.script)
        self._begun = 0  # revisions
        self._all = False
        self._entered = 0  # calls of run_migrations()
        self._left = 0

    def upgrade(self, to: str, *, widen: bool) -> None:
        """``alembic upgrade``."""
        script = self._project.script
        if widen:
            _widen(script)
        self._all = True
        self._migrate(lambda heads: script._upgrade_revs(to, heads), destination_rev=to)

    def one(self, revision: str, *, upgrade: bool) -> None:
        """The upgrade or the downgrade of one revision, where its neighbours are applied."""
        script = self._project.script
        _widen(script)
        self._migrate(
            lambda heads: [
                RevisionStep(script.revision_map, script.get_revision(revision), upgrade)
            ],
            destination_rev=revision,
        )

    def offline(self, revision: str, heads: Sequence[str], *, upgrade: bool) -> None:
        """Prints what ``alembic upgrade --sql`` or ``downgrade --sql`` does for one revision.

        Args:
            heads: the revisions that the database is at, as its version table names them.
        """
        script = self._project.script
        _widen(script)
        self._migrate(
            lambda heads: [
                RevisionStep(script.revision_map, script.get_revision(revision), upgrade)
            ],
            as_sql=True,
            starting_rev=list(heads) or "base",
            destination_rev=revision,
        )

    def look(self) -> None:
        """Runs env.py, and no revision."""
        self._migrate(lambda heads: [])

    def _migrate(self, choose: Callable[[Any], Iterable[RevisionStep]], **options: Any) -> None:
        def steps(heads: Any, context: MigrationContext) -> Iterator[RevisionStep]:
            self._enter(context)
            # A step is applied, and its version written, when Alembic asks for the next one.
            for step in choose(heads):
                self._require_own(step.revision)
                self._journal.revision = step.revision.revision
                self._begun += 1
                self._say("begin", revision=self._journal.revision)
                yield step
                self._say("applied", revision=self._journal.revision)
                self._journal.revision = ""
            self._left += 1

        self._run(steps, dont_mutate=False, tag=None, **options)

    def autogenerate(self) -> None:
        """``alembic revision --autogenerate``, without the file."""
        revisions = RevisionContext(
            self._project.config,
            self._project.script,
            dict.fromkeys(
                ("message", "splice", "branch_label", "version_path", "rev_id", "depends_on")
            )
            | {"autogenerate": True, "sql": False, "head": "head"},
        )

        def retrieve_migrations(heads: Any, context: MigrationContext) -> list[RevisionStep]:
            self._enter(context)
            if context.opts["target_metadata"] is not None:
                revisions.run_autogenerate(heads, context)
                self._say("source", text=_source(revisions))
            self._left += 1
            return []

        self._run(
            retrieve_migrations,
            template_args=revisions.template_args,
            revision_context=revisions,
        )

    def _run(self, fn: Callable[[Any, MigrationContext], Any], **options: Any) -> None:
        projects.run_environment(self._project, fn, **options)
        if self._journal.stopped:  # and the project's code went on all the same
            raise self._journal.stopped[0]
        env_py = shown(self._project.env_py)
        if not self._entered:
            raise ProjectError(
                f"{env_py} comes to its end without context.run_migrations(), so nothing was "
                "replayed. Does it do so only with an -x argument, or an environment variable?"
            )
        if self._left < self._entered:
            raise ProjectError(
                f"{env_py} catches the error that ended the migrations and goes on"
                + "".join(f":\n{one.statement}: {one.reason}" for one in self._journal.failures)
                + "\nLet it raise the error."
            )

    def _enter(self, context: MigrationContext) -> None:
        if context.dialect.name != "postgresql":
            self._journal.stop(
                f"this is a project for {context.dialect.name}; alembic-fixups is for PostgreSQL."
            )
        self._entered += 1
        if self._entered > 1:
            self._journal.stop(
                "context.run_migrations() is called more than once, and only one "
                "history in one database can be replayed. Name one of them with -n or -x, if "
                "env.py can be told."
            )

    def _require_own(self, revision: Script) -> None:
        """Stops where env.py has put other folders in place of those that are known."""
        folder = Path(revision.path).parent.resolve()
        if not any(folder.is_relative_to(own) for own in self._folders):
            self._journal.stop(
                f"{shown(revision.path)} is in none of the version locations that the "
                f"configuration names ({', '.join(map(shown, self._folders))}): env.py sets "
                "others. Let version_locations in the configuration name them."
            )

    def explanation(self, error: BaseException) -> str:
        """What is told of an error: the revision, the reason, the statement, a way out."""
        stopped = next(iter(self._journal.stopped), None)
        if stopped is not None:
            where = f"{projects.place(stopped)}: " if stopped.__traceback__ else ""
            return self._in_revision(stopped.revision, f"{where}{stopped}")
        cause = error.__cause__
        text = str(error)
        if isinstance(cause, DBAPIError) and len(cause.statement or "") > _STATEMENT:
            statement = cause.statement or ""
            text = f"{text.removesuffix(statement)}{statement[:_STATEMENT]}..."
        hints = [self._aborted(cause), self._hint(text, cause)]
        return "\n".join([self._in_revision(self._journal.revision, text), *filter(None, hints)])

    def _in_revision(self, revision: str, text: str) -> str:
        if not revision:
            return text
        path = shown(self._project.script.get_revision(revision).path)
        told = text.startswith(f"{path}:")
        return f"revision {revision}: {text}" if told else f"revision {revision} ({path}): {text}"

    def _aborted(self, cause: BaseException | None) -> str:
        """Names the statement that failed first, where the last one found that out."""
        if not isinstance(cause, DBAPIError) or sqlstate(cause.orig) != ABORTED:
            return ""
        culprit = self._journal.culprit()
        if culprit is None:
            return ""
        where = f"revision {culprit.revision}" if culprit.revision else "env.py"
        return (
            f"An error before that one was swallowed, in {where}: {culprit.statement}: "
            f"{culprit.reason}\nA statement that may fail has to stand in a savepoint "
            "(with op.get_bind().begin_nested():)."
        )

    def _hint(self, text: str, cause: BaseException | None) -> str:
        if (
            self._begun == 1
            and self._all
            and self._journal.revision
            and _MISSING_TABLE.search(text)
        ):
            return (
                "The chain does not start from an empty database: its first revision needs a "
                "table that nothing has made. Add a revision before it that makes what was there."
            )
        if isinstance(cause, KeyError) and "attributes" in _last_line(cause):
            return (
                "config.attributes is empty here, as it is for `alembic upgrade`: env.py has to "
                "work without what a program may put there."
            )
        return next((hint for reason, hint in _HINTS.items() if re.search(reason, text)), "")


def _folders(script: ScriptDirectory) -> list[Path]:
    """Where its revisions are, by its configuration, before env.py has had a say."""
    # Not script._version_locations, which would be kept: without a chain env.py has that say.
    locations = script.version_locations or [str(Path(script.dir, "versions"))]
    return [coerce_resource_to_filename(location).resolve() for location in locations]


def _widen(script: ScriptDirectory) -> None:
    """Makes room in Alembic's version table for the ids, where they need it."""
    make = DefaultImpl.version_table_impl

    def make_wide(self: DefaultImpl, **options: Any) -> Table:
        table = make(self, **options)
        # Asked here and not before: to know the ids is to import the revisions, and what they
        # raise is explained where env.py runs.
        if any(len(revision.revision) > _ALEMBIC_WIDTH for revision in script.walk_revisions()):
            table.c.version_num.type = String(_WIDTH)
        return table

    DefaultImpl.version_table_impl = make_wide  # type: ignore[method-assign]


def _source(revisions: RevisionContext) -> str:
    """The bodies that Alembic's template would get."""
    autogenerate = revisions._last_autogen_context
    # A process_revision_directives hook of env.py's may have emptied the list.
    written = revisions.generated_revisions or [
        MigrationScript(None, UpgradeOps([]), DowngradeOps([]))
    ]
    bodies: list[str] = []
    for script in written:
        for operations in [*script.upgrade_ops_list, *script.downgrade_ops_list]:
            bodies.append(_render_cmd_body(operations, autogenerate))
    return "\n".join(bodies)


def _last_line(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return linecache.getline(frame.filename, frame.lineno or 0)


if __name__ == "__main__":
    main()
