"""Online over what nobody expects: names taken, runs cut short, others at work, odd settings."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from tests.fixups.enum_check.cases import settings
from tests.laws import snapshot
from tests.projects import Project

pytestmark = pytest.mark.postgres(16)

Connection = psycopg.Connection[tuple[Any, ...]]

ROOT = Path(__file__).parents[3]

# Each is in the statements of one step only.
FILL = "CALL pg_temp.fixup_fill("
CHECKS, SWAP = "PERFORM pg_temp.fixup_guard(", "PERFORM pg_temp.fixup_exchange("

TABLE = """
metadata = MetaData()
t = Table("t", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
          Column("status", Enum({labels}, name="mood"), nullable={null}, index={index}){more})
"""


def table(
    *labels: str, null: bool = True, index: bool = False, more: str = "", then: str = ""
) -> str:
    """Models of one table with an enum column."""
    listed = ", ".join(map(repr, labels or "abc"))
    more = f", {more}" if more else ""
    return TABLE.format(labels=listed, null=null, index=index, more=more) + then


@dataclass
class Database:
    """A project on a database that its models and some SQL made."""

    project: Project
    server: scratch.Server
    connection: Connection

    def execute(self, script: str) -> None:
        """Runs statements."""
        self.connection.execute(script)

    def values(self, query: str) -> list[Any]:
        """What a query of one column gives."""
        return [row[0] for row in self.connection.execute(query)]

    def snapshot(self) -> tuple[str, list[str]]:
        """Everything that is in it."""
        return snapshot.both(self.server, self.project.url)

    def columns(self) -> dict[str, str]:
        """The columns of the table, each with its type."""
        return dict(
            self.connection.execute(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped"
            ).fetchall()
        )

    def left_over(self) -> list[str]:
        """What only an upgrade in the middle has."""
        return self.values(
            "SELECT tgname FROM pg_trigger WHERE tgname LIKE '%fixup%'"
            " UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'fixup_keep%'"
            " UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'fixup%'"
            " UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'fixup_new%'"
            " UNION ALL SELECT attname FROM pg_attribute WHERE attname LIKE 'fixup_new%'"
            "   AND NOT attisdropped AND attrelid = 't'::regclass"
        )

    def revise(self) -> str:
        """A revision; gives its upgrade."""
        return self.project.autogenerate().split("def upgrade")[1].split("def downgrade")[0]

    def stopped(self, at: str = SWAP) -> None:
        """An upgrade that ends before a step."""
        with pytest.raises(Stopped), before_statement(at, stop):
            self.project.upgrade()
        self.end_sessions()

    def refused(self) -> str:
        """The message with which the upgrade stops."""
        with pytest.raises(DBAPIError) as caught:
            self.project.upgrade()
        self.end_sessions()
        return str(caught.value.orig)

    def end_sessions(self) -> None:
        """Ends what a process that ends would; the engine of env.py keeps its connection."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def refused_unchanged(self) -> str:
        """The same, and nothing has been changed."""
        self.revise()
        before = self.snapshot()
        message = self.refused()
        assert self.snapshot() == before
        return message

    def give_up(self) -> None:
        """Throws the revision away."""
        for path in (self.project.folder / "migrations" / "versions").glob("*.py"):
            path.unlink()

    def is_done(self) -> None:
        """It is converted, the application writes, and nothing is left to do or to clear away."""
        assert self.columns()["status"] in ("character varying(63)", "text")
        assert self.left_over() == []
        assert self.project.is_converged()
        self.execute("INSERT INTO t (id, status) VALUES (9000, 'b')")


Make = Callable[..., Database]


@pytest.fixture
def make(tmp_path: Path, server: scratch.Server, connection: Connection) -> Make:
    """Gives a project on a database of its own."""

    def made(models: str, setup: str = "", *, strategy: str = "online") -> Database:
        url = server.url.set(database=connection.info.dbname)
        project = Project.make(tmp_path / "project", url, models, settings(strategy))
        project.create_all()
        database = Database(project, server, connection)
        if setup:
            database.execute(setup)
        return database

    return made


class Stopped(Exception):
    """Raised in the middle of a migration."""


def stop() -> None:
    raise Stopped


@contextmanager
def before_statement(part: str, do: Callable[[], object]) -> Iterator[None]:
    """Calls *do* before the first statement that has *part* in it."""
    done: list[str] = []

    def look(own: Any, cursor: Any, statement: str, *_: Any) -> None:
        if part in statement and not done:
            done.append(statement)
            do()

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert done, part


