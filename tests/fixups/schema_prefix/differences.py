"""What autogenerate finds, as plain data: two comparisons that find the same are equal."""

from __future__ import annotations

from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Column, Constraint, ForeignKeyConstraint, Index, Table

from alembic_fixups import project as commands
from alembic_fixups.run import Run
from tests.projects import Project

Difference = tuple[str, ...]


def compare(project: Project, **attributes: Any) -> tuple[list[Difference], Run | None]:
    """Every difference, sorted, and the fixups' part of the comparison; writes nothing."""
    config = project.config(**attributes)
    found = commands.compare(commands.Project(config, ScriptDirectory.from_config(config)))
    return sorted(map(_plain, found.diffs)), next(iter(found.runs), None)


def differences(project: Project, **attributes: Any) -> list[Difference]:
    """Every difference, sorted; writes nothing."""
    return compare(project, **attributes)[0]


def _plain(diff: tuple[Any, ...]) -> Difference:
    kind, *rest = diff
    item = rest[-1] if rest else None
    if kind.startswith("modify_"):
        schema, table, column, _, old, new = rest
        return kind, f"{schema}.{table}.{column}", _value(old), _value(new)
    if isinstance(item, Table):
        return kind, f"{item.schema}.{item.name}"
    if isinstance(item, Column):
        return kind, f"{rest[0]}.{rest[1]}.{item.name}"
    if isinstance(item, ForeignKeyConstraint):
        referred = ", ".join(element.target_fullname for element in item.elements)
        actions = [f"ON DELETE {item.ondelete}"] if item.ondelete else []
        return kind, _on(item.parent, item.column_keys), referred, *actions
    if isinstance(item, Index):
        return kind, f"{_schema(item.table)}.{item.name}"
    if isinstance(item, Constraint):
        return kind, _on(item.table, [column.name for column in item.columns])  # type: ignore[attr-defined]
    return kind, *map(str, rest)


def _schema(table: Any) -> str:
    return str(table.schema)


def _on(table: Any, columns: list[str]) -> str:
    return f"{_schema(table)}.{table.name} ({', '.join(columns)})"


def _value(value: Any) -> str:
    return str(getattr(value, "arg", value)) if not hasattr(value, "compile") else repr(value)
