"""What a comparison finds, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from alembic_fixups.report import Finding
from tests.projects import Project

SETTINGS = "[tool.alembic-fixups.check-constraints]\n"


@dataclass(frozen=True)
class Found:
    """The differences, a line each, and what is said besides."""

    changes: list[str]
    findings: list[Finding]
    source: str

    @property
    def codes(self) -> list[str]:
        """The codes of the findings."""
        return [finding.code for finding in self.findings]


def project(folder: Path, url: URL, models: str, sql: str) -> Project:
    """A project with these models on a database that the SQL makes."""
    made = Project.make(folder / "project", url, models, SETTINGS)
    run(url, sql)
    return made


def run(url: URL, sql: str) -> None:
    """Runs SQL as a script."""
    with scratch.connect(url.set(drivername="postgresql+psycopg")) as connection:
        connection.execute(sql)  # type: ignore[call-overload]


def compare(project: Project, **attributes: Any) -> Found:
    """What autogenerate finds; leaves no revision behind."""
    with collect_runs() as runs:
        source = project.autogenerate_source(**attributes)
    [done] = runs
    changes = [change for operation in done.operations for change in operation.changes]
    return Found(changes, sorted(set(done.findings)), source)
