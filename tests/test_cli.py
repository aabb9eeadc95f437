"""The command line: options, exit codes, and what a user reads who made a mistake."""

import os
import shutil
import subprocess
import sys
import textwrap
from copy import copy
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL, make_url

from tests.test_settings import UNREADABLE

MODELS = """
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

metadata = MetaData()


def client():
    return Column("client_account_id", ForeignKey("client_accounts.id"), nullable=False)


def engagement():
    return Column("engagement_id", ForeignKey("engagements.id"), nullable=False)


def table(name, *columns):
    return Table(name, metadata, Column("id", Integer, primary_key=True), *columns)


table("client_accounts")
table("engagements", client())
table("flows", client(), engagement())
table("assets", client(), engagement())
table("reports", client(), engagement())
table("servers", client(), engagement())
"""

NOWHERE = make_url("postgresql+psycopg://somebody:secret@127.0.0.1:1/nowhere")


def _in_ini(url: URL) -> str:
    return url.render_as_string(hide_password=False).replace("%", "%%")


class AlembicProject:
    """A project made by ``alembic init``, with models of its own, worked on from its folder."""

    def __init__(self, folder: Path, url: URL, template: str = "generic") -> None:
        self._be_in(folder, url)
        config = Config(self.ini, toml_file=self.pyproject)
        config.cmd_opts = None
        command.init(config, str(folder / "migrations"), template=template)
        self.replace(self.ini, "driver://user:pass@localhost/dbname", _in_ini(url))
        self.replace(
            self.env_py, "target_metadata = None", "from models import metadata as target_metadata"
        )
        self.models.write_text(MODELS)

    def _be_in(self, folder: Path, url: URL) -> None:
        self.folder, self.url = folder, url
        self.ini = folder / "alembic.ini"
        self.env_py = folder / "migrations" / "env.py"
        self.pyproject = folder / "pyproject.toml"
        self.models = folder / "models.py"

    def copied(self, folder: Path, url: URL) -> "AlembicProject":
        """The same in another folder, with another database."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        other = copy(self)
        other._be_in(folder, url)
        other.replace(other.ini, _in_ini(self.url), _in_ini(url))
        other.replace(other.ini, str(self.folder), str(folder))  # as `alembic init` was told it
        return other

    def replace(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(
        self,
        *arguments: str,
        module: str = "alembic_fixups.cli",
        stdin: int = subprocess.DEVNULL,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        # PYTHONSAFEPATH: as the installed scripts, which do not look for models where they are run.
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONSAFEPATH": "1", "COLUMNS": "80", **environment},
            stdin=stdin,
            capture_output=True,
            text=True,
        )

    def alembic(self, *arguments: str) -> None:
        done = self.run(*arguments, module="alembic")
        assert done.returncode == 0, done.stderr

    def contents(self) -> dict[Path, bytes]:
        """Every file of the project."""
        return {
            path: path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    def migrate(self) -> None:
        """Brings the database to the models by Alembic."""
        self.alembic("revision", "--autogenerate", "-m", "a revision")
        self.alembic("upgrade", "heads")


@pytest.fixture
def project(tmp_path: Path) -> AlembicProject:
    """A project whose database cannot be reached."""
    return AlembicProject(tmp_path, NOWHERE)


SETTINGS = """\
[tool.alembic-fixups.tenant-keys]
scope = "hierarchy"
"""


def test_version_and_help(project: AlembicProject) -> None:
    assert project.run("--version").stdout.startswith("alembic-fixups ")
    for arguments in ([], ["--help"], ["init", "--help"], ["check", "-h"]):
        done = project.run(*arguments)
        assert "Usage: alembic-fixups" in done.stdout
        assert done.stderr == ""


def test_help_is_quick() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "alembic_fixups.cli", "--help"],
        capture_output=True,
        text=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"alembic", "sqlalchemy", "libcst", "tomlkit", "pydantic"}


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"]])
def test_wrong_usage(project: AlembicProject, arguments: list[str]) -> None:
    done = project.run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: alembic-fixups")


def mistake(project: AlembicProject, *arguments: str) -> str:
    """The message for a user's mistake."""
    done = project.run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ")
    return done.stderr.removeprefix("Error: ").rstrip("\n")


