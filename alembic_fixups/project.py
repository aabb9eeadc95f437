"""A user's Alembic project as the commands see it: its configuration, its models, its differences.

env.py is somebody else's program. It is run as Alembic runs it, with what it prints sent to
stderr, and whatever it raises becomes a :class:`ProjectError` that says where.
"""

from __future__ import annotations

import configparser
import logging
import socket
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import RevisionContext
from alembic.config import CommandLine, Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, MetaData
from sqlalchemy.exc import DBAPIError

from alembic_fixups import plugin, settings
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from argparse import Namespace

    from alembic_fixups.run import Run

_EnvironmentFn = Callable[[Any, MigrationContext], Iterable[Any]]


class ProjectError(Exception):
    """Something in the user's project stops the command; the message says what and where."""


@dataclass(frozen=True)
class Project:
    """An Alembic project.

    Attributes:
        config: its configuration, with the command line options that env.py can ask for.
        script: its revisions and its env.py.
    """

    config: Config
    script: ScriptDirectory

    @property
    def env_py(self) -> Path:
        """The project's env.py."""
        return Path(self.script.env_py_location)

    @property
    def settings_path(self) -> Path:
        """The file with the settings, or where it has to be made: beside alembic.ini."""
        found = settings.path_for(self.config)
        return found or Path(self.config.config_file_name or "").resolve().with_name(
            "pyproject.toml"
        )


@dataclass(frozen=True)
class Comparison:
    """What ``alembic revision --autogenerate`` would write.

    Attributes:
        diffs: its operations as the tuples that ``alembic check`` shows.
        runs: the plugin's part of it; none where env.py does not name the plugin or where no
            fixup is on.
    """

    diffs: list[tuple[Any, ...]]
    runs: list[Run]


class _AlembicCommandLine(CommandLine):
    """Alembic's own command line, stopped where it has its configuration.

    So ``-c``, ``-n``, ``-x`` and ALEMBIC_CONFIG mean what they mean to Alembic, and env.py
    finds the ``config.cmd_opts`` of the command.
    """

    config: Config

    def run_cmd(self, config: Config, options: Namespace) -> None:
        """Keeps the configuration in place of running the command."""
        self.config = config


def load(
    configs: Iterable[str] = (),
    name: str = "alembic",
    arguments: Iterable[str] = (),
    command: Sequence[str] = ("revision", "--autogenerate"),
) -> Project:
    """Finds the project that ``alembic`` with the same options would work on.

    Args:
        configs: what ``-c`` names: an ini file, a pyproject.toml, or one of each.
        name: the section of the ini file.
        arguments: what ``-x`` gives to env.py.
        command: Alembic's command, as env.py sees it in ``config.cmd_opts``.

    Raises:
        ProjectError: there is no configuration, or it is no good.
        CommandError: Alembic finds something wrong with it.
    """
    options = [f"--config={config}" for config in configs]
    options += [f"--name={name}", *(f"-x{argument}" for argument in arguments)]
    command_line = _AlembicCommandLine("alembic-fixups")
    command_line.main([*options, *command])
    config = command_line.config
    ini = Path(config.config_file_name or "alembic.ini")
    try:
        _require_configuration(config, ini)
        return Project(config, ScriptDirectory.from_config(config))
    except settings.SettingsError as error:
        raise ProjectError(str(error)) from error
    except (configparser.Error, ValueError) as error:
        file = ini if ini.is_file() else config.toml_file_name or ""
        raise ProjectError(f"{shown(file)}: {error}") from error


def _require_configuration(config: Config, ini: Path) -> None:
    """Says which file or section is missing or no good, where Alembic would trip over it."""
    toml = Path(config.toml_file_name or "pyproject.toml")
    if toml.exists():
        settings.read(toml)
    if ini.is_file():
        read_bytes(ini)  # Alembic's ConfigParser passes over what it cannot open
    if config.toml_alembic_config:
        return
    if not ini.is_file():
        raise ProjectError(
            f"{shown(ini)}: no such file, and no [tool.alembic] in {shown(toml)}. Run this "
            "where you run alembic, or name the file with -c."
        )
    section = config.config_ini_section
    if not config.file_config.has_section(section):
        known = [
            f"[{name}]"
            for name in config.file_config.sections()
            if config.file_config.has_option(name, "script_location")
        ]
        raise ProjectError(
            f"{shown(ini)}: no section [{section}], which -n names; there is "
            f"{', '.join(known) or 'none'}"
        )


