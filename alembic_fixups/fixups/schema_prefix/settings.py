"""``[tool.alembic-fixups.schema-prefix]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from alembic_fixups.rendering.quoting import IDENTIFIER_BYTES
from alembic_fixups.settings import Model

NAME = "schema-prefix"


def _schema(name: str) -> str:
    if not name or "\x00" in name or len(name.encode()) > IDENTIFIER_BYTES:
        raise ValueError(f"a schema's name has 1 to {IDENTIFIER_BYTES} bytes")
    if name.startswith("pg_") or name == "information_schema":
        raise ValueError("is PostgreSQL's own")
    return name


SchemaName = Annotated[str, AfterValidator(_schema)]


class SchemaPrefixSettings(Model):
    """The settings of the fixup.

    Attributes:
        schema: the schema that every table of the models is in, unless its model names another.
        move_from: the schemas from which the migration moves tables of the models that it finds
            there; elsewhere they are only reported.
        keep: tables and types, ``schema.name``, that stay in a schema of move-from: others of the
            same name.
        move_version_table: whether Alembic's own table moves too.
    """

    home: SchemaName = Field(alias="schema")
    move_from: tuple[SchemaName, ...] = ()
    keep: tuple[str, ...] = ()
    move_version_table: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> SchemaPrefixSettings:
        if self.home in self.move_from:
            raise ValueError(f"move-from has {self.home!r}, which is the schema to move to")
        sources = tuple(f"{schema}." for schema in self.move_from)
        for name in self.keep:
            if not name.startswith(sources or ("\x00",)):
                raise ValueError(f"keep has {name!r}, which is in no schema of move-from")
        return self
