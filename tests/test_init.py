"""``alembic-fixups init``: what becomes of env.py and of pyproject.toml."""

import os
import sys
import textwrap
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL

from alembic_fixups import init, settings_edit
from alembic_fixups.cli import Options
from alembic_fixups.env_edit import EnvEdit, edit_env
from alembic_fixups.fixups import all_fixups
from alembic_fixups.project import ProjectError, load
from alembic_fixups.settings import Model
from alembic_fixups.settings_edit import edit_settings
from tests.test_cli import MODELS, NOWHERE, AlembicProject, mistake

PLUGINS = 'autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"]'

# Each case: env.py before and after.
EDITS = {
    "one line": (
        """
        from alembic import context

        def online(connection):
            context.configure(connection=connection, target_metadata=target_metadata)
        """,
        f"""
        from alembic import context

        def online(connection):
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                {PLUGINS},
            )
        """,
    ),
    "one line with a comment": (
        """
        from alembic import context
        context.configure(connection, target_metadata=m)  # the models
        """,
        f"""
        from alembic import context
        context.configure(
            connection,
            target_metadata=m,
            {PLUGINS},
        )  # the models
        """,
    ),
    "indented once, without a trailing comma": (
        """
        from alembic import context

        with connectable.connect() as connection:
            context.configure(
                connection=connection, target_metadata=target_metadata
            )
        """,
        f"""
        from alembic import context

        with connectable.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=target_metadata,
                {PLUGINS},
            )
        """,
    ),
    "one argument a line": (
        """
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True,
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True,
            {PLUGINS},
        )
        """,
    ),
    "no trailing comma": (
        """
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            include_schemas=True,
            {PLUGINS}
        )
        """,
    ),
    "a single argument on its line": (
        """
        from alembic import context
        context.configure(
            connection=connection,
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            {PLUGINS},
        )
        """,
    ),
    "aligned with the parenthesis": (
        """
        from alembic import context
        context.configure(connection=connection,
                          target_metadata=target_metadata)
        """,
        f"""
        from alembic import context
        context.configure(connection=connection,
                          target_metadata=target_metadata,
                          {PLUGINS})
        """,
    ),
    "comments keep their arguments": (
        """
        from alembic import context
        context.configure(  # noqa: X
            connection=connection,  # one
            # about two
            include_schemas=True  # two
            # the end
        )
        """,
        f"""
        from alembic import context
        context.configure(  # noqa: X
            connection=connection,  # one
            # about two
            include_schemas=True,  # two
            # the end
            {PLUGINS}
        )
        """,
    ),
    "before **kwargs": (
        """
        from alembic import context
        context.configure(
            connection=connection,
            target_metadata=get_metadata(),  # theirs
            **current_app.extensions["migrate"].configure_args
        )
        """,
        f"""
        from alembic import context
        context.configure(
            connection=connection,
            target_metadata=get_metadata(),  # theirs
            {PLUGINS},
            **current_app.extensions["migrate"].configure_args
        )
        """,
    ),
    "only **kwargs": (
        """
        from alembic import context
        if context.is_offline_mode():
            context.configure(url=url, **options)
        else:
            context.configure(**options)
        """,
        f"""
        from alembic import context
        if context.is_offline_mode():
            context.configure(url=url, **options)
        else:
            context.configure(
                {PLUGINS},
                **options,
            )
        """,
    ),
    "aliases": (
        """
        import alembic.context
        from alembic import context as ctx
        from alembic.context import configure as conf
        alembic.context.configure(
            connection=a,
        )
        ctx.configure(
            connection=b,
        )
        conf(
            connection=c,
        )
        other.configure(connection=d)
        """,
        f"""
        import alembic.context
        from alembic import context as ctx
        from alembic.context import configure as conf
        alembic.context.configure(
            connection=a,
            {PLUGINS},
        )
        ctx.configure(
            connection=b,
            {PLUGINS},
        )
        conf(
            connection=c,
            {PLUGINS},
        )
        other.configure(connection=d)
        """,
    ),
    "EnvironmentContext": (
        """
        from alembic.runtime.environment import EnvironmentContext
        with EnvironmentContext(config, script) as env:
            env.configure(
                connection=connection,
            )
        later = EnvironmentContext(config, script)
        later.configure(
            connection=connection,
        )
        def third(given: EnvironmentContext, logging):
            logging.configure(connection=1)
            given.configure(
                connection=connection,
            )
        """,
        f"""
        from alembic.runtime.environment import EnvironmentContext
        with EnvironmentContext(config, script) as env:
            env.configure(
                connection=connection,
                {PLUGINS},
            )
        later = EnvironmentContext(config, script)
        later.configure(
            connection=connection,
            {PLUGINS},
        )
        def third(given: EnvironmentContext, logging):
            logging.configure(connection=1)
            given.configure(
                connection=connection,
                {PLUGINS},
            )
        """,
    ),
    "imported in a try": (
        """
        try:
            from alembic import context
        except ImportError:
            context = None
        context.configure(
            connection=connection,
        )
        """,
        f"""
        try:
            from alembic import context
        except ImportError:
            context = None
        context.configure(
            connection=connection,
            {PLUGINS},
        )
        """,
    ),
    "offline by dialect_name": (
        """
        from alembic import context
        def offline():
            context.configure(dialect_name="postgresql", literal_binds=True)
        def online(options):
            context.configure(
                **options
            )
        """,
        f"""
        from alembic import context
        def offline():
            context.configure(dialect_name="postgresql", literal_binds=True)
        def online(options):
            context.configure(
                {PLUGINS},
                **options
            )
        """,
    ),
    "a list that is there": (
        """
        from alembic import context
        context.configure(c, autogenerate_plugins=["alembic.autogenerate.*"])
        """,
        """
        from alembic import context
        context.configure(c, autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"])
        """,
    ),
    "a list over several lines": (
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                'alembic.autogenerate.*',  # stock
                'alembic.ext.checkconstraint_byname',  # checks
            ],
        )
        """,
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                'alembic.autogenerate.*',  # stock
                'alembic.ext.checkconstraint_byname',  # checks
                'alembic_fixups',
            ],
        )
        """,
    ),
    "a list of one on its own line": (
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                "alembic.autogenerate.*"
            ],
        )
        """,
        """
        from alembic import context
        context.configure(
            connection=c,
            autogenerate_plugins=[
                "alembic.autogenerate.*",
                "alembic_fixups"
            ],
        )
        """,
    ),
    "an empty list": (
        """
        from alembic import context
        context.configure(connection=c, autogenerate_plugins=[])
        """,
        """
        from alembic import context
        context.configure(connection=c, autogenerate_plugins=["alembic_fixups"])
        """,
    ),
    "a wrong name of the plugin": (
        """
        from alembic import context
        context.configure(a, autogenerate_plugins=["alembic.autogenerate.*", "alembic-fixups"])
        context.configure(b, autogenerate_plugins=['alembic_fixups.*', "alembic.autogenerate.*"])
        """,
        """
        from alembic import context
        context.configure(a, autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"])
        context.configure(b, autogenerate_plugins=['alembic_fixups', "alembic.autogenerate.*"])
        """,
    ),
    "tabs": (
        "from alembic import context\ndef f(c):\n\tcontext.configure(connection=c)\n",
        "from alembic import context\ndef f(c):\n\tcontext.configure(\n\t\tconnection=c,\n"
        f"\t\t{PLUGINS},\n\t)\n",
    ),
}


@pytest.mark.parametrize("before, after", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_env_py_is_edited_in_its_own_layout(before: str, after: str, newline: str) -> None:
    source, wanted = (
        textwrap.dedent(text).lstrip("\n").replace("\n", newline).encode()
        for text in (before, after)
    )

    edit = edit_env(source)

    assert edit.source.decode() == wanted.decode()
    assert edit.left == []
    assert edit_env(edit.source) == edit, "a second run changes something"


# Each case: env.py, and what is said of it.
LEFT_ALONE = {
    "dynamic": (
        "context.configure(connection=c, autogenerate_plugins=PLUGINS)",
        [(2, 'autogenerate_plugins is no literal list; add "alembic_fixups" to it')],
    ),
    "computed": (
        'context.configure(connection=c, autogenerate_plugins=["x"] + MORE)',
        [(2, 'autogenerate_plugins is no literal list; add "alembic_fixups" to it')],
    ),
    "dynamic, with a wrong name": (
        'PLUGINS = ["alembic.autogenerate.*", "alembic-fixups"]\n'
        "context.configure(connection=c, autogenerate_plugins=PLUGINS)",
        [(3, '"alembic-fixups" is no name of the plugin; write "alembic_fixups"')],
    ),
    "dynamic, with the plugin": (
        'PLUGINS = ["alembic.autogenerate.*", "alembic_fixups"]\n'
        "context.configure(connection=c, autogenerate_plugins=PLUGINS)",
        [],
    ),
    "there already": (
        "context.configure(connection=c, autogenerate_plugins=['x', 'alembic_fixups'])",
        [],
    ),
    "there already, and with a wrong name": (
        "context.configure(c, autogenerate_plugins=['alembic_fixups', 'alembic_fixups.*'])",
        [(2, '"alembic_fixups.*" is no plugin; take it out')],
    ),
    "through **": (
        'o = dict(autogenerate_plugins=["alembic.autogenerate.*"])\n'
        "context.configure(connection=c, **o)",
        [
            (
                3,
                "autogenerate_plugins seems to come with the ** argument; "
                'add "alembic_fixups" to it',
            )
        ],
    ),
    "through **, with the plugin": (
        'o = {"autogenerate_plugins": ["alembic_fixups"]}\ncontext.configure(connection=c, **o)',
        [],
    ),
    "switched off": (
        'context.configure(connection=c, autogenerate_plugins=["*", "~alembic_fixups"])',
        [(2, '"~alembic_fixups" switches the plugin off; write "alembic_fixups"')],
    ),
    "no call": (
        "from company.migrations import run\nrun()",
        [
            (
                1,
                f"no context.configure(connection=...) found; give it {PLUGINS}",
            )
        ],
    ),
    "offline only": (
        "context.configure(url=url)",
        [(1, f"no context.configure(connection=...) found; give it {PLUGINS}")],
    ),
}


@pytest.mark.parametrize("body, said", LEFT_ALONE.values(), ids=LEFT_ALONE.keys())
def test_what_is_not_clear_is_left_alone_and_named(body: str, said: list[tuple[int, str]]) -> None:
    source = f"from alembic import context\n{body}\n".encode()

    assert edit_env(source) == EnvEdit(source, said)


@pytest.mark.parametrize("template", ["generic", "async", "multidb", "pyproject"])
def test_templates_of_alembic(template: str) -> None:
    source = (Path(Config().get_template_directory()) / template / "env.py").read_bytes()

    edit = edit_env(source)

    assert edit.left == []
    assert edit.source.count(PLUGINS.encode()) == 1
    compile(edit.source, "env.py", "exec")


TABLE = {
    "levels": [{"table": "clients", "column": "client_id"}, {"table": "e", "column": "e_id"}],
    "scope": "all",
}


class TenantKeys(Model):
    """Settings with a docstring that does not change.

    Attributes:
        levels: the hierarchy, and so much to say about it
            that it does not go on one line, whatever one would like.
        scope: how far it goes.
    """


FRAGMENT = """\
[tool.alembic-fixups.tenant-keys]
# the hierarchy, and so much to say about it that it does not go on one line, whatever
# one would like
levels = [
    {table = "clients", column = "client_id"},
    {table = "e", column = "e_id"},
]
# how far it goes
scope = "all"
"""
TIMEOUT = """\
# how long a step waits for a lock before it gives up, having changed nothing
lock-timeout = "5s"
"""
GENERAL = f"[tool.alembic-fixups]\n{TIMEOUT}"
PROJECT = '[project]\nname   =  "x"  # odd\n\n[tool.ruff]\n# c\nline-length = 100'

# Each case: pyproject.toml before and after.
SETTINGS = {
    "no file": ("", f"{GENERAL}\n{FRAGMENT}"),
    "a file": (f"{PROJECT}\n", f"{PROJECT}\n\n{GENERAL}\n{FRAGMENT}"),
    "no line end at the end": (PROJECT, f"{PROJECT}\n\n{GENERAL}\n{FRAGMENT}"),
    "tables out of order": (
        "[tool.b]\nx = 1\n[project]\nname = 'x'\n[tool.a]\ny = 2\n",
        f"[tool.b]\nx = 1\n[project]\nname = 'x'\n[tool.a]\ny = 2\n\n{GENERAL}\n{FRAGMENT}",
    ),
    "only the lock timeout missing": (
        "[tool.alembic-fixups]  # ours\nidempotent = 'all'\n\n"
        "# about tenants\n[tool.alembic-fixups.tenant-keys]\n# about ruff\n[tool.ruff]\n",
        f"[tool.alembic-fixups]  # ours\n{TIMEOUT}idempotent = 'all'\n\n"
        "# about tenants\n[tool.alembic-fixups.tenant-keys]\n# about ruff\n[tool.ruff]\n",
    ),
    "only the fixup missing": (
        "[tool.alembic-fixups]\nlock-timeout = '1s'\n[tool.ruff]\n",
        f"[tool.alembic-fixups]\nlock-timeout = '1s'\n[tool.ruff]\n\n{FRAGMENT}",
    ),
    "only the fixup there": (
        "[tool.alembic-fixups.tenant-keys]\nscope = 'all'\n",
        f"[tool.alembic-fixups.tenant-keys]\nscope = 'all'\n\n{GENERAL}",
    ),
    "everything there": (
        "[tool.alembic-fixups]\nlock-timeout = '1s'\n[tool.alembic-fixups.tenant-keys]\n",
        "[tool.alembic-fixups]\nlock-timeout = '1s'\n[tool.alembic-fixups.tenant-keys]\n",
    ),
}


@pytest.mark.parametrize("before, after", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_settings_are_added_and_never_changed(
    before: str, after: str, newline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [fixup] = [fixup for fixup in all_fixups() if fixup.name == "tenant-keys"]
    monkeypatch.setattr(settings_edit, "all_fixups", lambda: [replace(fixup, settings=TenantKeys)])
    source, wanted = (text.replace("\n", newline).encode() for text in (before, after))
    if not before:
        wanted = after.encode()

    edited = edit_settings(source, {"tenant-keys": TABLE}, Path("pyproject.toml"))

    assert edited.decode() == wanted.decode()
    assert edit_settings(edited, {"tenant-keys": TABLE}, Path("pyproject.toml")) == edited
    tomllib.loads(edited.decode())


@pytest.mark.parametrize(
    "source",
    [
        "[tool]\nalembic-fixups = { idempotent = 'all' }\n",
        "tool = { alembic-fixups = { idempotent = 'all' } }\n",
        "x = '''\n[tool.alembic-fixups]\n'''\n[tool.alembic-fixups]\nidempotent = 'all'\n",
    ],
)
def test_settings_written_in_a_way_that_cannot_be_added_to(source: str) -> None:
    with pytest.raises(ProjectError, match="write it as a table of its own"):
        edit_settings(source.encode(), {"tenant-keys": TABLE}, Path("pyproject.toml"))


@pytest.mark.parametrize(
    "source, message",
    [
        (b"x = 1\nprint(\n", "env.py:2: SyntaxError: '(' was never closed"),
        (
            b"if x:\ny\n",
            "env.py:2: IndentationError: expected an indented block after 'if' statement on line 1",
        ),
        (b"# coding: nope\n", "env.py:1: SyntaxError: unknown encoding: nope"),
        (
            b"x = '\xff'\n",
            "env.py:1: SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xff in "
            "position 0: invalid start byte",
        ),
    ],
)
def test_env_py_that_is_no_python(source: bytes, message: str) -> None:
    with pytest.raises(ProjectError) as raised:
        edit_env(source)
    assert str(raised.value) == message


# Each case: what an online branch does, and the lines where it begins a transaction.
TRANSACTIONS = {
    "the engine's": (
        """
        with engine.begin() as connection:
            context.configure(connection=connection)
            context.run_migrations()
        """,
        [2],
    ),
    "in a function": (
        """
        def migrate(connection):
            context.configure(connection=connection)
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
        """,
        [4],
    ),
    "as in multidb": (
        """
        rec["transaction"] = conn.begin_twophase() if TWO else conn.begin()
        context.configure(connection=rec["connection"])
        """,
        [2, 2],
    ),
    "for something else": (
        """
        with engine.begin() as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS a")
        with engine.connect() as connection:
            context.configure(connection=connection)
            with context.begin_transaction():
                context.run_migrations()
        """,
        [],
    ),
}


@pytest.mark.parametrize("body, lines", TRANSACTIONS.values(), ids=TRANSACTIONS.keys())
def test_transactions_of_env_py_s_own_are_noted(body: str, lines: list[int]) -> None:
    source = "from alembic import context\n" + textwrap.dedent(body).lstrip("\n")
    assert [line for line, _ in edit_env(source.encode()).notes] == lines


@pytest.fixture
def project(tmp_path: Path) -> AlembicProject:
    """A project whose database cannot be reached: the models are enough."""
    return AlembicProject(tmp_path, NOWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("template", ["generic", "async", "pyproject", "pyproject_async"])
def test_init_needs_no_database_and_runs_twice(tmp_path: Path, template: str) -> None:
    driver = "postgresql+asyncpg" if "async" in template else "postgresql+psycopg"
    project = AlembicProject(tmp_path, NOWHERE.set(drivername=driver), template)
    before = project.pyproject.read_text() if project.pyproject.exists() else ""

    done = project.run("init", "--yes")

    assert done.returncode == 0, done.stderr
    assert "+            autogenerate_plugins=" in done.stdout or "async" in template
    assert "Wrote migrations/env.py\nWrote pyproject.toml\n" in done.stdout
    assert PLUGINS in project.env_py.read_text()
    assert project.pyproject.read_text().startswith(before)
    assert tomllib.loads(project.pyproject.read_text())["tool"]["alembic-fixups"] == {
        "lock-timeout": "5s",
        "tenant-keys": {
            "levels": [
                {"table": "client_accounts", "column": "client_account_id"},
                {"table": "engagements", "column": "engagement_id"},
            ],
            "scope": "hierarchy",
            "violations": "abort",
        },
    }
    after = project.contents()
    again = project.run("init", "--yes")
    assert (again.returncode, again.stdout) == (0, "Everything is in place already.\n")
    assert project.contents() == after


@pytest.mark.postgres(16)
def test_init_online_where_the_project_has_no_offline_mode(
    tmp_path: Path, database_url: URL
) -> None:
    project = AlembicProject(tmp_path, database_url)
    project.replace(
        project.env_py,
        "def run_migrations_offline() -> None:\n",
        "def run_migrations_offline() -> None:\n    raise NotImplementedError('no offline mode')\n",
    )
    assert project.run("init", "--yes").returncode == 0
    assert "tenant-keys" in project.pyproject.read_text()


def test_neither_offline_nor_online(project: AlembicProject) -> None:
    project.replace(
        project.env_py,
        "def run_migrations_offline() -> None:\n",
        "def run_migrations_offline() -> None:\n    raise NotImplementedError('no offline mode')\n",
    )
    lines = mistake(project, "init").splitlines()
    assert lines[0] == (
        "migrations/env.py does not get as far as the models, neither offline nor online."
    )
    assert lines[1].endswith("NotImplementedError: no offline mode")
    assert "the database cannot be reached" in lines[2]


@pytest.mark.postgres(16)
def test_multidb(tmp_path: Path, database_url: URL) -> None:
    command.init(Config(tmp_path / "alembic.ini"), str(tmp_path / "migrations"), template="multidb")
    project = AlembicProject.__new__(AlembicProject)
    project.folder, project.ini = tmp_path, tmp_path / "alembic.ini"
    project.env_py, project.pyproject = tmp_path / "migrations/env.py", tmp_path / "pyproject.toml"
    (tmp_path / "models.py").write_text(MODELS)
    url = database_url.render_as_string(hide_password=False).replace("%", "%%")
    for name in ("", "2"):
        project.replace(project.ini, f"driver://user:pass@localhost/dbname{name}\n", f"{url}\n")
    project.replace(
        project.env_py,
        "target_metadata = {}",
        "from models import metadata\ntarget_metadata = {'engine1': metadata}",
    )
    (tmp_path / "engine1.sql").write_text("kept")

    done = project.run("init", "--yes")

    assert done.returncode == 0, done.stderr
    assert "tenant-keys" in project.pyproject.read_text()
    line = project.env_py.read_text().partition("conn.begin()")[0].count("\n") + 1
    notes = done.stdout.rpartition("Wrote pyproject.toml\n")[2]
    assert f"migrations/env.py:{line}: a transaction that env.py begins itself" in notes
    assert (tmp_path / "engine1.sql").read_text() == "kept", "the offline branch was run"


@pytest.mark.parametrize(
    "options, hint",
    [
        ([], "Nothing written: no terminal to ask on. Run again with --yes."),
        (["--dry-run"], "Nothing written (--dry-run)."),
        (["--dry-run", "--yes"], "Nothing written (--dry-run)."),
    ],
)
def test_nothing_is_written_unasked(project: AlembicProject, options: list[str], hint: str) -> None:
    before = project.contents()

    done = project.run("init", *options)

    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == hint
    assert "+++ migrations/env.py\n" in done.stdout
    assert "--- /dev/null\n+++ pyproject.toml\n" in done.stdout
    assert project.contents() == before


@pytest.mark.parametrize("answer, code", [("y", 0), ("n", 1), ("", 1)])
def test_it_asks_on_a_terminal(project: AlembicProject, answer: str, code: int) -> None:
    before = project.contents()
    ours, theirs = os.openpty()
    os.write(ours, f"{answer}\n".encode())

    done = project.run("init", stdin=theirs)

    assert done.returncode == code
    assert "Apply? [y/N]: " in done.stdout
    assert (project.contents() == before) == bool(code)


def test_mode_and_symbolic_link_are_kept(project: AlembicProject) -> None:
    elsewhere = project.folder / "elsewhere.py"
    project.env_py.rename(elsewhere)
    elsewhere.chmod(0o640)
    project.env_py.symlink_to(elsewhere)

    assert project.run("init", "--yes").returncode == 0

    assert project.env_py.is_symlink()
    assert elsewhere.stat().st_mode & 0o777 == 0o640
    assert PLUGINS in elsewhere.read_text()
    assert project.pyproject.stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_folder_that_cannot_be_written(project: AlembicProject) -> None:
    # A folder in the place of the temporary file stops root as well.
    project.replace(
        project.env_py,
        "config = context.config\n",
        "config = context.config\n"
        "import os\nos.makedirs(f'migrations/.env.py.{os.getpid()}.tmp', exist_ok=True)\n",
    )
    done = project.run("init", "--yes")
    assert done.returncode == 2
    assert done.stderr == "Error: migrations/env.py: cannot be written: File exists\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_left_to_do_is_said_every_time(project: AlembicProject) -> None:
    project.replace(
        project.env_py,
        "connection=connection,",
        "connection=connection, autogenerate_plugins=PLUGINS,",
    )
    project.replace(
        project.env_py, "def run_migrations_online", "PLUGINS = []\n\n\ndef run_migrations_online"
    )
    line = project.env_py.read_text()[: project.env_py.read_text().index("PLUGINS,")].count("\n")
    said = (
        f"migrations/env.py:{line}: autogenerate_plugins is no literal list; "
        'add "alembic_fixups" to it\n'
    )

    for _ in range(2):
        done = project.run("init", "--yes")
        assert said in done.stdout
        assert done.returncode == 1
    assert "tenant-keys" in project.pyproject.read_text()


def test_models_without_tenants(project: AlembicProject) -> None:
    project.models.write_text("from sqlalchemy import MetaData\nmetadata = MetaData()\n")

    done = project.run("init", "--yes")

    assert done.returncode == 0
    assert "\ntenant-keys: " in done.stdout
    assert project.pyproject.read_text() == GENERAL


def test_hint_where_nothing_can_be_inferred(
    project: AlembicProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [fixup] = [fixup for fixup in all_fixups() if fixup.name == "tenant-keys"]
    hint = "write [tool.alembic-fixups.tenant-keys]\n  levels = [...]"
    stub = replace(fixup, infer=lambda target: None, hint=lambda target: hint)
    monkeypatch.setattr(init, "all_fixups", lambda: [stub])
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys, "path", [str(project.folder), *sys.path])
    monkeypatch.delitem(sys.modules, "models", raising=False)

    code = init.run(load(), Options().console(), assume_yes=True, dry_run=False)

    assert code == 0
    assert f"tenant-keys: {hint}\n" in capsys.readouterr().out
    sys.modules.pop("models", None)


def test_line_100_is_no_emoji(project: AlembicProject) -> None:
    source = project.env_py.read_text().replace(
        "connection=connection,", "connection=connection, autogenerate_plugins=PLUGINS,"
    )
    lines = source.partition("        context.configure(\n            connection")[0].count("\n")
    project.env_py.write_text("#\n" * (99 - lines) + source.replace("PLUGINS", "list('x')"))

    assert "migrations/env.py:100: autogen" in project.run("init", "--yes").stdout


@pytest.mark.parametrize("name", ["env_py", "pyproject"])
def test_read_only_file_is_not_replaced(project: AlembicProject, name: str) -> None:
    project.pyproject.write_text("# mine\n")
    path: Path = getattr(project, name)
    path.chmod(0o444)
    before = project.contents()

    done = project.run("init", "--yes")

    assert done.returncode == 2
    shown = path.relative_to(project.folder)
    assert done.stderr == f"Error: {shown}: is read-only; nothing was written.\n"
    assert project.contents() == before


def test_model_that_refers_to_nothing(project: AlembicProject) -> None:
    project.models.write_text(MODELS + 'table("x", Column("y", ForeignKey("gone.id")))\n')
    assert mistake(project, "init").startswith("x.y: the models have nothing like 'gone.id'")


def test_settings_named_by_alembic_ini(project: AlembicProject) -> None:
    (project.folder / "settings.toml").write_text("# mine\n")
    project.ini.write_text(
        project.ini.read_text() + "\n[alembic_fixups]\nsettings = settings.toml\n"
    )

    assert project.run("init", "--yes").returncode == 0

    assert (project.folder / "settings.toml").read_text().startswith("# mine\n\n[tool.alembic-")
    assert not project.pyproject.exists()