def read_bytes(path: Path) -> bytes:
    """What is in a file of the project.

    Raises:
        ProjectError: it is not there or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProjectError(f"{shown(path)}: cannot be read: {error.strerror}") from error


def models(project: Project) -> list[MetaData]:
    """The metadata that env.py gives to Alembic, one for each database it configures.

    env.py is run offline, so that no database is needed; where that does not work, online.

    Raises:
        ProjectError: env.py fails both ways, has no metadata, or is not for PostgreSQL.
        CommandError: Alembic finds something wrong.
    """
    try:
        dialects, found = _capture(project, offline=True)
    except (ProjectError, CommandError) as offline:
        if isinstance(offline.__cause__, ImportError | SyntaxError):
            raise
        try:
            dialects, found = _capture(project, offline=False)
        except (ProjectError, CommandError) as online:
            if str(online.__cause__ or online) == str(offline.__cause__ or offline):
                raise
            raise ProjectError(
                f"{shown(project.env_py)} does not get as far as the models, neither offline nor "
                f"online.\nOffline: {offline}\nOnline: {online}"
            ) from online
    _require_postgresql(project, dialects)
    if not found:
        raise ProjectError(
            f"{shown(project.env_py)}: context.configure() gets no target_metadata. Import the "
            "module with your models there and set target_metadata = Base.metadata."
        )
    return found


def _require_postgresql(project: Project, dialects: set[str]) -> None:
    if dialects and "postgresql" not in dialects:
        raise ProjectError(
            f"{shown(project.env_py)}: this is a project for {', '.join(sorted(dialects))}; "
            "alembic-fixups is for PostgreSQL."
        )


def _capture(project: Project, *, offline: bool) -> tuple[set[str], list[MetaData]]:
    if offline and b"output_buffer" in read_bytes(project.env_py):
        # As in Alembic's multidb template: such an env.py overwrites files of its own.
        raise ProjectError(f"{shown(project.env_py)}: writes files in offline mode")
    dialects: set[str] = set()
    found: dict[int, MetaData] = {}

    def keep(_: Any, context: MigrationContext) -> list[Any]:
        dialects.add(context.dialect.name)
        given = context.opts["target_metadata"]
        several = given if isinstance(given, Sequence) else [given]
        found.update((id(metadata), metadata) for metadata in several if metadata is not None)
        return []

    options = {"as_sql": True, "output_buffer": StringIO()} if offline else {}
    with quiet():
        run_environment(project, keep, **options)
    return dialects, list(found.values())


def compare(project: Project) -> Comparison:
    """Compares the models with the database as ``alembic revision --autogenerate`` does.

    Nothing is written, not even an empty ``alembic_version`` table.

    Raises:
        ProjectError: env.py fails, or the database is not PostgreSQL or not at the head revision.
        CommandError: Alembic or the plugin cannot compare.
    """
    from alembic_fixups import comparator

    arguments = dict.fromkeys(
        ("message", "splice", "branch_label", "version_path", "rev_id", "depends_on")
    )
    revisions = RevisionContext(
        project.config,
        project.script,
        {**arguments, "autogenerate": True, "sql": False, "head": "head"},
    )

    dialects: set[str] = set()
    behind: list[ProjectError | CommandError] = []

    def retrieve_migrations(revision: Any, context: MigrationContext) -> list[Any]:
        dialects.add(context.dialect.name)
        try:
            _require_head(project, revision)
        except (ProjectError, CommandError) as error:
            behind.append(error)  # of no interest where the project is not for PostgreSQL at all
        else:
            revisions.run_autogenerate(revision, context)
        return []

    with comparator.collect_runs() as runs:
        run_environment(
            project,
            retrieve_migrations,
            template_args=revisions.template_args,
            revision_context=revisions,
        )
    _require_postgresql(project, dialects)
    if behind:
        raise behind[0]
    # A process_revision_directives hook of env.py's may have emptied the list.
    diffs = [
        diff
        for written in revisions.generated_revisions
        for operations in written.upgrade_ops_list
        for diff in operations.as_diffs()
    ]
    return Comparison(list(_flat(diffs)), runs)


def database_urls(project: Project) -> list[URL]:
    """What env.py connects to, with passwords: one URL for each database that it configures.

    Raises:
        ProjectError: env.py fails, connects to nothing, or not to PostgreSQL.
        CommandError: Alembic finds something wrong.
    """
    dialects: set[str] = set()
    found: dict[URL, None] = {}

    def keep(_: Any, context: MigrationContext) -> list[Any]:
        dialects.add(context.dialect.name)
        if context.connection is not None:
            found[context.connection.engine.url] = None
        return []

    with quiet():
        run_environment(project, keep)
    _require_postgresql(project, dialects)
    if not found:
        raise ProjectError(
            f"{shown(project.env_py)}: does not connect to a database. Name one with "
            "--database-url."
        )
    return list(found)


def _require_head(project: Project, revision: Any) -> None:
    heads = set(project.script.get_heads())
    current = {script.revision for script in project.script.get_revisions(revision)}
    if current != heads:
        raise ProjectError(
            f"The database is at {', '.join(sorted(current)) or 'no revision'}, the revisions go "
            f"on to {', '.join(sorted(heads))}. Run `alembic upgrade heads` first: only a "
            "database at the head can be compared with the models."
        )


def _flat(diffs: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """Alembic gives the changes of one column as a list of tuples."""
    for diff in diffs:
        if isinstance(diff, list):
            yield from diff
        else:
            yield diff


def run_environment(project: Project, fn: _EnvironmentFn, **options: Any) -> None:
    """Runs env.py, which calls *fn* where Alembic's commands would migrate.

    Args:
        options: what EnvironmentContext takes, over what suits a look without changes.

    Raises:
        ProjectError: env.py fails; the message says where.
        CommandError: Alembic finds something wrong.
    """
    if not project.script.sourceless:
        read_bytes(project.env_py)
    environment = EnvironmentContext(
        project.config,
        project.script,
        fn=fn,
        # The revisions are for an env.py that asks; neither limits what is compared.
        **{"starting_rev": None, "destination_rev": "heads", "dont_mutate": True, **options},
    )
    with _explained(), redirect_stdout(sys.stderr), environment:
        project.script.run_env()


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps informative messages back, whatever logging env.py configures meanwhile."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what the user's code raises into an error that says where; what is ours stays."""
    try:
        yield
    except (ProjectError, CommandError, settings.SettingsError):
        raise
    except (Exception, SystemExit) as error:
        if not isinstance(error, DBAPIError) and _is_ours(error):
            raise
        raise ProjectError(_explanation(error)) from error


