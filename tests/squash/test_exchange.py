"""Two folders that change places, and the reasons why they cannot."""

import errno
import tempfile
from pathlib import Path

import pytest

from alembic_fixups.project import ProjectError
from alembic_fixups.squash import exchange as module
from alembic_fixups.squash.exchange import can_exchange, exchange, mounted_apart


def _two(folder: Path) -> tuple[Path, Path]:
    one, other = folder / "one", folder / "öther name"
    for path in (one, other):
        path.mkdir()
        (path / "file").write_text(path.name)
    return one, other


def test_two_folders_change_places(tmp_path: Path) -> None:
    one, other = _two(tmp_path)
    exchange(one, other)
    assert (one / "file").read_text() == "öther name"
    assert (other / "file").read_text() == "one"


def test_the_working_directory_stays_where_its_path_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = _two(tmp_path)
    monkeypatch.chdir(one)
    exchange(one, other)
    assert Path("file").read_text() == "öther name"


def test_the_system_call_is_used_where_the_library_has_no_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old:
        def __init__(self, *_: object, **__: object) -> None:
            self.syscall = CDLL(None, use_errno=True).syscall

    CDLL = module.ctypes.CDLL
    one, other = _two(tmp_path)
    monkeypatch.setattr(module.ctypes, "CDLL", Old)
    exchange(one, other)
    assert (one / "file").read_text() == "öther name"
    monkeypatch.setattr(module.platform, "machine", lambda: "other")
    with pytest.raises(ProjectError, match="this system cannot"):
        exchange(one, other)


def test_a_file_system_that_cannot_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = _two(tmp_path)
    monkeypatch.setattr(module, "_RENAME_EXCHANGE", 1 << 20)  # a flag that no system has
    with pytest.raises(ProjectError, match=r"one cannot change places.*file system.*--keep-files"):
        exchange(one, other)
    assert (one / "file").read_text() == "one"


def test_a_probe_says_whether_it_works_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_exchange(tmp_path) == ""
    monkeypatch.setattr(module, "_RENAME_EXCHANGE", 1 << 20)
    assert can_exchange(tmp_path) == module._REASONS[errno.EINVAL]
    assert not list(tmp_path.iterdir())


def test_two_file_systems_are_refused(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is only one file system")
    one, other = _two(tmp_path)
    assert not mounted_apart(one, other)
    with tempfile.TemporaryDirectory(dir=memory) as elsewhere:
        assert mounted_apart(one, Path(elsewhere))
        with pytest.raises(ProjectError, match="two file systems"):
            exchange(one, Path(elsewhere))
