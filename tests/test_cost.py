"""What a comparison asks the database: as much for ten tables as for sixty, and the right thing."""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pgvector.sqlalchemy import VECTOR
from sqlalchemy import URL, Engine, MetaData, Table, create_engine, event

from alembic_fixups import scratch
from alembic_fixups.fixups import all_fixups
from alembic_fixups.fixups.check_constraints.meaning import Meaning, Twin, reading
from alembic_fixups.settings import load
from benchmarks.autogenerate import FIXUPS, Project, create, make_folder, models, rewritten

SIZES = (10, 60)
_LIST = re.compile(r"IN \((?:%\(\w+\)s(?:::\w+)?(?:, )?)+\)")


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """Every statement that an engine sends inside the block, and how often."""
    sent = Counter[str]()

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        # SQLAlchemy lists the tables of one query, up to 3,000, in an IN.
        sent[_LIST.sub("IN (...)", " ".join(statement.split()))] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def with_other_vectors(tables: int) -> MetaData:
    """The models with vectors of other dimensions than the database has."""
    metadata = models(tables)
    for table in metadata.tables.values():
        for column in table.c:
            if isinstance(column.type, VECTOR):
                column.type = VECTOR(256)
    return metadata


@pytest.fixture(scope="module")
def asked(
    server: scratch.Server, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Counter[str]]]:
    """What is asked in each situation, for each number of tables."""
    found: dict[str, list[Counter[str]]] = {}
    folder = make_folder(tmp_path_factory.mktemp("cost") / "project")
    assert {fixup for fixup, _ in load(folder / "pyproject.toml").active} == set(all_fixups())
    for size in SIZES:
        with scratch.database(server) as plain, scratch.database(server) as desired:
            written = models(size)
            wanted = rewritten(written, folder, 16)
            create(written, plain)
            create(wanted, desired)
            situations = {
                "nothing to do": (wanted, desired, False),
                "models that are rewritten": (written, desired, False),
                "much to do": (written, plain, True),
                "vectors too": (with_other_vectors(size), plain, True),
            }
            for name, (metadata, url, changes) in situations.items():
                with statements() as sent:
                    source = Project(folder, metadata, url, FIXUPS).autogenerate()
                assert ("op." in source) is changes, source
                found.setdefault(name, []).append(sent)
    return found


@pytest.mark.postgres(16)
@pytest.mark.parametrize(
    "situation", ["nothing to do", "models that are rewritten", "much to do", "vectors too"]
)
def test_more_tables_are_no_more_queries(
    asked: dict[str, list[Counter[str]]], situation: str
) -> None:
    few, many = asked[situation]
    assert sum(few.values()) > 20
    assert many == few


@pytest.mark.postgres(16)
def test_python_collects_garbage_as_before_afterwards(database_url: URL, tmp_path: Path) -> None:
    """Also where one failed before it, whose context Alembic keeps until its next command."""
    project = Project(make_folder(tmp_path / "project"), models(4), database_url, FIXUPS)
    usual = gc.get_threshold()
    during: list[int] = []

    def failing(*_: object) -> None:
        during.append(gc.get_threshold()[0])
        raise RuntimeError("failed")

    create(project.metadata, database_url)
    event.listen(Table, "column_reflect", failing)
    try:
        with pytest.raises(RuntimeError, match="failed"):
            project.autogenerate()
    finally:
        event.remove(Table, "column_reflect", failing)
    project.autogenerate()
    assert during[0] > usual[0]
    assert gc.get_threshold() == usual


ORDERS = Twin(
    0,
    "orders",
    (
        ("amount", "NUMERIC(12, 2)"),
        ("status", "VARCHAR(63)"),
        ('Odd "name', "INTEGER"),
        ("select", "TEXT"),
        ("a" * 63, "INTEGER"),
        ("kind", "no_such_type"),
    ),
)
ITEMS = Twin(
    0,
    "items",
    (("amount", "INTEGER"), ("status", "VARCHAR(63)"), ("lower", "TEXT"), ("only_here", "INTEGER")),
)
EXPRESSIONS = (
    "amount > 0",
    "AMOUNT > 1.5",
    "status IN ('b', 'a')",
    "(status)::text = ANY ((ARRAY['b'::character varying, 'a'::character varying])::text[])",
    "'amount' = status",
    "U&\"\\0073tatus\" = 'x'",
    '"Odd ""name" > 0',
    '"select" <> status',
    f"{'a' * 70} > 0",
    "lower(status) = status",
    'items."lower" = status',
    "orders.amount > 0",
    "orders IS NOT NULL",
    "only_here > amount",
    "missing > 0",
    "no_function(amount) > 0",
    "kind = 'x'",
    "amount >",
    "true",
    "amount > 0), CONSTRAINT fixup_9 CHECK (amount < 5",
)


@pytest.mark.postgres(16)
def test_tables_that_share_a_twin_are_told_the_same_as_one_alone(database_url: URL) -> None:
    asked = [(ORDERS, EXPRESSIONS), (ITEMS, EXPRESSIONS)]
    engine = create_engine(database_url)
    with engine.connect() as connection, reading(connection) as reader:
        alone = [[Meaning(expression) for expression in EXPRESSIONS] for _ in asked]
        reader._try_each(asked, alone)
        found = reader.meanings(asked)
    engine.dispose()
    assert found == alone
    understood = [sum(one.fixed is not None for one in each) for each in found]
    assert understood == [13, 10]
