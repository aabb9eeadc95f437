"""Two folders change places in one step, so that nobody sees neither or both."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

from alembic_fixups.project import ProjectError
from alembic_fixups.settings import shown

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2  # macOS
# For a C library older than the system call: musl before 1.2.4, glibc before 2.28.
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276}
_REASONS = {
    errno.ENOSYS: "this system cannot",
    errno.EINVAL: "this file system cannot",
    errno.ENOTSUP: "this file system cannot",
    errno.EXDEV: "they lie on two file systems, or in a layer of an image",
    errno.EBUSY: "one of them is a mount point",
}


def exchange(one: Path, other: Path) -> None:
    """Lets two folders change places in one step.

    The working directory of this process is the same path as before.

    Args:
        one: a folder.
        other: another one on the same file system.

    Raises:
        ProjectError: the system or the file system cannot do that; nothing has changed.
    """
    here = Path.cwd()
    reason = _exchange(one, other)
    if reason:
        raise ProjectError(
            f"{shown(one)} cannot change places with another folder in one step: {reason}. Take "
            "--keep-files and move the files yourself, or move the checkout to another file system."
        )
    with suppress(OSError):
        os.chdir(here)
    for parent in {one.parent, other.parent}:
        sync(parent)


def can_exchange(folder: Path) -> str:
    """Tries an exchange with two new folders.

    Args:
        folder: a folder to make them in.

    Returns:
        Why it does not work, empty where it does.
    """
    one, other = folder / "one", folder / "other"
    one.mkdir()
    other.mkdir()
    reason = _exchange(one, other)
    one.rmdir()
    other.rmdir()
    return reason


def mounted_apart(one: Path, other: Path) -> bool:
    """Whether a mount point lies between two folders, across which nothing can be renamed."""
    return one.stat().st_dev != other.stat().st_dev or _mount(one) != _mount(other)


def sync(path: Path) -> None:
    """Has what was written to a file, or the names in a folder, outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mount(folder: Path) -> str:
    """The mount that a folder is seen through, as Linux numbers them; the rest have none.

    A folder that is bind-mounted from the same file system has no other sign.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        told = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return next((line for line in told.splitlines() if line.startswith("mnt_id:")), "")


def _exchange(one: Path, other: Path) -> str:
    """Does it and gives an empty text, or the reason why not."""
    names = os.fsencode(one), os.fsencode(other)
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*names, _RENAME_SWAP)
    elif not sys.platform.startswith("linux"):
        return _REASONS[errno.ENOSYS]
    else:
        arguments = _AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE
        if hasattr(libc, "renameat2"):
            failed = libc.renameat2(*arguments)
        elif platform.machine() in _RENAMEAT2:
            failed = libc.syscall(_RENAMEAT2[platform.machine()], *arguments)
        else:
            return _REASONS[errno.ENOSYS]
    if not failed:
        return ""
    code = ctypes.get_errno()
    return _REASONS.get(code, os.strerror(code))