ONE = "INSERT INTO t VALUES (1, 'a')"
MANY = "INSERT INTO t SELECT n, 'a' FROM generate_series(1, 5000) AS n"
CANNOT = "t cannot be changed while writes go on, for it has"


# Names that are taken


def test_a_column_of_the_successors_name_is_refused_and_keeps_its_values(make: Make) -> None:
    database = make(
        table(more='Column("fixup_new_status", Text)'), "INSERT INTO t VALUES (1, 'a', 'precious')"
    )
    message = database.refused_unchanged()
    assert CANNOT in message
    assert "a column of the name that the successor has: fixup_new_status" in message
    assert database.values("SELECT fixup_new_status FROM t") == ["precious"]


@pytest.mark.parametrize("strategy", ["online", "rewrite"])
def test_a_constraint_of_the_checks_name_is_refused(make: Make, strategy: str) -> None:
    setup = f"{ONE}; ALTER TABLE t ADD CONSTRAINT ck_t_status CHECK (id > 0)"
    database = make(table(), setup, strategy=strategy)
    assert "t has a constraint ck_t_status already" in database.refused_unchanged()


VARIABLES = (
    "page pages told others attempts is_not_null body found label rows one swapped renamed problems"
)


def test_columns_that_are_called_as_variables_of_the_steps(make: Make) -> None:
    columns = ", ".join(
        f'Column("{name}", Enum("a", "b", name="mood"), nullable=False)'
        for name in VARIABLES.split()
    )
    database = make(table("a", "b", more=columns))
    names = ["id", "status", *VARIABLES.split()]
    listed = ", ".join(["1", *["'a'"] * (len(names) - 1)])
    database.execute(f"INSERT INTO t ({', '.join(names)}) VALUES ({listed})")
    before = database.snapshot()
    database.revise()
    database.project.upgrade()
    assert set(database.columns().values()) == {"integer", "character varying(63)"}
    assert database.left_over() == []
    assert database.project.is_converged()
    database.project.downgrade("base")
    assert sorted(database.snapshot()[1]) == sorted(before[1])


@pytest.mark.parametrize("name", ["page", "label", "rows", "fixup_page"])
def test_other_columns_that_are_called_as_variables_of_the_steps(make: Make, name: str) -> None:
    setup = "INSERT INTO t VALUES (1, 'a', '7'); ALTER TYPE mood ADD VALUE 'unlisted'"
    database = make(table(more=f'Column("{name}", Text)'), setup)
    database.revise()
    database.project.upgrade()
    assert database.values(f"SELECT {name} FROM t") == ["7"]
    database.is_done()
    database.project.downgrade("base")
    assert database.columns()["status"] == "mood"


# What would go wrong later is refused before anything is changed


TOUCH = (
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER {name} BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();"
)


def test_triggers_that_are_enabled_always_are_refused(make: Make) -> None:
    database = make(
        table(), TOUCH.format(name="touch") + "ALTER TABLE t ENABLE ALWAYS TRIGGER touch"
    )
    message = database.refused_unchanged()
    assert "triggers that would fire as the rows are filled: touch" in message


