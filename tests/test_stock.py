"""Alembic's own operations, sorted and made to run twice: on real servers."""

from __future__ import annotations

import asyncio
import enum
import io
import itertools
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_fixups import catalog, scratch, stock
from alembic_fixups.run import Run
from alembic_fixups.settings import Settings
from alembic_fixups.stock import tree
from alembic_fixups.target import Target

Build = Callable[[sa.MetaData], None]

WEIRD = 'Tä "b:c" 100% $fixup$'
LONG = "n" * 63


@dataclass
class Revision:
    """What autogenerate would write, as source."""

    upgrade: str
    downgrade: str
    run: Run
    operations: list[ops.MigrateOperation]


class Project:
    """A database and what is done to it."""

    def __init__(self, server: scratch.Server, url: sa.URL) -> None:
        self._server = server
        self._url = url
        self.engine = sa.create_engine(url)

    def sql(self, *statements: str) -> None:
        with scratch.connect(self._url) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    @contextmanager
    def compared(self, *before: str, **opts: Any) -> Iterator[MigrationContext]:
        with self.engine.connect() as connection:
            connection.dialect.default_schema_name  # noqa: B018
            for statement in before:
                connection.exec_driver_sql(statement)
            yield MigrationContext.configure(connection, opts=opts)

    def generate(
        self,
        metadata: sa.MetaData,
        *before: str,
        shuffle: random.Random | None = None,
        operations: Sequence[ops.MigrateOperation] = (),
        **opts: Any,
    ) -> Revision:
        with self.compared(*before, target_metadata=metadata, **opts) as context:
            script = produce_migrations(context, metadata)
            upgrade_ops = script.upgrade_ops
            assert upgrade_ops is not None and context.connection is not None
            upgrade_ops.ops.extend(operations)
            if shuffle is not None:
                upgrade_ops.ops[:] = shuffled(upgrade_ops.ops, shuffle)
            run = Run(
                Settings(),
                Target(metadata),
                catalog.read(context.connection),
                AutogenContext(context, metadata),
            )
            stock.remove(upgrade_ops, stock.live_partitions(run))
            stock.order(upgrade_ops)
            stock.make_idempotent(upgrade_ops, run, lambda _: False)
            return Revision(
                render_python_code(upgrade_ops, migration_context=context),
                render_python_code(upgrade_ops.reverse(), migration_context=context),
                run,
                list(upgrade_ops.ops),
            )

    def run(self, source: str, driver: str = "psycopg") -> None:
        url = self._url.set(drivername=f"postgresql+{driver}")
        if driver != "asyncpg":
            engine = sa.create_engine(url, poolclass=sa.NullPool)
            with engine.begin() as connection:
                _run(source, MigrationContext.configure(connection))
            return

        async def run_async() -> None:
            async with create_async_engine(url).begin() as connection:
                await connection.run_sync(
                    lambda inner: _run(source, MigrationContext.configure(inner))
                )

        asyncio.run(run_async())

    def run_offline(self, source: str) -> None:
        script = io.StringIO()
        context = MigrationContext.configure(
            dialect_name="postgresql",
            dialect_opts={"paramstyle": "named"},
            opts={"as_sql": True, "output_buffer": script},
        )
        _run(source, context)
        self._client("psql", "-v", "ON_ERROR_STOP=1", "-1", input=script.getvalue())

    def changes(self, metadata: sa.MetaData, **opts: Any) -> list[Any]:
        with self.compared(target_metadata=metadata, **opts) as context:
            return list(compare_metadata(context, metadata))

    def dump(self) -> str:
        dump = self._client("pg_dump", "--schema-only", "--no-owner")
        return "\n".join(line for line in dump.splitlines() if "restrict " not in line)

    def _client(self, command: str, *arguments: str, input: str | None = None) -> str:
        assert self._server.bindir is not None
        query = self._url.query
        place = ["-h", str(query["host"]), "-p", str(query["port"]), "-U", "postgres"]
        result = subprocess.run(
            [self._server.bindir / command, *place, *arguments, "-d", str(self._url.database)],
            input=input,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout


def _run(source: str, context: MigrationContext) -> None:
    with Operations.context(context) as op:
        exec(f"if True:\n    {source}", {"op": op, "sa": sa, "postgresql": postgresql})


def leaves(container: ops.OpContainer) -> list[ops.MigrateOperation]:
    return list(tree.leaves(container.ops))


def shuffled(
    operations: list[ops.MigrateOperation], chance: random.Random
) -> list[ops.MigrateOperation]:
    """In another order, but what belongs to one table still side by side."""
    named = itertools.groupby(operations, key=lambda item: getattr(item, "table_name", None))
    groups = [list(group) for _, group in named]
    chance.shuffle(groups)
    return [operation for group in groups for operation in group]


@pytest.fixture
def project(server: scratch.Server, database_url: sa.URL) -> Iterator[Project]:
    made = Project(server, database_url)
    yield made
    made.engine.dispose()


def models(build: Build) -> sa.MetaData:
    metadata = sa.MetaData()
    build(metadata)
    return metadata


def table(metadata: sa.MetaData, name: str, *items: Any, **options: Any) -> sa.Table:
    key = sa.Column("id", sa.Integer, primary_key=True)
    return sa.Table(name, metadata, key, *items, **options)


def column(name: str, *items: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, *items, **options)


def created_tables(metadata: sa.MetaData) -> None:
    table(
        metadata,
        "a",
        column("z_id", sa.ForeignKey("z.id"), index=True),
        sa.Column("text", sa.String(20), comment="it's 100% :so"),
        column("n", sa.Identity(), unique=True),
        sa.CheckConstraint("n > 0", name="ck_n"),
        sa.CheckConstraint("text LIKE 'a:b%'"),
        comment="a :table",
    )
    table(metadata, "z")


def cycle(metadata: sa.MetaData) -> None:
    table(metadata, "a", column("b_id", sa.ForeignKey("b.id")), column("a_id"))
    table(metadata, "b", column("a_id", sa.ForeignKey("a.id", name="fk_b_a", ondelete="CASCADE")))
    table(metadata, "c", column("c_id", sa.ForeignKey("c.id", use_alter=True, name="fk_self")))


TABLES_BEFORE = """
    CREATE TABLE a (id serial PRIMARY KEY, b_id int, t text);
    CREATE TABLE b (id serial PRIMARY KEY, n int NOT NULL);
    INSERT INTO b (n) VALUES (1)
"""


def new_key_of_parent(metadata: sa.MetaData) -> None:
    table(
        metadata,
        "a",
        column("b_id"),
        sa.Column("t", sa.Text),
        sa.ForeignKeyConstraint(["b_id"], ["b.n"]),
    )
    table(metadata, "b", column("n", unique=True, nullable=False))
    # A new table that refers to the key which an old one gets.
    table(metadata, "aa", column("b_n", sa.ForeignKey("b.n")))


def constraints(metadata: sa.MetaData) -> None:
    table(
        metadata,
        "a",
        column("b_id", sa.ForeignKey("b.id", ondelete="set null", deferrable=True)),
        sa.Column("t", sa.Text, unique=True),
        sa.UniqueConstraint("b_id", "t", name="uq_named", deferrable=True, initially="DEFERRED"),
    )
    table(metadata, "b", column("n", nullable=False))


CONSTRAINTS_BEFORE = """
    CREATE TABLE b (id serial PRIMARY KEY, n int NOT NULL UNIQUE);
    CREATE TABLE a (id serial PRIMARY KEY, b_id int, t text,
      CONSTRAINT fk_a_b FOREIGN KEY (b_id) REFERENCES b ON DELETE CASCADE INITIALLY DEFERRED,
      CONSTRAINT uq_a UNIQUE (t), UNIQUE (b_id, t));
    CREATE INDEX ix_a_b ON a (b_id);
    CREATE UNIQUE INDEX ix_a_t ON a (lower(t)) WHERE t <> '50%'
"""


def without_constraints(metadata: sa.MetaData) -> None:
    table(metadata, "a", column("b_id"), sa.Column("t", sa.Text))
    table(metadata, "b", column("n", nullable=False))


def changed_under_their_names(metadata: sa.MetaData) -> None:
    table(
        metadata,
        "a",
        column("b_id"),
        sa.Column("t", sa.Text),
        sa.ForeignKeyConstraint(["b_id"], ["b.n"], name="fk_a_b", ondelete="SET NULL"),
        sa.UniqueConstraint("t", "b_id", name="uq_a"),
        sa.UniqueConstraint("b_id", "t", name="a_b_id_t_key"),
        sa.Index("ix_a_b", "b_id", "t", unique=True),
        sa.Index("ix_a_t", sa.text("lower(t)"), postgresql_where=sa.text("t <> '60%'")),
    )
    table(metadata, "b", column("n", nullable=False, unique=True))
    table(metadata, "c", column("b"), sa.Column("t", sa.Text)).append_constraint(
        # It rests on the changed index, which then cannot be dropped once more.
        sa.ForeignKeyConstraint(["b", "t"], ["a.b_id", "a.t"])
    )


COLUMNS_BEFORE = """
    CREATE TABLE a (id serial PRIMARY KEY, n int,
      was varchar(10) DEFAULT 'a', ident int NOT NULL,
      generated int NOT NULL GENERATED ALWAYS AS IDENTITY (START 7),
      options int NOT NULL GENERATED ALWAYS AS IDENTITY, gone text DEFAULT 'x:y' NOT NULL UNIQUE);
    COMMENT ON TABLE a IS 'old';
    COMMENT ON COLUMN a.n IS 'old :n'
"""


def columns(metadata: sa.MetaData) -> None:
    table(
        metadata,
        "a",
        sa.Column("n", sa.BigInteger, nullable=False, server_default="3", comment="new 5% :n"),
        sa.Column("was", sa.String(30)),
        sa.Column("ident", sa.Integer, sa.Identity(start=9), nullable=False),
        sa.Column("generated", sa.Integer, nullable=False),
        sa.Column("options", sa.Integer, sa.Identity(start=4), nullable=False),
        sa.Column("added", sa.String(5), nullable=False, server_default="q:q", index=True),
        sa.Column("twice", sa.Integer, sa.Computed("ident * 2", persisted=True)),
        sa.Column("own", sa.Integer, sa.Identity()),
        sa.Column("flag", sa.Boolean(create_constraint=True, name="ck_flag")),
        sa.Column(
            "kind",
            sa.Enum("a:b", "it's", "5%", native_enum=False, create_constraint=True, name="ck_kind"),
        ),
        comment="new",
    )


def dropped_tables(metadata: sa.MetaData) -> None:
    table(metadata, "kept")


DROPPED_BEFORE = """
    CREATE TYPE mood AS ENUM ('a:b', 'it''s', '5%');
    CREATE TABLE kept (id serial PRIMARY KEY, d_id int);
    CREATE TABLE a_parent (id serial PRIMARY KEY, mood mood DEFAULT 'a:b',
      kept_id int REFERENCES kept);
    CREATE TABLE b_child (id serial PRIMARY KEY, p_id int REFERENCES a_parent, UNIQUE (p_id),
      CHECK (p_id > 3));
    CREATE INDEX ix_child ON b_child (p_id);
    CREATE TABLE c_one (id serial PRIMARY KEY, d_id int);
    CREATE TABLE d_two (id serial PRIMARY KEY, c_id int REFERENCES c_one);
    ALTER TABLE c_one ADD FOREIGN KEY (d_id) REFERENCES d_two;
    ALTER TABLE kept ADD CONSTRAINT fk_kept FOREIGN KEY (d_id) REFERENCES d_two;
    COMMENT ON TABLE b_child IS 'five%'
"""


class Status(enum.Enum):
    OPEN = "open"
    DONE = "it's 5% :done"


class Mood(sa.types.TypeDecorator[str]):
    impl = sa.Enum("a", name="mood")
    cache_ok = True


def enums(metadata: sa.MetaData) -> None:
    status = sa.Enum(Status, name="status", values_callable=lambda e: [item.value for item in e])
    there = sa.Enum("x", "y", name="there")
    odd = postgresql.ENUM('"a\\b(', "[+]", "$fixup$", name=WEIRD, schema="s t")
    table(
        metadata,
        "a",
        sa.Column("status", status, server_default="open"),
        sa.Column("there", there),
        sa.Column("mood", Mood()),
        sa.Column("gone", sa.Text),
    )
    table(metadata, "b", sa.Column("status", status), sa.Column("odd", odd))
    table(
        metadata,
        "c",
        sa.Column("odd", odd),
        sa.Column("many", sa.ARRAY(sa.Enum("one", "t.w?o(", name="many"))),
        sa.Column("grid", postgresql.ARRAY(there, dimensions=2)),
        sa.Column("variant", sa.String().with_variant(sa.Enum("v", name="var"), "postgresql")),
        sa.Column("there", there),
    )


ENUMS_BEFORE = """
    CREATE SCHEMA "s t";
    CREATE TYPE there AS ENUM ('x', 'y');
    CREATE TYPE old AS ENUM ('x', 'y');
    CREATE TABLE a (id serial PRIMARY KEY, gone text);
    CREATE TABLE b (id serial PRIMARY KEY, old old, olds old[])
"""


def odd_names(metadata: sa.MetaData, inside: str = '"select" > 0') -> None:
    parent = table(metadata, WEIRD, sa.Column(LONG, sa.Integer), schema="S:1")
    parent.append_constraint(sa.UniqueConstraint(LONG, name="u" * 63))
    child = sa.Column("c :x", sa.Integer)
    table(
        metadata,
        LONG,
        child,
        sa.Column("select", sa.Integer),
        sa.ForeignKeyConstraint(
            [child], [parent.c[LONG]], name=WEIRD, ondelete='SET NULL ("c :x")'
        ),
        sa.ForeignKeyConstraint(["select"], [parent.c.id]),
        sa.UniqueConstraint(child, name="50% :u"),
        sa.CheckConstraint(inside, name="$ck"),
        schema="S:1",
    )


ODD_BEFORE = f"""
    CREATE SCHEMA "S:1";
    CREATE TABLE "S:1"."{WEIRD.replace('"', '""')}" (id serial PRIMARY KEY, "{LONG}" int);
    CREATE TABLE "S:1"."{LONG}" (id serial PRIMARY KEY, "c :x" int, "select" int)
"""


def constraint_or_index(metadata: sa.MetaData) -> None:
    table(
        metadata,
        "a",
        column("b_id"),
        sa.Column("t", sa.Text),
        sa.Index("uq_a", "t", unique=True),
        sa.UniqueConstraint("b_id", "t", name="ix_a_b"),
        sa.UniqueConstraint("b_id", "t", name="a_b_id_t_key"),
        sa.Index("ix_a_t", sa.text("lower(t)"), unique=True),
        sa.ForeignKeyConstraint(["b_id"], ["b.id"], name="fk_a_b", ondelete="CASCADE"),
    )
    table(metadata, "b", column("n", nullable=False, unique=True))


CASES = {
    "created tables": ("", created_tables),
    "a cycle": ("", cycle),
    "new key of a parent": (TABLES_BEFORE, new_key_of_parent),
    "constraints": (TABLES_BEFORE, constraints),
    "changed constraints": (CONSTRAINTS_BEFORE, constraints),
    "dropped constraints": (CONSTRAINTS_BEFORE, without_constraints),
    "changed under their names": (CONSTRAINTS_BEFORE, changed_under_their_names),
    "constraint or index": (CONSTRAINTS_BEFORE, constraint_or_index),
    "columns": (COLUMNS_BEFORE, columns),
    "dropped tables": (DROPPED_BEFORE, dropped_tables),
    "enums": (ENUMS_BEFORE, enums),
    "odd names": (ODD_BEFORE, odd_names),
    "odd names, new": ('CREATE SCHEMA "S:1"', odd_names),
}
OPTS = {"include_schemas": True}


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("case", CASES)
def test_runs_twice_and_goes_back(project: Project, case: str, offline: bool) -> None:
    before, build = CASES[case]
    metadata = models(build)
    project.sql(before)
    old = project.dump()
    revision = project.generate(metadata, **OPTS)
    run = project.run_offline if offline else project.run

    run(revision.upgrade)
    new = project.dump()
    assert project.changes(metadata, **OPTS) == []
    run(revision.upgrade)
    assert project.dump() == new
    run(revision.downgrade)
    assert project.dump() == old
    run(revision.downgrade)
    assert project.dump() == old
    run(revision.upgrade)
    assert project.dump() == new


@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
@pytest.mark.postgres(16)
def test_other_drivers(project: Project, driver: str) -> None:
    for case in ("changed under their names", "enums"):
        before, build = CASES[case]
        project.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", before)
        revision = project.generate(models(build), **OPTS)
        for source in (revision.upgrade, revision.upgrade, revision.downgrade, revision.downgrade):
            project.run(source, driver)


@pytest.mark.postgres(16)
def test_any_order_is_put_right(project: Project) -> None:
    for case, (before, build) in CASES.items():
        project.sql('DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS "s t", "S:1" CASCADE')
        project.sql("CREATE SCHEMA public", before)
        revision = project.generate(models(build), shuffle=random.Random(case), **OPTS)
        project.run(revision.upgrade)
        assert project.changes(models(build), **OPTS) == []
        project.run(revision.downgrade)


def test_what_works_keeps_its_order() -> None:
    metadata = models(created_tables)
    child, parent = (ops.CreateTableOp.from_table(metadata.tables[name]) for name in "az")
    index = ops.ModifyTableOps("a", [ops.CreateIndexOp("ix", "a", ["id"])])
    column = ops.ModifyTableOps("k", [ops.AddColumnOp("k", sa.Column("c", sa.Integer))])
    upgrade_ops = ops.UpgradeOps([parent, child, index, column])
    stock.order(upgrade_ops)
    assert upgrade_ops.ops[:2] == [parent, child]
    assert [type(operation) for operation in leaves(upgrade_ops)[2:]] == [
        ops.CreateIndexOp,
        ops.AddColumnOp,
    ]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.postgres(16)
def test_the_models_stay_as_they_are(project: Project, case: str) -> None:
    before, build = CASES[case]
    metadata = models(build)
    project.sql(before)

    def state() -> list[Any]:
        return [
            (
                name,
                [(id(item), repr(item.type), item.table is found) for item in found.c],
                sorted(map(id, found.constraints)),
                sorted(map(id, found.indexes)),
                sorted(map(id, found.foreign_keys)),
            )
            for name, found in metadata.tables.items()
        ]

    old = state()
    project.generate(metadata, **OPTS)
    assert state() == old


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ("ALTER TABLE a ADD CONSTRAINT fk FOREIGN KEY (b_id) REFERENCES b", "constraint fk with"),
        ("ALTER TABLE a ADD CONSTRAINT uq UNIQUE (b_id)", "constraint uq with"),
        ("CREATE TYPE mood AS ENUM ('x')", "type mood with"),
    ],
)
def test_another_one_of_the_name_is_an_error(project: Project, there: str, message: str) -> None:
    metadata = sa.MetaData()
    table(
        metadata,
        "a",
        column("b_id"),
        sa.Column("t", sa.Text),
        sa.Column("mood", sa.Enum("a", name="mood")),
        sa.ForeignKeyConstraint(["b_id"], ["b.id"], name="fk", ondelete="CASCADE"),
        sa.UniqueConstraint("t", name="uq"),
    )
    table(metadata, "b", column("n", nullable=False))
    project.sql(TABLES_BEFORE)
    revision = project.generate(metadata)
    project.sql(there)
    with pytest.raises(DBAPIError, match=message) as error:
        project.run(revision.upgrade)
    assert "There is" in str(error.value) and "; wanted is" in str(error.value)


