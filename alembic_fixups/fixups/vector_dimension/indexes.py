"""Which vector indexes of the models the database lacks, has otherwise, or has too many.

Alembic compares the name, the columns and uniqueness of an index. Here its method, operator class,
predicate and options count as well, compared as the database writes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy import Connection, text

from alembic_fixups.fixups.check_constraints.restored import with_array_type
from alembic_fixups.fixups.vector_dimension.index_holders import (
    Holder,
    holders,
    is_compared,
    name_of,
    options_of,
    statement,
)
from alembic_fixups.fixups.vector_dimension.index_reading import (
    Present,
    Reader,
    Twin,
    Unreadable,
    reading,
)
from alembic_fixups.fixups.vector_dimension.index_rewrite import METHODS, method_of
from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.side_tables import (
    SIDE_TABLES,
    Job,
    PendingIndex,
    parsed,
)
from alembic_fixups.inspection import Inspection
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.report import Finding, Severity
from alembic_fixups.run import Run
from alembic_fixups.stock.tree import table_of
from alembic_fixups.target import TableKey

SHADOW = "fixup_new_"
"""What the name of an index begins with while it is built."""

_BUILD = "CREATE INDEX fixup_index ON pg_temp.fixup_twin USING "


@dataclass(frozen=True)
class IndexChange:
    """An index that is not as the models want it, or on a column whose type changes.

    Attributes:
        table: its table, as the models name it.
        relation: OID of the table.
        name: its name.
        old: as the database has it, None where it has none or an INVALID one.
        new: as it is to be, None where it goes.
        kept: the options of *new* that the models do not mention.
        columns: the columns that one of both has, in its key or its predicate.
        converted: those of them whose types change: the index goes before that and is built again
            behind.
        partitioned: whether its table is a partitioned one.
        early: whether the old one has columns that Alembic's own operations drop, so that it goes
            before these.
        problem: why it cannot be built again, None where it can.
    """

    table: TableName
    relation: int
    name: str
    old: PendingIndex | None
    new: PendingIndex | None
    kept: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    converted: frozenset[str] = frozenset()
    partitioned: bool = False
    early: bool = False
    problem: str | None = None

    @property
    def shadow(self) -> str:
        """The name of the new one while it is built."""
        return quoting.fit_identifier(f"{SHADOW}{self.name}")

    def __str__(self) -> str:
        if self.new is None:
            return f"{self.table}: drop the index {self.name}"
        if self.old is None:
            return f"{self.table}: create the index {self.name} ({_shown(self.new)})"
        old, new = _shown(self.old), _shown(self.new)
        said = new if old == new else f"{old} becomes {new}"
        return f"{self.table}: build the index {self.name} anew ({said})"


@dataclass(frozen=True)
class Comparison:
    """What differs, and which of Alembic's operations are about the same.

    Attributes:
        changes: the indexes that differ.
    """

    changes: tuple[IndexChange, ...]
    _run: Run
    _left: frozenset[tuple[TableKey, str]] = frozenset()

    def owns(self, operation: ops.MigrateOperation) -> bool:
        """Whether it creates or drops a vector index of a table that both sides have."""
        named = table_of(operation)
        if not isinstance(operation, ops.CreateIndexOp | ops.DropIndexOp) or named is None:
            return False
        key = self._run.target.find(*named)
        table = None if key is None else self._run.target.table(key)
        relation = None if table is None else self._run.relation(table)
        name = str(operation.index_name)
        if key is None or table is None or relation is None or (key, name) in self._left:
            return False
        wanted = {name_of(index) for index in table.indexes if method_of(index) in METHODS}
        return (
            name in wanted
            or any(index.name == name and index.method in METHODS for index in relation.indexes)
            or str(operation.kw.get("postgresql_using")).lower() in METHODS
        )


def compare(
    run: Run, storages: Mapping[tuple[int, str], str], jobs: Sequence[Job] | None = None
) -> Comparison:
    """Compares the vector indexes of all tables that both sides have; says what it finds, too.

    Takes SQL of the types that columns get in this migration, by OID of the table and name, and
    what waits for vectors: None to read that. With no vector index on either side there is no
    query.

    Raises:
        CommandError: the session cannot make temporary functions or tables.
    """
    sides = list(holders(run, storages))
    if not sides:
        return Comparison((), run)
    connection = run.context.connection
    assert connection is not None
    try:
        with reading(connection) as reader:
            _understand(sides, reader, run)
    except Unreadable as error:
        raise CommandError(
            f"{NAME}: vector indexes are compared by what the database makes of them on empty "
            f"temporary tables, which it refuses: {error}. Connect to a server that can be written "
            "to, as a role that has TEMPORARY on the database."
        ) from error
    for job in _jobs(connection) if jobs is None else jobs:
        for holder in sides:
            relation = holder.relation
            if (job.table.schema, job.table.name) == (relation.schema, relation.name):
                holder.waiting |= {index.name for index in job.indexes}
    found: list[IndexChange] = []
    left: set[tuple[TableKey, str]] = set()
    for holder in sides:
        for name in sorted(holder.wishes.keys() | holder.present.keys()):
            if _is_left(holder, name, run):
                left.add((holder.key, name))
            else:
                found.extend(_change(holder, name, run))
    return Comparison(tuple(found), run, frozenset(left))


def _understand(sides: Sequence[Holder], reader: Reader, run: Run) -> None:
    oids = [oid for holder in sides for oid in holder.oids.values()]
    present = reader.present(oids) if oids else {}
    asked = []
    for holder in sides:
        holder.present = {name: present[oid] for name, oid in holder.oids.items()}
        wanted = [statement(index) for index in holder.wishes.values()]
        known = [
            _built(run.retyped(one.index.using), _retyped(one.index.where, run))
            for one in holder.present.values()
        ]
        asked.append((holder.twin, [*wanted, *known]))
    for holder, meanings in zip(sides, reader.meanings(asked), strict=True):
        ours = len(holder.wishes)
        holder.wanted = dict(zip(holder.wishes, meanings[:ours], strict=True))
        holder.known = dict(zip(holder.present, meanings[ours:], strict=True))
    _keep_to_the_letter(sides, reader)


def _keep_to_the_letter(sides: Sequence[Holder], reader: Reader) -> None:
    """Has every predicate read as it has to be written to come out as it is.

    What PostgreSQL writes for a list of values reads otherwise when it is parsed again.
    """
    asked: list[tuple[Twin, list[str]]] = []
    tried: list[tuple[Holder, str, str, str | None, str]] = []
    for holder in sides:
        for kind in ("present", "wanted", "known"):
            for name, item in getattr(holder, kind).items():
                index = item.index if isinstance(item, Present) else item
                where = with_array_type(index.where or "")
                if where != (index.where or ""):
                    twin = Twin(holder.relation.oid) if kind == "present" else holder.twin
                    asked.append((twin, [_built(index.using, where)]))
                    tried.append((holder, kind, name, index.where, where))
    for (holder, kind, name, was, where), [found] in zip(
        tried, reader.meanings(asked) if asked else [], strict=True
    ):
        if found.where == was:
            items = getattr(holder, kind)
            item = items[name]
            items[name] = (
                replace(item, index=replace(item.index, where=where))
                if isinstance(item, Present)
                else replace(item, where=where)
            )


def _is_left(holder: Holder, name: str, run: Run) -> bool:
    """Whether Alembic is to do with it as it does, as where the extension is not there yet."""
    present = holder.present.get(name)
    if present is not None:
        return present.unique
    problem = holder.wanted[name].problem
    if problem and name not in holder.waiting and not holder.storages:
        message = (
            f"the index {name} cannot be tried on the database: {problem}. It is created as "
            "Alembic does, with writes waiting meanwhile"
        )
        _say(run, "index-untried", holder, message, "warning")
    return bool(problem) and not holder.storages


def _change(holder: Holder, name: str, run: Run) -> Iterator[IndexChange]:
    present, meaning = holder.present.get(name), holder.wanted.get(name)
    if present is not None and present.inherited:
        return  # it comes and goes with that of the partitioned table
    old = _as_written(present.index, run) if present is not None and present.valid else None
    columns = present.columns if present is not None else frozenset()
    converted = columns & holder.storages.keys()
    change = IndexChange(
        TableName.of(holder.table),
        holder.relation.oid,
        name,
        old,
        None,
        columns=columns,
        converted=converted,
        partitioned=holder.relation.kind == "p",
        early=old is not None and not columns <= {column.name for column in holder.table.c},
    )
    if not is_compared(holder, name, run):
        if old is not None and converted:
            yield _as_it_was(change, holder, run)
    elif meaning is None:
        # What a migration that was stopped has built is dealt with by the one that goes on.
        if name not in {quoting.fit_identifier(f"{SHADOW}{other}") for other in holder.wishes}:
            yield change
    elif meaning.problem:
        message = f"the index {name} cannot be built as the models have it: {meaning.problem}. " + (
            "It goes, since its column changes" if converted else "It stays as it is"
        )
        _say(run, "index-refused", holder, message, "refused")
        if converted:
            yield replace(change, new=None, problem=meaning.problem)
    else:
        columns |= meaning.columns
        change = replace(
            change, new=None, columns=columns, converted=columns & holder.storages.keys()
        )
        if present is None and name in holder.waiting and not change.converted:
            return
        mentioned, kept = options_of(holder, name)
        if present is not None and present.valid:
            _say_kept(holder, present, kept, run)
        if (
            change.converted
            or old is None
            or holder.known[name].fixed != meaning.fixed
            or not mentioned.items() <= dict(old.options).items()
        ):
            yield _wanted(change, holder, mentioned, kept, run)


def _wanted(
    change: IndexChange,
    holder: Holder,
    mentioned: Mapping[str, str],
    kept: Mapping[str, str],
    run: Run,
) -> IndexChange:
    present, meaning = holder.present.get(change.name), holder.wanted[change.name]
    if present is not None and _is_computed(present, kept):
        kept = {key: value for key, value in kept.items() if key != "lists"}
    space = holder.wishes[change.name].dialect_options["postgresql"]["tablespace"]
    if space is None and present is not None:
        space = present.index.tablespace
    new = PendingIndex(
        change.name,
        meaning.using,
        (*mentioned.items(), *kept.items()),
        meaning.where,
        space,
        present.index.comment if present is not None else None,
    )
    return replace(change, new=_placed(new, run), kept=frozenset(kept))


def _as_it_was(change: IndexChange, holder: Holder, run: Run) -> IndexChange:
    """An index that env.py hides, on a column whose type changes."""
    present, meaning = holder.present[change.name], holder.known[change.name]
    if meaning.problem:
        message = (
            f"the index {change.name}, which env.py hides, cannot be built over the new type of "
            f"{', '.join(sorted(change.converted))}: {meaning.problem}. It goes; drop it yourself, "
            "or let env.py show it and give the models one that can be built"
        )
        _say(run, "index-refused", holder, message, "refused")
        return replace(change, new=None, problem=meaning.problem)
    was = present.index
    kept = dict(was.options)
    if _is_computed(present, kept):
        del kept["lists"]
    new = PendingIndex(
        was.name, meaning.using, tuple(kept.items()), meaning.where, was.tablespace, was.comment
    )
    return replace(change, new=_placed(new, run), kept=frozenset(kept))


def _as_written(index: PendingIndex, run: Run) -> PendingIndex:
    """It as the downgrade can build it: other fixups have done with its columns by then."""
    return _placed(
        replace(index, using=run.retyped(index.using), where=_retyped(index.where, run)), run
    )


def _placed(index: PendingIndex, run: Run) -> PendingIndex:
    """It with the types that the migration moves where they will be."""
    inspector = run.context.inspector
    if not isinstance(inspector, Inspection):
        return index
    using = inspector.after_moves(index.using, index.using)
    where = None if index.where is None else inspector.after_moves(index.where, index.where)
    return replace(index, using=using, where=where)


def _is_computed(present: Present, kept: Mapping[str, str]) -> bool:
    """Whether the lists of an ivfflat index are what a migration makes of the number of rows.

    Nobody has tuned them then, and they are computed again where it is built anew.
    """
    lists = kept.get("lists", "")
    if present.method != "ivfflat" or not lists.isdecimal():
        return False
    rows = max(present.rows, 0)
    rule = math.sqrt(rows) if rows > 1_000_000 else max(rows / 1000, 1)
    return lists == "1" or abs(int(lists) - rule) <= rule / 5


def _built(using: str, where: str | None) -> str:
    return _BUILD + using + ("" if where is None else f" WHERE {where}")


def _retyped(where: str | None, run: Run) -> str | None:
    return None if where is None else run.retyped(where)


def _jobs(connection: Connection) -> list[Job]:
    rows = connection.execute(text(SIDE_TABLES)).all()
    return parsed((row[0], row[1], row[2]) for row in rows)[0]


def _shown(index: PendingIndex) -> str:
    options = ", ".join(f"{key} = {value}" for key, value in index.options)
    where = "" if index.where is None else f" where {index.where}"
    return index.using + (f" with {options}" if options else "") + where


def _say_kept(holder: Holder, present: Present, kept: Mapping[str, str], run: Run) -> None:
    if _is_computed(present, kept):
        kept = {key: value for key, value in kept.items() if key != "lists"}
    if not kept:
        return
    said = ", ".join(f"{key} = {value}" for key, value in kept.items())
    message = (
        f"the index {present.index.name} has {said} in the database, which the models do not "
        "mention: kept. Write it into postgresql_with to have it in a new database too"
    )
    _say(run, "index-option", holder, message, "info")


def _say(run: Run, code: str, holder: Holder, message: str, severity: Severity) -> None:
    run.findings.append(Finding(NAME, code, holder.table.key, message, severity))
