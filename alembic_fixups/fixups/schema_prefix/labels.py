"""Names that SQLAlchemy makes of a column's label, which has the schema in it."""

from __future__ import annotations

from typing import Any

from alembic.operations import ops
from sqlalchemy import Index, MetaData, Table, UniqueConstraint

from alembic_fixups.run import Run
from alembic_fixups.stock.constraints import DIALECT
from alembic_fixups.stock.tree import leaves, table_of

_CREATED = (ops.CreateIndexOp, ops.CreateUniqueConstraintOp)
_DROPPED = (ops.DropIndexOp, ops.DropConstraintOp)


def renamed_only(upgrade_ops: ops.UpgradeOps, run: Run) -> frozenset[int]:
    """The operations, by ``id()``, that only give an index or a unique key another name.

    A column with ``index=True`` has the index ``ix_users_name``, and ``ix_migration_users_name``
    once its table has a schema. The one that is there is as good.
    """
    operations = list(leaves(upgrade_ops.ops))
    created = [one for one in operations if isinstance(one, _CREATED)]
    found: set[int] = set()
    for dropped in operations:
        if not isinstance(dropped, _DROPPED) or dropped._reverse is None:
            continue
        was = dropped.reverse()
        for new in created:
            if _is_same(was, new) and _is_bare_name(_name(was), new, run):
                found |= {id(dropped), id(new)}
    return frozenset(found)


def _is_same(was: ops.MigrateOperation, new: ops.MigrateOperation) -> bool:
    """Whether two operations make the same of the same table, but for the name."""
    return type(was) is type(new) and table_of(was) == table_of(new) and _what(was) == _what(new)


def _what(operation: Any) -> tuple[Any, ...]:
    options = {
        key: str(value)
        for key, value in operation.kw.items()
        if value not in (None, False, {}, [], ())
        and (key.startswith("postgresql_") or key in ("deferrable", "initially"))
    }
    return _columns(operation.columns), bool(getattr(operation, "unique", True)), options


def _columns(columns: Any) -> list[str]:
    return [str(getattr(column, "name", column)) for column in columns]


def _name(operation: Any) -> str:
    name = getattr(operation, "index_name", None) or getattr(operation, "constraint_name", None)
    return str(name)


def _is_bare_name(was: str, new: Any, run: Run) -> bool:
    """Whether SQLAlchemy gives *new* the name *was* where the table has no schema."""
    key = run.target.find(*(table_of(new) or (None, "")))
    if key is None:
        return False
    model = run.target.original(run.target.table(key))
    if model.schema is not None:
        bare = MetaData(naming_convention=model.metadata.naming_convention)
        model = model.to_metadata(bare, schema=None)  # type: ignore[arg-type]
    return was in (
        _final_name(item)
        for item in _items(model)
        if _columns(item.columns) == _columns(new.columns)
    )


def _items(table: Table) -> list[Index | UniqueConstraint]:
    keys = (item for item in table.constraints if isinstance(item, UniqueConstraint))
    return [*table.indexes, *keys]


def _final_name(item: Index | UniqueConstraint) -> str | None:
    """The name as SQLAlchemy would shorten it."""
    preparer = DIALECT.identifier_preparer
    name: str | None
    if isinstance(item, Index):
        name = preparer.format_index(item)
    else:
        name = preparer.format_constraint(item)
    return None if name is None else name.strip('"').replace('""', '"')
