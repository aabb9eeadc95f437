"""The command line: ``alembic-fixups [options] COMMAND``.

Exit codes, for CI: 0 nothing to do, 1 there are differences, 2 a mistake or an error. Each command
is a module of its own, imported when it is called, so that ``--help`` answers at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import alembic_fixups

if TYPE_CHECKING:
    from rich.console import Console

    from alembic_fixups.project import Project

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Alembic autogenerate that brings a whole PostgreSQL schema into the shape it ought to "
    "have.",
)


@dataclass
class Options:
    """The options before the command.

    Attributes:
        config: the configuration files, as ``alembic -c``.
        name: the section of the ini file, as ``alembic -n``.
        arguments: what env.py's ``get_x_argument()`` gives, as ``alembic -x``.
        verbose: whether log messages and tracebacks are shown.
        colour: whether there may be colours where the output is a terminal.
    """

    config: Sequence[str] = ()
    name: str = "alembic"
    arguments: Sequence[str] = ()
    verbose: bool = False
    colour: bool = True

    def project(self) -> Project:
        """The project that the options mean.

        Raises:
            ProjectError: there is none, or its configuration is no good.
        """
        from alembic_fixups import project

        return project.load(self.config, self.name, self.arguments)

    def console(self, *, stderr: bool = False) -> Console:
        """Where to print: coloured and wrapped on a terminal, plain and unwrapped in a pipe."""
        from rich import console as rich

        class Console(rich.Console):
            def on_broken_pipe(self) -> None:
                _give_up_stdout()
                raise SystemExit(2)

        console = Console(
            stderr=stderr,
            highlight=False,
            markup=False,  # "[tool.alembic-fixups]" is none
            emoji=False,  # ":100:", from "env.py:100:", is none
            no_color=True if not self.colour else None,
        )
        console.soft_wrap = not console.is_terminal
        return console


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alembic-fixups {alembic_fixups.__version__}")
        raise typer.Exit


@app.callback()
def _set_options(
    context: typer.Context,
    config: Annotated[
        list[str] | None,
        typer.Option(
            "-c",
            "--config",
            metavar="FILE",
            help="Alembic's configuration; $ALEMBIC_CONFIG or alembic.ini where it is left out.",
        ),
    ] = None,
    name: Annotated[str, typer.Option("-n", "--name", help="Section of the ini file.")] = "alembic",
    x: Annotated[
        list[str] | None,
        typer.Option("-x", metavar="KEY=VALUE", help="Argument for env.py; may be repeated."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show log messages and tracebacks.")
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    options: Options = context.obj
    options.config = config or ()
    options.name = name
    options.arguments = x or ()
    options.verbose = verbose
    options.colour = not no_color


@app.command()
def init(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Write without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes only.")] = False,
) -> None:
    """Switch the plugin on in env.py and write the settings that the models suggest."""
    from alembic_fixups import init

    options: Options = context.obj
    raise typer.Exit(
        init.run(options.project(), options.console(), assume_yes=yes, dry_run=dry_run)
    )


@app.command()
def check(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings and refusals count as differences.")
    ] = False,
) -> None:
    """Show what the next `alembic revision --autogenerate` would write; exit with 1 if anything."""
    from alembic_fixups import check

    options: Options = context.obj
    raise typer.Exit(
        check.run(
            options.project(),
            options.console(),
            as_json=as_json,
            strict=strict,
            verbose=options.verbose,
        )
    )


@app.command()
def codemod(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="What may be changed; all where left out."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if something would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show what would change.")
    ] = False,
    fixup: Annotated[
        list[str] | None,
        typer.Option("--fixup", metavar="NAME", help="This fixup only; may be repeated."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if something has to be done by hand.")
    ] = False,
    postgres: Annotated[
        int, typer.Option("--postgres", metavar="MAJOR", min=12, help="Version of PostgreSQL.")
    ] = 16,
    introduce_constant: Annotated[
        bool,
        typer.Option(
            "--introduce-constant", help="Name the dimensions that a model writes out repeatedly."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Rewrite the model files to what the fixups make of the models."""
    from alembic_fixups.codemods import command

    options: Options = context.obj
    request = command.Request(
        paths or (),
        fixup or (),
        check=check,
        diff=diff,
        as_json=as_json,
        strict=strict,
        postgres=postgres,
        verbose=options.verbose,
        introduce_constant=introduce_constant,
    )
    raise typer.Exit(
        command.run(options.project(), options.console(), options.console(stderr=True), request)
    )


_DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="The database, where it is not the one that env.py connects to.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def reembed(
    context: typer.Context,
    columns: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCHEMA.TABLE.COLUMN]...", help="All that wait where left out."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Threads that embed and write.")
    ] = 1,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many rows of each column.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
    database_url: _DatabaseUrl = None,
    as_json: _Json = False,
) -> None:
    """Fill the vector columns that a migration has left to be embedded anew."""
    from alembic_fixups.reembed import command

    options: Options = context.obj
    request = command.Request(columns or (), workers, limit, dry_run, database_url, as_json)
    raise typer.Exit(
        command.run(options.project(), options.console(), options.console(stderr=True), request)
    )


_ScratchUrl = Annotated[
    str | None,
    typer.Option(
        "--scratch-url",
        metavar="URL",
        help="A server to make throw-away databases on, in place of the embedded one.",
    ),
]


@app.command()
def squash(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REV", help="The last revision to fold.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="REV", help="The first one; the bases where left out."),
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=0, help="At least so many revisions stay.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", formats=["%Y-%m-%d"], help="Revisions made on that day or later stay."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Try it out and write nothing.")
    ] = False,
    scratch_url: _ScratchUrl = None,
    keep_files: Annotated[
        bool,
        typer.Option("--keep-files", help="Leave the revisions; the snapshot is for review only."),
    ] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="With changes that are not committed, too.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the newest squash back.")] = False,
    as_json: _Json = False,
) -> None:
    """Fold old revisions into one snapshot; all older than 6 months where nothing else is said."""
    from alembic_fixups.squash import command
    from alembic_fixups.squash.history import Wish

    options: Options = context.obj
    request = command.Request(
        Wish(to, start, keep, since.date() if since else None),
        dry_run=dry_run,
        scratch_url=scratch_url,
        keep_files=keep_files,
        allow_dirty=allow_dirty,
        undo=undo,
        as_json=as_json,
        verbose=options.verbose,
    )
    raise typer.Exit(
        command.run(options.project(), options.console(), options.console(stderr=True), request)
    )


@app.command()
def verify(
    context: typer.Context,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url", metavar="URL", help="Compare this database with its revisions."
        ),
    ] = None,
    scratch_url: _ScratchUrl = None,
    as_json: _Json = False,
) -> None:
    """Compare the newest snapshot with the revisions in its archive; exit with 1 if not equal."""
    from alembic_fixups.squash import verify

    options: Options = context.obj
    request = verify.Request(database_url, scratch_url, as_json, options.verbose)
    raise typer.Exit(
        verify.run(options.project(), options.console(), options.console(stderr=True), request)
    )


