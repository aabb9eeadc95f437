"""The statements by themselves, and squawk."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups.project import ProjectError
from alembic_fixups.prove import lint
from tests.prove.trace.tracing import prepared, traced

SETUP = """
CREATE TABLE parent (id int PRIMARY KEY, n int);
INSERT INTO parent SELECT i, i FROM generate_series(1, 100) AS i;
"""

INSTALLED = shutil.which("squawk") or shutil.which("squawk", path=str(Path(sys.executable).parent))
NOT_INSTALLED = "squawk is not installed (pip install squawk-cli)"


@pytest.mark.postgres(16)
def test_blocks_are_opened(database_url: URL) -> None:
    prepared(database_url, SETUP)
    in_transactions = traced(
        database_url,
        [
            "SET LOCAL lock_timeout = '1s'",
            "-- one column more\nALTER TABLE parent ADD COLUMN a int -- the end",
            "SELECT count(*) FROM parent",
            """DO $$BEGIN
              FOR i IN 1..3 LOOP
                UPDATE parent SET n = i;
              END LOOP;
              IF false THEN DROP TABLE parent; END IF;
            END$$""",
            "DO $$BEGIN PERFORM count(*) FROM parent; END$$",
        ],
    )
    assert lint.opened(in_transactions) == (
        "BEGIN;\n\n"
        "SET LOCAL lock_timeout = '1s';\n\n"
        "-- one column more\nALTER TABLE parent ADD COLUMN a int -- the end\n;\n\n"
        "-- from a DO block, line 3\nUPDATE parent SET n = i;\n\n"
        "COMMIT;\n"
    )
    by_themselves = traced(
        database_url,
        [
            "CREATE INDEX CONCURRENTLY by_n ON parent (n)",
            "DO $$BEGIN ALTER TABLE parent ADD COLUMN b int; COMMENT ON TABLE parent IS ''; END$$",
            "DROP INDEX CONCURRENTLY by_n",
        ],
        autocommit=True,
    )
    assert lint.opened(by_themselves) == (
        "CREATE INDEX CONCURRENTLY by_n ON parent (n);\n\n"
        "BEGIN;\n\n"
        "-- from a DO block, line 1\nALTER TABLE parent ADD COLUMN b int;\n\n"
        "-- from a DO block, line 1\nCOMMENT ON TABLE parent IS '';\n\n"
        "COMMIT;\n\n"
        "DROP INDEX CONCURRENTLY by_n;\n"
    )


@pytest.mark.skipif(not INSTALLED, reason=NOT_INSTALLED)
def test_squawk_finds_what_a_block_hides() -> None:
    sql = "BEGIN;\n\n-- ü\nALTER TABLE parent ALTER n TYPE bigint;\n\nCOMMIT;\n"
    found = lint.squawk(sql, "1a2b3c.sql")
    assert found
    assert "changing-column-type" in {finding.rule for finding in found}
    assert {finding.line for finding in found} == {4}
    assert lint.squawk("", "1a2b3c.sql") == []


def _program(folder: Path, script: str) -> None:
    program = folder / "squawk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_squawk_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lint.squawk("SELECT 1;", "a.sql") is None
    _program(tmp_path, "echo broken >&2; exit 3")
    with pytest.raises(ProjectError, match="broken"):
        lint.squawk("SELECT 1;", "a.sql")
    _program(tmp_path, "echo no json")
    with pytest.raises(ProjectError, match="Leave out --lint"):
        lint.squawk("SELECT 1;", "a.sql")
