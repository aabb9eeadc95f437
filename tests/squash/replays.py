"""Small Alembic projects to replay, whose configuration leads to a database that must not be."""

from __future__ import annotations

import textwrap
from pathlib import Path

from alembic_fixups import project
from alembic_fixups.project import Project

PRODUCTION = "postgresql+psycopg://app:secret@production.invalid:6000/app"
"""Where nothing may arrive; that name is never to be resolved (RFC 2606)."""

SYNC = """
from alembic import context
from sqlalchemy import create_engine
{imports}
config = context.config
{before}
engine = create_engine({url}{arguments})
with engine.connect() as connection:
    context.configure(connection=connection{options})
    with context.begin_transaction():
        context.run_migrations()
{after}
"""

ASYNC = """
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
{imports}
config = context.config

def run(connection):
    context.configure(connection=connection{options})
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = create_async_engine({url}{arguments})
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

asyncio.run(main())
"""


def env_py(
    template: str = SYNC,
    *,
    url: str = f'"{PRODUCTION}"',
    arguments: str = "",
    options: str = "",
    imports: str = "",
    before: str = "",
    after: str = "",
) -> str:
    """An env.py with Python of the caller's in some of its places."""
    return template.format(
        url=url,
        arguments=arguments and f", {arguments}",
        options=options and f", {options}",
        imports=imports,
        before=before,
        after=after,
    )


def write(folder: Path, env: str, *bodies: str, ini: str = "") -> None:
    """Writes a project: each of *bodies* is that of ``upgrade()`` in a revision r1, r2, ..."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\n"
        "path_separator = os\n" + ini
    )
    (folder / "migrations" / "env.py").write_text(env)
    for number, body in enumerate(bodies, 1):
        revision(versions, f"r{number}", f"r{number - 1}" if number > 1 else None, body)


def revision(versions: Path, name: str, down: str | None, body: str) -> None:
    """Writes a revision file."""
    head = f"from alembic import op\n\nrevision = {name!r}\ndown_revision = {down!r}\n\n\n"
    upgrade = "def upgrade():\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ")
    (versions / f"{name}.py").write_text(f"{head}{upgrade}\n\n\ndef downgrade():\n    pass\n")


def load(folder: Path, name: str = "alembic", arguments: tuple[str, ...] = ()) -> Project:
    """The project in that folder."""
    return project.load([str(folder / "alembic.ini")], name, arguments)
