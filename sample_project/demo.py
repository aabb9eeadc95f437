"""The whole story of the fixups, on this sample application: ``make demo``.

Works on a copy in a temporary folder, with a PostgreSQL server that is gone afterwards. What is
shown is also checked: the exit code is 1 where anything is not as the headings say.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from alembic_fixups import scratch
from rich.console import Console
from rich.text import Text

from demo_stage import Stage, Surprise, environment, expect, expect_rows, operations, steps

SAMPLE = Path(__file__).resolve().parent
HEAD = "e4db4e566ae8"

# What is in public, and with how many rows.
STRAYS = {"integrations": 24, "integration_events": 72}
STRAY_ROWS = """SELECT 'integrations' AS name, count(*) AS rows FROM migration.integrations
UNION ALL
SELECT 'integration_events', count(*) FROM migration.integration_events
UNION ALL
SELECT 'data_imports with one', count(*)
  FROM migration.data_imports JOIN migration.integrations i ON i.id = integration_id
UNION ALL
SELECT 'events in the view', sum(events) FROM migration.v_integration_activity"""
STRAY_TABLES = """SELECT tablename AS name, schemaname AS schema FROM pg_tables
 WHERE tablename LIKE 'integration%'"""
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
EMBEDDING = """
[tool.alembic-fixups.vector-dimension.columns."migration.agent_discovered_patterns.embedding"]
data = "reembed"
source = "SELECT id, pattern_name || ': ' || description FROM migration.agent_discovered_patterns"
embedder = "app.embeddings:embed"
"""
PATTERNS, EMBEDDED = 120, 108  # every tenth has no vector
VECTORS = """SELECT 'in the column' AS vectors, count(embedding)
  FROM migration.agent_discovered_patterns
UNION ALL
SELECT 'in the archive', count(*) FROM migration.{archive}"""
CROSS_TENANT_INSERT = """INSERT INTO migration.assets
       (client_account_id, engagement_id, name, asset_type)
SELECT kestrel.id, theirs.id, 'stray server', 'server'
  FROM migration.client_accounts kestrel, migration.engagements theirs
 WHERE kestrel.name = 'Kestrel Bank' AND theirs.client_account_id <> kestrel.id
 LIMIT 1"""


def build(stage: Stage) -> None:
    """The database as years of migrations and careless writes have left it."""
    stage.act(
        "The sample application as it is.",
        "90 old revisions, some 5,000 rows, 12 of them in a wrong tenant, two tables in public.",
    )
    output = stage.run("alembic upgrade head")
    count = output.count("Running upgrade")
    expect(count == 90, f"{count} revisions applied")
    stage.say(f"{count} revisions applied.")
    output = stage.run("python seed.py")
    for table, number in VIOLATIONS.items():
        expect(re.search(rf"\b{number} of \d+ rows in {table} break", output), f"seed.py, {table}")


def stock(stage: Stage) -> None:
    """What Alembic writes by itself."""
    stage.act(
        "Stock Alembic would drop everything.",
        "env.py sets the search_path, so all tables look foreign; those in public get empty twins.",
    )
    path, _ = stage.autogenerate("stock")
    source = path.read_text()
    counts = operations(source)
    stage.say(", ".join(f"{number} {name}()" for name, number in counts.most_common()))
    lines = [line for line in source.splitlines() if re.search(r"_table\('integrations'", line)]
    stage.code("\n".join(lines[:2]), "python")
    expect(counts["op.drop_table"] == 36, "35 tables and alembic_version would go")
    expect("op.create_table('integrations'" in lines[0], "an empty twin is made")
    expect("op.drop_table('integrations')" in lines[1], "the table with the rows goes")
    stage.remove(path)


def switch_on(stage: Stage) -> None:
    """The plugin's name in env.py and its settings in pyproject.toml."""
    stage.act(
        "alembic-fixups init switches the plugin on.",
        "It edits env.py, and finds the schema and the two tenant levels in the models.",
    )
    output = stage.run("alembic-fixups init --yes")
    expect('autogenerate_plugins=["alembic.autogenerate.*", "alembic_fixups"]' in output, "env.py")
    expect('schema = "migration"' in output, "the schema is inferred")
    expect_levels(output)


def expect_levels(output: str) -> None:
    """Checks that init found the tenant levels."""
    for table, column in (
        ("client_accounts", "client_account_id"),
        ("engagements", "engagement_id"),
    ):
        level = rf'table = "migration\.{table}", column = "{column}"'
        expect(re.search(level, output), f"the level {table} is inferred")


