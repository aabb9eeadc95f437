"""A whole Alembic project in a temporary folder, driven as its users would."""

from __future__ import annotations

import io
import runpy
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, MetaData, create_engine, text

from alembic_fixups.scratch import Server

ENV = """
import asyncio
import runpy
from pathlib import Path

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

config = context.config
models = Path(config.config_file_name).parent / "models.py"
target_metadata = runpy.run_path(str(models))["metadata"]
options = dict(
    target_metadata=target_metadata,
    autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"],
    **config.attributes.get("configure", {}),
)
url = config.get_main_option("sqlalchemy.url")


def run(connection):
    for statement in config.attributes.get("session", []):
        connection.execute(text(statement))
    connection.commit()
    context.configure(connection=connection, **options)
    with context.begin_transaction():
        context.run_migrations()


async def run_async():
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(
        url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **options
    )
    with context.begin_transaction():
        context.run_migrations()
elif "asyncpg" in url:
    asyncio.run(run_async())
else:
    engine = create_engine(url)
    with engine.connect() as connection:
        run(connection)
    engine.dispose()
"""

MAKO = '''
"""${message}"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''


HEAD = "from sqlalchemy import *\nfrom sqlalchemy.dialects import postgresql\n"
"""What every model file begins with."""


@dataclass
class Project:
    """An Alembic project: its folder, its database, and what a user does with them."""

    folder: Path
    url: URL

    @classmethod
    def make(cls, folder: Path, url: URL, models: str, settings: str = "") -> Project:
        """Writes the project; *models* is Python that leaves a ``metadata``."""
        (folder / "migrations" / "versions").mkdir(parents=True)
        (folder / "migrations" / "env.py").write_text(ENV)
        (folder / "migrations" / "script.py.mako").write_text(MAKO.lstrip())
        (folder / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
        project = cls(folder, url)
        project.models(models)
        project.settings(settings)
        return project

    def models(self, source: str) -> None:
        """Takes *source* for the model file from here on."""
        (self.folder / "models.py").write_text(HEAD + textwrap.dedent(source))

    def settings(self, toml: str) -> None:
        """Takes *toml* for pyproject.toml from here on."""
        (self.folder / "pyproject.toml").write_text(textwrap.dedent(toml))

    @property
    def metadata(self) -> MetaData:
        """The metadata that the model file leaves, loaded afresh."""
        loaded: MetaData = runpy.run_path(str(self.folder / "models.py"))["metadata"]
        return loaded

    def config(self, **attributes: Any) -> Config:
        """A new Alembic configuration; *attributes* reach env.py."""
        config = Config(
            str(self.folder / "alembic.ini"), stdout=io.StringIO(), output_buffer=io.StringIO()
        )
        config.set_main_option(
            "sqlalchemy.url", self.url.render_as_string(hide_password=False).replace("%", "%%")
        )
        config.attributes.update(attributes)
        return config

    def create_all(self, *schemas: str) -> None:
        """Makes what the models say, as a project's first migrations would have."""
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for schema in schemas:
                connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
            self.metadata.create_all(connection)
        engine.dispose()

    def autogenerate(self, message: str = "change", **attributes: Any) -> str:
        """Writes a revision and gives its source."""
        script = command.revision(self.config(**attributes), message, autogenerate=True)
        assert script is not None and not isinstance(script, list)
        return Path(script.path).read_text()

    def autogenerate_source(self, **attributes: Any) -> str:
        """The body of what autogenerate would write now; leaves no revision behind.

        The database need not be at the newest revision.
        """
        config = self.config(**attributes)
        versions = self.folder / "migrations" / "versions"
        aside = versions.rename(versions.with_name("aside"))
        versions.mkdir()
        try:
            self.stamp("base")
            script = command.revision(config, "again", autogenerate=True)
            assert script is not None and not isinstance(script, list)
            return Path(script.path).read_text().split("def upgrade")[1]
        finally:
            shutil.rmtree(versions)
            aside.rename(versions)

    def is_converged(self, **attributes: Any) -> bool:
        """Whether a further ``--autogenerate`` finds nothing."""
        stamped = self.current()
        if stamped == ScriptDirectory.from_config(self.config()).get_current_head():
            script = command.revision(self.config(**attributes), "again", autogenerate=True)
            assert script is not None and not isinstance(script, list)
            path = Path(script.path)
            body = path.read_text().split("def upgrade")[1]
            path.unlink()
        else:
            body = self.autogenerate_source(**attributes)
            if stamped is not None:
                self.stamp(stamped)
        return body.count("pass") == 2 and "op." not in body

    def current(self) -> str | None:
        """The revision that the database is at."""
        engine = create_engine(self.url)
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        engine.dispose()
        return found

    def psql(self, script: str, server: Server) -> None:
        """Runs a script as ``psql -f`` does, stopping at the first error."""
        assert server.bindir is not None
        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        done = subprocess.run(
            [str(server.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
            input=script,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def upgrade(self, to: str = "head", **attributes: Any) -> None:
        """``alembic upgrade``."""
        command.upgrade(self.config(**attributes), to)

    def downgrade(self, to: str = "-1", **attributes: Any) -> None:
        """``alembic downgrade``."""
        command.downgrade(self.config(**attributes), to)

    def stamp(self, revision: str) -> None:
        """``alembic stamp``: says where the database is without running anything."""
        command.stamp(self.config(), revision, purge=True)

    def head(self) -> str:
        """The id of the newest revision."""
        head = ScriptDirectory.from_config(self.config()).get_current_head()
        assert head is not None
        return head

    def offline(self, revisions: str, *, downgrade: bool = False) -> str:
        """What ``alembic upgrade --sql`` (or downgrade) prints."""
        config = self.config()
        (command.downgrade if downgrade else command.upgrade)(config, revisions, sql=True)
        assert isinstance(config.output_buffer, io.StringIO)
        return config.output_buffer.getvalue()
