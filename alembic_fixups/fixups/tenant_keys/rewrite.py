"""The change of the desired schema: every tenant table refers to its parent by the whole key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv

from alembic_fixups.fixups.tenant_keys.hierarchy import resolve
from alembic_fixups.fixups.tenant_keys.inference import log_inferred
from alembic_fixups.fixups.tenant_keys.settings import TenantKeysSettings
from alembic_fixups.fixups.tenant_keys.wishes import (
    Wish,
    declared_key,
    is_possible,
    pairs_of,
    replaced_by,
    report,
    wishes_of,
)
from alembic_fixups.rendering.quoting import fit_identifier
from alembic_fixups.target import Target, columns_by_name, drop_foreign_keys


@dataclass(frozen=True)
class UniqueKey:
    """The key of a parent that a composite foreign key refers to.

    Attributes:
        name: its name, None where the primary key serves.
        columns: its columns in the order in which it is made.
        constraint: whether it is a constraint, not a bare unique index.
    """

    name: str | None
    columns: tuple[str, ...]
    constraint: bool = True


@dataclass(frozen=True)
class CoveringIndex:
    """The index by which the rows that refer to a parent are found.

    Attributes:
        name: its name, None where another index of the models serves.
        added: whether the models lack it and the rewrite adds it.
    """

    name: str | None
    added: bool


@dataclass(frozen=True)
class CompositeKey:
    """A foreign key that carries the tenant.

    Attributes:
        name: name of the constraint.
        child: key of the table that refers.
        columns: its referring columns, the tenant's first.
        parent: key of the table referred to.
        parent_columns: the columns referred to, in the same order.
        own_columns: those of *columns* that say which row of the tenant is meant.
        on_delete, on_update, deferrable, initially, match: as in the constraint; "" where not
            given.
        unique: the parent's key.
        index: the child's index.
        replaced: what the foreign keys refer to that this one takes the place of, each as pairs
            of columns; none where the tenant may be NULL and they are kept.
        nullable: those of *columns* that may be NULL.
    """

    name: str
    child: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    own_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    deferrable: bool
    initially: str
    match: str
    unique: UniqueKey
    index: CoveringIndex
    replaced: tuple[frozenset[tuple[str, str]], ...]
    nullable: tuple[str, ...]

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Which column refers to which."""
        return frozenset(zip(self.columns, self.parent_columns, strict=True))


def rewrite(
    target: Target, settings: TenantKeysSettings, major_version: int
) -> tuple[CompositeKey, ...]:
    """Puts the composite keys into the desired schema.

    Takes the target, the fixup's settings and the major version of the server; gives the keys in
    a fixed order, those the models declare themselves as well as those it adds.

    Raises:
        SettingsError: the levels cannot be found in the models.
        UnresolvedReference: a ForeignKey of the models leads nowhere.
    """
    levels = log_inferred(target) if settings.levels is None else resolve(settings.levels, target)
    wishes = list(wishes_of(target, levels, settings.scope == "all"))
    # The widest first: its index serves the others, whose columns it begins with.
    wishes.sort(key=lambda wish: (wish.child, -len(wish.pairs), wish.pairs, wish.parent))
    possible = [wish for wish in wishes if is_possible(target, wish, major_version)]
    for wish in possible:
        # All before the first index: one of them may serve as the index of another key.
        _put_unique(target, wish.parent, tuple(other for _, other in wish.pairs))
    keys = [_put(target, wish) for wish in possible]
    return tuple(
        sorted(dict.fromkeys(keys), key=lambda key: (key.child, len(key.columns), key.columns))
    )


def _put(target: Target, wish: Wish) -> CompositeKey:
    table = target.table(wish.child)
    columns = tuple(column for column, _ in wish.pairs)
    parent_columns = tuple(other for _, other in wish.pairs)
    tenant = [column for column in columns if column not in wish.own]
    named = columns_by_name(table)
    nullable_tenant = [name for name in tenant if named[name].nullable]
    declared = declared_key(table, wish)
    unique = _put_unique(target, wish.parent, parent_columns)
    index = _put_index(target, wish.child, columns)
    if nullable_tenant:
        kept = (
            f"; the foreign key on ({', '.join(wish.own)}) is kept beside it" if wish.single else ""
        )
        report(
            target,
            "nullable-tenant",
            table,
            f"{', '.join(nullable_tenant)} may be NULL, and then PostgreSQL does not check "
            f"({', '.join(columns)}) at all (MATCH SIMPLE){kept}. Make the column NOT NULL",
        )
    elif wish.single:
        doomed = replaced_by(wish)
        drop_foreign_keys(
            target.editable(wish.child),
            lambda other: other.referred_table.key == wish.parent and pairs_of(other) in doomed,
        )
    if declared is None:
        declared = _add_foreign_key(target, wish, columns, parent_columns)
    return CompositeKey(
        name=_name_of(declared) or _foreign_key_name(target.table(wish.child), wish),
        child=wish.child,
        columns=tuple(element.parent.name for element in declared.elements),
        parent=wish.parent,
        parent_columns=tuple(element.column.name for element in declared.elements),
        own_columns=wish.own,
        on_delete=declared.ondelete or "",
        on_update=declared.onupdate or "",
        deferrable=bool(declared.deferrable),
        initially=declared.initially or "",
        match=declared.match or "",
        unique=unique,
        index=index,
        replaced=() if nullable_tenant else replaced_by(wish),
        nullable=tuple(name for name in columns if named[name].nullable),
    )