class TestMistakes:
    def test_no_configuration(self, project: AlembicProject) -> None:
        project.ini.unlink()
        assert mistake(project, "check") == (
            "alembic.ini: no such file, and no [tool.alembic] in pyproject.toml. "
            "Run this where you run alembic, or name the file with -c."
        )

    def test_wrong_name_of_the_configuration(self, project: AlembicProject) -> None:
        assert mistake(project, "-c", "other.ini", "check").startswith("other.ini: no such file")

    def test_no_such_section(self, project: AlembicProject) -> None:
        assert mistake(project, "-n", "other", "check") == (
            "alembic.ini: no section [other], which -n names; there is [alembic]"
        )

    def test_no_script_location(self, project: AlembicProject) -> None:
        project.replace(project.ini, "script_location =", "# script_location =")
        assert "No 'script_location' key found" in mistake(project, "check")

    def test_no_migrations_folder(self, project: AlembicProject) -> None:
        project.replace(project.ini, "script_location = ", "script_location = not/")
        assert "Path doesn't exist" in mistake(project, "check")

    def test_unknown_setting(self, project: AlembicProject) -> None:
        project.pyproject.write_text('[tool.alembic-fixups]\nlock-timeuot = "5s"\n')
        assert mistake(project, "check") == (
            "pyproject.toml:2: unknown key 'lock-timeuot'; did you mean 'lock-timeout'?"
        )

    def test_settings_that_are_no_toml(self, project: AlembicProject) -> None:
        project.pyproject.write_text("[tool\n")
        assert mistake(project, "check").startswith("pyproject.toml: Expected ']'")

    def test_configuration_that_is_none(self, project: AlembicProject) -> None:
        project.ini.write_text("script_location = migrations\n")
        assert mistake(project, "check").startswith("alembic.ini: File contains no section headers")

    @pytest.mark.slow
    @pytest.mark.parametrize("command", ["check", "init"])
    def test_settings_that_cannot_be_used_by_alembic_either(
        self, project: AlembicProject, command: str
    ) -> None:
        project.pyproject.write_bytes(b"name = '\xe9'\n")
        assert mistake(project, command) == "pyproject.toml:1: not UTF-8, which TOML has to be"
        project.pyproject.write_text("tool = 3\n")
        assert mistake(project, command) == "pyproject.toml:1: tool has to be a table"
        project.pyproject.unlink()
        project.pyproject.symlink_to(UNREADABLE)
        assert mistake(project, command) == "pyproject.toml: cannot be read: Input/output error"

    def test_configuration_that_is_not_utf_8(self, project: AlembicProject) -> None:
        project.ini.write_bytes(b"[alembic]\nx = \xe9\n")
        assert mistake(project, "check").startswith("alembic.ini: 'utf-8' codec can't decode")

    def test_configuration_that_cannot_be_read(self, project: AlembicProject) -> None:
        project.ini.unlink()
        project.ini.symlink_to(UNREADABLE)
        assert mistake(project, "check") == "alembic.ini: cannot be read: Input/output error"

    def test_configuration_with_a_bad_interpolation(self, project: AlembicProject) -> None:
        project.replace(project.ini, "script_location = ", "script_location = %(nowhere)s/")
        assert mistake(project, "check").startswith("alembic.ini: Bad value substitution: option")

    def test_configuration_with_a_bad_number(self, project: AlembicProject) -> None:
        project.replace(project.ini, "[alembic]\n", "[alembic]\ntruncate_slug_length = x\n")
        assert mistake(project, "check").startswith("alembic.ini: invalid literal for int()")

    @pytest.mark.parametrize("command", ["check", "init"])
    def test_no_env_py(self, project: AlembicProject, command: str) -> None:
        project.pyproject.write_text(SETTINGS)
        project.env_py.unlink()
        assert mistake(project, command) == (
            "migrations/env.py: cannot be read: No such file or directory"
        )
        project.env_py.symlink_to(UNREADABLE)
        assert mistake(project, command) == "migrations/env.py: cannot be read: Input/output error"

    def test_another_database_that_is_not_at_the_head(self, project: AlembicProject) -> None:
        project.replace(
            project.ini, NOWHERE.render_as_string(hide_password=False), "sqlite:///test.db"
        )
        project.pyproject.write_text(SETTINGS)
        project.alembic("revision", "-m", "first")
        assert mistake(project, "check") == (
            "migrations/env.py: this is a project for sqlite; alembic-fixups is for PostgreSQL."
        )

    def test_paths_from_another_folder(self, project: AlembicProject) -> None:
        project.pyproject.write_text("[tool.alembic-fixups]\nx = 1\n")
        for folder in ("migrations", "/"):
            done = subprocess.run(
                [sys.executable, "-m", "alembic_fixups.cli", "-c", project.ini, "check"],
                cwd=project.folder / folder,
                capture_output=True,
                text=True,
            )
            assert done.stderr.startswith(f"Error: {project.pyproject}:2: unknown key 'x'")