def refuse_twins(stage: Stage) -> None:
    """Without a word about public nothing is moved, and nothing created in its place."""
    stage.act(
        "schema-prefix makes no empty twins.",
        "First the schemas: the tenant keys wait. The tables in public are found, and named.",
    )
    stage.settings("/tenant-keys/,$d", lambda text: text[: text.index("[tool.alembic-fixups.t")])
    output = stage.run("alembic-fixups check", exit_code=2, show=False)
    stage.say(output.strip(), "red")
    said = " ".join(output.split())  # on a terminal lines are wrapped
    for table in STRAYS:
        expect(f"public.{table} has the columns of the model migration.{table}" in said, table)


def move(stage: Stage) -> None:
    """The tables go where the models have them."""
    stage.act(
        'With move-from = ["public"] they move, with all they have.',
        "The whole upgrade is a look and a move; then the rows, and what refers to them, by psql.",
    )
    stage.settings(
        '/^schema =/a move-from = ["public"]',
        lambda text: re.sub("^schema = .*\n", r'\g<0>move-from = ["public"]\n', text, flags=re.M),
    )
    path, output = stage.autogenerate("schema prefix")
    stage.say(output.splitlines()[-1])
    source = path.read_text()
    expect(set(operations(source)) == {"op.execute"}, "none of Alembic's own operations")
    changes = source[source.index("    # schema-prefix makes these changes:") :]
    changes, _, _ = changes.partition("    with op.get_context()")
    expect(changes.count("\n    # - ") == 3, "a type and two tables")
    stage.code(changes.rstrip(), "python")
    look, moving = steps(source)
    for step in (look, moving):
        comment, _, sql = step.partition("\nDO ")
        stage.code(f"\n{comment}", "postgresql")
        stage.say(f"… {len(sql.splitlines())} lines of SQL", "dim")
    expect("SET SCHEMA" in moving and "SET SCHEMA" not in look, "the second one moves")

    stage.run("alembic upgrade head")
    output = stage.psql(STRAY_ROWS)
    expect_rows(output, STRAYS | {"data_imports with one": 12, "events in the view": 72})
    output = stage.run("alembic-fixups check")
    expect("No differences." in output, "nothing else differs")


def switch_on_again(stage: Stage) -> None:
    """The settings of the tenant keys, which waited."""
    stage.act("Now the tenant keys.", "init adds what is not there, and leaves the rest.")
    output = stage.run("alembic-fixups init --yes")
    expect("env.py" not in output, "env.py stays as it is")
    expect_levels(output)


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
    expect("25 differences, 3 warnings." in output, "25 differences, 3 warnings")
    expect("migration.report_snapshots" in output, "a table without the client is reported")


def generate(stage: Stage) -> None:
    """The migration, its head and what it does for one table."""
    stage.act(
        "Autogenerate writes the migration.",
        f"Its head, then all it does for {CHILD}: plain SQL, each step with its locks.",
    )
    path, output = stage.autogenerate("tenant keys")
    stage.say(output.splitlines()[-1])  # the warnings before it have just been shown
    source = path.read_text()
    expect("drop_table" not in source, "no live table is dropped")
    expect("import alembic_fixups" not in source, "the migration stands on its own")

    head, _, _ = source.partition("    # tenant-keys looks at")
    expect(len(head.splitlines()) < 40, "the looks come first")
    stage.code(head.rstrip(), "python")
    changes = source[source.index("    # tenant-keys makes these changes:") :]
    changes, _, _ = changes.partition("    with op.get_context()")
    start, first, second, *others = changes.rstrip().split("\n    # - ")
    expect(len(others) == 23, "the head names every change")
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
    before = stage.revision("schema prefix").name.split("_")[3]
    expect(before in output, "the database is at the revision before")


def quarantine(stage: Stage) -> None:
    """The same migration with the wrong rows moved aside."""
    stage.act(
        'With violations = "quarantine" the migration moves them aside.',
        "All 12 rows are in tables of their own, with the time and the reason.",
    )
    abort, aside = 'violations = "abort"', 'violations = "quarantine"'
    stage.settings(f"s/{abort}/{aside}/", lambda text: text.replace(abort, aside))
    stage.remove(stage.revision("tenant keys"))
    stage.autogenerate("tenant keys")
    stage.run("alembic upgrade head")
    output = stage.psql(MOVED_ROWS)
    expect_rows(output, VIOLATIONS)


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
    path, _ = stage.autogenerate("nothing left")
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


def rewrite(stage: Stage) -> None:
    """The model files say what the database has."""
    stage.act(
        "alembic-fixups codemod writes the same into the model files.",
        "The key, its index, foreign_keys= on both sides; then there is still no difference.",
    )
    diff = stage.run("alembic-fixups codemod --diff", show=False)
    start = diff.index("--- app/models/assessments.py")
    stage.code("\n".join(diff[start:].splitlines()[:34]) + "\n ...", "diff")
    output = stage.run("alembic-fixups codemod")
    expect("Wrote app/models/assessments.py" in output, "the models are rewritten")
    output = stage.run("alembic-fixups codemod --check")
    expect("as they ought to be" in output, "a second run changes nothing")
    stage.run("alembic-fixups check --json", show=False)


