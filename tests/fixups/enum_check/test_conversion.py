"""What the conversion of real databases stops at, decides, keeps and survives."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Engine, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_fixups import scratch
from alembic_fixups.comparator import collect_runs
from alembic_fixups.report import Finding
from tests.fixups.enum_check.cases import settings
from tests.laws import snapshot
from tests.projects import Project

pytestmark = pytest.mark.postgres(16)

Connection = psycopg.Connection[tuple[Any, ...]]

PAGE = Path(__file__).parents[3] / "docs" / "fixups" / "enum-check.md"

ORDERS = """
metadata = MetaData()
orders = Table("orders", metadata, Column("id", Integer, primary_key=True),
      Column("status", Enum({labels}, name="order_status"), nullable=False, server_default="new"),
      Column("note", Text){more})
"""
LABELS = ("new", "paid", "shipped")

BOTH = pytest.mark.parametrize("strategy", ["rewrite", "online"])

FILL = "CALL pg_temp.fixup_fill("
"""What only the statement has that fills the rows."""

# Two hundred pages: some batches, and a moment to look at them.
MANY = """
INSERT INTO orders (id, status, note)
  SELECT n, (ARRAY['new', 'paid', 'shipped'])[n % 3 + 1]::order_status, repeat('x', 500)
    FROM generate_series(1, 3000) AS n
"""


def orders(*labels: str, more: str = "") -> str:
    """Models of one table with an enum column."""
    listed = ", ".join(map(repr, labels or LABELS))
    return ORDERS.format(labels=listed, more=f", {more}" if more else "")


@dataclass
class Database:
    """A project on a database that its earlier models and some SQL made."""

    project: Project
    server: scratch.Server
    connection: Connection

    def execute(self, script: str) -> None:
        """Runs statements."""
        self.connection.execute(script)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        return self.connection.execute(query).fetchall()

    def values(self, query: str) -> list[Any]:
        """What a query of one column gives."""
        return [row[0] for row in self.rows(query)]

    def snapshot(self) -> tuple[str, list[str]]:
        """Everything that is in it."""
        return snapshot.both(self.server, self.project.url)

    def columns(self, table: str = "orders") -> list[str]:
        """The columns of a table in their order, each with its type."""
        return self.values(
            "SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            " ORDER BY attnum"
        )

    def refused(self, direction: str = "upgrade") -> str:
        """The message with which a migration stops."""
        with pytest.raises(DBAPIError) as caught:
            self.project.upgrade() if direction == "upgrade" else self.project.downgrade("base")
        self.end_sessions()
        return str(caught.value.orig)

    def stopped(self) -> None:
        """An upgrade that ends before the swap."""
        with pytest.raises(Stopped), before_statement("PERFORM pg_temp.fixup_exchange(", stop):
            self.project.upgrade()
        self.end_sessions()

    def end_sessions(self) -> None:
        """Ends what a process that ends would; the engine of env.py keeps its connection."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def findings(self) -> list[Finding]:
        """What autogenerate says besides; leaves no revision behind."""
        with collect_runs() as runs:
            self.project.autogenerate_source()
        return runs[0].findings


Make = Callable[..., Database]

ENUM = ["id integer", "status order_status", "note text"]
IN_PLACE = ["id integer", "status character varying(63)", "note text"]
SWAPPED = ["id integer", "note text", "status character varying(63)"]


@pytest.fixture
def make(tmp_path: Path, server: scratch.Server, database_url: URL, connection: Connection) -> Make:
    """Gives a project on a database of its own."""

    def made(
        strategy: str,
        models: str = "",
        *,
        before: str = "",
        setup: str = "",
        extra: str = "",
    ) -> Database:
        models = models or orders()
        toml = settings(strategy, extra)
        project = Project.make(tmp_path / "project", database_url, before or models, toml)
        project.create_all()
        project.models(models)
        database = Database(project, server, connection)
        if setup:
            database.execute(setup)
        return database

    return made


@contextmanager
def before_statement(part: str, do: Callable[[], object]) -> Iterator[None]:
    """Calls *do* before each statement that has *part* in it."""

    def look(own: Any, cursor: Any, statement: str, *_: Any) -> None:
        if part in statement:
            do()

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", look)


class Stopped(Exception):
    """Raised in the middle of a migration."""


def stop() -> None:
    raise Stopped


# What stops it


TAGGED = 'Column("tags", ARRAY(Enum({labels}, name="tag")))'