@app.command()
def adopt(
    context: typer.Context,
    database_url: _DatabaseUrl = None,
    accept_drift: Annotated[
        bool,
        typer.Option("--accept-drift", help="Take the database for adopted all the same."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
    as_json: _Json = False,
) -> None:
    """Bring a database that is inside a squashed range to the snapshot."""
    from alembic_fixups.squash import adopt

    options: Options = context.obj
    request = adopt.Request(database_url, accept_drift, dry_run, as_json, options.verbose)
    raise typer.Exit(
        adopt.run(options.project(), options.console(), options.console(stderr=True), request)
    )


@app.command()
def prove(
    context: typer.Context,
    revisions: Annotated[
        str | None,
        typer.Argument(
            metavar="[REV[:REV]]", help="A revision or a range; the newest one where left out."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Rows of a pg_dump, not made-up ones."),
    ] = None,
    postgres: Annotated[
        int | None,
        typer.Option("--postgres", metavar="MAJOR", help="Version of the embedded server."),
    ] = None,
    scratch_url: _ScratchUrl = None,
    law: Annotated[
        list[str] | None,
        typer.Option("--law", metavar="NAME", help="This law only; may be repeated."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=0, help="Rows to make up for each table.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Another number gives other rows.")
    ] = None,
    stops: Annotated[
        int | None, typer.Option("--stops", min=1, help="Stop at so many statements at most.")
    ] = None,
    lint: Annotated[
        bool,
        typer.Option("--lint", help="Show the statements, DO blocks opened, and ask squawk."),
    ] = False,
    sql: Annotated[
        Path | None,
        typer.Option("--sql", metavar="FOLDER", help="Write these statements into REV.sql."),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Try a revision out: the laws it holds to, the locks it takes; exit with 1 if one is broken.

    Nothing is done to your database, and no fixup need be switched on.
    """
    from alembic_fixups.prove import command

    options: Options = context.obj
    request = command.Request(
        revisions,
        data=data,
        postgres=postgres,
        scratch_url=scratch_url,
        laws=law or (),
        rows=rows,
        seed=seed,
        stops=stops,
        lint=lint,
        sql=sql,
        as_json=as_json,
        as_markdown=as_markdown,
        verbose=options.verbose,
    )
    raise typer.Exit(
        command.run(options.project(), options.console(), options.console(stderr=True), request)
    )


vectors_app = typer.Typer(
    help="List the tables that keep old vectors or what is embedded anew, or drop old vectors."
)
app.add_typer(vectors_app, name="vectors")


@vectors_app.callback(invoke_without_command=True)
def _vectors(
    context: typer.Context, database_url: _DatabaseUrl = None, as_json: _Json = False
) -> None:
    if context.invoked_subcommand is None:
        vectors_list(context, database_url, as_json)


def _before(context: typer.Context, option: str) -> Any:
    """What `vectors` has been given of an option that stands before its subcommand."""
    assert context.parent is not None
    return context.parent.params.get(option)


@vectors_app.command("list")
def vectors_list(
    context: typer.Context, database_url: _DatabaseUrl = None, as_json: _Json = False
) -> None:
    """List archives of old vectors, and columns that wait for new ones."""
    from alembic_fixups import vectors

    options: Options = context.obj
    raise typer.Exit(
        vectors.run_list(
            options.project(),
            options.console(),
            database_url or _before(context, "database_url"),
            as_json=as_json or bool(_before(context, "as_json")),
        )
    )


@vectors_app.command("drop-archive")
def vectors_drop_archive(
    context: typer.Context,
    columns: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCHEMA.TABLE.COLUMN]...", help="All archives where left out."),
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Drop without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show them only.")] = False,
    database_url: _DatabaseUrl = None,
) -> None:
    """Drop the old vectors that a migration has kept; they are gone for good then."""
    if _before(context, "as_json"):
        raise typer.BadParameter("--json is for the list")
    from alembic_fixups import vectors

    options: Options = context.obj
    raise typer.Exit(
        vectors.run_drop(
            options.project(),
            options.console(),
            columns or (),
            database_url or _before(context, "database_url"),
            assume_yes=yes,
            dry_run=dry_run,
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits.

    Args:
        arguments: in the place of ``sys.argv``.
    """
    # As Ctrl-C does, so that scratch databases go: cancelled jobs of CI end like that.
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, _terminated)
    options = Options()  # filled by _set_options(); read here where a command fails
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            app(args=given, prog_name="alembic-fixups", obj=options)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:
            _give_up_stdout()
        with suppress(OSError):
            _report(error, options)
        raise SystemExit(2) from None


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _give_up_stdout() -> None:
    """Lets what is left for a full or closed output go; Python would try again at its end."""
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception, options: Options) -> None:
    """Prints the message of a user's mistake, the traceback of anything else."""
    from alembic.util import CommandError
    from rich.text import Text

    from alembic_fixups.project import ProjectError
    from alembic_fixups.scratch import ScratchError
    from alembic_fixups.settings import SettingsError

    mistakes = CommandError | ProjectError | ScratchError | SettingsError | OSError
    expected = isinstance(error, mistakes)
    message = str(error)
    if isinstance(error, OSError):
        message = ": ".join(map(str, filter(None, (error.filename, error.strerror)))) or message
    if options.verbose or not expected:
        import traceback

        traceback.print_exception(error)
    console = options.console(stderr=True)
    if expected:
        console.print(Text.assemble(("Error: ", "bold red"), message))
    else:
        console.print(Text("This is a mistake in alembic-fixups; please report it.", "bold red"))


if __name__ == "__main__":
    main()
