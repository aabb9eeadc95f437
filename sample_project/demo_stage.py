"""Where the demo runs: the commands of a user, what they print, and what has to be so."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic_fixups import scratch
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

BIN = Path(sys.executable).parent
THEME = "ansi_dark"  # the terminal's own colours


class Surprise(Exception):
    """Something is not as the demo says."""


def expect(condition: object, what: str) -> None:
    """Stops the demo where what it has just claimed does not hold."""
    if not condition:
        raise Surprise(what)


@dataclass
class Stage:
    """Where the demo runs and what it prints to.

    Attributes:
        console: coloured on a terminal, plain and unwrapped elsewhere.
        folder: the copy of the sample project.
        server: the embedded server.
        environment: that of the commands; it names the database.
        acts: how many there were so far.
    """

    console: Console
    folder: Path
    server: scratch.Server
    environment: dict[str, str]
    acts: int = 0

    def act(self, title: str, look: str) -> None:
        """The heading: what happens, and what to look at."""
        self.acts += 1
        self.console.print()
        self.console.print(
            Text.assemble((f"{self.acts}. {title}", "bold cyan"), (f"  {look}", "cyan")),
            soft_wrap=True,
        )

    def command(self, line: str) -> None:
        """A command as a user would type it."""
        self.console.print(Text.assemble(("$ ", "bold green"), (line, "bold")), soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """Some lines, each left as long as it is."""
        self.console.print(Text.from_ansi(text, style=style), soft_wrap=True)

    def code(self, text: str, language: str) -> None:
        """Source code."""
        highlighted = Syntax("", language, theme=THEME, background_color="default").highlight(text)
        highlighted.rstrip()
        self.console.print(highlighted, soft_wrap=True)

    def run(self, line: str, *, exit_code: int = 0, show: bool = True) -> str:
        """Shows a command, runs it, shows what it printed; gives that back without colours."""
        self.command(line)
        program, *arguments = shlex.split(line)
        assert self.server.bindir is not None
        programs = {
            "alembic": [sys.executable, "-m", "alembic"],
            "alembic-fixups": [str(BIN / "alembic-fixups")],
            "python": [sys.executable],
            "psql": [str(self.server.bindir / "psql"), "-X"],
        }
        done = subprocess.run(
            [*programs[program], *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output = done.stdout.replace(f"{self.folder}/", "")
        plain = Text.from_ansi(output).plain
        expect(
            done.returncode == exit_code,
            f"{line}: exit code {done.returncode} in place of {exit_code}\n{plain}",
        )
        said = [one for one in output.splitlines() if not one.startswith("INFO")]
        if show and said:
            self.say("\n".join(said).strip("\n"))
        return plain

    def psql(self, query: str, *, exit_code: int = 0) -> str:
        """Runs a query as `run` does."""
        return self.run(f'psql -c "{query}"', exit_code=exit_code)

    def autogenerate(self, message: str) -> tuple[Path, str]:
        """Has Alembic write a revision; gives that and what was printed, which is not shown."""
        output = self.run(f'alembic revision --autogenerate -m "{message}"', show=False)
        return self.revision(message), output

    def revision(self, message: str) -> Path:
        """The revision that was generated with that message."""
        slug = message.replace(" ", "_")
        [path] = (self.folder / "alembic" / "versions").glob(f"*_{slug}.py")
        return path

    def remove(self, path: Path) -> None:
        """Deletes a file of the project."""
        self.command(f"rm {path.relative_to(self.folder)}")
        path.unlink()

    def settings(self, command: str, change: Callable[[str], str]) -> None:
        """Shows a command that edits pyproject.toml, and does what it does."""
        self.edit("pyproject.toml", command, change)

    def edit(self, name: str, command: str, change: Callable[[str], str]) -> None:
        """The same with another file of the project."""
        self.command(f"sed -i '{command}' {name}")
        path = self.folder / name
        old = path.read_text()
        new = change(old)
        expect(new != old, f"{command} changes something")
        path.write_text(new)


def environment(console: Console, server: scratch.Server, database: str) -> dict[str, str]:
    """What the commands find in their environment: the database, and whether to use colours."""
    url = server.url.set(database=database)
    host, port = str(url.query["host"]), str(url.query["port"])
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "DATABASE_URL": url.render_as_string(hide_password=False),
        **{"PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": database},
        "PAGER": "cat",
        "COLUMNS": str(console.width),
        **({"FORCE_COLOR": "1"} if console.is_terminal else {}),
    }


def expect_rows(output: str, numbers: dict[str, int]) -> None:
    """Checks a table that psql printed: the number beside each name."""
    for table, number in numbers.items():
        expect(re.search(rf"^ {table} +\| +{number}\b", output, re.MULTILINE), f"{table}: {number}")


def operations(source: str) -> Counter[str]:
    """How often each ``op.…()`` is in a revision's upgrade."""
    names = [ast.unparse(call.func) for call in _calls(source)]
    others = ("op.f", "op.get_context", "op.get_context().autocommit_block")
    return Counter(name for name in names if name.startswith("op.") and name not in others)


def _calls(source: str) -> list[ast.Call]:
    """All calls in a revision's upgrade, in their order."""
    [upgrade] = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    calls = [node for node in ast.walk(upgrade) if isinstance(node, ast.Call)]
    return sorted(calls, key=lambda node: node.lineno)


def steps(source: str) -> Iterator[str]:
    """Each ``op.execute()`` of a revision's upgrade: the comment above it, then its SQL."""
    lines = source.splitlines()
    for call in _calls(source):
        if ast.unparse(call.func) != "op.execute":
            continue
        first = call.lineno - 1
        while lines[first - 1].lstrip().startswith("#"):
            first -= 1
        comment = [line.strip().replace("#", "--", 1) for line in lines[first : call.lineno - 1]]
        sql = textwrap.dedent(ast.literal_eval(call.args[0])).strip()
        yield "\n".join([*comment, sql])
