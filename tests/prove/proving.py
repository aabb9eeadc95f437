"""A project whose revisions are written by hand, and what comes out for them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from alembic_fixups import project as projects
from alembic_fixups.prove.revisions import choose
from alembic_fixups.prove.session import Proven, Session, session
from alembic_fixups.prove.verdict import Verdict
from alembic_fixups.scratch import Server
from alembic_fixups.settings import Prove
from alembic_fixups.squash.servers import Site
from tests.projects import Project

NOWHERE = URL.create("postgresql+psycopg", "nobody", host="127.0.0.1", port=1, database="none")
"""What env.py connects to: nothing that is there, so that a test cannot miss where it leads."""

_REVISION = '''"""{name}"""
from alembic import op
import sqlalchemy as sa

revision = {name!r}
down_revision = {parent!r}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''

ITEMS = """
op.execute('''
    CREATE TABLE owner (id int PRIMARY KEY, name text NOT NULL, note text);
    CREATE TABLE item (id serial PRIMARY KEY, owner_id int NOT NULL REFERENCES owner,
                       price numeric(8, 2) CHECK (price >= 0), label varchar(20))
''')
"""
"""What the revision ``start`` does in most tests."""


def written(
    folder: Path, revisions: Mapping[str, tuple[str, str]], url: URL = NOWHERE, settings: str = ""
) -> Project:
    """A project with revisions one after the other: name, upgrade and downgrade."""
    project = Project.make(folder, url, "metadata = MetaData()", settings)
    parent = None
    for name, (upgrade, downgrade) in revisions.items():
        text = _REVISION.format(
            name=name, parent=parent, upgrade=_body(upgrade), downgrade=_body(downgrade)
        )
        (folder / "migrations" / "versions" / f"{name}.py").write_text(text)
        parent = name
    ini = folder / "alembic.ini"
    ini.write_text(f"{ini.read_text()}sqlalchemy.url = {url.render_as_string(False)}\n")
    return project


def _body(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip() or "pass", "    ")


@contextmanager
def proving(project: Project, server: Server, **wanted: Any) -> Iterator[Session]:
    """What proves the project's revisions on a server."""
    loaded = projects.load([str(project.folder / "alembic.ini")])
    site = Site(server, frozenset(), frozenset())
    with session(loaded, site, Prove(**wanted)) as found:
        yield found


def prove(project: Project, server: Server, wish: str | None = None, **wanted: Any) -> list[Proven]:
    """What came out for the newest revision, or for those that are named."""
    loaded = projects.load([str(project.folder / "alembic.ini")])
    with proving(project, server, **wanted) as session:
        return [session.prove(script) for script in choose(loaded.script, wish)]


def outcomes(proven: Proven) -> dict[str, str]:
    """What came out for each law."""
    return {verdict.law: verdict.outcome for verdict in proven.verdicts}


def verdict(proven: Proven, law: str) -> Verdict:
    """What came out for one law."""
    [found] = [one for one in proven.verdicts if one.law == law]
    return found