def test_a_constraint_of_another_table_is_not_taken_for_it(project: Project) -> None:
    project.sql(TABLES_BEFORE, "CREATE TABLE other (t text, CONSTRAINT fk_x CHECK (t > ''))")
    metadata = sa.MetaData()
    key = sa.ForeignKey("b.id", name="fk_x")
    table(metadata, "a", column("b_id", key), sa.Column("t", sa.Text))
    table(metadata, "b", column("n", nullable=False))
    table(metadata, "other", sa.Column("t", sa.Text))
    project.run(project.generate(metadata).upgrade)
    assert project.changes(metadata) == []


def test_a_restored_check_is_the_same(project: Project) -> None:
    """A varchar IN list is deparsed in other words once it has been parsed from a dump."""
    project.sql("CREATE TABLE a (id serial PRIMARY KEY)")
    metadata = sa.MetaData()
    table(
        metadata,
        "a",
        sa.Column(
            "kind", sa.Enum("a", "b", native_enum=False, create_constraint=True, name="ck_kind")
        ),
    )
    revision = project.generate(metadata)
    project.run(revision.upgrade)
    with project.engine.begin() as connection:
        find = sa.text(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname='ck_kind'"
        )
        first = connection.scalar(find)
        connection.exec_driver_sql("ALTER TABLE a DROP CONSTRAINT ck_kind")
        connection.exec_driver_sql(f"ALTER TABLE a ADD CONSTRAINT ck_kind {first}")
        assert connection.scalar(find) != first
    project.run(revision.upgrade)
    project.run(revision.downgrade)


