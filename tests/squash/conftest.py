"""What the tests of the commands have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_fixups.scratch import Server
from tests.squash.commands import Commands


@pytest.fixture
def project(
    tmp_path: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Commands:
    """The commands in an empty folder."""
    return Commands(tmp_path, server, capsys, monkeypatch)
