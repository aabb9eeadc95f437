"""The laws that every fixup is held to, but for the two that have a file of their own.

Law 2, that source and memory agree, comes with the codemods: its place is here.
"""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import MetaData

from alembic_fixups import settings
from alembic_fixups.target import Target
from tests.laws.case import Case
from tests.laws.conftest import OPTIONS, Prepared
from tests.laws.describe import describe
from tests.projects import Project


def rewritten(metadata: MetaData, project: Project, version: int) -> Target:
    """What the fixups make of the models."""
    target = Target(metadata)
    for fixup, chosen in settings.load(project.folder / "pyproject.toml").active:
        fixup.rewrite(target, chosen, version)
    return target


def test_law_1_the_rewrite_is_idempotent(project: Project, pg_version: int) -> None:
    original = project.metadata
    untouched = describe(original, complete=False)
    once = rewritten(original, project, pg_version).metadata
    assert isinstance(once, MetaData)
    described = describe(once)
    twice = rewritten(once, project, pg_version).metadata
    assert isinstance(twice, MetaData)
    assert describe(twice) == described
    assert describe(original, complete=False) == untouched, "the user's own metadata was changed"


def test_law_3_the_next_autogenerate_is_empty(prepared: Prepared) -> None:
    prepared.project.upgrade()
    assert prepared.project.is_converged(**OPTIONS)


def test_law_4_the_migration_can_run_again(prepared: Prepared) -> None:
    project = prepared.project
    project.upgrade()
    after = prepared.snapshot()
    head = project.head()
    project.stamp("base")
    project.upgrade()
    assert prepared.snapshot() == after
    project.downgrade("base")
    before = prepared.snapshot()
    project.stamp(head)
    project.downgrade("base")
    assert prepared.snapshot() == before


def test_law_6_the_downgrade_gives_everything_back(prepared: Prepared) -> None:
    prepared.project.upgrade()
    prepared.project.downgrade("base")
    after = prepared.snapshot()
    assert after[0] == prepared.before[0]
    assert after[1] == prepared.before[1]


def test_law_6_and_the_upgrade_works_again_after_it(prepared: Prepared) -> None:
    prepared.project.upgrade()
    after = prepared.snapshot()
    prepared.project.downgrade("base")
    prepared.project.upgrade()
    assert prepared.snapshot()[0] == after[0]


def test_offline_sql_ends_the_same(prepared: Prepared) -> None:
    """``alembic upgrade --sql`` through psql is the upgrade."""
    project = prepared.project
    script = project.offline("head")
    back = project.offline(f"{project.head()}:base", downgrade=True)
    project.upgrade()
    online = prepared.snapshot()
    project.downgrade("base")
    project.psql("DROP TABLE alembic_version", prepared.server)
    project.psql(script, prepared.server)
    offline = prepared.snapshot()
    assert (offline[0], _without_times(offline[1])) == (online[0], _without_times(online[1]))
    project.psql(back, prepared.server)
    assert prepared.snapshot() == prepared.before


def test_the_revision_is_the_same_from_run_to_run(prepared: Prepared) -> None:
    again = prepared.project.autogenerate_source(**OPTIONS)
    assert again == prepared.source.split("def upgrade")[1]


def test_the_findings_are_those_expected(
    case: Case, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    from alembic_fixups.comparator import collect_runs

    with collect_runs() as runs, caplog.at_level(logging.INFO):
        project.autogenerate(**OPTIONS)
    found = {finding.code for finding in runs[0].findings if finding.severity != "info"}
    assert found == case.findings


def _without_times(rows: list[str]) -> list[str]:
    """The time at which a row was moved aside differs from run to run."""
    import re

    return sorted(re.sub(r"'\d{4}-\d\d-\d\d [^']*'", "'<time>'", row) for row in rows)
