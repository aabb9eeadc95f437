"""A schema as model source, and settings as pyproject.toml."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.hardening.schemas import (
    Case,
    Check,
    Chosen,
    Column,
    ForeignKey,
    Index,
    Models,
    Table,
)

KINDS = {
    "smallint": "SmallInteger",
    "integer": "Integer",
    "bigint": "BigInteger",
    "numeric": "Numeric({size}, 2)",
    "varchar": "String({size})",
    "text": "Text",
    "boolean": "Boolean",
    "date": "Date",
    "timestamp": "DateTime(timezone=True)",
    "uuid": "Uuid",
    "jsonb": "postgresql.JSONB",
    "vector": "Vector({size})",
    "halfvec": "HALFVEC({size})",
}
CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def quoted(name: str) -> str:
    """The name as an identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def source(models: Models, home: str | None = None) -> str:
    """The models as Python that leaves a ``metadata``.

    *home* is the schema that what says none is in by a fixup; a qualified reference says it.
    """
    convention = f"naming_convention={CONVENTION!r}" if models.convention else ""
    lines = [
        "from pgvector.sqlalchemy import HALFVEC, Vector",
        "from sqlalchemy.orm import DeclarativeBase, mapped_column",
        f"metadata = MetaData({convention})",
        "class Base(DeclarativeBase):",
        "    metadata = metadata",
    ]
    for enum in models.enums:
        schema = f", schema={enum.schema!r}" if enum.schema else ""
        labels = ", ".join(map(repr, enum.labels))
        lines.append(f"enum_{enum.id} = Enum({labels}, name={enum.name!r}{schema})")
    for table in models.tables:
        lines += (_class if table.declarative else _core)(_Writer(models, table, home))
    return "\n".join(lines) + "\n"


class _Writer:
    """The parts of a table as Python."""

    def __init__(self, models: Models, table: Table, home: str | None) -> None:
        self.models, self.table, self.home = models, table, home

    def column(self, column: Column, call: str) -> str:
        parts = [repr(column.name), self.type(column)]
        if column.generated == "identity":
            parts.append("Identity()")
        if column.id in self.table.key:
            parts.append("primary_key=True")
            if not column.generated:
                parts.append("autoincrement=False")
        else:
            parts.append(f"nullable={column.nullable}")
        if column.index:
            parts.append("index=True")
        if column.default is not None:
            parts.append(f"server_default={column.default!r}")
        if column.comment is not None:
            parts.append(f"comment={column.comment!r}")
        return f"{call}({', '.join(parts)})"

    def type(self, column: Column) -> str:
        if column.kind == "enum":
            return f"enum_{column.enum}"
        if column.kind == "array":
            return f"ARRAY(enum_{column.enum})"
        if column.kind == "listed":
            labels = ", ".join(map(repr, self.models.enum(column.enum).labels))
            return (
                f"Enum({labels}, native_enum=False, create_constraint=True, length=63, "
                f"name={column.check!r})"
            )
        return KINDS[column.kind].format(size=column.size)

    def items(self) -> list[str]:
        table = self.table
        return [
            *(
                f"UniqueConstraint({_strings(table.names(unique.columns))}, name={unique.name!r})"
                for unique in table.uniques
            ),
            *(self.foreign_key(key) for key in table.foreign_keys),
            *(
                f"CheckConstraint({self.condition(check)!r}, name={check.name!r})"
                for check in table.checks
            ),
            *(self.index(index) for index in table.indexes),
        ]

    def foreign_key(self, key: ForeignKey) -> str:
        other = self.models.table(key.table)
        schema = other.schema or (self.home if key.qualified else None)
        place = f"{schema}.{other.name}" if schema else other.name
        referred = [f"{place}.{name}" for name in other.names(key.referred)]
        more = f", ondelete={key.ondelete!r}" if key.ondelete else ""
        more += ", deferrable=True, initially='DEFERRED'" if key.deferrable else ""
        columns = self.table.names(key.columns)
        return f"ForeignKeyConstraint({columns!r}, {referred!r}, name={key.name!r}{more})"

    def condition(self, check: Check) -> str:
        return self._text(check.condition, check.columns)

    def index(self, index: Index) -> str:
        names = self.table.names(index.columns)
        what = _strings(names)
        if index.expression:
            what = f"text({self._text(index.expression, index.columns)!r})"
        more = ", unique=True" if index.unique else ""
        if index.where:
            more += f", postgresql_where=text({self._text(index.where, index.columns)!r})"
        if index.using:
            more += f", postgresql_using={index.using!r}"
        if index.options:
            more += f", postgresql_with={dict(index.options)!r}"
        if index.opclass:
            more += f", postgresql_ops={ {names[0]: index.opclass}!r}"
        return f"Index({index.name!r}, {what}{more})"

    def _text(self, template: str, columns: tuple[int, ...]) -> str:
        names = (quoted(name) for name in self.table.names(columns))
        # text() takes :name for a parameter.
        return template.format(*names).replace(":", "\\:")

    def options(self) -> dict[str, str]:
        found = {"schema": self.table.schema, "comment": self.table.comment}
        return {name: value for name, value in found.items() if value is not None}