def test_triggers_of_replicas_are_refused_where_the_fill_would_be_one(make: Make) -> None:
    replica = "ALTER TABLE t ENABLE REPLICA TRIGGER touch;"
    database = make(table(), TOUCH.format(name="touch") + replica)
    database.execute(
        "CREATE TRIGGER plain BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    assert "as the rows are filled: touch" in database.refused_unchanged()
    database.execute("DROP TRIGGER plain ON t")
    database.project.upgrade()
    database.is_done()


@pytest.mark.parametrize("does", ["ALSO DELETE FROM log", "INSTEAD NOTHING"])
def test_rules_on_update_are_refused(make: Make, does: str) -> None:
    log = 'Table("log", metadata, Column("id", Integer))'
    database = make(table(then=log), f"{ONE}; CREATE RULE r AS ON UPDATE TO t DO {does}")
    assert "rules on UPDATE, which the filling of the rows would set off: r" in (
        database.refused_unchanged()
    )


def test_a_trigger_that_fires_after_ours_is_refused(make: Make) -> None:
    database = make(table(), f"{ONE}; " + TOUCH.format(name='"\u00e9clair"'))
    assert "triggers that fire after the one that fills the successor" in (
        database.refused_unchanged()
    )


def test_a_publication_without_an_identity_is_refused(make: Make) -> None:
    models = table().replace(", primary_key=True, autoincrement=False", "")
    database = make(models, f"{ONE}; CREATE PUBLICATION p FOR ALL TABLES")
    assert "a publication that has no replica identity" in database.refused_unchanged()
    database.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    database.project.upgrade()
    database.is_done()


OF_MOOD = "CREATE FUNCTION ok(mood) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';"


def test_a_check_with_a_function_of_the_enum_leaves_the_column_as_it_is(make: Make) -> None:
    database = make(table(), f"{ONE}; {OF_MOOD} ALTER TABLE t ADD CONSTRAINT k CHECK (ok(status))")
    with collect_runs() as runs:
        assert "op.alter_column" not in database.revise()
    assert [finding.code for finding in runs[0].findings] == ["dependents"]
    assert "function public.ok(public.mood)" in runs[0].findings[0].message
    database.project.upgrade()
    assert database.columns()["status"] == "mood"


def test_such_a_check_that_the_revision_does_not_know_is_refused(make: Make) -> None:
    database = make(table(), f"{ONE}; {OF_MOOD}")
    database.revise()
    database.execute("ALTER TABLE t ADD CONSTRAINT k CHECK (ok(status))")
    before = database.snapshot()
    message = database.refused()
    assert "t.status could not be made again as it is: constraint k on table public.t" in message
    assert database.snapshot() == before


@pytest.fixture
def role(server: scratch.Server) -> Iterator[str]:
    """A role that may do nothing yet; takes part in databases that are gone before it."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    with scratch.connect(server.url) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_role_that_would_fire_the_triggers_is_refused_and_no_trigger_is_left(
    role: str, make: Make
) -> None:
    database = make(table(), f"{ONE}; " + TOUCH.format(name="touch"))
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; ALTER TABLE t OWNER TO {role};"
        f"ALTER TYPE mood OWNER TO {role}"
    )
    database.project = replace(database.project, url=database.project.url.set(username=role))
    try:
        assert "take a role that may set session_replication_role" in database.refused_unchanged()
        database.execute("DROP TRIGGER touch ON t")
        database.project.upgrade()
        database.is_done()
    finally:
        database.execute(f"DROP OWNED BY {role} CASCADE")


def test_all_that_stands_in_the_way_is_said_at_once(make: Make) -> None:
    database = make(
        table(more='Column("fixup_new_status", Text)'),
        f"CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING; {TOUCH.format(name='touch')}"
        "ALTER TABLE t ENABLE ALWAYS TRIGGER touch; ALTER TABLE t REPLICA IDENTITY NOTHING;"
        "CREATE PUBLICATION p FOR TABLE t",
    )
    message = database.refused_unchanged()
    for said in ("a column of the name", "triggers that would fire", "rules on", "a publication"):
        assert f"\n  {said}" in message


# Changed by others between two runs


@pytest.mark.parametrize("strategy", ["online", "auto"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again"])
def test_an_index_that_takes_nulls_for_equal_is_not_built_over_an_empty_successor(
    make: Make, strategy: str, again: bool
) -> None:
    index = 'Index("ux", t.c.u, t.c.status, unique=True, postgresql_nulls_not_distinct=True)'
    setup = "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 1)"
    database = make(table(more='Column("u", Integer)', then=index), setup, strategy=strategy)
    database.revise()

    def write() -> None:
        database.execute("INSERT INTO t VALUES (3, NULL, 1)")

    with before_statement(SWAP, write):
        database.project.upgrade()
    if again:
        database.project.stamp("base")
        database.project.upgrade()
    database.is_done()
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("INSERT INTO t (id, status, u) VALUES (4, NULL, 1)")


def test_not_null_that_is_set_between_two_runs_is_kept(make: Make) -> None:
    database = make(table(), ONE)
    database.revise()
    database.stopped()
    database.execute("ALTER TABLE t ALTER status SET NOT NULL")
    database.project.upgrade()
    with pytest.raises(psycopg.errors.NotNullViolation):
        database.execute("INSERT INTO t VALUES (2, NULL)")
    assert database.left_over() == []


def test_a_check_that_is_dropped_between_two_runs_does_not_come_back(make: Make) -> None:
    database = make(table(), f"{ONE}; ALTER TABLE t ADD CONSTRAINT mine CHECK (status <> 'c')")
    database.revise()
    database.stopped()
    database.execute("ALTER TABLE t DROP CONSTRAINT mine")
    database.project.upgrade()
    database.execute("INSERT INTO t VALUES (2, 'c')")
    database.is_done()


def test_an_index_that_is_not_valid_is_not_swapped_in(make: Make) -> None:
    database = make(table(index=True), ONE)
    database.revise()

    def invalidate() -> None:
        database.execute(
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'fixup_new_ix_t_status'::regclass"
        )

    with before_statement(SWAP, invalidate):
        message = database.refused()
    assert "run the upgrade again" in message
    assert database.columns()["status"] == "mood"
    database.project.upgrade()
    database.is_done()
    assert database.values("SELECT indisvalid FROM pg_index WHERE indrelid = 't'::regclass") == [
        True,
        True,
    ]


# Given up in the middle, and begun anew by another revision


RENAMES = '[tool.alembic-fixups.enum-check.renames."*"]\na = "z"'

ANOTHER = {
    "value_added": (table(*"abcd"), settings("online"), "a"),
    "storage": (table(), settings("online", "storage = 'text'"), "a"),
    "rename": (table(*"zbc"), settings("online", RENAMES), "z"),
    "rewrite": (table(), settings("rewrite"), "a"),
    "auto": (table(), settings("auto"), "a"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "at"), [*((name, SWAP) for name in ANOTHER), ("rename", CHECKS)])
def test_another_revision_begins_anew(make: Make, name: str, at: str) -> None:
    models, toml, value = ANOTHER[name]
    database = make(table(), ONE)
    database.revise()
    database.stopped(at)
    database.give_up()
    database.project.models(models)
    database.project.settings(toml)
    source = database.revise()
    assert re.findall(r"op\.(?!execute|get_context|get_bind)\w+", source) == []
    database.project.upgrade()
    assert database.values("SELECT status FROM t") == [value]
    database.is_done()
    if name == "value_added":
        database.execute("INSERT INTO t VALUES (9, 'd')")


def test_what_was_begun_is_invisible_where_the_column_is_excluded(make: Make) -> None:
    database = make(table(index=True), ONE)
    database.revise()
    database.stopped()
    database.give_up()
    database.project.settings(settings("online", "exclude = ['*']"))
    assert database.project.is_converged()


def test_without_any_fixup_the_successor_is_not_dropped_from_under_its_trigger(make: Make) -> None:
    """Alembic on its own would drop it, and every write would fail from then on."""
    database = make(table(), ONE)
    database.revise()
    database.stopped()
    database.give_up()
    database.project.settings("")
    assert "op.drop_column('t', 'fixup_new_status')" in database.revise()
    assert "~fixup_t" in database.refused()
    database.execute("INSERT INTO t (id, status) VALUES (2, 'b')")
    assert database.values("SELECT fixup_new_status FROM t ORDER BY id") == ["a", "b"]


# At the same time


UPGRADE = """
import pathlib, sys, time
from sqlalchemy import Engine, event, make_url
from alembic_fixups import scratch
from tests.projects import Project

folder, url, wait = pathlib.Path(sys.argv[1]), make_url(sys.argv[2]), sys.argv[3]

@event.listens_for(Engine, "before_cursor_execute")
def look(own, cursor, statement, *_):
    if wait and wait in statement and not (folder / "waits").exists():
        (folder / "waits").touch()
        with scratch.connect(url) as connection:
            sleeps = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            while not connection.execute(sleeps).fetchall():
                time.sleep(0.01)

Project(folder, url).upgrade()
"""
"""Waits before a step until another session sleeps."""


def another_upgrade(database: Database, wait: str = "") -> subprocess.Popen[str]:
    """The same upgrade in a process of its own, as Alembic is not made for threads."""
    project = database.project
    url = project.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", UPGRADE, str(project.folder), url, wait]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_second_upgrade_at_the_same_time_does_no_harm(make: Make) -> None:
    """One of the two comes to its end, and the other one has nothing to do there any more."""
    database = make(table(), MANY)
    database.revise()
    second: list[subprocess.Popen[str]] = []

    def start() -> None:
        second.append(another_upgrade(database))
        second[0].communicate()

    with before_statement(SWAP, start), suppress(Exception):
        database.project.upgrade()
    assert second[0].returncode == 0
    database.is_done()


START = "IN SHARE UPDATE EXCLUSIVE MODE"

SLOW_END = """
CREATE FUNCTION wait() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
  FOR n IN 1..150 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN EXISTS (
      SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
    );
    PERFORM pg_sleep(0.1);
  END LOOP;
END$$;
CREATE EVENT TRIGGER wait ON ddl_command_start WHEN TAG IN ('DROP TRIGGER')
  EXECUTE FUNCTION wait();
"""
"""A swap that takes until somebody waits for it."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("type_", "step"),
    [
        ("Enum", "fixup_look("),
        ("Enum", START),
        ("String", "fixup_look("),
        ("String", START),
    ],
    ids=["enum-look", "enum-start", "string-look", "string-start"],
)
def test_a_second_upgrade_that_begins_during_the_swap_does_not_begin_anew(
    make: Make, step: str, type_: str
) -> None:
    database = make(table(), f"{ONE}; {SLOW_END}")
    if type_ == "String":
        database.project.models(table().replace("Enum('a', 'b', 'c', name=\"mood\")", "String(63)"))
    database.revise()
    second: list[subprocess.Popen[str]] = []

    def start() -> None:
        second.append(another_upgrade(database, step))
        while not (database.project.folder / "waits").exists():
            assert second[0].poll() is None
            time.sleep(0.01)

    # One of the two finds the revision stamped by the other.
    with before_statement(SWAP, start), suppress(IntegrityError):
        database.project.upgrade()
    second[0].communicate()
    database.execute("DROP EVENT TRIGGER wait; DROP FUNCTION wait")
    database.is_done()