@BOTH
def test_rows_with_a_label_that_the_models_lack_stop_it_before_anything_is_changed(
    make: Make, strategy: str
) -> None:
    database = make(
        strategy,
        orders(
            more=TAGGED.format(labels="'hot'") + ", Column('more', Integer)",
        ),
        before=orders(
            "lost", *LABELS, "gone", "unused", more=TAGGED.format(labels="'hot', 'it''s'")
        ),
        setup="INSERT INTO orders (status, tags) VALUES ('lost', '{}'), ('lost', NULL),"
        " ('gone', '{hot,NULL}'), ('new', ARRAY['hot', 'its']::tag[])",
    )
    before = database.snapshot()
    database.project.autogenerate()
    message = database.refused()
    assert "orders.status holds what the models do not list: " in message
    assert "'gone' in 1 row(s), 'lost' in 2 row(s)" in message
    assert "orders.tags holds what the models do not list: 'its' in 1 row(s)" in message
    assert "unused" not in message
    assert "renames" in message
    assert database.snapshot() == before
    database.execute("UPDATE orders SET status = 'new', tags = '{hot}'")
    database.project.upgrade()
    assert database.project.is_converged()


def test_a_row_that_holds_a_label_twice_is_one_row(make: Make) -> None:
    database = make(
        "rewrite",
        orders(more=TAGGED.format(labels="'hot'")),
        before=orders(more=TAGGED.format(labels="'hot', 'cold'")),
        setup="INSERT INTO orders (tags) VALUES ('{cold,hot,cold}')",
    )
    database.project.autogenerate()
    assert "'cold' in 1 row(s)" in database.refused()


@BOTH
def test_the_downgrade_stops_at_values_that_the_enum_never_had(make: Make, strategy: str) -> None:
    database = make(strategy, orders(more=TAGGED.format(labels="'hot'")))
    database.project.autogenerate()
    database.project.upgrade()
    database.execute(
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_status, DROP CONSTRAINT ck_orders_tags;"
        "INSERT INTO orders (status, tags)"
        " VALUES ('sent', '{hot}'), ('sent', '{cold}'), ('b', NULL)"
    )
    after = database.snapshot()
    message = database.refused("downgrade")
    assert "orders.status holds what the type public.order_status never had: " in message
    assert "'b' in 1 row(s), 'sent' in 2 row(s)" in message
    assert "orders.tags holds what the type public.tag never had: 'cold' in 1 row(s)" in message
    assert database.snapshot() == after
    database.execute("UPDATE orders SET status = 'paid', tags = '{hot}'")
    database.project.downgrade("base")
    assert "status order_status" in database.columns()


def test_the_downgrade_stops_at_a_type_of_that_name_with_other_labels(make: Make) -> None:
    database = make("rewrite")
    database.project.autogenerate()
    database.project.upgrade()
    database.execute("CREATE TYPE order_status AS ENUM ('shipped', 'paid', 'new')")
    after = database.snapshot()
    message = database.refused("downgrade")
    assert "there is a type public.order_status with other labels" in message
    assert "{shipped,paid,new}" in message
    assert database.snapshot() == after


LABELS_VIEW = "CREATE VIEW labels AS SELECT id, enum_range(status) AS all_of_them FROM orders"


@BOTH
def test_a_view_that_cannot_be_made_again_and_is_new_stops_it_with_nothing_changed(
    make: Make, strategy: str
) -> None:
    database = make(strategy)
    database.project.autogenerate()
    database.execute(LABELS_VIEW)
    before = database.snapshot()
    message = database.refused()
    assert "what depends on orders.status could not be made again as it is: " in message
    assert "public.labels" in message
    assert database.snapshot() == before
    database.execute("DROP VIEW labels; INSERT INTO orders (status) VALUES ('paid')")
    database.project.upgrade()
    assert database.columns() == (SWAPPED if strategy == "online" else IN_PLACE)
    assert database.values("SELECT status FROM orders") == ["paid"]


def test_what_this_revision_does_not_know_stops_online_with_nothing_changed(make: Make) -> None:
    database = make("online")
    database.project.autogenerate()
    database.execute("CREATE MATERIALIZED VIEW counted AS SELECT status FROM orders")
    before = database.snapshot()
    message = database.refused()
    assert "public.counted (materialized view)" in message
    assert 'strategy = "rewrite"' in message
    assert database.snapshot() == before


PLAIN = """
metadata = MetaData()
Table("orders", metadata, Column("id", Integer),
      Column("status", Enum("new", "paid", "shipped", name="order_status")){})
"""

CHILD = (
    PLAIN.format("")
    + 'Table("child", metadata, Column("id", Integer), postgresql_inherits="orders")\n'
    'metadata.tables["child"].append_column(Column("status", '
    'Enum("new", "paid", "shipped", name="order_status")))'
)
STAYING = (
    "CREATE FUNCTION labels() RETURNS SETOF order_status LANGUAGE sql"
    " BEGIN ATOMIC SELECT status FROM orders; END"
)

