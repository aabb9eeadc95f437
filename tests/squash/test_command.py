"""``alembic-fixups squash``: what it folds, what it tells, what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from alembic_fixups import scratch
from alembic_fixups.scratch import Server
from tests.squash.commands import ENV, MAKES, Commands, start, text
from tests.squash.replays import ASYNC, PRODUCTION, env_py

pytestmark = pytest.mark.postgres(16)
SAMPLE = Path(__file__).parents[2] / "sample_project"


MISTAKES = {
    "no such revision": (["--to", "r9"], "--to r9: .*alembic history"),
    "an empty name": (["--to", ""], "--to : .*names no revision"),
    "one revision": (["--to", "r1"], "Nothing to squash: revision r1 .*only one"),
    "from above to": (["--from", "r3", "--to", "r2"], "--from r3: .*no ancestor"),
    "all stay": (["--keep", "9"], "Nothing to squash"),
    "all are new": (["--since", "2001-01-01"], "nothing says when it was made|Nothing to squash"),
    "no day": (["--since", "yesterday"], "Invalid value for '--since'"),
    "nothing answers": (["--scratch-url", "postgresql://localhost:1/x"], "No connection to"),
    "no PostgreSQL": (["--scratch-url", "sqlite://"], "Not a PostgreSQL URL.*--scratch-url"),
    "no URL": (["--scratch-url", "nonsense"], "Not a database URL"),
    "nothing to take back": (["--undo"], "no squash to take back"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_and_nothing_changes(project: Commands, what: str) -> None:
    arguments, reason = MISTAKES[what]
    project.write()
    before = project.files()
    if "--to" not in arguments and "--scratch-url" in arguments:
        arguments = [*arguments, "--to", "r3"]
    done = project.run("squash", *arguments)
    assert done.code == 2
    assert done.out == "" or "--scratch-url" in arguments
    said = " ".join(done.err.replace("│", " ").split())
    assert re.search(reason, said), said
    assert project.files() == before


SETTINGS = {
    "rolls = ['app']": r"pyproject.toml:2: unknown key 'rolls'; did you mean 'roles'\?",
    "roles = 'app'": r"pyproject.toml:2: squash.roles has to be a list",
    "roles = ['app', 1]": r"pyproject.toml:2: squash.roles\[1\] has to be a text",
    "roles = ['pg_app']": 'names .pg_app.: role name "pg_app" is reserved',
    "postgres = []": r"pyproject.toml:2: squash.postgres has to be a whole number",
    "postgres = 9": "No embedded PostgreSQL 9: .*has 1",
}


@pytest.mark.parametrize("line", SETTINGS)
def test_settings_that_are_no_good_are_named(project: Commands, line: str) -> None:
    project.write(settings=f"[tool.alembic-fixups.squash]\n{line}\n")
    done = project.run("squash", "--to", "r3")
    assert done.code == 2
    assert re.search(SETTINGS[line], done.err), done.err


def test_without_alembic_ini(project: Commands) -> None:
    for command in ("squash", "verify", "adopt"):
        done = project.run(command)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Error: alembic.ini: no such file")


LOUD = env_py(
    url=f'os.environ.get("DATABASE_URL", "{PRODUCTION}")',
    imports="import os",
    before="print('env.py speaks')\nos.system('echo and so does a program')",
)


LONG = "s3_" + "x" * 50


@pytest.mark.slow
def test_a_squash_in_json_and_undone(
    project: Commands, database_url: URL, connection: psycopg.Connection[tuple[Any, ...]]
) -> None:
    """One document, whatever env.py and the revisions print; with an id that is long."""
    project.write(*MAKES[:2], env=LOUD)
    project.add(LONG, "r2", MAKES[2])
    project.add("r4", LONG, MAKES[3])
    r1 = project.versions / "r1.py"
    r1.write_text("print('so does a revision')\n" + r1.read_text())
    before = project.files()

    squashed = project.squash("--to", LONG, "--json")
    assert squashed.code == 0
    assert squashed.document == {
        "target": LONG,
        "revisions": ["r1", "r2", LONG],
        "equal": True,
        "differences": [],
        "volatile": [],
        "notes": [{"revision": "", "text": "starts echo and so does a program"}],
        "written": f"migrations/versions_squashed/{LONG}",
    }
    assert sorted(path.name for path in project.versions.glob("*.py")) == ["r4.py", f"{LONG}.py"]
    project.alembic(database_url)
    rows = connection.execute("SELECT version_num, id, name, at FROM alembic_version, a")
    assert rows.fetchall() == [("r4", 1, "one", None), ("r4", 2, "two", None)]

    undone = project.run("squash", "--undo", "--json")
    assert undone.code == 0
    assert undone.document == {"target": LONG, "revisions": ["r1", "r2", LONG]}
    assert project.files() == before


ROLES = """
op.execute('CREATE ROLE reader; GRANT SELECT ON a TO reader, app, postgres')
op.execute('GRANT app TO reader')
op.execute('ALTER TABLE b OWNER TO postgres')
"""


@pytest.mark.slow
def test_on_servers_of_its_own(project: Commands) -> None:
    """In a pipe; the chain makes a role, and needs others that the settings name."""
    settings = "[tool.alembic-fixups.squash]\nroles = ['app', 'postgres']\npostgres = 18\n"
    project.write(*MAKES, ROLES, settings=settings)
    before = project.files()
    done = start(project.folder, "squash", "--keep", "0", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "5 revisions, r1 to r5, become one snapshot; 0 stay.",
        "r5: equal in schema, rows, sequences and autogenerate. Nothing written (--dry-run).",
    ]
    assert project.files() == before


def test_roles_of_the_chain_need_servers_of_its_own(project: Commands, server: Server) -> None:
    project.write(*MAKES, "op.execute('CREATE ROLE reader_of_a')")
    try:
        done = project.squash("--to", "r5")
    finally:
        with scratch.connect(server.url) as connection:
            connection.execute("DROP ROLE IF EXISTS reader_of_a")
    assert done.code == 2
    assert "reader_of_a" in done.err and "no --scratch-url" in done.err, done.err


def test_roles_that_the_settings_name_have_to_be_on_the_named_server(project: Commands) -> None:
    project.write(settings="[tool.alembic-fixups.squash]\nroles = ['nobody_there']\n")
    done = project.squash("--to", "r3")
    assert done.code == 2
    assert "has no role nobody_there, which roles in [tool.alembic-fixups.squash]" in done.err


VOLATILE = (
    "op.execute('CREATE TABLE t (id uuid PRIMARY KEY, at timestamptz DEFAULT now(), n serial)')\n"
    "op.execute('CREATE TABLE u (id int PRIMARY KEY, t_id uuid NOT NULL REFERENCES t)')",
    "import uuid\n"
    "ids = [uuid.uuid4() for _ in range(3)]\n"
    "for number, id_ in enumerate(ids):\n"
    "    op.execute(f\"INSERT INTO t (id) VALUES ('{id_}')\")\n"
    "    op.execute(f\"INSERT INTO u VALUES ({number}, '{id_}')\")\n"
    "op.execute('INSERT INTO t (id) VALUES (gen_random_uuid())')",
    "open('written.txt', 'w').close()\n"
    "try:\n"
    "    with op.get_bind().begin_nested():\n"
    "        op.execute('DROP TABLE nowhere')\n"
    "except Exception:\n"
    "    pass",
)


@pytest.mark.slow
def test_values_that_change_are_told(
    project: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A primary key with references to it among them; and what is done besides."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
    project.write(*VOLATILE)
    done = project.squashed("--to", "r3")
    assert done.err == ""
    assert done.out.splitlines() == [
        "3 revisions, r1 to r3, become one snapshot; 0 stay.",
        "These values differ each time that the revisions run (now(), random ids); the snapshot "
        "has those of one replay:",
        "  public.t: id, at (4 rows)",
        "  public.u: t_id (3 rows)",
        "Besides what they do to the database:",
        "  r3: writes written.txt",
        "  r3: a statement failed and the revision went on: DROP TABLE nowhere: "
        'table "nowhere" does not exist',
        "r3: equal in schema, rows, sequences and autogenerate.",
        "Snapshot: migrations/versions/r3.py",
        "Old files: migrations/versions_squashed/r3",
        "To take it back: alembic-fixups squash --undo",
    ]


REFUSED = {
    "another schema each time": (
        "import uuid\nop.execute(f'CREATE TABLE t_{uuid.uuid4().hex} ()')",
        r"do not leave the same database.*--- schema, first replay to r3.*-CREATE TABLE public.t_",
    ),
    "another number of rows each time": (
        "import os\n"
        "op.execute('CREATE TABLE t (a int)')\n"
        "op.execute(f'INSERT INTO t SELECT generate_series(1, {os.getpid() + 100})')",
        r"do not leave the same database.*rows of public.t, first replay to r3.*[-+]a='",
    ),
    "a swallowed error": (
        "try:\n    op.execute('DROP TABLE nowhere')\nexcept Exception:\n    pass",
        r"revision r2.*aborted.*swallowed, in revision r2: DROP TABLE nowhere",
    ),
    "the end of the process": ("import os\nos._exit(3)", r"ended with 3, in revision r2"),
    "a base that is not empty": (
        "op.execute('ALTER TABLE accounts ADD a int')",
        r'revision r2.*relation "accounts" does not exist',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_replayed_is_refused(project: Commands, what: str) -> None:
    body, reason = REFUSED[what]
    project.write(MAKES[0], body, "pass")
    before = project.files()
    done = project.squash("--to", "r3")
    assert done.code == 2
    assert re.search(reason, done.err, re.DOTALL), done.err
    assert project.files() == before


UNEQUAL = """
op.execute('''
    CREATE TABLE listed AS
    SELECT relname::text, row_number() OVER (ORDER BY oid) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'table%'
''')
"""


@pytest.mark.slow
def test_a_snapshot_that_is_not_equal_is_not_written(project: Commands) -> None:
    """A revision that stays lists tables in the order in which they were made."""
    made = "op.execute('CREATE TABLE table_{} ()')"
    project.write(made.format("b"), made.format("a"), "pass", UNEQUAL)
    before = project.files()
    done = project.squash("--to", "r3")
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "3 revisions, r1 to r3, become one snapshot; 1 stay.",
        "--- rows of public.listed, the revisions",
        "+++ rows of public.listed, with the snapshot",
        "@@ -1,2 +1,2 @@",
        "-relname='table_a', row_number='2'",
        "-relname='table_b', row_number='1'",
        "+relname='table_a', row_number='1'",
        "+relname='table_b', row_number='2'",
        "Not equal: nothing written.",
    ]
    assert project.files() == before


STAYS = {
    "a revision": (
        "from migrations.versions import r1\nr1.upgrade",
        "",
        r"revision r4: migrations/versions/r4.py:\d+: ImportError: cannot import name 'r1'",
    ),
    "env.py, by way of a module": (
        "pass",
        "import helper\n",
        r"helper.py:1: ModuleNotFoundError: No module named 'migrations.versions.r1'",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "what", ["a revision", pytest.param("env.py, by way of a module", marks=pytest.mark.slow)]
)
def test_what_stays_and_imports_a_folded_revision_is_named(project: Commands, what: str) -> None:
    body, imports, reason = STAYS[what]
    project.write(*MAKES[:3], body, env=imports + ENV)
    (project.folder / "helper.py").write_text("import migrations.versions.r1\n")
    before = project.files()
    done = project.squash("--to", "r3")
    assert done.code == 2
    assert "The history with the snapshot cannot be applied to an empty database" in done.err
    assert re.search(reason, done.err), done.err
    assert project.files() == before


@pytest.mark.slow
def test_folded_revisions_may_import_one_another(project: Commands) -> None:
    project.write(
        "op.execute(TABLE)",
        "from migrations.versions.r1 import TABLE\nop.execute(TABLE.replace('first', 'second'))",
    )
    r1 = project.versions / "r1.py"
    r1.write_text(r1.read_text() + "\n\nTABLE = 'CREATE TABLE first ()'\n")
    project.squashed("--to", "r2")
    done = project.verify()
    assert (done.code, done.out, done.err) == (0, "r2: equal to its archive.\n", "")


@pytest.mark.slow
def test_keep_files_and_changes_that_are_not_committed(project: Commands) -> None:
    project.write(*MAKES[:3])
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    before = project.files()
    refused = project.squash("--to", "r3", "--keep-files")
    assert refused.code == 2
    assert "not committed" in refused.err and "--allow-dirty" in refused.err
    kept = "migrations/versions_squashed/r3/snapshot/r3.py"
    done = project.squashed("--to", "r3", "--keep-files", "--allow-dirty")
    assert f"The snapshot, not in force: {kept}" in done.out
    after = project.files()
    assert "op.get_bind()" in after[kept].decode()
    assert {name: after[name] for name in before} == before
    undone = project.run("squash", "--undo")
    assert (undone.code, undone.out) == (2, "")


MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("a", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
sa.Table("c", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""


@pytest.mark.slow
def test_a_project_with_everything(project: Commands, database_url: URL) -> None:
    """An async env.py that takes -x and -n, makes a schema and keeps the version table in it.

    A transaction for each revision, a value added to an enum, helpers of the project's, models
    that are ahead, long ids, several bases, and a tree of its own with a label.
    """
    env = env_py(
        ASYNC,
        imports="import os, sys\nimport sqlalchemy as sa\nfrom models import metadata",
        url=f'os.environ.get("DATABASE_URL", "{PRODUCTION}").replace("psycopg", "asyncpg")',
        options="target_metadata=metadata, version_table='versions', version_table_schema='kept', "
        "transaction_per_migration=True",
    ).replace(
        "    context.configure(",
        "    connection.execute(sa.text('CREATE SCHEMA IF NOT EXISTS kept'))\n"
        "    connection.commit()\n"
        "    assert context.get_x_argument(as_dictionary=True) == {'tenant': 'one'}\n"
        "    assert config.config_ini_section == 'other'\n"
        "    context.configure(",
    )
    ini = "[other]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\n"
    project.write(*MAKES[:2], env=env, ini=f"{ini}path_separator = os\n")
    (project.folder / "models.py").write_text(MODELS)
    (project.folder / "texts.py").write_text("MOOD = \"CREATE TYPE mood AS ENUM ('sad')\"\n")
    project.add("other_base", None, "import texts\nop.execute(texts.MOOD)")
    project.add(
        "wide",
        "other_base",
        "op.execute('ALTER TABLE kept.versions ALTER version_num TYPE varchar(64)')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute(\"ALTER TYPE mood ADD VALUE 'ok'\")\n"
        "op.execute(\"CREATE TABLE m AS SELECT 'ok'::mood AS mood\")",
    )
    project.add(LONG, ("r2", "wide"), r"op.execute('COMMENT ON TABLE a IS $$100% \\:a$$')")
    project.add("last", LONG, "op.execute('DROP TABLE m')")
    project.add("apart_1", None, "op.execute('CREATE TABLE apart (a int)')")
    project.add("apart_2", "apart_1", "op.execute('INSERT INTO apart VALUES (1)')")
    for name in ("apart_1", "r1"):
        path = project.versions / f"{name}.py"
        path.write_text(path.read_text() + f"\n\nbranch_labels = 'label_{name}'\n")

    given = ("-n", "other", "-x", "tenant=one")
    done = project.run(*given, "squash", "--to", LONG, *project.scratch)
    assert (done.code, done.err) == (0, ""), done.err
    assert "5 revisions" in done.out and "3 stay" in done.out
    again = project.run(*given, "verify", *project.scratch)
    assert (again.code, again.err) == (0, "")

    for to in ("label_r1@head", "heads"):
        upgraded = _alembic(project, database_url, *given, "upgrade", to)
        assert upgraded.returncode == 0, upgraded.stderr
    with scratch.connect(database_url) as connection:
        rows = connection.execute("SELECT version_num FROM kept.versions ORDER BY 1").fetchall()
        assert rows == [("apart_2",), ("last",)]
        [(comment,)] = connection.execute("SELECT obj_description('a'::regclass)")
        assert comment == "100% :a"


@pytest.mark.slow
def test_the_sample_project(
    project: Commands, monkeypatch: pytest.MonkeyPatch, database_url: URL
) -> None:
    """Async, with models, a schema that env.py makes, and tables found by a search_path."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SAMPLE, project.folder, dirs_exist_ok=True, ignore=ignored)
    monkeypatch.setenv("DATABASE_URL", PRODUCTION)
    done = start(project.folder, "squash", "--keep", "10", "--json", *project.scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["equal"] and len(document["revisions"]) > 60
    upgraded = _alembic(project, database_url, "upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr


def _alembic(project: Commands, url: URL, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Alembic itself, in a process that imports the project's modules."""
    return start(project.folder, *arguments, module="alembic", DATABASE_URL=text(url))


@pytest.mark.slow
def test_an_env_py_that_sets_the_folders_does_not_lead_the_new_history_to_the_old(
    project: Commands,
) -> None:
    folders = (
        "from pathlib import Path\n"
        "context.script.version_locations = [str(Path(__file__).parent / 'versions')]\n"
    )
    project.write(env=ENV.replace("config = ", f"{folders}config = ", 1))
    project.squashed("--to", "r3", "--allow-dirty")
    # What the snapshot makes is what is compared: broken, it is not equal.
    snapshot = project.versions / "r3.py"
    source = snapshot.read_text()
    snapshot.write_text(
        source.replace(
            "CREATE TABLE IF NOT EXISTS public.b", "CREATE TABLE IF NOT EXISTS public.other"
        )
    )
    assert project.verify().code != 0


@pytest.mark.slow
def test_a_role_that_an_earlier_run_has_left_is_not_taken_for_granted(
    project: Commands, server: Server
) -> None:
    project.write(
        "op.execute('CREATE TABLE a (id integer)')",
        "op.execute('GRANT SELECT ON a TO left_behind')",
    )
    with scratch.connect(server.url) as connection:
        connection.execute("CREATE ROLE left_behind")
        try:
            done = project.squash("--to", "r2")
            assert done.code == 2
            assert "use the roles left_behind, which the server had before" in done.err
            (project.folder / "pyproject.toml").write_text(
                "[tool.alembic-fixups.squash]\nroles = ['left_behind']\n"
            )
            project.squashed("--to", "r2")
        finally:
            connection.execute("DROP ROLE left_behind")


@pytest.mark.slow
def test_roles_that_were_there_and_rows_that_name_the_runner(project: Commands) -> None:
    project.write(
        "op.execute(\"ALTER ROLE app SET statement_timeout = '5s'\")\n"
        "op.execute('ALTER ROLE app LOGIN')\n"
        "op.execute('GRANT app TO readonly')\n"
        "op.execute('CREATE ROLE mine')\n"
        "op.execute('GRANT mine TO CURRENT_USER')\n"
        "op.execute(\"COMMENT ON ROLE app IS 'the application'\")",
        "op.execute('CREATE TABLE t (id int PRIMARY KEY, by text DEFAULT current_user, n oid)')\n"
        "op.execute(\"INSERT INTO t VALUES (1, DEFAULT, 't'::regclass::oid)\")",
        settings="[tool.alembic-fixups.squash]\nroles = ['app', 'readonly']\n",
    )
    done = project.run("squash", "--to", "r2", "--json")
    assert done.code == 0, done
    [volatile] = done.document["volatile"]
    assert (volatile["table"], volatile["columns"]) == ("public.t", ["by", "n"])
    source = (project.versions / "r2.py").read_text()
    assert "ALTER ROLE app SET statement_timeout TO '5s'" in source
    assert "ALTER ROLE app WITH " in source and "GRANT app TO readonly" in source
    assert "GRANT mine TO CURRENT_USER" in source
    assert "COMMENT ON ROLE app IS 'the application'" in source
