"""A small project in a temporary folder, and the command line as its users have it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic.config import CommandLine
from sqlalchemy import URL

from alembic_fixups import cli
from alembic_fixups.scratch import Server
from tests.squash.replays import PRODUCTION, env_py, revision, write

# A database of the test's own where alembic itself is run; replays never go there.
ENV = env_py(
    imports="import os",
    url=f'os.environ.get("DATABASE_URL", "{PRODUCTION}")',
)

MAKES = (
    "op.execute('CREATE TABLE a (id integer PRIMARY KEY, name text)')",
    "op.execute(\"INSERT INTO a VALUES (1, 'one'), (2, 'two')\")",
    "op.execute('CREATE TABLE b (id integer PRIMARY KEY, a_id integer REFERENCES a)')",
    "op.execute('ALTER TABLE a ADD at date')",
)
"""Bodies of revisions r1 to r4; the last one is meant to stay."""


HISTORY = {
    "r1": (None, MAKES[0]),
    "r2": ("r1", MAKES[1]),
    "r3": (
        "r2",
        f"{MAKES[2]}\nimport os\n"
        "op.execute('SELECT pg_sleep(' + os.environ.get('SLEEP', '0') + ')')\n"
        "assert 'FAIL' not in os.environ",
    ),
    "r4": ("r3", MAKES[3]),
    "r5": ("r4", "op.create_index('a_at', 'a', ['at'])"),
    "r6": ("r5", "op.execute('CREATE TABLE c (id integer)')"),
    "x1": (None, "op.execute('CREATE TABLE apart (id integer)')"),
}
"""A longer history; r3 can be made to last, and to fail."""


def histories(shared: Path, server: Server) -> tuple[Path, Path]:
    """A folder with the longer history, and one where r1 to r3 of it are squashed.

    Made once for all workers; *shared* is a folder that they have in common.
    """
    original, once = shared / "original", shared / "once"
    with open(shared / "histories.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not once.exists():
            write(original, ENV)
            (original / "pyproject.toml").write_text("")
            for name, (down, body) in HISTORY.items():
                revision(original / "migrations" / "versions", name, down, body)
            folder = shutil.copytree(original, shared / "unfinished")
            done = start(
                folder,
                *("squash", "--to", "r3", "--allow-dirty", "--scratch-url", text(server.url)),
            )
            assert done.returncode == 0, done.stderr
            folder.rename(once)
    return original, once


def start(
    folder: Path, *arguments: str, module: str = "alembic_fixups.cli", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONSAFEPATH": "1", "COLUMNS": "80", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@dataclass(frozen=True)
class Done:
    """What a command has come to.

    Attributes:
        code: its exit code.
        out: what it printed.
        err: what it printed on stderr.
    """

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """All that it printed, as JSON."""
        return json.loads(self.out)


class Commands:
    """The commands, run in the project's folder, replaying on the session's server."""

    def __init__(
        self,
        folder: Path,
        server: Server,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.folder = folder
        self.versions = folder / "migrations" / "versions"
        self.archives = folder / "migrations" / "versions_squashed"
        self.scratch = ("--scratch-url", server.url.render_as_string(hide_password=False))
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.delenv("DATABASE_URL", raising=False)

    def write(self, *bodies: str, env: str = ENV, ini: str = "", settings: str = "") -> None:
        """Writes the project: each of *bodies* is that of ``upgrade()`` in r1, r2, ..."""
        write(self.folder, env, *(bodies or MAKES), ini=ini)
        (self.folder / "pyproject.toml").write_text(settings)

    def add(self, name: str, down: str | tuple[str, ...] | None, body: str = "pass") -> None:
        """Writes one more revision."""
        # The name is all that it takes down for.
        revision(self.versions, name, down, body)  # type: ignore[arg-type]

    def run(self, *arguments: str) -> Done:
        """``alembic-fixups`` with these arguments."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err, err
        return Done(int(ended.value.code or 0), out, err)

    def squash(self, *arguments: str) -> Done:
        """``alembic-fixups squash`` on the session's server."""
        return self.run("squash", *arguments, *self.scratch)

    def squashed(self, *arguments: str) -> Done:
        """The same, where it has to succeed."""
        done = self.squash(*arguments)
        assert done.code == 0, done
        return done

    def verify(self, *arguments: str) -> Done:
        """``alembic-fixups verify`` on the session's server."""
        return self.run("verify", *arguments, *self.scratch)

    def copy(self, source: Path) -> None:
        """Takes the files of a folder for the project's."""
        shutil.copytree(source, self.folder, dirs_exist_ok=True)

    def alembic(self, url: URL, to: str = "heads") -> None:
        """``alembic upgrade`` of a database, by an env.py that imports nothing of the project."""
        with self._monkeypatch.context() as patched:
            patched.setenv("DATABASE_URL", text(url))
            CommandLine("alembic").main(["--raiseerr", "upgrade", to])

    def files(self) -> dict[str, bytes]:
        """Every file of the project but what Python compiles."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.suffix != ".pyc"
        }


def text(url: URL) -> str:
    """The URL with its password."""
    return url.render_as_string(hide_password=False)
