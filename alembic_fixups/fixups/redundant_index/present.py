"""The indexes of the database that go, with all that a downgrade needs to build them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import text

from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.run import Run


@dataclass(frozen=True)
class Part:
    """The index of a partition that is a part of one of the whole table.

    Attributes:
        table: the partition.
        name: the name of its index.
        comment: the comment on it, None where there is none.
        is_like_whole: whether it has the storage of the whole, and no mark of its own.
        clustered: whether its partition is clustered by it.
    """

    table: TableName
    name: str
    comment: str | None
    is_like_whole: bool
    clustered: bool


@dataclass(frozen=True)
class Present:
    """An index of the database.

    Attributes:
        is_plain: whether it is what ``index=True`` makes, as far as look-ups go.
        is_served: whether a valid index that stays begins with its column.
        is_bound: whether it is a part of an index of a partitioned table, or depends on an
            extension.
        clustered: whether its table is clustered by it.
        options: its storage parameters, as they stand behind WITH.
        tablespace: its tablespace, None for that of the database.
        comment: the comment on it, None where there is none.
        definition: the statement that would make it.
        parts: the indexes of partitions that are parts of it.
    """

    is_plain: bool
    is_served: bool
    is_bound: bool
    clustered: bool
    options: str | None
    tablespace: str | None
    comment: str | None
    definition: str
    parts: tuple[Part, ...] = ()

    @property
    def is_clustered(self) -> bool:
        """Whether a table is clustered by it or by a part of it."""
        return self.clustered or any(part.clustered for part in self.parts)


def read(oids: Iterable[int], run: Run, templates: Templates) -> dict[int, Present]:
    """Takes the OIDs of indexes that may all go together; two queries, however many they are."""
    wanted = sorted(oids)
    if not wanted:
        return {}
    assert run.context.connection is not None
    connection = run.context.connection
    parts: dict[int, list[Part]] = defaultdict(list)
    query = templates.step("redundant_index/parts.sql.j2", "", "", oids=wanted).sql
    for oid, schema, table, name, comment, is_like_whole, clustered in connection.execute(
        text(query.replace(":", r"\:"))
    ):
        place = TableName(schema, table)
        parts[oid].append(Part(place, name, comment, is_like_whole, clustered))
    query = templates.step("redundant_index/present.sql.j2", "", "", oids=wanted).sql
    return {
        oid: replace(Present(*values), parts=tuple(parts[oid]))
        for oid, *values in connection.execute(text(query.replace(":", r"\:")))
    }
