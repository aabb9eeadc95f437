"""Rows from dumps, as ``pg_dump`` writes them."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import URL

from alembic_fixups import project as projects
from alembic_fixups import scratch
from alembic_fixups.project import ProjectError
from alembic_fixups.prove import data
from alembic_fixups.prove.revisions import choose
from alembic_fixups.prove.session import Proven, session
from alembic_fixups.settings import Prove
from alembic_fixups.squash import dump, replay
from alembic_fixups.squash.servers import Site
from tests.projects import Project
from tests.prove.proving import ITEMS, outcomes, verdict, written

pytestmark = pytest.mark.postgres(16)

REVISIONS = {
    "start": (ITEMS + "op.execute(\"INSERT INTO owner VALUES (1, 'by the revision')\")", ""),
    "between": ("op.execute('ALTER TABLE item ADD COLUMN weight int')", ""),
    # What made-up rows would stop: each has a label of its own there.
    "newest": (
        """
        op.execute('ALTER TABLE item ADD CONSTRAINT one_label UNIQUE (owner_id)')
        """,
        "op.execute('ALTER TABLE item DROP CONSTRAINT one_label')",
    ),
}
ROWS = """
INSERT INTO owner SELECT n, 'owner ' || n, NULL FROM generate_series(2, 5) n;
INSERT INTO item (owner_id, label) SELECT n, 'item ' || n FROM generate_series(2, 5) n;
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three revisions, the newest of which is proven."""
    return written(tmp_path / "project", REVISIONS)


def dumped(
    project: Project, server: scratch.Server, url: URL, path: Path, options: Sequence[str]
) -> Path:
    """A dump of a database at the first revision, with rows."""
    loaded = projects.load([str(project.folder / "alembic.ini")])
    replay.upgrade(loaded, url, "start")
    with scratch.connect(url) as connection:
        connection.execute(ROWS.encode())
    subprocess.run(
        [dump.tools(server) / "pg_dump", "-f", path, *options],
        env=dump.environment(url),
        check=True,
    )
    return path


def prove(project: Project, server: scratch.Server, path: Path, wish: str | None = None) -> Proven:
    """What comes out for a revision on the rows of a dump."""
    loaded = projects.load([str(project.folder / "alembic.ini")])
    site = Site(server, frozenset(), frozenset())
    with (
        data.opened(path, server) as rows,
        session(loaded, site, Prove(laws=("again",)), dump=rows) as proving,
    ):
        return proving.prove(choose(loaded.script, wish)[0])


@pytest.mark.parametrize(
    "options",
    [
        [],
        *(
            pytest.param(options.split(), marks=pytest.mark.slow)
            for options in (
                *("--data-only", "--data-only --inserts", "--data-only --column-inserts"),
                *("-Fc", "-Fc --data-only", "-Fd", "-Ft"),
            )
        ),
    ],
    ids=" ".join,
)
def test_every_format_of_pg_dump(
    project: Project, server: scratch.Server, database_url: URL, tmp_path: Path, options: list[str]
) -> None:
    name = "dump.tar" if "-Ft" in options else "dump"
    path = dumped(project, server, database_url, tmp_path / name, options)
    proven = prove(project, server, path)
    assert outcomes(proven) == {"runs": "held", "again": "broken"}, verdict(proven, "runs")
    assert proven.rows == ()
    assert proven.trace is not None
    scanned = [
        effect.read
        for statement in proven.trace.statements
        for effect in statement.effects
        if effect.relation == "public.item" and effect.scanned
    ]
    assert scanned == [4]


@pytest.mark.slow
def test_a_compressed_script(
    project: Project, server: scratch.Server, database_url: URL, tmp_path: Path
) -> None:
    path = dumped(project, server, database_url, tmp_path / "dump.sql", [])
    packed = tmp_path / "dump.sql.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert outcomes(prove(project, server, packed))["runs"] == "held"


def test_what_cannot_be_taken(
    project: Project, server: scratch.Server, database_url: URL, tmp_path: Path
) -> None:
    path = dumped(project, server, database_url, tmp_path / "dump.sql", [])
    with pytest.raises(ProjectError, match="was taken at start, which is not before start"):
        prove(project, server, path, "start")

    without = tmp_path / "without.sql"
    lines = path.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("COPY public.alembic_version"))
    without.write_text("\n".join([*lines[:at], *lines[at + 3 :]]))
    with pytest.raises(ProjectError, match="does not say at which revision it was taken"):
        prove(project, server, without)

    broken = tmp_path / "broken.sql"
    broken.write_text(path.read_text().replace("owner 3", "owner 3\tand more"))
    with pytest.raises(ProjectError, match="extra data after last expected column"):
        prove(project, server, broken)
    with pytest.raises(ProjectError, match="cannot be read"):
        prove(project, server, tmp_path / "nosuch.sql")
    cut = tmp_path / "cut.sql.gz"
    cut.write_bytes(gzip.compress(path.read_bytes())[:100])
    with pytest.raises(ProjectError, match="cannot be read"):
        prove(project, server, cut)
