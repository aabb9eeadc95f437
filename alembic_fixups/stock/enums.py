"""Native enum types, which Alembic creates with every table that uses one and with no column."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Column
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.rendering.steps import StepsOp
from alembic_fixups.rendering.templates import TableName, Templates

if TYPE_CHECKING:
    from alembic_fixups.run import Run


class EnumTypes:
    """The enum types that a migration uses, and those it has to create."""

    def __init__(self, run: Run, templates: Templates) -> None:
        self._dialect = run.context.dialect
        self._templates = templates
        self._there: set[tuple[str | None, str]] = set(run.catalog.enums)
        for schema in (run.target.default_schema, *run.catalog.schemas_on_path):
            self._there |= {(None, name) for where, name in run.catalog.enums if where == schema}

    def in_columns(self, items: list[Any]) -> list[Any]:
        """The columns and constraints of a table, with every column as `in_column` makes it."""
        return [self.in_column(item) if isinstance(item, Column) else item for item in items]

    def in_column(self, column: Column[Any]) -> Column[Any]:
        """The column itself, or where it uses an enum type a copy that does not create it."""
        changed = self._not_creating(column.type)
        if changed is None:
            return column
        result = column._copy()
        result.type = changed
        return result

    def creating(self, items: list[Any]) -> list[StepsOp]:
        """Creates the types of these columns that are not there; each type once."""
        return [
            self._create(enum)
            for item in items
            if isinstance(item, Column) and (enum := self._enum(item.type)) is not None
            if (enum.schema, str(enum.name)) not in self._there
        ]

    def _create(self, enum: postgresql.ENUM) -> StepsOp:
        name = TableName(enum.schema, str(enum.name))
        self._there.add((enum.schema, str(enum.name)))
        create = self._templates.step(
            "stock/create_enum.sql.j2",
            f"Create the enum type {name}, which this revision is the first to use.",
            "nothing that exists.",
            type=name,
            regtype=name.text,
            labels=list(enum.enums),
        )
        drop = self._templates.step(
            "stock/drop_enum.sql.j2",
            f"Drop the enum type {name}, which the upgrade created, if nothing uses it any more.",
            "ACCESS EXCLUSIVE on the type alone.",
            type=name,
        )
        return StepsOp(
            "alembic",
            (f"{name}: create the enum type",),
            (replace(create, autocommit=False),),
            (replace(drop, autocommit=False),),
        )

    def _enum(self, type_: TypeEngine[Any]) -> postgresql.ENUM | None:
        """The native enum type that a column's type comes down to on PostgreSQL, if any."""
        plain = self._plain(type_)
        if isinstance(plain, ARRAY):
            plain = self._plain(plain.item_type)
        return plain if isinstance(plain, postgresql.ENUM) else None

    def _not_creating(self, type_: TypeEngine[Any]) -> TypeEngine[Any] | None:
        enum = self._enum(type_)
        if enum is None:
            return None
        plain = self._plain(type_)
        # Alembic writes the type inside an array by way of a regular expression made of its
        # labels, which a bracket or a backslash in one of them breaks; no DDL needs them.
        labels = () if isinstance(plain, ARRAY) else enum.enums
        result = postgresql.ENUM(*labels, name=enum.name, schema=enum.schema, create_type=False)
        if isinstance(plain, ARRAY):
            return postgresql.ARRAY(result, dimensions=plain.dimensions)
        return result

    def _plain(self, type_: TypeEngine[Any]) -> TypeEngine[Any]:
        """The type without TypeDecorator and variants."""
        plain = type_.dialect_impl(self._dialect)
        while isinstance(plain, TypeDecorator):
            plain = plain.impl_instance.dialect_impl(self._dialect)
        return plain
