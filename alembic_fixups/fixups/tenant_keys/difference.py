"""What of the composite keys a database does not have yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from sqlalchemy import Table

from alembic_fixups.catalog import Column, ForeignKey, Relation
from alembic_fixups.fixups.tenant_keys.rewrite import CompositeKey
from alembic_fixups.fixups.tenant_keys.settings import NAME
from alembic_fixups.rendering import foreign_keys
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.report import Finding
from alembic_fixups.run import Run


@dataclass(frozen=True)
class Change:
    """A key that the database does not have as it should, with what it has instead.

    Attributes:
        key: the key that is wanted.
        child, parent: its tables.
        relation: the child as the database has it, None where this revision creates it.
        parent_relation: the parent likewise.
        wanted: the foreign key as the catalog will have it.
        present: the foreign key as it is, where only its validation is missing.
        old: the foreign keys that it takes the place of.
        needs_unique, needs_index: what else is missing.
    """

    key: CompositeKey
    child: TableName
    parent: TableName
    relation: Relation | None
    parent_relation: Relation | None
    wanted: ForeignKey
    present: ForeignKey | None
    old: tuple[ForeignKey, ...]
    needs_unique: bool
    needs_index: bool

    @property
    def needs_foreign_key(self) -> bool:
        """Whether the constraint itself is missing, or has other options."""
        return self.present is None

    @property
    def needs_validation(self) -> bool:
        """Whether the rows that are there have yet to be checked."""
        return self.present is None or not self.present.validated

    @property
    def is_empty(self) -> bool:
        """Whether the database has all of it."""
        return not (self.needs_unique or self.needs_index or self.needs_validation or self.old)

    @property
    def is_there(self) -> bool:
        """Whether both tables have all the columns already, of types that can be compared."""
        return (
            self.relation is not None
            and self.parent_relation is not None
            and set(self.key.columns) <= self.relation.columns.keys()
            and set(self.key.parent_columns) <= self.parent_relation.columns.keys()
            and all(
                _can_compare(self.relation.columns[name], self.parent_relation.columns[other])
                for name, other in zip(self.key.columns, self.key.parent_columns, strict=True)
            )
        )

    @property
    def is_partitioned(self) -> bool:
        """Whether the child is a partitioned table."""
        return self.relation is not None and self.relation.kind == "p"

    @property
    def left_over(self) -> list[ForeignKey]:
        """The old foreign keys that are still there once the new one is: those of another name."""
        return [fk for fk in self.old if fk.name != self.final.name]

    @property
    def final(self) -> ForeignKey:
        """The foreign key as it is when all is done; one that is there keeps its name."""
        return self.present or self.wanted

    @property
    def swapped(self) -> ForeignKey | None:
        """The old foreign key that has the name of the new one."""
        return next((fk for fk in self.old if fk.name == self.key.name), None)


def changes(keys: Sequence[CompositeKey], run: Run) -> list[Change]:
    """The keys that the database does not have as they should be, in the order given.

    What cannot be done is left out, with a finding that says why.
    """
    found = (_compare(key, run) for key in keys)
    return [change for change in found if change is not None and not change.is_empty]


def _compare(key: CompositeKey, run: Run) -> Change | None:
    child, parent = run.target.table(key.child), run.target.table(key.parent)
    relation, parent_relation = run.relation(child), run.relation(parent)
    for table in (child, parent):
        if not run.context.run_object_filters(table, table.name, "table", False, None):
            if table is parent:
                _refuse(
                    run,
                    "excluded-parent",
                    child,
                    f"{parent.key} is excluded by include_object in env.py, so no key of it can be "
                    "made to refer to",
                )
            return None
    for table, found in ((child, relation), (parent, parent_relation)):
        if found is not None and found.kind not in ("r", "p"):
            _refuse(run, "not-a-table", table, "is no table in the database, so it can have no key")
            return None
    needs_unique = parent_relation is not None and not _has_key(parent_relation, key)
    if relation is None and not needs_unique:
        return None  # CREATE TABLE brings the foreign key and Alembic the index
    if needs_unique and parent_relation is not None and not _can_be_unique(parent_relation, key):
        _refuse(
            run,
            "partition-key",
            parent,
            f"is partitioned by ({', '.join(parent_relation.partition_key)}), and a unique key has "
            f"to hold these columns; ({', '.join(key.parent_columns)}) does not",
        )
        return None

    wanted = _wanted(key, parent_relation)
    same = [fk for fk in _own_keys(relation) if _refers(fk, parent_relation, key.pairs)]
    present = next((fk for fk in same if _same_options(fk, wanted)), None)
    old = [fk for fk in same if present is None]
    old += [
        fk
        for fk in _own_keys(relation)
        if any(_refers(fk, parent_relation, pairs) for pairs in key.replaced)
    ]
    kept_comment = next((fk.comment for fk in old if fk.comment is not None), None)
    return Change(
        key=key,
        child=TableName.of(child),
        parent=TableName.of(parent),
        relation=relation,
        parent_relation=parent_relation,
        wanted=changed(wanted, comment=kept_comment),
        present=present,
        old=tuple(old),
        needs_unique=needs_unique,
        needs_index=(
            relation is not None
            and key.index.name is not None
            and not any(index.covers(key.columns) for index in relation.indexes)
        ),
    )


_FAMILIES = (
    {"int2", "int4", "int8", "numeric"},
    {"text", "varchar", "bpchar"},
)


def _can_compare(column: Column, other: Column) -> bool:
    types = {column.type, other.type}
    return len(types) == 1 or any(types <= family for family in _FAMILIES)


def _own_keys(relation: Relation | None) -> list[ForeignKey]:
    return [] if relation is None else [fk for fk in relation.foreign_keys if not fk.inherited]


def _refers(fk: ForeignKey, parent: Relation | None, pairs: frozenset[tuple[str, str]]) -> bool:
    return parent is not None and fk.referred == parent.oid and fk.pairs == pairs


def _same_options(fk: ForeignKey, wanted: ForeignKey) -> bool:
    def options(one: ForeignKey) -> tuple[Any, ...]:
        return (
            one.on_delete,
            one.on_update,
            frozenset(one.set_columns),
            one.deferrable,
            one.initially_deferred,
            one.match,
            one.enforced,
        )

    return options(fk) == options(wanted)


def _wanted(key: CompositeKey, parent: Relation | None) -> ForeignKey:
    on_delete, set_columns = foreign_keys.referential_action(key.on_delete)
    on_update, _ = foreign_keys.referential_action(key.on_update)
    initially = key.initially.upper() == "DEFERRED"
    return ForeignKey(
        name=key.name,
        columns=key.columns,
        referred=parent.oid if parent is not None else 0,
        referred_columns=key.parent_columns,
        on_delete=on_delete,
        on_update=on_update,
        set_columns=set_columns,
        deferrable=key.deferrable or initially,
        initially_deferred=initially,
        match="FULL" if key.match.upper() == "FULL" else "SIMPLE",
    )


def _has_key(parent: Relation, key: CompositeKey) -> bool:
    return any(index.is_key_of(key.parent_columns) for index in parent.indexes)


def _can_be_unique(parent: Relation, key: CompositeKey) -> bool:
    return set(parent.partition_key) <= set(key.parent_columns)


def _refuse(run: Run, code: str, table: Table, message: str) -> None:
    run.findings.append(Finding(NAME, code, table.key, message, "refused"))