def _explanation(error: BaseException) -> str:
    name = type(error).__name__
    where = place(error)
    if isinstance(error, SyntaxError):
        return f"{shown(error.filename or '')}:{error.lineno}: {name}: {error.msg}"
    if isinstance(error, DBAPIError) and error.statement is None:
        return f"{where}: the database cannot be reached: {str(error.orig).strip()}"
    if isinstance(error, ConnectionError | socket.gaierror | TimeoutError):
        return f"{where}: the database cannot be reached: {error}"
    if isinstance(error, DBAPIError):
        return f"{where}: {name}: {str(error.orig).strip()}\nin: {error.statement}"
    message = f"{where}: {name}: {error}".removesuffix(": ")
    if isinstance(error, ModuleNotFoundError):
        message += (
            "\nIs it installed in this environment, or below the folders that prepend_sys_path "
            "in alembic.ini adds?"
        )
    return message


def place(error: BaseException) -> str:
    """``file:line`` of the innermost call in the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_installed(frame.filename)]
    frame = (own or frames)[-1]
    return f"{shown(frame.filename)}:{frame.lineno}"


def _is_installed(filename: str) -> bool:
    path = Path(filename)
    return (
        filename.startswith("<")
        or path.is_relative_to(sysconfig.get_path("stdlib"))
        or path.is_relative_to(Path(__file__).parent)
        or not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
    )


def _is_ours(error: BaseException) -> bool:
    """Whether it happened below one of the plugin's hooks: a mistake of ours, not of the user's."""
    return any(
        frame.filename == plugin.__file__ for frame in traceback.extract_tb(error.__traceback__)
    )
