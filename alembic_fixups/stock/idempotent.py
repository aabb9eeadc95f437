"""Alembic's operations in a form that can run again, upgrade and downgrade.

A migration of ours has steps outside the transaction, so one that fails leaves Alembic's own
operations done and the revision not stamped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import Column, Identity
from sqlalchemy.types import NullType

from alembic_fixups.rendering.steps import Step, StepsOp
from alembic_fixups.rendering.templates import TableName, Templates
from alembic_fixups.stock import constraints, indexes
from alembic_fixups.stock.constraints import COMPILER, Constraint, is_emitted
from alembic_fixups.stock.enums import EnumTypes
from alembic_fixups.stock.guarded import CreateIndex, CreateTable, DropIndex, DropTable
from alembic_fixups.stock.tree import Predicate, leaves
from alembic_fixups.stock.written import CreateTableComment, DropTableComment, faithfully

if TYPE_CHECKING:
    from alembic_fixups.run import Run


def make_idempotent(upgrade_ops: ops.UpgradeOps, run: Run, owned: Predicate) -> None:
    """Replaces every operation of Alembic's by one that can run again, and so can its reverse.

    *owned* says which operations are a fixup's business, so that none of them is added here.

    The tree becomes a flat list: inside ``batch_alter_table()``, which ``render_as_batch`` makes of
    a ModifyTableOps, Alembic leaves ``if_not_exists`` out. Operations of others stay as they are.
    """
    operations = list(leaves(upgrade_ops.ops))
    guard = _Guard(operations, run, owned)
    faithfully(run.context.migration_context.impl)
    upgrade_ops.ops[:] = [new for operation in operations for new in guard(operation)]


class _Guard:
    """Turns an operation into those that take its place."""

    def __init__(
        self, operations: Sequence[ops.MigrateOperation], run: Run, owned: Predicate
    ) -> None:
        general = run.settings.general
        self._run = run
        self._owned = owned
        self._checks: set[int] = set()
        self._templates = Templates(general.lock_timeout, general.templates)
        self._enums = EnumTypes(run, self._templates)
        self._added = [
            Constraint.of(operation)
            for operation in operations
            if isinstance(operation, ops.AddConstraintOp)
        ]
        self._dropped = [
            Constraint.of(operation.reverse())
            for operation in operations
            if isinstance(operation, ops.DropConstraintOp) and operation._reverse is not None
        ]
        created = {indexes.key(item) for item in operations if isinstance(item, ops.CreateIndexOp)}
        # A changed index: Alembic drops it and creates another one of its name.
        self._changed_indexes = {
            indexes.key(item): item
            for item in operations
            if isinstance(item, ops.DropIndexOp) and indexes.key(item) in created
        }
        # Dropped from one table, and created under its name for another.
        names = {(schema, name) for schema, _, name in created}
        self._moved_names = names & {
            (schema, name)
            for item in operations
            if isinstance(item, ops.DropIndexOp)
            for schema, table, name in [indexes.key(item)]
            if (schema, table, name) not in created
        }
        self._index_owners = {
            (relation.schema, index.name): relation.oid
            for relation in run.catalog.relations.values()
            for index in relation.indexes
        }

    def __call__(self, operation: ops.MigrateOperation) -> list[ops.MigrateOperation]:
        match operation:
            case ops.CreateTableOp():
                return self._create_table(operation)
            case ops.DropTableOp():
                return [self._drop_table(operation)]
            case ops.CreateIndexOp():
                return [self._create_index(operation)]
            case ops.DropIndexOp():
                return self._drop_index(operation)
            case ops.AddColumnOp():
                return self._add_column(operation)
            case ops.DropColumnOp():
                return [*self._drop_checks(operation), self._drop_column(operation)]
            case ops.AlterColumnOp():
                return self._alter_column(operation)
            case ops.AddConstraintOp():
                return [self._add_constraint(operation)]
            case ops.DropConstraintOp():
                return [self._drop_constraint(operation)]
            case ops.CreateTableCommentOp():
                return [
                    CreateTableComment(
                        operation.table_name,
                        operation.comment,
                        schema=operation.schema,
                        existing_comment=operation.existing_comment,
                    )
                ]
            case ops.DropTableCommentOp():
                return [
                    DropTableComment(
                        operation.table_name,
                        schema=operation.schema,
                        existing_comment=operation.existing_comment,
                    )
                ]
            case _:
                return [operation]

    def _create_table(self, operation: ops.CreateTableOp) -> list[ops.MigrateOperation]:
        items = list(operation.columns)
        create = CreateTable(
            operation.table_name,
            self._enums.in_columns(items),
            schema=operation.schema,
            if_not_exists=True,
            _namespace_metadata=operation._namespace_metadata,
            _constraints_included=operation._constraints_included,
            comment=operation.comment,
            info=operation.info,
            prefixes=operation.prefixes,
            **operation.kw,
        )
        return [*self._enums.creating(items), create]

    def _drop_table(self, operation: ops.DropTableOp) -> DropTable:
        create = copy(operation._reverse)
        if create is not None:
            create.columns = self._enums.in_columns(list(create.columns))
        kept = {name: getattr(operation, name) for name in ("comment", "info", "prefixes")}
        return DropTable(
            operation.table_name,
            schema=operation.schema,
            if_exists=True,
            table_kw={**operation.table_kw, **kept},
            _reverse=create,
        )

    def _create_index(self, operation: ops.CreateIndexOp) -> ops.MigrateOperation:
        old = self._changed_indexes.get(indexes.key(operation))
        if old is not None:
            return self._steps(
                f"{TableName(old.schema, operation.table_name)}: change the index {old.index_name}",
                indexes.replace(self._templates, operation),
                indexes.replace(self._templates, old.reverse()),
            )
        if self._shares_name(operation):
            return self._index_by_table(operation)
        # IF NOT EXISTS looks at the name alone: where another table's index has it, it would skip
        # this one without a word.
        relation = self._run.catalog.find(operation.schema, operation.table_name)
        schema = operation.schema or self._run.target.default_schema
        schema = relation.schema if relation else schema
        owner = self._index_owners.get((schema, str(operation.index_name)))
        if owner is not None and (relation is None or owner != relation.oid):
            return operation
        return CreateIndex(
            operation.index_name,
            operation.table_name,
            operation.columns,
            schema=operation.schema,
            unique=operation.unique,
            if_not_exists=True,
            **operation.kw,
        )

    def _drop_index(self, operation: ops.DropIndexOp) -> list[ops.MigrateOperation]:
        if indexes.key(operation) in self._changed_indexes:
            return []
        if self._shares_name(operation):
            return [self._index_by_table(operation.reverse()).reverse()]
        drop = DropIndex(
            operation.index_name,
            operation.table_name,
            schema=operation.schema,
            if_exists=True,
            _reverse=operation._reverse,
            **operation.kw,
        )
        return [drop]

    def _shares_name(self, index: ops.CreateIndexOp | ops.DropIndexOp) -> bool:
        """Whether what has its name before or after is a constraint's, or another table's."""
        key = indexes.key(index)
        known = (*self._added, *self._dropped)
        return (key[0], key[2]) in self._moved_names or any(
            (item.table.schema, item.table.name, item.name) == key for item in known
        )

    def _index_by_table(self, index: ops.CreateIndexOp) -> StepsOp:
        return self._steps(
            f"{TableName(index.schema, index.table_name)}: create the index {index.index_name}",
            indexes.create(self._templates, index),
            indexes.drop(self._templates, index),
        )

    def _add_column(self, operation: ops.AddColumnOp) -> list[ops.MigrateOperation]:
        column = operation.column
        add = copy(operation)
        relation = self._run.catalog.find(operation.schema, operation.table_name)
        # One that is there, and that a filter of env.py hides, would not be added, but dropped with
        # its values in the downgrade: let it fail.
        add.if_not_exists = relation is None or column.name not in relation.columns
        add.column, checks = self._without_checks(column, operation.table_name, operation.schema)
        add.column = self._enums.in_column(add.column)
        return [*self._enums.creating([column]), add, *checks]

    def _drop_column(self, operation: ops.DropColumnOp) -> ops.DropColumnOp:
        drop = copy(operation)
        drop.if_exists = True
        if operation._reverse is not None:
            drop._reverse = copy(operation._reverse)
            drop._reverse.column = self._enums.in_column(operation._reverse.column)
        return drop

    def _drop_checks(self, operation: ops.DropColumnOp) -> Iterator[StepsOp]:
        """The CHECKs that go with a column, of which Alembic knows nothing, for the downgrade."""
        schema, table, column = operation.schema, operation.table_name, operation.column_name
        relation = self._run.catalog.find(schema, table)
        for check in relation.checks if relation is not None else ():
            if column not in check.columns or check.inherited or check.oid in self._checks:
                continue
            self._checks.add(check.oid)
            add = ops.CreateCheckConstraintOp(check.name, table, check.expression, schema=schema)
            if not self._owned(add.reverse()):
                yield self._drop(Constraint.known(TableName(schema, table), check))

    def _alter_column(self, operation: ops.AlterColumnOp) -> list[ops.MigrateOperation]:
        alter = copy(operation)
        checks: list[ops.MigrateOperation] = []
        if alter.modify_type is not None:
            column = Column(operation.column_name, alter.modify_type)
            column, checks = self._without_checks(column, alter.table_name, alter.schema)
            alter.modify_type = column.type
        elif isinstance(alter.existing_type, NullType):
            # One that SQLAlchemy does not know; written as sa.NullType, which there is not.
            alter.existing_type = None
        if not _is_identity_change(operation):
            return [alter, *checks]
        if alter.modify_nullable is None:
            alter.modify_nullable = self._nullable_beside_identity(operation)
        identity = self._change_identity(operation)
        alter.modify_server_default = alter.existing_server_default = False
        others: list[ops.MigrateOperation] = [alter, *checks] if alter.has_changes() else []
        # Identity wants NOT NULL, so it comes after it and goes before it.
        added = operation.modify_server_default is not None
        return [*others, identity] if added else [identity, *others]

    def _nullable_beside_identity(self, operation: ops.AlterColumnOp) -> bool | None:
        """Whether the column can be NULL from now on, None where it stays as it is.

        Alembic does not look where one side is an identity.
        """
        key = self._run.target.find(operation.schema, operation.table_name)
        if key is None or operation.existing_nullable is None:
            return None
        columns = self._run.target.table(key).columns
        [wanted] = [one.nullable for one in columns if one.name == operation.column_name]
        return wanted if wanted != operation.existing_nullable else None

    def _change_identity(self, operation: ops.AlterColumnOp) -> StepsOp:
        table = TableName(operation.schema, operation.table_name)
        column = operation.column_name
        identity = operation.modify_server_default or operation.existing_server_default
        clause = COMPILER.visit_identity_column(identity)  # type: ignore[no-untyped-call]
        locks = f"ACCESS EXCLUSIVE on {table} for a catalog change."
        add = self._templates.step(
            "stock/add_identity.sql.j2",
            f"{table}: let PostgreSQL generate {column}, unless it does already.",
            locks,
            table=table,
            column=column,
            clause=clause,
        )
        drop = self._templates.step(
            "stock/drop_identity.sql.j2",
            f"{table}: stop generating {column}.",
            locks,
            table=table,
            column=column,
        )
        if operation.modify_server_default is None:
            return self._steps(f"{table}.{column}: drop the identity", drop, add)
        return self._steps(f"{table}.{column}: add the identity", add, drop)

    def _add_constraint(self, operation: ops.AddConstraintOp) -> StepsOp:
        constraint = Constraint.of(operation)
        return self._steps(
            f"{constraint.table}: add the {constraint}",
            constraints.add(self._templates, constraint),
            constraints.drop(self._templates, constraint, _like(constraint, self._dropped)),
        )

    def _drop_constraint(self, operation: ops.DropConstraintOp) -> ops.MigrateOperation:
        if operation._reverse is None:
            drop = copy(operation)
            drop.if_exists = True
            return drop
        return self._drop(Constraint.of(operation.reverse()))

    def _drop(self, constraint: Constraint) -> StepsOp:
        return self._steps(
            f"{constraint.table}: drop the {constraint}",
            constraints.drop(self._templates, constraint, _like(constraint, self._added)),
            constraints.add(self._templates, constraint),
        )

    def _without_checks(
        self, column: Column[Any], table: str, schema: str | None
    ) -> tuple[Column[Any], list[ops.MigrateOperation]]:
        """The column without the CHECK that its type makes, and the operations that add it.

        ``Boolean`` and a non-native ``Enum`` with ``create_constraint`` make one, which Alembic
        adds beside the column and without a guard.
        """
        if not getattr(column.type, "create_constraint", False):
            return column, []
        result = column._copy()
        result.type = column.type.copy()
        result.type.create_constraint = False  # type: ignore[attr-defined]
        holder = ops.CreateTableOp(table, [column._copy()], schema=schema).to_table(
            self._run.context.migration_context
        )
        checks = [
            self._add_constraint(ops.AddConstraintOp.from_constraint(constraint))
            for constraint in list(holder.constraints)
            if constraint._type_bound and is_emitted(constraint)
        ]
        return result, [*checks]

    def _steps(self, change: str, upgrade: Step, downgrade: Step) -> StepsOp:
        return StepsOp(
            "alembic",
            (change,),
            (replace(upgrade, autocommit=False),),
            (replace(downgrade, autocommit=False),),
        )


def _is_identity_change(operation: ops.AlterColumnOp) -> bool:
    """Whether a column becomes an identity or stops being one; changed options run again as is."""
    before, after = operation.existing_server_default, operation.modify_server_default
    return after is not False and isinstance(before, Identity) != isinstance(after, Identity)


def _like(constraint: Constraint, others: list[Constraint]) -> Constraint | None:
    """The one of *others* that has its name in its table."""
    return next(
        (
            other
            for other in others
            if other.table == constraint.table
            and other.name == constraint.name
            and other.name is not None
        ),
        None,
    )
