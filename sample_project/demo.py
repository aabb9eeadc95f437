"""The whole story of the tenant keys, on this sample application: ``make demo``.

Works on a copy in a temporary folder, with a PostgreSQL server that is gone afterwards. What is
shown is also checked: the exit code is 1 where anything is not as the headings say.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic_fixups import scratch
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

SAMPLE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
THEME = "ansi_dark"  # the terminal's own colours

# What seed.py gets wrong on purpose.
VIOLATIONS = {"assets": 7, "assessments": 2, "llm_usage_logs": 3}
# The one key whose steps are shown.
CHILD, PARENT = "migration.assessments", "migration.engagements"

WRONG_ROWS = """SELECT name, count(*) AS wrong
  FROM (SELECT 'assets' AS name, client_account_id, engagement_id FROM migration.assets
        UNION ALL
        SELECT 'assessments', client_account_id, engagement_id FROM migration.assessments
        UNION ALL
        SELECT 'llm_usage_logs', client_account_id, engagement_id FROM migration.llm_usage_logs) t
 WHERE NOT EXISTS (SELECT FROM migration.engagements e
                    WHERE (e.client_account_id, e.id) = (t.client_account_id, t.engagement_id))
 GROUP BY name ORDER BY name"""
MOVED_ROWS = "\nUNION ALL\n".join(
    f"""SELECT '{table}' AS name, count(*) AS moved,
       min(tenant_violation_at)::timestamp(0) AS at, min(tenant_violation_reason) AS why
  FROM migration.{table}_tenant_violations"""
    for table in VIOLATIONS
)
CROSS_TENANT_INSERT = """INSERT INTO migration.assets
       (client_account_id, engagement_id, name, asset_type)
SELECT kestrel.id, theirs.id, 'stray server', 'server'
  FROM migration.client_accounts kestrel, migration.engagements theirs
 WHERE kestrel.name = 'Kestrel Bank' AND theirs.client_account_id <> kestrel.id
 LIMIT 1"""


class Surprise(Exception):
    """Something is not as the demo says."""


def expect(condition: object, what: str) -> None:
    """Stops the demo where what it has just claimed does not hold."""
    if not condition:
        raise Surprise(what)


@dataclass
class Stage:
    """Where the demo runs and what it prints to.

    Attributes:
        console: coloured on a terminal, plain and unwrapped elsewhere.
        folder: the copy of the sample project.
        server: the embedded server.
        environment: that of the commands; it names the database.
        acts: how many there were so far.
    """

    console: Console
    folder: Path
    server: scratch.Server
    environment: dict[str, str]
    acts: int = 0

    def act(self, title: str, look: str) -> None:
        """The heading: what happens, and what to look at."""
        self.acts += 1
        self.console.print()
        self.console.print(
            Text.assemble((f"{self.acts}. {title}", "bold cyan"), (f"  {look}", "cyan")),
            soft_wrap=True,
        )

    def command(self, line: str) -> None:
        """A command as a user would type it."""
        self.console.print(Text.assemble(("$ ", "bold green"), (line, "bold")), soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """Some lines, each left as long as it is."""
        self.console.print(Text.from_ansi(text, style=style), soft_wrap=True)

    def code(self, text: str, language: str) -> None:
        """Source code."""
        highlighted = Syntax("", language, theme=THEME, background_color="default").highlight(text)
        highlighted.rstrip()
        self.console.print(highlighted, soft_wrap=True)

    def run(self, line: str, *, exit_code: int = 0, show: bool = True) -> str:
        """Shows a command, runs it, shows what it printed; gives that back without colours."""
        self.command(line)
        program, *arguments = shlex.split(line)
        assert self.server.bindir is not None
        programs = {
            "alembic": [sys.executable, "-m", "alembic"],
            "alembic-fixups": [str(BIN / "alembic-fixups")],
            "python": [sys.executable],
            "psql": [str(self.server.bindir / "psql"), "-X"],
        }
        done = subprocess.run(
            [*programs[program], *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output = done.stdout.replace(f"{self.folder}/", "")
        plain = Text.from_ansi(output).plain
        expect(
            done.returncode == exit_code,
            f"{line}: exit code {done.returncode} in place of {exit_code}\n{plain}",
        )
        said = [one for one in output.splitlines() if not one.startswith("INFO")]
        if show and said:
            self.say("\n".join(said).strip("\n"))
        return plain

    def psql(self, query: str, *, exit_code: int = 0) -> str:
        """Runs a query as `run` does."""
        return self.run(f'psql -c "{query}"', exit_code=exit_code)

    def revisions(self) -> list[Path]:
        """The revisions that were generated here."""
        return sorted((self.folder / "alembic" / "versions").glob("*_tenant_keys.py"))


def build(stage: Stage) -> None:
    """The database as years of migrations and careless writes have left it."""
    stage.act(
        "The sample application as it is.",
        "87 old revisions, some 5,000 rows, 12 of them in a wrong tenant.",
    )
    output = stage.run("alembic upgrade head")
    count = output.count("Running upgrade")
    expect(count == 87, f"{count} revisions applied")
    stage.say(f"{count} revisions applied.")
    output = stage.run("python seed.py")
    for table, number in VIOLATIONS.items():
        expect(re.search(rf"\b{number} of \d+ rows in {table} break", output), f"seed.py, {table}")


def switch_on(stage: Stage) -> None:
    """The plugin's name in env.py and its settings in pyproject.toml."""
    stage.act(
        "alembic-fixups init switches the plugin on.",
        "It edits env.py, and finds the two tenant levels in the models.",
    )
    output = stage.run("alembic-fixups init --yes")
    expect('autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"]' in output, "env.py")
    for table, column in (
        ("client_accounts", "client_account_id"),
        ("engagements", "engagement_id"),
    ):
        level = rf'table = "migration\.{table}", column = "{column}"'
        expect(re.search(level, output), f"the level {table} is inferred")