# What the models and some SQL make, and the models from then on.
STAYS: dict[str, tuple[str, str, str]] = {
    "dependents": (
        orders(),
        STAYING,
        "",
    ),
    "generated": (
        orders(
            more='Column("copy", Enum("new", name="copy"),'
            " Computed(\"CASE WHEN id > 0 THEN 'new'::copy END\", persisted=True))"
        ),
        "",
        "",
    ),
    "partition-key": (PLAIN.format(', postgresql_partition_by="LIST (status)"'), "", ""),
    "casts": (
        orders(),
        "CREATE FUNCTION shown(order_status) RETURNS text IMMUTABLE LANGUAGE sql"
        " AS $$SELECT 'x'$$; CREATE CAST (order_status AS text) WITH FUNCTION shown(order_status)",
        "",
    ),
    "dimensions": (
        orders(more=TAGGED.format(labels="'hot'")),
        "",
        orders(more='Column("tags", Enum("hot", name="tag"))'),
    ),
    "too-short": (
        orders(),
        MANY,
        orders().replace("Enum('new', 'paid', 'shipped', name=\"order_status\")", "String(4)"),
    ),
    "inherited": (CHILD, "", ""),
    "dependents of a parent": (CHILD, STAYING, ""),
}


@pytest.mark.parametrize("code", STAYS)
def test_a_column_that_is_refused_stays_as_it_is(make: Make, code: str) -> None:
    before, setup, models = STAYS[code]
    extra = "exclude = ['public.orders.status']" if code == "inherited" else ""
    database = make("online", models or before, before=before, setup=setup, extra=extra)
    native = f"SELECT attrelid::regclass || '.' || attname {NATIVE}"
    columns = set(database.values(native))
    with collect_runs() as runs:
        source = database.project.autogenerate()
    refused = [finding for finding in runs[0].findings if finding.severity == "refused"]
    assert code.split()[0] in {finding.code for finding in refused}
    assert "op.alter_column" not in source
    database.project.upgrade()
    stay = {f"{each.table}.{each.message.split()[0]}" for each in refused}
    assert stay <= set(database.values(native)) <= columns
    assert database.project.is_converged()


NATIVE = (
    "FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid AND c.relkind IN ('r', 'p')"
    " JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray) WHERE t.typtype = 'e'"
)


# What stays


@BOTH
def test_a_type_that_is_still_in_use_stays_with_a_notice(
    make: Make, heard: list[str], strategy: str
) -> None:
    database = make(
        strategy,
        setup="CREATE FUNCTION is_paid(s order_status) RETURNS bool LANGUAGE sql"
        " AS $$SELECT s = 'paid'$$; CREATE TABLE others (status order_status)",
    )
    only_orders: dict[str, Any] = {
        "configure": {"include_name": lambda name, kind, _: kind != "table" or name == "orders"}
    }
    before = snapshot.in_any_order(database.server, database.project.url)
    database.project.autogenerate(**only_orders)
    database.project.upgrade()
    [notice] = [each for each in heard if "stays" in each]
    assert notice.startswith("NOTICE: enum type public.order_status stays")
    assert "function is_paid(order_status)" in notice
    assert "column status of table others" in notice
    assert database.columns("others") == ["status order_status"]
    assert "status character varying(63)" in database.columns()
    assert database.project.is_converged(**only_orders)
    database.project.downgrade("base")
    assert snapshot.in_any_order(database.server, database.project.url) == before


# In place or by way of a successor


