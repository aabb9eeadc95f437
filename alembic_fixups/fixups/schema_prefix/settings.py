"""``[tool.alembic-fixups.schema-prefix]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, ValidationInfo, field_validator

from alembic_fixups.rendering.quoting import IDENTIFIER_BYTES
from alembic_fixups.settings import Model

NAME = "schema-prefix"


def _schema(name: str) -> str:
    if not name or "\x00" in name or len(name.encode()) > IDENTIFIER_BYTES:
        raise ValueError(f"a schema's name has 1 to {IDENTIFIER_BYTES} bytes")
    if name != name.strip() or name[0] == name[-1] == '"':
        raise ValueError(f"write {name!r} without quotes and spaces around it")
    if name.startswith("pg_") or name == "information_schema":
        raise ValueError(f"{name!r} is PostgreSQL's own")
    return name


def _kept(name: str) -> str:
    if not all(name.partition(".")):
        raise ValueError(f"{name!r} has to be a schema, a dot and a name, as in 'public.users'")
    return name


SchemaName = Annotated[str, AfterValidator(_schema)]
Kept = Annotated[str, AfterValidator(_kept)]


class SchemaPrefixSettings(Model):
    """The settings of the fixup.

    Attributes:
        schema: the schema that every table of the models is in, unless its model names another.
        move_from: the schemas from which the migration moves tables of the models that it finds
            there; elsewhere they are only reported.
        keep: tables and types of other schemas, ``schema.name``, that stay where they are: not
            those of the models, but others of the same name.
        move_version_table: whether Alembic's own table moves too.
    """

    home: SchemaName = Field(alias="schema")
    move_from: tuple[SchemaName, ...] = ()
    keep: tuple[Kept, ...] = ()
    move_version_table: StrictBool = False

    @field_validator("move_from")
    @classmethod
    def _from_elsewhere(cls, schemas: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        home = known.data.get("home")
        if home in schemas:
            raise ValueError(f"{home!r} is the schema to move to")
        return schemas

    @field_validator("keep")
    @classmethod
    def _kept_elsewhere(cls, names: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        home = known.data.get("home")
        for name in names:
            if name.startswith(f"{home}."):
                raise ValueError(f"{name!r} is in the schema of the models")
        return names
