"""Constraints that are added and dropped by name and definition together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from alembic.operations import ops
from sqlalchemy import ClauseElement, TextClause
from sqlalchemy import Constraint as SchemaConstraint
from sqlalchemy.dialects import postgresql

from alembic_fixups.catalog import Check, ForeignKey
from alembic_fixups.rendering import foreign_keys, quoting
from alembic_fixups.rendering.steps import Step
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.stock.tree import table_of

# The parameter style decides whether SQLAlchemy doubles a percent sign.
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
COMPILER = DIALECT.ddl_compiler(DIALECT, None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Constraint:
    """A constraint, as the steps below need it.

    Attributes:
        table: its table.
        name: its name, None where PostgreSQL is to choose one.
        kind: as Alembic has it: foreignkey, unique, check, primarykey, exclude.
        definition: an SQL expression for what stands behind ``ADD CONSTRAINT name``.
        not_valid: whether the rows that are there are left unchecked.
        parent: the table that a foreign key refers to.
        comment: COMMENT ON CONSTRAINT, None where there is none.
    """

    table: TableName
    name: str | None
    kind: str
    definition: str
    not_valid: bool = False
    parent: TableName | None = None
    comment: str | None = None

    @classmethod
    def known(cls, table: TableName, check: Check) -> Constraint:
        """Takes a CHECK of the database."""
        definition = quoting.literal(check.definition.removesuffix(" NOT VALID"))
        not_valid = check.definition.endswith(" NOT VALID")
        return cls(table, check.name, "check", definition, not_valid, comment=check.comment)

    @classmethod
    def of(cls, operation: ops.AddConstraintOp) -> Constraint:
        """Takes an operation that adds a constraint."""
        schema, table = cast(tuple[str | None, str], table_of(operation))
        named = TableName(schema, table)
        name = _final_name(operation)
        if isinstance(operation, ops.CreateForeignKeyOp):
            parent = TableName(operation.kw.get("referent_schema"), operation.referent_table)
            definition = foreign_keys.deparsed(_foreign_key(operation), parent)
            not_valid = bool(operation.kw.get("postgresql_not_valid"))
            return cls(named, name, operation.constraint_type, definition, not_valid, parent)
        if isinstance(operation, ops.CreateCheckConstraintOp):
            definition = quoting.literal(f"CHECK ({expression_sql(operation.condition)})")
            not_valid = bool(operation.kw.get("postgresql_not_valid"))
            return cls(named, name, operation.constraint_type, definition, not_valid)
        constraint = operation.to_constraint()
        text = COMPILER.process(constraint)
        if constraint.name is not None:
            quoted = DIALECT.identifier_preparer.format_constraint(constraint)
            text = text.removeprefix(f"CONSTRAINT {quoted} ")
        return cls(named, name, operation.constraint_type, quoting.literal(text))

    def __str__(self) -> str:
        kind = {"foreignkey": "foreign key", "primarykey": "primary key"}.get(self.kind, self.kind)
        return f"{kind} constraint" if self.name is None else f"{kind} constraint {self.name}"


def add(templates: Templates, constraint: Constraint) -> Step:
    """Adds it where it is not there; another one of its name is an error."""
    locks = f"ACCESS EXCLUSIVE on {constraint.table}"
    if constraint.parent is not None:
        locks = f"SHARE ROW EXCLUSIVE on {constraint.table} and {constraint.parent}"
    return _step(
        templates,
        "stock/add_constraint.sql.j2",
        f"{constraint.table}: add the {constraint} if it is not there.",
        f"{locks} {'for a catalog change' if constraint.not_valid else 'while rows are checked'}.",
        name=constraint.name,
        constraint=constraint,
    )


def drop(templates: Templates, constraint: Constraint, instead: Constraint | None = None) -> Step:
    """Drops it where it is there; one without a name is found by its definition.

    Takes in *instead* the constraint of that name which the migration puts in its place, and
    which is left alone when the migration runs again.
    """
    tables = " and ".join(str(table) for table in (constraint.table, constraint.parent) if table)
    return _step(
        templates,
        "stock/drop_constraint.sql.j2",
        f"{constraint.table}: drop the {constraint} if it is there"
        + ("." if instead is None else ", unless it is the new one of that name already."),
        f"ACCESS EXCLUSIVE on {tables} for a catalog change.",
        name=constraint.name,
        constraint=constraint if constraint.name is None else instead,
        table=constraint.table,
    )


def _step(
    templates: Templates,
    template: str,
    what: str,
    locks: str,
    *,
    name: str | None,
    constraint: Constraint | None,
    table: TableName | None = None,
) -> Step:
    table = table or cast(Constraint, constraint).table
    step = templates.step(
        template,
        what,
        locks,
        table=table,
        present=table.text,
        name=name,
        constraint=constraint,
    )
    return replace(step, autocommit=False)


def _final_name(operation: ops.AddConstraintOp) -> str | None:
    """The name as SQLAlchemy would shorten it."""
    name = getattr(operation, "constraint_name", None)
    if name is None:
        return None
    preparer = DIALECT.identifier_preparer
    return preparer.truncate_and_render_constraint_name(name, _alembic_quote=False)


def expression_sql(condition: str | ClauseElement) -> str:
    """A condition as SQL; the constraint made of it would attach itself to the models' table."""
    if isinstance(condition, TextClause):
        condition = condition.text
    if isinstance(condition, str):
        # Verbatim: SQLAlchemy would look for parameters in it.
        return condition.replace(r"\:", ":")
    compiled = condition.compile(
        dialect=DIALECT, compile_kwargs={"literal_binds": True, "include_table": False}
    )
    return str(compiled)


def is_emitted(constraint: SchemaConstraint) -> bool:
    """Whether PostgreSQL gets a constraint; one that a type makes may be for other databases."""
    rule = constraint._create_rule
    return rule is None or rule(COMPILER)


def _foreign_key(operation: ops.CreateForeignKeyOp) -> ForeignKey:
    options = operation.kw
    on_delete, set_columns = foreign_keys.referential_action(options.get("ondelete"))
    deferred = str(options.get("initially")).upper() == "DEFERRED"
    return ForeignKey(
        name="",
        columns=tuple(map(str, operation.local_cols)),
        referred=0,
        referred_columns=tuple(map(str, operation.remote_cols)),
        on_delete=on_delete,
        on_update=foreign_keys.referential_action(options.get("onupdate"))[0],
        set_columns=set_columns,
        deferrable=bool(options.get("deferrable")) or deferred,
        initially_deferred=deferred,
        match="FULL" if str(options.get("match")).upper() == "FULL" else "SIMPLE",
    )