def test_a_type_that_something_still_uses_stays(project: Project) -> None:
    project.sql(ENUMS_BEFORE)
    revision = project.generate(models(enums), **OPTS)
    project.run(revision.upgrade)
    project.sql("CREATE TABLE later (status status)")
    project.run(revision.downgrade)
    assert "CREATE TYPE public.status" in project.dump()
    assert "CREATE TYPE public.many" not in project.dump()


def test_lock_timeout_is_set(project: Project) -> None:
    project.sql(TABLES_BEFORE)
    revision = project.generate(models(constraints))
    assert revision.upgrade.count("SET LOCAL lock_timeout = '5s'") == 3


@pytest.mark.parametrize("path", ["S, public", "public"])
def test_search_path_changes_nothing(project: Project, path: str) -> None:
    project.sql('CREATE SCHEMA "S"', f'SET search_path = "S"; {TABLES_BEFORE}')
    metadata = sa.MetaData(schema="S")
    table(metadata, "a", column("b_id", sa.ForeignKey("S.b.id")), sa.Column("t", sa.Text))
    table(metadata, "b", column("n", nullable=False))
    revision = project.generate(metadata, **OPTS)
    project.run(revision.upgrade)
    new = project.dump()
    project.sql(f"ALTER ROLE postgres SET search_path = {path}")
    try:
        project.engine.dispose()
        project.run(revision.upgrade)
        assert project.dump() == new
        project.run(revision.downgrade)
        assert "FOREIGN KEY" not in project.dump()
    finally:
        project.sql("ALTER ROLE postgres RESET search_path")


