"""The tables that a migration puts beside a table of vectors, and what their comments say of them.

An archive holds the vectors that a column had before, keyed by the primary key. A job is what
``alembic-fixups reembed`` goes by: a row for every row that it has done, and in its comment what
there is to do at the end. Both are recognised by their comments and hidden from autogenerate.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from alembic_fixups.catalog import SUCCESSOR_MARK
from alembic_fixups.rendering.templates import TableName

ARCHIVE_MARK = f"{SUCCESSOR_MARK}archive "
JOB_MARK = f"{SUCCESSOR_MARK}reembed "

TEXT_DIGEST = "fixup_text_digest"
"""Column of a job: MD5 of the text that a row was embedded from, as ``md5()`` gives it."""

VECTOR_DIGEST = "fixup_vector_digest"
"""Column of a job: MD5 of the vector that it was given, as its type's send function gives it."""

SIDE_TABLES = """
SELECT n.nspname, c.relname, pg_catalog.obj_description(c.oid, 'pg_class')
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_description d
    ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
 WHERE c.relkind = 'r'
   AND (starts_with(d.description, 'alembic-fixups: archive ')
        OR starts_with(d.description, 'alembic-fixups: reembed '))
 ORDER BY n.nspname, c.relname
"""
"""Schema, name and comment of every such table."""


@dataclass(frozen=True)
class PendingIndex:
    """An index that is built once every row is embedded.

    Attributes:
        name: its name; it is in the schema of its table.
        using: method and keys, as in ``hnsw (embedding public.vector_cosine_ops)``.
        options: storage parameters by name. Where an ivfflat index has no ``lists`` among them,
            they are computed from the number of rows.
        where: its predicate as SQL, None for none.
        tablespace: None for the default one.
        comment: None for none.
    """

    name: str
    using: str
    options: tuple[tuple[str, str], ...] = ()
    where: str | None = None
    tablespace: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Job:
    """A column that waits for vectors.

    Attributes:
        store: the table that keeps what is done: the primary key, `TEXT_DIGEST`, `VECTOR_DIGEST`.
        table: the table with the column.
        column: the column.
        type: its new type, as ``format_type()`` gives it without a search_path.
        not_null: whether it is NOT NULL at the end.
        not_null_name: the name that its NOT NULL had, where PostgreSQL keeps one (18 on).
        not_null_comment: the comment that it had.
        indexes: the indexes that are built at the end.
    """

    store: TableName
    table: TableName
    column: str
    type: str
    not_null: bool
    not_null_name: str | None = None
    not_null_comment: str | None = None
    indexes: tuple[PendingIndex, ...] = ()

    @property
    def name(self) -> str:
        """``schema.table.column``."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Archive:
    """The vectors that a column had.

    Attributes:
        store: the table: the primary key, and the column under its own name and old type.
        table: the table with the column.
        column: the column.
        type: its old type.
    """

    store: TableName
    table: TableName
    column: str
    type: str

    @property
    def name(self) -> str:
        """``schema.table.column``."""
        return f"{self.table}.{self.column}"


def parsed(rows: Iterable[tuple[str, str, str]]) -> tuple[list[Job], list[Archive]]:
    """The jobs and the archives of a database; takes what `SIDE_TABLES` gives.

    A comment that is no longer as the migration wrote it is passed over.
    """
    jobs, archives = [], []
    for schema, name, comment in rows:
        is_job = comment.startswith(JOB_MARK)
        try:
            said = json.loads(comment.removeprefix(JOB_MARK if is_job else ARCHIVE_MARK))
            of = TableName(schema, name), TableName(said["schema"], said["table"]), said["column"]
            if is_job:
                jobs.append(
                    Job(
                        *of,
                        said["type"],
                        said["not_null"],
                        said.get("not_null_name"),
                        said.get("not_null_comment"),
                        tuple(
                            PendingIndex(
                                one["name"],
                                one["using"],
                                tuple(sorted(one.get("options", {}).items())),
                                one.get("where"),
                                one.get("tablespace"),
                                one.get("comment"),
                            )
                            for one in said["indexes"]
                        ),
                    )
                )
            else:
                archives.append(Archive(*of, said["type"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return jobs, archives