def _add_foreign_key(
    target: Target, wish: Wish, columns: Sequence[str], parent_columns: Sequence[str]
) -> ForeignKeyConstraint:
    table = target.editable(wish.child)
    parent = target.table(wish.parent)
    old = next(iter(wish.single), None)
    made = ForeignKeyConstraint(
        [columns_by_name(table)[name] for name in columns],
        [columns_by_name(parent)[name] for name in parent_columns],
        name=conv(_foreign_key_name(table, wish)),
        ondelete=_limited(old.ondelete, wish.own) if old is not None else None,
        onupdate=old.onupdate if old is not None else None,
        deferrable=old.deferrable if old is not None else None,
        initially=old.initially if old is not None else None,
        # A cycle among new tables is Alembic's to sort out, as for the key that this one replaces.
        use_alter=old.use_alter if old is not None else False,
    )
    table.append_constraint(made)
    return made


def _limited(action: str | None, columns: Sequence[str]) -> str | None:
    """ON DELETE SET NULL and SET DEFAULT for the own columns only, not for the tenant's."""
    if action is None or not action.upper().startswith("SET") or "(" in action:
        return action
    # By this parameter style SQLAlchemy does not double a percent sign.
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    quote = dialect.identifier_preparer.quote
    return f"{action.upper()} ({', '.join(quote(column) for column in columns)})"


def _put_unique(target: Target, key: str, columns: tuple[str, ...]) -> UniqueKey:
    table = target.table(key)
    for constraint in sorted(table.constraints, key=lambda item: str(item.name)):
        if not isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            continue
        names = tuple(column.name for column in constraint.columns)
        if set(names) == set(columns) and not constraint.deferrable:
            if isinstance(constraint, PrimaryKeyConstraint):
                return UniqueKey(None, names)
            return UniqueKey(_name_of(constraint) or _unique_name(table, names), names)
    for index in sorted(table.indexes, key=lambda item: str(item.name)):
        names = _plain_columns(index)
        if index.unique and set(names) == set(columns) and len(names) == len(columns):
            return UniqueKey(_name_of(index), names, constraint=False)
    name = _unique_name(table, columns)
    editable = target.editable(key)
    editable.append_constraint(
        UniqueConstraint(*map(columns_by_name(editable).__getitem__, columns), name=conv(name))
    )
    return UniqueKey(name, columns)


def _put_index(target: Target, key: str, columns: tuple[str, ...]) -> CoveringIndex:
    table = target.table(key)
    for index in sorted(table.indexes, key=lambda item: (len(item.columns), str(item.name))):
        names = _plain_columns(index)
        if _begins_with(names, columns):
            exact = len(names) == len(columns) and not index.unique
            return CoveringIndex(_name_of(index) if exact else None, added=False)
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and _begins_with(
            [column.name for column in constraint.columns], columns
        ):
            return CoveringIndex(None, added=False)
    name = _free_index_name(target, table, f"ix_{table.name}_{'_'.join(columns)}")
    editable = target.editable(key)
    Index(conv(name), *map(columns_by_name(editable).__getitem__, columns))
    return CoveringIndex(name, added=True)


def _begins_with(names: Sequence[str], columns: Sequence[str]) -> bool:
    return len(names) >= len(columns) and set(names[: len(columns)]) == set(columns)


def _plain_columns(index: Index) -> tuple[str, ...]:
    """The columns of a plain btree index, nothing for one that serves only some look-ups."""
    options = index.dialect_options["postgresql"]
    if options["where"] is not None or options["using"] not in (False, None, "btree"):
        return ()
    if not all(isinstance(expression, Column) for expression in index.expressions):
        return ()
    return tuple(column.name for column in index.columns)


def _name_of(item: ForeignKeyConstraint | UniqueConstraint | Index) -> str | None:
    return str(item.name) if isinstance(item.name, str) else None


def _foreign_key_name(table: Table, wish: Wish) -> str:
    """A name after the columns; two keys on the same columns are told apart by their parents."""
    name = fit_identifier(f"fk_{table.name}_{'_'.join(column for column, _ in wish.pairs)}")
    if name not in {constraint.name for constraint in table.constraints}:
        return name
    return fit_identifier(f"{name}_{wish.parent.replace('.', '_')}")


def _unique_name(table: Table, columns: Sequence[str]) -> str:
    return fit_identifier(f"uq_{table.name}_{'_'.join(columns)}")


def _free_index_name(target: Target, table: Table, wanted: str) -> str:
    """*wanted*, or that and a digest where another table has it: index names are per schema."""
    name = fit_identifier(wanted)
    if target.index_owners.setdefault((table.schema, name), table.key) == table.key:
        return name
    return fit_identifier(f"{wanted}_{hashlib.sha256(table.key.encode()).hexdigest()[:8]}")