def check(stage: Stage) -> None:
    """The differences as a report."""
    stage.act(
        "alembic-fixups check is the report for CI.",
        "Exit code 1, one difference a table, and three warnings that need a person.",
    )
    output = stage.run("alembic-fixups check", exit_code=1, show=False)
    differences, *warnings = output.strip().split("\nwarning  ")
    first, second, third, *others = differences.strip().split("•")
    stage.say("•".join([first, second, third]).rstrip())
    stage.say(f"  … {len(others)} more\n", "dim")
    stage.say("\n".join(f"warning  {warning}" for warning in warnings), "yellow")
    expect("24 differences, 3 warnings." in output, "24 differences, 3 warnings")
    expect("migration.report_snapshots" in output, "a table without the client is reported")


def generate(stage: Stage) -> None:
    """The migration, its head and what it does for one table."""
    stage.act(
        "Autogenerate writes the migration.",
        f"Its head, then all it does for {CHILD}: plain SQL, each step with its locks.",
    )
    output = stage.run('alembic revision --autogenerate -m "tenant keys"', show=False)
    stage.say(output.splitlines()[-1])  # the warnings before it have just been shown
    [path] = stage.revisions()
    source = path.read_text()
    expect("drop_table" not in source, "no live table is dropped")
    expect("import alembic_fixups" not in source, "the migration stands on its own")

    head, _, _ = source.partition("    # tenant-keys looks at")
    expect(len(head.splitlines()) < 40, "the looks come first")
    stage.code(head.rstrip(), "python")
    changes = source[source.index("    # tenant-keys makes these changes:") :]
    changes, _, _ = changes.partition("    with op.get_context()")
    start, first, second, *others = changes.rstrip().split("\n    # - ")
    expect(len(others) == 22, "the head names every change")
    stage.code("\n    # - ".join([start, first, second]), "python")
    stage.say(f"    # … {len(others)} more\n", "dim")

    shown = [step for step in steps(source) if concerns(step)]
    text = "\n\n".join(shown)
    stage.code(text, "postgresql")
    for statement in (
        "CREATE UNIQUE INDEX CONCURRENTLY",
        "UNIQUE USING INDEX",
        "CREATE INDEX CONCURRENTLY",
        "NOT VALID",
        "VALIDATE CONSTRAINT",
        "DROP CONSTRAINT",
    ):
        expect(statement in text, f"the migration has {statement}")


