"""Names that SQLAlchemy makes of a column's label, which has the schema in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alembic.operations import ops

from alembic_fixups.rendering.quoting import IDENTIFIER_BYTES
from alembic_fixups.stock.tree import leaves, table_of

_HASH = len("_1a2b")
"""What SQLAlchemy puts at the end of a name that it shortens."""


def renamed_only(upgrade_ops: ops.UpgradeOps, home: str) -> frozenset[int]:
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
            if _is_same(was, new) and _is_alike(_name(was), _name(new), home):
                found |= {id(dropped), id(new)}
    return frozenset(found)


_CREATED = (ops.CreateIndexOp, ops.CreateUniqueConstraintOp)
_DROPPED = (ops.DropIndexOp, ops.DropConstraintOp)


def _is_same(was: ops.MigrateOperation, new: ops.MigrateOperation) -> bool:
    """Whether two operations make the same of the same table, but for the name."""
    return type(was) is type(new) and table_of(was) == table_of(new) and _what(was) == _what(new)


def _what(operation: Any) -> tuple[Any, ...]:
    options = {
        key: str(value)
        for key, value in operation.kw.items()
        if value not in (None, False, {}, [], ()) and key.startswith("postgresql_")
    }
    options.pop("postgresql_include", None)  # SQLAlchemy reflects an empty list
    columns: Iterable[Any] = operation.columns
    return (
        [str(getattr(column, "name", column)) for column in columns],
        bool(getattr(operation, "unique", True)),
        options,
    )


def _name(operation: Any) -> str:
    name = getattr(operation, "index_name", None) or getattr(operation, "constraint_name", None)
    return str(name)


def _is_alike(was: str, new: str, home: str) -> bool:
    without = new.replace(f"{home}_", "", 1)
    if len(new.encode()) < IDENTIFIER_BYTES - 2 * _HASH:
        return was == without and was != new
    return was[: len(without) - _HASH] == without[:-_HASH]
