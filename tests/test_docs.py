"""The examples in README.md and docs/ are true."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import settings
from alembic_fixups.fixups import all_fixups
from alembic_fixups.prove.verdict import LAWS
from tests.codemods.rewriting import Sources
from tests.projects import Project
from tests.prove.proving import ITEMS, written

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a page whose first line is *kind*."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_the_docs_are_valid(page: Path, tmp_path: Path) -> None:
    found = blocks(page, "toml settings")
    assert len(found) == len(re.findall(r"^```toml", page.read_text(), re.MULTILINE))
    for number, block in enumerate(found):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        loaded = settings.load(path)
        tables = (loaded.squash != settings.Squash(), loaded.prove != settings.Prove())
        assert loaded.active or any(tables)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_fixup_has_a_page_with_its_findings() -> None:
    for fixup in all_fixups():
        page = (ROOT / "docs" / "fixups" / f"{fixup.name}.md").read_text()
        folder = ROOT / "alembic_fixups" / "fixups" / fixup.name.replace("-", "_")
        for name, field in fixup.settings.model_fields.items():
            assert f"`{settings.key_of(name, field)}`" in page
        source = "\n".join(path.read_text() for path in folder.glob("*.py"))
        said = r"_report\(\s*target,|_?(?:refuse|say)\(\s*run,|Finding\(\s*NAME,|return(?=[^\n]+\()"
        reported = rf'(?:{said})\s*"([a-z0-9-]+)",'
        codes = set(re.findall(reported, source)) - {"inferred-levels"}
        assert codes
        for code in codes:
            assert f"`{code}`" in page, code


def test_every_setting_of_squash_is_on_its_page() -> None:
    page = (ROOT / "docs" / "squash.md").read_text()
    for name in settings.Squash.model_fields:
        assert f"{name} = " in page


def test_every_setting_and_law_of_prove_is_on_its_page() -> None:
    page = (ROOT / "docs" / "prove.md").read_text()
    for name in settings.Prove.model_fields:
        assert f"{name} = " in page
    for law in LAWS:
        assert f"`{law}`" in page


@pytest.mark.postgres(16)
def test_the_proof_on_its_page_is_what_comes_out(tmp_path: Path) -> None:
    page = ROOT / "docs" / "prove.md"
    [source], [expected] = blocks(page, "python revision"), blocks(page, "text proof")
    upgrade, downgrade = (part.partition("\n")[2] for part in source.split("def ") if part.strip())
    project = written(tmp_path, {"start": (ITEMS, ""), "weigh_items": (upgrade, downgrade)})
    done = subprocess.run(
        [sys.executable, "-m", "alembic_fixups", "prove"],
        cwd=project.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert _without_times(done.stdout) == _without_times(expected)


def _without_times(text: str) -> list[str]:
    """The lines without durations, and without which statement holds a lock the longest.

    Nor how the columns of tables are aligned to them.
    """
    text = re.sub(r"[\d.]+ m?s\b", "some time", text)
    lines = [re.sub(r" {2,}", "  ", line).rstrip() for line in text.strip().splitlines()]
    return [re.sub(r"(some time  some time)  \d+$", r"\1", line) for line in lines]


def test_every_general_setting_is_in_the_readme() -> None:
    page = (ROOT / "README.md").read_text()
    for name in settings.General.model_fields:
        assert f"`{name.replace('_', '-')}`" in page


@pytest.mark.postgres(16)
def test_the_migration_in_the_readme_is_what_comes_out(tmp_path: Path, database_url: URL) -> None:
    page = ROOT / "README.md"
    [models], [toml] = blocks(page, "python models"), blocks(page, "toml settings")
    models = (
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
        + models
        + "\nmetadata = Base.metadata\n"
    )
    project = Project.make(tmp_path / "project", database_url, models, toml)
    project.create_all()
    source = project.autogenerate()
    [excerpt] = blocks(page, "python migration")
    parts = [part.strip("\n") for part in excerpt.split("\n...\n")]
    assert len(parts) == 4
    place = 0
    for part in parts:
        found = source.find(part, place)
        assert found >= 0, f"not in the revision, or not in this order:\n{part}"
        place = found + len(part)
    project.upgrade()


def test_the_codemods_example_is_what_comes_out(tmp_path: Path) -> None:
    page = ROOT / "docs" / "codemods.md"
    [toml], [before], [after] = (
        blocks(page, kind) for kind in ("toml settings", "python before", "python after")
    )
    base = "from app.models.example import Base\n\nmetadata = Base.metadata\n"
    sources = Sources.make(tmp_path, toml, {"example": before}, base)
    assert sources.codemod().code == 0
    assert sources.text("example") == after


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in changelog or f"## [{version}]" in changelog


def test_commands_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z-]+)`?", (ROOT / "README.md").read_text()):
        if target != "and":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert textwrap.dedent(blocks(ROOT / "README.md", "")[1]).count("alembic") == 4
