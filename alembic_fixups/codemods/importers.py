"""What other files of a project take from one: names that it imports and does not need itself.

A name too many that is kept does no harm, one that is missing breaks the file that imports it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from alembic_fixups.codemods.files import File

_NO_SOURCES = {".git", ".venv", "venv", "node_modules", "site-packages", "__pycache__"}


def taken(file: File, loaded: Iterable[Path], names: set[str]) -> set[str]:
    """Those of some names that other files may take from this one.

    Takes the file, the project's files that are loaded, and the names. Files that are not loaded
    are looked at as well, all that are below the folder that has the file's package.
    """
    if file.path.name == "__init__.py":
        return names
    module = file.path.stem.encode()
    mention = re.compile(rb"\b%b\b" % re.escape(module))
    lists = re.compile(
        rb"\bfrom[\s.]+(?:[\w.]*\.)?%b\s+import\b\s*(\([^)]*\)|[^\r\n;]*)" % re.escape(module)
    )
    found: set[str] = set()
    for path in {*loaded, *_below(_root_of(file))} - {file.path}:
        text = _text(path)
        if module not in text or not mention.search(text):
            continue
        # Neither a bracket in a comment nor a line that goes on ends a list.
        text = re.sub(rb"#[^\r\n]*|\\\r?\n", b" ", text)
        listed = b" ".join(lists.findall(text))
        if b"*" in listed and not hasattr(file.module, "__all__"):
            return names
        words = re.findall(r"\w+", listed.decode(errors="replace"))
        found |= names.intersection(words)
        found |= {name for name in names - found if _reads(text, module, name.encode())}
    return found


def _reads(text: bytes, module: bytes, name: bytes) -> bool:
    """Whether a file that mentions a module may read a name as its attribute."""
    if name not in text:
        return False
    if re.search(rb"attr\([^()]*[\"']%b[\"']" % name, text):
        return True
    for base in set(re.findall(rb"([\w.]*)\s*\.\s*%b\b" % name, text)):
        first = base.partition(b".")[0]
        imported = re.findall(rb"\bimport\s+([\w.]+)\s+as\s+%b\b" % first, text) if first else []
        # The ``sa`` of ``sa.Enum`` is known to be another module.
        if not imported or any(module in one.split(b".") for one in [*imported, base]):
            return True
    return False


def _root_of(file: File) -> Path:
    """The folder that the package of a file is in."""
    folder = file.path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    # A package need not have an ``__init__.py``.
    dots = file.module.__name__.count(".") if file.module is not None else 0
    named = file.path.parents[min(dots, len(file.path.parents) - 1)]
    return named if folder.is_relative_to(named) else folder


def _below(root: Path) -> set[Path]:
    """The Python files below a folder."""
    found: set[Path] = set()
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders if one not in _NO_SOURCES]
        found |= {Path(folder, name) for name in names if name.endswith(".py")}
    return found


def _text(path: Path) -> bytes:
    """What is in a file, nothing where it cannot be read."""
    try:
        known = path.stat()
        return _read(path, known.st_mtime_ns, known.st_size)
    except OSError:
        return b""


@lru_cache(maxsize=8192)
def _read(path: Path, changed: int, size: int) -> bytes:
    """What is in a file as of a time: every changed model file looks at all files."""
    return path.read_bytes()
