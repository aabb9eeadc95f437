"""Which vector indexes of the models the database lacks, has otherwise, or has too many.

Alembic compares the name, the columns and uniqueness of an index. Here its method, operator class,
predicate and options count as well, compared as the database writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from alembic.operations import ops
from alembic.util import CommandError

from alembic_fixups.fixups.vector_dimension.index_holders import (
    Holder,
    holders,
    is_compared,
    name_of,
    options_of,
    tuned,
)
from alembic_fixups.fixups.vector_dimension.index_meanings import retyped, said, understand
from alembic_fixups.fixups.vector_dimension.index_reading import Unreadable, reading
from alembic_fixups.fixups.vector_dimension.index_rewrite import METHODS, method_of
from alembic_fixups.fixups.vector_dimension.settings import NAME
from alembic_fixups.fixups.vector_dimension.side_tables import Job, PendingIndex
from alembic_fixups.inspection import Inspection
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.report import Finding, Severity
from alembic_fixups.run import Run
from alembic_fixups.stock.tree import table_of
from alembic_fixups.target import TableKey

SHADOW = "fixup_new_"
"""What the name of an index begins with while it is built."""


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
        what = new if old == new else f"{old} becomes {new}"
        return f"{self.table}: build the index {self.name} anew ({what})"


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
    run: Run, storages: Mapping[tuple[int, str], str], jobs: Sequence[Job] = ()
) -> Comparison:
    """Compares the vector indexes of all tables that both sides have; says what it finds, too.

    Takes SQL of the types that columns get in this migration, by OID of the table and name, and
    what waits for vectors. With no vector index on either side there is no query.

    Raises:
        CommandError: the session cannot make temporary functions or tables.
    """
    sides = list(holders(run, storages))
    if not sides:
        return Comparison((), run)
    connection = run.context.connection
    assert connection is not None
    for job in jobs:
        for holder in sides:
            relation = holder.relation
            if (job.table.schema, job.table.name) == (relation.schema, relation.name):
                holder.waiting |= {index.name: index for index in job.indexes}
    try:
        with reading(connection) as reader:
            understand(sides, reader, run)
    except Unreadable as error:
        raise CommandError(
            f"{NAME}: vector indexes are compared by what the database makes of them on empty "
            f"temporary tables, which it refuses: {error}. Connect to a server that can be written "
            "to, as a role that has TEMPORARY on the database."
        ) from error
    found: list[IndexChange] = []
    left: set[tuple[TableKey, str]] = set()
    for holder in sides:
        for name in sorted(holder.wishes.keys() | holder.present.keys()):
            if _is_left(holder, name, run):
                left.add((holder.key, name))
            else:
                found.extend(_change(holder, name, run))
    return Comparison(tuple(found), run, frozenset(left))


def _is_left(holder: Holder, name: str, run: Run) -> bool:
    """Whether Alembic is to do with it as it does, as where the extension is not there yet."""
    present = holder.present.get(name)
    if present is not None:
        return present.unique
    meaning = holder.wanted[name]
    if not meaning.untried or holder.storages or name in holder.waiting:
        return False
    message = (
        f"the index {name} cannot be tried on the database: {meaning.problem}. It is created as "
        "Alembic does, with writes waiting meanwhile"
    )
    _say(run, "index-untried", holder, message, "warning")
    return True


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
            yield _hidden(change, holder, run)
        return
    if meaning is not None:
        columns |= meaning.columns
        change = replace(change, columns=columns, converted=columns & holder.storages.keys())
    if old is None and name in holder.waiting and not change.converted:
        _say_waiting(holder, name, run)
    elif meaning is None:
        # What a migration that was stopped has built is dealt with by the one that goes on.
        if name not in {quoting.fit_identifier(f"{SHADOW}{other}") for other in holder.wishes}:
            yield change
    elif meaning.problem:
        yield from _refused(change, holder, run)
    else:
        mentioned, kept = options_of(holder, name)
        if present is not None and present.valid and kept:
            _say_kept(holder, name, kept, run)
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


def _refused(change: IndexChange, holder: Holder, run: Run) -> Iterator[IndexChange]:
    """An index that cannot be built as the models have it."""
    if change.old is None:
        fate = "The table is without it"
    elif not change.converted:
        fate = "It stays as it is"
    elif holder.known[change.name].problem:
        fate = "It goes, since its column changes"
    else:
        fate = "It stays as the database has it"
    problem = holder.wanted[change.name].problem
    _say_refused(holder, change.name, f"{problem}. {fate}", run)
    if change.converted:
        yield change if change.old is None else _as_it_was(change, holder, run)


def _hidden(change: IndexChange, holder: Holder, run: Run) -> IndexChange:
    """An index that env.py hides, on a column whose type changes."""
    meaning = holder.known[change.name]
    if meaning.problem:
        message = (
            f"the index {change.name}, which env.py hides, cannot be built over the new type of "
            f"{', '.join(sorted(change.converted))}: {meaning.problem}. It goes; drop it yourself, "
            "or let env.py show it and give the models one that can be built"
        )
        _say(run, "index-refused", holder, message, "refused")
    return _as_it_was(change, holder, run)


def _as_it_was(change: IndexChange, holder: Holder, run: Run) -> IndexChange:
    """It over the new types, if it can be built there."""
    present, meaning = holder.present[change.name], holder.known[change.name]
    if meaning.problem:
        return replace(change, new=None, problem=meaning.problem)
    was = present.index
    kept = tuned(present)
    new = PendingIndex(
        was.name, meaning.using, tuple(kept.items()), meaning.where, was.tablespace, was.comment
    )
    return replace(change, new=_placed(new, run), kept=frozenset(kept))


def _as_written(index: PendingIndex, run: Run) -> PendingIndex:
    """It as the downgrade can build it: other fixups have done with its columns by then."""
    return _placed(
        replace(index, using=run.retyped(index.using), where=retyped(index.where, run)), run
    )


def _placed(index: PendingIndex, run: Run) -> PendingIndex:
    """It with the types that the migration moves where they will be."""
    inspector = run.context.inspector
    if not isinstance(inspector, Inspection):
        return index
    using = inspector.after_moves(index.using, index.using)
    where = None if index.where is None else inspector.after_moves(index.where, index.where)
    return replace(index, using=using, where=where)


def _shown(index: PendingIndex) -> str:
    options = said(dict(index.options))
    where = "" if index.where is None else f" where {index.where}"
    return index.using + (f" with {options}" if options else "") + where


def _say_waiting(holder: Holder, name: str, run: Run) -> None:
    """Says where what `alembic-fixups reembed` builds is not what the models have."""
    pending, meaning = holder.waiting[name], holder.wanted.get(name)
    if meaning is not None and meaning.problem:
        _say_refused(holder, name, f"{meaning.problem}. It is built as the job says", run)
        return
    if meaning is not None:
        mentioned, _ = options_of(holder, name)
        has_options = mentioned.items() <= dict(pending.options).items()
        if has_options and holder.pending[name].fixed == meaning.fixed:
            return
    message = (
        f"`alembic-fixups reembed` builds the index {name} as the job says ({_shown(pending)}); "
        f"the next revision after it {'drops it' if meaning is None else 'builds it anew'}"
    )
    _say(run, "index-waiting", holder, message, "info")


def _say_kept(holder: Holder, name: str, kept: Mapping[str, str], run: Run) -> None:
    message = (
        f"the index {name} has {said(kept)} in the database, which the models do not "
        "mention: kept. Write it into postgresql_with to have it in a new database too"
    )
    _say(run, "index-option", holder, message, "info")


def _say_refused(holder: Holder, name: str, why: str, run: Run) -> None:
    message = f"the index {name} cannot be built as the models have it: {why}"
    _say(run, "index-refused", holder, message, "refused")


def _say(run: Run, code: str, holder: Holder, message: str, severity: Severity) -> None:
    run.findings.append(Finding(NAME, code, holder.table.key, message, severity))
