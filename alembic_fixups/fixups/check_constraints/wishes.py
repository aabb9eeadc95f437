"""The checks that the models want, of their tables and of the domains of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, CheckConstraint, Table
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.exc import CompileError, IdentifierError, InvalidRequestError
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic_fixups.fixups.check_constraints.settings import NAME
from alembic_fixups.rendering.quoting import IDENTIFIER_BYTES
from alembic_fixups.report import Finding
from alembic_fixups.stock.constraints import COMPILER, DIALECT, expression_sql, is_emitted
from alembic_fixups.target import TableKey, Target

if TYPE_CHECKING:
    from alembic_fixups.fixups.check_constraints.difference import Change


@dataclass(frozen=True)
class Wish:
    """A CHECK that the models have.

    Attributes:
        name: its name in the database, None where PostgreSQL chooses one.
        expression: what it says, in the words of the models.
        not_valid: whether the models leave the rows that are there unchecked.
        comment: the comment that the models give it.
        constraint: the models' own, for the filters of env.py; None for that of a domain.
    """

    name: str | None
    expression: str
    not_valid: bool = False
    comment: str | None = None
    constraint: CheckConstraint | None = field(default=None, compare=False)


@dataclass(frozen=True)
class DomainWish:
    """A domain that columns of the models are of, with what the models say of its check."""

    schema: str | None
    name: str
    column: str
    wishes: tuple[Wish, ...]


@dataclass
class Wishes:
    """What the models want.

    Attributes:
        tables: the checks of every table, by the table's key.
        unclear: the tables with a check that cannot be written as SQL; none of theirs is dropped.
        domains: the domains that the models define.
        changes: what differs in the database, None as long as nobody has asked.
    """

    tables: dict[TableKey, list[Wish]] = field(default_factory=dict)
    unclear: set[TableKey] = field(default_factory=set)
    domains: list[DomainWish] = field(default_factory=list)
    changes: list[Change] | None = None


def wishes_of(target: Target) -> Wishes:
    """Takes the models as the other fixups have rewritten them."""
    found = Wishes()
    for key, table in target.tables.items():
        wanted = found.tables.setdefault(key, [])
        for constraint in _in_order(table):
            try:
                wanted.append(_wish(constraint, table))
            except (CompileError, InvalidRequestError, IdentifierError, NotImplementedError) as no:
                found.unclear.add(key)
                message = (
                    "a CHECK of the models cannot be written as SQL, so none is dropped here: "
                    f"{str(no).splitlines()[0]}"
                )
                target.findings.append(Finding(NAME, "not-comparable", key, message))
    found.domains = _domains(target)
    return found


def plain_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type without TypeDecorator and variants, of an array that of its elements."""
    plain = type_.dialect_impl(DIALECT)
    while isinstance(plain, TypeDecorator | ARRAY):
        inner = plain.impl_instance if isinstance(plain, TypeDecorator) else plain.item_type
        plain = inner.dialect_impl(DIALECT)
    return plain


def _in_order(table: Table) -> list[CheckConstraint]:
    checks = [
        constraint
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint) and _is_for_postgresql(constraint, table)
    ]
    # CREATE TABLE writes those of a column whatever ddl_if() says.
    checks += [
        constraint
        for column in table.c
        for constraint in column.constraints
        if isinstance(constraint, CheckConstraint)
    ]
    return sorted(checks, key=lambda check: (str(check.name), str(check.sqltext)))


def _is_for_postgresql(constraint: CheckConstraint, table: Table) -> bool:
    if not is_emitted(constraint):
        return False
    condition = constraint._ddl_if
    # As CREATE TABLE decides it.
    return condition is None or condition._should_execute(
        CreateTable(table), constraint, None, compiler=COMPILER, checkfirst=False
    )


def _wish(constraint: CheckConstraint, table: Table) -> Wish:
    shown = constraint
    if not isinstance(constraint.parent, Table):
        # That of a column has no table, which the filters of env.py may ask for.
        shown = constraint._copy()
        shown.parent = table
    preparer = DIALECT.identifier_preparer
    name = None
    if constraint.name is not None:
        name = preparer.format_constraint(constraint, _alembic_quote=False)
    return Wish(
        _as_kept(name),
        expression_sql(constraint.sqltext),
        bool(constraint.dialect_options["postgresql"]["not_valid"]),
        constraint.comment,
        shown,
    )


def _as_kept(name: str | None) -> str | None:
    """The name as PostgreSQL keeps it, which counts bytes and not characters."""
    if name is None:
        return None
    return name.encode()[:IDENTIFIER_BYTES].decode(errors="ignore")


def _domains(target: Target) -> list[DomainWish]:
    found: dict[tuple[str | None, str], tuple[str, dict[Wish, None]]] = {}
    for key, domain in _domain_columns(target):
        _, wishes = found.setdefault((domain.schema, str(domain.name)), (key, {}))
        if domain.check is not None:
            name = None if domain.constraint_name is None else str(domain.constraint_name)
            wishes[Wish(_as_kept(name), expression_sql(domain.check))] = None
    return [
        DomainWish(schema, name, column, tuple(wishes))
        for (schema, name), (column, wishes) in sorted(found.items(), key=str)
    ]


def _domain_columns(target: Target) -> Iterator[tuple[str, DOMAIN]]:
    for key, table in target.tables.items():
        for column in table.c:
            plain = plain_type(column.type)
            # Where somebody else makes the domain, its checks are somebody else's.
            if isinstance(plain, DOMAIN) and plain.create_type:
                yield f"{key}.{column.name}", plain