def steps(source: str) -> Iterator[str]:
    """Each ``op.execute()`` of a revision's upgrade: the comment above it, then its SQL."""
    lines = source.splitlines()
    module = ast.parse(source)
    [upgrade] = [
        node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    calls = [
        node
        for node in ast.walk(upgrade)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "op.execute"
    ]
    for call in sorted(calls, key=lambda node: node.lineno):
        first = call.lineno - 1
        while lines[first - 1].lstrip().startswith("#"):
            first -= 1
        comment = [line.strip().replace("#", "--", 1) for line in lines[first : call.lineno - 1]]
        sql = textwrap.dedent(ast.literal_eval(call.args[0])).strip()
        yield "\n".join([*comment, sql])


def concerns(step: str) -> bool:
    """Whether a step is for the key that is shown: of its child, or the parent's unique key."""
    comment = "\n".join(line for line in step.splitlines() if line.startswith("--"))
    child = re.search(rf"{re.escape(CHILD)}\b", comment)  # but not the look at all tables
    return bool(child) or f"-- {PARENT}:" in comment


def refuse(stage: Stage) -> None:
    """The upgrade stops at rows that are wrong."""
    stage.act(
        "The upgrade refuses to go over wrong rows.",
        "It names the table, the number, sample keys, and the query that finds them all.",
    )
    output = stage.run("alembic upgrade head", exit_code=1, show=False)
    # The driver's own message, without the Python traceback that Alembic leaves around it.
    found = re.search(r"ForeignKeyViolationError: (.*?)\n\n", output, re.DOTALL)
    message = found[1] if found else output
    stage.say(message, "red")
    for table, number in VIOLATIONS.items():
        expect(f"migration.{table}: {number} row(s)" in message, f"table and number of {table}")
    samples = sum(min(number, 5) for number in VIOLATIONS.values())
    expect(len(re.findall(r"\([0-9a-f-]{36}\)", message)) == samples, "five keys a table at most")
    expect(f"SELECT c.* FROM ONLY {CHILD}" in message, "the query")
    expect("Traceback" not in message, "no traceback")
    output = stage.run("alembic current")
    expect("cf0f4fc4d801" in output, "the database is at its old head")


def quarantine(stage: Stage) -> None:
    """The same migration with the wrong rows moved aside."""
    stage.act(
        'With violations = "quarantine" the migration moves them aside.',
        "All 12 rows are in tables of their own, with the time and the reason.",
    )
    settings = stage.folder / "pyproject.toml"
    abort, moved = 'violations = "abort"', 'violations = "quarantine"'
    stage.command(f"sed -i 's/{abort}/{moved}/' pyproject.toml")
    text = settings.read_text()
    expect(abort in text, "init proposes to abort")
    settings.write_text(text.replace(abort, moved))
    [old] = stage.revisions()
    stage.command(f"rm {old.relative_to(stage.folder)}")
    old.unlink()
    stage.run('alembic revision --autogenerate -m "tenant keys"', show=False)
    stage.run("alembic upgrade head")
    output = stage.psql(MOVED_ROWS)
    expect_rows(output, VIOLATIONS)


def expect_rows(output: str, numbers: dict[str, int]) -> None:
    """Checks a table that psql printed: the number beside each name."""
    for table, number in numbers.items():
        expect(re.search(rf"^ {table} +\| +{number}\b", output, re.MULTILINE), f"{table}: {number}")


def insert(stage: Stage) -> None:
    """What could be written until now cannot any more."""
    stage.act(
        "An INSERT across tenants fails now.",
        "Kestrel Bank's server in another client's engagement: PostgreSQL says no.",
    )
    output = stage.psql(CROSS_TENANT_INSERT, exit_code=1)
    expect("fk_assets_client_account_id_engagement_id" in output, "the new key refuses it")


def converge(stage: Stage) -> None:
    """Nothing is left to do."""
    stage.act("Autogenerate again.", "Nothing: upgrade() is `pass`, and check exits with 0.")
    stage.run('alembic revision --autogenerate -m "nothing left"', show=False)
    [path] = (stage.folder / "alembic" / "versions").glob("*_nothing_left.py")
    source = path.read_text()
    body = source[source.index("def upgrade") : source.index("def downgrade")].strip()
    stage.code(body, "python")
    path.unlink()
    expect("    pass\n" in body and "op." not in body, "nothing is left to do")
    output = stage.run("alembic-fixups check --json", show=False)
    report = json.loads(output)
    findings = f"… {len(report['findings'])} warnings, as before …"
    stage.say(f'{{\n  "differences": {report["differences"]},\n  "findings": [{findings}]\n}}')
    expect(report["differences"] == [], "check finds no difference")


def take_back(stage: Stage, before: str) -> None:
    """The downgrade restores the rows, too."""
    stage.act("The downgrade takes it all back.", "The 12 rows are where they were.")
    stage.run("alembic downgrade -1")
    output = stage.psql(WRONG_ROWS)
    expect_rows(output, VIOLATIONS)
    expect(contents(stage) == before, "every row is as it was")
    stage.say("Every value of every row in these tables is as it was before the upgrade.", "green")


def contents(stage: Stage) -> str:
    """All rows of the tables in question as one text."""
    url = stage.server.url.set(database=stage.environment["PGDATABASE"])
    queries = [f"SELECT t::text FROM migration.{table} t ORDER BY 1" for table in VIOLATIONS]
    with scratch.connect(url) as connection:
        return "\n".join(str(connection.execute(query).fetchall()) for query in queries)


def play(stage: Stage) -> None:
    """All acts."""
    build(stage)
    before = contents(stage)
    switch_on(stage)
    check(stage)
    generate(stage)
    refuse(stage)
    quarantine(stage)
    insert(stage)
    converge(stage)
    take_back(stage, before)


def environment(console: Console, server: scratch.Server, database: str) -> dict[str, str]:
    """What the commands find in their environment: the database, and whether to use colours."""
    url = server.url.set(database=database)
    host, port = str(url.query["host"]), str(url.query["port"])
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "DATABASE_URL": url.render_as_string(hide_password=False),
        **{"PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": database},
        "PAGER": "cat",
        "COLUMNS": str(console.width),
        **({"FORCE_COLOR": "1"} if console.is_terminal else {}),
    }


def main() -> int:
    """Plays the demo; the exit code is 1 where something is not as it says."""
    console = Console(highlight=False)
    started = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fleetshift-") as folder,
            scratch.embedded(16) as server,
            scratch.database(server, prefix="fleetshift") as url,
        ):
            copy = Path(folder).resolve() / "fleetshift"
            shutil.copytree(SAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "demo.py"))
            assert url.database is not None
            play(Stage(console, copy, server, environment(console, server, url.database)))
    except (Surprise, scratch.ScratchError) as error:
        console.print(Text(f"\nThis is not as it should be: {error}", "bold red"), soft_wrap=True)
        return 1
    seconds = time.monotonic() - started
    console.print(Text(f"\nAll of it as it should be, in {seconds:.0f} seconds.", "bold green"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