def test_a_process_that_goes_on_can_run_a_refused_upgrade_again(make: Make) -> None:
    database = make(table(), "CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING")
    database.revise()
    with pytest.raises(DBAPIError) as kept:  # and with it the engine of env.py
        database.project.upgrade()
    assert CANNOT in str(kept.value)
    database.execute("DROP RULE r ON t")
    database.project.upgrade()


def test_a_database_whose_default_is_repeatable_read(make: Make) -> None:
    database = make(table(), MANY)
    database.revise()
    database.execute(
        f'ALTER DATABASE "{database.project.url.database}"'
        " SET default_transaction_isolation = 'repeatable read'"
    )
    with scratch.connect(database.project.url) as holder:
        timer = threading.Timer(0.7, lambda: holder.execute("COMMIT"))

        def hold() -> None:
            holder.execute("BEGIN; UPDATE t SET status = 'b' WHERE id = 5")
            timer.start()

        with before_statement(FILL, hold):
            database.project.upgrade()
        timer.join()
    assert database.values("SELECT id FROM t WHERE status = 'b'") == [5]
    database.is_done()


def test_the_fill_takes_no_part_in_a_deadlock(make: Make) -> None:
    """The application holds a late row and wants an early one, while another row is locked."""
    database = make(table(), MANY)
    database.revise()
    told: list[str] = []
    with (
        scratch.connect(database.project.url) as holder,
        scratch.connect(database.project.url) as application,
    ):

        def write() -> None:
            time.sleep(0.2)
            application.execute("UPDATE t SET status = 'c' WHERE id = 10; COMMIT")
            told.append("committed")

        writer = threading.Thread(target=write)
        timer = threading.Timer(0.6, lambda: holder.execute("ROLLBACK"))

        def hold() -> None:
            holder.execute("BEGIN; SELECT FROM t WHERE id = 2000 FOR UPDATE")
            application.execute("BEGIN; UPDATE t SET status = 'b' WHERE id = 4000")
            writer.start()
            timer.start()

        with before_statement(FILL, hold):
            database.project.upgrade()
        writer.join()
        timer.join()
    assert told == ["committed"]
    assert database.values("SELECT id FROM t WHERE status <> 'a' ORDER BY id") == [10, 4000]
    database.is_done()


