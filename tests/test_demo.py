"""``make demo``, as a machine would run it: without a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

DEMO = Path(__file__).parents[1] / "sample_project" / "demo.py"

# In this order, among much else.
SHOWN = [
    "90 revisions applied.",
    "7 of 883 rows in assets break the tenant hierarchy",
    "36 op.drop_table()",
    "op.create_table('integrations'",
    "op.drop_table('integrations')",
    '+        autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"],',
    '+schema = "migration"',
    '{table = "migration.engagements", column = "engagement_id"}',
    "Error: public.integration_events has the columns of the model migration.integration_events",
    "public.integrations has the columns of the model migration.integrations",
    'move-from = ["public"]',
    "# - public.integration_kind: the type moves to migration",
    "# - public.integrations: the table moves to migration",
    "-- Move to migration, all or nothing",
    " integrations          |   24\n",
    " data_imports with one |   12\n",
    "No differences.",
    '{table = "migration.engagements", column = "engagement_id"}',
    "25 differences, 3 warnings.",
    '"""tenant keys',
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_engagements_client_account_id_id",
    "REFERENCES migration.engagements (client_account_id, id) NOT VALID;",
    "migration.assessments: 2 row(s) whose (client_account_id, engagement_id) is in no row",
    "$ alembic current\n",
    "llm_usage_logs |     3 |",
    "violates foreign key constraint",
    "is not present in table",
    "    pass\n",
    '"differences": []',
    "llm_usage_logs |     3\n",
    " integrations       | public\n",
    "All of it as it should be",
]


@pytest.mark.slow  # a minute
def test_the_demo_is_as_it_says(tmp_path: Path) -> None:
    before = files()
    done = subprocess.run(
        [sys.executable, DEMO],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert Text.from_ansi(done.stdout).plain.rstrip() == done.stdout.rstrip(), "plain in a pipe"
    for left_out in ("Traceback", "INFO", str(tmp_path)):
        assert left_out not in done.stdout
    position = 0
    for line in SHOWN:
        found = done.stdout.find(line, position)
        assert found >= 0, f"{line!r} is not shown, or not there"
        position = found + len(line)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    assert files() == before, "the checkout stays as it is"


def files() -> set[Path]:
    """The files of the sample project."""
    return {path for path in DEMO.parent.rglob("*") if "__pycache__" not in path.parts}
