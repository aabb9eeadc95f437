"""The wheel, in an empty environment, as a user gets it."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

LOOK = """
import importlib.metadata as metadata
from importlib.resources import files

import alembic_fixups

assert "site-packages" in alembic_fixups.__file__, alembic_fixups.__file__
assert alembic_fixups.__version__ == metadata.version("alembic-fixups")

[plugin] = metadata.entry_points(group="alembic.plugins", name="alembic_fixups")
assert callable(plugin.load().setup)
[script] = metadata.entry_points(group="console_scripts", name="alembic-fixups")
assert callable(script.load())

templates = files("alembic_fixups") / "templates"
for path in templates.rglob("*"):
    if path.is_file():
        print(path.relative_to(templates).as_posix())
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    # The wheel is built from the sdist, so the sdist is tried as well.
    run(sys.executable, "-m", "build", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    bindir = tmp_path / "venv" / "bin"
    run(bindir / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)

    inside = set(run(bindir / "python", "-c", LOOK, cwd=tmp_path).splitlines())
    templates = ROOT / "templates"
    ours = {p.relative_to(templates).as_posix() for p in templates.rglob("*") if p.is_file()}
    assert ours
    assert inside == ours

    said = run(bindir / "alembic-fixups", "--help", cwd=tmp_path)
    assert "init" in said
    assert "check" in said
