"""Domains over a native enum type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Column, text
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeDecorator

from alembic_fixups.catalog import Name
from alembic_fixups.rendering import quoting
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.retyping.dependents import defined
from alembic_fixups.retyping.model import Domain
from alembic_fixups.run import Run
from alembic_fixups.stock.constraints import DIALECT

_DOMAINS = """
SELECT n.nspname, d.typname, m.nspname, e.typname, b.oid <> e.oid,
       EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.atttypid = d.typarray AND NOT a.attisdropped),
       ARRAY(SELECT k.name FROM pg_temp.fixup_domain_checks(d.oid) AS k),
       ARRAY(SELECT k.definition FROM pg_temp.fixup_domain_checks(d.oid) AS k)
  FROM pg_catalog.pg_type d
  JOIN pg_catalog.pg_namespace n ON n.oid = d.typnamespace
  JOIN pg_catalog.pg_type b ON b.oid = d.typbasetype
  JOIN pg_catalog.pg_type e
    ON e.oid = CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE b.oid END AND e.typtype = 'e'
  JOIN pg_catalog.pg_namespace m ON m.oid = e.typnamespace
 WHERE d.typtype = 'd'
"""


@dataclass(frozen=True)
class DomainFacts:
    """A domain as the database has it.

    Attributes:
        name: its schema and name.
        enum: the enum type that it, or each of its elements, is of.
        is_array: whether it is over an array.
        in_arrays: whether a column holds arrays of it: PostgreSQL then adds no constraint to it.
        checks: its constraints by name.
    """

    name: Name
    enum: Name
    is_array: bool
    in_arrays: bool
    checks: tuple[tuple[str, str], ...]

    def becoming(self, column: Column[Any], check: tuple[str, str] | None) -> Domain:
        """What it becomes, by a column of the models that is of it, and the CHECK it is to have."""
        plain: Any = column.type.dialect_impl(DIALECT)
        while not isinstance(plain, DOMAIN):
            if isinstance(plain, ARRAY):
                plain = plain.item_type.dialect_impl(DIALECT)
            elif isinstance(plain, TypeDecorator):
                plain = plain.impl_instance.dialect_impl(DIALECT)
            else:  # the models have the plain type in place of the domain
                break
        base = plain.data_type if isinstance(plain, DOMAIN) else plain
        suffix = "[]" if self.is_array else ""
        return Domain(
            TableName(*self.name),
            base.compile(dialect=DIALECT),
            quoting.qualified(*self.enum) + suffix,
            self.checks,
            check if self.in_arrays and check not in self.checks else None,
        )


def domains(run: Run) -> dict[Name, DomainFacts]:
    """The domains over an enum type, by schema and name."""
    if not run.catalog.domains:
        return {}
    connection = run.context.connection
    assert connection is not None
    general = run.settings.general
    with defined(connection, Templates(general.lock_timeout, general.templates)):
        rows = connection.execute(text(_DOMAINS)).all()
    return {
        (schema, name): DomainFacts(
            (schema, name),
            (enum_schema, enum),
            is_array,
            in_arrays,
            tuple(zip(names, definitions, strict=True)),
        )
        for schema, name, enum_schema, enum, is_array, in_arrays, names, definitions in rows
    }
