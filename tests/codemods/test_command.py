"""``alembic-fixups codemod`` as a user meets it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.codemods.rewriting import Sources

SETTINGS = """
[tool.alembic-fixups.schema-prefix]
schema = "migration"
"""

USERS = """
from sqlalchemy.orm import Mapped, mapped_column

from app.base import Base


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
"""

POSTS = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.base import Base


def arguments():
    return {"comment": "made"}


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Draft(Base):
    __tablename__ = "drafts"
    __table_args__ = arguments()
    id: Mapped[int] = mapped_column(primary_key=True)
"""

REFUSAL = "app/models/posts.py:19: schema-prefix: drafts in schema migration: "


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources.make(
        tmp_path_factory.mktemp("original"), SETTINGS, {"users": USERS, "posts": POSTS}
    )


@pytest.fixture
def sources(original: Sources, tmp_path: Path) -> Sources:
    """A project of its own for a test that writes."""
    shutil.copytree(original.folder, tmp_path / "project")
    return Sources(tmp_path / "project", original.names)


@pytest.mark.slow
def test_check_lists_what_would_change_and_writes_nothing(original: Sources) -> None:
    done = original.codemod("--check")
    assert done.code == 1
    assert "app/models/users.py:7: schema-prefix: users in schema migration\n" in done.out
    assert REFUSAL in done.out
    assert "2 files would change, 0 untouched, 1 place to do by hand." in done.out
    assert original.text("users") == Sources.dedented(USERS)
    assert "\x1b" not in done.out


@pytest.mark.slow
def test_diff_shows_the_changes_and_writes_nothing(original: Sources) -> None:
    done = original.codemod("--diff")
    assert done.code == 0
    assert "--- app/models/posts.py\n+++ app/models/posts.py\n" in done.out
    assert '+    user_id: Mapped[int] = mapped_column(ForeignKey("migration.users.id"))' in done.out
    assert any(
        "+++ app/models/posts.py" in one
        for one in original.codemod("--diff", "--json").json["diff"]
    )
    assert original.text("posts") == Sources.dedented(POSTS)


def test_it_writes_and_then_there_is_nothing_to_do(sources: Sources) -> None:
    done = sources.codemod()
    assert done.code == 0
    assert "Wrote app/models/posts.py\nWrote app/models/users.py\n" in done.out
    assert '__table_args__ = {"schema": "migration"}' in sources.text("users")
    again = sources.codemod("--check")
    assert again.code == 0
    assert "No files would change" in again.out
    assert sources.codemod("--strict").code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fixup", "enum-check"], "--fixup enum-check: is not on; on in pyproject.toml"),
        (["--fixup", "nonsense"], "--fixup nonsense: is no fixup"),
        (["nowhere.py"], "nowhere.py: no such file or folder"),
        (["migrations/versions"], "migrations/versions: there is no Python file"),
    ],
)
def test_a_mistake_is_told(original: Sources, arguments: list[str], message: str) -> None:
    done = original.codemod(*arguments)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_without_a_fixup_there_is_nothing_to_run(sources: Sources) -> None:
    (sources.folder / "pyproject.toml").write_text("")
    done = sources.codemod()
    assert done.code == 2
    assert "No fixup with a codemod is on" in done.err


def test_files_beside_the_models_that_cannot_be_read_do_not_hide(sources: Sources) -> None:
    sources.path("broken").write_text('class Broken(Base):\n    __tablename__ = "broken\n')
    sources.path("forgotten").write_text('class Forgotten(Base):\n    __tablename__ = "x"\n')
    sources.path("plain").write_text("def nothing(:\n")
    done = sources.codemod()
    assert done.code == 2
    assert "app/models/broken.py:2: python: SyntaxError" in done.out
    assert "app/models/forgotten.py:1: alembic: env.py does not load this file" in done.out
    assert "plain.py" not in done.out
    assert "Wrote app/models/users.py" in done.out


