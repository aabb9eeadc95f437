"""The tests themselves; pytest finds them by :mod:`alembic_fixups.pytest_plugin`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import URL

from alembic_fixups import settings
from alembic_fixups.project import Project
from alembic_fixups.pytest_plugin import REVISIONS
from alembic_fixups.pytest_tests.proofs import Proofs, options
from alembic_fixups.scratch import Server
from alembic_fixups.squash import manifest, replay

law = pytest.mark.alembic_fixups_law


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives a test of a revision all the revisions."""
    if "revision" in metafunc.fixturenames:
        revisions = metafunc.config.stash[REVISIONS]
        metafunc.parametrize("revision", revisions)


@law("runs")
def test_runs(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """upgrade() runs on rows, and ends the same each time."""
    alembic_fixups_proofs.require(revision, "runs")


@law("again")
def test_idempotent(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """upgrade() run over itself changes nothing."""
    alembic_fixups_proofs.require(revision, "again")


@law("restart")
def test_restart(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """upgrade() stopped at any statement and run again ends the same."""
    alembic_fixups_proofs.require(revision, "restart")


@law("downgrade")
def test_round_trip(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """downgrade() gives the catalog and the rows back."""
    alembic_fixups_proofs.require(revision, "downgrade")


@law("downgrade-again")
def test_downgrade_idempotent(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """downgrade() run over itself changes nothing."""
    alembic_fixups_proofs.require(revision, "downgrade-again")


@law("downgrade-restart")
def test_downgrade_restart(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """downgrade() stopped at any statement and run again ends the same."""
    alembic_fixups_proofs.require(revision, "downgrade-restart")


@law("upgrade-after-downgrade")
def test_upgrade_after_downgrade(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """upgrade() after downgrade() ends the same."""
    alembic_fixups_proofs.require(revision, "upgrade-after-downgrade")


@law("offline")
def test_offline(alembic_fixups_proofs: Proofs, revision: str) -> None:
    """What --sql prints, run by psql, ends the same."""
    alembic_fixups_proofs.require(revision, "offline")


def test_models_match(alembic_fixups_project: Project, alembic_fixups_database: URL) -> None:
    """After all revisions autogenerate finds nothing to do."""
    url = alembic_fixups_database
    replay.upgrade(alembic_fixups_project, url, "heads")
    source = replay.autogenerate(alembic_fixups_project, url)
    if not source:
        pytest.skip("env.py has no target_metadata")
    code = [line for line in source.splitlines() if not line.lstrip().startswith("#")]
    if any(line.strip() not in ("", "pass") for line in code):
        pytest.fail(f"After all revisions autogenerate would still write:\n{source}", pytrace=False)


def test_codemod_clean(alembic_fixups_project: Project, pytestconfig: pytest.Config) -> None:
    """The model files say what the fixups make of them."""
    chosen = settings.load(settings.path_for(alembic_fixups_project.config))
    if not chosen.active:
        pytest.skip("no fixup is switched on")
    _require_success(pytestconfig, "codemod", "--check", "--diff")


def test_squash_equal(
    alembic_fixups_project: Project,
    alembic_fixups_server: Server,
    pytestconfig: pytest.Config,
) -> None:
    """The newest snapshot makes what the revisions in its archive make."""
    if not manifest.manifests(alembic_fixups_project.script):
        pytest.skip("nothing is squashed")
    url = alembic_fixups_server.url.render_as_string(hide_password=False)
    on = [] if not pytestconfig.getini("alembic_fixups_postgresql") else [f"--scratch-url={url}"]
    _require_success(pytestconfig, "verify", *on)


def _require_success(config: pytest.Config, *command: str) -> None:
    """Runs a command, in a process of its own as the models may be loaded here already."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic_fixups", *options(config), *command],
        cwd=config.rootpath,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = "\n".join(filter(None, [done.stdout.strip(), done.stderr.strip()]))
        pytest.fail(f"alembic-fixups {' '.join(command)}:\n{said}", pytrace=False)
