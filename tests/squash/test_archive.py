"""Revisions that go to an archive and come back, and commands that are killed meanwhile."""

from __future__ import annotations

import json
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic_fixups.project import ProjectError
from alembic_fixups.squash import archive, manifest, undo
from alembic_fixups.squash import exchange as exchanging
from alembic_fixups.squash.chain import Chain, script_directory
from alembic_fixups.squash.history import Range
from alembic_fixups.squash.leftovers import clear_leftovers
from alembic_fixups.squash.manifest import Archived, Manifest
from alembic_fixups.squash.working_tree import require_clean

MEMORY = Path("/dev/shm")


class History:
    """An Alembic project of small revision files, and a squash of some of them."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        self.versions = folder / "migrations" / "versions"
        self.versions.mkdir(parents=True, exist_ok=True)
        (folder / "migrations" / "env.py").touch()
        lines = [f"{key} = {value}\n" for key, value in options.items()]
        (folder / "alembic.ini").write_text(
            "[alembic]\nscript_location = %(here)s/migrations\n" + "".join(lines)
        )

    def write(self, path: str, id_: str, down: str | None) -> Path:
        """Writes a revision to a path below ``migrations``."""
        file = self.folder / "migrations" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"revision = {id_!r}\ndown_revision = {down!r}\n")
        return file

    def line(self, *ids: str) -> History:
        """Writes a revision for each id, each on the one before."""
        for down, id_ in zip([None, *ids], ids, strict=False):
            self.write(f"versions/{id_}_it.py", id_, down)
        return self

    @property
    def config(self) -> Config:
        return Config(str(self.folder / "alembic.ini"))

    def script(self, chain: Chain | None = None) -> ScriptDirectory:
        return script_directory(self.config, chain)

    def ids(self, chain: Chain | None = None) -> list[str]:
        return sorted(one.revision for one in self.script(chain).walk_revisions())

    def tree(self) -> dict[str, Any]:
        """Everything in the project as it is on disk, but what Python compiles."""
        found: dict[str, Any] = {}
        for path in self.folder.rglob("*"):
            if "__pycache__" not in path.parts:
                status = path.lstat()
                content = path.read_bytes() if path.is_file() else None
                mtime = None if path.is_dir() else status.st_mtime_ns
                found[str(path.relative_to(self.folder))] = (status.st_mode, mtime, content)
        return found

    @contextmanager
    def staged(self, *ids: str, keep_files: bool = False) -> Iterator[archive.Staged]:
        """Lays out a squash of these revisions and writes its snapshot."""
        range_ = Range(ids[-1], ids, (), (), ())
        with archive.staged(self.script(), range_, keep_files=keep_files) as staged:
            staged.snapshot.write_text(f"revision = {ids[-1]!r}\ndown_revision = None\n# all\n")
            yield staged

    def squash(self, *ids: str) -> Path:
        with self.staged(*ids) as staged:
            return archive.commit(staged, described(staged))


def described(staged: archive.Staged) -> Manifest:
    return archive.describe(staged, {"alembic": "1"}, {"tables": ["ä"]})


def untimed(tree: dict[str, Any]) -> dict[str, Any]:
    """A tree without the times, which differ in what is made anew."""
    return {path: (mode, content) for path, (mode, _, content) in tree.items()}


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.name != ".git" and ".git" not in path.parts]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python leaves what it compiles, whatever the environment of the tests says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder that is quick to write to, where the system has one."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def test_folded_files_go_to_the_archive_and_come_back_as_they_were(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c", "d")
    (history.versions / "b_it.py").chmod(0o640)
    (history.versions / "data").mkdir()
    (history.versions / "data" / "rows.csv").write_text("1,2\n")
    (history.versions / "old.py.backup").write_text("raise\n")
    (history.versions / "link.csv").symlink_to("data/rows.csv")
    os.utime(history.versions / "a_it.py", (10**9, 10**9))
    before = history.tree()

    folder = history.squash("a", "b", "c")
    assert folder == tmp_path / "migrations" / "versions_squashed" / "c"
    assert history.ids() == ["c", "d"]
    assert not hidden(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.txt", "catalog.json", "files", "manifest.json",
    ]  # fmt: skip
    assert "alembic-fixups squash --undo" in (folder / "README.txt").read_text()
    names = {path.relative_to(folder / "files").as_posix() for path in folder.rglob("files/**/*")}
    assert names == {
        "a_it.py", "b_it.py", "c_it.py", "data", "data/rows.csv", "old.py.backup", "link.csv",
    }  # fmt: skip
    [(found, stored)] = manifest.manifests(history.script())
    assert found == folder
    assert [one.id for one in stored.revisions] == ["a", "b", "c"]
    assert (stored.unit, stored.snapshot.path) == ("../../versions", "c_it.py")
    assert stored.catalog == {"tables": ["ä"]}
    manifest.check(folder, stored)
    assert clear_leftovers(history.script()) == []

    assert undo.undo(history.script()) == stored
    assert history.tree() == before
    with pytest.raises(ProjectError, match="no squash to take back"):
        undo.undo(history.script())


def test_both_histories_can_be_loaded_before_anything_changes(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    before = history.tree()
    with history.staged("a", "b") as staged:
        assert staged.folder.parent == staged.unit.parent  # what lies beside is found by ".."
        assert history.ids(staged.new) == ["b", "c"]
        assert history.ids(staged.archived) == ["a", "b", "c"]
        assert history.ids() == ["a", "b", "c"]
    assert history.tree() == before


def test_what_revisions_wrote_while_they_ran_does_not_come_along(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    with history.staged("a", "b") as staged:
        (staged.folder / "written.log").touch()
        history.ids(staged.new)
        assert (staged.folder / "__pycache__").is_dir()
        archive.commit(staged, described(staged))
    assert sorted(os.listdir(history.versions)) == ["b_it.py", "c_it.py"]


def test_a_change_meanwhile_stops_the_squash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path).line("a", "b", "c")
    with (
        pytest.raises(ProjectError, match=r"d_it\.py: changed while"),
        history.staged("a", "b") as staged,
    ):
        history.write("versions/d_it.py", "d", "c")
        archive.commit(staged, described(staged))
    before = history.tree()

    def late(one: Path, other: Path) -> None:
        if other.name.startswith("."):
            (one / "e_it.py").touch()
        monkeypatch.setattr(archive, "exchange", exchanging.exchange)
        exchanging.exchange(one, other)

    monkeypatch.setattr(archive, "exchange", late)
    with pytest.raises(ProjectError, match=r"e_it\.py: changed while"):
        history.squash("a", "b")
    (history.versions / "e_it.py").unlink()
    assert history.tree() == before


def test_a_failed_exchange_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path).line("a", "b", "c")
    before = history.tree()
    with pytest.raises(ProjectError, match="--keep-files"), history.staged("a", "b") as staged:
        monkeypatch.setattr(exchanging, "_RENAME_EXCHANGE", 1 << 20)
        archive.commit(staged, described(staged))
    assert history.tree() == before
    with pytest.raises(ProjectError, match="versions cannot change places"):
        history.squash("a", "b")  # refused before the work
    assert history.tree() == before
    monkeypatch.undo()
    history.squash("a", "b")
    after = history.tree()
    monkeypatch.setattr(exchanging, "_RENAME_EXCHANGE", 1 << 20)
    with pytest.raises(ProjectError, match="file system"):
        undo.undo(history.script())
    assert history.tree() == after


def test_revisions_made_since_stay_when_a_squash_is_taken_back(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    history.squash("a", "b")
    history.write("versions/d_it.py", "d", "c")
    undo.undo(history.script())
    assert history.ids() == ["a", "b", "c", "d"]


def test_a_squash_is_not_taken_back_over_somebody_s_work(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    folder = history.squash("a", "b")
    after = history.tree()

    def refused(match: str) -> None:
        with pytest.raises(ProjectError, match=match):
            undo.undo(history.script())
        assert clear_leftovers(history.script()) == []
        shutil.rmtree(history.versions / "__pycache__")

    snapshot = history.versions / "b_it.py"
    text = snapshot.read_text()
    snapshot.write_text(text + "# edited")
    refused(r"b_it\.py: the snapshot has changed")
    snapshot.write_text(text)
    (history.versions / "a_it.py").write_text("revision = 'x'\ndown_revision = None\n")
    refused(r"a_it\.py: there is a revision with the name or the id")
    (history.versions / "a_it.py").unlink()
    again = history.write("versions/again.py", "a", "c")
    refused(r"again\.py: there is a revision with the name or the id")
    again.unlink()
    archived = folder / "files" / "a_it.py"
    archived.write_text("# formatted\n" + archived.read_text())
    (folder / "files" / "b_it.py").unlink()
    refused(r"files/a_it\.py: changed since.*\n.*files/b_it\.py: missing")
    assert history.ids() == ["b", "c"]
    assert set(history.tree()) == set(after) - {"migrations/versions_squashed/b/files/b_it.py"}


def test_a_squash_over_a_squash_is_taken_back_first(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c", "d", "e")
    trees = [history.tree()]
    first = history.squash("a", "b")
    trees.append(history.tree())
    second = history.squash("b", "c", "d")
    script = history.script()
    found = manifest.manifests(script)
    assert [folder for folder, _ in found] == [second, first]
    with undo.archived_chain(script, found[1]) as chain:
        assert history.ids(chain) == ["a", "b", "c", "d", "e"]
    with undo.archived_chain(script, found[0]) as chain:
        assert history.ids(chain) == ["b", "c", "d", "e"]
    assert not hidden(tmp_path)
    for tree in reversed(trees):
        undo.undo(history.script())
        assert history.tree() == tree


def test_one_id_can_be_the_target_twice(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c", "d")
    before = history.tree()
    (history.versions / "b_it.py").write_text("revision = 'b'\ndown_revision = 'a'\n")
    with archive.staged(history.script(), Range("c", ("b", "c"), ("a",), (), ())) as staged:
        staged.snapshot.write_text("revision = 'c'\ndown_revision = 'a'\n# two\n")
        first = archive.commit(staged, described(staged))
    second = history.squash("a", "c")
    assert (first.name, second.name) == ("c", "c-2")
    assert [folder for folder, _ in manifest.manifests(history.script())] == [second, first]
    undo.undo(history.script())
    undo.undo(history.script())
    assert set(history.tree()) == set(before)


def test_the_archive_itself_is_replayed_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path).line("a", "b", "c", "d", "e")
    history.squash("a", "b")
    history.squash("b", "c", "d")
    script = history.script()
    inner = manifest.manifests(script)[1]

    def mkdir(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with undo.archived_chain(script, inner) as chain:
        assert history.ids(chain) == ["a", "b", "c", "d", "e"]


def test_subfolders_belong_to_recursive_version_locations(tmp_path: Path) -> None:
    history = History(tmp_path, recursive_version_locations="true")
    history.write("versions/2023/a.py", "a", None)
    history.write("versions/2024/b.py", "b", "a")
    history.write("versions/2024/c.py", "c", "b")
    before = history.tree()
    folder = history.squash("a", "b")
    assert folder.parent == tmp_path / "migrations" / "versions_squashed"
    assert history.ids() == ["b", "c"]
    assert (folder / "files" / "2023" / "a.py").exists()
    undo.undo(history.script())
    assert history.tree() == before


@pytest.mark.filterwarnings("ignore:File .* loaded twice")  # Alembic's word for such a project
def test_nothing_is_put_where_alembic_would_load_it(tmp_path: Path) -> None:
    history = History(
        tmp_path,
        recursive_version_locations="true",
        path_separator="newline",
        version_locations="\n  %(here)s/migrations/all\n  %(here)s/migrations/all/deep/own",
    )
    history.write("all/deep/own/a.py", "a", None)
    history.write("all/deep/own/b.py", "b", "a")
    history.write("all/c.py", "c", "b")
    folder = history.squash("a", "b")
    assert folder.parent.parent == tmp_path / "migrations"
    assert history.ids() == ["b", "c"]
    undo.undo(history.script())
    assert history.ids() == ["a", "b", "c"]

    (tmp_path / "migrations" / "versions_squashed" / "x").mkdir(parents=True)
    here = "%(here)s/migrations/versions"
    locations = f"{here}:{here}_squashed/x"
    taken = History(tmp_path, version_locations=locations, path_separator=":").line("k", "l")
    with pytest.raises(ProjectError, match=r"versions_squashed.*would load the archive"):
        taken.squash("k", "l")


@pytest.mark.parametrize("cached", [True, False])
def test_revisions_that_are_only_compiled_are_archived_too(tmp_path: Path, cached: bool) -> None:
    history = History(tmp_path, sourceless="true").line("a", "b", "c", "d")
    for id_ in "abcd":
        source = history.versions / f"{id_}_it.py"
        compiled = None if cached else str(source.with_suffix(".pyc"))
        py_compile.compile(str(source), cfile=compiled)
        if id_ in "abc":
            source.unlink()

    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = everything()
    folder = history.squash("a", "b")
    assert history.ids() == ["b", "c", "d"]
    assert not [path for path in history.versions.rglob("*") if path.name.startswith("a_it")]
    assert len(list((folder / "files").rglob("*.pyc"))) == 2
    [found] = manifest.manifests(history.script())
    with undo.archived_chain(history.script(), found) as chain:
        assert history.ids(chain) == ["a", "b", "c", "d"]
    undo.undo(history.script())
    assert history.ids() == ["a", "b", "c", "d"]
    assert {path: what for path, what in everything().items() if path in before} == before


def test_what_is_compiled_does_not_bring_a_folded_revision_back(tmp_path: Path) -> None:
    history = History(tmp_path, sourceless="true").line("a", "b", "c")
    history.ids()
    assert len(list(history.versions.rglob("*.pyc"))) == 3
    history.squash("a", "b")
    assert history.ids() == ["b", "c"]
    assert clear_leftovers(history.script()) == []


def test_several_version_locations_change_with_the_folder_they_are_in(tmp_path: Path) -> None:
    history = History(
        tmp_path,
        version_locations="%(here)s/migrations/core:%(here)s/migrations/extra:%(here)s/more",
        path_separator=":",
    )
    history.write("core/a.py", "a", None)
    history.write("extra/b.py", "b", "a")
    history.write("core/c.py", "c", "b")
    history.write("../more/d.py", "d", "c")
    before = history.tree()
    folder = history.squash("a", "b")
    assert folder == tmp_path / "migrations_squashed" / "b"
    assert history.ids() == ["b", "c", "d"]
    assert (folder / "files" / "core" / "a.py").exists()
    assert not (folder / "files" / "env.py").exists()
    undo.undo(history.script())
    assert history.tree() == before

    with pytest.raises(ProjectError, match=r"core.*more.*has alembic\.ini in it.*--keep-files"):
        history.squash("a", "b", "c", "d")
    assert history.tree() == before
    with history.staged("a", "b", "c", "d", keep_files=True) as staged:
        assert history.ids(staged.new) == ["d"]
        assert history.ids(staged.archived) == ["a", "b", "c", "d"]
        snapshot = archive.keep(staged, described(staged))
    assert snapshot == tmp_path / "more_squashed" / "d" / "snapshot" / "d.py"


def test_a_common_folder_with_the_working_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(
        tmp_path,
        version_locations="%(here)s/migrations/core:%(here)s/migrations/extra",
        path_separator=":",
    )
    history.write("core/a.py", "a", None)
    history.write("extra/b.py", "b", "a")
    monkeypatch.chdir(tmp_path / "migrations")
    with pytest.raises(ProjectError, match="working directory"):
        history.squash("a", "b")


def test_a_linked_versions_folder_is_exchanged_where_it_is(tmp_path: Path) -> None:
    history = History(tmp_path / "app").line("a", "b", "c")
    real = history.versions.rename(tmp_path / "shared")
    history.versions.symlink_to(real)
    folder = history.squash("a", "b")
    assert history.versions.is_symlink()
    assert folder.parent == tmp_path / "shared_squashed"
    assert history.ids() == ["b", "c"]
    undo.undo(history.script())
    assert history.ids() == ["a", "b", "c"]

    (history.versions / "a_it.py").rename(tmp_path / "elsewhere.py")
    (history.versions / "a_it.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(ProjectError, match="revision a is a symbolic link"):
        history.squash("a", "b")


def test_the_working_directory_may_be_the_versions_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path).line("a", "b", "c")
    monkeypatch.chdir(history.versions)
    history.squash("a", "b")
    assert sorted(path.name for path in Path().glob("*.py")) == ["b_it.py", "c_it.py"]


@pytest.mark.parametrize(
    "id_", ["..", "a/b", "ü ñ", "x" * 300, ".hidden", "what?*'\"", "None", "a_b.c"]
)
def test_any_id_gives_a_folder_beside_the_others(tmp_path: Path, id_: str) -> None:
    history = History(tmp_path)
    history.write("versions/first of all.py", "first", None)
    history.write("versions/zweite Änderung, 50% 'fertig'.py", id_, "first")
    before = history.tree()
    folder = history.squash("first", id_)
    assert folder.parent == tmp_path / "migrations" / "versions_squashed"
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}", folder.name)
    assert history.ids() == [id_]
    undo.undo(history.script())
    assert history.tree() == before


def test_a_file_that_cannot_be_copied_is_named(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    os.mkfifo(history.versions / "pipe")
    before = set(history.tree())
    with pytest.raises(ProjectError, match=r"versions/pipe: .*named pipe"):
        history.squash("a", "b")
    assert set(history.tree()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_stay_with_their_owner_where_root_squashes(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 1234, 1234)
    history.squash("a", "b")
    undo.undo(history.script())
    history.squash("a", "b")
    made = [path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts]
    assert {(path.stat().st_uid, path.name) for path in made if path.stat().st_uid != 1234} == set()


def test_kept_files_stay_and_the_snapshot_is_for_review(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    before = history.tree()
    for _ in range(2):  # the second takes the place of the first
        with history.staged("a", "b", keep_files=True) as staged:
            assert history.ids(staged.new) == ["b", "c"]
            snapshot = archive.keep(staged, described(staged))
    assert snapshot.read_text().endswith("# all\n")
    assert os.listdir(snapshot.parent.parent.parent) == ["b"]
    assert history.ids() == ["a", "b", "c"]
    assert {path: what for path, what in history.tree().items() if path in before} == before
    assert manifest.manifests(history.script()) == []
    assert clear_leftovers(history.script()) == []
    assert history.squash("a", "b") == snapshot.parent.parent
    assert not snapshot.exists()


def test_two_commands_at_once_are_not_let_in(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    with history.staged("a", "b") as staged:
        with pytest.raises(ProjectError, match="another alembic-fixups is at work"):
            history.squash("a", "b")
        assert clear_leftovers(history.script()) == []
        archive.commit(staged, described(staged))
    assert history.ids() == ["b", "c"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda it: it.update(format=2), "format"),
        (lambda it: it["manifest"].pop("target"), "target: Field required"),
        (lambda it: it["manifest"]["revisions"][0].update(path="../x"), "does not stay below"),
        (lambda it: it["manifest"]["files"].update({"/x": ""}), "does not stay below"),
        (lambda it: it["manifest"].update(new=1), "new"),
        (lambda it: it.update(catalog_sha256=""), "catalog.json: changed"),
    ],
)
def test_a_manifest_that_is_damaged_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], match: str
) -> None:
    given = Manifest(
        "b", (Archived("a", "a.py", "0"),), (), "../..", Archived("b", "b.py", "1"), {}, 1
    )
    manifest.write(tmp_path, given)
    assert manifest.read(tmp_path) == given
    path = tmp_path / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(ProjectError, match=match):
        manifest.read(tmp_path)
    path.write_text("{")
    with pytest.raises(ProjectError, match=r"manifest\.json: no manifest"):
        manifest.read(tmp_path)


def test_only_a_committed_working_tree_is_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(tmp_path / "a repo").line("a", "b")
    script = history.script()
    require_clean(script)  # no repository
    history.ids()  # compiled files are no change

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=history.folder, check=True)

    git("init", "-q")
    with pytest.raises(ProjectError, match=r"a_it\.py.*not committed.*--allow-dirty"):
        require_clean(script)
    git("add", "*.py", "alembic.ini")
    git("commit", "-qm", "all")
    (history.folder / "notes.txt").touch()  # new, and no matter of ours
    require_clean(script)
    new = history.write("versions/ne w.py", "n", "b")
    with pytest.raises(ProjectError, match=r"versions/ne w\.py: not committed"):
        require_clean(script)
    new.unlink()
    git("mv", "alembic.ini", "other.ini")
    with pytest.raises(ProjectError, match=r"other\.ini: not committed"):
        require_clean(script)
    (history.folder / ".git" / "HEAD").write_text("broken")
    with pytest.raises(ProjectError, match="git does not say"):
        require_clean(script)
    monkeypatch.setenv("PATH", "")
    require_clean(script)


# What the audit hook hears before something on disk changes, or just after it has.
WRITES = {
    "os.chdir", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime",
    "ctypes.dlopen", "fcntl.flock", "shutil.rmtree",
}  # fmt: skip


def killed(work: Callable[[], object], moment: int) -> bool:
    """Does the work in a process that is killed at its n-th change; gives whether it was."""
    child = os.fork()
    if child == 0:
        left = moment

        def hear(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in WRITES or (event == "open" and arguments[1] not in (None, "r", "rb")):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hear)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status != 0


@pytest.mark.parametrize("command", ["squash", "undo"])
@pytest.mark.parametrize("sourceless", ["false", pytest.param("true", marks=pytest.mark.slow)])
def test_killed_at_any_moment_there_is_one_history_or_the_other(
    memory: Path, command: str, sourceless: str
) -> None:
    history = History(memory / "x", sourceless=sourceless).line("a", "b", "c")
    (history.versions / "rows.csv").write_text("1\n")
    old = history.tree()
    squash: Callable[[], object] = lambda: history.squash("a", "b")  # noqa: E731
    take_back: Callable[[], object] = lambda: undo.undo(history.script())  # noqa: E731
    squash()
    squashed = history.tree()
    if command == "squash":
        take_back()
        assert history.tree() == old
    work, done = (squash, squashed) if command == "squash" else (take_back, old)
    start = shutil.copytree(history.folder, memory / "start", symlinks=True)
    moment, seen = 0, set()
    while killed(work, moment):
        ids = tuple(history.ids())
        assert ids in (("a", "b", "c"), ("b", "c")), moment
        seen.add(ids)
        clear_leftovers(history.script())
        assert tuple(history.ids()) == ids, moment
        assert untimed(history.tree()) == untimed(squashed if len(ids) == 2 else old), moment
        if untimed(history.tree()) != untimed(done):
            work()
        assert untimed(history.tree()) == untimed(done), moment
        assert clear_leftovers(history.script()) == []
        shutil.rmtree(history.folder)
        shutil.copytree(start, history.folder, symlinks=True)
        moment += 1
    assert len(seen) == 2
    assert moment > 20


def test_a_clearing_that_is_killed_is_finished_by_the_next(memory: Path) -> None:
    history = History(memory / "x").line("a", "b", "c")
    old = history.tree()
    start = shutil.copytree(history.folder, memory / "start", symlinks=True)
    moment = 0
    while killed(lambda: history.squash("a", "b"), moment):
        clearing = 0
        while killed(lambda: clear_leftovers(history.script()), clearing):
            clearing += 1
        assert not hidden(history.folder)
        if history.ids() == ["b", "c"]:
            undo.undo(history.script())
        assert history.tree() == old
        shutil.rmtree(history.folder)
        shutil.copytree(start, history.folder, symlinks=True)
        moment += 7


def test_files_that_are_nowhere_else_are_left_alone(tmp_path: Path) -> None:
    history = History(tmp_path).line("a", "b", "c")
    own = tmp_path / "migrations" / ".versions-squash-0123abcd"
    own.mkdir()
    (own / "b_it.py").write_text("only here\n")
    folder = history.squash("a", "b")
    assert clear_leftovers(history.script()) == []
    assert (own / "b_it.py").exists()
    (own / "b_it.py").write_bytes((folder / "files" / "b_it.py").read_bytes())
    [line] = clear_leftovers(history.script())
    assert ".versions-squash-0123abcd: removed" in line
    assert not own.exists()