def _core(writer: _Writer) -> list[str]:
    columns = (writer.column(column, "Column") for column in writer.table.columns)
    options = [f"{name}={value!r}" for name, value in writer.options().items()]
    parts = [*columns, *writer.items(), *options]
    return [
        f"Table({writer.table.name!r}, metadata,",
        *(f"    {part}," for part in parts),
        ")",
    ]


def _class(writer: _Writer) -> list[str]:
    arguments = [*writer.items(), repr(writer.options())]
    return [
        f"class Model{writer.table.id}(Base):",
        f"    __tablename__ = {writer.table.name!r}",
        "    __table_args__ = (",
        *(f"        {argument}," for argument in arguments),
        "    )",
        *(
            f"    column_{column.id} = {writer.column(column, 'mapped_column')}"
            for column in writer.table.columns
        ),
    ]


def _strings(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def settings(case: Case) -> str:
    """The pyproject.toml of a case."""
    return "\n".join([_tenants(case.chosen, case.after), *_others(case.chosen)])


def _tenants(chosen: Chosen, after: Models) -> str:
    tenants = chosen.tenants
    if tenants is None:
        return ""
    levels = []
    for id, column in zip(tenants.tables, tenants.columns, strict=True):
        table = after.table(id)
        schema = table.schema or (chosen.prefix.schema if chosen.prefix else None)
        name = f"{schema}.{table.name}" if schema else table.name
        # Without a foreign key that says so a level has to.
        referred = any(
            key.table == id and one.names(key.columns) == [column]
            for one in after.tables
            for key in one.foreign_keys
        )
        key = "" if referred else f", key = {_toml(table.names(table.key)[0])}"
        levels.append(f"  {{ table = {_toml(name)}, column = {_toml(column)}{key} }},")
    return "\n".join(
        [
            "[tool.alembic-fixups.tenant-keys]",
            f"scope = {_toml(tenants.scope)}",
            f"violations = {_toml(tenants.violations)}",
            "levels = [",
            *levels,
            "]",
        ]
    )


def _others(chosen: Chosen) -> list[str]:
    lines = []
    if chosen.prefix:
        lines += [
            "[tool.alembic-fixups.schema-prefix]",
            f"schema = {_toml(chosen.prefix.schema)}",
            'move-from = ["public"]',
        ]
    if chosen.enum_check:
        strategy, storage = chosen.enum_check
        lines += [
            "[tool.alembic-fixups.enum-check]",
            f"strategy = {_toml(strategy)}",
            f"storage = {_toml(storage)}",
        ]
    if chosen.vectors:
        data, strategy = chosen.vectors
        lines += [
            "[tool.alembic-fixups.vector-dimension]",
            f"data = {_toml(data)}",
            f"strategy = {_toml(strategy)}",
        ]
    if chosen.checks:
        lines.append("[tool.alembic-fixups.check-constraints]")
    if chosen.redundant:
        lines.append("[tool.alembic-fixups.redundant-index]")
    return lines


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
