"""Walking the tree of operations that Alembic's comparison gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from alembic.operations import ops

Predicate = Callable[[ops.MigrateOperation], bool]


def leaves(operations: Iterable[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    """Every operation that is no container, in order."""
    for operation in operations:
        if isinstance(operation, ops.OpContainer):
            yield from leaves(operation.ops)
        else:
            yield operation


def remove(container: ops.OpContainer, predicate: Predicate) -> None:
    """Takes every operation for which *predicate* is true out, and what is empty then."""
    kept: list[ops.MigrateOperation] = []
    for operation in container.ops:
        if isinstance(operation, ops.OpContainer):
            remove(operation, predicate)
            if not operation.is_empty():
                kept.append(operation)
        elif not predicate(operation):
            kept.append(operation)
    container.ops[:] = kept


def table_of(operation: ops.MigrateOperation) -> tuple[str | None, str] | None:
    """Schema and name of the table that an operation changes, None where it changes none."""
    if isinstance(operation, ops.CreateForeignKeyOp):
        return operation.kw.get("source_schema"), operation.source_table
    name = getattr(operation, "table_name", None)
    return None if name is None else (getattr(operation, "schema", None), name)
