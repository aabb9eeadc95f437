"""The types that hold vectors, as the models and as the database have them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.rendering import quoting
from alembic_fixups.stock.constraints import DIALECT

Kind = Literal["vector", "halfvec", "sparsevec", "bit", "real[]", "double precision[]"]

OF_EXTENSION = ("vector", "halfvec", "sparsevec")
"""The types that pgvector brings; ``bit`` and arrays are PostgreSQL's own."""

_COMPILED = re.compile(
    r'(?:"?(?P<schema>[^".]+)"?\.)?"?(?P<kind>vector|halfvec|sparsevec|bit)"?'
    r"(?:\s*\(\s*(?P<dimensions>\d+)\s*\))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class VectorType:
    """A type that holds vectors.

    Attributes:
        kind: which one.
        dimensions: how many each vector has, None where they may differ.
        schema: the schema of the extension; None where it is not known or PostgreSQL's own.
    """

    kind: Kind
    dimensions: int | None
    schema: str | None = None

    @property
    def sql(self) -> str:
        """As SQL."""
        size = "" if self.dimensions is None else f"({self.dimensions})"
        return f"{self.name}{size}"

    @property
    def name(self) -> str:
        """As SQL without its dimensions."""
        if self.kind in OF_EXTENSION:
            return quoting.qualified(self.schema, self.kind)
        return self.kind

    @property
    def is_array(self) -> bool:
        """Whether it is an array of numbers, the usual first mistake."""
        return self.kind in ("real[]", "double precision[]")

    def same_as(self, other: VectorType) -> bool:
        """Whether both are one type; the schema of the extension is not looked at."""
        return (self.kind, self.dimensions) == (other.kind, other.dimensions)

    def __str__(self) -> str:
        return self.kind if self.dimensions is None else f"{self.kind}({self.dimensions})"


def of_model(type_: TypeEngine[Any]) -> VectorType | None:
    """The type of a column of the models, None for one that holds no vectors.

    It is judged by what SQLAlchemy compiles it to, so that types which somebody wrote for
    themselves count as well.
    """
    type_ = type_._variant_mapping.get("postgresql", type_)
    while isinstance(type_, TypeDecorator):
        type_ = type_.load_dialect_impl(DIALECT)
    try:
        compiled = type_.compile(dialect=DIALECT)
    except CompileError:
        return None
    found = _COMPILED.fullmatch(compiled.strip())
    if found is None:
        return None
    dimensions = None if found["dimensions"] is None else int(found["dimensions"])
    kind = cast(Kind, found["kind"].lower())
    if kind == "bit" and dimensions is None:
        dimensions = 1  # manual, 8.10
    return VectorType(kind, dimensions, found["schema"])


def is_pgvectors(type_: TypeEngine[Any]) -> bool:
    """Whether a column's type is one of the package pgvector's, which tells its ``BIT`` apart."""
    type_ = type_._variant_mapping.get("postgresql", type_)
    while isinstance(type_, TypeDecorator) and not _is_of_pgvector(type_):
        type_ = type_.impl_instance
    return _is_of_pgvector(type_)


def _is_of_pgvector(type_: TypeEngine[Any]) -> bool:
    return type(type_).__module__.partition(".")[0] == "pgvector"
