"""Models loaded from rewritten source are what the fixups make of them in memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.codemods.rewriting import Sources
from tests.laws.case import Case
from tests.laws.conftest import OPTIONS, Prepared
from tests.projects import HEAD, Project


def sources_of(case: Case, folder: Path) -> Sources:
    """The case as a project of model files, rewritten."""
    base = "from app.models.case import metadata\n"
    text = HEAD + Sources.dedented(case.models)
    return Sources.make(folder, case.settings, {"case": text}, base)


def without_marks(revision: str) -> str:
    """The revision without ``op.f()``, which names have that the rewrite has made in memory."""
    return re.sub(r"op\.f\(('[^']*')\)", r"\1", revision)


@pytest.mark.postgres(16)
def test_law_2_source_and_memory_agree(case: Case, prepared: Prepared, tmp_path: Path) -> None:
    sources = sources_of(case, tmp_path / "sources")
    done = sources.codemod("--json")
    if "no fixup with a codemod" in done.err.lower():
        pytest.skip("the fixup has no codemod")
    assert done.code == 0, done.err
    models, wanted = sources.described()
    if not done.json["refusals"]:
        assert models == wanted
    text = sources.text("case")
    second = sources.codemod("--json")
    assert second.json["files"] == []
    assert second.json["refusals"] == done.json["refusals"]

    # The revision is the same with the new source, and nothing is left to do after it.
    project: Project = prepared.project
    (project.folder / "models.py").write_text(text)
    again = project.autogenerate_source(**OPTIONS)
    assert without_marks(again) == without_marks(prepared.source.split("def upgrade")[1])
    project.upgrade()
    assert project.is_converged(**OPTIONS)
