"""The tables and domains of the models that the database has, with the checks of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import CheckConstraint, Column, MetaData, Table, text
from sqlalchemy.exc import CompileError

from alembic_fixups.catalog import Check, Relation
from alembic_fixups.fixups.check_constraints.meaning import Twin
from alembic_fixups.fixups.check_constraints.wishes import DomainWish, Wish, Wishes
from alembic_fixups.rendering.quoting import qualified
from alembic_fixups.rendering.templates import TableName
from alembic_fixups.run import Run
from alembic_fixups.stock.constraints import DIALECT


@dataclass(frozen=True)
class Place:
    """A table or domain, in the forms that SQL needs.

    Attributes:
        name: its name.
        is_domain: whether it is a domain.
        key: the columns that tell the rows of a table apart.
    """

    name: TableName
    is_domain: bool = False
    key: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """As an SQL name."""
        return self.name.sql

    @property
    def kind(self) -> str:
        """What stands behind ALTER."""
        return "DOMAIN" if self.is_domain else "TABLE"

    @property
    def on(self) -> str:
        """What stands behind COMMENT ON CONSTRAINT name ON."""
        return f"DOMAIN {self.sql}" if self.is_domain else self.sql

    @property
    def here(self) -> str:
        """Its OID, NULL where it is not there."""
        return f"to_{'regtype' if self.is_domain else 'regclass'}({self.name.text})"

    def __str__(self) -> str:
        return f"domain {self.name}" if self.is_domain else str(self.name)


@dataclass
class Holder:
    """A table or domain with what both sides say.

    Attributes:
        place: its name.
        subject: what findings call it.
        wishes: what the models want of it.
        checks: what the database has.
        planned: the twin as the models have it.
        present: the twin as the database has it.
        table: the table of the models, None for a domain.
        dropped: the columns that the models do not have any more.
        keeps: whether nothing of it may be dropped.
        in_arrays: the columns that hold arrays of the domain.
    """

    place: Place
    subject: str
    wishes: list[Wish]
    checks: list[Check]
    planned: Twin
    present: Twin
    table: Table | None = None
    dropped: frozenset[str] = frozenset()
    keeps: bool = False
    in_arrays: tuple[str, ...] = ()
    _reflected: Table | None = field(default=None, repr=False)

    def included(self, run: Run, wish: Wish | None, check: Check | None) -> bool:
        """Whether ``include_object`` of env.py wants the difference."""
        if self.table is None:
            return True
        reflected = None if check is None else self._as_reflected(check)
        if wish is not None:
            assert wish.constraint is not None
            return run.context.run_object_filters(
                wish.constraint, wish.name, "check_constraint", False, reflected
            )
        assert reflected is not None and check is not None
        return run.context.run_object_filters(reflected, check.name, "check_constraint", True, None)

    def _as_reflected(self, check: Check) -> CheckConstraint:
        assert self.table is not None
        if self._reflected is None:
            columns: list[Column[object]] = [Column(name) for name, _ in self.present.columns]
            name, schema = self.table.name, self.table.schema
            self._reflected = Table(name, MetaData(), *columns, schema=schema)
        constraint = CheckConstraint(text(check.expression.replace(":", r"\:")), name=check.name)
        self._reflected.append_constraint(constraint)
        return constraint


def holders(wanted: Wishes, run: Run) -> Iterator[Holder]:
    """Every table and domain that both sides have, where one of them has a check."""
    for key, table in run.target.tables.items():
        relation = run.relation(table)
        if relation is None or relation.kind not in ("r", "p") or relation.extension:
            continue
        if not run.context.run_object_filters(table, table.name, "table", False, None):
            continue
        hidden = {name for settled, name in run.settled if settled == key}
        hidden |= {check.name for check in relation.checks if not _is_named(check, table, run)}
        wishes = [wish for wish in wanted.tables.get(key, ()) if wish.name not in hidden]
        checks = [check for check in relation.checks if check.name not in hidden]
        if wishes or checks:
            holder = _table_holder(table, relation, wishes, checks)
            holder.keeps = key in wanted.unclear
            yield holder
    for domain in wanted.domains:
        found = _domain_holder(domain, run)
        if found is not None:
            yield found


def _is_named(check: Check, table: Table, run: Run) -> bool:
    """Whether ``include_name`` of env.py wants it; Alembic leaves the default schema out."""
    default = None if run.target.home is not None else run.target.default_schema
    schema = None if table.schema == default else table.schema
    return run.context.run_name_filters(
        check.name, "check_constraint", {"table_name": table.name, "schema_name": schema}
    )


def _table_holder(
    table: Table, relation: Relation, wishes: list[Wish], checks: list[Check]
) -> Holder:
    columns = [(column.name, _type_of(column)) for column in table.c]
    ours = {name for name, _ in columns}
    gone = [name for name in relation.columns if name not in ours]
    return Holder(
        Place(TableName.of(table), key=relation.primary_key),
        table.key,
        wishes,
        checks,
        Twin(relation.oid, table.name, (*columns, *((name, None) for name in gone))),
        Twin(relation.oid, table.name, tuple((name, None) for name in relation.columns)),
        table,
        frozenset(gone),
    )


def _type_of(column: Column[object]) -> str | None:
    try:
        return str(DIALECT.type_compiler_instance.process(column.type, type_expression=column))
    except CompileError:
        return None


def _domain_holder(domain: DomainWish, run: Run) -> Holder | None:
    schemas = [domain.schema] if domain.schema else list(run.catalog.schemas_on_path)
    names = [(schema, domain.name) for schema in schemas if schema is not None]
    name = next((name for name in names if name in run.catalog.domain_checks), None)
    if name is None:
        return None  # it is made with the tables that use it
    known = run.catalog.domain_checks[name]
    arrays = sorted(
        f"{relation.schema}.{relation.name}.{label}"
        for relation in run.catalog.relations.values()
        for label, column in relation.columns.items()
        if column.named == name and column.type != domain.name
    )
    planned = Twin(known.oid, base=run.domain_types.get(name))
    return Holder(
        Place(TableName(domain.schema, domain.name), is_domain=True),
        qualified(domain.schema, domain.name),
        [wish for wish in domain.wishes if (".".join(name), wish.name) not in run.settled],
        known.checks,
        planned,
        Twin(known.oid),
        in_arrays=tuple(arrays),
    )
