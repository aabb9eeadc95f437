"""A file of the user's as it is and as it should be: shown as a diff, and put in place."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class FileChange:
    """A file as it is, and as it should be."""

    path: Path
    old: bytes
    new: bytes


def show(change: FileChange, console: Console) -> None:
    """Prints the change as a unified diff, in colour on a terminal."""
    from rich.text import Text

    styles = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}
    for line in diff(change):
        style = next((style for mark, style in styles.items() if line.startswith(mark)), "")
        console.print(Text(line, style=style), soft_wrap=True)
    console.print()


def diff(change: FileChange) -> Iterator[str]:
    """The lines of the change as a unified diff."""
    old, new = (_text(text).splitlines() for text in (change.old, change.new))
    path = shown(change.path)
    return difflib.unified_diff(old, new, path if old else os.devnull, path, lineterm="")


def _text(source: bytes) -> str:
    """What is in a file, by the encoding that a Python file says."""
    with suppress(SyntaxError, UnicodeDecodeError):
        return decode_source(source)
    return source.decode(errors="replace")


def require_writable(path: Path) -> None:
    """Stops before a file that somebody protected; to put another in its place, that is no bar.

    Raises:
        ProjectError: it is read-only.
    """
    if path.exists() and not (path.stat().st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise ProjectError(f"{shown(path)}: is read-only; nothing was written.")


def write(change: FileChange) -> None:
    """Puts the new file in the place of the old one at once; mode and symbolic links are kept.

    Raises:
        ProjectError: it cannot be written.
    """
    path = change.path.resolve()
    # Made by open(), a new file has the mode that the umask gives it.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(change.new)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ProjectError(f"{shown(path)}: cannot be written: {error.strerror}") from error