def run_into(project: AlembicProject, output: str, *arguments: str) -> tuple[int, str]:
    """The exit code and stderr of a command whose output goes to what the shell calls *output*."""
    command = [sys.executable, "-m", "alembic_fixups.cli", *arguments]
    done = subprocess.run(
        ["bash", "-c", f'"$@" {output}; exit ${{PIPESTATUS[0]}}', "bash", *command],
        cwd=project.folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["init", "--dry-run"]])
def test_full_output(project: AlembicProject, arguments: list[str]) -> None:
    assert run_into(project, "> /dev/full", *arguments) == (2, "Error: No space left on device\n")
    assert run_into(project, "> /dev/full 2> /dev/full", *arguments) == (2, "")


def test_closed_output(project: AlembicProject) -> None:
    # The reader is gone before the first line.
    assert run_into(project, "| exec 0<&-", "init", "--dry-run") == (2, "")
    assert run_into(project, ">&-", "init", "--dry-run") == (1, "")
    code, errors = run_into(project, "| exec 0<&-", "--help")
    assert (code != 0, errors) == (True, "")


def test_output_without_unicode(project: AlembicProject) -> None:
    project.models.write_text(MODELS)
    project.replace(
        project.env_py,
        "        context.configure(\n            connection",
        "        # caf\xe9\n        context.configure(\n            connection",
    )
    done = project.run("init", "--dry-run", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    assert "caf\\xe9" in done.stdout


def test_init_without_metadata(project: AlembicProject) -> None:
    project.replace(
        project.env_py, "from models import metadata as target_metadata", "target_metadata = None"
    )
    # Offline the models are loaded without a database, so this is known without one.
    assert mistake(project, "init") == (
        "migrations/env.py: context.configure() gets no target_metadata. Import the module with "
        "your models there and set target_metadata = Base.metadata."
    )


@pytest.mark.parametrize("command", ["init", "check"])
class TestMistakesInTheModels:
    @pytest.fixture(autouse=True)
    def settings(self, project: AlembicProject, command: str) -> None:
        if command == "check":
            project.pyproject.write_text(SETTINGS)

    def test_module_not_found(self, project: AlembicProject, command: str) -> None:
        project.models.write_text("import os\nimport sqlalchemy\nimport not_there\n")
        assert mistake(project, command) == (
            "models.py:3: ModuleNotFoundError: No module named 'not_there'\n"
            "Is it installed in this environment, or below the folders that prepend_sys_path in "
            "alembic.ini adds?"
        )

    def test_syntax_error(self, project: AlembicProject, command: str) -> None:
        project.models.write_text("import os\nmetadata = MetaData(\n")
        assert mistake(project, command) == "models.py:2: SyntaxError: '(' was never closed"

    def test_exception(self, project: AlembicProject, command: str) -> None:
        project.models.write_text(MODELS + 'Table("flows", metadata, Column("id"))\n')
        line = MODELS.count("\n") + 1
        message = mistake(project, command)
        assert message.startswith(
            f"models.py:{line}: InvalidRequestError: Table 'flows' is already"
        )

    def test_env_py_exits(self, project: AlembicProject, command: str) -> None:
        project.env_py.write_text("import sys\nsys.exit('DATABASE_URL is not set')\n")
        assert mistake(project, command) == (
            "migrations/env.py:2: SystemExit: DATABASE_URL is not set"
        )

    def test_unknown_driver(self, project: AlembicProject, command: str) -> None:
        project.replace(project.ini, "postgresql+psycopg:", "nosuch:")
        assert "NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:nosuch" in mistake(
            project, command
        )

    def test_another_database(self, project: AlembicProject, command: str) -> None:
        project.replace(
            project.ini, NOWHERE.render_as_string(hide_password=False), "sqlite:///test.db"
        )
        assert mistake(project, command) == (
            "migrations/env.py: this is a project for sqlite; alembic-fixups is for PostgreSQL."
        )


@pytest.mark.parametrize("template", ["generic", "async"])
def test_database_that_cannot_be_reached(tmp_path: Path, template: str) -> None:
    driver = "postgresql+asyncpg" if template == "async" else "postgresql+psycopg"
    project = AlembicProject(tmp_path, NOWHERE.set(drivername=driver), template)
    project.pyproject.write_text(SETTINGS)

    message = mistake(project, "check")

    assert message.startswith("migrations/env.py:")
    assert ": the database cannot be reached: " in message
    assert "secret" not in message


def test_verbose_shows_the_traceback(project: AlembicProject) -> None:
    project.models.write_text("1 / 0\n")

    done = project.run("--verbose", "init")

    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert "Error: models.py:1: ZeroDivisionError: division by zero" in done.stderr


def test_options_reach_env_py_as_from_alembic(project: AlembicProject) -> None:
    project.env_py.write_text(
        textwrap.dedent(
            """
            import sys
            from alembic import context

            print(context.get_x_argument(as_dictionary=True), file=sys.stderr)
            print(context.config.get_main_option("mine"), file=sys.stderr)
            print(context.config.cmd_opts.autogenerate, file=sys.stderr)
            """
        )
    )
    project.ini.rename(project.folder / "other.ini")
    (project.folder / "other.ini").write_text(
        "[one]\nscript_location = migrations\nmine = this\n[alembic]\n"
    )

    for options, environment in (
        (["-c", "other.ini"], {}),
        ([], {"ALEMBIC_CONFIG": "other.ini"}),
    ):
        done = project.run(
            *options, "-n", "one", "-x", "tenant=a", "-x", "-b", "init", "--dry-run", **environment
        )
        assert done.stderr.splitlines()[:3] == ["{'tenant': 'a', '-b': ''}", "this", "True"]


def test_colour_on_a_terminal_only(project: AlembicProject) -> None:
    def output(*options: str, **environment: str) -> str:
        return project.run(*options, "init", "--dry-run", **environment).stdout

    assert "\x1b[" not in output(NO_COLOR="", FORCE_COLOR="")
    # FORCE_COLOR is how Rich is told that a pipe is a terminal.
    assert "\x1b[32m+" in output(FORCE_COLOR="1", TERM="xterm", NO_COLOR="")
    assert "\x1b[32m" not in output(FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")
    assert "\x1b[32m" not in output("--no-color", FORCE_COLOR="1", TERM="xterm", NO_COLOR="")


def test_a_long_line_stays_one_in_a_pipe(project: AlembicProject) -> None:
    project.models.write_text(f"raise ValueError({'long ' * 40!r})\n")
    assert mistake(project, "init").count("\n") == 0