# PostgreSQL 18


ON_NOT_NULL = (
    "SELECT conname || ' ' || obj_description(oid, 'pg_constraint') FROM pg_constraint"
    " WHERE conrelid = 't'::regclass AND contype = 'n' AND conname = 'nn'"
)


@pytest.mark.postgres(18)
@pytest.mark.parametrize("strategy", ["online", "rewrite"])
def test_a_comment_on_not_null_is_kept_on_18(make: Make, strategy: str) -> None:
    setup = (
        f"{ONE}; ALTER TABLE t ALTER status DROP NOT NULL, ADD CONSTRAINT nn NOT NULL status;"
        "COMMENT ON CONSTRAINT nn ON t IS 'precious'"
    )
    database = make(table(null=False), setup, strategy=strategy)
    database.revise()
    database.project.upgrade()
    assert database.values(ON_NOT_NULL) == ["nn precious"]
    database.is_done()
    database.project.downgrade("base")
    assert database.values(ON_NOT_NULL) == ["nn precious"]


@pytest.mark.postgres(18)
@pytest.mark.parametrize("kind", ["NOT VALID", "NO INHERIT"])
def test_not_null_that_is_not_valid_is_refused_on_18(make: Make, kind: str) -> None:
    setup = (
        f"{ONE}; ALTER TABLE t ALTER status DROP NOT NULL, ADD CONSTRAINT nn NOT NULL status {kind}"
    )
    database = make(table(null=False), setup)
    assert "NOT NULL constraints that are NOT VALID or NO INHERIT: nn" in (
        database.refused_unchanged()
    )
