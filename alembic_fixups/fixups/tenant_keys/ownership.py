"""Which of Alembic's operations the steps of the tenant keys take the place of."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.operations import ops
from sqlalchemy import ForeignKeyConstraint

from alembic_fixups.catalog import Index
from alembic_fixups.fixups.tenant_keys.difference import Change
from alembic_fixups.fixups.tenant_keys.rewrite import CompositeKey
from alembic_fixups.fixups.tenant_keys.wishes import pairs_of
from alembic_fixups.rendering.quoting import fit_identifier
from alembic_fixups.run import Run

VIOLATION_COLUMNS = {
    "tenant_violation_at",
    "tenant_violation_key",
    "tenant_violation_reason",
}
"""The columns that such a table has besides those of its rows."""


def violations_table(table: str) -> str:
    """Name of the table that rows of *table* which violate a key are moved to."""
    return fit_identifier(f"{table}_tenant_violations")


def owns(keys: Sequence[CompositeKey], run: Run, operation: ops.MigrateOperation) -> bool:
    """Whether the steps of a key see to what *operation* does, or it would undo them."""
    if isinstance(operation, ops.DropTableOp):
        return _holds_violations(run, operation)
    if isinstance(operation, ops.CreateForeignKeyOp):
        return _owns_foreign_key(keys, run, operation)
    if isinstance(operation, ops.DropConstraintOp):
        undone = operation.reverse()
        if isinstance(undone, ops.CreateForeignKeyOp):
            return _owns_foreign_key(keys, run, undone)
        if isinstance(undone, ops.CreateUniqueConstraintOp):
            return _is_rested_on(keys, run, undone)
        return False
    if isinstance(operation, ops.CreateUniqueConstraintOp):
        table = run.target.find(operation.schema, operation.table_name)
        return any(
            key.parent == table
            and key.unique.constraint
            and set(operation.columns) == set(key.unique.columns)
            and not operation.kw.get("deferrable")
            for key in keys
        )
    if isinstance(operation, ops.CreateIndexOp):
        return _owns_new_index(keys, run, operation)
    if isinstance(operation, ops.DropIndexOp):
        return _owns_dropped_index(keys, run, operation)
    return False


def _holds_violations(run: Run, operation: ops.DropTableOp) -> bool:
    """Whether the table is one that violating rows were moved to, by the columns it has."""
    relation = run.catalog.find(operation.schema or run.target.default_schema, operation.table_name)
    return relation is not None and relation.columns.keys() >= VIOLATION_COLUMNS


def _owns_foreign_key(
    keys: Sequence[CompositeKey], run: Run, operation: ops.CreateForeignKeyOp
) -> bool:
    table = run.target.find(operation.kw.get("source_schema"), operation.source_table)
    parent = run.target.find(operation.kw.get("referent_schema"), operation.referent_table)
    pairs = frozenset(zip(operation.local_cols, operation.remote_cols, strict=True))
    return any(
        key.child == table and key.parent == parent and pairs in (key.pairs, *key.replaced)
        for key in keys
    )


def _is_rested_on(
    keys: Sequence[CompositeKey], run: Run, operation: ops.CreateUniqueConstraintOp
) -> bool:
    """A key on the columns that our foreign keys refer to, which the models name otherwise.

    Also one that is deferrable, on which none can rest: Alembic does not see that it is, and its
    downgrade would not bring it back so.
    """
    table = run.target.find(operation.schema, operation.table_name)
    return any(
        key.parent == table and set(key.parent_columns) == set(operation.columns) for key in keys
    )


def _index(run: Run, table: str | None, name: object) -> Index | None:
    """The index of that name on a table of the models, as the database has it."""
    relation = run.relation(run.target.table(table)) if table is not None else None
    indexes = relation.indexes if relation is not None else []
    return next((index for index in indexes if index.name == name), None)


def _owns_new_index(keys: Sequence[CompositeKey], run: Run, operation: ops.CreateIndexOp) -> bool:
    key_of = run.target.find(operation.schema, operation.table_name)
    if key_of is None or run.relation(run.target.table(key_of)) is None:
        return False  # a new table's index is made with it
    return any(
        (key.child == key_of and key.index.name == operation.index_name)
        or (
            key.parent == key_of
            and not key.unique.constraint
            and key.unique.name == operation.index_name
        )
        for key in keys
    )


def _owns_dropped_index(keys: Sequence[CompositeKey], run: Run, operation: ops.DropIndexOp) -> bool:
    table = run.target.find(operation.schema, operation.table_name or "")
    index = _index(run, table, operation.index_name)
    return index is not None and any(
        (key.child == table and _serves_alone(run, index, key))
        or (key.parent == table and index.is_key_of(key.parent_columns))
        for key in keys
    )


def _serves_alone(run: Run, index: Index, key: CompositeKey) -> bool:
    """Whether *index* covers the key and the one of that key is not there, whose step is then
    left out."""
    return (
        key.index.name is not None
        and index.covers(key.columns)
        and _index(run, key.child, key.index.name) is None
    )


def take_out_of_new_tables(upgrade_ops: ops.UpgradeOps, changes: Sequence[Change]) -> None:
    """Keeps CREATE TABLE from referring to a key that its parent does not have yet."""
    for operation in upgrade_ops.ops:
        if isinstance(operation, ops.CreateTableOp):
            operation.columns = [
                item
                for item in operation.columns
                if not (
                    isinstance(item, ForeignKeyConstraint)
                    and any(
                        (change.child.schema, change.child.name)
                        == (operation.schema, operation.table_name)
                        and pairs_of(item) == change.key.pairs
                        for change in changes
                    )
                )
            ]