def test_a_partition_of_the_models_is_not_dropped(project: Project) -> None:
    project.sql(
        "CREATE TABLE p (id int NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (id)",
        "CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (3)",
        "CREATE INDEX ON p11 (id, id)",
        "CREATE TABLE q (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (9)",
    )
    metadata = sa.MetaData()
    table(metadata, "p", postgresql_partition_by="RANGE (id)")
    revision = project.generate(metadata)
    assert "'p" not in revision.upgrade and "drop_table('q'" in revision.upgrade
    assert {(item.code, item.table) for item in revision.run.findings} == {
        ("live-partition", "p1"),
        ("live-partition", "p11"),
    }


BY_NAME = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]


def test_checks(project: Project) -> None:
    project.sql(
        """CREATE TABLE a (id serial PRIMARY KEY, n int, t text,
             CONSTRAINT gone CHECK (t <> ' :x 5%'), CONSTRAINT late CHECK (n > 3) NOT VALID)"""
    )
    metadata = sa.MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
    amount, text = column("n"), sa.Column("t", sa.Text)
    a = table(metadata, "a", amount, text)
    for name, condition in {
        "element": sa.and_(amount > 5, text.like("5%:x")),
        "text": sa.text(r"t <> '5% \:x'"),
        "plain": "t NOT LIKE '$fixup$ 5%' AND t <> '\"\"\"'",
        "l" * 58: "n > 0",
    }.items():
        a.append_constraint(sa.CheckConstraint(condition, name=name))
    old = project.dump()
    revision = project.generate(metadata, autogenerate_plugins=BY_NAME)
    for run in (project.run, project.run_offline):
        run(revision.upgrade)
        new = project.dump()
        assert project.changes(metadata, autogenerate_plugins=BY_NAME) == []
        run(revision.upgrade)
        assert project.dump() == new
        assert new.count("5%") == 3 and "5%%" not in new
        run(revision.downgrade)
        assert project.dump() == old
        run(revision.downgrade)
        assert project.dump() == old