def test_a_syntax_error_in_a_file_that_alembic_needs_is_named(sources: Sources) -> None:
    sources.path("users").write_text("class User(\n")
    done = sources.codemod()
    assert done.code == 2
    assert "app/models/users.py:1: SyntaxError" in done.err
    assert "Traceback" not in done.err


def test_bytes_that_do_not_change_stay(sources: Sources) -> None:
    """CRLF, a byte order mark, another encoding, a form feed, tabs, no newline at the end."""
    users = '\ufeff"""Leute."""\n' + Sources.dedented(USERS).rstrip("\n")
    sources.path("users").write_bytes(users.replace("\n", "\r\n").encode())
    posts = "# -*- coding: latin-1 -*-\n# Beiträge\n\x0c\n" + Sources.dedented(POSTS)
    posts = posts.replace("    id: Mapped", "    x\t=  1 ; y = 'ä'\n    id: Mapped", 1)
    sources.path("posts").write_bytes(posts.encode("latin-1"))
    assert sources.codemod().code == 0
    expected = users.replace('"users"\n', '"users"\n    __table_args__ = {"schema": "migration"}\n')
    assert sources.path("users").read_bytes() == expected.replace("\n", "\r\n").encode()
    expected = posts.replace(
        '"posts"\n', '"posts"\n    __table_args__ = {"schema": "migration"}\n'
    ).replace('"users.id"', '"migration.users.id"')
    assert sources.path("posts").read_bytes() == expected.encode("latin-1")


@pytest.mark.slow
def test_a_link_stays_one_and_the_mode_of_a_file_too(sources: Sources) -> None:
    real = sources.folder / "real.py"
    shutil.move(sources.path("users"), real)
    real.chmod(0o640)
    sources.path("users").symlink_to(real)
    assert sources.codemod().code == 0
    assert sources.path("users").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "migration" in real.read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_nothing_is_written_where_one_file_cannot_be(sources: Sources) -> None:
    sources.path("users").chmod(0o440)
    done = sources.codemod()
    assert done.code == 2
    assert "app/models/users.py: is read-only" in done.err
    assert sources.text("posts") == Sources.dedented(POSTS)


@pytest.mark.slow
def test_a_change_that_would_spoil_the_models_is_found_and_left_out(sources: Sources) -> None:
    """The source says one thing and something at run time another: nothing is taken on trust."""
    sources.path("posts").write_text(
        Sources.dedented(POSTS)
        + 'assert "migration" not in str(Post.__table__), "posts are not to move"\n'
    )
    done = sources.codemod("--json")
    assert done.code == 0, done.err
    assert done.json["files"] == ["app/models/posts.py", "app/models/users.py"]
    reasons = [one["reason"] for one in done.json["refusals"]]
    assert any("posts are not to move" in reason for reason in reasons)
    assert '__tablename__ = "posts"\n    id' in sources.text("posts")
    assert 'ForeignKey("migration.users.id")' in sources.text("posts")


@pytest.mark.slow
def test_as_a_command_of_libcst(sources: Sources) -> None:
    command = "alembic_fixups.fixups.schema_prefix.codemod.SchemaPrefixCommand"
    done = sources.python(
        "-m", "libcst.tool", "codemod", "-x", "--no-format", command, "app/models"
    )
    assert done.code == 0, done.err
    assert '__table_args__ = {"schema": "migration"}' in sources.text("users")
    assert 'ForeignKey("migration.users.id")' in sources.text("posts")
    assert "posts.py:19: drafts in schema migration" in done.err + done.out
    assert sources.codemod("--check").code == 0


@pytest.mark.slow
def test_a_command_of_libcst_makes_no_half_changes(sources: Sources) -> None:
    """A reference with a schema, to a table that still has none, would be to nothing."""
    command = "alembic_fixups.fixups.schema_prefix.codemod.SchemaPrefixCommand"
    tool = ["-m", "libcst.tool", "codemod", "-x", "--no-format"]
    sources.python(*tool, command, "app/models/posts.py")
    assert 'ForeignKey("users.id")' in sources.text("posts")
    assert 'schema="migration"' not in sources.text("users")
