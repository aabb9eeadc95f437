"""What ``init`` says of columns of vectors."""

from __future__ import annotations

from typing import Any

from alembic_fixups.fixups.vector_dimension.types import OF_EXTENSION, of_model
from alembic_fixups.target import Target


def infer(target: Target) -> dict[str, Any] | None:
    """The settings where the models have columns of vectors: old ones are kept."""
    for table in target.tables.values():
        for column in table.c:
            found = of_model(column.type)
            if found is not None and found.kind in OF_EXTENSION:
                return {"data": "archive"}
    return None


def hint(target: Target) -> str:
    """Nothing: where there are vectors, `infer` switches the fixup on."""
    return ""