def test_constraints_that_autogenerate_does_not_see(project: Project) -> None:
    project.sql("CREATE TABLE a (n int NOT NULL, r int4range)")
    metadata = sa.MetaData()
    a = sa.Table("a", metadata, column("n", nullable=False), sa.Column("r", postgresql.INT4RANGE))
    named = postgresql.ExcludeConstraint((a.c.r, "&&"), name="5% :x", where=sa.text("n > 0"))
    unnamed = postgresql.ExcludeConstraint((a.c.r, "="))
    for exclude in (named, unnamed):
        a.append_constraint(exclude)
    added = [
        ops.CreatePrimaryKeyOp("pk", "a", ["n"]),
        ops.AddConstraintOp.from_constraint(named),
        ops.AddConstraintOp.from_constraint(unnamed),
    ]
    revision = project.generate(metadata, operations=added)
    project.run(revision.upgrade)
    new = project.dump()
    project.run(revision.upgrade)
    assert project.dump() == new and new.count("EXCLUDE") == 2
    project.run(revision.downgrade)
    project.run(revision.downgrade)
    assert "CONSTRAINT" not in project.dump()


def test_an_index_name_in_use_elsewhere_is_not_skipped(project: Project) -> None:
    project.sql(
        "CREATE TABLE a (id serial PRIMARY KEY, n int)",
        "CREATE TABLE b (id serial PRIMARY KEY, n int)",
        "CREATE INDEX ix ON b (n)",
    )
    metadata = sa.MetaData()
    table(metadata, "a", column("n"), sa.Index("ix", "n"))
    table(metadata, "b", column("n"), sa.Index("ix2", "n"))
    with pytest.raises(DBAPIError, match="already exists"):
        project.run(project.generate(metadata).upgrade)


def test_names_that_a_convention_makes_too_long(project: Project) -> None:
    project.sql(TABLES_BEFORE)
    names = {key: f"{key}_%(table_name)s_{'n' * 70}" for key in ("uq", "fk")}
    metadata = sa.MetaData(naming_convention=names)
    key = sa.ForeignKey("b.id")
    table(metadata, "a", column("b_id", key), sa.Column("t", sa.Text, unique=True))
    table(metadata, "b", column("n", nullable=False))
    old = project.dump()
    revision = project.generate(metadata)
    for _ in range(2):
        project.run(revision.upgrade)
        assert project.changes(metadata) == []
    for _ in range(2):
        project.run(revision.downgrade)
        assert project.dump() == old
