"""Labels of every kind come through the conversion and back, whatever they look like."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from psycopg import sql

from alembic_fixups import scratch
from tests.fixups.enum_check.cases import settings
from tests.laws import snapshot
from tests.projects import Project

HOSTILE = [
    "",
    " ",
    " both ends ",
    "it's",
    "''",
    "a:b :name ::text",
    "\\:name",
    '\'::"Kind"',
    '::public."Kind"',
    "100% %s %(name)s %%",
    "back\\slash\\",
    "$$",
    "$fixup$",
    '"',
    '"""',
    "new\nline\r\ttab",
    "\x01\x7f\x85\u2028",
    "NULL",
    "{a,b}",
    "{{ jinja }} {% if %}",
    "--",
    "/* ; DROP",
    "e\u0301 \u00e9 \u6f22\u5b57",
    "\U0001f642",
    "x" * 63,
    "\u00e9" * 31,
    "\U0001f642" * 15,
]
"""What an enum may list, and what a quoting that is not careful breaks on."""

OTHER = "none of them"

LABELS = st.lists(
    st.sampled_from(HOSTILE)
    | st.text(
        st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20
    ).filter(lambda label: len(label.encode()) <= 63 and label != OTHER),
    min_size=1,
    max_size=6,
    unique=True,
)

# Some of the labels stand in SQL too: a default, a partial index, a check.
MODELS = """
metadata = MetaData()
labels = {labels}
kind = Enum(*labels, name="Kind")
t = Table("t", metadata, Column("id", Integer, primary_key=True, autoincrement=False),
          Column("kind", kind, nullable=False, server_default=labels[-1]),
          Column("kinds", ARRAY(kind)))
Index("ix_t_kind", t.c.kind)
Index("ix_t_first", t.c.id, postgresql_where=t.c.kind == labels[0])
Index("ix_t_listed", t.c.id, postgresql_where=t.c.kind.in_(labels))
t.append_constraint(CheckConstraint(or_(t.c.kind != labels[0], t.c.id >= 0), name="first"))
"""


@pytest.mark.postgres(16)
@with_settings(max_examples=4, deadline=None, derandomize=True, database=None)
@given(labels=LABELS, strategy=st.sampled_from(["rewrite", "online"]))
@example(labels=HOSTILE, strategy="rewrite")
@example(labels=HOSTILE, strategy="online")
@pytest.mark.slow
def test_any_labels_go_there_and_back(
    server: scratch.Server, labels: list[str], strategy: str
) -> None:
    there_and_back(server, labels, strategy, "varchar")


@pytest.mark.slow
@pytest.mark.timeout(900)
@with_settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    labels=LABELS,
    strategy=st.sampled_from(["rewrite", "online"]),
    storage=st.sampled_from(["varchar", "text"]),
)
@example(labels=HOSTILE, strategy="rewrite", storage="text")
@example(labels=HOSTILE, strategy="online", storage="text")
def test_many_labels_go_there_and_back_on_every_version(
    server: scratch.Server, labels: list[str], strategy: str, storage: str
) -> None:
    there_and_back(server, labels, strategy, storage)


def there_and_back(server: scratch.Server, labels: list[str], strategy: str, storage: str) -> None:
    """The conversion and its way back, by ``alembic`` and by psql."""
    with tempfile.TemporaryDirectory() as folder, scratch.database(server) as url:
        project = Project.make(
            Path(folder) / "project",
            url,
            MODELS.format(labels=ascii(labels)),
            settings(strategy, f"storage = '{storage}'"),
        )
        project.create_all()
        with scratch.connect(url) as connection:
            fill(connection, labels)
            rows = as_text(connection)
        assert [kind for _, kind, _ in rows] == [*labels, labels[-1]]
        before = snapshot.in_any_order(server, url)

        project.autogenerate()
        project.upgrade()
        after = snapshot.in_any_order(server, url)
        with scratch.connect(url) as connection:
            assert as_text(connection) == rows
            assert types(connection) == []
            refuses(connection, labels)
        assert project.is_converged()
        project.downgrade()
        assert snapshot.in_any_order(server, url) == before

        project.psql("DROP TABLE alembic_version", server)
        project.psql(project.offline("head"), server)
        assert snapshot.in_any_order(server, url) == after
        project.psql(project.offline(f"{project.head()}:base", downgrade=True), server)
        assert snapshot.in_any_order(server, url) == before


def fill(connection: psycopg.Connection[Any], labels: list[str]) -> None:
    """A row for every label, one of the default, and a view that says the first and the last."""
    for number, label in enumerate(labels):
        connection.execute(
            'INSERT INTO t VALUES (%s, %s::"Kind", %s::text[]::"Kind"[])',
            [number, label, [label, None, *labels]],
        )
    connection.execute("INSERT INTO t (id) VALUES (%s)", [len(labels)])
    first, last = sql.Literal(labels[0]), sql.Literal(labels[-1])
    connection.execute(
        sql.SQL(
            "CREATE VIEW v AS SELECT id, {} = ANY (kinds) AS has FROM t WHERE kind IN ({}, {})"
        ).format(first, first, last)
    )


def as_text(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """The rows, their labels as text."""
    return connection.execute("SELECT id, kind::text, kinds::text[] FROM t ORDER BY id").fetchall()


def types(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """The enum types that are left."""
    return connection.execute("SELECT typname FROM pg_type WHERE typtype = 'e'").fetchall()


def refuses(connection: psycopg.Connection[Any], labels: list[str]) -> None:
    """Every label can be written still, and nothing else."""
    connection.execute("BEGIN")
    for label in labels:
        connection.execute("UPDATE t SET kind = %s, kinds = %s WHERE id > 0", [label, [label]])
    connection.execute("ROLLBACK")
    for column, value in [("kind", OTHER), ("kinds", [labels[0], OTHER])]:
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"UPDATE t SET {column} = %s", [value])
