"""Expressions and names in Alembic's own operations, written so that they come out as they are.

Alembic compiles an expression as for the driver, which doubles a percent sign and takes the
backslash from ``\\:``, and writes that into the revision; when it is run, both are done once more:
``t <> '50%'`` becomes ``t <> '50%%'``, and ``':x'`` asks for a parameter. Names of tables it writes
between apostrophes as they are, in the operations for their comments. What an array is of it looks
for by its name as a regular expression, and leaves ``ENUM`` without a module where that fails.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Literal

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import (
    _render_create_table_comment,
    _render_drop_table_comment,
    _repr_type,
    _sqlalchemy_autogenerate_prefix,
)
from alembic.ddl.impl import DefaultImpl
from alembic.operations import ops
from sqlalchemy import ARRAY, ClauseElement, TextClause
from sqlalchemy.types import TypeEngine

from alembic_fixups.rendering import quoting
from alembic_fixups.stock.constraints import expression_sql

_METHOD = "render_ddl_sql_expr"
_TYPES = "render_type"


class CreateTableComment(ops.CreateTableCommentOp):
    """COMMENT ON TABLE."""

    def reverse(self) -> CreateTableComment | DropTableComment:
        """The comment as it was."""
        schema = self.schema
        if self.existing_comment is None:
            return DropTableComment(self.table_name, existing_comment=self.comment, schema=schema)
        return CreateTableComment(
            self.table_name, self.existing_comment, existing_comment=self.comment, schema=schema
        )


class DropTableComment(ops.DropTableCommentOp):
    """COMMENT ON TABLE ... IS NULL."""

    def reverse(self) -> CreateTableComment:
        """The comment as it was."""
        return CreateTableComment(self.table_name, self.existing_comment, schema=self.schema)


@renderers.dispatch_for(CreateTableComment)
def _create(context: AutogenContext, operation: CreateTableComment) -> str:
    return _render_create_table_comment(context, _between_apostrophes(operation))


@renderers.dispatch_for(DropTableComment)
def _drop(context: AutogenContext, operation: DropTableComment) -> str:
    return _render_drop_table_comment(context, _between_apostrophes(operation))


def _between_apostrophes(operation: Any) -> Any:
    result = copy(operation)
    result.table_name = _escaped(operation.table_name)
    if operation.schema is not None:
        result.schema = _escaped(operation.schema)
    return result


def _escaped(name: str) -> str:
    # With a quote in it too, repr() takes apostrophes.
    return repr('"' + name)[2:-1]


def faithfully(impl: DefaultImpl) -> None:
    """Has expressions written as they are, from here on until `as_ever`, and arrays."""
    compiled = getattr(impl, _METHOD)

    def render(expression: ClauseElement, *, is_index: bool = False, **options: Any) -> str:
        if isinstance(expression, TextClause):
            # What SQLAlchemy has read from the database has no colon escaped.
            text = expression_sql(expression)
        else:
            text = compiled(expression, is_index=is_index, **options)
            if impl.dialect.identifier_preparer._double_percents:
                text = text.replace("%%", "%")
        # literal_column(), which Alembic takes for parts of an index, knows no parameters.
        return text if is_index else quoting.without_parameters(text)

    typed = impl.render_type

    def render_type(type_: TypeEngine[Any], context: AutogenContext) -> str | Literal[False]:
        if isinstance(type_, ARRAY) and type(type_).__module__.startswith("sqlalchemy."):
            return _array(type_, context)
        return typed(type_, context)

    setattr(impl, _METHOD, render)
    setattr(impl, _TYPES, render_type)


def _array(type_: ARRAY[Any], context: AutogenContext) -> str:
    if type(type_).__module__.startswith("sqlalchemy.dialects"):
        module = "postgresql."  # Alembic adds the import
    else:
        module = _sqlalchemy_autogenerate_prefix(context)
    name = f"{type(type_).__name__}("
    of = _repr_type(type_.item_type, context)
    return module + repr(type_).replace(f"{name}{type_.item_type!r}", f"{name}{of}", 1)


def as_ever(impl: DefaultImpl) -> None:
    """Undoes `faithfully`: Alembic renders expressions to compare them, too."""
    vars(impl).pop(_METHOD, None)
    vars(impl).pop(_TYPES, None)