def test_auto_decides_by_the_size_when_the_migration_runs(
    make: Make, server: scratch.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alembic_fixups.fixups.enum_check.operation.SMALL", "100 kB")
    small = make("auto")
    small.project.autogenerate()
    assert small.project.url.database is not None
    with scratch.database(server) as url, scratch.connect(url) as connection:
        big = Database(replace(small.project, url=url), server, connection)
        big.project.create_all()
        big.execute(MANY)
        small.project.upgrade()
        big.project.upgrade()
        assert small.columns() == IN_PLACE
        assert big.columns() == SWAPPED


def test_auto_goes_on_as_it_began(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that was big when it was begun is swapped, though it is small by now."""
    monkeypatch.setattr("alembic_fixups.fixups.enum_check.operation.SMALL", "100 kB")
    database = make("auto", setup=MANY)
    database.project.autogenerate()
    database.stopped()
    database.execute("DELETE FROM orders WHERE id > 1")
    database.execute("VACUUM FULL orders")
    database.project.upgrade()
    assert database.columns() == SWAPPED
    assert database.project.is_converged()


OBSTACLES = {
    "materialized view": ("", "CREATE MATERIALIZED VIEW counted AS SELECT status FROM orders"),
    "key": ("UniqueConstraint('status', name='once')", ""),
    "exclusion": ("postgresql.ExcludeConstraint(('status', '='), using='btree', name='x')", ""),
    "generated column": (
        "Column('is_new', Boolean, Computed(\"status = 'new'\", persisted=True))",
        "",
    ),
    "foreign key": (
        "UniqueConstraint('status', name='once'))\n"
        "Table('uses', metadata, Column('id', Integer, primary_key=True),"
        " Column('status', ForeignKey('orders.status'))",
        "INSERT INTO uses (status) VALUES ('paid'), (NULL)",
    ),
}


@pytest.mark.parametrize("kind", OBSTACLES)
def test_what_cannot_be_brought_along_online_is_done_in_place_by_auto(
    make: Make, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("alembic_fixups.fixups.enum_check.operation.SMALL", "1 kB")
    more, also = OBSTACLES[kind]
    database = make(
        "auto",
        orders(more=more),
        setup=f"INSERT INTO orders (status) VALUES ('paid'), ('new'); {also}",
    )
    before = database.snapshot()
    source = database.project.autogenerate()
    assert "every row is written anew" in source.split("def downgrade")[0]
    database.project.upgrade()
    assert database.columns()[:3] == IN_PLACE
    assert sorted(database.values("SELECT status FROM orders")) == ["new", "paid"]
    assert database.project.is_converged()
    database.project.downgrade("base")
    assert database.snapshot() == before


TREES = {
    "partitions": (
        orders(more="postgresql_partition_by='RANGE (id)'"),
        "",
        "CREATE TABLE p PARTITION OF orders FOR VALUES FROM (0) TO (9)",
    ),
    "domain": (
        orders(more='Column("kind", postgresql.DOMAIN("kind", Enum("a", "b", name="letter")))'),
        orders(),
        "CREATE TYPE letter AS ENUM ('a', 'b'); CREATE DOMAIN kind AS letter;"
        "ALTER TABLE orders ADD kind kind",
    ),
}


@pytest.mark.parametrize(
    "kind",
    [
        *OBSTACLES,
        "partitions",
        "domain",
    ],
)
def test_what_cannot_be_brought_along_online_is_refused_online(make: Make, kind: str) -> None:
    if kind in TREES:
        models, before, also = TREES[kind]
    else:
        models, before, also = orders(more=OBSTACLES[kind][0]), "", OBSTACLES[kind][1]
    setup = f"INSERT INTO orders (id, status) VALUES (1, 'paid'); {also}"
    if kind == "partitions":
        setup = also
    database = make("online", models, before=before, setup=setup)
    only: dict[str, Any] = {
        "configure": {"include_name": lambda name, kind, _: kind != "table" or name != "p"}
    }
    columns = database.columns()
    with collect_runs() as runs:
        source = database.project.autogenerate(**only)
    assert {finding.code for finding in runs[0].findings} == {"not-online"}
    assert 'strategy = "auto"' in runs[0].findings[0].message
    assert "op." not in source.split("def upgrade")[1]
    database.project.upgrade()
    assert database.columns() == columns
    assert database.project.is_converged(**only)


IN_INDEX = [
    "it's",
    "100%",
    "a:b :c",
    "back\\slash",
    "$$",
    "$fixup$",
    "\u00e9",
    "new\nline",
    "tab\t",
    '"""',
]


@pytest.mark.parametrize("label", IN_INDEX, ids=ascii)
def test_a_label_in_a_partial_index_is_the_same_online_and_offline(make: Make, label: str) -> None:
    database = make(
        "online",
        orders("new", label)
        + f"Index('ix', orders.c.id, postgresql_where=orders.c.status == {label!r})",
    )
    project = database.project
    project.autogenerate()
    project.upgrade()
    where = "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indpred IS NOT NULL"
    literal = "'" + label.replace("'", "''") + "'"
    expected = f"((status)::text = {literal}::text)"
    assert database.values(where) == [expected]
    project.downgrade("base")
    project.psql("DROP TABLE alembic_version", database.server)
    project.psql(project.offline("head"), database.server)
    assert database.values(where) == [expected]


# While it is filled


TOUCHED = """
ALTER TABLE orders ADD COLUMN updated_at timestamptz;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER silent BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE orders DISABLE TRIGGER silent;
CREATE TRIGGER other BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO orders (status, updated_at) VALUES ('paid', '2001-02-03'), ('new', NULL);
"""
TOUCHED_MODELS = orders(more='Column("updated_at", DateTime(timezone=True))')
TRIGGERS = (
    "SELECT tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgrelid = 'orders'::regclass"
)


@pytest.mark.parametrize(
    ("strategy", "enabled"),
    [
        ("rewrite", "ENABLE"),
        ("rewrite", "ENABLE REPLICA"),
        ("rewrite", "ENABLE ALWAYS"),
        ("online", "ENABLE"),
    ],
)
def test_the_tables_own_triggers_do_not_fire(make: Make, strategy: str, enabled: str) -> None:
    setup = f"{TOUCHED}; ALTER TABLE orders {enabled} TRIGGER other"
    database = make(strategy, TOUCHED_MODELS, before=orders(), setup=setup)
    stamped = "SELECT updated_at FROM orders ORDER BY id"
    before, triggers = database.values(stamped), database.values(TRIGGERS)
    database.project.autogenerate()
    database.project.upgrade()
    assert database.values(stamped) == before
    assert sorted(database.values(TRIGGERS)) == sorted(triggers)
    database.execute("UPDATE orders SET status = 'shipped' WHERE updated_at IS NULL")
    assert None not in database.values(stamped), "it fires again"


def test_a_trigger_that_changes_the_column_is_followed(make: Make) -> None:
    """The successor's own trigger is the last to fire."""
    database = make(
        "online",
        setup="CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.status := 'paid'; RETURN NEW; END$$;"
        "CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION pay();"
        "ALTER TABLE orders DISABLE TRIGGER zzz; INSERT INTO orders VALUES (1, 'new');"
        "ALTER TABLE orders ENABLE TRIGGER zzz",
    )
    database.project.autogenerate()
    with before_statement(
        FILL,
        lambda: database.execute("INSERT INTO orders VALUES (2, 'new')"),
    ):
        database.project.upgrade()
    assert database.rows("SELECT id, status FROM orders ORDER BY id") == [(1, "new"), (2, "paid")]


@pytest.fixture
def role(server: scratch.Server) -> Iterator[str]:
    """A role that may do nothing yet; takes part in databases that are gone before it."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    with scratch.connect(server.url) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        yield name
        connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_role_that_would_fire_the_triggers_is_refused_with_the_way_out(
    role: str, make: Make
) -> None:
    database = make("online", TOUCHED_MODELS, before=orders(), setup=TOUCHED)
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; ALTER TABLE orders OWNER TO {role};"
        f"ALTER TYPE order_status OWNER TO {role}"
    )
    stamped = database.values("SELECT updated_at FROM orders ORDER BY id")
    database.project = replace(database.project, url=database.project.url.set(username=role))
    database.project.autogenerate()
    try:
        message = database.refused()
        assert "orders cannot be changed while writes go on, for it has" in message
        assert "triggers that would fire as the rows are filled: " in message
        assert "touch" in message
        assert "silent" not in message
        assert "session_replication_role" in message
        assert 'strategy = "rewrite"' in message
        assert database.values("SELECT updated_at FROM orders ORDER BY id") == stamped
        database.execute(f"GRANT SET ON PARAMETER session_replication_role TO {role}")
        database.project.upgrade()
        assert database.values("SELECT updated_at FROM orders ORDER BY id") == stamped
        assert database.columns()[-1] == "status character varying(63)"
    finally:
        database.execute(f"DROP OWNED BY {role} CASCADE")


AMOUNT = (
    'Column("amount", Integer),'
    ' CheckConstraint("amount > 0", name="positive", postgresql_not_valid=True)'
)
WRONG = "ALTER TABLE orders DROP CONSTRAINT positive; INSERT INTO orders (amount) VALUES (-1), (1);\
ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0) NOT VALID"


def test_a_row_that_violates_a_check_that_is_not_valid_stops_online(make: Make) -> None:
    database = make("online", orders(more=AMOUNT), setup=WRONG)
    database.project.autogenerate()
    message = database.refused()
    assert 'violates check constraint "positive"' in message
    database.execute("UPDATE orders SET amount = 1")
    database.project.upgrade()
    assert database.columns()[-1] == "status character varying(63)"


def test_such_a_check_does_not_stop_rewrite_and_stays_not_valid(make: Make) -> None:
    database = make("rewrite", orders(more=AMOUNT), setup=WRONG)
    database.project.autogenerate()
    database.project.upgrade()
    assert sorted(database.values("SELECT amount FROM orders")) == [-1, 1]
    assert database.values("SELECT convalidated FROM pg_constraint WHERE conname = 'positive'") == [
        False
    ]
    assert database.project.is_converged()


# Stopped


def test_a_fill_that_was_killed_goes_on_where_it_was(make: Make) -> None:
    database = make("online", setup=MANY)
    database.project.autogenerate()
    before = database.rows("SELECT id, status::text FROM orders ORDER BY id")
    failed: list[BaseException] = []
    with scratch.connect(database.project.url) as holder:

        def upgrade() -> None:
            # The fill comes back to this row.
            lock = "BEGIN; SELECT FROM orders WHERE id = 2500 FOR UPDATE"
            try:
                with before_statement(FILL, lambda: holder.execute(lock)):
                    database.project.upgrade()
            except SQLAlchemyError as error:
                failed.append(error)

        thread = threading.Thread(target=upgrade)
        thread.start()
        [pid] = soon(
            database,
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'",
        )
        database.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        thread.join(60)
        holder.execute("ROLLBACK")
    assert len(failed) == 1
    filled = dict(
        database.rows(
            "SELECT id, xmin::text || ctid::text FROM orders WHERE fixup_new_status IS NOT NULL"
        )
    )
    assert len(filled) == 2999
    database.project.upgrade()
    assert database.columns() == SWAPPED
    assert database.rows("SELECT id, status FROM orders ORDER BY id") == before
    now = dict(database.rows("SELECT id, xmin::text || ctid::text FROM orders"))
    assert {id_: now[id_] for id_ in filled} == filled, "written a second time"


def soon(database: Database, query: str) -> list[Any]:
    """What the query gives, as soon as it gives something."""
    deadline = time.monotonic() + 30
    while not (found := database.values(query)):
        assert time.monotonic() < deadline, query
        time.sleep(0.05)
    return found


def blocks(kind: str) -> list[str]:
    """The fenced blocks of the documentation whose first line is *kind*."""
    found: list[str] = re.findall(
        rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    return found


def test_what_is_given_up_is_cleared_away_as_the_documentation_says(make: Make) -> None:
    models = orders(
        more="Index('ix_orders_status', 'status'),"
        " CheckConstraint(\"status <> 'new' OR note IS NULL\", name='c')"
    )
    database = make("online", models, setup="INSERT INTO orders (status) VALUES ('paid')")
    before = database.snapshot()
    database.project.autogenerate()
    database.stopped()
    assert database.snapshot() != before
    [clear] = blocks("sql clear")
    database.execute(clear)
    assert database.snapshot() == before
    database.project.upgrade()
    assert database.project.is_converged()


def test_the_excerpt_in_the_documentation_is_what_comes_out(make: Make) -> None:
    database = make("rewrite")
    source = database.project.autogenerate()
    [excerpt] = blocks("python migration")
    place = 0
    for part in excerpt.split("\n...\n"):
        found = source.find(part.strip("\n"), place)
        assert found >= 0, f"not in the revision, or not in this order:\n{part}"
        place = found


# Others at work


@dataclass
class Writer(threading.Thread):
    """Writes to rows of its own until it is told to stop, and knows what it wrote.

    Attributes:
        url: the database.
        first: the first of its ids.
        rows: what is committed.
        times: when each write was.
        failure: what stopped it.
    """

    url: URL
    first: int
    rows: dict[int, str]
    times: list[float] = field(default_factory=list)
    failure: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        try:
            with scratch.connect(self.url) as connection:
                # A statement prepared before the change would have a parameter of the old type.
                connection.prepare_threshold = None
                number = 0
                while not self.done.is_set():
                    self.write(connection, number)
                    self.times.append(time.monotonic())
                    number += 1
        except BaseException as error:
            self.failure = error

    def write(self, connection: Connection, number: int) -> None:
        """One of three: a change of an old row, a new row, an old row gone."""
        label, ids = LABELS[number % 3], sorted(self.rows)
        if number % 7 == 0:
            connection.execute("DELETE FROM orders WHERE id = %s", [ids[0]])
            del self.rows[ids[0]]
        elif number % 3 == 0:
            new = 100_000 + self.first + 1000 * number
            connection.execute("INSERT INTO orders (id, status) VALUES (%s, %s)", [new, label])
            self.rows[new] = label
        else:
            old = ids[number * 31 % len(ids)]
            connection.execute("UPDATE orders SET status = %s WHERE id = %s", [label, old])
            self.rows[old] = label


@pytest.mark.parametrize("strategy", ["online", "auto", "rewrite"])
def test_no_write_of_others_is_lost(
    make: Make, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setattr("alembic_fixups.fixups.enum_check.operation.SMALL", "1 kB")
    monkeypatch.setattr("alembic_fixups.retyping.steps.BATCH", 2)
    models = orders(more="Index('ix_orders_status', 'status')")
    database = make(strategy, models, setup=MANY)
    database.project.autogenerate()
    rows = dict(database.rows("SELECT id, status::text FROM orders"))
    writers = [
        Writer(
            database.project.url,
            number,
            {id_: status for id_, status in rows.items() if id_ % 3 == number},
        )
        for number in range(3)
    ]
    for writer in writers:
        writer.start()
    time.sleep(0.2)
    begun = time.monotonic()
    database.project.upgrade()
    ended = time.monotonic()
    time.sleep(0.2)
    for writer in writers:
        writer.done.set()
        writer.join(30)
    assert [writer.failure for writer in writers] == [None] * 3
    written = {id_: status for writer in writers for id_, status in writer.rows.items()}
    assert dict(database.rows("SELECT id, status FROM orders")) == written
    assert all(writer.times[-1] > ended for writer in writers), "they wrote to the new column"
    if strategy != "rewrite":
        during = sum(begun < moment < ended for writer in writers for moment in writer.times)
        assert during > 50, "they wrote while the migration ran"
        assert database.columns() == SWAPPED
    assert database.project.is_converged()


def test_rows_that_are_locked_are_tried_again(make: Make) -> None:
    database = make("online", setup=MANY)
    database.project.autogenerate()
    with scratch.connect(database.project.url) as holder:
        timer = threading.Timer(1.5, lambda: holder.execute("COMMIT"))

        def hold() -> None:
            holder.execute("BEGIN; UPDATE orders SET status = 'paid' WHERE id = 2500")
            timer.start()

        with before_statement(FILL, hold):
            database.project.upgrade()
        timer.join()
    assert database.columns() == SWAPPED
    assert database.values("SELECT status FROM orders WHERE id = 2500") == ["paid"]


NOT_NATIVE = orders().replace('name="order_status"', 'name="order_status", native_enum=False')


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_models_that_are_not_native_work_before_and_after(make: Make, driver: str) -> None:
    database = make("online", NOT_NATIVE, before=orders())
    url = database.project.url.set(drivername=f"postgresql+{driver}")
    table = database.project.metadata.tables["orders"]
    count = select(func.count()).where(table.c.status == "paid")

    async def run_async(statement: Any) -> Any:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            result = await connection.execute(statement)
            value = result.scalar() if result.returns_rows else None
        await engine.dispose()
        return value

    def run(statement: Any) -> Any:
        if driver == "asyncpg":
            return asyncio.run(run_async(statement))
        engine = create_engine(url)
        with engine.begin() as connection:
            result = connection.execute(statement)
            value = result.scalar() if result.returns_rows else None
        engine.dispose()
        return value

    run(table.insert().values(status="paid"))
    assert run(count) == 1
    database.project.autogenerate()
    Project(database.project.folder, url).upgrade()
    run(table.insert().values(status="paid"))
    assert run(count) == 2


# What is said


def test_the_change_of_order_is_said_where_something_goes_by_it(make: Make) -> None:
    database = make(
        "rewrite",
        orders("small", "medium", "large").replace(
            'server_default="new"', 'server_default="small"'
        ),
        setup="CREATE VIEW largest AS SELECT max(status) AS largest FROM orders;"
        "CREATE VIEW plain AS SELECT status FROM orders",
    )
    [finding] = [each for each in database.findings() if each.code == "order"]
    assert finding.severity == "warning"
    assert finding.table == "orders"
    assert "view public.largest" in finding.message
    assert "public.plain" not in finding.message
    assert "sorts as text" in database.project.autogenerate()


def test_the_order_is_no_matter_where_the_labels_are_in_that_of_text(make: Make) -> None:
    database = make(
        "rewrite", setup="CREATE VIEW latest AS SELECT max(status) AS latest FROM orders"
    )
    assert database.findings() == []
    assert "sorts as text" not in database.project.autogenerate()


def test_a_label_that_is_gone_is_said_with_what_it_may_be_called_now(make: Make) -> None:
    database = make(
        "rewrite", orders("new", "payed", "shipped"), before=orders(*LABELS, "forgotten")
    )
    found = [each for each in database.findings() if each.code == "label-gone"]
    assert {each.severity for each in found} == {"info"}
    by_label = {each.message.split("'")[1]: each.message for each in found}
    assert set(by_label) == {"paid", "forgotten"}
    assert "'payed' now, say so under renames" in by_label["paid"]
    assert "renames" not in by_label["forgotten"]


@BOTH
def test_a_renamed_label_moves_the_rows_and_back(make: Make, strategy: str) -> None:
    database = make(
        strategy,
        orders("new", "payed", "shipped", more=TAGGED.format(labels="'warm'")),
        before=orders(more=TAGGED.format(labels="'hot'")),
        setup="INSERT INTO orders (status, tags) VALUES ('paid', '{hot,NULL}'), ('new', '{}')",
        extra="[tool.alembic-fixups.enum-check.renames]\n"
        "order_status = {paid = 'payed'}\n'orders.tags' = {hot = 'warm'}",
    )
    rows = "SELECT status::text, tags::text[] FROM orders ORDER BY id"
    before = database.rows(rows)
    database.project.autogenerate()
    database.project.upgrade()
    assert database.rows(rows) == [("payed", ["warm", None]), ("new", [])]
    assert database.project.is_converged()
    database.project.downgrade("base")
    assert database.rows(rows) == before


@BOTH
def test_a_string_over_an_enum_becomes_plain_and_unchecked(make: Make, strategy: str) -> None:
    models = orders().replace("Enum('new', 'paid', 'shipped', name=\"order_status\")", "String(20)")
    database = make(
        strategy, models, before=orders(), setup="INSERT INTO orders (status) VALUES ('paid')"
    )
    [finding] = database.findings()
    assert (finding.code, finding.severity) == ("unchecked", "warning")
    assert "public.order_status" in finding.message
    before = snapshot.in_any_order(database.server, database.project.url)
    database.project.autogenerate()
    database.project.upgrade()
    assert "status character varying(20)" in database.columns()
    database.execute("INSERT INTO orders (status) VALUES ('whatever')")
    assert database.project.is_converged()
    database.execute("DELETE FROM orders WHERE status = 'whatever'")
    database.execute("SELECT setval('orders_id_seq', 1)")
    database.project.downgrade("base")
    assert snapshot.in_any_order(database.server, database.project.url) == before


# Which columns


TWO = """
metadata = MetaData()
Table("a", metadata, Column("id", Integer, primary_key=True),
      Column("x", Enum("1", "2", name="first")), Column("y", Enum("3", name="second")))
Table("b", metadata, Column("id", Integer, primary_key=True),
      Column("x", Enum("1", "2", name="first")))
"""


@pytest.mark.parametrize(
    ("extra", "converted"),
    [
        ("", ["a.x", "a.y", "b.x"]),
        ("include = ['a.x']", ["a.x"]),
        ("include = ['*.a.*']", ["a.x", "a.y"]),
        ("include = ['first']", ["a.x", "b.x"]),
        ("include = ['public.second']", ["a.y"]),
        ("exclude = ['first']", ["a.y"]),
        ("include = ['first']\nexclude = ['public.b.x']", ["a.x"]),
        ("exclude = ['*']", []),
    ],
)
def test_only_what_the_settings_cover_is_converted(
    make: Make, extra: str, converted: list[str]
) -> None:
    database = make(
        "rewrite",
        TWO,
        setup="INSERT INTO a (x, y) VALUES ('1', '3'); INSERT INTO b (x) VALUES ('2')",
        extra=extra,
    )
    before = database.snapshot()
    database.project.autogenerate()
    database.project.upgrade()
    plain = "SELECT attrelid::regclass || '.' || attname FROM pg_attribute a JOIN pg_class c"
    plain += " ON c.oid = attrelid AND c.relname IN ('a', 'b') WHERE atttypid = 'varchar'::regtype"
    assert sorted(database.values(plain)) == converted
    types = set(database.values("SELECT typname FROM pg_type WHERE typtype = 'e'"))
    left = {"a.x": "first", "b.x": "first", "a.y": "second"}
    assert types == {name for column, name in left.items() if column not in converted}
    assert database.project.is_converged()
    database.project.downgrade("base")
    assert database.snapshot() == before


@BOTH
def test_a_table_that_moves_is_converted_by_the_next_revision(
    make: Make, server: scratch.Server, strategy: str
) -> None:
    database = make(
        strategy,
        orders(more="Index('ix_orders_status', 'status')"),
        setup="CREATE VIEW paid AS SELECT id FROM orders WHERE status = 'paid';"
        "INSERT INTO orders (status) VALUES ('paid'), ('new')",
        extra="[tool.alembic-fixups.schema-prefix]\nschema = 'migration'\nmove-from = ['public']",
    )
    options: dict[str, Any] = {"configure": {"include_schemas": True}}
    before = snapshot.in_any_order(server, database.project.url)
    with collect_runs() as runs:
        source = database.project.autogenerate(**options)
    assert "moves" in {finding.code for finding in runs[0].findings}
    assert "op.alter_column" not in source
    database.project.upgrade()
    assert "status migration.order_status" in database.columns("migration.orders")
    database.project.autogenerate("next", **options)
    database.project.upgrade()
    assert "status character varying(63)" in database.columns("migration.orders")
    assert database.values("SELECT status FROM migration.orders ORDER BY id") == ["paid", "new"]
    assert database.values("SELECT id FROM paid") == [1]
    assert database.values("SELECT typname FROM pg_type WHERE typtype = 'e'") == []
    assert database.project.is_converged(**options)
    after = snapshot.in_any_order(server, database.project.url)
    database.project.downgrade("base")
    assert snapshot.in_any_order(server, database.project.url) == before
    database.project.upgrade()
    assert snapshot.in_any_order(server, database.project.url) == after