def embed(stage: Stage) -> None:
    """A column of vectors gets the dimension of another embedding model."""
    stage.act(
        "Another embedding model: Vector(1536) becomes Vector(1024).",
        "The old vectors are kept; new ones are made from what the settings say.",
    )
    stage.edit(
        "app/models/agents.py",
        "s/Vector(1536)/Vector(1024)/",
        lambda text: text.replace("Vector(1536)", "Vector(1024)"),
    )
    stage.command(f"cat >> pyproject.toml <<END{EMBEDDING}END")
    settings = stage.folder / "pyproject.toml"
    settings.write_text(settings.read_text().rstrip() + "\n" + EMBEDDING)
    path, _ = stage.autogenerate("fewer dimensions")
    source = path.read_text()
    changes = source[source.index("    # vector-dimension makes these changes:") :]
    changes, _, _ = changes.partition("    with op.get_context()")
    stage.code(changes.rstrip(), "python")
    archive = re.search(r"migration\.(fixup_archive_\w+)", source)
    assert archive is not None
    vectors = VECTORS.format(archive=archive[1])
    stage.run("alembic upgrade head")
    output = stage.psql(vectors)
    expect_rows(output, {"in the column": 0, "in the archive": EMBEDDED})

    stage.act(
        "alembic-fixups reembed fills the column.",
        "Batch by batch, and on from there if it is stopped. Then come the index and NOT NULL.",
    )
    stage.run("alembic-fixups reembed")
    output = stage.psql(vectors)
    expect_rows(output, {"in the column": PATTERNS, "in the archive": EMBEDDED})
    output = stage.run("alembic-fixups vectors")
    expect("vector(1536)" in output, "the archive is listed")
    output = stage.run("alembic-fixups check", show=False)
    expect("No differences" in output, "nothing else differs")
    stage.say(output.strip().splitlines()[-1])


def take_back(stage: Stage, before: str) -> None:
    """The downgrades restore the rows, too."""
    stage.act(
        "The downgrades take it all back.",
        "The old vectors, the 12 rows and the two tables are where they were.",
    )
    stage.run(f"alembic downgrade {HEAD}")
    output = stage.psql(WRONG_ROWS)
    expect_rows(output, VIOLATIONS)
    output = stage.psql(STRAY_TABLES)
    expect(output.count("| public") == len(STRAYS), "the tables are in public")
    expect(contents(stage) == before, "every row is as it was")
    stage.say("Every value of every row in these tables is as it was before the upgrade.", "green")


def squash(stage: Stage) -> None:
    """Ninety revisions become one."""
    stage.act(
        "alembic-fixups squash folds the 90 old revisions into one.",
        "It has the id of the last of them, so the database has nothing to do.",
    )
    output = stage.run(f"alembic-fixups squash --to {HEAD}")
    expect("equal in schema, rows, sequences and autogenerate" in output, "it is proven equal")
    files = sorted((stage.folder / "alembic" / "versions").glob("*.py"))
    [snapshot] = [path for path in files if HEAD in path.name]
    source = snapshot.read_text()
    start = source.index("    # Foreign keys\n")
    stage.code("\n".join(source[start:].splitlines()[:14]) + "\n    ...", "python")
    expect(len(files) < 10, "the old files are gone")
    output = stage.run("alembic current")
    expect(HEAD in output, "the database is where it was")
    stage.run("alembic-fixups squash --undo")
    count = len(list((stage.folder / "alembic" / "versions").glob("*.py")))
    expect(count == len(files) + 89, "all files are back")


def contents(stage: Stage) -> str:
    """All rows of the tables in question as one text."""
    url = stage.server.url.set(database=stage.environment["PGDATABASE"])
    tables = (*VIOLATIONS, *STRAYS, "agent_discovered_patterns")
    queries = [f"SELECT t::text FROM {table} t ORDER BY 1" for table in tables]
    with scratch.connect(url) as connection:
        connection.execute("SET search_path TO migration, public")
        return "\n".join(str(connection.execute(query).fetchall()) for query in queries)


def play(stage: Stage) -> None:
    """All acts."""
    build(stage)
    before = contents(stage)
    stock(stage)
    switch_on(stage)
    refuse_twins(stage)
    move(stage)
    switch_on_again(stage)
    check(stage)
    generate(stage)
    refuse(stage)
    quarantine(stage)
    insert(stage)
    converge(stage)
    rewrite(stage)
    embed(stage)
    take_back(stage, before)
    squash(stage)


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
            shutil.copytree(SAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "demo*.py"))
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
