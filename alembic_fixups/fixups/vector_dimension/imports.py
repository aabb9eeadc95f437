"""The import that a revision needs whose operations name types of the package pgvector."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate.api import AutogenContext

from alembic_fixups.fixups.vector_dimension.types import is_pgvectors
from alembic_fixups.run import Run


def import_types(run: Run) -> None:
    """Has the revision import pgvector where Alembic names a type of it and imports nothing.

    That is known only as the revision is rendered. With ``user_module_prefix``, or where the
    ``render_item`` of env.py writes the type itself, env.py sees to the import.
    """
    options: dict[str, Any] = run.context.opts
    if options.get("user_module_prefix") is not None:
        return
    known = options.get("render_item")

    def render_item(kind: str, item: Any, context: AutogenContext) -> Any:
        written = known(kind, item, context) if known is not None else False
        if written is False and kind == "type" and is_pgvectors(item):
            context.imports.add("import pgvector.sqlalchemy")
        return written

    options["render_item"] = render_item
